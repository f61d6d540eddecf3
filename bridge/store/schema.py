"""Tables, indexes and guards. Migrations are only ever appended to; the guards are made from TRANSITIONS at every start."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from sqlite_utils import Database, Migrations

from bridge.errors import StoreError
from bridge.model import BIRTHS, ITEM_TRANSITIONS, TRANSITIONS, ItemState, State
from bridge.store.database import writing

AnyState = TypeVar("AnyState", State, ItemState)

migrations = Migrations("bridge")

FIRST = """
CREATE TABLE queue_item (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    queue_id TEXT NOT NULL,
    context TEXT NOT NULL DEFAULT '{}',
    state TEXT NOT NULL DEFAULT 'waiting',
    status TEXT,
    processed TEXT,
    reply TEXT,
    reason TEXT,
    polls INTEGER NOT NULL DEFAULT 0,
    due_at REAL NOT NULL,
    deadline_at REAL NOT NULL,
    leased INTEGER NOT NULL DEFAULT 0,
    mapped INTEGER NOT NULL DEFAULT 0,
    generation INTEGER NOT NULL DEFAULT 0,
    force INTEGER NOT NULL DEFAULT 0,
    resync REAL,
    tracked_at REAL NOT NULL,
    resolved_at REAL,
    updated_at REAL NOT NULL,
    UNIQUE (account, queue_id)
) STRICT;
CREATE INDEX queue_item_due ON queue_item (due_at) WHERE state = 'waiting';
CREATE INDEX queue_item_resync ON queue_item (resync) WHERE resync IS NOT NULL;
CREATE INDEX queue_item_unmapped ON queue_item (id) WHERE state = 'resolved' AND mapped = 0;

CREATE TABLE delivery (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    target TEXT NOT NULL DEFAULT 'leadsquared',
    item_id INTEGER NOT NULL REFERENCES queue_item (id) ON DELETE CASCADE,
    mapping TEXT NOT NULL,
    identity TEXT,
    lookup TEXT,
    lane TEXT,
    keys TEXT NOT NULL DEFAULT '[]',
    fields TEXT NOT NULL DEFAULT '{}',
    older TEXT NOT NULL DEFAULT '{}',
    as_of REAL NOT NULL,
    state TEXT NOT NULL,
    stage TEXT NOT NULL,
    reason TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    polls INTEGER NOT NULL DEFAULT 0,
    request_id TEXT,
    call_id TEXT,
    sent_at REAL,
    due_at REAL NOT NULL,
    leased INTEGER NOT NULL DEFAULT 0,
    stale INTEGER NOT NULL DEFAULT 0,
    force INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL
) STRICT;
CREATE INDEX delivery_item ON delivery (item_id);
CREATE INDEX delivery_due ON delivery (lane, due_at) WHERE state = 'pending' AND stale = 0;
CREATE INDEX delivery_stale ON delivery (id) WHERE state = 'pending' AND stale = 1;
CREATE INDEX delivery_open ON delivery (identity) WHERE state IN ('pending', 'failed', 'unprocessed');
CREATE INDEX delivery_awaited ON delivery (state, due_at) WHERE state IN ('submitted', 'in_doubt');
CREATE UNIQUE INDEX delivery_identity_in_flight ON delivery (account, target, identity)
    WHERE state IN ('sending', 'submitted', 'in_doubt');
CREATE UNIQUE INDEX delivery_lookup_in_flight ON delivery (account, target, lookup)
    WHERE state IN ('sending', 'submitted', 'in_doubt');

CREATE TABLE attempt (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    delivery_id INTEGER NOT NULL REFERENCES delivery (id) ON DELETE CASCADE,
    call_id TEXT NOT NULL,
    stage TEXT NOT NULL,
    host TEXT NOT NULL,
    started_at REAL NOT NULL,
    answered_at REAL NOT NULL,
    state TEXT NOT NULL,
    result TEXT NOT NULL,
    reason TEXT
) STRICT;
CREATE INDEX attempt_delivery ON attempt (delivery_id);
CREATE TRIGGER attempt_is_append_only BEFORE UPDATE ON attempt
BEGIN SELECT RAISE(ABORT, 'attempts are only ever appended'); END;

