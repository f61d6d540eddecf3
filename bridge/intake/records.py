"""Lines that say something of one lead each, by name: CSV with a header, or a JSON object on each line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from bridge.errors import UsageError
from bridge.intake.documents import parsed
from bridge.intake.lines import Line, Lines, Readable
from bridge.intake.tables import DELIMITERS, cells_or_none, rows
from bridge.intake.tracks import Bad
from bridge.model import Json

Heading: TypeAlias = Callable[[Sequence[str]], str | None]
"""What is wrong with these names of columns, in words; None: nothing."""

TWICE: Final = "the header names a column twice; name each once"
NO_OBJECT: Final = "is no JSON object; write each lead as an object on a line of its own"
_EXACT: Final = json.JSONDecoder(parse_float=str, parse_int=str)
"""Numbers as the text that was written: a float would not keep the pennies of every amount."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one line says: names as they were written, to texts (numbers too), or whatever JSON has besides."""

    line: int
    values: Mapping[str, Json] = field(repr=False)


def read_records(source: Readable, ids: Callable[[str], bool], heading: Heading) -> Iterator[Record | Bad]:
    """A record or a reason for each line. `ids`: whether a column is the one that names the lead.

    Cells are trimmed, and empty ones say nothing. Blank lines are passed over.
    """
    lines = Lines(source)
    first = lines.peek()
    if first is None:
        return
    if first.problem:
        yield Bad(first.number, first.problem)
    elif first.text.lstrip().startswith(("{", "[", '"{')):
        yield from (_object(line) for line in lines if line.problem or line.text.strip())
    else:
        yield from _table(lines, _delimiter(first.text, ids), heading)


def _object(line: Line) -> Record | Bad:
    if line.problem:
        return Bad(line.number, line.problem)
    try:
        parsed(line.text.strip())
    except UsageError as error:
        return Bad(line.number, f"{error}; write each lead as a JSON object on a line of its own")
    value = _EXACT.decode(line.text.strip())
    return Record(line.number, value) if isinstance(value, dict) else Bad(line.number, NO_OBJECT)


def _delimiter(header: str, ids: Callable[[str], bool]) -> str:
    """The delimiter that makes the column of ids one; a comma where none does."""
    found = (one for one in DELIMITERS if any(map(ids, cells_or_none(header, one))))
    return next(found, DELIMITERS[0])


def _table(lines: Lines, delimiter: str, heading: Heading) -> Iterator[Record | Bad]:
    first = next(lines)
    names = [cell.strip() for cell in cells_or_none(first.text, delimiter)]
    if wrong := heading(names):
        yield Bad(first.number, wrong)
        return
    for row in rows(lines, delimiter):
        yield row if isinstance(row, Bad) else _record(*row, names)


def _record(number: int, cells: Sequence[str], names: Sequence[str]) -> Record | Bad:
    if any(cell.strip() for cell in cells[len(names) :]):
        return Bad(number, f"the row has more columns than the {len(names)} of the header; mend the row")
    values = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if cell.strip()}
    if "" in values:
        return Bad(number, "the row says something in a column without a name; name it in the first line")
    return Record(number, values)
