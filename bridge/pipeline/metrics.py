"""The metrics stage: how long LeadSquared's async queue is, while updates are in it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

from bridge.errors import CallError
from bridge.model import Json
from bridge.pipeline.crew import Crew
from bridge.pipeline.desk import Desk
from bridge.pipeline.gate import Gate
from bridge.ports import Store

log = structlog.get_logger()

CHECKPOINT: Final = "leadsquared-async:metrics"


class MetricsStage:
    """Asks for the async metrics every `interval` seconds while updates are in flight, and keeps the last answer.

    Nothing depends on it: a host that is not well is not asked, and what fails here says nothing of the updates.
    """

    def __init__(
        self,
        store: Store,
        desk: Desk,
        ask: Callable[[], Awaitable[Mapping[str, Json]]],
        gate: Gate,
        interval: float,
        clock: Callable[[], float],
        steady: Callable[[], float],
    ) -> None:
        self._store, self._desk, self._ask, self._gate = store, desk, ask, gate
        self._interval, self._clock, self._steady = interval, clock, steady
        self._next_at = 0.0
        self.crew = Crew("metrics", 1, self._step)

    async def stop(self, grace: float) -> None:
        """Finish the call in flight."""
        await self.crew.stop(grace)

    async def _step(self) -> bool:
        if self._steady() < self._next_at or not await self._desk(self._store.submitted):
            return False
        self._next_at = self._steady() + self._interval
        if not self._gate.health.one_at_a_time and await self._gate.permit(patient=False):
            await self._keep()
        return False

    async def _keep(self) -> None:
        try:
            told = await self._ask()
        except CallError as error:
            self._gate.passed_over(error)
            log.info("metrics not read", kind=type(error).__name__, reason=str(error))
            return
        self._gate.pinged()
        now = self._clock()
        value = json.dumps({**told, "at": now})
        await self._desk(self._store.set_checkpoint, CHECKPOINT, value, now)
