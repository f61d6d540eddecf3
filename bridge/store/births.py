"""From resolved items to deliveries."""

from __future__ import annotations

import sqlite3
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace

from bridge.errors import Conflict
from bridge.model import LEADBYTE, Mapped, ResolvedItem, Stage, Stamp, State, identity
from bridge.operation import Learned
from bridge.policy.feedback import fingerprint
from bridge.policy.merging import Meeting, Stamped
from bridge.policy.values import digest
from bridge.ports import Birth, Reopened
from bridge.store.acted import act, not_acted, taken_up
from bridge.store.base import Row, dumped, marks, older_than, resolved_item
from bridge.store.learning import NOTHING, Learning
from bridge.store.meetings import kind_of, met_by, still_owes, supersede, take_over
from bridge.store.numbering import new_ids
from bridge.store.returns import Returns

UNMAPPED = """
SELECT id AS item_id, queue_id, reply, resolved_at, context, generation, force AS item_force, source,
    settles_at IS NOT NULL AS again
FROM queue_item WHERE state = 'resolved' AND mapped = 0 ORDER BY id LIMIT ?
"""
REOPENED = """
SELECT d.id, d.mapping, i.id AS item_id, queue_id, reply, resolved_at, context, generation, d.force AS item_force,
    source, d.lane, 0 AS again
FROM delivery d JOIN queue_item i ON i.id = d.item_id
WHERE d.state = 'pending' AND d.stale = 1 ORDER BY d.id LIMIT ?
"""
OPEN = """
SELECT identity, id, item_id, mapping, state, stale, fields, older, as_of, lane FROM delivery
WHERE state IN ('pending', 'failed', 'unprocessed') AND account = ? AND identity IN ({identities})
"""
STILL_STALE = "SELECT 1 FROM delivery WHERE id = ? AND state = 'pending' AND stale = 1"
SAME_LEAD = """
UPDATE delivery SET state = 'superseded', reason = 'a newer result of the same lead', updated_at = ?
WHERE item_id = ? AND mapping = ? AND state IN ('failed', 'unprocessed')
AND (lane IS NULL OR target = 'leadsquared' OR lane LIKE 'leadbyte|' || ? || '|%')
"""
INSERT = """
INSERT INTO delivery (id, account, item_id, mapping, state, stage, reason, as_of, force, due_at, created_at, updated_at,
    target, origin, identity, lookup, lane, keys, fields, older)
VALUES {rows}
"""
WIDTH = 20
REPLACE = """
UPDATE delivery SET stale = 0, due_at = ?, updated_at = ?, reason = NULL, as_of = ?, attempts = 0,
    identity = ?, lookup = ?, lane = ?, keys = ?, fields = ?, older = ?, origin = ?
WHERE id = ? AND state = 'pending'
"""
BEATEN = "a newer result for the same lead is on its way and took over what it lacked"
REPLACED = "replaced by a newer result for the same lead"


MAPPED = """
UPDATE queue_item SET mapped = 1, force = 0, settles_at = NULL,
    lead_id = coalesce(?, lead_id), quarantine_id = coalesce(?, quarantine_id)
WHERE id = ? AND generation = ? AND state = 'resolved'
"""


