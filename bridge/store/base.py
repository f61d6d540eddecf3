"""What the parts of the store share: the connection, the account, JSON columns."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from bridge.model import Json, ResolvedItem, Stamp
from bridge.policy.merging import Stamped
from bridge.policy.values import Agreed
from bridge.store.database import translated, writing

TARGET = "leadsquared"
LEASE_SECONDS = 600.0
AGREE = """
INSERT INTO agreed (account, target, identity, fields, updated_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET fields = excluded.fields, updated_at = excluded.updated_at
"""
Row = sqlite3.Row


class Base:
    """A part of the store. `account` goes into every row."""

    def __init__(self, database: Database, path: Path, account: str) -> None:
        self._database, self._path, self._account = database, path, account
        database.conn.row_factory = sqlite3.Row

    def _writing(self) -> AbstractContextManager[sqlite3.Connection]:
        return writing(self._database, self._path)

    def _all(self, sql: str, parameters: Mapping[str, Any] | tuple[Any, ...] = ()) -> list[Row]:
        with translated(self._path):
            rows: list[Row] = self._database.conn.execute(sql, parameters).fetchall()
            return rows

    def _agreed(self, connection: sqlite3.Connection, identity: str) -> Agreed:
        row = connection.execute(
            "SELECT fields FROM agreed WHERE account = ? AND target = ? AND identity = ?",
            (self._account, TARGET, identity),
        ).fetchone()
        return read_agreed(row["fields"]) if row else {}

    def _keep_agreed(self, connection: sqlite3.Connection, identity: str, agreed: Agreed, now: float) -> None:
        fields = {name: (digest, stamp.at, stamp.arrival) for name, (digest, stamp) in agreed.items()}
        connection.execute(AGREE, (self._account, TARGET, identity, dumped(fields), now))

    def _doubt(self, connection: sqlite3.Connection, identity: str, names: Iterable[str], now: float) -> None:
        """These values may have changed on the other side: nothing equals them until the next is agreed."""
        agreed = self._agreed(connection, identity)
        doubted = {name: ("", agreed[name][1]) for name in names if name in agreed}
        if doubted:
            self._keep_agreed(connection, identity, {**agreed, **doubted}, now)


_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_decoder = json.JSONDecoder()


def dumped(value: Json) -> str:
    """A JSON column's text."""
    return _encoder.encode(value)


def loaded(text: str) -> Json:
    """A JSON column's value."""
    return _decoder.decode(text)


def read_agreed(text: str) -> Agreed:
    """The column `fields` of the table `agreed`."""
    return {name: (digest, Stamp(at, arrival)) for name, (digest, at, arrival) in loaded(text).items()}


def resolved_item(row: Row) -> ResolvedItem:
    """The item that a row of queue_item holds; its id in the column `item_id`."""
    return ResolvedItem(
        id=row["item_id"],
        queue_id=row["queue_id"],
        reply=row["reply"],
        resolved_at=row["resolved_at"],
        context=loaded(row["context"]),
        generation=row["generation"],
        force=bool(row["item_force"]),
    )


def stamped(row: Row) -> Stamped:
    """A delivery row's fields with their age: its own, but for those taken over from an older delivery."""
    own = Stamp(row["as_of"], row["item_id"])
    fields = {name: (value, own) for name, value in loaded(row["fields"]).items()}
    for name, stamp in loaded(row["older"]).items() if row["older"] != "{}" else ():
        fields[name] = (fields[name][0], Stamp(*stamp))
    return fields


def older_than(fields: Stamped, own: Stamp) -> dict[str, tuple[float, int]]:
    """The column `older`: the stamps that are not the delivery's own."""
    return {name: (stamp.at, stamp.arrival) for name, (_, stamp) in fields.items() if stamp != own}
