"""What people ask of the store and tell it: status, failures, one lead, resync, resolve."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bridge.model import BY_HAND, Json
from bridge.ports import Failure, Hearer, Selection, Status, nobody
from bridge.store.account import LEAD_RANK, RANKS, Account
from bridge.store.base import NUMBER, Row, loaded
from bridge.store.life import HELD
from bridge.store.quoting import TOLD, quoted
from bridge.store.returns import SETTLE_SECONDS

# Sums over a subquery that LIMIT keeps apart: one pass, without the sorter that GROUP BY would fill with every lead.
COUNTS = ", ".join(f"sum(rank = {rank}) AS {state}" for state, rank in RANKS.items())
REOPENED = (
    f"SELECT {COUNTS} FROM (SELECT {LEAD_RANK} AS rank FROM queue_item i WHERE i.resync = :mark LIMIT -1)"
)
STILL_MOVING = f"""
SELECT count(*) FROM queue_item i WHERE i.resync = :mark AND (
    i.state = 'waiting' OR (i.state = 'resolved' AND i.mapped = 0)
    OR EXISTS (SELECT 1 FROM delivery d WHERE d.item_id = i.id AND (
        d.state IN ('sending', 'submitted') OR (d.state = 'pending' AND NOT ({HELD})))))
"""
MARK = "UPDATE queue_item SET resync = :now WHERE id IN ({items})"
# A lead that LeadByte was told to process anew waits since then.
LAG = f"""
SELECT (SELECT min(max(tracked_at, coalesce(settles_at - {SETTLE_SECONDS}, 0))) FROM queue_item
        WHERE state = 'waiting') AS waiting,
       (SELECT min(created_at) FROM delivery WHERE state = 'pending') AS pending
"""
WORDS = """
SELECT substr(status, 1, 100) AS status, count(*) AS n FROM queue_item
WHERE state IN ('waiting', 'expired') AND reason LIKE '%is not in BRIDGE_LEADBYTE__STATUSES%' GROUP BY 1
"""
LAST_ERRORS = """
SELECT queue_id, stage, reason, id, max(at) AS at, count(*) AS n FROM (
    SELECT * FROM (SELECT i.queue_id, d.stage, d.reason, d.id, d.updated_at AS at
        FROM delivery d JOIN queue_item i ON i.id = d.item_id
        WHERE d.state IN ('failed', 'unprocessed', 'in_doubt') ORDER BY d.updated_at DESC LIMIT 1000)
    UNION ALL
    SELECT * FROM (SELECT queue_id, 'poll', reason, NULL, updated_at FROM queue_item
        WHERE state IN ('waiting', 'expired') AND reason IS NOT NULL AND settles_at IS NULL ORDER BY updated_at DESC LIMIT 1000)
) GROUP BY stage, reason ORDER BY at DESC LIMIT 5
"""
FEEDBACK = "SELECT state, count(*) AS n FROM delivery WHERE target = 'leadbyte' GROUP BY state ORDER BY state"
CHECKPOINTS = "SELECT name, value FROM checkpoint"
FAILURES = """
SELECT i.queue_id, d.mapping, d.state, d.stage, coalesce(d.reason, '') AS reason,
    substr(d.lookup, instr(d.lookup, '=') + 1) AS identifier,
    (SELECT count(*) FROM attempt a WHERE a.delivery_id = d.id AND a.stage <> 'person') AS attempts,
    d.updated_at AS at,
    (SELECT max(answered_at) FROM attempt a WHERE a.delivery_id = d.id AND a.stage <> 'person') AS last_attempt_at,
    d.id, d.id AS delivery_id, d.target
