"""One SQLite connection, as the bridge needs it: durable, short transactions, errors in words."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from bridge.errors import Busy, Conflict, DiskFull, StoreError

BUSY_SECONDS = 10.0
PRAGMAS = (
    # Of a new file. A commit writes whole pages, each by two calls, and most of them are filled one after another.
    "PRAGMA page_size=8192",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",
    "PRAGMA journal_size_limit=67108864",
    # A statement that a guard may stop keeps an undo journal of its own; in a file it costs more than all else together.
    "PRAGMA temp_store=MEMORY",
)
NO_ROOM = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
        sqlite3.SQLITE_IOERR_SHMOPEN,
    }
)
"""SQLite's codes where there is no room: a disk that is full, a quota, a limit of a file's size."""

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
WAL_BEGINS = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
WAY_OUT = "move it away, its -wal and -shm files too, and restore a backup or track the queueIds again with `bridge enqueue`"


class Connection(sqlite3.Connection):
    """Refuses to work on where its file was deleted or replaced: nobody would ever find what it wrote."""

    watched: tuple[Path, object] | None = None

    def watch(self, path: Path) -> None:
        """From now on `path` must stay the file that it is."""
        self.watched = (path, _identity(path))

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:  # noqa: ANN401 - as the class above
        """As SQLite's own. Raises StoreError where the file is gone; within a transaction that is not looked at."""
        if self.watched and not self.in_transaction:
            path, identity = self.watched
            if _identity(path) != identity:
                raise StoreError(
                    f"{path}: was deleted or replaced while the bridge used it, and nothing more is done; {WAY_OUT}, "
                    "then start the bridge again"
                )
        return super().execute(sql, parameters)


def connect(path: Path) -> Database:
    """Open the database file, creating it (mode 0600) where there is none.

    Raises StoreError where it cannot be read or written or is no database, Busy where another program locks it.
    """
    with translated(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_remains(path, path.with_name(f"{path.name}-wal"))
        path.touch(mode=0o600, exist_ok=True)
        _close_to_others(path)
        connection = sqlite3.connect(
            path,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
            factory=Connection,
        )
        try:
            return _prepared(connection, path)
        except BaseException:
            connection.close()
            raise


def _close_to_others(path: Path) -> None:
    """Take from everybody else what they may do with the directory and the database's files, where they are ours."""
    for one in (path.parent, path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        with suppress(FileNotFoundError, PermissionError):
            if (mode := stat.S_IMODE(one.stat().st_mode)) & 0o077:
                one.chmod(mode & 0o700)


def _prepared(connection: Connection, path: Path) -> Database:
    connection.watch(path)
    database = Database(connection, execute_plugins=False)
    for pragma in PRAGMAS:
        connection.execute(pragma).fetchall()
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return database


def verify(database: Database, path: Path) -> None:
    """Read the whole file and raise StoreError where a page of it is damaged. Takes a second or so for a gigabyte."""
    with translated(path):
        (found,) = database.conn.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise _damaged(path, str(found).splitlines()[-1])


def _refuse_remains(path: Path, wal: Path) -> None:
    """What SQLite would take for a new database, and throw the latest changes away, is refused."""
    if not wal.exists() or not wal.stat().st_size:
        return
    if not path.exists() or not path.stat().st_size:
        raise StoreError(f"{path}: empty or gone, while {wal.name} still holds its latest changes; {WAY_OUT}")
    with wal.open("rb") as stream:
        begin = stream.read(4)
        # After a loss of power a file may hold nothing but zeros: then nothing had been stored in it.
        if begin not in WAL_BEGINS and (any(begin) or any(map(any, iter(lambda: stream.read(65536), b"")))):
            raise _damaged(path, f"{wal.name} is none of its files")


def _identity(path: Path) -> object:
    """What tells a file from a later one of its name; None where it is gone."""
    try:
        found = os.stat(path)  # noqa: PTH116 - Path.stat costs twice as much, and this is done for every statement
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


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
        raise _damaged(path, str(error)) from None
    except (FileExistsError, NotADirectoryError):
        raise StoreError(f"{path.parent}: is no directory; move it away, or set BRIDGE_STATE_DIR") from None
    except OSError as error:
        if error.errno in NO_SPACE:
            raise _full(path, error.strerror or "") from None
        raise StoreError(
            f"{path}: {error.strerror or error}; make the directory writable for the user that runs the bridge, "
            "or set BRIDGE_STATE_DIR"
        ) from None


def _operational(path: Path, error: sqlite3.OperationalError) -> Busy | StoreError:
    text, code = str(error), getattr(error, "sqlite_errorcode", 0)
    if "locked" in text or "busy" in text:
        return Busy(f"{path}: another program keeps the database locked ({text}); close it and try again")
    if code in NO_ROOM:
        return _full(path, text)
    if code & 0xFF == sqlite3.SQLITE_IOERR:
        return StoreError(f"{path}: {text}; look after the disk, then start the bridge again")
    return StoreError(
        f"{path}: {text}; make the file and its directory writable for the user that runs the bridge, "
        "or set BRIDGE_STATE_DIR"
    )


def _full(path: Path, text: str) -> DiskFull:
    return DiskFull(
        f"{path}: no room to write ({text}); make room on the disk or raise the quota, nothing was lost"
    )


def _damaged(path: Path, text: str) -> StoreError:
    return StoreError(f"{path}: damaged or no database of the bridge ({text}); {WAY_OUT}")
