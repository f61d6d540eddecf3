"""Reads queueIds from whatever they come in: plain lines, JSON lines, CSV, LeadByte's own submit replies.

Pure: the caller opens the stream. Nothing that was read is kept, so a file of any length streams in flat memory; only
a JSON value that spans lines is gathered, up to `documents.MOST_JSON` characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bridge.errors import UsageError
from bridge.intake.documents import from_lines
from bridge.intake.lines import Lines, Readable
from bridge.intake.tables import NO_COLUMN, delimiter_of, from_csv, is_other_table
from bridge.intake.tracks import Bad, track_of
from bridge.model import Track

__all__ = ["BadLine", "Kind", "Readable", "read_arguments", "read_tracks", "track_of"]

Kind: TypeAlias = Literal["auto", "lines", "json", "csv"]
"""What a source is said to be. lines: ids and JSON, mixed. auto: lines, or CSV where the first line names a queueId column."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """What could not be taken: where (`line` counts from 1) and why, quoting nothing that the line said."""

    name: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.name}:{self.line}: {self.reason}"


def read_tracks(
    source: Readable | Iterable[bytes], name: str, kind: Kind = "auto"
) -> Iterator[Track | BadLine]:
    """Each queueId of a binary stream, or of an iterable of its lines, in order; what is no queueId as a `BadLine`.

    `name` is what people know the source by. Blank lines say nothing. A submit reply gives one track for each of its
    `results[]` or `records[]` (vendor page "Using the QueueID via REST API").
    """
    for found in _found(Lines(source), kind):
        yield BadLine(name, found.line, found.reason) if isinstance(found, Bad) else found


def _found(lines: Lines, kind: Kind) -> Iterator[Track | Bad]:
    first = lines.peek()
    if first is None:
        return iter(())
    if first.hopeless:
        return iter((Bad(first.number, first.problem or ""),))
    delimiter = delimiter_of(first.text) if kind in {"auto", "csv"} else None
    if delimiter is not None:
        return from_csv(lines, delimiter)
    if kind == "csv" or (kind == "auto" and is_other_table(first.text)):
        return iter((Bad(first.number, NO_COLUMN),))
    return from_lines(lines, plain=kind != "json")


def read_arguments(queue_ids: Iterable[str], name: str = "argument") -> Iterator[Track | BadLine]:
    """Each queueId that was given on a command line; the `line` of a bad one is its position."""
    for position, queue_id in enumerate(queue_ids, 1):
        try:
            yield track_of(queue_id)
        except UsageError as error:
            yield BadLine(name, position, str(error))
