"""The account: what was tracked, by the ledger, against the leads that are there; day by day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext

from bridge.model import LEAD_STATES
from bridge.ports import Day, Hearer, nobody
from bridge.store.base import Base
from bridge.store.database import translated

CHUNK = 20_000
RANKS = {state: rank for rank, state in enumerate(LEAD_STATES)}


def _rank(column: str) -> str:
    cases = " ".join(f"WHEN '{state}' THEN {rank}" for state, rank in RANKS.items())
    return f"CASE {column} {cases} END"


LEAD_RANK = f"""
min(
    coalesce((SELECT min({_rank("d.state")}) FROM delivery d WHERE d.item_id = i.id), {len(RANKS)}),
    CASE WHEN i.state = 'waiting' THEN {RANKS["waiting"]} WHEN i.state = 'expired' THEN {RANKS["expired"]}
         WHEN i.mapped = 0 THEN {RANKS["pending"]} ELSE {RANKS["superseded"]} END
)
"""
LEDGER = """
SELECT day, tracked, forgotten FROM ledger WHERE account = ? AND (tracked <> 0 OR forgotten <> 0)
"""
# One pass in pieces, in the order of the rows: the sorter that GROUP BY fills holds one piece, never every lead. The plus
# keeps SQLite from the index of queueIds.
LEADS = f"""
SELECT day, rank, count(*) AS n, max(id) AS last FROM (
    SELECT i.id, coalesce(date(i.tracked_at, 'unixepoch'), 'no day') AS day, {LEAD_RANK} AS rank
    FROM queue_item i WHERE +i.account = ? AND i.source = 'leadbyte' AND i.id > ? ORDER BY i.id LIMIT {CHUNK}
) GROUP BY day, rank
"""


class Account(Base):
    """The part of the store that counts every lead once."""

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with nullcontext() if self._database.conn.in_transaction else self._reading():
            yield

    @contextmanager
    def _reading(self) -> Iterator[None]:
        connection = self._database.conn
        with translated(self._path):
            connection.execute("BEGIN")
        try:
            yield
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def account(self, heard: Hearer = nobody) -> Sequence[Day]:
        with self.snapshot():
            told = {row["day"]: row for row in self._all(LEDGER, (self._account,))}
            found = self._states_by_day(heard)
        days = sorted({*told, *found})
        return [
            Day(
                day,
                tracked=told[day]["tracked"] if day in told else 0,
                forgotten=told[day]["forgotten"] if day in told else 0,
                states=_by_state(found.get(day, {})),
            )
            for day in days
        ]

    def _states_by_day(self, heard: Hearer) -> dict[str, dict[int, int]]:
        total = self._all("SELECT max(id) FROM queue_item")[0][0] or 0
        found: dict[str, dict[int, int]] = {}
        last = -(2**63)
        while rows := self._all(LEADS, (self._account, last)):
            for row in rows:
                ranks = found.setdefault(row["day"], {})
                ranks[row["rank"]] = ranks.get(row["rank"], 0) + row["n"]
            last = max(row["last"] for row in rows)
            heard(last, total)
        return found


def _by_state(ranks: Mapping[int, int]) -> Mapping[str, int]:
    """The states that any leads are in, in the order of LEAD_STATES."""
    return {state: ranks[rank] for state, rank in RANKS.items() if rank in ranks}
