"""What callers with the token may do, on a real store: as the commands do it."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.app.acting import MOST_TOLD, Acting
from bridge.app.root import App
from bridge.app.serving import for_callers
from bridge.errors import Busy, UsageError
from bridge.ports import Selection, Store
from bridge.server import Dismiss, Found, Resolve, Resync
from bridge.settings import Settings
from bridge.store import SqliteStore, open_store
from tests.contract.store_account_contract import STEPS, in_doubt
from tests.contract.store_asking_contract import LISTED, three_failures

NOW = 70.0


@pytest.fixture
def acting(tmp_path: Path) -> Acting:
    def store() -> AbstractContextManager[Store]:
        return closing(open_store(tmp_path))

    return Acting(store, lambda: NOW, 100.0)


def test_a_dry_run_counts_what_is_then_re_opened(acting: Acting) -> None:
    with acting.store() as store:
        three_failures(store)
    wish = Selection(queue_ids=("unknown", "q"), states=("unprocessed", "expired"))
    assert acting.resync(Resync(wish, dry_run=True)) == Found(2, NOW)
    assert acting.resync(Resync(wish)) == Found(2, NOW)
    with acting.store() as store:
        assert STEPS.states(store) == {"failed": 1, "pending": 1, "waiting": 1}
        assert [item.deadline_at for item in store.claim_waiting(NOW, 1)] == [NOW + 100.0]


def test_no_more_is_re_opened_than_a_dry_run_has_counted(tmp_path: Path) -> None:
    times = iter((15.0, NOW, NOW))
    acting = Acting(lambda: closing(open_store(tmp_path)), lambda: next(times), 100.0)
    with acting.store() as store:
        three_failures(store)
    every = Selection(("failed", "unprocessed", "expired"))
    counted = acting.resync(Resync(every, dry_run=True))
    late = acting.resync(Resync(every, dry_run=True))
    assert (counted.at, counted.leads < late.leads) == (15.0, True)
    assert acting.resync(Resync(replace(every, until=counted.at))).leads == counted.leads
    with acting.store() as store:
        assert store.count(every) == late.leads - counted.leads


def test_no_more_is_dismissed_than_a_dry_run_has_counted(tmp_path: Path) -> None:
    times = iter((15.0, NOW))
    acting = Acting(lambda: closing(open_store(tmp_path)), lambda: next(times), 100.0)
    with acting.store() as store:
        three_failures(store)
    every = Selection(("failed", "unprocessed", "expired"))
    counted = acting.dismiss(Dismiss(every, "", dry_run=True))
    assert counted == Found(1, 15.0, [])
    assert acting.dismiss(Dismiss(replace(every, until=counted.at), "bots")) == Found(1, NOW, [])
    with acting.store() as store:
        assert [failure.queue_id for failure in store.failures()] == ["unknown", "too-long"]


def test_where_another_number_is_meant_than_was_counted_nothing_is_dismissed(acting: Acting) -> None:
    with acting.store() as store:
        three_failures(store)
    every = Selection(("failed", "unprocessed", "expired"))
    with pytest.raises(UsageError, match="leads: 2 were counted, but 3 are meant by now; count them again"):
        acting.dismiss(Dismiss(every, "bots", counted=2))
    with acting.store() as store:
        assert len(list(store.failures())) == 3
    assert acting.dismiss(Dismiss(every, "bots", counted=3)).leads == 3


def test_where_a_queue_id_is_not_tracked_nothing_is_dismissed(acting: Acting) -> None:
    with acting.store() as store:
        three_failures(store)
    for dry_run in (True, False):
        with pytest.raises(UsageError, match="nobody: this queueId is not tracked"):
            acting.dismiss(Dismiss(Selection(("failed",), ("too-long", "nobody")), "bots", dry_run=dry_run))
    with acting.store() as store:
        assert len(list(store.failures())) == 3


def test_where_a_queue_id_is_not_tracked_nothing_is_re_opened(acting: Acting) -> None:
    with acting.store() as store:
        three_failures(store)
    for dry_run in (True, False):
        with pytest.raises(UsageError) as wrong:
            acting.resync(Resync(Selection(queue_ids=("unknown", "x\n")), dry_run=dry_run))
        assert wrong.value.problems == ("queue_ids: x : this queueId is not tracked",)
    with pytest.raises(UsageError) as wrong:
        acting.resync(Resync(Selection(queue_ids=[f"x{n}" for n in range(MOST_TOLD + 5)])))
    assert wrong.value.problems[-1] == "queue_ids: and 5 more"
    with acting.store() as store:
        assert STEPS.states(store) == {"failed": 1, "unprocessed": 1, "expired": 1}


def test_failures_are_listed_and_a_doubt_is_settled(acting: Acting) -> None:
    with acting.store() as store:
        in_doubt(store)
    [(_, lead)] = acting.failures(Selection(LISTED), 10).rows
    assert (lead.queue_id, lead.state, lead.delivery) == ("q", "in_doubt", 1)
    assert acting.resolve(Resolve(1, done=True)) == 1
    assert acting.resolve(Resolve(1, done=True)) == 0
    assert acting.failures(Selection(LISTED), 10).count == 0


def test_a_caller_waits_for_a_locked_database_no_longer_than_the_desk_lets_him(tmp_path: Path) -> None:
    """Were the store patient too, what was answered as not possible would be done after that."""
    app = App(Settings(state_dir=tmp_path), clock=lambda: NOW)
    with app.store() as store:
        three_failures(store)
    acting = for_callers(app)
    with acting.store() as store:
        assert isinstance(store, SqliteStore)
        assert store._database.conn.execute("PRAGMA busy_timeout").fetchone()[0] == 0
    with closing(sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for wish in (Resync(Selection()), Resync(Selection(), refetch=True)):
            with pytest.raises(Busy):
                acting.resync(wish)
        with pytest.raises(Busy):
            acting.resolve(Resolve(1, done=True))
    with app.store() as store:
        assert STEPS.states(store) == {"failed": 1, "unprocessed": 1, "expired": 1}
