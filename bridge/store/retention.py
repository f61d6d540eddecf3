"""What is kept of people is pruned once its time is over."""

from __future__ import annotations

from typing import Final

from bridge.ports import Cutoffs
from bridge.store.base import DISMISSED, Base

PRUNED_ATTEMPTS: Final = "pruned:attempts"

OLD_AGREED = """
SELECT target, identity, updated_at FROM agreed WHERE account = ? AND (target, identity) > (?, ?)
ORDER BY target, identity LIMIT ?
"""
DROP_OLD = """
DELETE FROM agreed WHERE account = ? AND target = ? AND identity = ? AND updated_at < ? AND NOT EXISTS (
    SELECT 1 FROM delivery d
    WHERE d.identity = agreed.identity AND d.state IN ('pending', 'failed', 'unprocessed'))
"""
DONE = """
i.state = 'resolved' AND i.mapped = 1 AND i.updated_at < :before AND NOT EXISTS (
    SELECT 1 FROM delivery d WHERE d.item_id = i.id
    AND (d.state NOT IN ('synced', 'skipped', 'superseded') OR d.updated_at >= :before))
"""
REPLIES = f"""
SELECT i.id FROM queue_item i
WHERE i.id > :after AND i.id <= :until AND (i.reply IS NOT NULL OR i.context <> '{{}}') AND {DONE}
"""
PAYLOADS = f"""
SELECT x.id FROM queue_item i JOIN delivery x ON x.item_id = i.id
WHERE i.id > :after AND i.id <= :until AND {DONE}
AND (x.fields <> '{{}}' OR x.identity IS NOT NULL OR x.reason LIKE '{DISMISSED}: %')
"""
OLD_ATTEMPTS = f"""
SELECT a.id FROM queue_item i JOIN delivery x ON x.item_id = i.id JOIN attempt a ON a.delivery_id = x.id
WHERE i.id > :after AND i.id <= :until AND {DONE}
"""
PRUNES = {
    "replies": (REPLIES, "UPDATE queue_item SET reply = NULL, context = '{}' WHERE id IN"),
    "payloads": (
        PAYLOADS,
        # A person's own words may be about a person.
        "UPDATE delivery SET identity = NULL, lookup = NULL, fields = '{}', older = '{}', origin = '{}', "
        f"reason = CASE WHEN reason LIKE '{DISMISSED}: %' THEN '{DISMISSED}' ELSE reason END WHERE id IN",
    ),
    "attempts": (OLD_ATTEMPTS, "DELETE FROM attempt WHERE id IN"),
}
NOTE = """
INSERT INTO checkpoint (account, name, value, updated_at) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
WHERE CAST(excluded.value AS REAL) > CAST(checkpoint.value AS REAL)
"""


class Retention(Base):
    """The part of the store that the prune stage uses."""

    def prune_leads(self, after: int, size: int, cutoffs: Cutoffs, now: float) -> tuple[int | None, int]:
        (last,) = self._all("SELECT coalesce(max(id), 0) FROM queue_item")[0]
        pruned = 0
        for name, (found, sql) in PRUNES.items():
            before = getattr(cutoffs, name)
            told = {"after": after, "until": after + size, "before": before}
            if before is not None and self._all(f"{found} LIMIT 1", told):
                with self._writing() as connection:
                    if name == "attempts":
                        connection.execute(NOTE, (self._account, PRUNED_ATTEMPTS, repr(before), now))
                    pruned += connection.execute(f"{sql} ({found})", told).rowcount
        return (after + size if after + size < last else None), pruned

    def prune_agreed(self, after: str, size: int, before: float) -> tuple[str | None, int]:
        target, _, identity = after.partition("|")
        rows = self._all(OLD_AGREED, (self._account, target, identity, size))
        old = [(row["target"], row["identity"]) for row in rows if row["updated_at"] < before]
        if old:
            with self._writing() as connection:
                told = [(self._account, *one, before) for one in old]
                connection.executemany(DROP_OLD, told)
        return (f"{rows[-1]['target']}|{rows[-1]['identity']}" if len(rows) == size else None), len(old)
