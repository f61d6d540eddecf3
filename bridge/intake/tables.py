"""CSV with a queueId column. A quoted cell may span lines; a broken row costs no row but itself."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from typing import Final

from bridge.intake.lines import MOST_LINE, Line, Lines
from bridge.intake.tracks import ID_NAMES, Bad, folded, id_name, tracks_in
from bridge.model import Track

DELIMITERS: Final = (",", ";", "\t")
MOST_LINES: Final = 100
"""Lines that one row may span, and MOST_LINE characters. A quote that is never closed is given up after as many."""

NO_COLUMN: Final = "no column queueId in the first line; name the column that holds the queueIds so"
OTHER_IDS: Final = frozenset(
    f"{one}{plural}"
    for one in (
        "id",
        "leadid",
        "leadref",
        "queue",
        "queueid",
        "queueref",
        "recordid",
        "ref",
        "reference",
        "uuid",
    )
    for plural in ("", "s")
)
"""Headings, folded, of a column of ids that is not said to hold queueIds."""


def delimiter_of(header: str) -> str | None:
    """The delimiter that makes this line a header with a queueId (or queueRef) column; None: it is no such header."""
    for delimiter in DELIMITERS:
        if any(id_name(name) for name in cells_or_none(header, delimiter)):
            return delimiter
    return None


def is_other_table(header: str) -> bool:
    """Whether this line begins a table that names no queueId column: several cells, or the heading of other ids."""
    if header.lstrip().startswith(("{", "[")):
        return False
    several = any(len(cells_or_none(header, delimiter)) > 1 for delimiter in DELIMITERS)
    return several or folded(header.strip().strip('"')) in OTHER_IDS


def from_csv(lines: Lines, delimiter: str) -> Iterator[Track | Bad]:
    """A track or a reason for each row after the header; columns beside the queueId become its context."""
    first = next(lines)
    names = [id_name(cell) or cell.strip() for cell in _cells(first.text, delimiter)]
    told = [name for name in names if name]
    if len(set(told)) < len(told):
        yield Bad(first.number, "the header names a column twice")
        return
    for row in rows(lines, delimiter):
        yield row if isinstance(row, Bad) else _track(*row, names)


def cells_or_none(text: str, delimiter: str) -> list[str]:
    try:
        return _cells(text, delimiter)
    except csv.Error:
        return []


def _cells(text: str, delimiter: str) -> list[str]:
    return next(csv.reader([text], delimiter=delimiter, strict=True))


def rows(lines: Lines, delimiter: str) -> Iterator[tuple[int, list[str]] | Bad]:
    for line in lines:
        taken = [line]
        if line.problem:
            yield Bad(line.number, line.problem)
            continue
        try:
            cells = next(csv.reader(_feed(lines, taken), delimiter=delimiter, strict=True))
        except csv.Error:
            lines.put_back(taken[1:])
            yield Bad(line.number, "the quotes of this row are broken, or the row is too long")
            continue
        if any(cell.strip() for cell in cells):
            yield line.number, cells


def _feed(lines: Lines, taken: list[Line]) -> Iterator[str]:
    """The line that a row begins with, then, as far as the row asks for them, the lines after it."""
    yield taken[0].text
    size = len(taken[0].text)
    for line in islice(lines, MOST_LINES):
        taken.append(line)
        size += len(line.text)
        if line.problem or size > MOST_LINE:
            return
        yield line.text


def _track(number: int, cells: list[str], names: list[str]) -> Track | Bad:
    if any(cell.strip() for cell in cells[len(names) :]):
        return Bad(number, f"the row has more columns than the {len(names)} of the header")
    values = {
        name: cell.strip() if name in ID_NAMES else cell for name, cell in zip(names, cells, strict=False)
    }
    values.pop("", None)
    (found,) = tracks_in(values)
    return Bad(number, found) if isinstance(found, str) else found
