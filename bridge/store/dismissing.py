"""Leads that a person does not want to be retried."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from bridge.errors import Conflict
from bridge.model import LEADSQUARED, Call, Stage, State
from bridge.ports import Birth, Dismissed, Selection
from bridge.store.acted import give_up
from bridge.store.base import DISMISSED, Row
from bridge.store.births import Births
from bridge.store.deliveries import Deliveries
from bridge.store.meetings import is_last_word, kind_of, supersede
from bridge.store.reopening import SELECTABLE, Reopening

T = TypeVar("T")

NOT_MAPPED: Final = "not mapped"
"""What stands in the place of a mapping's name for an expired lead, which never came to one."""

CHUNK: Final = 500
CHOSEN: Final = f"""
SELECT item_id, queue_id, delivery_id, state, reason FROM ({SELECTABLE})
WHERE state IN ('failed', 'unprocessed', 'expired') AND {{where}}
"""
# What became of it nobody knows: there is nothing to be mapped, and no moment at which it was resolved.
GIVE_UP: Final = (
    "UPDATE queue_item SET state = 'waiting' WHERE id = :id AND state = 'expired'",
    """
    UPDATE queue_item SET state = 'resolved', mapped = 1, settles_at = NULL, reason = NULL,
        updated_at = :now
    WHERE id = :id
    """,
)
OTHERS: Final = """
SELECT DISTINCT i.queue_id FROM delivery d, json_each(d.older) taken
JOIN queue_item i ON i.id = json_extract(taken.value, '$[1]')
WHERE d.id IN ({ids})
"""
BORN: Final = """
UPDATE delivery SET stage = 'poll' WHERE id = (SELECT max(id) FROM delivery WHERE item_id = ?) RETURNING id
"""
# With those that it had taken over. A lead that was seen changed since is not what it was: it is decided anew.
DECIDED: Final = """
SELECT i.id AS item_id, d.mapping, d.lane, i.reply FROM delivery d JOIN queue_item i
    ON i.id = d.item_id OR i.id IN (SELECT json_extract(value, '$[1]') FROM json_each(d.older))
WHERE d.id = ? AND i.source = 'leadsquared' AND (d.lane IS NOT NULL OR i.mapped = 1)
"""


class Dismissing(Births, Deliveries, Reopening):
    """The part of the store by which a person gives leads up."""

    def dismissible(self, selection: Selection) -> Dismissed:
        with self.snapshot():
            return _dismissed(self._database.conn, self._chosen(selection))

    def dismiss(
        self, selection: Selection, reason: str, now: float, *, counted: int | None = None
    ) -> Dismissed:
        with self._writing() as connection:
            rows = self._chosen(selection)
            done = _dismissed(connection, rows)
            if counted is not None and done.leads != counted:
                raise Conflict(f"{counted} were counted, but {done.leads} are meant by now")
            for some in _chunks(rows):
                ended = [(self._dismiss(connection, row, f"{DISMISSED}: {reason}", now), row) for row in some]
                told = [(id_, State.SUPERSEDED, f"{row['state']}: {row['reason']}") for id_, row in ended]
                self._attempts(connection, Call("", Stage.PERSON, "", now, now, DISMISSED), told)
        return done

    def _chosen(self, selection: Selection) -> list[Row]:
        where, told = self._where(selection)
        return self._all(CHOSEN.format(where=where), told)

    def _dismiss(self, connection: sqlite3.Connection, row: Row, said: str, now: float) -> int:
        """The delivery that says so: of a lead that never came to one, a delivery of its own."""
        if row["delivery_id"] is None:
            return self._as_delivery(connection, row["item_id"], said, now)
        for decided in connection.execute(DECIDED, (row["delivery_id"],)).fetchall():
            kind = kind_of(decided)
            if is_last_word(connection, row["delivery_id"], kind):
                give_up(connection, (decided["item_id"], decided["mapping"], kind), decided["reply"], now)
        supersede(connection, [row["delivery_id"]], said, now)
        return int(row["delivery_id"])

    def _as_delivery(self, connection: sqlite3.Connection, item_id: int, said: str, now: float) -> int:
        for statement in GIVE_UP:
            connection.execute(statement, {"id": item_id, "now": now})
        born = Birth(item_id, NOT_MAPPED, State.SUPERSEDED, None, said, now, target=LEADSQUARED)
        self._bear(connection, [born], now, ())
        return int(connection.execute(BORN, (item_id,)).fetchone()["id"])


def _dismissed(connection: sqlite3.Connection, rows: Sequence[Row]) -> Dismissed:
    """How many leads these are, and the others whose values they hold: those are on no other row."""
    others: set[str] = set()
    for some in _chunks([row["delivery_id"] for row in rows if row["delivery_id"] is not None]):
        found = connection.execute(OTHERS.format(ids=", ".join("?" * len(some))), some)
        others |= {row["queue_id"] for row in found}
    return Dismissed(len({row["item_id"] for row in rows}), sorted(others))


def _chunks(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for at in range(0, len(rows), CHUNK):
        yield rows[at : at + CHUNK]
