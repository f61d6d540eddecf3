"""`bridge demo`: both ways against both simulated APIs."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.shipped import shipped_mappings

HERE = Path("mappings")


def demo(
    leads: Annotated[int, typer.Option(min=1, max=5000, metavar="N", help="How many leads.")] = 400,
    mappings: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Directory of mapping files; default mappings, else the shipped ones."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Other leads for another number.")] = 7,
) -> None:
    """Show the main job: track, poll, map, push, report, resync. Takes under a minute and needs no account.

    Everything runs on this machine, in a temporary directory.

    Example: bridge demo --leads 1000
    """
    from bridge import telemetry
    from bridge.cli.demo_forward import show

    telemetry.configure("auto", "error", ())
    with tempfile.TemporaryDirectory(prefix="bridge-demo-") as directory:
        asyncio.run(show(Path(directory), leads, mappings or _mappings(), seed))


def _mappings() -> Path:
    return HERE if HERE.is_dir() else shipped_mappings()
