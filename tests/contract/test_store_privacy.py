"""The SQLite store keeps the contract on people's data, and leaves nothing of them in its files."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bridge.errors import StoreError
from bridge.model import Mapped, State, Track
from bridge.pipeline.erasing import traces
from bridge.policy.people import person
from bridge.ports import Cutoffs, Selection
from bridge.store import SqliteStore, open_store
from bridge.store.pages import holds_remains
from tests.contract.store_contract import BULK
from tests.contract.store_privacy_contract import EVERYTHING, PrivacyContract

ANN = person(emails=["ann@example.com"], phones=["+44 7700 900123"], ids=["7185867"])
SAID = '{"leadId": 7185867, "lead": {"email": "Ann\\u0040Example.com", "lastname": "Planted", "phone1": "07700 900123"}}'
FORMS = (b"ann", b"planted", b"7700900123", b"07700 900123", b"7185867")


class TestSqlitePrivacy(PrivacyContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SqliteStore]:
        store = open_store(tmp_path)
        yield store
        store.close()

    def test_nothing_is_written_where_nothing_is_to_be_pruned(self, store: SqliteStore) -> None:
        self.done(store)
        before = store._database.conn.total_changes
        store.prune_leads(0, 100, Cutoffs(1.0, 1.0, 1.0), 1e6)
        store.prune_agreed("", 100, 1.0)
        assert store._database.conn.total_changes == before

    def test_the_raw_files_hold_nothing_of_a_forgotten_person(
        self, store: SqliteStore, tmp_path: Path
    ) -> None:
        """After merges, failures, resyncs, polls anew, prunes, among the leads of many others."""
        for n in range(300):
            self.crowd(store, n)
            if n % 60 == 0:
                self.her_life(store, n)
        self.prune(store, EVERYTHING, 50)
        theirs = store.theirs(ANN)
        assert len(theirs.leads) >= 5
        store.erase(theirs, 9e5, running=False)
        assert store.empty_log()
        store.close()
        for path in tmp_path.iterdir():
            held = [form for form in FORMS if form in path.read_bytes().lower()]
            assert not held, path.name
        assert not holds_remains(tmp_path / "bridge.db")

    def crowd(self, store: SqliteStore, n: int) -> None:
        fields = {"EmailAddress": f"crowd{n}@example.org", "Note": "x" * (n * 37 % 900)}
        self.answer(store, f"crowd-{n}", '{"filler": "%s"}' % ("y" * (n * 101 % 5000)))
        self.map(store, f"crowd-{n}", Mapped(fields, ["EmailAddress"], BULK), 10.0)
        if n % 2:
            self.finish(store, State.SYNCED, f"crowd-{n}", 60.0)

    def her_life(self, store: SqliteStore, n: int) -> None:
        at = 100.0 + n
        self.one_of_hers(store, f"hers-{n}-a", at, City="Planted-on-Sea")
        self.one_of_hers(store, f"hers-{n}-b", at + 1, Stage="Sold")
        self.finish(
            store,
            State.PENDING,
            f"c-{n}-1",
            at + 50,
            reason="'Ann@Example.com' is locked",
            attempt=True,
            maybe=True,
        )
        self.finish(
            store, State.FAILED, f"c-{n}-2", at + 51, reason="Phone 07700 900123 is Planted's", attempt=True
        )
        store.resync(Selection(), at + 52, refetch=True, force=False, deadline_at=1e6)
        self.one_of_hers(store, f"hers-{n}-c", at + 53, Stage="Lost")
        self.finish(store, State.SYNCED, f"c-{n}-3", at + 99)

    def one_of_hers(self, store: SqliteStore, queue_id: str, at: float, **more: str) -> None:
        self.answer(store, queue_id, SAID)
        fields = {"EmailAddress": "ann@example.com", "LastName": "Planted", "Phone": "+44-7700900123", **more}
        self.map(store, queue_id, Mapped(fields, ["EmailAddress", "Phone"], BULK), at)

    def test_what_an_earlier_release_left_in_unused_pages_is_seen_and_cleared(
        self, store: SqliteStore, tmp_path: Path
    ) -> None:
        store._database.conn.execute("PRAGMA secure_delete=FAST")
        self.answer(store, "hers", SAID[:-1] + ', "more": "%s planted"}' % ("z" * 90_000))
        store.erase(store.theirs(ANN), 60.0, running=False)
        store.empty_log()
        store.close()
        path = tmp_path / "bridge.db"
        assert holds_remains(path)
        again = open_store(tmp_path)
        again.rebuild()
        again.empty_log()
        again.close()
        assert not holds_remains(path)
        assert b"planted" not in path.read_bytes().lower()

    def test_unused_pages_that_were_cleared_are_no_remains(self, store: SqliteStore, tmp_path: Path) -> None:
        for n in range(200):
            self.answer(store, f"hers-{n}", SAID[:-1] + ', "more": "%s"}' % ("z" * 9000))
        store.erase(store.theirs(ANN), 60.0, running=False)
        (free,) = store._database.conn.execute("PRAGMA freelist_count").fetchone()
        assert free > 200
        store.empty_log()
        store.close()
        assert not holds_remains(tmp_path / "bridge.db")
        assert not traces(tmp_path / "bridge.db", ANN.is_in_raw)

    def test_the_log_is_not_emptied_while_somebody_reads_and_that_is_said(
        self, store: SqliteStore, tmp_path: Path
    ) -> None:
        store.never_wait()
        store.track([Track("q1")], 1.0, 2.0)
        with closing(sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM queue_item").fetchone()
            store.track([Track("q2")], 1.0, 2.0)
            assert not store.empty_log()
        assert store.empty_log()
        assert (tmp_path / "bridge.db-wal").stat().st_size == 0

    def test_a_copy_is_whole_while_another_connection_writes(
        self, store: SqliteStore, tmp_path: Path
    ) -> None:
        store.track([Track(f"q{n}") for n in range(1000)], 1.0, 2.0)
        copy = tmp_path / "copies" / "bridge.db"
        copy.parent.mkdir()
        copy.touch()
        with closing(open_store(tmp_path)) as other, other._writing() as connection:
            connection.execute("UPDATE queue_item SET reason = 'half done'")
            assert store.copy_to(copy) == 1000
        with closing(open_store(copy.parent)) as restored:
            assert restored.status().leads["waiting"] == 1000
            assert (restored.lead("q1") or {})["reason"] is None

    def test_a_copy_that_cannot_be_written_is_told_in_words(self, store: SqliteStore, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="no copy can be written there"):
            store.copy_to(tmp_path / "nowhere" / "copy.db")


def test_a_value_of_many_pages_is_found_in_the_raw_file(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    for place in (0, 2**20 - 5, 2**20 - 1, 3 * 2**20):
        path.write_bytes(b"\xff" * place + b"\0ann@example.combulk" + b"\xff" * 2**20)
        assert traces(path, ANN.is_in_raw), place
    path.write_bytes(b"joann@example.com" + b"\0\1\2" * 1000)
    assert not traces(path, ANN.is_in_raw)


def test_what_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with closing(open_store(state)) as store:
        store.track([Track("q1")], 1.0, 2.0)
        for path in (state, *state.iterdir()):
            path.chmod(0o777 if path.is_dir() else 0o666)
        open_store(state).close()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (state, *state.iterdir())}
    assert modes == {"state": 0o700, "bridge.db": 0o600, "bridge.db-wal": 0o600, "bridge.db-shm": 0o600}


def test_deleted_content_is_overwritten(tmp_path: Path) -> None:
    with closing(open_store(tmp_path)) as store:
        assert store._database.conn.execute("PRAGMA secure_delete").fetchone()[0] == 1
