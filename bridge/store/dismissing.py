"""Leads that a person does not want to be retried."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from bridge.model import MAPPING_BY_HAND, Call, Stage, State
from bridge.ports import Birth, Dismissed, Selection
from bridge.store.base import Row
from bridge.store.births import Births
from bridge.store.deliveries import Deliveries
from bridge.store.reopening import SELECTABLE, Reopening

CHUNK: Final = 500
CHOSEN: Final = f"""
SELECT item_id, queue_id, delivery_id, reason FROM ({SELECTABLE})
WHERE state IN ('failed', 'unprocessed', 'expired') AND {{where}}
"""
DISMISS: Final = """
UPDATE delivery SET state = 'superseded', reason = ?, updated_at = ?
WHERE id = ? AND state IN ('failed', 'unprocessed')
"""
# What became of an expired lead nobody knows: there is nothing to be mapped.
GIVE_UP: Final = (
    "UPDATE queue_item SET state = 'waiting' WHERE id = :id AND state = 'expired'",
    """
    UPDATE queue_item SET state = 'resolved', mapped = 1, settles_at = NULL, generation = generation + 1, reason = NULL,
        resolved_at = :now, updated_at = :now
    WHERE id = :id
    """,
)
OTHERS: Final = """
SELECT DISTINCT i.queue_id FROM delivery d, json_each(d.older) taken JOIN queue_item i ON i.id = json_extract(taken.value, '$[1]')
WHERE d.id IN ({ids})
"""
BORN: Final = "SELECT max(id) FROM delivery WHERE item_id = ?"


class Dismissing(Births, Deliveries, Reopening):
    """The part of the store by which a person gives leads up."""

    def dismiss(self, selection: Selection, reason: str, now: float) -> Dismissed:
        where, told = self._where(selection)
        said = f"dismissed: {reason}"
        with self._writing() as connection:
            rows = connection.execute(CHOSEN.format(where=where), told).fetchall()
            others: set[str] = set()
            for at in range(0, len(rows), CHUNK):
                some = rows[at : at + CHUNK]
                ended = [(self._dismissed(connection, row, said, now), row["reason"]) for row in some]
                self._attempts(connection, _word(now), [(id_, State.SUPERSEDED, was) for id_, was in ended])
                others |= _others(connection, [id_ for id_, _ in ended])
        leads = {row["queue_id"] for row in rows}
        return Dismissed(len(leads), sorted(others - leads))

    def _dismissed(self, connection: sqlite3.Connection, row: Row, said: str, now: float) -> int:
        """The delivery that says so: of a lead that never came to one, a delivery of its own."""
        if row["delivery_id"] is not None:
            connection.execute(DISMISS, (said, now, row["delivery_id"]))
            return int(row["delivery_id"])
        for statement in GIVE_UP:
            connection.execute(statement, {"id": row["item_id"], "now": now})
        birth = Birth(row["item_id"], MAPPING_BY_HAND, State.SUPERSEDED, None, said, now)
        self._bear(connection, [birth], now, ())
        (born,) = connection.execute(BORN, (row["item_id"],)).fetchone()
        return int(born)


def _others(connection: sqlite3.Connection, ids: Sequence[int]) -> set[str]:
    """The queueIds of the leads that values of these deliveries came from."""
    rows = connection.execute(OTHERS.format(ids=", ".join("?" * len(ids))), ids)
    return {row["queue_id"] for row in rows}


def _word(now: float) -> Call:
    """A person's, among the attempts: with the reason that the lead was on the report for."""
    return Call("", Stage.PERSON, "", now, now, "dismissed")
