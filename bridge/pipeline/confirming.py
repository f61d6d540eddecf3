"""The confirm stage: what became of accepted async updates, and of updates whose answer was lost."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import count

import structlog

from bridge.errors import CallError, Refused
from bridge.model import Call, Delivery, Move, Stage
from bridge.pipeline.crew import Crew
from bridge.pipeline.desk import Desk
from bridge.pipeline.gate import Gate
from bridge.policy.delivering import Delivering
from bridge.ports import ReadableSink, Store

log = structlog.get_logger()


class AskingStage(ABC):
    """Asks about one due delivery at a time until what became of it is known or its deadline has passed."""

    name: str
    mode: str
    """Of the host that it asks."""

    def __init__(
        self,
        store: Store,
        desk: Desk,
        sink: ReadableSink,
        gate: Gate,
        delivering: Delivering,
        width: int,
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self._store, self._desk, self._sink, self._gate = store, desk, sink, gate
        self._delivering, self._clock, self._rng = delivering, clock, rng
        self._run, self._count = f"{rng.getrandbits(48):012x}", count(1)
        self.crew = Crew(self.name, width, self._step)

    async def stop(self, grace: float) -> None:
        """Finish the calls in flight."""
        await self.crew.stop(grace)

    @abstractmethod
    def _claim(self, now: float, limit: int) -> Sequence[Delivery]: ...

    @abstractmethod
    async def _ask(self, delivery: Delivery) -> Move | None: ...

    async def _step(self) -> bool:
        if not await self._gate.permit():
            return False
        with self._gate.given_back_on_error():
            claimed = await self._desk(self._claim, self._clock(), 1)
        if not claimed:
            self._gate.give_back()
            return False
        self.crew.tick()
        await self._settle(claimed[0])
        return True

    async def _settle(self, delivery: Delivery) -> None:
        started_at, move, result, reason = self._clock(), None, "answered", None
        try:
            move = await self._ask(delivery)
            self._gate.answered()
        except CallError as error:
            self._gate.failed(error)
            result, reason = type(error).__name__.lower(), str(error)
            move = await self._after_error(delivery, error)
            told = {"queue_id": delivery.queue_id, "person": delivery.identity}
            log.info("asking failed", stage=self.name, reason=reason, **told)
        now = self._clock()
        call = Call(self._call_id(), Stage.CONFIRM, self._gate.name, started_at, now, result)
        if move is None:
            due_at = self._delivering.next_look(delivery, now, self._rng.random())
            await self._desk(self._store.postpone, call, delivery, due_at, reason)
        else:
            await self._desk(self._store.record, call, [move], now)

    async def _after_error(self, delivery: Delivery, error: CallError) -> Move | None:
        """A host is asked whether it is well only where the delivery would fail by this."""
        answers = isinstance(error, Refused)
        if not answers and self._delivering.is_late(delivery, self._clock()):
            answers = await self._gate.answers(lambda: self._sink.ping(self.mode))
        return self._delivering.after_asking_failed(delivery, error, self._clock(), answers=answers)

    def _call_id(self) -> str:
        return f"{self._run}-{self.name}-{next(self._count)}"


class ConfirmStage(AskingStage):
    """Asks the status API about accepted async updates."""

    name, mode = "confirm", "async"

    def _claim(self, now: float, limit: int) -> Sequence[Delivery]:
        return self._store.claim_submitted(now, limit)

    async def _ask(self, delivery: Delivery) -> Move | None:
        outcome = await self._sink.confirm(delivery.request_id or "")
        return self._delivering.after_confirm(delivery, outcome, self._clock())


class DoubtStage(AskingStage):
    """Reads the lead back where an update that may not be repeated lost its answer."""

    name, mode = "in-doubt", "bulk"

    def _claim(self, now: float, limit: int) -> Sequence[Delivery]:
        return self._store.claim_in_doubt(now, limit)

    async def _ask(self, delivery: Delivery) -> Move | None:
        held = await self._sink.read_back(delivery.key, delivery.lookup, list(delivery.fields))
        return self._delivering.after_read_back(delivery, held, self._clock())
