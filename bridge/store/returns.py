"""What an operation that LeadByte carried out means for the other direction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from bridge.model import Delivery, Stamp
from bridge.operation import ACTION, LEAD_ID, QUARANTINE_ID
from bridge.policy.merging import agree
from bridge.policy.values import Agreed
from bridge.ports import Birth
from bridge.store.acted import carried_out
from bridge.store.base import Base, Row, loaded

SETTLE_SECONDS = 3600.0
"""For how long a lead that LeadByte was told to process anew is not believed to be what it was before."""

TRIGGER_SECONDS = 60.0
"""The same after a mere trigger, of which LeadByte may have nothing to tell."""

DEADLINE_SECONDS = 86400.0
ORIGINS = """
SELECT d.origin, d.as_of, d.item_id, i.context FROM delivery d JOIN queue_item i ON i.id = d.item_id
WHERE d.id IN ({ids}) AND d.origin <> '{{}}'
"""
POLL_AGAIN = """
UPDATE queue_item SET state = 'waiting', mapped = 0, polls = 0, generation = generation + 1, reason = NULL,
    due_at = :now, deadline_at = :now + :deadline, settles_at = :now + :settle, updated_at = :now
WHERE source = 'leadbyte' AND state IN ('resolved', 'expired') AND {column} = :id
"""
COLUMNS = {LEAD_ID: "lead_id", QUARANTINE_ID: "quarantine_id"}


class Returns(Base):
    """The part of the store that follows an operation back to where it came from."""

    def _agree_origins(
        self, connection: sqlite3.Connection, operations: Sequence[Delivery], now: float
    ) -> None:
        """What LeadByte now holds, LeadSquared held before: the way forward need not bring it back."""
        ids = [delivery.id for delivery in operations]
        for row in connection.execute(ORIGINS.format(ids=", ".join("?" * len(ids))), ids).fetchall():
            names = json.loads(row["context"]).get("known_as", [])
            before = self._agreed(connection, names)
            agreed = {name: _agreed_from(row, before.get(name, {})) for name in names}
            self._keep_agreed(connection, agreed, now)

    def _doubt_origin(self, connection: sqlite3.Connection, birth: Birth, now: float) -> None:
        """Somebody set these columns in LeadSquared: what the way forward has of before must not follow."""
        if not birth.origin:
            return
        row = connection.execute("SELECT context FROM queue_item WHERE id = ?", (birth.item_id,)).fetchone()
        names = json.loads(row["context"]).get("known_as", [])
        before, stamp = self._agreed(connection, names), Stamp(birth.at, birth.item_id)
        doubted = {one: dict.fromkeys(_spelt(birth.origin, before.get(one, {})), stamp) for one in names}
        self._doubt(connection, doubted, now)

    def _poll_again(self, connection: sqlite3.Connection, operations: Iterable[Delivery], now: float) -> None:
        """LeadByte was told to process these leads anew: what becomes of them is another result of their queueId."""
        for delivery in operations:
            if delivery.lane.option == "once":
                settle = SETTLE_SECONDS if ACTION in delivery.fields else TRIGGER_SECONDS
                times = {"now": now, "deadline": DEADLINE_SECONDS, "settle": settle}
                sql = POLL_AGAIN.format(column=COLUMNS[delivery.key])
                connection.execute(sql, {**times, "id": delivery.lookup})
                carried_out(connection, delivery, now)


def _agreed_from(row: Row, before: Agreed) -> Mapping[str, tuple[str, Stamp]]:
    """The agreed values with the columns that a delivery was made from; spelt as before, whatever their case."""
    columns = _spelt(loaded(row["origin"]), before)
    return agree(before, columns, dict.fromkeys(columns, Stamp(row["as_of"], row["item_id"])))


def _spelt(columns: Mapping[str, str], before: Agreed) -> Mapping[str, str]:
    """The columns by the names under which they are agreed."""
    spelt = {name.lower(): name for name in before}
    return {spelt.get(name.lower(), name): text for name, text in columns.items()}
