"""What feedback mappings decided, and operations that a person asked for."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bridge.model import BY_HAND, LEADBYTE, MAPPING_BY_HAND, Mapped, ResolvedItem, State
from bridge.ports import Birth, Decision, Operated
from bridge.store.acted import (
    OTHER_ID,
    act,
    acted_by,
    is_given_up,
    is_other_id,
    not_acted,
    not_decided,
    taken_up,
    wanted_no_more,
)
from bridge.store.base import Row, loaded
from bridge.store.births import Births
from bridge.store.meetings import is_last_word, kind_of, still_owes, supersede
from bridge.store.numbering import new_ids

CHUNK: Final = 500
NOT_DECIDED = "done for an earlier LeadByte lead of this person; for another one only by a new decision"
LEFT = "the lead is no longer what the mapping is about"
MARK = """
UPDATE queue_item SET mapped = 1, force = 0 WHERE id = ? AND generation = ? AND state = 'resolved'
"""
DECIDED_ANEW = "the lead was changed again, and decided about anew"
OPEN = """
SELECT id, lane FROM delivery WHERE item_id = ? AND mapping = ? AND state IN ('pending', 'failed', 'unprocessed')
"""
OF_KIND = "AND (lane IS NULL OR lane LIKE 'leadbyte|' || ? || '|%')"
UNMAPPED = "AND lane IS NULL"
BY_A_PERSON = """
INSERT INTO queue_item (account, queue_id, source, state, mapped, resolved_at, due_at, deadline_at, tracked_at,
    updated_at, id)
VALUES (?, ?, ?, 'resolved', 1, ?, ?, ?, ?, ?, ?)
"""
OPERATED = """
SELECT d.id, d.state, d.reason, d.fields, d.lane, (
    SELECT f.id FROM delivery f WHERE f.state IN ('sending', 'submitted', 'in_doubt') AND f.state = 'in_doubt'
    AND f.account = d.account AND f.target = d.target AND f.identity = d.identity AND d.state = 'pending') AS blocked_by
