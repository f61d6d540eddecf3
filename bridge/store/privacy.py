"""People's data: found and erased."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from bridge.model import LEADBYTE, LEADSQUARED, Stamp, identity
from bridge.operation import LEAD_ID, QUARANTINE_ID
from bridge.policy.people import Person
from bridge.ports import Erased, Hearer, Theirs, nobody
from bridge.store.base import Base, Row, dumped, loaded
from bridge.store.database import translated
from bridge.store.numbering import keep_ids

PAGE: Final = 500
GROUP: Final = 50

ITEMS = """
SELECT id AS item_id, id, queue_id, lead_id, quarantine_id, context, reply, reason FROM queue_item
WHERE id > ? AND updated_at >= ? ORDER BY id LIMIT ?
"""
DELIVERIES = """
SELECT item_id, id, identity, lookup, fields, origin, reason FROM delivery
WHERE id > ? AND updated_at >= ? ORDER BY id LIMIT ?
"""
ATTEMPTS = """
SELECT d.item_id, a.id, a.reason FROM attempt a JOIN delivery d ON d.id = a.delivery_id
WHERE a.id > ? AND a.answered_at >= ? AND a.reason IS NOT NULL ORDER BY a.id LIMIT ?
"""
AGREED = """
SELECT target, identity FROM agreed WHERE account = ? AND (target, identity) > (?, ?) AND updated_at >= ?
ORDER BY target, identity LIMIT ?
"""
OWN_IDS: Final = ("queue_id", "lead_id", "quarantine_id")
TABLES: Final = {"queue_item": ITEMS, "delivery": DELIVERIES, "attempt": ATTEMPTS}
BLANKED: Final = "the reason named a person who was forgotten"
DROP_AGREED = (
    f"DELETE FROM agreed WHERE account = ? AND target IN ('{LEADBYTE}', '{LEADSQUARED}') AND identity = ?"
)
BEING_SENT = """
SELECT DISTINCT item_id FROM delivery WHERE state IN ('sending', 'submitted', 'in_doubt') AND state = 'sending'
AND item_id IN ({ids})
"""
THEIRS = "SELECT identity, lookup, keys, fields FROM delivery WHERE item_id IN ({ids})"
COUNTED = """
SELECT (SELECT count(*) FROM delivery WHERE item_id IN ({ids})) AS deliveries,
    (SELECT count(*) FROM attempt a JOIN delivery d ON d.id = a.delivery_id WHERE d.item_id IN ({ids})) AS attempts
"""
FORGOTTEN = """
UPDATE ledger SET forgotten = forgotten + gone.n
FROM (SELECT account, date(tracked_at, 'unixepoch') AS day, count(*) AS n FROM queue_item
    WHERE id IN ({ids}) AND source = 'leadbyte' GROUP BY 1, 2)
    AS gone
