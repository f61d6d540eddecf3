"""Which set of values each feedback mapping acted on last, by lead and kind of operation."""

from __future__ import annotations

import sqlite3
from typing import Final, TypeAlias

from bridge.model import Delivery, Mapped
from bridge.policy.feedback import fingerprint
from bridge.policy.values import digest

Rule: TypeAlias = tuple[int, str, str]
"""The item, the mapping and the kind of operation."""

ACTED = "SELECT digest FROM acted WHERE item_id = ? AND mapping = ? AND kind = ?"
ACT = """
INSERT INTO acted (item_id, mapping, kind, digest, acted_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET digest = excluded.digest, acted_at = excluded.acted_at
"""
VALUES: Final = "values"
OTHER_ID: Final = "other id"
PEOPLE: Final = "people"
NOT_DECIDED = f"""
DELETE FROM acted WHERE item_id = :item AND mapping = :mapping
AND (kind IN ('{VALUES} ' || :kind, '{OTHER_ID} ' || :kind)
    OR (:kind = '' AND (kind LIKE '{VALUES} %' OR kind LIKE '{OTHER_ID} %')
        AND NOT EXISTS (SELECT 1 FROM acted p WHERE p.item_id = acted.item_id AND p.mapping = acted.mapping
            AND p.kind LIKE '{PEOPLE} %' AND p.digest = :people)))
"""
GIVEN_UP: Final = "given up"
GIVEN_UP_ACTED = f"""
DELETE FROM acted WHERE item_id = :item AND mapping = :mapping AND :kind IN ('', kind) AND EXISTS (
    SELECT 1 FROM acted g WHERE g.item_id = acted.item_id AND g.mapping = acted.mapping
    AND g.kind = '{GIVEN_UP} ' || acted.kind AND g.digest = acted.digest)
AND NOT (:kind = '' AND EXISTS (SELECT 1 FROM acted p WHERE p.item_id = acted.item_id AND p.mapping = acted.mapping
    AND p.kind = '{PEOPLE} ' || acted.kind AND p.digest = :people))
"""
GIVEN_UP_GONE = f"""
DELETE FROM acted WHERE item_id = :item AND mapping = :mapping
AND (kind = '{GIVEN_UP} ' || :kind OR (:kind = '' AND kind LIKE '{GIVEN_UP} %'))
AND NOT EXISTS (SELECT 1 FROM acted a WHERE a.item_id = acted.item_id AND a.mapping = acted.mapping
    AND acted.kind = '{GIVEN_UP} ' || a.kind AND acted.digest = a.digest)
"""
NOT_ACTED = "DELETE FROM acted WHERE item_id = ? AND mapping = ? AND kind = ?"


def act(connection: sqlite3.Connection, rule: Rule, digest: str, now: float) -> bool:
    """Note what a rule acts on. False where it has acted on just that before: then it is not to act again."""
    row = connection.execute(ACTED, rule).fetchone()
    if row and row["digest"] == digest:
        return False
    connection.execute(ACT, (*rule, digest, now))
    return True


def acted_by(connection: sqlite3.Connection, rule: Rule, values: str | None, people: str, now: float) -> None:
    """Note by which values, whatever the id, a rule acts, and what people held in its `when` then."""
    item_id, mapping, kind = rule
    if values is not None:
        connection.execute(ACT, (item_id, mapping, f"{VALUES} {kind}", values, now))
        connection.execute(ACT, (item_id, mapping, f"{PEOPLE} {kind}", people, now))


def is_other_id(connection: sqlite3.Connection, rule: Rule, digest: str | None, values: str | None) -> bool:
    """Whether a rule acted by these values for another id, and nobody has decided anew since."""
    item_id, mapping, kind = rule
    before = connection.execute(ACTED, rule).fetchone()
    same = connection.execute(ACTED, (item_id, mapping, f"{VALUES} {kind}")).fetchone()
    return bool(before and same and values) and before["digest"] != digest and same["digest"] == values


def not_decided(connection: sqlite3.Connection, item_id: int, mapping: str, kind: str, people: str) -> None:
    """The lead has left what the mapping is about (`kind`: an operation of it): its coming back is a new decision, unless
    `people` still hold there what they held: then it was the way forward that took it out."""
    told = {"item": item_id, "mapping": mapping, "kind": kind, "people": people}
    connection.execute(NOT_DECIDED, told)


def carried_out(connection: sqlite3.Connection, operation: Delivery, now: float) -> None:
    """Note that LeadByte did what may not be repeated."""
    made = Mapped(operation.fields, operation.keys, operation.lane)
    act(connection, (operation.item_id, operation.mapping, _done(made)), fingerprint(made), now)


def is_done(connection: sqlite3.Connection, item_id: int, mapping: str, made: Mapped) -> bool:
    """Whether just this is what LeadByte did last by this rule, though the rule may have acted on other values since."""
    row = connection.execute(ACTED, (item_id, mapping, _done(made))).fetchone()
    return bool(row) and row["digest"] == fingerprint(made)


def _done(made: Mapped) -> str:
    return f"done {made.lane.kind}"


def give_up(connection: sqlite3.Connection, rule: Rule, columns: str | None, now: float) -> None:
    """A person does not want what this rule made of the lead. What could not be mapped is known by the lead's `columns`."""
    item_id, mapping, kind = rule
    acted = connection.execute(ACTED, rule).fetchone()
    known_by = acted["digest"] if kind and acted else digest(columns or "")
    connection.execute(ACT, (item_id, mapping, f"{GIVEN_UP} {kind}", known_by, now))


def is_given_up(connection: sqlite3.Connection, item_id: int, mapping: str, columns: str) -> bool:
    """Whether a person gave up what could not be mapped of this lead, which is as it was then."""
    row = connection.execute(ACTED, (item_id, mapping, f"{GIVEN_UP} ")).fetchone()
    return bool(row) and row["digest"] == digest(columns)


def taken_up(connection: sqlite3.Connection, rule: Rule) -> None:
    """The rule acts anew: what was given up before is a thing of the past."""
    item_id, mapping, kind = rule
    connection.execute(NOT_ACTED, (item_id, mapping, f"{GIVEN_UP} {kind}"))


def wanted_no_more(
    connection: sqlite3.Connection, item_id: int, mapping: str, kind: str, people: str
) -> None:
    """The lead has left what the mapping is about, as for `not_decided`. What was given up was never carried out, so its
    coming back is acted on."""
    told = {"item": item_id, "mapping": mapping, "kind": kind, "people": people}
    connection.execute(GIVEN_UP_ACTED, told)
    connection.execute(GIVEN_UP_GONE, told)


def not_acted(connection: sqlite3.Connection, rule: Rule) -> None:
    """Nothing was carried out by this rule: it may act on the same values again."""
    connection.execute(NOT_ACTED, rule)
