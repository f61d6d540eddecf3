"""The store on SQLite. The contract is `bridge.ports.Store`; its tests are `tests/contract/test_store.py`."""

from __future__ import annotations

from pathlib import Path

from sqlite_utils import Database

from bridge.errors import StoreError
from bridge.store.audit import Audit
from bridge.store.backup import Backup
from bridge.store.changes import Changes
from bridge.store.database import connect, translated, verify
from bridge.store.decided import Decided
from bridge.store.deliveries import Deliveries
from bridge.store.dismissing import Dismissing
from bridge.store.items import Items
from bridge.store.life import Life
from bridge.store.people import People
from bridge.store.privacy import Privacy
from bridge.store.retention import Retention
from bridge.store.schema import migrate

FILE = "bridge.db"


class SqliteStore(
    Items, Decided, Dismissing, Deliveries, Changes, Life, People, Audit, Privacy, Retention, Backup
):
    """`bridge.ports.Store` on one SQLite file. One connection, to be used by one thread at a time."""

    def never_wait(self) -> None:
        """Raise Busy at once where another program holds the database, for a caller that waits by itself."""
        self._database.conn.execute("PRAGMA busy_timeout = 0")

    def verify(self) -> None:
        """Read the whole file. Raises StoreError where any of it is damaged."""
        verify(self._database, self._path)

    def close(self) -> None:
        """Let go of the file."""
        self._database.conn.close()


def open_store(state_dir: Path, account: str = "default", *, create: bool = True) -> SqliteStore:
    """Open `state_dir`'s database, creating (unless told not to) or upgrading it.

    Raises StoreError where it cannot be used, Busy where another program locks it.
    """
    path = state_dir / FILE
    if not (create or path.exists()):
        raise StoreError(
            f"{path.absolute()}: there is no such database; set BRIDGE_STATE_DIR, or restore a backup"
        )
    database = connect(path)
    with translated(path):
        migrate(database, path)
    _of_this_account(database, path, account)
    return SqliteStore(database, path, account)


def _of_this_account(database: Database, path: Path, account: str) -> None:
    held = database.conn.execute("SELECT account FROM queue_item LIMIT 1").fetchone()
    if held and held[0] != account:
        database.conn.close()
        raise StoreError(
            f"{path}: belongs to the account {held[0]!r}; set BRIDGE_ACCOUNT to it, or BRIDGE_STATE_DIR to another directory"
        )