WHERE ledger.account = gone.account AND ledger.day = gone.day
"""
LEADBYTE_NAMES: Final = (LEAD_ID, QUARANTINE_ID)
LEADBYTE_IDS = "SELECT lead_id, quarantine_id FROM queue_item WHERE id IN ({ids})"
ASKED_FOR = """
SELECT d.item_id FROM delivery d JOIN queue_item i ON i.id = d.item_id
WHERE d.target = 'leadbyte' AND i.source = 'hand' AND d.identity IN ({ids})
"""
TAKEN_OVER = "SELECT id, older FROM delivery WHERE id > ? AND older <> '{}' ORDER BY id LIMIT ?"


class Privacy(Base):
    """The part of the store that requests of people use."""

    def theirs(self, person: Person, since: float = 0.0, heard: Hearer = nobody) -> Theirs:
        """A lead is theirs by its own data. The other side's words are on every lead of a call, whomever they name."""
        items: set[int] = set()
        named: list[tuple[int, str, int]] = []
        for table, row in self._speaking(person, since, heard):
            if _is_theirs(person, row):
                items.add(row["item_id"])
            else:
                named.append((row["item_id"], table, row["id"]))
        items |= self._by_hand(sorted(items))
        mentions: dict[str, list[int]] = {}
        for item_id, table, id_ in named:
            if item_id not in items:
                mentions.setdefault(table, []).append(id_)
        return Theirs(self._queue_ids(sorted(items)), tuple(self._agreed_of(person, since)), mentions)

    def _speaking(self, person: Person, since: float, heard: Hearer) -> Iterator[tuple[str, Row]]:
        """The rows that speak of this person, each with its table."""
        lasts = {table: self._all(f"SELECT max(id) FROM {table}")[0][0] or 0 for table in TABLES}
        before = 0
        for table, sql in TABLES.items():
            for after, found in self._pages(person, sql, since):
                heard(before + after, sum(lasts.values()))
                yield from ((table, row) for row in found)
            before += lasts[table]

    def _by_hand(self, items: Sequence[int]) -> set[int]:
        """The operations that people asked for on the LeadByte leads of these items."""
        names = list(_leadbyte_names(self._in_pages(LEADBYTE_IDS, items)))
        return {row["item_id"] for row in self._in_pages(ASKED_FOR, names)}

    def _in_pages(self, sql: str, values: Sequence[object]) -> Iterator[Row]:
        for at in range(0, len(values), PAGE):
            some = tuple(values[at : at + PAGE])
            yield from self._all(sql.format(ids=_marks(some)), some)

    def counted(self, theirs: Theirs) -> Erased:
        mentions = sum(map(len, theirs.mentions.values()))
        ids = sorted(theirs.leads)
        counted = Erased(len(ids), agreed=len(theirs.agreed), mentions=mentions)
        for at in range(0, len(ids), PAGE):
            some = ids[at : at + PAGE]
            (deliveries, attempts) = self._all(COUNTED.format(ids=_marks(some)), (*some, *some))[0]
            counted += Erased(deliveries=deliveries, attempts=attempts)
        return counted

    def erase(self, theirs: Theirs, now: float, *, running: bool) -> Erased:
        """What other leads took over goes first: a run that is cut off still finds the leads it came from."""
        ids = sorted(theirs.leads)
        gone = frozenset(ids) - (self._being_sent(ids) if running else set())
        erased = Erased(taken_over=sum(self._give_up(id_, gone) for id_ in self._holders(gone)))
        for at in range(0, len(ids), GROUP):
            erased += self._erase(ids[at : at + GROUP], now, running=running)
        for at in range(0, len(theirs.agreed), GROUP):
            with self._writing() as connection:
                erased += Erased(agreed=self._drop_agreed(connection, theirs.agreed[at : at + GROUP]))
        return erased + Erased(mentions=self._blank(theirs.mentions))

    def empty_log(self) -> bool:
        """Bring the write-ahead log into the database and cut it to nothing; False where others use it just now."""
        (busy, *_) = self._all("PRAGMA wal_checkpoint(TRUNCATE)")[0]
        return not busy

    def rebuild(self) -> bool:
        """Write every page anew, so that no unused part of one holds anything. Only for the holder of the state lock.

        True; raises Busy where others use the database just now.
        """
        # The copy that is made meanwhile is as large as the database: neither in memory, nor where others may look.
        os.environ.setdefault("SQLITE_TMPDIR", str(self._path.parent))
        self._all("PRAGMA temp_store=FILE")
        self._all("VACUUM")
        self._all("PRAGMA temp_store=MEMORY")
        return True

    def _pages(self, person: Person, sql: str, since: float) -> Iterator[tuple[int, list[Row]]]:
        """The last id of each page, and its rows that speak of this person; a page is read in one short transaction."""
        after, rows = 0, PAGE
        while rows == PAGE:
            rows, found = 0, []
            with translated(self._path):
                for row in self._database.conn.execute(sql, (after, since, PAGE)):
                    rows, after = rows + 1, row["id"]
                    if _speaks_of(person, row):
                        found.append(row)
            yield after, found

    def _agreed_of(self, person: Person, since: float) -> Iterator[str]:
        after: tuple[str, str] | None = ("", "")
        while after is not None:
            rows = self._all(AGREED, (self._account, *after, since, PAGE))
            yield from (row["identity"] for row in rows if person.is_in(row["identity"]))
            after = tuple(rows[-1]) if len(rows) == PAGE else None

    def _queue_ids(self, items: Sequence[int]) -> dict[int, str]:
        found: dict[int, str] = {}
        for at in range(0, len(items), PAGE):
            some = items[at : at + PAGE]
            rows = self._all(f"SELECT id, queue_id FROM queue_item WHERE id IN ({_marks(some)})", tuple(some))
            found |= {row["id"]: row["queue_id"] for row in rows}
        return found

    def _erase(self, ids: Sequence[int], now: float, *, running: bool) -> Erased:
        with self._writing() as connection:
            sent = _ids(connection, BEING_SENT, ids) if running else set()
            left = _named(connection, sorted(sent))
            gone = [one for one in ids if one not in sent]
            marks = _marks(gone)
            rows = connection.execute(THEIRS.format(ids=marks), gone).fetchall()
            (deliveries, attempts) = connection.execute(COUNTED.format(ids=marks), (*gone, *gone)).fetchone()
            for table in ("queue_item", "delivery"):
                keep_ids(connection, self._account, table, now)
            names = {name for row in rows for name in _names(row)} | _known_as(connection, gone)
            names |= set(_leadbyte_names(connection.execute(LEADBYTE_IDS.format(ids=marks), gone)))
            agreed = self._drop_agreed(connection, sorted(names))
            connection.execute(FORGOTTEN.format(ids=marks), gone)
            leads = connection.execute(f"DELETE FROM queue_item WHERE id IN ({marks})", gone).rowcount
        return Erased(leads, deliveries, attempts, agreed, left=left)

    def _being_sent(self, ids: Sequence[int]) -> set[int]:
        pages = (ids[at : at + PAGE] for at in range(0, len(ids), PAGE))
        return {
            row[0] for some in pages for row in self._all(BEING_SENT.format(ids=_marks(some)), tuple(some))
        }

    def _blank(self, mentions: Mapping[str, Sequence[int]]) -> int:
        blanked = 0
        with self._writing() as connection, _attempts_open(connection):
            for table, ids in mentions.items():
                told = [(BLANKED, id_) for id_ in ids]
                blanked += connection.executemany(
                    f"UPDATE {table} SET reason = ? WHERE id = ?", told
                ).rowcount
        return blanked

    def _drop_agreed(self, connection: sqlite3.Connection, identities: Iterable[str]) -> int:
        told = [(self._account, one) for one in identities]
        return connection.executemany(DROP_AGREED, told).rowcount if told else 0

    def _holders(self, gone: frozenset[int]) -> list[int]:
        """The deliveries of other leads that took over values of these."""
        holders, after, rows = [], 0, PAGE
        while gone and rows == PAGE:
            page = self._all(TAKEN_OVER, (after, PAGE))
            rows, after = len(page), page[-1]["id"] if page else 0
            holders += [row["id"] for row in page if _taken_over(row["older"], gone)]
        return holders

    def _give_up(self, delivery_id: int, gone: frozenset[int]) -> int:
        """Take such values out of a delivery. How many there were; the one the lead is looked up by stays."""
        with self._writing() as connection:
            sql = "SELECT fields, older, lane, keys FROM delivery WHERE id = ?"
            row = connection.execute(sql, (delivery_id,)).fetchone()
            names = _taken_over(row["older"], gone) - _lookup_names(row) if row else frozenset()
            kept = [
                dumped({name: value for name, value in loaded(row[column]).items() if name not in names})
                for column in ("fields", "older")
                if names
            ]
            if kept:
                connection.execute(
                    "UPDATE delivery SET fields = ?, older = ? WHERE id = ?", (*kept, delivery_id)
                )
            return len(names)


