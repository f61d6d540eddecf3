"""Deliveries: claimed, sent, confirmed."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from itertools import chain

from bridge.errors import Conflict
from bridge.model import (
    LEADBYTE,
    Call,
    Delivery,
    Move,
    Stage,
    Stamp,
    State,
    identity,
)
from bridge.store.base import (
    LEASE_SECONDS,
    NUMBER,
    Row,
    marks,
    rows_named,
    stamped,
)
from bridge.store.claiming import Claiming, delivery_of, known_as

MOVED = ("id", "old", "new", "stage", "due_at", "reason", "attempt", "lane", "lookup", "request_id")
RECORD = f"""
UPDATE delivery SET state = moved.new, stage = moved.stage, due_at = moved.due_at, reason = moved.reason,
    attempts = attempts + moved.attempt, updated_at = ?, lane = coalesce(moved.lane, delivery.lane),
    lookup = coalesce(moved.lookup, delivery.lookup), request_id = moved.request_id, leased = 0,
    force = CASE WHEN moved.new = 'synced' THEN 0 ELSE force END
FROM {rows_named(*MOVED)} AS moved WHERE delivery.id = moved.id AND delivery.state = moved.old
"""
ATTEMPT = """
INSERT INTO attempt (account, delivery_id, call_id, stage, host, started_at, answered_at, state, result, reason)
VALUES {rows}
"""
# `state IN` repeats what the index is made of: without it SQLite would look through all deliveries, at each tick.
DUE = """
SELECT 1 FROM delivery WHERE state IN ('submitted', 'in_doubt') AND state = :state AND due_at <= :now
AND target = 'leadsquared' LIMIT 1
"""
AWAITED = """
UPDATE delivery SET leased = 1, due_at = :until WHERE id IN (
    SELECT id FROM delivery WHERE state IN ('submitted', 'in_doubt') AND state = :state AND due_at <= :now
    AND target = 'leadsquared'
    ORDER BY due_at LIMIT :limit
) RETURNING *, (SELECT queue_id FROM queue_item WHERE id = item_id) AS queue_id
"""
IN_DOUBT = """
SELECT d.*, i.queue_id FROM delivery d JOIN queue_item i ON i.id = d.item_id
WHERE i.account = ? AND d.state IN ('submitted', 'in_doubt') AND d.state = 'in_doubt' AND {which} = ?
"""
RESOLVE = "UPDATE delivery SET state = ?, reason = ?, updated_at = ? WHERE id = ? AND state = 'in_doubt'"
NOT_DONE = "a person said that it was not carried out"


class Deliveries(Claiming):
    """The part of the store that records what became of deliveries."""

    def record(self, call: Call, moves: Sequence[Move], now: float) -> None:
        with self._writing() as connection:
            rows = [_moved(call, move) for move in moves]
            sql = RECORD.format(rows=marks(len(rows), len(MOVED)))
            moved = connection.execute(sql, (now, *chain.from_iterable(rows))).rowcount
            if moved != len(moves):
                there = _there(connection, [move.delivery.id for move in moves])
                moves = [move for move in moves if move.delivery.id in there]
            if moved != len(moves):
                raise Conflict("a delivery is no longer in the state that it was read in")
            if not moves:
                return
            self._attempts(connection, call, [(m.delivery.id, m.to, m.reason) for m in moves])
            self._applied(connection, [m.delivery for m in moves if m.to is State.SYNCED], now)
            for target in {m.delivery.lane.target for m in moves}:
                lost = [(m.delivery, _lost(m)) for m in moves if m.delivery.lane.target == target]
                doubted = {one: fields for d, fields in lost if fields for one in known_as(d)}
                self._doubt(connection, doubted, now, target)

    def claim_submitted(self, now: float, limit: int) -> Sequence[Delivery]:
        return self._await(State.SUBMITTED, now, limit)

    def claim_in_doubt(self, now: float, limit: int) -> Sequence[Delivery]:
        return self._await(State.IN_DOUBT, now, limit)

    def postpone(self, call: Call, delivery: Delivery, due_at: float, reason: str | None) -> None:
        with self._writing() as connection:
            if not _there(connection, [delivery.id]):
                return
            connection.execute(
                "UPDATE delivery SET due_at = ?, polls = polls + 1, leased = 0 WHERE id = ? AND state = ?",
                (due_at, delivery.id, delivery.state),
            )
            self._attempts(connection, call, [(delivery.id, delivery.state, reason)])

    def resolve(self, queue_id: str | int, *, done: bool, now: float) -> int:
        with self._writing() as connection:
            rows = self._in_doubt(connection, "i.queue_id", queue_id) if isinstance(queue_id, str) else []
            if not rows and NUMBER.fullmatch(str(queue_id)):
                rows = self._in_doubt(connection, "d.id", int(queue_id))
            doubted = [delivery_of(row, stamped(row)) for row in rows]
            told = (State.SYNCED, None) if done else (State.FAILED, NOT_DONE)
            connection.executemany(RESOLVE, [(*told, now, delivery.id) for delivery in doubted])
            self._applied(connection, doubted if done else [], now)
            if doubted:
                word = Call("", Stage.PERSON, "", now, now, "resolved")
                self._attempts(connection, word, [(delivery.id, *told) for delivery in doubted])
            return len(doubted)

    def _in_doubt(self, connection: sqlite3.Connection, which: str, name: str | int) -> list[Row]:
        rows: list[Row] = connection.execute(IN_DOUBT.format(which=which), (self._account, name)).fetchall()
        return rows

    def _attempts(
        self, connection: sqlite3.Connection, call: Call, ended: Sequence[tuple[int, str, str | None]]
    ) -> None:
        told = (call.id, call.stage, call.host, call.started_at, call.answered_at)
        rows = [(self._account, id_, *told, state, call.result, reason) for id_, state, reason in ended]
        connection.execute(ATTEMPT.format(rows=marks(len(rows), 10)), list(chain.from_iterable(rows)))

    def _applied(self, connection: sqlite3.Connection, applied: Sequence[Delivery], now: float) -> None:
        """The other side holds the values of these deliveries now, and where LeadByte does, LeadSquared did before."""
        self._agree(connection, applied, now)
        if operations := [delivery for delivery in applied if delivery.lane.target == LEADBYTE]:
            self._agree_origins(connection, operations, now)
            self._poll_again(connection, operations, now)

    def _await(self, state: State, now: float, limit: int) -> Sequence[Delivery]:
        parameters = {"state": state, "now": now, "until": now + LEASE_SECONDS, "limit": limit}
        if not self._all(DUE, parameters):
            return []
        with self._writing() as connection:
            rows = connection.execute(AWAITED, parameters).fetchall()
            return [delivery_of(row, stamped(row)) for row in rows]


def _there(connection: sqlite3.Connection, ids: Sequence[int]) -> set[int]:
    """Which of these deliveries still exist: a person's may have been erased meanwhile."""
    sql = f"SELECT id FROM delivery WHERE id IN ({', '.join('?' * len(ids))})"
    return {row["id"] for row in connection.execute(sql, ids)}


def _moved(call: Call, move: Move) -> tuple[object, ...]:
    delivery, lane = move.delivery, move.lane
    key = lane and lane.key(delivery.keys)
    lookup = key and identity(key, delivery.fields[key])
    stage = Stage.CONFIRM if delivery.state is not State.SENDING else call.stage
    told = (stage, move.due_at, move.reason, int(move.attempt), lane and str(lane), lookup)
    return (delivery.id, delivery.state, move.to, *told, move.request_id or delivery.request_id)


def _lost(move: Move) -> Mapping[str, Stamp | None]:
    """The fields whose value on the other side is not known any more; with a stamp where it may be this move's."""
    if move.maybe:
        return move.delivery.stamps
    confirmed = move.to is State.FAILED and move.delivery.state is not State.SENDING
    return dict.fromkeys(move.delivery.fields) if move.unknown or confirmed else {}
