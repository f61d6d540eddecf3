"""Holding the rows against the ledger, against each other and against the attempts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from types import MappingProxyType
from typing import Final

from bridge.model import ItemState, State
from bridge.ports import Check, Day, Finding, ignored
from bridge.store.account import Account
from bridge.store.base import Row
from bridge.store.database import translated

NONE = "none"
FRESH: Final = (NONE, State.PENDING)
ENDED: Final = (State.FAILED, State.UNPROCESSED)
LAST: Final[Mapping[State, tuple[str, ...]]] = MappingProxyType(
    {
        State.PENDING: FRESH,
        State.SENDING: FRESH,
        State.SKIPPED: FRESH,
        State.SUPERSEDED: (*FRESH, *ENDED, State.SUPERSEDED),
        State.SUBMITTED: (State.SUBMITTED,),
        State.IN_DOUBT: (State.IN_DOUBT,),
        State.SYNCED: (State.SYNCED,),
        State.FAILED: (State.FAILED,),
        State.UNPROCESSED: (State.UNPROCESSED,),
    }
)
"""What a delivery's last attempt said, by the state that the delivery is in. A question that was put off says nothing."""

REOPENED: Final = (State.PENDING, State.SENDING, State.SKIPPED)
"""States in which the last attempt may have failed, where a resync re-opened the lead since."""


def _list(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


ITEM_STATES = f"SELECT queue_id, state FROM queue_item WHERE state NOT IN ({_list(ItemState)})"
DELIVERY_STATES = f"""
SELECT i.queue_id, d.state FROM delivery d LEFT JOIN queue_item i ON i.id = d.item_id
WHERE d.state NOT IN ({_list(State)})
"""
UNMAPPED = """
SELECT queue_id FROM queue_item i WHERE state = 'resolved' AND mapped = 1 AND source = 'leadbyte'
AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.item_id = i.id)
"""
IN_FLIGHT = """
FROM delivery d LEFT JOIN queue_item i ON i.id = d.item_id
WHERE d.state IN ('sending', 'submitted', 'in_doubt')
"""
SENDING = f"SELECT i.queue_id, d.mapping {IN_FLIGHT} AND d.state = 'sending'"
NO_REQUEST = f"""
SELECT i.queue_id, d.mapping {IN_FLIGHT} AND d.state = 'submitted' AND coalesce(d.request_id, '') = ''
"""
TWICE = f"""
SELECT * FROM (SELECT i.queue_id, d.mapping,
    count(d.identity) OVER (PARTITION BY d.account, d.target, d.identity) AS same_identity,
    count(d.lookup) OVER (PARTITION BY d.account, d.target, d.lookup) AS same_lookup {IN_FLIGHT}
) WHERE same_identity > 1 OR same_lookup > 1
"""
CASES = " ".join(f"WHEN '{state}' THEN last IN ({_list(last)})" for state, last in LAST.items())
# The first release kept no attempt of a person's word on a doubt: what followed a doubt from before the upgrade is believed.
CALLS = f"""
SELECT * FROM (
    SELECT i.queue_id, d.mapping, d.state, d.stage, i.resync IS NOT NULL AS reopened,
        coalesce(a.state, '{NONE}') AS last, a.answered_at
    FROM (SELECT *, (
        SELECT max(a.id) FROM attempt a WHERE a.delivery_id = delivery.id
        AND NOT (a.stage = 'confirm' AND a.state IN ('submitted', 'in_doubt'))
    ) AS last_id FROM delivery WHERE updated_at >= :pruned AND state IN ({_list(State)})) d
    LEFT JOIN attempt a ON a.id = d.last_id LEFT JOIN queue_item i ON i.id = d.item_id LIMIT -1
) WHERE NOT CASE
    WHEN state = 'failed' AND stage = 'map' THEN last = '{NONE}'
    WHEN reopened AND state IN ({_list(REOPENED)}) AND last IN ({_list(ENDED)}) THEN 1
    WHEN last = 'in_doubt' AND answered_at < :upgraded THEN state NOT IN ('submitted', 'unprocessed')
    ELSE CASE state {CASES} END
END
"""
UPGRADED = """
SELECT CAST(strftime('%s', applied_at) AS REAL) FROM _sqlite_migrations
WHERE migration_set = 'bridge' AND name = 'm002_ledger'
"""
PRUNED = "SELECT CAST(value AS REAL) FROM checkpoint WHERE account = ? AND name = 'pruned:attempts'"


class Audit(Account):
    """The part of the store that proves that every lead is accounted for."""

    def audit(self, *, running: bool, begun: Callable[[Check], None] = ignored) -> Iterator[Finding]:
        with self.snapshot():
            for check, findings in self._checks(running=running):
                begun(check)
                yield from findings

    def _checks(self, *, running: bool) -> Iterator[tuple[Check, Iterator[Finding]]]:
        """Each with its findings, which are looked for when they are asked for."""
        yield Check.FILE, self._file()
        yield Check.REFERENCE, self._references()
        yield Check.DAY, self._days()
        yield Check.STATE, self._states()
        yield self._check(Check.UNMAPPED, UNMAPPED, "mapped, but there is no delivery of it")
        yield self._check(Check.REQUEST, NO_REQUEST, "{mapping} is submitted without a RequestID")
        yield self._check(Check.TWICE, TWICE, "{mapping} is in flight twice for one person")
        if not running:
            words = "{mapping} is sending, but no process of the bridge runs"
            yield self._check(Check.SENDING, SENDING, words)
        yield Check.CALLS, self._calls()

    def _check(self, check: Check, sql: str, words: str) -> tuple[Check, Iterator[Finding]]:
        return check, self._found(check, sql, words)

    def _days(self) -> Iterator[Finding]:
        yield from (_short(day) for day in self.account() if not day.adds_up)

    def _file(self) -> Iterator[Finding]:
        for (said,) in self._streamed("PRAGMA quick_check"):
            if said != "ok":
                yield Finding(Check.FILE, None, f"the database file is damaged: {said}")

    def _references(self) -> Iterator[Finding]:
        for row in self._streamed("PRAGMA foreign_key_check"):
            what = f"row {row['rowid']} of {row['table']} belongs to no row of {row['parent']}"
            yield Finding(Check.REFERENCE, None, what)

    def _states(self) -> Iterator[Finding]:
        for sql in (ITEM_STATES, DELIVERY_STATES):
            yield from self._found(Check.STATE, sql, "there is no such state: {state!r}")

    def _calls(self) -> Iterator[Finding]:
        told = {"pruned": self._one(PRUNED, (self._account,)), "upgraded": self._one(UPGRADED)}
        words = "{mapping} is {state} at stage {stage}, but the last attempt says: {last}"
        yield from self._found(Check.CALLS, CALLS, words, told)

    def _found(
        self, check: Check, sql: str, words: str, told: Mapping[str, float] | tuple[()] = ()
    ) -> Iterator[Finding]:
        for row in self._streamed(sql, told):
            yield Finding(check, row["queue_id"], words.format_map(dict(row)))

    def _streamed(self, sql: str, told: Mapping[str, float] | tuple[()] = ()) -> Iterator[Row]:
        with translated(self._path), closing(self._database.conn.execute(sql, told)) as rows:
            yield from rows

    def _one(self, sql: str, told: tuple[str, ...] = ()) -> float:
        rows = self._all(sql, told)
        return (rows[0][0] if rows else None) or 0.0


def _short(day: Day) -> Finding:
    what = f"{day.day}: {day.tracked} tracked, {day.accounted} accounted for"
    return Finding(Check.DAY, None, what)
