"""`bridge enqueue`: track queueIds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.progress import open as open_with_progress

from bridge.cli.base import open_app, put, put_json, say
from bridge.errors import UsageError
from bridge.intake import BadLine, read_arguments, read_tracks
from bridge.model import Json, Track

SHOWN = 1000


@dataclass(slots=True)
class Tally:
    """What came of the lines: how many could be taken, and what is wrong with the others (the first of them kept)."""

    good: int = 0
    bad: int = 0
    shown: list[Json] = field(default_factory=list)

    def tracks(self, lines: Iterator[Track | BadLine]) -> Iterator[Track]:
        """The good lines, one by one; each bad one is told on stderr."""
        for line in lines:
            if isinstance(line, BadLine):
                self._refuse(line)
            else:
                self.good += 1
                yield line

    def _refuse(self, line: BadLine) -> None:
        self.bad += 1
        say(f"error: {line}")
        if len(self.shown) < SHOWN:
            self.shown.append({"name": line.name, "line": line.line, "reason": line.reason})


def enqueue(
    queue_ids: Annotated[
        list[str] | None, typer.Argument(help="queueIds to track.", show_default=False)
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FILE|-",
            help="JSON lines, CSV, plain ids or LeadByte submit replies; - is stdin.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Track queueIds. Tracking one twice is harmless.

    Example: bridge enqueue ac1e0206-6d6fd2fa-62ce91e7-ba33-5cc458e6 --from submitted.jsonl

    Bad lines are refused with their line number while good ones are taken; then the exit code is 1.
    """
    if not queue_ids and source is None:
        raise UsageError("nothing to track; give queueIds, or a file with --from FILE (- for stdin)")
    app, tally = open_app(), Tally()
    now = app.clock()
    with app.store() as store, _opened(source) as stream:
        lines = chain(read_arguments(queue_ids or ()), read_tracks(stream, source or "-") if stream else ())
        new = store.track(tally.tracks(iter(lines)), now, now + app.deadline())
    _tell(tally, new, as_json=as_json)
    if tally.bad:
        raise typer.Exit(1)


def _tell(tally: Tally, new: int, *, as_json: bool) -> None:
    known = tally.good - new
    if as_json:
        put_json({"tracked": new, "known": known, "refused": tally.bad, "problems": tally.shown})
    else:
        put(f"{new} tracked, {known} already known, {tally.bad} refused")


@contextmanager
def _opened(source: str | None) -> Iterator[BinaryIO | None]:
    if source is None:
        yield None
    elif source == "-":
        if sys.stdin is None:
            raise UsageError("-: there is no standard input; give a file with --from FILE")
        yield sys.stdin.buffer
    else:
        try:
            stream = open_with_progress(
                Path(source), "rb", description=source, transient=True, disable=not sys.stderr.isatty()
            )
        except OSError as error:
            raise UsageError(f"{source}: {error.strerror}; give a file that can be read") from None
        with stream as opened:
            yield opened