FROM delivery d JOIN queue_item i ON i.id = d.item_id
WHERE d.state IN ('failed', 'unprocessed', 'in_doubt') AND d.updated_at >= :since
UNION ALL
SELECT queue_id, NULL, state, 'poll', coalesce(reason, ''), NULL, polls, updated_at, updated_at, id, NULL, 'leadsquared'
FROM queue_item WHERE state = 'expired' AND updated_at >= :since
ORDER BY at DESC, id
"""


LEAD = """
SELECT * FROM queue_item WHERE account = ? AND (queue_id = ? OR id = (SELECT item_id FROM delivery WHERE id = ?))
ORDER BY queue_id = ? DESC LIMIT 1
"""


class People(Account):
    """The part of the store that people use, by commands and reports."""

    def status(self, heard: Hearer = nobody) -> Status:
        with self.snapshot():
            account, lag = self.account(heard), self._all(LAG)[0]
            return Status(
                leads={state: sum(day.states.get(state, 0) for day in account) for state in RANKS},
                oldest_waiting_at=lag["waiting"],
                oldest_pending_at=lag["pending"],
                unknown_words={row["status"]: row["n"] for row in self._all(WORDS)},
                last_errors=[self._last_error(row) for row in self._all(LAST_ERRORS)],
                checkpoints={row["name"]: row["value"] for row in self._all(CHECKPOINTS)},
                account=account,
                feedback={row["state"]: row["n"] for row in self._all(FEEDBACK)},
            )

    def failures(self, since: float | None = None) -> Iterator[Failure]:
        cursor = self._database.conn.execute(FAILURES, {"since": since or 0.0})
        while rows := cursor.fetchmany(1000):
            yield from (_failure(row, self._quoted(row["delivery_id"], row["reason"])) for row in rows)

    def _last_error(self, row: Row) -> Mapping[str, Json]:
        shown = {name: row[name] for name in row.keys() if name != "id"}  # noqa: SIM118 - of a row, not of a mapping
        return {**shown, "quoted": self._quoted(row["id"], row["reason"])}

    def _quoted(self, delivery_id: int | None, reason: str) -> Sequence[str]:
        rows = self._all(TOLD, (delivery_id,)) if reason else []
        return [value for row in rows for value in quoted(row, reason)]

    def lead(self, queue_id: str) -> Mapping[str, Json] | None:
        number = int(queue_id) if NUMBER.fullmatch(queue_id) else None
        rows = self._all(LEAD, (self._account, queue_id, number, queue_id))
        if not rows:
            return None
        item = {**dict(rows[0]), "context": json.loads(rows[0]["context"])}
        deliveries = self._all("SELECT * FROM delivery WHERE item_id = ? ORDER BY id", (item["id"],))
        return {**item, "deliveries": [self._whole(row) for row in deliveries]}

    def _whole(self, row: Row) -> dict[str, Json]:
        attempts = self._all("SELECT * FROM attempt WHERE delivery_id = ? ORDER BY id", (row["id"],))
        decoded = {name: loaded(row[name]) for name in ("fields", "keys", "older", "origin")}
        counted = {"attempts_used": row["attempts"], "attempts": [dict(attempt) for attempt in attempts]}
        return {**dict(row), **decoded, **counted}

    def count_by_reason(self, selection: Selection) -> Mapping[tuple[str, str], int]:
        where, parameters = self._where(selection)
        sql = f"SELECT state, reason, count(DISTINCT item_id) AS n FROM ({SELECTABLE}) WHERE {where} GROUP BY 1, 2"
        rows = self._all(f"{sql} ORDER BY n DESC, reason", parameters)
        return {(row["state"], row["reason"]): row["n"] for row in rows}

    def resync(
        self, selection: Selection, now: float, *, refetch: bool, force: bool, deadline_at: float
    ) -> int:
        where, chosen = self._where(selection)
        told = {**chosen, "now": now, "force": int(force), "deadline_at": deadline_at}
        items = f"SELECT DISTINCT item_id FROM ({SELECTABLE}) WHERE {where}"
        with self._writing() as connection:
            leads: int = connection.execute(MARK.format(items=items), told).rowcount
            if refetch:
                connection.execute(REFETCH.format(items=items), told)
                deliveries = f"SELECT delivery_id FROM ({SELECTABLE}) WHERE {where} AND source <> 'leadbyte'"
                connection.execute(DECIDE.format(deliveries=deliveries), told)
                connection.execute(REOPEN.format(deliveries=deliveries), told)
            else:
                only_expired = f"{items} AND state = 'expired'"
                deliveries = f"SELECT delivery_id FROM ({SELECTABLE}) WHERE {where}"
                connection.execute(REFETCH.format(items=only_expired), told)
                connection.execute(DECIDE.format(deliveries=deliveries), told)
                connection.execute(REOPEN.format(deliveries=deliveries), told)
        return leads

    def still_moving(self, resynced_at: float) -> int:
        count: int = self._all(STILL_MOVING, {"mark": resynced_at})[0][0]
        return count

    def reopened_leads(self, resynced_at: float) -> Mapping[str, int]:
        counted = self._all(REOPENED, {"mark": resynced_at})[0]
        return {state: counted[state] or 0 for state in RANKS}

    def _where(self, selection: Selection) -> tuple[str, dict[str, Any]]:
        conditions, told = ["account = :account"], {"account": self._account}
        if not selection.queue_ids and selection.mapping is None and selection.reason is None:
            conditions.append(f"source <> '{BY_HAND}'")
        for name, values in (("state", selection.states), ("queue_id", selection.queue_ids)):
            if values:
                marks = {f"{name}{n}": value for n, value in enumerate(values)}
                conditions.append(f"{name} IN ({', '.join(':' + mark for mark in marks)})")
                told |= marks
        for name, condition in CONDITIONS.items():
            value = getattr(selection, name)
            if value is not None:
                conditions.append(condition)
                told[name] = value
        return " AND ".join(conditions), told


CONDITIONS = {
    "since": "updated_at >= :since",
    "until": "updated_at <= :until",
    "reason": "instr(lower(reason), lower(:reason)) > 0",
    "mapping": "mapping = :mapping",
}
SELECTABLE = """
SELECT d.account, i.queue_id, d.item_id, d.id AS delivery_id, d.mapping, d.state,
    coalesce(d.reason, '') AS reason, d.updated_at, i.source
