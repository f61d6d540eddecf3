"""Which set of values each feedback mapping acted on last, by lead and kind of operation."""

from __future__ import annotations

import sqlite3
from typing import TypeAlias

from bridge.model import Delivery, Mapped
from bridge.policy.feedback import fingerprint

Rule: TypeAlias = tuple[int, str, str]
"""The item, the mapping and the kind of operation."""

ACTED = "SELECT digest FROM acted WHERE item_id = ? AND mapping = ? AND kind = ?"
ACT = """
INSERT INTO acted (item_id, mapping, kind, digest, acted_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET digest = excluded.digest, acted_at = excluded.acted_at
"""
NOT_ACTED = "DELETE FROM acted WHERE item_id = ? AND mapping = ? AND kind = ?"


def act(connection: sqlite3.Connection, rule: Rule, digest: str, now: float) -> bool:
    """Note what a rule acts on. False where it has acted on just that before: then it is not to act again."""
    row = connection.execute(ACTED, rule).fetchone()
    if row and row["digest"] == digest:
        return False
    connection.execute(ACT, (*rule, digest, now))
    return True


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


def not_acted(connection: sqlite3.Connection, rule: Rule) -> None:
    """Nothing was carried out by this rule: it may act on the same values again."""
    connection.execute(NOT_ACTED, rule)
