"""`bridge enqueue`: track queueIds."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import chain
from typing import Annotated, BinaryIO

import typer

from bridge.cli.base import open_app, put, put_json, say
from bridge.cli.progress import BYTES, Work, progress
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
    sources: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="FILE|-",
            help="JSON lines, CSV, plain ids or LeadByte submit replies; - is stdin. Repeatable.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Track queueIds. Tracking one twice is harmless.

    Bad lines are refused with their line number while good ones are taken; then the exit code is 1.

    Example: bridge enqueue --from submitted.csv
    """
    queue_ids, sources = queue_ids or [], sources or []
    if not queue_ids and not sources:
        raise UsageError("nothing to track; give queueIds, or a file with --from FILE (- for stdin)")
    if sources.count("-") > 1:
        raise UsageError("--from -: standard input can be read only once; give - once")
    app, tally = open_app(), Tally()
    now = app.clock()
    with app.store() as store, _opened(sources) as streams, _shown(streams, tally):
        files = (read_tracks(stream, name) for name, stream in streams)
        lines = chain(_arguments(queue_ids), chain.from_iterable(files))
        new = store.track(tally.tracks(lines), now, now + app.deadline())
    _tell(tally, new, as_json=as_json)
    if tally.bad:
        raise typer.Exit(1)


def _tell(tally: Tally, new: int, *, as_json: bool) -> None:
    known = tally.good - new
    if as_json:
        put_json({"tracked": new, "known": known, "refused": tally.bad, "problems": tally.shown})
    else:
        put(f"{new} tracked, {known} already known, {tally.bad} refused")


def _arguments(queue_ids: Sequence[str]) -> Iterator[Track | BadLine]:
    for position, (given, found) in enumerate(zip(queue_ids, read_arguments(queue_ids), strict=True), 1):
        is_file = os.path.isfile(given)  # noqa: PTH113 - Path.is_file raises for a name that is too long
        yield BadLine("argument", position, "is a file; did you mean --from FILE?") if is_file else found


@contextmanager
def _opened(sources: Sequence[str]) -> Iterator[list[tuple[str, BinaryIO]]]:
    """All of them open, so that one that cannot be read is told before anything is tracked."""
    with ExitStack() as stack:
        yield [(source, _stream(source, stack)) for source in sources]


def _shown(streams: Sequence[tuple[str, BinaryIO]], tally: Tally) -> AbstractContextManager[Work]:
    """How far the files are read; where one has no size, how many lines were looked at. Nothing where a person types."""
    files = [stream.fileno() for _, stream in streams]
    if any(map(os.isatty, files)):
        return nullcontext(Work("enqueue"))
    found = [os.fstat(file) for file in files]
    if not all(stat.S_ISREG(one.st_mode) for one in found):
        return progress("enqueue", "leads", look=lambda: tally.good + tally.bad)
    total = sum(one.st_size for one in found)
    return progress("enqueue", BYTES, total, lambda: sum(os.lseek(file, 0, os.SEEK_CUR) for file in files))


def _stream(source: str, stack: ExitStack) -> BinaryIO:
    if source == "-":
        if sys.stdin is None:
            raise UsageError("-: there is no standard input; give a file with --from FILE")
        return sys.stdin.buffer
    try:
        return stack.enter_context(open(source, "rb"))  # noqa: PTH123 - as it is named
    except OSError as error:
        raise UsageError(f"{source}: {error.strerror}; give a file that can be read") from None
