"""The push stage: batches to LeadSquared, and operations to LeadByte, one lane a call."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

import structlog

from bridge.errors import CallError, Denied, LostAnswer, ServerFault
from bridge.model import HOSTS, Call, Delivery, Move, Stage, State
from bridge.pipeline.crew import Crew
from bridge.pipeline.desk import Desk
from bridge.pipeline.gate import Gate
from bridge.policy.delivering import Delivering
from bridge.ports import Sink, Store

log = structlog.get_logger()

ON_THE_REPORT = (State.FAILED, State.UNPROCESSED, State.IN_DOUBT)


@dataclass(frozen=True, slots=True)
class Batching:
    """How deliveries travel: `mode` bulk, async or leadbyte, at most `size` in a call, waiting `linger` seconds for company."""

    mode: str
    size: int
    linger: float


class PushStage:
    """Sends due deliveries of one mode. The permit comes before the claim: nothing sits claimed while it waits.

    A host that is down or denies its keys is asked by a ping first, so no lead is sent to it only to see how it is.
    """

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
        if not await self._ready():
            await self._gate.look(self._ping)
            return False
        trial = self._gate.health.one_at_a_time
        if trial and not await self._answers():
            return not self._gate.closed
        if not await self._gate.permit():
            return False
        if self._gate.health.one_at_a_time and not trial:
            # The host went down while this permit was waited for.
            self._gate.give_back()
            return True
        call_id = f"{self._run}-{next(self._count)}"
        with self._gate.given_back_on_error():
            batch = await self._claim(call_id)
        if not batch:
            self._gate.give_back()
            if trial:
                # What is due waits for others in flight: there is nothing to try the host by but the ping.
                self._gate.well()
            return False
        self.crew.tick()
        await self._push(call_id, batch, trial=trial)
        return True

    async def _answers(self) -> bool:
        return await self._gate.answers(self._ping)

    async def _still_answers(self) -> bool:
        return await self._gate.still_answers(self._ping)

    async def _ping(self) -> None:
        await self._sink.ping(self._batching.mode)

    async def _ready(self) -> bool:
        b = self._batching
        return await self._desk(self._store.ready, b.mode, self._clock(), b.size, b.linger)

    async def _claim(self, call_id: str) -> Sequence[Delivery]:
        b = self._batching
        return await self._desk(self._store.claim_batch, b.mode, self._clock(), b.size, b.linger, call_id)

    async def _push(self, call_id: str, batch: Sequence[Delivery], *, trial: bool) -> None:
        started_at = self._clock()
        moves, result = await self._call(batch, trial=trial)
        now = self._clock()
        call = Call(call_id, Stage.PUSH, HOSTS[self._batching.mode], started_at, now, result)
        await self._desk(self._store.record, call, moves, now)
        log.info("pushed", mode=self._batching.mode, result=result, **Counter(str(move.to) for move in moves))
        _tell(moves)

    async def _call(self, batch: Sequence[Delivery], *, trial: bool) -> tuple[list[Move], str]:
        try:
            outcomes = await self._sink.push(batch[0].lane, batch)
        except CallError as error:
            log.warning("push failed", leads=len(batch), kind=type(error).__name__, reason=str(error))
            wait, answers = await self._judged(error, trial=trial)
            return self._moves_after(batch, error, wait, answers=answers), type(error).__name__.lower()
        self._gate.answered()
        moves = self._delivering.after_push(batch, outcomes, self._clock(), self._rng.random())
        return list(moves), "answered"

    async def _judged(self, error: CallError, *, trial: bool) -> tuple[float, bool]:
        """In how many seconds calls may go on, and whether the host is well but for this call.

        Of a trial that is known: it came after a ping that was answered.
        """
        alone = self._delivering.denied_fails
        if isinstance(error, Denied) and (alone or not trial):
            return 0.0, await self._gate.denied(error, self._ping, alone=alone)
        about_one = trial and not (isinstance(error, Denied) and error.wrong_region)
        wait = self._gate.failed(error, keys_work=about_one)
        return wait, about_one or await self._answers_after(error)

    async def _answers_after(self, error: CallError) -> bool:
        """Whether the host is well but for the call that failed. One that is known to be down is not asked."""
        without_verdict = isinstance(error, LostAnswer | ServerFault)
        return without_verdict and not self._gate.health.one_at_a_time and await self._still_answers()

    def _moves_after(
        self, batch: Sequence[Delivery], error: CallError, wait: float, *, answers: bool
    ) -> list[Move]:
        now, jitter = self._clock(), self._rng.random()
        return list(self._delivering.after_error(batch, error, now, jitter, now + wait, answers=answers))


def _tell(moves: Sequence[Move]) -> None:
    """A line for each delivery that ends on the report."""
    for move in moves:
        if move.to in ON_THE_REPORT:
            told = {"queue_id": move.delivery.queue_id, "person": move.delivery.identity}
            log.warning("not delivered", state=str(move.to), **told)
