"""Workers of one stage."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from bridge.errors import Conflict

log = structlog.get_logger()


class Crew:
    """Up to `width` workers that each repeat `step` until it finds nothing to do (returns False).

    `tick` puts one to work; a step that found work calls it again for help. A step that raises ends the crew:
    the others finish their step, nobody is put to work any more, and `trouble` holds the first exception.
    """

    def __init__(self, name: str, width: int, step: Callable[[], Awaitable[bool]]) -> None:
        self.name, self._width, self._step = name, width, step
        self._workers: set[asyncio.Task[None]] = set()
        self._stopping = False
        self.trouble: BaseException | None = None

    @property
    def idle(self) -> bool:
        """Whether nobody works."""
        return not self._workers

    def tick(self) -> None:
        """Put one more worker to work, if there is room."""
        if len(self._workers) < self._width and not self._stopping:
            worker = asyncio.create_task(self._work(), name=self.name)
            self._workers.add(worker)
            worker.add_done_callback(self._ended)

    async def stop(self, grace: float) -> None:
        """Let every worker finish the step it is in; after `grace` seconds cut them off."""
        self._stopping = True
        if self._workers:
            _, late = await asyncio.wait(self._workers, timeout=grace)
            for worker in late:
                worker.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _work(self) -> None:
        while not self._stopping and await self._attempt():
            pass

    async def _attempt(self) -> bool:
        try:
            return await self._step()
        except Conflict as conflict:
            log.info("decided anew", stage=self.name, because=str(conflict))
            return False

    def _ended(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        if not worker.cancelled() and worker.exception() is not None:
            self.trouble = self.trouble or worker.exception()
            self._stopping = True