FROM delivery d JOIN queue_item i ON i.id = d.item_id
UNION ALL
SELECT account, queue_id, id, NULL, NULL, state, coalesce(reason, ''), updated_at, source FROM queue_item
WHERE state = 'expired'
UNION ALL
SELECT account, queue_id, id, NULL, NULL, 'pending', '', updated_at, source FROM queue_item
WHERE state = 'resolved' AND mapped = 0
"""
REFETCH = """
UPDATE queue_item SET state = 'waiting', mapped = 0, polls = 0, settles_at = NULL, generation = generation + 1, force = :force,
    due_at = :now, deadline_at = :deadline_at, reason = NULL, updated_at = :now
WHERE state IN ('resolved', 'expired') AND source = 'leadbyte' AND id IN ({items})
"""
REOPEN = """
UPDATE delivery SET state = 'pending', attempts = 0,
    stale = (SELECT source <> 'hand' FROM queue_item WHERE id = item_id),
    polls = 0, force = :force, due_at = :now, updated_at = :now
WHERE state IN ('failed', 'unprocessed') AND id IN ({deliveries}) AND (target = 'leadsquared' OR lane IS NOT NULL)
"""
# What could not be mapped says nothing of what was to be done: its lead is decided about as a whole.
DECIDE = """
UPDATE queue_item SET mapped = 0, generation = generation + 1, updated_at = :now WHERE id IN (
    SELECT item_id FROM delivery
    WHERE state = 'failed' AND target = 'leadbyte' AND lane IS NULL AND id IN ({deliveries}))
"""


def _failure(row: Row, quoted: Sequence[str]) -> Failure:
    return Failure(
        queue_id=row["queue_id"],
        mapping=row["mapping"],
        state=row["state"],
        stage=row["stage"],
        reason=row["reason"],
        identifier=row["identifier"],
        attempts=row["attempts"],
        last_attempt_at=row["last_attempt_at"],
        quoted=quoted,
        delivery_id=row["delivery_id"],
        target=row["target"],
    )
