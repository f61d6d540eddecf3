"""The queueIds: tracked, polled, resolved or expired."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import chain, islice

from bridge.model import PollRecord, Track, WaitingItem
from bridge.store.base import LEASE_SECONDS, Base, Row, marks, rows_named
from bridge.store.numbering import new_ids

CHUNK = 1000

TRACK = """
INSERT INTO queue_item (account, queue_id, context, due_at, deadline_at, tracked_at, updated_at, id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
LEDGER = """
INSERT INTO ledger (account, day, tracked) VALUES (?, date(?, 'unixepoch'), ?)
ON CONFLICT DO UPDATE SET tracked = tracked + excluded.tracked
"""
DUE = "SELECT 1 FROM queue_item WHERE state = 'waiting' AND due_at <= ? LIMIT 1"
CLAIM = """
UPDATE queue_item SET leased = 1, due_at = :until WHERE id IN (
    SELECT id FROM queue_item WHERE state = 'waiting' AND due_at <= :now ORDER BY due_at LIMIT :limit
) RETURNING id, queue_id, polls, deadline_at, settles_at, status, processed
"""
POLLED = ("id", "state", "due_at", "reason", "status", "processed", "reply")
# A final reply is only replaced by another: a lead fetched anew may be one that LeadByte has forgotten.
TOLD = "polled.reply IS NOT NULL AND (polled.state = 'resolved' OR queue_item.resolved_at IS NULL)"
RECORD = f"""
UPDATE queue_item SET state = polled.state, due_at = polled.due_at, reason = polled.reason, polls = polls + 1,
    leased = 0, updated_at = ?, status = coalesce(polled.status, queue_item.status),
    processed = CASE WHEN {TOLD} THEN coalesce(polled.processed, queue_item.processed) ELSE queue_item.processed END,
    reply = CASE WHEN {TOLD} THEN polled.reply ELSE queue_item.reply END,
    resolved_at = CASE WHEN polled.state = 'resolved' AND (polled.reply IS NOT NULL OR resolved_at IS NULL) THEN ?
        ELSE resolved_at END
FROM {rows_named(*POLLED)} AS polled WHERE queue_item.id = polled.id AND queue_item.state = 'waiting'
"""


class Items(Base):
    """The part of the store that intake and polling use."""

    def track(self, tracks: Iterable[Track], now: float, deadline_at: float) -> int:
        new, stream = 0, iter(tracks)
        while chunk := list(islice(stream, CHUNK)):
            times = (now, deadline_at, now, now)
            rows = [
                (self._account, t.queue_id, json.dumps(dict(t.context), ensure_ascii=False), *times)
                for t in chunk
            ]
            with self._writing() as connection:
                ids = new_ids(connection, self._account, "queue_item")
                told = ((*row, id_) for row, id_ in zip(rows, ids, strict=False))
                added = connection.executemany(TRACK, told).rowcount
                connection.execute(LEDGER, (self._account, now, added))
            new += added
        return new

    def claim_waiting(self, now: float, limit: int) -> Sequence[WaitingItem]:
        if not self._all(DUE, (now,)):
            return []
        with self._writing() as connection:
            rows = connection.execute(CLAIM, {"now": now, "until": now + LEASE_SECONDS, "limit": limit})
            return [_waiting(row) for row in rows]

    def record_polls(self, records: Sequence[PollRecord], now: float) -> None:
        with self._writing() as connection:
            rows = [_recorded(record) for record in records]
            sql = RECORD.format(rows=marks(len(rows), len(POLLED)))
            connection.execute(sql, (now, now, *chain.from_iterable(rows)))

    def release_waiting(self, items: Sequence[WaitingItem], now: float) -> None:
        with self._writing() as connection:
            connection.executemany(
                "UPDATE queue_item SET leased = 0, due_at = ? WHERE id = ? AND state = 'waiting'",
                [(now, item.id) for item in items],
            )


def _waiting(row: Row) -> WaitingItem:
    said = (row["status"], row["processed"])
    return WaitingItem(row["id"], row["queue_id"], row["polls"], row["deadline_at"], row["settles_at"], said)


def _recorded(record: PollRecord) -> tuple[object, ...]:
    reply = record.reply
    said = (reply.status, reply.processed, reply.raw) if reply else (None, None, None)
    return (record.item_id, record.state, record.due_at, record.reason, *said)
