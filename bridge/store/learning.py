"""Which LeadByte lead is whose."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from operator import attrgetter
from typing import Final

from bridge.model import identity
from bridge.operation import LEAD_ID, QUARANTINE_ID, Learned
from bridge.policy.values import digest
from bridge.ports import Birth
from bridge.store.base import Base, marks

NOTHING: Final = Learned()
KNOWN = """
UPDATE queue_item SET lead_id = coalesce(?, lead_id), quarantine_id = coalesce(?, quarantine_id) WHERE id = ?
"""
ANY_HELD = "SELECT 1 FROM agreed WHERE account = ? AND target = 'leadbyte' LIMIT 1"
DROP_HELD = """
DELETE FROM agreed WHERE account = ? AND target = 'leadbyte' AND identity IN ({marks})
"""
LINK = """
INSERT INTO link (account, who, item_id, as_of) VALUES {rows}
ON CONFLICT DO UPDATE SET item_id = excluded.item_id, as_of = excluded.as_of WHERE excluded.as_of >= link.as_of
"""


_at = attrgetter("at")


class Learning(Base):
    """The part of the store that keeps LeadByte's ids, and whom they are of. Of a person it holds digests only."""

    def _learn(self, connection: sqlite3.Connection, births: Sequence[Birth]) -> None:
        """Note which LeadByte lead is whose, under every name that LeadSquared may be asked for them by."""
        rows = {
            (self._account, digest(identity(key, birth.mapped.fields[key]))): (birth.item_id, birth.at)
            for birth in sorted(births, key=_at)
            if birth.mapped and (birth.learned.lead_id or birth.learned.quarantine_id)
            for key in birth.mapped.keys
        }
        if rows:
            told = chain.from_iterable((*who, *what) for who, what in rows.items())
            connection.execute(LINK.format(rows=marks(len(rows), 4)), list(told))

    def _forget_held(self, connection: sqlite3.Connection, births: Sequence[Birth]) -> None:
        """LeadByte told anew how these leads are: what it was given before is not what it must hold."""
        if not connection.execute(ANY_HELD, (self._account,)).fetchone():
            return
        names = {
            identity(name, id_)
            for learned in {birth.learned for birth in births}
            for name, id_ in ((LEAD_ID, learned.lead_id), (QUARANTINE_ID, learned.quarantine_id))
            if id_
        }
        if names:
            sql = DROP_HELD.format(marks=", ".join("?" * len(names)))
            connection.execute(sql, (self._account, *names))

    def _learn_late(self, connection: sqlite3.Connection, birth: Birth) -> None:
        """The same of a lead that was mapped before, and its ids."""
        self._learn(connection, [birth])
        ids = (birth.learned.lead_id, birth.learned.quarantine_id)
        connection.execute(KNOWN, (*ids, birth.item_id))