@contextmanager
def _attempts_open(connection: sqlite3.Connection) -> Iterator[None]:
    """Attempts are only ever appended, but for this: within one transaction their guard is gone."""
    (guard,) = connection.execute(
        "SELECT sql FROM sqlite_master WHERE name = 'attempt_is_append_only'"
    ).fetchone()
    connection.execute("DROP TRIGGER attempt_is_append_only")
    yield
    connection.execute(guard)


def _is_theirs(person: Person, row: Row) -> bool:
    """Whether the lead's own data speaks of them, and not only words about it."""
    return _speaks_of(person, row, but="reason")


def _speaks_of(person: Person, row: Row, but: str = "") -> bool:
    texts = {name: row[name] for name in row.keys() if isinstance(row[name], str)}  # noqa: SIM118 - a Row iterates over values
    told = (text for name, text in texts.items() if name != but)
    own = (texts.get(name, "") for name in OWN_IDS)
    return any(map(person.is_id, own)) or any(map(person.is_in, told))


def _names(row: Row) -> set[str]:
    """Every name that the lead of a delivery may be agreed under."""
    fields = loaded(row["fields"])
    tried = {identity(key, fields[key]) for key in loaded(row["keys"]) if key in fields}
    return tried | {name for name in (row["identity"], row["lookup"]) if name}


def _known_as(connection: sqlite3.Connection, ids: Sequence[int]) -> set[str]:
    """Every name that these changed LeadSquared leads have had."""
    sql = f"SELECT context FROM queue_item WHERE source = '{LEADSQUARED}' AND id IN ({_marks(ids)})"
    contexts = [loaded(row["context"]) for row in connection.execute(sql, ids)]
    kept = (context.get(names, ()) for context in contexts for names in ("known_as", "formerly"))
    return {name for names in kept for name in names}


def _taken_over(older: str, gone: frozenset[int]) -> frozenset[str]:
    """The fields whose values came from one of these items."""
    return frozenset(name for name, stamp in loaded(older).items() if Stamp(*stamp).arrival in gone)


def _lookup_names(row: Row) -> frozenset[str]:
    return frozenset({row["lane"].split("|")[1], *loaded(row["keys"])[:1]} if row["lane"] else ())


def _ids(connection: sqlite3.Connection, sql: str, ids: Sequence[int]) -> set[int]:
    return {row[0] for row in connection.execute(sql.format(ids=_marks(ids)), ids)}


def _named(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[int, str]:
    sql = f"SELECT id, queue_id FROM queue_item WHERE id IN ({_marks(ids)})"
    return {row["id"]: row["queue_id"] for row in connection.execute(sql, ids)}


def _leadbyte_names(rows: Iterable[Row]) -> Iterator[str]:
    """The identities of leads on LeadByte's side."""
    return (identity(name, row[name]) for row in rows for name in LEADBYTE_NAMES if row[name])


def _marks(ids: Sequence[object]) -> str:
    return ", ".join("?" * len(ids))
