"""Deliveries: claimed, sent, confirmed."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from itertools import chain

from bridge.errors import Conflict
from bridge.model import (
    LEADBYTE,
    LEADSQUARED,
    Call,
    Delivery,
    Lane,
    Mapped,
    Move,
    Stage,
    Stamp,
    State,
    identity,
)
from bridge.policy.merging import Stamped, agree, merge, settle
from bridge.store.acted import is_done
from bridge.store.base import (
    BEFORE,
    LEASE_SECONDS,
    NUMBER,
    Row,
    dumped,
    loaded,
    marks,
    older_than,
    read_agreed,
    rows_named,
    stamped,
)
from bridge.store.returns import Returns

LANES = """
WITH RECURSIVE lanes (lane) AS (
    SELECT (SELECT min(lane) FROM delivery WHERE state = 'pending' AND stale = 0 AND lane >= :mode)
    UNION ALL
    SELECT (SELECT min(lane) FROM delivery WHERE state = 'pending' AND stale = 0 AND lane > lanes.lane)
    FROM lanes WHERE lanes.lane < :mode || '~'
)
SELECT lane, oldest FROM (
    SELECT lane,
        (SELECT min(due_at) FROM delivery WHERE state = 'pending' AND stale = 0 AND lane = lanes.lane) AS oldest,
        (SELECT count(*) FROM (SELECT 1 FROM delivery WHERE state = 'pending' AND stale = 0
            AND lane = lanes.lane AND due_at <= :now LIMIT :size)) AS due
    FROM lanes WHERE lane BETWEEN :mode AND :mode || '~'
) WHERE due >= :size OR (due > 0 AND (oldest <= :lingered OR substr(lane, -1) <> '|')) ORDER BY oldest
"""
CANDIDATES = f"""
SELECT d.id, d.item_id, i.queue_id, d.mapping, d.identity, d.lookup, d.lane, d.keys, d.fields, d.older, d.as_of,
    d.attempts, d.polls, d.request_id, d.sent_at, d.state, d.force, a.fields AS agreed, b.fields AS agreed_lookup
FROM delivery d JOIN queue_item i ON i.id = d.item_id
LEFT JOIN agreed a ON a.account = d.account AND a.target = d.target AND a.identity = d.identity
LEFT JOIN agreed b ON d.lookup <> d.identity AND b.account = d.account AND b.target = d.target AND b.identity = d.lookup
WHERE d.state = 'pending' AND d.stale = 0 AND d.lane = ? AND d.due_at <= ?
AND NOT EXISTS (SELECT 1 FROM delivery f WHERE f.account = d.account AND f.target = d.target
    AND f.identity = d.identity AND f.state IN ('sending', 'submitted', 'in_doubt'))
AND NOT EXISTS (SELECT 1 FROM delivery f WHERE f.account = d.account AND f.target = d.target
    AND f.lookup = d.lookup AND f.state IN ('sending', 'submitted', 'in_doubt'))
AND (d.target = 'leadsquared' OR NOT EXISTS (SELECT 1 FROM delivery f WHERE f.item_id = d.item_id
    AND f.mapping = d.mapping AND f.state IN ('pending', 'sending', 'in_doubt')
    AND {BEFORE}))
