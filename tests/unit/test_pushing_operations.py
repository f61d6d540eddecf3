"""The push stage towards LeadByte, in a time of its own: missing permissions, outages, and nothing ever sent twice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest

from bridge.errors import CallError, Denied, LostAnswer, ServerFault, Throttled, Unreachable
from bridge.model import LEADBYTE, Delivery, Kind, Lane, Mapped, Outcome
from bridge.operation import Financials, LeadUpdate, QuarantineProcess, carried
from bridge.pipeline.desk import Desk
from bridge.pipeline.gate import Gate
from bridge.pipeline.pushing import Batching, PushStage
from bridge.policy.backoff import Backoff
from bridge.policy.delivering import Delivering
from bridge.policy.health import SideState
from bridge.policy.window import Limit
from bridge.store import SqliteStore, open_store
from tests.property.box import VirtualLoop

START = 1_700_000_000.0
DELIVERING = Delivering(8, Backoff(1.0, 300.0), Backoff(2.0, 300.0), 43_200.0, denied_fails=True)


@dataclass
class LeadByte:
    """`ports.Sink` out of counters. `lacking`: kinds of operations that the key may not; `ill`: what every call meets, the
    ping too; `lost`: how many answers are lost after the operation was carried out."""

    lacking: frozenset[str] = frozenset()
    ill: CallError | None = None
    lost: int = 0
    calls: int = 0
    pings: int = 0
    done: Counter[str] = field(default_factory=Counter)

    async def push(self, lane: Lane, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        self.calls += 1
        await asyncio.sleep(0.05)
        if self.ill:
            raise self.ill
        if lane.kind in self.lacking:
            raise Denied(f"LeadByte denied the key: it lacks what {lane.kind} needs")
        self.done.update(f"{lane.kind} {one.lookup}" for one in batch)
        if self.lost:
            self.lost -= 1
            raise LostAnswer("broke off")
        return [Outcome(Kind.SYNCED) for _ in batch]

    async def ping(self, mode: str) -> None:
        assert mode == LEADBYTE
        self.pings += 1
        if self.ill:
            raise self.ill


class Scene:
    """A store, LeadByte, and the stage between them; polls share its window by a gate of their own."""

    def __init__(self, store: SqliteStore) -> None:
        self.store, self.loop, self.leadbyte = store, VirtualLoop(0.0), LeadByte()
        self.begin()

    def begin(self) -> None:
        """A process begins."""
        rng = random.Random(1)  # noqa: S311 - no secret
        self.polls = Gate("leadbyte", Limit(100, 1.0), self.clock, rng)
        self.gate = Gate("leadbyte-updates", Limit(100, 1.0), self.clock, rng, self.polls)
        told = (self.gate, DELIVERING, Batching(LEADBYTE, 25, 0.0), 4, self.clock, rng)
        self.stage = PushStage(self.store, Desk(), self.leadbyte, *told)
        self.store.recover(self.clock())

    def clock(self) -> float:
        return START + self.loop.now

    def ask(self, *operations: Mapped) -> Sequence[int]:
        return self.store.operate(operations, self.clock())

    def work(self, seconds: float) -> None:
        async def ticking() -> None:
            until = self.loop.time() + seconds
            while self.loop.time() < until:
                self.stage.crew.tick()
                await asyncio.sleep(0.25)
            assert self.stage.crew.trouble is None

        self.loop.run_until_complete(asyncio.wait_for(ticking(), 1e6))

    def die(self) -> None:
        """The process is gone, with a call under way; another one begins."""
        self.loop.run_until_complete(self._buried())
        self.begin()

    async def _buried(self) -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def states(self, ids: Sequence[int]) -> Mapping[str, int]:
        return Counter(str(one.state) for one in self.store.operated(ids))

    @property
    def used(self) -> set[int]:
        """Attempts used up by any."""
        return {row[0] for row in self.store._all("SELECT attempts FROM delivery")}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with closing(open_store(tmp_path)) as store:
        scene = Scene(store)
        yield scene
        scene.gate.close()
        scene.loop.run_until_complete(scene.stage.stop(1.0))
        scene.loop.close()


def money(count: int) -> Sequence[Mapped]:
    return [carried(Financials((str(7000 + n),), Decimal(80))) for n in range(count)]


def releases(count: int) -> Sequence[Mapped]:
    return [carried(QuarantineProcess(str(500 + n), "process")) for n in range(count)]


def updates(count: int) -> Sequence[Mapped]:
    return [carried(LeadUpdate(str(9000 + n), {"postcode": "N1"})) for n in range(count)]


def test_a_missing_permission_fails_its_leads_at_once_and_nobody_else(scene: Scene) -> None:
    scene.leadbyte.lacking = frozenset({"financials"})
    lacking, others = scene.ask(*money(40)), scene.ask(*releases(10), *updates(10))
    scene.work(10.0)
    assert scene.states(lacking) == {"failed": 40}
    assert scene.states(others) == {"synced": 20}
    assert {one.reason for one in scene.store.operated(lacking)} == {
        "LeadByte denied the key: it lacks what financials needs"
    }
    assert (scene.gate.health.state, scene.polls.health.state) == (SideState.UP, SideState.UP)
    assert scene.leadbyte.done.total() == 20
    assert scene.leadbyte.calls == 40 + 10 + 1, "each is sent once"


def test_a_permission_that_is_missing_when_a_host_comes_back_does_not_close_it_again(scene: Scene) -> None:
    scene.leadbyte.ill = Unreachable("no route")
    lacking, others = scene.ask(*money(5)), scene.ask(*releases(5))
    scene.work(20.0)
    assert scene.gate.health.state is SideState.DOWN
    scene.leadbyte.ill, scene.leadbyte.lacking = None, frozenset({"financials"})
    scene.work(40.0)
    assert (scene.states(lacking), scene.states(others)) == ({"failed": 5}, {"synced": 5})


@pytest.mark.parametrize(
    "error", [Unreachable("no route"), Denied("the key is wrong"), Throttled("too many calls")]
)
def test_what_did_not_reach_leadbyte_waits_and_uses_up_nothing(scene: Scene, error: CallError) -> None:
    scene.leadbyte.ill = error
    ids = scene.ask(*releases(5), *updates(5))
    scene.work(600.0)
    assert scene.states(ids) == {"pending": 10}
    assert scene.used == {0}
    assert scene.leadbyte.calls + scene.leadbyte.pings <= 80
    assert scene.polls.health.state is SideState.UP
    assert (scene.gate.health.state is SideState.UP) == isinstance(error, Throttled)
    scene.leadbyte.ill = None
    scene.work(400.0)
    assert scene.states(ids) == {"synced": 10}
    assert set(scene.leadbyte.done.values()) == {1}


@pytest.mark.parametrize("error", [LostAnswer("timed out"), ServerFault("HTML")])
def test_an_outage_without_a_verdict_leaves_in_doubt_what_may_not_be_repeated_and_no_more_than_was_sent(
    scene: Scene, error: CallError
) -> None:
    scene.leadbyte.ill = error
    once, again = scene.ask(*releases(20)), scene.ask(*updates(20))
    scene.work(600.0)
    doubted = scene.states(once)["in_doubt"]
    assert 0 < doubted <= scene.leadbyte.calls < 15, "soon only pings are sent"
    assert scene.states(again) == {"pending": 20}
    scene.leadbyte.ill = None
    scene.work(120.0)
    assert scene.states(once) == {"in_doubt": doubted, "synced": 20 - doubted}
    assert scene.states(again) == {"synced": 20}


def test_a_lost_answer_is_never_followed_by_the_same_call(scene: Scene) -> None:
    scene.leadbyte.lost = 3
    ids = scene.ask(*releases(6))
    scene.work(3600.0)
    assert scene.states(ids) == {"in_doubt": 3, "synced": 3}
    scene.die()
    scene.work(3600.0)
    assert scene.states(ids) == {"in_doubt": 3, "synced": 3}
    assert set(scene.leadbyte.done.values()) == {1}


def test_a_call_that_a_dying_process_cut_off_is_in_doubt_or_repeated_as_it_may_be(scene: Scene) -> None:
    once, again = scene.ask(*releases(2)), scene.ask(*updates(2))
    with pytest.raises(asyncio.TimeoutError):
        scene.loop.run_until_complete(asyncio.wait_for(cut_off(scene), 0.02))
    scene.die()
    scene.work(60.0)
    assert scene.states(again) == {"synced": 2}
    assert scene.states(once)["in_doubt"] >= 1
    assert all(scene.leadbyte.done[f"process {500 + n}"] <= 1 for n in range(2))


async def cut_off(scene: Scene) -> None:
    scene.stage.crew.tick()
    await asyncio.Event().wait()
