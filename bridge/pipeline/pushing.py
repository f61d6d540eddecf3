"""The push stage: batches to LeadSquared, one lane a call."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

import structlog

from bridge.errors import CallError
from bridge.model import HOSTS, Call, Delivery, Move, Stage
from bridge.pipeline.crew import Crew
from bridge.pipeline.desk import Desk
from bridge.pipeline.gate import Gate
from bridge.policy.delivering import Delivering
from bridge.ports import Sink, Store

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Batching:
    """How deliveries travel: `mode` bulk or async, at most `size` in a call, waiting `linger` seconds for company."""

    mode: str
    size: int
    linger: float


class PushStage:
    """Sends due deliveries of one mode. The permit comes before the claim: nothing sits claimed while it waits."""

    def __init__(
        self,
        store: Store,
        desk: Desk,
        sink: Sink,
        gate: Gate,
        delivering: Delivering,
        batching: Batching,
        width: int,
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self._store, self._desk, self._sink, self._gate = store, desk, sink, gate
        self._delivering, self._batching, self._clock, self._rng = delivering, batching, clock, rng
        self._run, self._count = f"{rng.getrandbits(48):012x}", count(1)
        self.crew = Crew(f"push-{batching.mode}", width, self._step)

    async def stop(self, grace: float) -> None:
        """Finish the calls in flight."""
        await self.crew.stop(grace)

    async def _step(self) -> bool:
        if not await self._ready() or not await self._gate.permit():
            return False
        call_id = f"{self._run}-{next(self._count)}"
        with self._gate.given_back_on_error():
            batch = await self._claim(call_id)
        if not batch:
            self._gate.give_back()
            return False
        self.crew.tick()
        await self._push(call_id, batch)
        return True

    async def _ready(self) -> bool:
        b = self._batching
        return await self._desk(self._store.ready, b.mode, self._clock(), b.size, b.linger)

    async def _claim(self, call_id: str) -> Sequence[Delivery]:
        b = self._batching
        return await self._desk(self._store.claim_batch, b.mode, self._clock(), b.size, b.linger, call_id)

    async def _push(self, call_id: str, batch: Sequence[Delivery]) -> None:
        started_at = self._clock()
        moves, result = await self._call(batch)
        now = self._clock()
        call = Call(call_id, Stage.PUSH, HOSTS[self._batching.mode], started_at, now, result)
        await self._desk(self._store.record, call, moves, now)
        log.info("pushed", mode=self._batching.mode, result=result, **Counter(str(move.to) for move in moves))

    async def _call(self, batch: Sequence[Delivery]) -> tuple[list[Move], str]:
        try:
            outcomes = await self._sink.push(batch[0].lane, batch)
        except CallError as error:
            resume_at = self._gate.failed(error)
            log.warning("push failed", leads=len(batch), kind=type(error).__name__, reason=str(error))
            return self._moves_after(batch, error, resume_at), type(error).__name__.lower()
        self._gate.answered()
        moves = self._delivering.after_push(batch, outcomes, self._clock(), self._rng.random())
        return list(moves), "answered"

    def _moves_after(self, batch: Sequence[Delivery], error: CallError, resume_at: float) -> list[Move]:
        now, jitter = self._clock(), self._rng.random()
        return list(self._delivering.after_error(batch, error, now, jitter, resume_at))
