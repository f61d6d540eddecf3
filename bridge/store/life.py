"""What a process needs as it starts, runs dry and stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bridge.model import HOSTS, LEADBYTE, LEADSQUARED, NOT_REPEATABLE, Stamp, State
from bridge.store.base import BEFORE, Base, Row, stamped

NOT_AGAIN = " OR ".join(f"lane LIKE '%|{option}|%'" for option in NOT_REPEATABLE)
LOST = "the process died before an answer was recorded"
LOST_ATTEMPTS = f"""
INSERT INTO attempt (account, delivery_id, call_id, stage, host, started_at, answered_at, state, result, reason)
SELECT account, id, coalesce(call_id, ''), 'push', :host, coalesce(sent_at, :now), :now,
    CASE WHEN {NOT_AGAIN} THEN 'in_doubt' ELSE 'pending' END, 'lost', :reason
FROM delivery WHERE state IN ('sending', 'submitted', 'in_doubt') AND state = 'sending' AND lane LIKE :mode || '|%'
"""
SENDING = """
SELECT target, identity, lookup, fields, older, as_of, item_id FROM delivery
WHERE state IN ('sending', 'submitted', 'in_doubt') AND state = 'sending'
"""
RECOVER = f"""
UPDATE delivery SET due_at = :now, reason = :reason, updated_at = :now,
    state = CASE WHEN {NOT_AGAIN} THEN 'in_doubt' ELSE 'pending' END
WHERE state IN ('sending', 'submitted', 'in_doubt') AND state = 'sending'
"""
# A row that was changed in the future was changed before the clock was set back: it waits no longer than it had to then.
STORED_BY_A_CLOCK_THAT_WAS_AHEAD = (
    """
    UPDATE queue_item SET due_at = due_at - (updated_at - :now), deadline_at = deadline_at - (updated_at - :now),
        settles_at = settles_at - (updated_at - :now), updated_at = :now
    WHERE state = 'waiting' AND due_at > :now AND updated_at > :now
    """,
    """
    UPDATE delivery SET due_at = due_at - (updated_at - :now), sent_at = sent_at - (updated_at - :now),
        updated_at = :now WHERE state IN ('pending', 'submitted', 'in_doubt') AND due_at > :now AND updated_at > :now
    """,
)
CLOCK_SET_BACK = (
    """
    UPDATE queue_item SET due_at = due_at - :by, deadline_at = deadline_at - :by, settles_at = settles_at - :by,
        updated_at = updated_at - :by
    WHERE state = 'waiting'
    """,
    """
    UPDATE delivery SET due_at = due_at - :by, sent_at = sent_at - :by, updated_at = updated_at - :by
    WHERE state IN ('pending', 'sending', 'submitted', 'in_doubt')
    """,
)
CALLS = """
SELECT answered_at FROM (SELECT * FROM attempt ORDER BY id DESC LIMIT 20000)
WHERE host = ? AND answered_at > ? GROUP BY call_id, answered_at ORDER BY answered_at
"""
SETTLING_POLLS = 3
"""A lead that LeadByte was told to process anew is polled so often before nobody need wait for it any more."""

HELD = f"""
EXISTS (SELECT 1 FROM delivery f WHERE f.state IN ('submitted', 'in_doubt') AND f.state = 'in_doubt'
    AND (f.identity = d.identity OR f.lookup = d.lookup))
OR (d.target = 'leadbyte' AND EXISTS (SELECT 1 FROM delivery f WHERE f.item_id = d.item_id
    AND f.mapping = d.mapping AND f.state IN ('pending', 'in_doubt') AND {BEFORE}))
"""
"""Whether a pending delivery `d` waits for a person's word, or for another one that is counted in its place."""

