"""How a delivery that is born meets those that are open for its lead: the rows behind `policy.merging`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from bridge.model import Lane, Mapped, Stamp, State, identity
from bridge.operation import ACTION, TRIGGER
from bridge.policy.merging import Meeting, Open, meet
from bridge.ports import Birth
from bridge.store.base import Row, dumped, loaded, older_than, stamped

SUPERSEDE = """
UPDATE delivery SET state = 'superseded', reason = ?, updated_at = ?
WHERE id = ? AND state IN ('pending', 'failed', 'unprocessed')
"""
TAKE_OVER = """
UPDATE delivery SET fields = ?, older = ?, lookup = ?, force = max(force, ?), updated_at = ?
WHERE id = ? AND state = 'pending'
"""
HOLDER = "SELECT as_of, item_id, lane, keys FROM delivery WHERE id = ?"
LATER = """
SELECT 1 FROM delivery d JOIN delivery f ON f.item_id = d.item_id AND f.mapping = d.mapping AND f.id > d.id
WHERE d.id = ? AND f.lane LIKE 'leadbyte|' || ? || '|%' AND f.state IN ('sending', 'submitted', 'in_doubt', 'synced')
LIMIT 1
"""
OWE = "UPDATE delivery SET stale = 0, attempts = 0, fields = ?, due_at = ?, updated_at = ? WHERE id = ?"


def met_by(birth: Birth, mapped: Mapped, rows: Iterable[Row]) -> Meeting:
    """Only deliveries of one mapping, and to LeadByte of one kind of operation, meet: others mean other fields."""
    stamp = Stamp(birth.at, birth.item_id)
    new = {name: (value, stamp) for name, value in mapped.fields.items()}
    own = [
        row
        for row in rows
        if row["mapping"] == birth.mapping
        and row["fields"] != "{}"
        and _alike(row, mapped.lane)
        and _acts_alike(row, mapped)
    ]
    return meet(new, [_open(row, birth) for row in own])


def kind_of(row: Row) -> str:
    """Of the operation that a row carries to LeadByte."""
    return Lane.parse(row["lane"]).kind if row["lane"] else ""


def _alike(row: Row, lane: Lane) -> bool:
    """Whether a row's values mean what those of this lane mean. In LeadSquared all set fields of a lead."""
    other = Lane.parse(row["lane"])
    return (other.kind, lane.kind and other.option) == (lane.kind, lane.kind and lane.option)


def _acts_alike(row: Row, mapped: Mapped) -> bool:
    """Whether a row tells LeadByte to do the same. One release may stand for another, but not for a trigger."""
    if mapped.lane.option != "once":
        return True
    fields = loaded(row["fields"])
    return all(fields.get(name) == mapped.fields.get(name) for name in (ACTION, TRIGGER))


def _open(row: sqlite3.Row, birth: Birth) -> Open:
    return Open(
        id=row["id"],
        fields=stamped(row),
        same_lead=row["item_id"] == birth.item_id and row["mapping"] == birth.mapping,
        sendable=row["state"] == State.PENDING and not row["stale"],
    )


def supersede(connection: sqlite3.Connection, ids: Sequence[int], reason: str, now: float) -> None:
    connection.executemany(SUPERSEDE, [(reason, now, delivery_id) for delivery_id in ids])


def still_owes(connection: sqlite3.Connection, delivery_id: int, now: float) -> bool:
    """Whether it had taken over values of other leads, which are on no other row: it is then left to send these alone."""
    row = connection.execute(
        "SELECT fields, older, keys FROM delivery WHERE id = ?", (delivery_id,)
    ).fetchone()
    older = loaded(row["older"])
    names = {*older, *loaded(row["keys"])}
    fields = {name: value for name, value in loaded(row["fields"]).items() if name in names}
    if older:
        connection.execute(OWE, (dumped(fields), now, now, delivery_id))
    return bool(older)


def is_last_word(connection: sqlite3.Connection, delivery_id: int, kind: str) -> bool:
    """Whether nothing of this kind was carried out, or is on its way, that the same rule decided after this delivery."""
    return not connection.execute(LATER, (delivery_id, kind)).fetchone()


def take_over(connection: sqlite3.Connection, met: Meeting, birth: Birth, now: float) -> None:
    row = connection.execute(HOLDER, (met.beaten_by,)).fetchone()
    older = dumped(older_than(met.fields, Stamp(row["as_of"], row["item_id"])))
    fields = {name: value for name, (value, _) in met.fields.items()}
    key = Lane.parse(row["lane"]).key(loaded(row["keys"]))
    told = (dumped(fields), older, identity(key, fields[key]), int(birth.force), now)
    connection.execute(TAKE_OVER, (*told, met.beaten_by))
