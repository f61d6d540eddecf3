"""How a running bridge is: what is in memory at once, what is in the store counted now and then, for all who ask."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
from typing import Final

import structlog

from bridge.app.seeing import Seen, counts
from bridge.errors import BridgeError
from bridge.pipeline.changes import CHECKPOINT as CHANGES
from bridge.pipeline.metrics import CHECKPOINT as METRICS
from bridge.pipeline.notifying import Post
from bridge.policy.conditions import Counts
from bridge.policy.window import Window
from bridge.scheduler import Machine
from bridge.server import Calls, Counted, Measured, Readiness

log = structlog.get_logger()

KEPT_SECONDS: Final = 15.0
SHARE: Final = 20.0
LONGEST_KEPT_SECONDS: Final = 300.0
"""A count is kept this long at least, and so many times as long as it took (3 s for a million leads): scraped however
often, counting takes a twentieth of one core at most. Only beyond five million leads it takes more."""

WAIT_SECONDS: Final = 5.0
"""For a new count, at most; a scrape of Prometheus ends after 10 seconds."""


class Counting:
    """Looks by `look` on a thread, once for all who ask meanwhile, and keeps what was found.

    `steady` is never set back. `wait`: the most seconds that a caller waits for a new look.
    """

    def __init__(
        self, look: Callable[[], Seen], steady: Callable[[], float], wait: float = WAIT_SECONDS
    ) -> None:
        self._look, self._steady, self._wait = look, steady, wait
        self._found: Seen | None = None
        self._due = -inf
        self._task: asyncio.Task[None] | None = None

    async def __call__(self) -> Seen | None:
        """The newest look; None where the store could not be read. One that takes long is the next caller's."""
        if self._task is None and self._steady() >= self._due:
            self._task = asyncio.create_task(self._renew())
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=self._wait)
        return self._found

    async def anew(self) -> Seen | None:
        """A look that begins from now on; None where it could not be made, or takes too long."""
        if (before := self._task) is not None:
            _, late = await asyncio.wait((before,), timeout=self._wait)
            if late:
                return None
        self._due = -inf
        found = await self()
        return found if self._task is None else None

    async def _renew(self) -> None:
        begun = self._steady()
        try:
            self._found = await asyncio.to_thread(self._look)
        except BridgeError as error:
            self._failed(str(error))
        except Exception as error:  # noqa: BLE001 - any other way out of here is a traceback in the log
            self._failed(type(error).__name__)
        finally:
            now = self._steady()
            self._due = now + min(max(KEPT_SECONDS, SHARE * (now - begun)), LONGEST_KEPT_SECONDS)
            self._task = None

    def _failed(self, reason: str) -> None:
        self._found = None
        log.warning("leads not counted", reason=reason)


@dataclass(frozen=True, slots=True)
class Watch:
    """Whoever is told when something goes wrong, and what of. `post`: None where nobody is told."""

    counting: Counting
    post: Post | None = None

    async def look(self) -> Counts | None:
        """The counts of now; None where the store could not be read."""
        found = await self.counting()
        return counts(found.status) if found else None

    async def anew(self) -> Counts | None:
        """The same, counted for this caller: at the end nobody looks again."""
        found = await self.counting.anew()
        return counts(found.status) if found else None


def counted(found: Seen) -> Counted:
    """The numbers in what was seen, and nothing else of it."""
    status, now = found.status, found.at
    return Counted(
        at=now,
        leads=dict(status.leads),
        feedback=dict(status.feedback),
        oldest_waiting=_age(status.oldest_waiting_at, now),
        oldest_pending=_age(status.oldest_pending_at, now),
        unknown_words=sum(status.unknown_words.values()),
        days_off=sum(not day.adds_up for day in status.account),
        free=found.free,
        changes_up_to=_epoch(status.checkpoints.get(CHANGES)),
        queue=_numbers(status.checkpoints.get(METRICS)),
        leads_per_minute=status.leads_per_minute,
    )


def _age(moment: float | None, now: float) -> float:
    return 0.0 if moment is None else max(0.0, now - moment)


def _epoch(kept: str | None) -> float | None:
    return datetime.fromisoformat(kept).timestamp() if kept else None


def _numbers(kept: str | None) -> Mapping[str, float]:
    """What another side tells need not be a number."""
    told = json.loads(kept) if kept else {}
    return {name: value for name, value in told.items() if type(value) in {int, float}}


@dataclass(frozen=True, slots=True)
class Measuring:
    """Measures a running machine. `counting`: what its store holds."""

    machine: Machine
    counting: Counting
    version: str

    async def __call__(self) -> Measured:
        """Raises nothing: what cannot be found is left out."""
        return self.measured(await self.counting())

    def measured(self, looked: Seen | None) -> Measured:
        """What is in memory at this moment, with what was `looked` at in the store."""
        found = counted(looked) if looked else None
        return Measured(
            version=self.version,
            ready=readiness(self.machine),
            disk_full=self.machine.desk.full,
            windows=self._windows(),
            counted=found and (found if self._watching else replace(found, changes_up_to=None)),
        )

    @property
    def _watching(self) -> bool:
        """Whether changes are read at all: else it would look as if they were read no more."""
        return self.machine.changes is not None and bool(self.machine.changes.columns)

    def _windows(self) -> Mapping[str, Calls]:
        """By host: gates that share a window count once, by the name of the first."""
        now = self.machine.steady()
        return {gate.sharing[0].name: _calls(gate.window, now) for gate in self.machine.gates}


def _calls(window: Window, now: float) -> Calls:
    limit = window.limit(now)
    return Calls(window.used(now), limit.calls, limit.seconds)


def readiness(machine: Machine) -> Readiness:
    """How every side is, and whether every stage works and what it does can be stored."""
    sides = {gate.name: str(gate.health.state) for gate in machine.gates}
    working = not machine.desk.full and all(stage.crew.trouble is None for stage in machine.stages)
    return Readiness(sides, working=working)
