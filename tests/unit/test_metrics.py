"""The metrics stage: asks only while async updates are in flight, keeps the last answer, and harms nobody."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bridge.errors import CallError, Denied, LostAnswer, Refused, ServerFault, Throttled, Unreachable
from bridge.model import ItemState, Json, Lane, Move, PollRecord, State, Track
from bridge.pipeline.desk import Desk
from bridge.pipeline.gate import Gate
from bridge.pipeline.metrics import CHECKPOINT, MetricsStage
from bridge.policy.health import SOME, SideState
from bridge.policy.window import Limit
from bridge.ports import Birth
from bridge.store import SqliteStore, open_store
from tests.contract.store_contract import call, mapped, reply

START = 1_700_000_000.0
ASYNC = Lane("async", "", "silent")
ERRORS = [
    kind("it did not work") for kind in (Unreachable, LostAnswer, ServerFault, Throttled, Denied, Refused)
]


@dataclass
class Host:
    """What the async host says of its queue, and by what clock."""

    now: float = START
    asked: int = 0
    error: CallError | None = None
    told: Mapping[str, Json] = field(default_factory=lambda: {"pending": 7, "delay_seconds": 2.5})

    async def ask(self) -> Mapping[str, Json]:
        self.asked += 1
        if self.error:
            raise self.error
        return self.told

    def clock(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(open_store(tmp_path)) as store:
        yield store


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def gate(host: Host) -> Gate:
    return Gate("leadsquared-async", Limit(25, 5.0), host.clock, random.Random(1))  # noqa: S311 - no secret


@pytest.fixture
def stage(store: SqliteStore, host: Host, gate: Gate) -> MetricsStage:
    return MetricsStage(store, Desk(), host.ask, gate, 60.0, host.clock, host.clock)


def submit(store: SqliteStore) -> None:
    """An async update is in flight."""
    store.track([Track("q1")], START, START + 99)
    items = store.claim_waiting(START, 1)
    store.record_polls([PollRecord(items[0].id, ItemState.RESOLVED, START, None, reply())], START)
    (item,) = store.unmapped(1)
    birth = Birth(item.id, "m", State.PENDING, mapped("p1", ASYNC), None, START)
    store.record_mapped([item], [birth], START)
    batch = store.claim_batch("async", START, 1, 0.0, "c")
    store.record(call("c", START), [Move(d, State.SUBMITTED, START, request_id="r") for d in batch], START)


def confirm(store: SqliteStore) -> None:
    batch = store.claim_submitted(START + 9000, 1)
    store.record(call("d", START), [Move(d, State.SYNCED, START) for d in batch], START)


def tick(stage: MetricsStage) -> None:
    assert asyncio.run(stage._step()) is False


def test_it_asks_only_while_updates_are_in_flight_and_not_more_often_than_set(
    store: SqliteStore, host: Host, stage: MetricsStage
) -> None:
    tick(stage)
    assert host.asked == 0
    submit(store)
    tick(stage)
    tick(stage)
    host.now += 59.9
    tick(stage)
    assert host.asked == 1
    host.now += 0.1
    tick(stage)
    assert host.asked == 2
    confirm(store)
    host.now += 600
    tick(stage)
    assert host.asked == 2


def test_the_last_answer_is_kept_with_its_moment_past_failures_and_restarts(
    store: SqliteStore, host: Host, stage: MetricsStage
) -> None:
    submit(store)
    tick(stage)
    host.error, host.now = ServerFault("HTML"), START + 60
    tick(stage)
    assert host.asked == 2
    kept = {"pending": 7, "delay_seconds": 2.5, "at": START}
    assert json.loads(store.status().checkpoints[CHECKPOINT]) == kept
    host.error, host.told, host.now = None, {"pending": 0}, START + 120
    tick(stage)
    assert json.loads(store.checkpoint(CHECKPOINT) or "") == {"pending": 0, "at": START + 120}


@pytest.mark.parametrize("error", ERRORS)
def test_whatever_fails_says_nothing_of_the_updates(
    error: CallError, store: SqliteStore, host: Host, gate: Gate, stage: MetricsStage
) -> None:
    submit(store)
    host.error = error
    for _ in range(2 * SOME):
        tick(stage)
        host.now += 61.0
    assert host.asked >= SOME
    assert (gate.health.state, gate.window.in_flight) == (SideState.UP, 0)
    assert stage.crew.trouble is None


def test_a_throttle_pauses_the_host_for_all(
    store: SqliteStore, host: Host, gate: Gate, stage: MetricsStage
) -> None:
    submit(store)
    host.error = Throttled("too many calls", retry_after=17.0, limit=(3, 5.0))
    tick(stage)
    assert gate._wait() == 17.0
    assert gate.window.limit(host.now) == Limit(3, 5.0)


def test_a_host_that_is_not_well_is_left_to_those_who_need_it(
    store: SqliteStore, host: Host, gate: Gate, stage: MetricsStage
) -> None:
    submit(store)
    for _ in range(SOME):
        gate.window.take()
        gate.failed(ServerFault("HTML"))
    host.now += 3600.0
    tick(stage)
    assert (host.asked, gate.health.state) == (0, SideState.DOWN)


def test_an_answer_does_not_vouch_for_updates_that_fail(
    store: SqliteStore, host: Host, gate: Gate, stage: MetricsStage
) -> None:
    submit(store)
    for _ in range(SOME):
        assert asyncio.run(gate.permit())
        gate.failed(ServerFault("HTML"))
        tick(stage)
        host.now += 60.0
    assert (host.asked, gate.health.state) == (SOME - 1, SideState.DOWN)


def test_a_closed_gate_asks_nobody(store: SqliteStore, host: Host, gate: Gate, stage: MetricsStage) -> None:
    submit(store)
    gate.close()
    tick(stage)
    assert host.asked == 0
