"""`bridge report`: which leads failed, and why."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TextIO

import typer

from bridge import reports
from bridge.cli.base import moment, open_app, say
from bridge.cli.progress import progress
from bridge.errors import UsageError
from bridge.files import private_file
from bridge.model import REPORTED
from bridge.ports import Failure


class Format(StrEnum):
    """How a report is written."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"
    HTML = "html"


Writer = Callable[[reports.Report, TextIO], None]
WRITERS: Mapping[Format, Writer] = {
    Format.TEXT: reports.write_text,
    Format.JSON: reports.write_json,
    Format.CSV: reports.write_csv,
    Format.HTML: reports.write_html,
}


READ_FIRST: Final = (Format.TEXT, Format.HTML)
"""Nothing of these is written before all leads were read, so that progress may be shown on the same terminal."""


def report(
    as_: Annotated[Format, typer.Option("--format", help="How it is written.")] = Format.TEXT,
    output: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Write to this file instead of standard output.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only leads that came to rest since then (UTC, or 36h)."),
    ] = None,
    unmasked: Annotated[bool, typer.Option("--unmasked", help="Show people as they are.")] = False,
) -> None:
    """The failure report: each failed or unprocessed lead with its reason, and the command that retries it.

    Example: bridge report --format csv --output failures.csv --since 7d
    """
    app = open_app()
    now = app.clock()
    with app.store() as store:
        begin = moment(since, "--since", now)
        failures = store.failures(begin)
        with progress("report, counting", "leads") as work:
            status = store.status(work.reached)
        if output or not sys.stdout.isatty() or as_ in READ_FIRST:
            failures = _counted(failures, None if since else sum(status.leads[one] for one in REPORTED))
        made = reports.build(
            failures, status.leads, now, account=status.account, unmasked=unmasked, since=begin
        )
        _write(made, WRITERS[as_], output)
    if as_ is Format.CSV:
        say(f"account: {reports.total(status.account)}")


def _counted(failures: Iterable[Failure], total: int | None) -> Iterator[Failure]:
    with progress("report", "leads", total) as work:
        for failure in failures:
            work.done += 1
            yield failure


def _write(made: reports.Report, write: Writer, output: Path | None) -> None:
    if output is None:
        write(made, sys.stdout)
        return
    try:
        with private_file(output) as out:
            write(made, out)
    except OSError as error:
        raise UsageError(f"{output}: {error.strerror}; give a path that can be written") from None
    say(f"written to {output}")
