"""The prune stage: what is kept of people goes once its time is over."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from bridge.pipeline.crew import Crew
from bridge.pipeline.desk import Desk
from bridge.ports import Cutoffs, Store

log = structlog.get_logger()

RANGE: Final = 256
CHECKPOINT: Final = "pruned"
DAY_SECONDS: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days each kind is kept after its lead is done; 0 for good."""

    replies: float
    payloads: float
    attempts: float

    def cutoffs(self, now: float) -> Cutoffs:
        """What came to rest before these moments is too old."""
        kept = (self.replies, self.payloads, self.attempts)
        return Cutoffs(*(now - days * DAY_SECONDS if days else None for days in kept))


@dataclass(slots=True)
class Pass:
    """One way through the store. `leads`, `agreed`: where it goes on (None: done with those); `pruned`: rows so far."""

    leads: int | None = 0
    agreed: str | None = ""
    pruned: int = 0


class PruneStage:
    """Goes through the store once a day (UTC), one short range of ids at each tick.

    Its place is kept over a restart. It is never waited for: what a drain leaves is pruned at the next start.
    """

    def __init__(self, store: Store, desk: Desk, retention: Retention, clock: Callable[[], float]) -> None:
        self._store, self._desk, self._retention, self._clock = store, desk, retention, clock
        self._day, kept = _read(store.checkpoint(CHECKPOINT))
        self._pass, self._kept = Pass(kept), kept
        self._on = any((retention.replies, retention.payloads, retention.attempts))
        self.crew = Crew("prune", 1, self._step)

    async def stop(self, grace: float) -> None:
        """Finish the range in hand and keep the place."""
        await self.crew.stop(grace)
        if self._pass.leads != self._kept:
            await self._keep()

    async def _step(self) -> bool:
        """Always False: the next range is for the next tick, so that all else comes first."""
        now = self._clock()
        if not self._on or self._day == _day(now):
            return False
        cutoffs = self._retention.cutoffs(now)
        if self._pass.leads is not None:
            await self._prune_leads(self._pass.leads, cutoffs, now)
        elif self._pass.agreed is not None and cutoffs.payloads is not None:
            await self._prune_agreed(self._pass.agreed, cutoffs.payloads)
        else:
            log.info("pruned", rows=self._pass.pruned)
            self._day, self._pass = _day(now), Pass()
            await self._keep()
        return False

    async def _prune_leads(self, after: int, cutoffs: Cutoffs, now: float) -> None:
        self._pass.leads, pruned = await self._desk(self._store.prune_leads, after, RANGE, cutoffs, now)
        self._pass.pruned += pruned
        if pruned:
            await self._keep()

    async def _prune_agreed(self, after: str, before: float) -> None:
        self._pass.agreed, pruned = await self._desk(self._store.prune_agreed, after, RANGE, before)
        self._pass.pruned += pruned

    async def _keep(self) -> None:
        self._kept = self._pass.leads
        value = json.dumps({"day": self._day, "after": self._kept})
        await self._desk(self._store.set_checkpoint, CHECKPOINT, value, self._clock())


def _read(kept: str | None) -> tuple[str | None, int | None]:
    """The day of the last whole pass, and the place in the one that has begun."""
    if kept is None:
        return None, 0
    value = json.loads(kept)
    return value["day"], value["after"]


def _day(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).date().isoformat()
