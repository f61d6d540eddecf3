"""Row numbers are never given twice: whoever still holds that of a forgotten row must not meet another lead under it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import count, repeat

GIVEN = """
SELECT coalesce((SELECT max(id) FROM {table}), 0),
    coalesce((SELECT CAST(value AS INTEGER) FROM checkpoint WHERE account = ? AND name = ?), 0)
"""
KEEP = """
INSERT INTO checkpoint (account, name, value, updated_at)
SELECT ?, ?, CAST(max(id) AS TEXT), ? FROM {table} WHERE true HAVING max(id) IS NOT NULL
ON CONFLICT DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
WHERE CAST(excluded.value AS INTEGER) > CAST(checkpoint.value AS INTEGER)
"""


def new_ids(connection: sqlite3.Connection, account: str, table: str) -> Iterator[int | None]:
    """Ids for rows that are about to be inserted, in order; None leaves the choice to SQLite, which takes the next."""
    last, kept = connection.execute(GIVEN.format(table=table), (account, _name(table))).fetchone()
    return count(kept + 1) if kept > last else repeat(None)


def keep_ids(connection: sqlite3.Connection, account: str, table: str, now: float) -> None:
    """Remember the last id that was given, before rows are deleted."""
    connection.execute(KEEP.format(table=table), (account, _name(table), now))


def _name(table: str) -> str:
    return f"last:{table}"
