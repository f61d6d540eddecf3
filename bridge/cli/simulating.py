"""`bridge simulate`: both APIs on loopback."""

from __future__ import annotations

import typer


def simulate(context: typer.Context) -> None:
    """Serve both APIs on loopback until stopped; prints their addresses and keys as a line of JSON.

    Options, and what drives it while it runs: bridge simulate --help

    Example: bridge simulate --leads 100
    """
    from bridge.simulator.__main__ import main

    raise typer.Exit(main(context.args))
