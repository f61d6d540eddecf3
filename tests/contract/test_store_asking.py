"""The SQLite store tells of leads that need a person, and of how fast leads go, at a bounded price."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bridge.ports import Selection
from bridge.store import SqliteStore, dismissing, open_store, people
from tests.contract.store_asking_contract import LISTED, AskingContract, synced, three_failures


class TestSqliteStore(AskingContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SqliteStore]:
        with closing(open_store(tmp_path)) as store:
            yield store

    def test_more_are_dismissed_than_one_statement_takes(
        self, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dismissing, "CHUNK", 2)
        three_failures(store)
        assert store.dismiss(Selection(LISTED), "not wanted", 90.0).leads == 3
        assert list(store.failures()) == []
        assert list(store.audit(running=True)) == []

    def test_only_the_newest_attempts_are_read_and_the_time_that_they_span(
        self, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(people, "RATE", people.RATE.replace(str(people.MOST_ATTEMPTS), "4"))
        monkeypatch.setattr(people, "MOST_ATTEMPTS", 4)
        synced(store, 3, at=880.0)
        synced(store, 4, at=940.0, first=3)
        assert store.status(now=1000.0).leads_per_minute == 4.0
        assert store.status(now=940.0).leads_per_minute == 240.0
