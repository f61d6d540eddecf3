"""Every command, put together."""

from __future__ import annotations

import typer

from bridge.cli import (
    checking,
    demo,
    failures,
    intake,
    one_lead,
    previewing,
    resync,
    running,
    simulating,
    status,
)

cli = typer.Typer(
    name="bridge",
    help="Keeps LeadByte queue results and LeadSquared leads in step.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
cli.command("run")(running.run)
cli.command("enqueue")(intake.enqueue)
cli.command("resync")(resync.resync)
cli.command("status")(status.status)
cli.command("report")(failures.report)
cli.command("resolve")(one_lead.resolve)
cli.command("show")(one_lead.show)
cli.command("check")(checking.check)
cli.command("map")(previewing.preview)
cli.command(
    "simulate",
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)(simulating.simulate)
cli.command("demo")(demo.demo)
