"""Changed LeadSquared leads: how each looks, and what the way forward knows of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Final

from bridge.model import LEADSQUARED, Change
from bridge.operation import Learned
from bridge.policy.merging import merge
from bridge.policy.values import Agreed, digest, same
from bridge.ports import Names
from bridge.store.account import Account
from bridge.store.base import Row, loaded
from bridge.store.life import CHECKPOINT
from bridge.store.numbering import new_ids

CHUNK: Final = 500
MOST_NAMES: Final = 20
"""How many former identities of one lead are remembered."""

KEPT = "SELECT * FROM queue_item WHERE account = ? AND queue_id IN ({marks})"
SEEN = """
INSERT INTO queue_item (account, queue_id, source, context, state, reply, resolved_at, due_at, deadline_at, tracked_at,
    updated_at, id)
VALUES (?, ?, 'leadsquared', ?, 'resolved', ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (account, queue_id) DO UPDATE SET context = excluded.context, reply = excluded.reply,
    resolved_at = excluded.resolved_at, mapped = 0, generation = generation + 1, updated_at = excluded.updated_at
"""
SEEN_AGAIN = """
UPDATE queue_item SET resolved_at = ? WHERE account = ? AND queue_id = ? AND source = 'leadsquared' AND resolved_at < ?
"""
LEARNED = """
SELECT i.lead_id, i.quarantine_id FROM link l JOIN queue_item i ON i.id = l.item_id
WHERE l.account = ? AND l.who IN ({marks}) ORDER BY l.as_of DESC, i.id DESC LIMIT 1
"""
UNDER_WAY = """
SELECT fields FROM delivery WHERE target = 'leadsquared' AND account = ? AND identity IN ({marks})
AND state = 'pending' AND state IN ('pending', 'failed', 'unprocessed')
UNION ALL
SELECT fields FROM delivery WHERE target = 'leadsquared' AND account = ? AND identity IN ({marks})
AND state IN ('sending', 'submitted', 'in_doubt')
"""


class Changes(Account):
    """The part of the store that the change stage, and the mapping of changes, read and write."""

    def observe(
        self, changes: Sequence[Change], now: float, checkpoint: tuple[str, str] | None = None
    ) -> int:
        newest = {change.prospect_id: change for change in sorted(changes, key=lambda one: one.modified_at)}
        with self._writing() as connection:
            kept = self._kept(connection, list(newest))
            different = _different(newest, kept)
            ids = new_ids(connection, self._account, "queue_item")
            told = [(self._account, *row, now, now, now, now) for row in different]
            connection.executemany(SEEN, [(*row, next(ids)) for row in told])
            connection.executemany(SEEN_AGAIN, self._seen_again(newest, kept))
            if checkpoint is not None:
                connection.execute(CHECKPOINT, (self._account, *checkpoint, now))
        return len(different)

    def _seen_again(
        self, newest: Mapping[str, Change], kept: Mapping[str, Row]
    ) -> list[tuple[float, str, str, float]]:
        """Of the leads that were modified since they were kept: a look from in between must not pass for newer."""
        return [
            (change.modified_at, self._account, id_, change.modified_at)
            for id_, change in newest.items()
            if id_ in kept and change.modified_at > (kept[id_]["resolved_at"] or inf)
        ]

    def _kept(self, connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, Row]:
        found: dict[str, Row] = {}
        for at in range(0, len(ids), CHUNK):
            some = ids[at : at + CHUNK]
            rows = connection.execute(KEPT.format(marks=_marks(some)), (self._account, *some))
            found |= {row["queue_id"]: row for row in rows}
        return found

    def names(self, item_id: int) -> Names:
        rows = self._all("SELECT context FROM queue_item WHERE id = ?", (item_id,))
        told = json.loads(rows[0]["context"]) if rows else {}
        return Names(*(tuple(told.get(name, ())) for name in ("found_by", "known_as", "formerly")))

    def learned(self, identities: Sequence[str]) -> Learned:
        who = [digest(one) for one in identities]
        rows = self._all(LEARNED.format(marks=_marks(who)), (self._account, *who))
        return Learned(rows[0]["lead_id"], rows[0]["quarantine_id"]) if rows else Learned()

    def written(self, identities: Sequence[str]) -> Mapping[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        for name, text in self._on_its_way(identities):
            found.setdefault(name.lower(), set()).add(digest(text))
        with self.snapshot():
            agreed = self._agreed(self._database.conn, identities)
        for name, (held, _) in _newest(agreed.values()).items():
            found.setdefault(name, set()).add(held)
        return {name: frozenset(digests) for name, digests in found.items()}

    def _on_its_way(self, identities: Sequence[str]) -> list[tuple[str, str]]:
        told = (self._account, *identities)
        rows = self._all(UNDER_WAY.format(marks=_marks(identities)), (*told, *told))
        return [pair for row in rows for pair in loaded(row["fields"]).items()]


def _different(newest: Mapping[str, Change], kept: Mapping[str, Row]) -> list[tuple[object, ...]]:
    """The rows of the leads that look otherwise than kept, and of those not kept yet."""
    return [
        (
            change.prospect_id,
            _names(change, kept.get(id_)),
            json.dumps(dict(change.values)),
            change.modified_at,
        )
        for id_, change in newest.items()
        if _is_news(change, kept.get(id_))
    ]


def _is_news(change: Change, kept: Row | None) -> bool:
    """Whether a lead has to be mapped. A row of LeadByte's under the same name is left alone."""
    if kept is None:
        return True
    if kept["source"] != LEADSQUARED or change.modified_at < kept["resolved_at"]:
        return False
    if kept["reply"] is None:
        return True
    before = json.loads(kept["reply"])
    names = {*before, *change.values}
    return not all(same(before.get(name) or "", change.values.get(name) or "") for name in names)


def _newest(agreed: Iterable[Agreed]) -> Agreed:
    """Column in lower case → what was agreed of it last, under whichever of the lead's names."""
    newest: Agreed = {}
    for fields in agreed:
        newest = merge({name.lower(): held for name, held in fields.items()}, newest)
    return newest


def _names(change: Change, kept: Row | None) -> str:
    """The column `context`: every identity that the lead has, and those that it had."""
    before = json.loads(kept["context"]) if kept else {}
    formerly = dict.fromkeys((*before.get("known_as", ()), *before.get("formerly", ())))
    past = [name for name in formerly if name not in change.known_as][:MOST_NAMES]
    told = {"found_by": list(change.found_by), "known_as": list(change.known_as), "formerly": past}
    return json.dumps({name: names for name, names in told.items() if names})


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