class Births(Learning, Returns):
    """The part of the store that the map stage uses."""

    def unmapped(self, limit: int) -> Sequence[ResolvedItem]:
        return [resolved_item(row) for row in self._all(UNMAPPED, (limit,))]

    def reopened(self, limit: int) -> Sequence[Reopened]:
        return [
            Reopened(row["id"], row["mapping"], resolved_item(row), kind_of(row))
            for row in self._all(REOPENED, (limit,))
        ]

    def record_mapped(self, items: Sequence[ResolvedItem], births: Sequence[Birth], now: float) -> None:
        again = {item.id for item in items if item.generation}
        with self._writing() as connection:
            births = _of_items_that_exist(connection, births)
            ours = {item.id for item in items if item.again}
            births = [self._news(connection, one) if one.item_id in ours else one for one in births]
            for group in _without_meetings(births):
                self._bear(connection, group, now, again)
            self._learn(connection, births)
            self._forget_held(connection, births)
            ids = {
                birth.item_id: birth.learned
                for birth in births
                if birth.learned.lead_id or birth.learned.quarantine_id
            }
            connection.executemany(MAPPED, [_mapped(item, ids.get(item.id, NOTHING)) for item in items])

    def _news(self, connection: sqlite3.Connection, birth: Birth) -> Birth:
        """Of a result that the bridge itself brought about only what it changed: the rest may be edited since."""
        mapped = birth.mapped
        if mapped is None or birth.force:
            return birth
        agreed = self._agreed(connection, [mapped.identity]).get(mapped.identity, {})
        fields = {
            name: value
            for name, value in mapped.fields.items()
            if name in mapped.keys or name not in agreed or agreed[name][0] != digest(value)
        }
        news = fields.keys() - set(mapped.keys)
        return replace(birth, mapped=replace(mapped, fields=fields)) if news else birth

    def record_remapped(self, reopened: Reopened, birth: Birth, now: float) -> None:
        with self._writing() as connection:
            if not connection.execute(STILL_STALE, (reopened.delivery_id,)).fetchone():
                return
            if birth.mapped is None:
                if not still_owes(connection, reopened.delivery_id, now):
                    supersede(connection, [reopened.delivery_id], "mapped anew", now)
                self._bear(connection, [birth], now, set())
            else:
                self._replace(connection, reopened.delivery_id, birth, birth.mapped, now)
            if birth.target == LEADBYTE:
                _act(connection, reopened, birth.mapped, now)
                self._doubt_origin(connection, birth, now)
            else:
                self._learn_late(connection, birth)

    def _bear(
        self, connection: sqlite3.Connection, births: Sequence[Birth], now: float, again: Container[int]
    ) -> None:
        """`again`: the items that have been mapped before."""
        open_ = self._open(connection, [birth.mapped.identity for birth in births if birth.mapped])
        rows: list[object] = []
        ids = new_ids(connection, self._account, "delivery")
        for birth in births:
            met = None
            if birth.mapped and birth.state is State.PENDING:
                met = met_by(birth, birth.mapped, open_.get(birth.mapped.identity, ()))
            if met and met.supersedes:
                supersede(connection, met.supersedes, REPLACED, now)
            if birth.item_id in again:
                connection.execute(SAME_LEAD, (now, birth.item_id, birth.mapping, birth.kind))
            if met and met.beaten_by is not None:
                take_over(connection, met, birth, now)
            rows += (next(ids), *self._born(birth, met, now))
        connection.execute(INSERT.format(rows=marks(len(births), WIDTH)), rows)

    def _replace(
        self, connection: sqlite3.Connection, delivery_id: int, birth: Birth, mapped: Mapped, now: float
    ) -> None:
        rows = self._open(connection, [mapped.identity]).get(mapped.identity, [])
        met = met_by(birth, mapped, rows)
        supersede(connection, [one for one in met.supersedes if one != delivery_id], REPLACED, now)
        if met.beaten_by is not None:
            take_over(connection, met, birth, now)
            supersede(connection, [delivery_id], BEATEN, now)
            return
        values = _values(mapped, met.fields, Stamp(birth.at, birth.item_id))
        told = (now, now, birth.at, *values, _origin(birth), delivery_id)
        if connection.execute(REPLACE, told).rowcount != 1:
            raise Conflict(f"delivery {delivery_id} is no longer pending")

    def _open(self, connection: sqlite3.Connection, identities: Sequence[str]) -> dict[str, list[Row]]:
        sql = OPEN.format(identities=", ".join("?" * len(identities)))
        found: dict[str, list[Row]] = {}
        for row in connection.execute(sql, (self._account, *identities)):
            found.setdefault(row["identity"], []).append(row)
        return found

    def _born(self, birth: Birth, met: Meeting | None, now: float) -> tuple[object, ...]:
        state, reason = birth.state, birth.reason
        values: tuple[object, ...] = (None, None, None, "[]", "{}", "{}")
        if birth.mapped:
            own = Stamp(birth.at, birth.item_id)
            fields = met.fields if met else {name: (text, own) for name, text in birth.mapped.fields.items()}
            values = _values(birth.mapped, fields, own)
        if met:
            beaten = met.beaten_by is not None
            state, reason = (State.SUPERSEDED, BEATEN) if beaten else (State.PENDING, None)
        told = (birth.item_id, birth.mapping, state, Stage.MAP, reason, birth.at, int(birth.force))
        return (self._account, *told, now, now, now, birth.target, _origin(birth), *values)


def _origin(birth: Birth) -> str:
    return dumped(dict(birth.origin)) if birth.origin else "{}"


def _of_items_that_exist(connection: sqlite3.Connection, births: Sequence[Birth]) -> Sequence[Birth]:
    """Without those of leads that were erased while they were mapped."""
    ids = list({birth.item_id for birth in births})
    sql = f"SELECT id FROM queue_item WHERE id IN ({', '.join('?' * len(ids))})"
    there = {row["id"] for row in connection.execute(sql, ids)}
    return [birth for birth in births if birth.item_id in there]


def _without_meetings(births: Iterable[Birth]) -> Iterator[Sequence[Birth]]:
    """The births in groups in which no identity comes twice, so that each finds what those before it left."""
    group: list[Birth] = []
    seen: set[str] = set()
    for birth in births:
        if birth.mapped and birth.mapped.identity in seen:
            yield group
            group, seen = [], set()
        group.append(birth)
        seen |= {birth.mapped.identity} if birth.mapped else set()
    if group:
        yield group


def _mapped(item: ResolvedItem, learned: Learned) -> tuple[object, ...]:
    return (learned.lead_id, learned.quarantine_id, item.id, item.generation)


def _act(connection: sqlite3.Connection, reopened: Reopened, mapped: Mapped | None, now: float) -> None:
    """What a resync made of an operation is what its mapping has acted on; where it made none, it has not."""
    rule = (reopened.item.id, reopened.mapping, reopened.kind)
    if mapped is None:
        not_acted(connection, rule)
    else:
        act(connection, rule, fingerprint(mapped), now)
        taken_up(connection, rule)


def _values(mapped: Mapped, fields: Stamped, own: Stamp) -> tuple[str, ...]:
    return (
        mapped.identity,
        identity(mapped.keys[0], mapped.fields[mapped.keys[0]]),
        str(mapped.lane),
        dumped(list(mapped.keys)),
        dumped({name: value for name, (value, _) in fields.items()}),
        dumped(older_than(fields, own)),
    )