ORDER BY d.due_at, d.id LIMIT ?
"""
CLAIM = """
UPDATE delivery SET state = 'sending', call_id = ?, sent_at = ?, stage = 'push', updated_at = ?
WHERE state = 'pending' AND id IN ({ids})
"""
CLOSE = "UPDATE delivery SET state = ?, reason = ?, updated_at = ? WHERE id = ? AND state = 'pending'"
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
OUTDATED = "newer values for the same lead were already sent"
DONE = "LeadByte did just this to the lead already"
EQUAL = "equal to what {who} already holds"
NAMED = {LEADSQUARED: "LeadSquared", LEADBYTE: "LeadByte"}


class Deliveries(Returns):
    """The part of the store that the push and confirm stages use."""

    def ready(self, mode: str, now: float, size: int, linger: float) -> bool:
        return bool(self._lanes(mode, now, size, linger))

    def claim_batch(
        self, mode: str, now: float, size: int, linger: float, call_id: str
    ) -> Sequence[Delivery]:
        for lane in self._lanes(mode, now, size, linger):
            looked = True
            while looked:
                with self._writing() as connection:
                    batch, looked = self._take(connection, lane, now, size)
                    ids = [delivery.id for delivery in batch]
                    sql = CLAIM.format(ids=", ".join("?" * len(ids)))
                    connection.execute(sql, (call_id, now, now, *ids))
                if batch:
                    return batch
        return []

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

    def resolve(self, queue_id: str, *, done: bool, now: float) -> int:
        with self._writing() as connection:
            rows = self._in_doubt(connection, "i.queue_id", queue_id)
            if not rows and NUMBER.fullmatch(queue_id):
                rows = self._in_doubt(connection, "d.id", int(queue_id))
            doubted = [_delivery(row, stamped(row)) for row in rows]
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

    def _lanes(self, mode: str, now: float, size: int, linger: float) -> list[str]:
        parameters = {"mode": f"{mode}|", "now": now, "size": size, "lingered": now - linger}
        return [row["lane"] for row in self._all(LANES, parameters)]

    def _take(
        self, connection: sqlite3.Connection, lane: str, now: float, size: int
    ) -> tuple[list[Delivery], bool]:
        """A batch, and whether there was anything to look at: what need not be sent is closed, a few in a transaction."""
        batch: list[Delivery] = []
        taken: set[str] = set()
        most = 1 if Lane.parse(lane).alone else size
        rows = connection.execute(CANDIDATES, (lane, now, 2 * most)).fetchall()
        for row in rows:
            # Answers are matched without case in every script, so nor may two such values travel together.
            names = {row["identity"].casefold(), row["lookup"].casefold()}
            if len(batch) < most and taken.isdisjoint(names):
                delivery = self._settled(connection, row, now)
                if delivery is not None:
                    taken |= names
                    batch.append(delivery)
        return batch, bool(rows)

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

    def _agree(self, connection: sqlite3.Connection, applied: Sequence[Delivery], now: float) -> None:
        """Under every name that the lead was known by in this delivery."""
        for target in {delivery.lane.target for delivery in applied}:
            own = [delivery for delivery in applied if delivery.lane.target == target]
            names = {one: delivery for delivery in own for one in known_as(delivery)}
            before = self._agreed(connection, list(names), target)
            agreed = {one: agree(before.get(one, {}), d.fields, d.stamps) for one, d in names.items()}
            self._keep_agreed(connection, agreed, now, target)

    def _settled(self, connection: sqlite3.Connection, row: Row, now: float) -> Delivery | None:
        """The delivery as it is to be sent; None where nothing of it is: then it is closed."""
        fields, lane = stamped(row), Lane.parse(row["lane"])
        if lane.option == "once" and not row["force"] and _is_done(connection, row, lane):
            connection.execute(CLOSE, (State.SKIPPED, DONE, now, row["id"]))
            return None
        if row["agreed"] is None and row["agreed_lookup"] is None:
            return _delivery(row, fields)
        agreed = merge(read_agreed(row["agreed"] or "{}"), read_agreed(row["agreed_lookup"] or "{}"))
        settled = settle(
            fields,
            agreed,
            frozenset({lane.key(loaded(row["keys"]))}),
            force=bool(row["force"]),
            whole=lane.option == "once",
        )
        if settled.outdated:
            connection.execute(CLOSE, (State.SUPERSEDED, OUTDATED, now, row["id"]))
            return None
        left = {name: fields[name] for name in settled.fields}
        delivery = _delivery(row, left)
        if settled.equal:
            connection.execute(
                CLOSE, (State.SKIPPED, EQUAL.format(who=NAMED[delivery.lane.target]), now, row["id"])
            )
            self._agree(connection, [delivery], now)
            return None
        if len(left) < len(fields):
            values = dumped({name: value for name, (value, _) in left.items()})
            older = dumped(older_than(left, Stamp(row["as_of"], row["item_id"])))
            connection.execute(
                "UPDATE delivery SET fields = ?, older = ? WHERE id = ?", (values, older, row["id"])
            )
        return delivery

    def _await(self, state: State, now: float, limit: int) -> Sequence[Delivery]:
        parameters = {"state": state, "now": now, "until": now + LEASE_SECONDS, "limit": limit}
        if not self._all(DUE, parameters):
            return []
        with self._writing() as connection:
            rows = connection.execute(AWAITED, parameters).fetchall()
            return [_delivery(row, stamped(row)) for row in rows]


def _there(connection: sqlite3.Connection, ids: Sequence[int]) -> set[int]:
    """Which of these deliveries still exist: a person's may have been erased meanwhile."""
    sql = f"SELECT id FROM delivery WHERE id IN ({', '.join('?' * len(ids))})"
    return {row["id"] for row in connection.execute(sql, ids)}


def _is_done(connection: sqlite3.Connection, row: Row, lane: Lane) -> bool:
    """Whether just this is what LeadByte did last to the lead by the same rule."""
    made = Mapped(loaded(row["fields"]), loaded(row["keys"]), lane)
    return is_done(connection, row["item_id"], row["mapping"], made)


def known_as(delivery: Delivery) -> set[str]:
    """The lead's identity, and the name it was looked up by where that is another."""
    return {delivery.identity, identity(delivery.key, delivery.lookup)}


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


def _delivery(row: Row, fields: Stamped) -> Delivery:
    return Delivery(
        id=row["id"],
        item_id=row["item_id"],
        queue_id=row["queue_id"],
        mapping=row["mapping"],
        identity=row["identity"],
        lane=Lane.parse(row["lane"]),
        keys=[key for key in loaded(row["keys"]) if key in fields],
        fields={name: value for name, (value, _) in fields.items()},
        stamps={name: stamp for name, (_, stamp) in fields.items()},
        attempts=row["attempts"],
        polls=row["polls"],
        request_id=row["request_id"],
        sent_at=row["sent_at"] or 0.0,
        state=State.SENDING if row["state"] == State.PENDING else State(row["state"]),
    )
