"""The prune stage: once a day, a short range at each tick, in nobody's way, and on where it was."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bridge.model import ItemState, Move, PollRecord, State, Track
from bridge.pipeline import pruning
from bridge.pipeline.desk import Desk
from bridge.pipeline.pruning import PruneStage, Retention
from bridge.ports import Birth
from bridge.store import SqliteStore, open_store
from tests.contract.store_contract import call, mapped, reply

DAY = 86_400.0
KEPT = Retention(90, 90, 365)
LATER = 100 * DAY


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(open_store(tmp_path)) as store:
        yield store


def done(store: SqliteStore, count: int) -> None:
    """So many leads that were done on the first day."""
    store.track([Track(f"q{n}") for n in range(count)], 10.0, 99.0)
    items = store.claim_waiting(10.0, count)
    store.record_polls([PollRecord(one.id, ItemState.RESOLVED, 10.0, None, reply()) for one in items], 10.0)
    resolved = store.unmapped(count)
    births = [
        Birth(one.id, "m", State.PENDING, mapped(f"{one.id}@example.com"), None, 10.0) for one in resolved
    ]
    store.record_mapped(resolved, births, 10.0)
    batch = store.claim_batch("bulk", 20.0, count, 0.0, "c")
    store.record(call("c"), [Move(one, State.SYNCED, 20.0) for one in batch], 20.0)


def kept(store: SqliteStore) -> int:
    """How many leads still have their reply."""
    (count,) = store._all("SELECT count(reply) FROM queue_item")[0]
    return int(count)


def agreed(store: SqliteStore) -> int:
    (count,) = store._all("SELECT count(*) FROM agreed")[0]
    return int(count)


def tick(stage: PruneStage, times: int = 1) -> None:
    for _ in range(times):
        assert asyncio.run(stage._step()) is False


@pytest.fixture
def ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "RANGE", 2)


def stage(store: SqliteStore, now: float = LATER, retention: Retention = KEPT) -> PruneStage:
    return PruneStage(store, Desk(), retention, lambda: now)


def test_a_tick_prunes_one_range(store: SqliteStore, ranges: None) -> None:
    done(store, 5)
    pruner = stage(store)
    left = []
    for _ in range(3):
        tick(pruner)
        left.append(kept(store))
    assert left == [3, 1, 0]


def test_a_whole_pass_prunes_what_is_too_old_and_nothing_else(store: SqliteStore) -> None:
    done(store, 3)
    tick(stage(store), 5)
    assert (kept(store), agreed(store)) == (0, 0)
    lead = store.lead("q0")
    assert lead
    assert len(lead["deliveries"][0]["attempts"]) == 1


@pytest.mark.parametrize("days", [89, 90])
def test_nothing_goes_before_its_time(store: SqliteStore, days: int) -> None:
    done(store, 3)
    tick(stage(store, 20.0 + days * DAY), 5)
    assert (kept(store), agreed(store)) == (3, 3)


def test_zero_days_keep_for_good(store: SqliteStore) -> None:
    done(store, 3)
    tick(stage(store, 1e9, Retention(0, 0, 0)), 5)
    assert (kept(store), agreed(store), store.checkpoint("pruned")) == (3, 3, None)


def test_after_a_whole_pass_the_day_is_done_also_after_a_restart(store: SqliteStore) -> None:
    tick(stage(store), 5)
    done(store, 2)
    tick(stage(store, LATER + 3600), 5)
    assert kept(store) == 2
    tick(stage(store, LATER + DAY), 5)
    assert kept(store) == 0


def test_the_same_stage_begins_anew_the_next_day(store: SqliteStore) -> None:
    now = LATER
    pruner = PruneStage(store, Desk(), KEPT, lambda: now)
    tick(pruner, 5)
    done(store, 2)
    tick(pruner, 5)
    assert kept(store) == 2
    now += DAY
    tick(pruner, 5)
    assert kept(store) == 0


def test_a_pass_that_was_stopped_goes_on_where_it_was(store: SqliteStore, ranges: None) -> None:
    done(store, 6)
    first = stage(store)
    tick(first, 2)
    asyncio.run(first.stop(1.0))
    store._database.conn.execute("UPDATE queue_item SET reply = 'kept: its range is behind' WHERE id = 1")
    tick(stage(store), 2)
    assert kept(store) == 1
    tick(stage(store), 5)
    assert (kept(store), agreed(store)) == (1, 0)


def test_the_place_is_kept_also_where_nothing_was_to_be_pruned(store: SqliteStore, ranges: None) -> None:
    done(store, 6)
    pruner = stage(store, 21.0)
    tick(pruner, 2)
    asyncio.run(pruner.stop(1.0))
    tick(stage(store))
    assert [bool((store.lead(f"q{n}") or {})["reply"]) for n in range(6)] == [True] * 4 + [False] * 2


def test_a_stop_before_anything_was_done_writes_nothing(store: SqliteStore) -> None:
    asyncio.run(stage(store).stop(1.0))
    assert store.checkpoint("pruned") is None


def test_a_pass_over_leads_that_are_kept_writes_only_that_it_was_made(
    store: SqliteStore, ranges: None
) -> None:
    done(store, 6)
    pruner = stage(store, 21.0)
    before = store._database.conn.total_changes
    tick(pruner, 3)
    assert store._database.conn.total_changes == before
    tick(pruner, 10)
    assert store._database.conn.total_changes == before + 1
