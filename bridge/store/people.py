"""What people ask of the store: status, failures, one lead."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bridge.model import LEADBYTE, Json
from bridge.ports import Failure, Hearer, Selection, Status, nobody
from bridge.store.account import RANKS
from bridge.store.base import NUMBER, Row, loaded
from bridge.store.quoting import TOLD, quoted
from bridge.store.reopening import CONDITIONS, Reopening, chosen
from bridge.store.returns import SETTLE_SECONDS

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
SELECT queue_id, stage, reason, id, max(at) AS at, count(*) AS n, state, target FROM (
    SELECT * FROM (SELECT i.queue_id, d.stage, d.reason, d.id, d.updated_at AS at, d.state, d.target
        FROM delivery d JOIN queue_item i ON i.id = d.item_id
        WHERE d.state IN ('failed', 'unprocessed', 'in_doubt') ORDER BY d.updated_at DESC LIMIT 1000)
    UNION ALL
    SELECT * FROM (SELECT queue_id, 'poll', reason, NULL, updated_at, state, 'leadsquared' FROM queue_item
        WHERE state IN ('waiting', 'expired') AND reason IS NOT NULL AND settles_at IS NULL ORDER BY updated_at DESC LIMIT 1000)
) GROUP BY stage, reason ORDER BY at DESC LIMIT 5
"""
FEEDBACK = "SELECT state, count(*) AS n FROM delivery WHERE target = 'leadbyte' GROUP BY state ORDER BY state"
CHECKPOINTS = "SELECT name, value FROM checkpoint"
RATE_SECONDS = 300.0
MOST_ATTEMPTS = 20_000
# The newest attempts only, by their ids, which grow with time: however many there are, no more of them are read.
RATE = f"""
SELECT sum(synced) AS synced, count(*) AS read, min(answered_at) AS since FROM (
    SELECT answered_at, state = 'synced' AND stage <> 'person' AND host <> '{LEADBYTE}'
        AND answered_at BETWEEN :now - {RATE_SECONDS} AND :now AS synced
    FROM attempt ORDER BY id DESC LIMIT {MOST_ATTEMPTS}
)
"""
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
"""
NEWEST_FIRST = " ORDER BY at DESC, id"
MATCHED = {"until": "at <= :until", "reason": CONDITIONS["reason"], "mapping": CONDITIONS["mapping"]}


LEAD = """
SELECT * FROM queue_item WHERE account = ? AND (queue_id = ? OR id = (SELECT item_id FROM delivery WHERE id = ?))
ORDER BY queue_id = ? DESC LIMIT 1
"""


class People(Reopening):
    """The part of the store that commands, reports and pages ask."""

    def status(self, heard: Hearer = nobody, *, now: float | None = None) -> Status:
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
                leads_per_minute=0.0 if now is None else self._leads_per_minute(now),
            )

    def _leads_per_minute(self, now: float) -> float:
        """Where the attempts that are read reach less far back than RATE_SECONDS, over the time that they do."""
        row = self._all(RATE, {"now": now})[0]
        reached = now - row["since"] if row["read"] >= MOST_ATTEMPTS else RATE_SECONDS
        return float((row["synced"] or 0) * 60.0 / min(max(reached, 1.0), RATE_SECONDS))

    def failures(self, since: float | None = None) -> Iterator[Failure]:
        return self._failures(FAILURES + NEWEST_FIRST, {"since": since or 0.0})

    def matching(self, selection: Selection, most: int) -> tuple[int, Iterator[Failure]]:
        conditions, told = chosen(selection, MATCHED)
        where = " AND ".join(conditions) or "true"
        told = {**told, "since": selection.since or 0.0, "most": most}
        count = self._all(f"SELECT count(*) FROM ({FAILURES}) WHERE {where}", told)[0][0]
        newest = f"SELECT * FROM ({FAILURES}) WHERE {where}{NEWEST_FIRST} LIMIT :most"
        return count, self._failures(newest, told)

    def _failures(self, sql: str, told: Mapping[str, Any]) -> Iterator[Failure]:
        cursor = self._database.conn.execute(sql, told)
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
        at=row["at"],
    )
