"""What the parts of the store share: the connection, the account, JSON columns."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import chain
from pathlib import Path
from typing import Any, Final

import orjson
from sqlite_utils import Database

from bridge.model import LEADSQUARED, Json, ResolvedItem, Stamp
from bridge.policy.merging import Stamped
from bridge.policy.values import Agreed
from bridge.store.database import translated, writing

LEASE_SECONDS = 600.0
AGREED = "SELECT identity, fields FROM agreed WHERE account = ? AND target = ? AND identity IN ({identities})"
AGREE = """
INSERT INTO agreed (account, target, identity, fields, updated_at) VALUES {rows}
ON CONFLICT DO UPDATE SET fields = excluded.fields, updated_at = excluded.updated_at
"""
DISMISSED: Final = "dismissed"
"""How the reason begins of what a person gave up; a colon and the person's own words follow."""

Row = sqlite3.Row
NUMBER = re.compile(r"[0-9]{1,15}")
"""The number of a delivery, as a person writes it."""


BEFORE = """
(f.lane LIKE 'leadbyte|financials|%', f.id) < (d.lane LIKE 'leadbyte|financials|%', d.id)
"""
"""Whether of one mapping's operations on a lead `f` goes before `d`: what is booked of it comes last."""


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

    def _agreed(
        self, connection: sqlite3.Connection, identities: Sequence[str], target: str = LEADSQUARED
    ) -> dict[str, Agreed]:
        sql = AGREED.format(identities=", ".join("?" * len(identities)))
        rows = connection.execute(sql, (self._account, target, *identities))
        return {row["identity"]: read_agreed(row["fields"]) for row in rows}

    def _keep_agreed(
        self,
        connection: sqlite3.Connection,
        agreed: Mapping[str, Agreed],
        now: float,
        target: str = LEADSQUARED,
    ) -> None:
        if agreed:
            rows = [(self._account, target, one, _written(agreed[one]), now) for one in agreed]
            connection.execute(AGREE.format(rows=marks(len(rows), 5)), list(chain.from_iterable(rows)))

    def _doubt(
        self,
        connection: sqlite3.Connection,
        names: Mapping[str, Mapping[str, Stamp | None]],
        now: float,
        target: str = LEADSQUARED,
    ) -> None:
        """These fields, by identity, may have changed on the other side: nothing equals them until agreed anew.

        Where a field has a stamp, a value as new as that may be there now, and an older one must not follow it.
        """
        before = self._agreed(connection, list(names), target)
        doubted = {one: _doubted(before.get(one, {}), stamps) for one, stamps in names.items()}
        self._keep_agreed(connection, {one: agreed for one, agreed in doubted.items() if agreed}, now, target)


def _doubted(agreed: Agreed, stamps: Mapping[str, Stamp | None]) -> Agreed:
    known = {name: agreed[name][1] for name in stamps if name in agreed}
    newest = {name: max(known.get(name, stamp), stamp) for name, stamp in stamps.items() if stamp}
    lost = {name: ("", stamp) for name, stamp in {**known, **newest}.items()}
    return {**agreed, **lost} if lost else {}


def dumped(value: Json) -> str:
    """The text of a JSON column that holds the bridge's own values: texts, numbers it made itself, and their lists."""
    return orjson.dumps(value).decode()


def loaded(text: str) -> Json:
    """The value of such a column."""
    return orjson.loads(text)


def marks(rows: int, width: int) -> str:
    """The placeholders of so many rows after VALUES. One statement for many rows keeps the store's thread short."""
    row = f"({', '.join('?' * width)})"
    return ", ".join([row] * rows)


def rows_named(*names: str) -> str:
    """What follows FROM for rows whose columns have these names; `{rows}` in it is still to be filled with `marks`."""
    columns = ", ".join(f"column{n} AS {name}" for n, name in enumerate(names, 1))
    return f"(SELECT {columns} FROM (VALUES {{rows}}))"


def read_agreed(text: str) -> Agreed:
    """The column `fields` of the table `agreed`."""
    return {name: (digest, Stamp(at, arrival)) for name, (digest, at, arrival) in loaded(text).items()}


def _written(agreed: Agreed) -> str:
    return dumped({name: (digest, stamp.at, stamp.arrival) for name, (digest, stamp) in agreed.items()})


def resolved_item(row: Row) -> ResolvedItem:
    """The item that a row of queue_item holds; its id in the column `item_id`."""
    return ResolvedItem(
        id=row["item_id"],
        queue_id=row["queue_id"],
        reply=row["reply"] or "",
        resolved_at=row["resolved_at"],
        context=json.loads(row["context"]),
        generation=row["generation"],
        force=bool(row["item_force"]),
        source=row["source"],
        again=bool(row["again"]),
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
