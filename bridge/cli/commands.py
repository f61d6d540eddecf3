"""Every command, put together."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Annotated

import typer

from bridge.cli import (
    auditing,
    backup,
    checking,
    demo,
    dismissing,
    failures,
    forgetting,
    intake,
    leadbyte,
    leadsquared,
    mapping_help,
    one_lead,
    previewing,
    resync,
    running,
    simulating,
    status,
    telling,
)
from bridge.cli.base import put

cli = typer.Typer(
    name="bridge",
    help="""Keeps LeadByte queue results and LeadSquared leads in step.

    Example: bridge check
    """,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 120,
        "color": False if os.environ.get("NO_COLOR") else None,
    },
)


def _show_version(wanted: bool) -> None:
    if wanted:
        put(f"bridge {version('leadbyte-leadsquared-bridge')}")
        raise typer.Exit


@cli.callback()
def top(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Nothing is done here: each command does its own work."""


cli.command("run")(running.run)
cli.command("enqueue")(intake.enqueue)
cli.command("resync")(resync.resync)
cli.command("dismiss")(dismissing.dismiss)
cli.command("status")(status.status)
cli.command("report")(failures.report)
cli.command("audit")(auditing.audit)
cli.command("resolve")(one_lead.resolve)
cli.command("show")(one_lead.show)
cli.command("forget")(forgetting.forget)
cli.command("backup")(backup.backup)
cli.command("check")(checking.check)
cli.command("notify")(telling.notify)
cli.command("map")(previewing.preview)
cli.command(
    "simulate",
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)(simulating.simulate)
cli.command("demo")(demo.demo)
cli.add_typer(leadbyte.leadbyte)
cli.add_typer(leadsquared.leadsquared)
cli.add_typer(mapping_help.mapping)
