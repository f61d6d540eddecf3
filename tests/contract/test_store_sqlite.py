"""The SQLite store keeps the store's contract, and what is SQLite's own."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bridge.errors import Busy, StoreError
from bridge.model import BIRTHS, TRANSITIONS, State, Track
from bridge.store import SqliteStore, open_store
from bridge.store.lock import state_lock
from tests.contract.store_contract import StoreContract, mapped


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SqliteStore]:
        store = open_store(tmp_path)
        yield store
        store.close()

    def test_the_views_for_people_list_failed_and_unprocessed_leads(
        self, store: SqliteStore, tmp_path: Path
    ) -> None:
        self.bear(store, "q1", None, state=State.FAILED, reason="no phone")
        self.bear(store, "q2", mapped())
        self.finish(store, State.UNPROCESSED, reason="Lead does not exist")
        with closing(sqlite3.connect(tmp_path / "bridge.db")) as connection:
            failed = connection.execute("SELECT queue_id, reason FROM failed_leads").fetchall()
            unprocessed = connection.execute("SELECT queue_id, identifier FROM unprocessed_leads").fetchall()
        assert failed == [("q1", "no phone")]
        assert unprocessed == [("q2", "a@example.com")]

    @pytest.mark.parametrize("old", State)
    @pytest.mark.parametrize("new", State)
    def test_the_database_itself_refuses_other_transitions(
        self, store: SqliteStore, tmp_path: Path, old: State, new: State
    ) -> None:
        self.bear(store, "q1", mapped())
        with closing(sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)) as connection:
            connection.execute("DROP TRIGGER delivery_transition")
            connection.execute("UPDATE delivery SET state = ?", (old,))
        open_store(tmp_path).close()
        with closing(sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)) as connection:
            allowed = new in TRANSITIONS[old] or new is old
            try:
                connection.execute("UPDATE delivery SET state = ?", (new,))
                changed = True
            except sqlite3.IntegrityError:
                changed = False
        assert changed == allowed

    @pytest.mark.parametrize("state", State)
    def test_a_delivery_begins_only_in_a_birth_state(
        self, store: SqliteStore, tmp_path: Path, state: State
    ) -> None:
        item = self.resolve(store, "q1")
        sql = (
            "INSERT INTO delivery (account, item_id, mapping, as_of, state, stage, due_at, created_at, updated_at)"
            " VALUES ('x', ?, 'm', 0, ?, 'map', 0, 0, 0)"
        )
        with closing(sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)) as connection:
            try:
                connection.execute(sql, (item, state))
                born = True
            except sqlite3.IntegrityError:
                born = False
        assert born == (state in BIRTHS)

    def test_attempts_are_only_ever_appended(self, store: SqliteStore, tmp_path: Path) -> None:
        self.bear(store, "q1", mapped())
        self.finish(store, State.SYNCED)
        connection = sqlite3.connect(tmp_path / "bridge.db")
        with pytest.raises(sqlite3.IntegrityError, match="only ever appended"):
            connection.execute("UPDATE attempt SET state = 'failed'")
        connection.close()

    def test_every_row_carries_its_account(self, tmp_path: Path) -> None:
        store = open_store(tmp_path / "other", "acme")
        self.bear(store, "q1", mapped())
        self.finish(store, State.SYNCED)
        store.set_checkpoint("a", "1", 1.0)
        connection = sqlite3.connect(tmp_path / "other" / "bridge.db")
        for table in ("queue_item", "delivery", "attempt", "agreed", "checkpoint"):
            rows = connection.execute(f"SELECT DISTINCT account FROM {table}").fetchall()
            assert rows == [("acme",)], table
        connection.close()
        store.close()

    def test_what_was_stored_is_there_after_reopening(self, tmp_path: Path) -> None:
        first = open_store(tmp_path / "again")
        first.track([Track("q1")], 1.0, 2.0)
        first.close()
        second = open_store(tmp_path / "again")
        assert (second.lead("q1") or {})["state"] == "waiting"
        second.close()


def test_the_database_is_durable_and_private(tmp_path: Path) -> None:
    store = open_store(tmp_path / "state")
    pragmas = {
        name: store._database.conn.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    }
    store.close()
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10000}
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "state" / "bridge.db").stat().st_mode) == 0o600


def test_a_database_from_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('bridge', 'm999_later', '')"
    )
    connection.close()
    with pytest.raises(StoreError, match=r"newer version of the bridge \(it has m999_later\)"):
        open_store(tmp_path)


def test_a_damaged_database_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "bridge.db").write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(StoreError, match="restore a backup or track the queueIds again"):
        open_store(tmp_path)
    assert (tmp_path / "bridge.db").read_bytes().startswith(b"not a database")


def test_a_state_directory_that_is_a_file_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StoreError, match="BRIDGE_STATE_DIR"):
        open_store(tmp_path / "state")


def test_the_second_process_is_told_who_holds_the_state_directory(tmp_path: Path) -> None:
    import os

    with (
        state_lock(tmp_path),
        pytest.raises(Busy, match=rf"pid {os.getpid()}") as caught,
        state_lock(tmp_path),
    ):
        pass
    assert caught.value.exit_code == 75
    with state_lock(tmp_path):
        pass


def test_a_database_of_another_account_is_refused(tmp_path: Path) -> None:
    store = open_store(tmp_path, "acme")
    store.track([Track("q1")], 1.0, 2.0)
    store.close()
    with pytest.raises(StoreError, match="belongs to the account 'acme'; set BRIDGE_ACCOUNT"):
        open_store(tmp_path, "other")