IDLE = f"""
SELECT NOT (
    EXISTS (SELECT 1 FROM queue_item WHERE state = 'waiting' AND (settles_at IS NULL OR polls < {SETTLING_POLLS}))
    OR EXISTS (SELECT 1 FROM queue_item WHERE state = 'resolved' AND mapped = 0)
    OR EXISTS (SELECT 1 FROM delivery WHERE state = 'pending' AND stale = 1)
    OR EXISTS (SELECT 1 FROM delivery WHERE state IN ('sending', 'submitted', 'in_doubt')
        AND (state <> 'in_doubt' OR (polls = 0 AND target = 'leadsquared')))
    OR EXISTS (SELECT 1 FROM delivery d WHERE state = 'pending' AND stale = 0 AND NOT ({HELD}))
)
"""
LEFT = f"""
SELECT (SELECT count(*) FROM queue_item WHERE state = 'waiting' AND (settles_at IS NULL OR polls < {SETTLING_POLLS}))
    + (SELECT count(*) FROM queue_item WHERE state = 'resolved' AND mapped = 0)
    + (SELECT count(*) FROM delivery WHERE state = 'pending' AND stale = 1)
    + (SELECT count(*) FROM delivery WHERE state = 'pending' AND stale = 0)
    + (SELECT count(*) FROM delivery WHERE state IN ('sending', 'submitted', 'in_doubt') AND state <> 'in_doubt')
"""
SUBMITTED = """
SELECT EXISTS (SELECT 1 FROM delivery WHERE state IN ('submitted', 'in_doubt') AND state = 'submitted')
"""
CHECKPOINT = """
INSERT INTO checkpoint (account, name, value, updated_at) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
"""


class Life(Base):
    """The part of the store that starting, draining and stopping use."""

    def recover(self, now: float) -> int:
        with self._writing() as connection:
            sending = connection.execute(SENDING).fetchall()
            for target in (LEADSQUARED, LEADBYTE):
                rows = [row for row in sending if row["target"] == target]
                names = {name: _stamps(row) for row in rows for name in (row["identity"], row["lookup"])}
                self._doubt(connection, names, now, target)
            for mode, host in HOSTS.items():
                connection.execute(LOST_ATTEMPTS, {"now": now, "host": host, "mode": mode, "reason": LOST})
            for statement in STORED_BY_A_CLOCK_THAT_WAS_AHEAD:
                connection.execute(statement, {"now": now})
            found = connection.execute(RECOVER, {"now": now, "reason": LOST}).rowcount
            connection.execute(
                "UPDATE delivery SET leased = 0, due_at = ? WHERE leased = 1 AND state IN (?, ?)",
                (now, State.SUBMITTED, State.IN_DOUBT),
            )
            connection.execute(
                "UPDATE queue_item SET leased = 0, due_at = ? WHERE leased = 1 AND state = 'waiting'", (now,)
            )
            return found

    def clock_set_back(self, seconds: float) -> None:
        with self._writing() as connection:
            for statement in CLOCK_SET_BACK:
                connection.execute(statement, {"by": seconds})

    def calls_since(self, host: str, since: float) -> Sequence[float]:
        return [row["answered_at"] for row in self._all(CALLS, (host, since))]

    def idle(self) -> bool:
        return bool(self._all(IDLE)[0][0])

    def left(self) -> int:
        return int(self._all(LEFT)[0][0])

    def submitted(self) -> bool:
        return bool(self._all(SUBMITTED)[0][0])

    def checkpoint(self, name: str) -> str | None:
        rows = self._all("SELECT value FROM checkpoint WHERE account = ? AND name = ?", (self._account, name))
        return rows[0]["value"] if rows else None

    def set_checkpoint(self, name: str, value: str | None, now: float) -> None:
        with self._writing() as connection:
            if value is None:
                connection.execute(
                    "DELETE FROM checkpoint WHERE account = ? AND name = ?", (self._account, name)
                )
            else:
                connection.execute(CHECKPOINT, (self._account, name, value, now))


def _stamps(row: Row) -> Mapping[str, Stamp]:
    return {name: stamp for name, (_, stamp) in stamped(row).items()}
