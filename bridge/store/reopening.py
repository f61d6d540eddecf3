"""Leads chosen by a person, to be counted or re-opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bridge.model import BY_HAND
from bridge.ports import Selection
from bridge.store.account import LEAD_RANK, RANKS, Account
from bridge.store.life import HELD

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


class Reopening(Account):
    """The part of the store that chooses leads and re-opens them."""

    def count(self, selection: Selection) -> int:
        where, told = self._where(selection)
        sql = f"SELECT count(DISTINCT item_id) FROM ({SELECTABLE}) WHERE {where}"
        count: int = self._all(sql, told)[0][0]
        return count

    def untracked(self, queue_ids: Sequence[str]) -> Sequence[str]:
        named = ", ".join("?" * len(queue_ids))
        sql = f"SELECT queue_id FROM queue_item WHERE account = ? AND queue_id IN ({named})"
        tracked = {row["queue_id"] for row in self._all(sql, (self._account, *queue_ids))}
        return [one for one in queue_ids if one not in tracked]

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
        conditions, told = chosen(selection, CONDITIONS)
        if not selection.queue_ids and selection.mapping is None and selection.reason is None:
            conditions.append(f"source <> '{BY_HAND}'")
        # What is done is only of LeadByte's leads fetched anew: nobody else can be asked for it.
        conditions.append("(source = 'leadbyte' OR state NOT IN ('synced', 'skipped', 'superseded'))")
        return " AND ".join(["account = :account", *conditions]), {"account": self._account, **told}


def chosen(selection: Selection, conditions: Mapping[str, str]) -> tuple[list[str], dict[str, Any]]:
    """A selection as SQL: its states and queueIds, and which of the `conditions` it has; with their parameters."""
    found: list[str] = []
    told: dict[str, Any] = {}
    for name, values in (("state", selection.states), ("queue_id", selection.queue_ids)):
        if values:
            marks = {f"{name}{n}": value for n, value in enumerate(values)}
            found.append(f"{name} IN ({', '.join(':' + mark for mark in marks)})")
            told |= marks
    for name, condition in conditions.items():
        value = getattr(selection, name)
        if value is not None:
            found.append(condition)
            told[name] = value
    return found, told
