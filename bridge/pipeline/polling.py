"""The poll stage: what became of the queueIds that wait."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable

import structlog

from bridge.errors import CallError, Denied, Refused
from bridge.model import PollRecord, WaitingItem
from bridge.pipeline.crew import Crew
from bridge.pipeline.desk import Desk
from bridge.pipeline.gate import Gate
from bridge.policy.polling import Polling
from bridge.ports import Source, Store

log = structlog.get_logger()

AHEAD = 8
"""Items claimed and recorded at once, for each worker: a commit costs as much as polling two leads."""


class PollStage:
    """Polls due items, `width` at a time.

    Where nothing limits the calls, items are claimed a few to a worker, and results are recorded when the next are
    claimed; else one to a worker with a permit, and each result at once. `stored` is called where results were recorded
    by the load: whoever works on them then need not wait for a tick, and finds their replies still at hand.
    """

    def __init__(
        self,
        store: Store,
        desk: Desk,
        source: Source,
        gate: Gate,
        polling: Polling,
        width: int,
        clock: Callable[[], float],
        rng: random.Random,
        stored: Callable[[], None],
    ) -> None:
        self._store, self._desk, self._source, self._gate = store, desk, source, gate
        self._polling, self._width, self._clock, self._rng = polling, width, clock, rng
        self._claimed: deque[WaitingItem] = deque()
        self._done: list[PollRecord] = []
        self._stored, self._claiming = stored, asyncio.Lock()
        self.crew = Crew("poll", width, self._step)

    async def stop(self, grace: float) -> None:
        """Finish what is in flight and give back what was not begun."""
        await self.crew.stop(grace)
        await self._flush()
        if self._claimed:
            await self._desk(self._store.release_waiting, list(self._claimed), self._clock())
            self._claimed.clear()

    async def _step(self) -> bool:
        if not await self._gate.permit():
            return False
        with self._gate.given_back_on_error():
            item = await self._next()
        if item is None:
            self._gate.give_back()
            await self._gate.look(self._source.ping)
            return False
        self.crew.tick()
        record = await self._poll(item)
        self._done.append(record)
        if self._gate.limited or self._gate.health.one_at_a_time or len(self._done) >= AHEAD * self._width:
            await self._flush()
        return True

    async def _next(self) -> WaitingItem | None:
        async with self._claiming:
            if not self._claimed:
                await self._flush()
                self._claimed.extend(await self._desk(self._store.claim_waiting, self._clock(), self._room()))
            return self._claimed.popleft() if self._claimed else None

    def _room(self) -> int:
        if self._gate.health.one_at_a_time:
            return 1
        return self._width if self._gate.limited else AHEAD * self._width

    async def _poll(self, item: WaitingItem) -> PollRecord:
        try:
            reply = await self._source.poll(item.queue_id)
        except CallError as error:
            if isinstance(error, Denied):
                await self._gate.denied(error, self._source.ping)
            else:
                self._gate.failed(error)
            log.info("poll failed", queue_id=item.queue_id, reason=str(error))
            answers = await self._answers_after(item, error)
            return self._polling.after_error(item, error, self._clock(), self._rng.random(), answers=answers)
        self._gate.answered()
        return self._polling.after_reply(item, reply, self._clock(), self._rng.random())

    async def _answers_after(self, item: WaitingItem, error: CallError) -> bool:
        """Whether LeadByte is well but for this poll: asked where the item would expire by it."""
        if isinstance(error, Refused) or self._clock() < item.deadline_at:
            return True
        return await self._gate.answers(self._source.ping)

    async def _flush(self) -> None:
        done, self._done = self._done, []
        if done:
            await self._desk(self._store.record_polls, done, self._clock())
        if len(done) > self._width:
            self._stored()