CREATE TABLE agreed (
    account TEXT NOT NULL,
    target TEXT NOT NULL,
    identity TEXT NOT NULL,
    fields TEXT NOT NULL,
    updated_at REAL NOT NULL,
    PRIMARY KEY (account, target, identity)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    updated_at REAL NOT NULL,
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;

CREATE VIEW failed_leads AS
SELECT i.queue_id, d.mapping, d.stage, d.reason, substr(d.lookup, instr(d.lookup, '=') + 1) AS identifier,
       (SELECT count(*) FROM attempt a WHERE a.delivery_id = d.id) AS attempts,
       datetime(d.updated_at, 'unixepoch') AS failed_at, d.fields
FROM delivery d JOIN queue_item i ON i.id = d.item_id WHERE d.state = 'failed'
UNION ALL
SELECT queue_id, NULL, 'poll', reason, NULL, polls, datetime(updated_at, 'unixepoch'), NULL
FROM queue_item WHERE state = 'expired';
CREATE VIEW unprocessed_leads AS
SELECT i.queue_id, d.mapping, d.stage, d.reason, substr(d.lookup, instr(d.lookup, '=') + 1) AS identifier,
       (SELECT count(*) FROM attempt a WHERE a.delivery_id = d.id) AS attempts,
       datetime(d.updated_at, 'unixepoch') AS unprocessed_at, d.fields
FROM delivery d JOIN queue_item i ON i.id = d.item_id WHERE d.state = 'unprocessed';
"""


LEDGER = """
CREATE TABLE ledger (
    account TEXT NOT NULL,
    day TEXT NOT NULL,
    tracked INTEGER NOT NULL DEFAULT 0,
    forgotten INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account, day)
) STRICT, WITHOUT ROWID;
INSERT INTO ledger (account, day, tracked)
SELECT account, date(tracked_at, 'unixepoch'), count(*) FROM queue_item GROUP BY 1, 2;
"""


FEEDBACK = """
ALTER TABLE queue_item ADD COLUMN source TEXT NOT NULL DEFAULT 'leadbyte';
ALTER TABLE queue_item ADD COLUMN lead_id TEXT;
ALTER TABLE queue_item ADD COLUMN quarantine_id TEXT;
ALTER TABLE queue_item ADD COLUMN settles_at REAL;
CREATE INDEX queue_item_lead ON queue_item (lead_id) WHERE lead_id IS NOT NULL;
CREATE INDEX queue_item_quarantine ON queue_item (quarantine_id) WHERE quarantine_id IS NOT NULL;
ALTER TABLE delivery ADD COLUMN origin TEXT NOT NULL DEFAULT '{}';
CREATE INDEX delivery_to_leadbyte ON delivery (state) WHERE target = 'leadbyte';
CREATE TABLE link (
    account TEXT NOT NULL,
    who TEXT NOT NULL,
    item_id INTEGER NOT NULL REFERENCES queue_item (id) ON DELETE CASCADE,
    as_of REAL NOT NULL,
    PRIMARY KEY (account, who)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_item ON link (item_id);
CREATE TABLE acted (
    item_id INTEGER NOT NULL REFERENCES queue_item (id) ON DELETE CASCADE,
    mapping TEXT NOT NULL,
    kind TEXT NOT NULL,
    digest TEXT NOT NULL,
    acted_at REAL NOT NULL,
    PRIMARY KEY (item_id, mapping, kind)
) STRICT, WITHOUT ROWID;
"""


AGREED = """
ALTER TABLE agreed RENAME TO agreed_before;
CREATE TABLE agreed (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    target TEXT NOT NULL,
    identity TEXT NOT NULL,
    fields TEXT NOT NULL,
    updated_at REAL NOT NULL,
    UNIQUE (account, target, identity)
) STRICT;
INSERT INTO agreed (account, target, identity, fields, updated_at)
SELECT account, target, identity, fields, updated_at FROM agreed_before;
DROP TABLE agreed_before;
"""


@migrations()
def m001_first(database: Database) -> None:
    """The first release."""
    database.executescript(FIRST)


@migrations()
def m002_ledger(database: Database) -> None:
    """How many queueIds were tracked, and how many leads forgotten, on each day (UTC) of tracking."""
    database.executescript(LEDGER)


@migrations()
def m003_feedback(database: Database) -> None:
    """Changed LeadSquared leads and people's operations as items; LeadByte's ids; which rule has acted on what."""
    database.executescript(FEEDBACK)


@migrations()
def m004_agreed(database: Database) -> None:
    """Agreed values in the order in which they came: by identity, six rows to a page, each new one rewrote three pages."""
    database.executescript(AGREED)


NAMES = frozenset({one.__name__ for one in (m001_first, m002_ledger, m003_feedback, m004_agreed)})
"""Every migration of this version."""


def migrate(database: Database, path: Path) -> None:
    """Bring the database to this version, in one transaction. Raises StoreError where a newer version of the bridge wrote it."""
    if not _is_current(database, path):
        with writing(database, path):
            if not _is_current(database, path):
                migrations.apply(database)
                _guard(database.conn)


def _is_current(database: Database, path: Path) -> bool:
    applied = {migration.name for migration in migrations.applied(database)}
    if newer := applied - NAMES:
        raise StoreError(
            f"{path}: written by a newer version of the bridge (it has {', '.join(sorted(newer))}); "
            "install that version or restore a backup from before the upgrade"
        )
    return applied == NAMES and _held(database.conn).items() >= guards().items()


def _held(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall())


def _guard(connection: sqlite3.Connection) -> None:
    held = _held(connection)
    for name, sql in guards().items():
        if held.get(name) != sql:
            connection.execute(f"DROP TRIGGER IF EXISTS {name}")
            connection.execute(sql)


def guards() -> dict[str, str]:
    """The triggers that let only the transitions of `bridge.model` happen."""
    births = " AND ".join(f"NEW.state <> '{state}'" for state in sorted(BIRTHS))
    return {
        "delivery_transition": _transition_guard("delivery", TRANSITIONS),
        "queue_item_transition": _transition_guard("queue_item", ITEM_TRANSITIONS),
        "delivery_birth": (
            f"CREATE TRIGGER delivery_birth BEFORE INSERT ON delivery WHEN {births} "
            "BEGIN SELECT RAISE(ABORT, 'no delivery begins in this state'); END"
        ),
    }


def _transition_guard(table: str, transitions: Mapping[AnyState, frozenset[AnyState]]) -> str:
    # Comparisons one by one: for a list after IN, SQLite would fill a table at every row it guards.
    cases = " ".join(f"WHEN '{old}' THEN {_any_of(news)}" for old, news in sorted(transitions.items()))
    return (
        f"CREATE TRIGGER {table}_transition BEFORE UPDATE OF state ON {table} "
        f"WHEN OLD.state <> NEW.state AND NOT CASE OLD.state {cases} ELSE 0 END "
        f"BEGIN SELECT RAISE(ABORT, '{table}: no such transition'); END"
    )


def _any_of(states: frozenset[AnyState]) -> str:
    return " OR ".join(f"NEW.state = '{state}'" for state in sorted(states)) or "0"
