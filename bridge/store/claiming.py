"""Deliveries: which are sent next, and what of them need not be sent."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence

from bridge.model import LEADBYTE, LEADSQUARED, Delivery, Lane, Mapped, Stamp, State, identity
from bridge.policy.merging import Stamped, agree, merge, settle
from bridge.store.acted import is_done
from bridge.store.base import BEFORE, Row, dumped, loaded, older_than, read_agreed, stamped
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
OUTDATED = "newer values for the same lead were already sent"
DONE = "LeadByte did just this to the lead already"
EQUAL = "equal to what {who} already holds"
NAMED = {LEADSQUARED: "LeadSquared", LEADBYTE: "LeadByte"}


class Claiming(Returns):
    """The part of the store that takes deliveries to be sent."""

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

    def _lanes(self, mode: str, now: float, size: int, linger: float) -> list[str]:
        parameters = {"mode": f"{mode}|", "now": now, "size": size, "lingered": now - linger}
        return [row["lane"] for row in self._all(LANES, parameters)]

    def _take(
        self, connection: sqlite3.Connection, lane: str, now: float, size: int
    ) -> tuple[list[Delivery], bool]:
        """A batch, and whether there was anything to look at: what need not be sent is closed, a few in a transaction."""
        batch: list[Delivery] = []
        taken: set[str] = set()
        parsed = Lane.parse(lane)
        most = 1 if parsed.alone else size
        looked = False
        for row in _candidates(connection, (lane, now), most, lambda: len(batch) < most):
            looked = True
            # Answers are matched without case in every script, so nor may two such values travel together.
            names = {row["identity"].casefold(), row["lookup"].casefold()}
            if len(batch) < most and taken.isdisjoint(names):
                delivery = self._settled(connection, row, parsed, now)
                if delivery is not None:
                    taken |= names
                    batch.append(delivery)
        return batch, looked

    def _agree(self, connection: sqlite3.Connection, applied: Sequence[Delivery], now: float) -> None:
        """Under every name that the lead was known by in this delivery."""
        for target in {delivery.lane.target for delivery in applied}:
            own = [delivery for delivery in applied if delivery.lane.target == target]
            names = {one: delivery for delivery in own for one in known_as(delivery)}
            before = self._agreed(connection, list(names), target)
            agreed = {one: agree(before.get(one, {}), d.fields, d.stamps) for one, d in names.items()}
            self._keep_agreed(connection, agreed, now, target)

    def _settled(self, connection: sqlite3.Connection, row: Row, lane: Lane, now: float) -> Delivery | None:
        """The delivery of a lane as it is to be sent; None where nothing of it is: then it is closed."""
        fields = stamped(row)
        if lane.option == "once" and not row["force"] and _is_done(connection, row, lane):
            connection.execute(CLOSE, (State.SKIPPED, DONE, now, row["id"]))
            return None
        if row["agreed"] is None and row["agreed_lookup"] is None:
            return delivery_of(row, fields, lane)
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
        delivery = delivery_of(row, left, lane)
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


def _candidates(
    connection: sqlite3.Connection, told: tuple[str, float], most: int, wanted: Callable[[], bool]
) -> Iterator[Row]:
    """What may be sent, `most` rows of it; twice as many, the same among them, where more are still `wanted` after those."""
    first = connection.execute(CANDIDATES, (*told, most)).fetchall()
    yield from first
    if len(first) == most and wanted():
        yield from connection.execute(CANDIDATES, (*told, 2 * most)).fetchall()


def _is_done(connection: sqlite3.Connection, row: Row, lane: Lane) -> bool:
    """Whether just this is what LeadByte did last to the lead by the same rule."""
    made = Mapped(loaded(row["fields"]), loaded(row["keys"]), lane)
    return is_done(connection, row["item_id"], row["mapping"], made)


def known_as(delivery: Delivery) -> set[str]:
    """The lead's identity, and the name it was looked up by where that is another."""
    return {delivery.identity, identity(delivery.key, delivery.lookup)}


def delivery_of(row: Row, fields: Stamped, lane: Lane | None = None) -> Delivery:
    """The delivery that a row holds, with these fields. `lane`: the row's, where it was read before."""
    return Delivery(
        id=row["id"],
        item_id=row["item_id"],
        queue_id=row["queue_id"],
        mapping=row["mapping"],
        identity=row["identity"],
        lane=lane or Lane.parse(row["lane"]),
        keys=[key for key in loaded(row["keys"]) if key in fields],
        fields={name: value for name, (value, _) in fields.items()},
        stamps={name: stamp for name, (_, stamp) in fields.items()},
        attempts=row["attempts"],
        polls=row["polls"],
        request_id=row["request_id"],
        sent_at=row["sent_at"] or 0.0,
        state=State.SENDING if row["state"] == State.PENDING else State(row["state"]),
    )