FROM delivery d WHERE d.id IN ({marks})
"""


class Decided(Births):
    """The part of the store that keeps what LeadByte is to be told."""

    def record_decided(self, item: ResolvedItem, decisions: Sequence[Decision], now: float) -> int:
        with self._writing() as connection:
            if not connection.execute(MARK, (item.id, item.generation)).rowcount:
                return 0  # it was erased, or looks otherwise by now and is mapped once more
            return sum(self._decide(connection, item, decision, now) for decision in decisions)

    def _decide(
        self, connection: sqlite3.Connection, item: ResolvedItem, decision: Decision, now: float
    ) -> bool:
        """Whether a delivery came of it."""
        if decision.left:
            _leave(connection, item, decision, now)
            return False
        if is_given_up(connection, item.id, decision.mapping, item.reply):
            return False
        taken_up(connection, (item.id, decision.mapping, ""))
        if decision.mapped:
            _close(connection, (item.id, decision.mapping), UNMAPPED, DECIDED_ANEW, now)
        rule = (item.id, decision.mapping, _acting(decision))
        if is_other_id(connection, rule, decision.acted, decision.values):
            return self._note_other_id(connection, item, decision, now)
        if decision.acted is not None and not act(connection, rule, decision.acted, now):
            return False
        if decision.mapped:
            told = (item.id, decision.mapping, decision.kind)
            _close(connection, told, OF_KIND, DECIDED_ANEW, now)
        taken_up(connection, rule)
        if decision.agreed:
            return False
        acted_by(connection, rule, decision.values, decision.people, now)
        self._deliver(connection, item, decision, now)
        return True

    def _deliver(
        self, connection: sqlite3.Connection, item: ResolvedItem, decision: Decision, now: float
    ) -> None:
        at = item.resolved_at
        told = (decision.mapping, decision.state, decision.mapped, decision.reason, at, item.force)
        birth = Birth(item.id, *told, target=LEADBYTE, origin=decision.origin)
        self._bear(connection, [birth], now, {item.id})
        self._doubt_origin(connection, birth, now)

    def _note_other_id(
        self, connection: sqlite3.Connection, item: ResolvedItem, decision: Decision, now: float
    ) -> bool:
        """The person has another LeadByte lead by now, and nobody has decided about that one."""
        rule = (item.id, decision.mapping, f"{OTHER_ID} {decision.kind}")
        if not act(connection, rule, decision.acted or "", now):
            return False
        skipped = replace(decision, state=State.SKIPPED, reason=NOT_DECIDED, origin={})
        self._deliver(connection, item, skipped, now)
        return True

    def operate(self, operations: Sequence[Mapped], now: float) -> Sequence[int]:
        with self._writing() as connection:
            return [self._operate(connection, operation, now) for operation in operations]

    def _operate(self, connection: sqlite3.Connection, operation: Mapped, now: float) -> int:
        item_id = self._item_by_hand(connection, now)
        told = (MAPPING_BY_HAND, State.PENDING, operation)
        self._bear(connection, [Birth(item_id, *told, at=now, force=True, target=LEADBYTE)], now, ())
        row = connection.execute("SELECT id FROM delivery WHERE item_id = ?", (item_id,)).fetchone()
        return int(row["id"])

    def _item_by_hand(self, connection: sqlite3.Connection, now: float) -> int:
        (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM queue_item").fetchone()
        id_ = next(new_ids(connection, self._account, "queue_item")) or last + 1
        told = (self._account, f"hand-{id_}", BY_HAND)
        connection.execute(BY_A_PERSON, (*told, now, now, now, now, now, id_))
        return id_

    def operated(self, delivery_ids: Sequence[int]) -> Sequence[Operated]:
        rows: dict[int, Row] = {}
        for at in range(0, len(delivery_ids), CHUNK):
            some = tuple(delivery_ids[at : at + CHUNK])
            found = self._all(OPERATED.format(marks=", ".join("?" * len(some))), some)
            rows |= {row["id"]: row for row in found}
        return [_operated(rows[id_]) for id_ in delivery_ids if id_ in rows]


def _acting(decision: Decision) -> str:
    """What a set of values is remembered by. What was only recorded has not been acted on."""
    is_real = decision.agreed or decision.state is not State.SKIPPED
    return decision.kind if is_real else f"dry run {decision.kind}"


def _leave(connection: sqlite3.Connection, item: ResolvedItem, decision: Decision, now: float) -> None:
    """What was not carried out is not wanted any more, and not acted on: it may be wanted again."""
    which: tuple[str, ...] = (decision.kind,) if decision.kind else ()
    told, narrower = (item.id, decision.mapping, *which), OF_KIND if decision.kind else ""
    for kind in _close(connection, told, narrower, LEFT, now):
        not_acted(connection, (item.id, decision.mapping, kind))
    not_decided(connection, item.id, decision.mapping, decision.kind, decision.people)
    wanted_no_more(connection, item.id, decision.mapping, decision.kind, decision.people)


def _close(
    connection: sqlite3.Connection, told: tuple[object, ...], narrower: str, reason: str, now: float
) -> set[str]:
    """Supersede what is open of a lead and a mapping, but for values that it took over from others.

    The kinds of which it was the last word: nothing that was decided later was carried out.
    """
    rows = connection.execute(f"{OPEN} {narrower}", told).fetchall()
    supersede(
        connection, [row["id"] for row in rows if not still_owes(connection, row["id"], now)], reason, now
    )
    return {kind_of(row) for row in rows if is_last_word(connection, row["id"], kind_of(row))}


def _operated(row: Row) -> Operated:
    told = (State(row["state"]), row["reason"], loaded(row["fields"]), kind_of(row))
    return Operated(row["id"], *told, row["blocked_by"])
