"""The bridge in a box: its real stages and its real store in a time of their own, between two sides made of dictionaries."""

from __future__ import annotations

import asyncio
import heapq
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bridge import scheduler
from bridge.app import App
from bridge.app.serving import machine
from bridge.app.sides import Sides
from bridge.errors import CallError, Denied, LostAnswer, Refused, ServerFault, Throttled, Unreachable
from bridge.leadbyte import read_queue
from bridge.mapping import MappingFile, load
from bridge.model import Delivery, Kind, Lane, Outcome, QueueReply, Stamp, State
from bridge.scheduler import Service
from bridge.settings import Leadbyte, Leadsquared, Retry, Settings
from bridge.store import SqliteStore, open_store

START = 1_700_000_000.0
LATENCY = 0.05
BEFORE: Mapping[str, CallError] = {
    "unreachable": Unreachable("no route"),
    "lost_before": LostAnswer("timed out"),
    "fault_before": ServerFault("HTML instead of JSON"),
    "throttle": Throttled("too many calls", limit=(10, 5.0)),
    "denied": Denied("the key is wrong"),
}
AFTER: Mapping[str, CallError] = {
    "lost_after": LostAnswer("broke off"),
    "fault_after": ServerFault("broken JSON"),
}
MAPPINGS = {
    "bulk.yaml": """
version: 1
leadsquared: {mode: bulk, search_by: EmailAddress}
when: "lead.kind == 'bulk'"
fields: {EmailAddress: lead.email, LastName: lead.name, mx_Score: lead.score, mx_Rogue: lead.rogue, mx_Poison: lead.poison,
  mx_Forbidden: lead.forbidden}
""",
    "quiet.yaml": """
version: 1
leadsquared: {mode: async}
when: "lead.kind == 'quiet'"
fields: {ProspectID: lead.email, LastName: lead.name}
""",
    "loud.yaml": """
version: 1
leadsquared: {mode: async, trigger_automation: true}
when: "lead.kind == 'loud'"
fields: {ProspectID: lead.email, LastName: lead.name}
""",
}


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time stands still while anything runs, and jumps to the next timer when nothing does."""

    def __init__(self, now: float) -> None:
        self.now = now
        super().__init__()

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        timers = self._scheduled  # type: ignore[attr-defined]
        while timers and timers[0]._cancelled:
            heapq.heappop(timers)._scheduled = False
            self._timer_cancelled_count -= 1
        if not self._ready and timers:  # type: ignore[attr-defined]
            self.now = max(self.now, timers[0]._when)
        super()._run_once()  # type: ignore[misc]


@dataclass
class Weather:
    """Kinds of trouble and the share of calls that meet each (together at most 1)."""

    rates: Mapping[str, float] = field(default_factory=dict)
    happened: Counter[str] = field(default_factory=Counter)

    def meet(self, rng: random.Random) -> str | None:
        """What this call meets."""
        roll = rng.random()
        for kind, share in self.rates.items():
            roll -= share
            if roll < 0:
                self.happened[kind] += 1
                return kind
        return None


@dataclass
class LeadByte:
    """`ports.Source` out of a dictionary: queueId → the reply of today."""

    rng: random.Random
    weather: Weather = field(default_factory=Weather)
    replies: dict[str, str] = field(default_factory=dict)
    calls: int = 0

    async def poll(self, queue_id: str) -> QueueReply:
        self.calls += 1
        kind = self.weather.meet(self.rng)
        await asyncio.sleep(LATENCY * self.rng.random())
        if kind:
            raise {**BEFORE, **AFTER}[kind]
        return self.reread(queue_id, self.replies[queue_id])

    async def ping(self) -> None:
        self.calls += 1
        if kind := self.weather.meet(self.rng):
            raise {**BEFORE, **AFTER}[kind]

    def reread(self, queue_id: str, raw: str) -> QueueReply:
        return read_queue(raw, queue_id)


@dataclass
class LeadSquared:
    """`ports.Sink` out of dictionaries. `people`: id or email → fields. Watches for what must never happen."""

    rng: random.Random
    time: Callable[[], float]
    weather: Weather = field(default_factory=Weather)
    forgets: float = 0.0
    people: dict[str, dict[str, str]] = field(default_factory=dict)
    fired: Counter[int] = field(default_factory=Counter)
    overlaps: int = 0
    outdated: int = 0
    """Values of bulk updates that were applied after newer ones."""

    pushes: list[float] = field(default_factory=list)
    pings: int = 0
    sent: list[int] = field(default_factory=list)
    """Ids of the deliveries, in the order in which they were pushed."""

    _ages: dict[str, dict[str, Stamp]] = field(default_factory=dict)
    _in_flight: set[str] = field(default_factory=set)
    _tasks: dict[str, tuple[float, Delivery]] = field(default_factory=dict)
    _ended: dict[str, Outcome] = field(default_factory=dict)

    async def push(self, lane: Lane, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        self.pushes.append(self.time())
        self.sent += [one.id for one in batch]
        kind = self.weather.meet(self.rng)
        with self._watching(batch):
            await asyncio.sleep(LATENCY * self.rng.random())
            if kind in BEFORE:
                raise BEFORE[kind]
            outcomes = self._carried_out(lane, batch)
            await asyncio.sleep(LATENCY * self.rng.random())
            if kind in AFTER:
                raise AFTER[kind]
            return outcomes

    async def ping(self, mode: str) -> None:  # noqa: ARG002
        self.pings += 1
        if kind := self.weather.meet(self.rng):
            raise {**BEFORE, **AFTER}[kind]

    async def confirm(self, request_id: str) -> Outcome:
        await self.ping("async")
        self._apply_due()
        if self.rng.random() < self.forgets:
            self._tasks.pop(request_id, None)
            self._ended.pop(request_id, None)
        if request_id in self._tasks:
            return Outcome(Kind.QUEUED)
        return self._ended.get(request_id, Outcome(Kind.FORGOTTEN))

    async def read_back(
        self,
        key: str,  # noqa: ARG002
        value: str,
        fields: Sequence[str],
    ) -> Mapping[str, str] | None:
        await self.ping("bulk")
        self._apply_due()
        person = self.people.get(value)
        return None if person is None else {name: person.get(name, "") for name in fields}

    def _carried_out(self, lane: Lane, batch: Sequence[Delivery]) -> list[Outcome]:
        self._apply_due()
        if any("mx_Poison" in one.fields for one in batch):
            raise ServerFault("HTML instead of JSON")
        if any("mx_Forbidden" in one.fields for one in batch):
            raise Denied("HTTP 403")
        if any("mx_Rogue" in one.fields for one in batch):
            raise Refused("no such attribute: mx_Rogue")
        if lane.mode == "async":
            return [self._submitted(one) for one in batch]
        return [self._applied(one) for one in batch]

    def _submitted(self, one: Delivery) -> Outcome:
        request_id = f"r-{self.rng.getrandbits(64):x}"
        self._tasks[request_id] = (self.time() + 10 * self.rng.random(), one)
        return Outcome(Kind.SUBMITTED, request_id=request_id)

    def _apply_due(self) -> None:
        due = sorted((at, request_id) for request_id, (at, _) in self._tasks.items() if at <= self.time())
        for _, request_id in due:
            _, one = self._tasks.pop(request_id)
            self.fired[one.id] += not one.lane.repeatable
            self._ended[request_id] = self._applied(one)

    def _applied(self, one: Delivery) -> Outcome:
        person = self.people.get(one.lookup)
        if person is None:
            kind = Kind.UNKNOWN_LEAD if one.lane.mode == "bulk" else Kind.REJECTED
            return Outcome(kind, "Lead does not exist", listed=State.UNPROCESSED)
        person.update(one.fields)
        if one.lane.mode == "bulk":
            self._look_for_older_values(one)
        return Outcome(Kind.SYNCED)

    def _look_for_older_values(self, one: Delivery) -> None:
        ages = self._ages.setdefault(one.lookup, {})
        for name, stamp in one.stamps.items():
            if name != one.key and name in ages and stamp < ages[name]:
                self.outdated += 1
        self._ages[one.lookup] = {
            **ages,
            **{name: max(s, ages.get(name, s)) for name, s in one.stamps.items()},
        }

    @contextmanager
    def _watching(self, batch: Sequence[Delivery]) -> Iterator[None]:
        names = {one.identity for one in batch}
        self.overlaps += len(batch) - len(names) + len(names & self._in_flight)
        self._in_flight |= names
        try:
            yield
        finally:
            self._in_flight -= names

    def forget_what_was_in_flight(self) -> None:
        """The bridge died: its connections are gone, and what was sent before is carried out or not."""
        self._in_flight.clear()


class Box:
    """A state directory, two sides and a clock. The bridge runs in it for as long as it is told, and may die at any moment."""

    def __init__(self, directory: Path, seed: int = 1, **leadbyte: Any) -> None:
        self.directory = directory
        self.rng = random.Random(seed)  # noqa: S311 - likewise
        self.elapsed = self.offset = 0.0
        self._loop: VirtualLoop | None = None
        self._later: list[tuple[float, Callable[[], None]]] = []
        self.leadbyte = LeadByte(self.rng)
        self.crm = LeadSquared(self.rng, self.steady)
        self.settings = Settings(
            state_dir=directory,
            leadbyte=Leadbyte(url="http://127.0.0.1:1", key=SecretStr("key"), **leadbyte),
            leadsquared=Leadsquared(
                url="http://127.0.0.1:1", access_key=SecretStr("a"), secret_key=SecretStr("s")
            ),
            retry=Retry(attempts=8),
        )
        self.mappings: Sequence[MappingFile] = load(MAPPINGS)

    def steady(self) -> float:
        """Epoch seconds by a clock that nobody sets."""
        return START + (self._loop.now if self._loop else self.elapsed)

    def clock(self) -> float:
        """Epoch seconds by the clock on the wall."""
        return self.steady() + self.offset

    @contextmanager
    def store(self) -> Iterator[SqliteStore]:
        """The store, opened as a command would."""
        store = open_store(self.directory)
        try:
            yield store
        finally:
            store.close()

    def lead(self, queue_id: str, processed: str = "2026-01-01T00:00:00Z", **lead: str) -> None:
        """What LeadByte says of this queueId from now on."""
        reply = {"queueId": queue_id, "status": "Approved", "processed": processed, "lead": lead}
        self.leadbyte.replies[queue_id] = json.dumps(reply)

    def at(self, seconds: float, what: Callable[[], None]) -> None:
        """Something that happens so long after the next run has begun."""
        self._later.append((seconds, what))

    def run(
        self,
        seconds: float,
        *,
        dies: bool = False,
        tick: float = 0.25,
        jump: float = 0.0,
        drain: bool = False,
    ) -> None:
        """Let the service work for so long by its own time, or with `drain` until it is dry.

        Then it stops in order, or is gone at once. Half way the wall clock is set on by `jump` seconds.
        """
        scheduler.TICK_SECONDS, usual = tick, scheduler.TICK_SECONDS
        self._loop = loop = VirtualLoop(self.elapsed)
        store = open_store(self.directory)
        store.recover(self.clock())
        try:
            self._go(loop, self._service(store), seconds, dies=dies, jump=jump, drain=drain)
        finally:
            self.elapsed, self._loop = loop.now, None
            scheduler.TICK_SECONDS = usual
            store.close()
            _bury(loop)
            self.crm.forget_what_was_in_flight()

    def _service(self, store: SqliteStore) -> Service:
        rng = random.Random(self.rng.random())  # noqa: S311 - every run of a seed is the same
        app = App(self.settings, clock=self.clock, steady=self.steady, rng=rng)
        built = machine(app, store, Sides(self.leadbyte, self.crm), lambda: self.mappings)
        return Service(replace(built, report=_no_report))

    def _go(
        self, loop: VirtualLoop, service: Service, seconds: float, *, dies: bool, jump: float, drain: bool
    ) -> None:
        def set_the_clock() -> None:
            self.offset += jump

        loop.call_later(seconds / 2, set_the_clock)
        while self._later:
            loop.call_later(*self._later.pop())
        loop.call_later(seconds, loop.stop if dies else service.stop.set)
        work = loop.create_task(service.run(drain=drain))
        work.add_done_callback(lambda _: loop.stop())
        loop.run_forever()
        if work.done():
            work.result()


def _bury(loop: VirtualLoop) -> None:
    """What is left of a service that died: with its store closed it can neither send nor record any more."""
    if left := asyncio.all_tasks(loop):
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.close()


async def _no_report() -> None:
    """No thread and no file: time in the box is virtual."""
