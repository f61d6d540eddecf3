"""A consistent copy of the database while others work on it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from bridge.errors import StoreError
from bridge.store.base import Base
from bridge.store.database import translated


class Backup(Base):
    """The part of the store that makes copies."""

    def size(self) -> int:
        """How many bytes a copy takes, about."""
        sql = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
        return int(self._all(sql)[0][0])

    def copy_to(self, path: Path) -> int:
        """Write the database as it is at this moment into the empty file `path`, and check it. Returns how many it tracks.

        Others may go on writing. Raises StoreError where it cannot be written or read back, or this database is damaged.
        """
        with translated(self._path):
            try:
                self._database.conn.execute("VACUUM INTO ?", (str(path),))
                return _checked(path)
            except sqlite3.OperationalError as error:
                raise StoreError(
                    f"{path.parent}: no copy can be written there ({error}); make room, or give another path"
                ) from None


def _checked(path: Path) -> int:
    place = f"file:{quote(str(path))}?mode=ro&immutable=1"
    with closing(sqlite3.connect(place, uri=True)) as copy:
        (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.OperationalError(f"it reads back damaged: {found.splitlines()[-1]}")
        (leads,) = copy.execute("SELECT count(*) FROM queue_item WHERE source = 'leadbyte'").fetchone()
        return int(leads)
