"""The stage that has the failure report written anew where failures jump."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from bridge.pipeline.crew import Crew
from bridge.pipeline.desk import Desk
from bridge.pipeline.notifying import LOOK_SECONDS, Look, spared
from bridge.pipeline.remembered import WRITTEN, remembered
from bridge.policy.rising import Rise, Written
from bridge.ports import Store

log = structlog.get_logger()


class ReportStage:
    """Looks every 30 seconds how many leads are on the report, and calls `report` where that jumped since the last one,
    whoever had it written.
    """

    def __init__(
        self,
        store: Store,
        desk: Desk,
        look: Look,
        report: Callable[[], Awaitable[None]],
        jump: int,
        clock: Callable[[], float],
        steady: Callable[[], float],
    ) -> None:
        self._store, self._desk, self._look, self._report = store, desk, look, report
        self._rise, self._clock, self._steady = Rise(jump), clock, steady
        self._next_at = 0.0
        self.crew = Crew("report", 1, self._step)

    async def stop(self, grace: float) -> None:
        """Finish the report that is being written."""
        await self.crew.stop(grace)

    async def _step(self) -> bool:
        if self._steady() < self._next_at:
            return False
        self._next_at = self._steady() + LOOK_SECONDS
        with spared(self.crew.name):
            await self._looked()
        return False

    async def _looked(self) -> None:
        counts = await self._look()
        written = remembered(Written, await self._desk(self._store.checkpoint, WRITTEN))
        if counts is not None and self._rise.jumped(counts.failures, written, self._clock()):
            log.info("failures jumped", leads=counts.failures, before=written.failures)
            await self._report()
