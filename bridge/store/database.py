"""One SQLite connection, as the bridge needs it: durable, short transactions, errors in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from bridge.errors import Busy, Conflict, StoreError

BUSY_SECONDS = 10.0
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=FAST",
    "PRAGMA journal_size_limit=67108864",
    # A statement that a guard may stop keeps an undo journal of its own; in a file it costs more than all else together.
    "PRAGMA temp_store=MEMORY",
)


def connect(path: Path) -> Database:
    """Open the database file, creating it (mode 0600) where there is none.

    Raises StoreError where it cannot be read or written or is no database, Busy where another program locks it.
    """
    with translated(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        database = Database(connection, execute_plugins=False)
        for pragma in PRAGMAS:
            connection.execute(pragma).fetchall()
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return database


@contextmanager
def writing(database: Database, path: Path) -> Iterator[sqlite3.Connection]:
    """One write transaction, begun at once so that no read in it grows stale; rolled back on any exception."""
    connection: sqlite3.Connection = database.conn
    with translated(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's and the file system's errors as errors that tell a person what to do."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise Conflict(str(error)) from error
    except sqlite3.OperationalError as error:
        raise _operational(path, error) from None
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"{path}: damaged or no database of the bridge ({error}); restore it from a backup, or move it "
            "away and track the queueIds again with `bridge enqueue`"
        ) from None
    except (FileExistsError, NotADirectoryError):
        raise StoreError(f"{path.parent}: is no directory; move it away, or set BRIDGE_STATE_DIR") from None
    except OSError as error:
        raise StoreError(
            f"{path}: {error.strerror or error}; make the directory writable for the user that runs the bridge, "
            "or set BRIDGE_STATE_DIR"
        ) from None


def _operational(path: Path, error: sqlite3.OperationalError) -> Busy | StoreError:
    text = str(error)
    if "locked" in text or "busy" in text:
        return Busy(f"{path}: another program keeps the database locked ({text}); close it and try again")
    if "full" in text:
        return StoreError(f"{path}: the disk is full; make room, nothing was lost")
    return StoreError(
        f"{path}: {text}; make the file and its directory writable for the user that runs the bridge, "
        "or set BRIDGE_STATE_DIR"
    )
