"""Tables that people read in a terminal and programs cut by column."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.cli.base import put
from bridge.mapping import AnyMapping
from bridge.model import Json
from bridge.reports import one_line

GAP = "  "


def put_traces(mapping: AnyMapping, view: dict[str, Json]) -> None:
    """How each field of a mapping comes about for a lead: the rule that makes it, what that finds, and what is sent."""
    rows = []
    for trace in mapping.explain(view):
        sent = trace.note if trace.output is None else repr(trace.output)
        rows.append((trace.field, trace.rule, "-" if trace.found is None else repr(trace.found), sent))
    put_aligned(("field", "rule", "input", "output"), rows)


def put_aligned(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows under their titles: with rules and folded to its width on a terminal, else a line for each row, nothing cut.

    Nothing in a cell begins another line or moves the cursor.
    """
    cells = [[one_line(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _put_table(titles, cells)
    else:
        put(*_lines([titles, *cells]))


def _put_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console(highlight=False, markup=False, emoji=False).print(table)


def _lines(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        yield GAP.join(padded).rstrip()
