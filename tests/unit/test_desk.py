"""How the store is waited for: locks, a full disk, and the end of the process."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bridge.errors import Busy, DiskFull
from bridge.model import Track
from bridge.pipeline.desk import Desk
from bridge.store import SqliteStore, open_store

MANY = [Track(f"q{number}", {"note": "x" * 500}) for number in range(500)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(open_store(tmp_path)) as store:
        store.never_wait()
        yield store


def fill(store: SqliteStore) -> None:
    """The database may not grow any more."""
    (pages,) = store._database.conn.execute("PRAGMA page_count").fetchone()
    store._database.conn.execute(f"PRAGMA max_page_count = {pages}")


def make_room(store: SqliteStore) -> None:
    store._database.conn.execute("PRAGMA max_page_count = 1000000")


def lock(store: SqliteStore) -> sqlite3.Connection:
    other = sqlite3.connect(store._path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    return other


def counted(store: SqliteStore, at: int, then: Callable[[], object]) -> Callable[[], int]:
    """A `track` that does something before its nth try."""
    tries = iter(range(1, 1000))

    def track() -> int:
        if next(tries) == at:
            then()
        return store.track(MANY, 1.0, 2.0)

    return track


@pytest.mark.parametrize("on_a_thread", [False, True])
def test_a_locked_database_is_waited_for(store: SqliteStore, on_a_thread: bool) -> None:
    with closing(lock(store)) as other:
        track = counted(store, 3, lambda: other.execute("ROLLBACK"))

        async def tracked() -> int:
            desk = Desk()
            return await (desk.in_thread(track) if on_a_thread else desk(track))

        assert asyncio.run(tracked()) == len(MANY)


@pytest.mark.parametrize("on_a_thread", [False, True])
def test_room_on_the_disk_is_waited_for(store: SqliteStore, on_a_thread: bool) -> None:
    fill(store)
    seen: list[bool] = []

    async def tracked() -> int:
        desk = Desk(patience=0.0)
        track = counted(store, 2, lambda: (seen.append(desk.full), make_room(store)))
        result = await (desk.in_thread(track) if on_a_thread else desk(track))
        seen.append(desk.full)
        return result

    assert asyncio.run(tracked()) == len(MANY)
    assert seen == [True, False]


def test_a_lock_that_follows_a_full_disk_is_waited_for_too(store: SqliteStore) -> None:
    fill(store)
    others: list[sqlite3.Connection] = []
    tries = iter(range(100))

    def track() -> int:
        match next(tries):
            case 1:
                make_room(store)
                others.append(lock(store))
            case 3:
                others.pop().close()
        return store.track(MANY, 1.0, 2.0)

    async def tracked() -> int:
        return await Desk()(track)

    assert asyncio.run(tracked()) == len(MANY)
    assert not others


@pytest.mark.parametrize(("spoil", "error"), [(fill, DiskFull), (lock, Busy)])
def test_who_has_no_patience_hears_it_at_once(
    store: SqliteStore, spoil: Callable[[SqliteStore], object], error: type[Exception]
) -> None:
    kept = spoil(store)

    async def tracked() -> int:
        return await Desk(patience=0.0, room=0.0)(store.track, MANY, 1.0, 2.0)

    with pytest.raises(error):
        asyncio.run(tracked())
    if isinstance(kept, sqlite3.Connection):
        kept.close()
    assert store.status().leads["waiting"] == 0


@pytest.mark.parametrize("before", [True, False])
def test_nothing_is_waited_for_long_once_the_process_is_to_end(store: SqliteStore, before: bool) -> None:
    fill(store)

    async def tracked() -> int:
        desk = Desk()
        track = counted(store, 1 if before else 2, desk.closing.set)
        return await desk(track)

    with pytest.raises(DiskFull):
        asyncio.run(tracked())
