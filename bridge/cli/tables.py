"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table

from bridge.cli.base import console
from bridge.reports import one_line


def put_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows under their titles on standard output. Nothing in a cell begins another line or moves the cursor."""
    table = Table(*titles, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(one_line(cell) for cell in row))
    console().print(table)
