"""The service: every stage on its schedule, until it is told to stop or nothing is left to do."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from typing import Protocol

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bridge.errors import Denied, Unreachable
from bridge.pipeline.changes import ChangeStage
from bridge.pipeline.crew import Crew
from bridge.pipeline.desk import Desk
from bridge.pipeline.gate import Gate
from bridge.policy.health import SideState
from bridge.ports import Store

log = structlog.get_logger()

TICK_SECONDS = 0.25
GRACE_SECONDS = 8.0
LEAVE_SECONDS = 6.0
"""For what is done last, and within the grace: a message is given up after 5 seconds by itself."""

STEP_SECONDS = 1.0
"""A clock that is this much off after one tick was set, and did not drift."""

PROBES_BEFORE_GIVING_UP = 5
DENIALS_BEFORE_GIVING_UP = 20
"""Of a host that denies what it is sent, but not the keys: some leads may be at fault, and fail by their attempts."""


class Stage(Protocol):
    """One stage of the pipeline: `crew` works it off, `stop` ends it with nothing lost."""

    crew: Crew

    async def stop(self, grace: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Machine:
    """All that a running bridge consists of.

    `finished`: whether a drain need not wait for what the store does not show. `changes`: where somebody may tell of one.
    `last`: called once no stage works any more and all is recorded, with whether a drain got all done; may be cut off.
    """

    store: Store
    desk: Desk
    stages: Sequence[Stage]
    finished: Callable[[], bool]
    gates: Sequence[Gate]
    report: Callable[[], Awaitable[None]]
    clock: Callable[[], float]
    steady: Callable[[], float]
    changes: ChangeStage | None = None
    last: Sequence[Callable[[bool], Awaitable[None]]] = ()


@dataclass(slots=True)
class ClockWatch:
    """Sees a wall clock that is set back, by a clock that never is."""

    wall: Callable[[], float]
    steady: Callable[[], float]
    _ahead: float = 0.0

    def __post_init__(self) -> None:
        self._ahead = self.wall() - self.steady()

    def set_back(self) -> float:
        """By how many seconds the clock was set back since this was last asked; 0.0 where it only drifted."""
        before, self._ahead = self._ahead, self.wall() - self.steady()
        back = before - self._ahead
        return back if back >= STEP_SECONDS else 0.0


class Service:
    """Runs a machine. `stop` is set from outside (SIGTERM) to end it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.stop = machine.desk.closing
        self._watch = ClockWatch(machine.clock, machine.steady)

    async def run(self, *, drain: bool = False, until: Callable[[], Awaitable[bool]] | None = None) -> None:
        """Work until stopped, or with `drain` until nothing waits or is in flight, or until `until` says so.

        Raises whatever ended a stage; where there is an end to wait for, also Denied or Unreachable if a side lets
        nothing through.
        """
        ended, dry = self._dry if drain else until, False
        _spare_the_collector()
        scheduler = self._schedule()
        scheduler.start()
        try:
            while not self.stop.is_set() and not (ended and await ended()):
                self._look_for_trouble(hopeless=ended is not None)
                await self._tick()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.stop.wait(), TICK_SECONDS)
            dry = drain and not self.stop.is_set()
        finally:
            scheduler.shutdown(wait=False)
            await self._finish(dry=dry)

    def _schedule(self) -> AsyncIOScheduler:
        scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        scheduler.add_job(self.machine.report, "cron", hour=0, minute=5)
        return scheduler

    async def _tick(self) -> None:
        machine = self.machine
        if back := self._watch.set_back():
            log.warning("the clock was set back", seconds=round(back))
            await machine.desk(machine.store.clock_set_back, back)
        for stage in machine.stages:
            stage.crew.tick()
        await self._remember()

    async def _dry(self) -> bool:
        machine = self.machine
        return await machine.desk(machine.store.idle) and machine.finished()

    def _look_for_trouble(self, *, hopeless: bool) -> None:
        for stage in self.machine.stages:
            if stage.crew.trouble is not None:
                raise stage.crew.trouble
        if hopeless:
            for gate in self.machine.gates:
                _raise_if_hopeless(gate)

    async def _remember(self) -> None:
        machine = self.machine
        for gate in machine.gates:
            if gate.changed:
                gate.changed = False
                name = f"host:{gate.name}"
                await machine.desk(machine.store.set_checkpoint, name, gate.state(), machine.clock())

    async def _finish(self, *, dry: bool) -> None:
        machine, until = self.machine, asyncio.get_running_loop().time() + GRACE_SECONDS
        self.stop.set()
        for gate in machine.gates:
            gate.close()
        stopping = (stage.stop(GRACE_SECONDS) for stage in machine.stages)
        ended = await asyncio.gather(*stopping, return_exceptions=True)
        await self._remember()
        cut_off = await machine.desk(machine.store.recover, machine.clock())
        if cut_off:
            log.warning("calls cut off", deliveries=cut_off)
        await asyncio.gather(machine.report(), *(self._leave(last(dry), until) for last in machine.last))
        for error in ended:
            if error is not None:
                raise error

    async def _leave(self, last: Awaitable[None], until: float) -> None:
        """Whatever is done last does not keep the process from its end."""
        with suppress(TimeoutError):
            await asyncio.wait_for(last, min(LEAVE_SECONDS, until - asyncio.get_running_loop().time()))


def _spare_the_collector() -> None:
    """What start-up made stays for good, and replies come and go without cycles: the garbage collector may look less often."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _raise_if_hopeless(gate: Gate) -> None:
    """A wait that no answer can end is ended: the key is refused, or the host has never been reached."""
    health = gate.health
    if health.state is SideState.DENIED and (
        not health.keys_work or health.probes >= DENIALS_BEFORE_GIVING_UP
    ):
        raise Denied(f"{gate.name}: {health.reason}; what is left stays tracked")
    if health.state is SideState.DOWN and not health.reached and health.probes >= PROBES_BEFORE_GIVING_UP:
        raise Unreachable(f"{gate.name}: {health.reason}; what is left stays tracked")
