"""The stage that tells people: it looks how the bridge is, and posts what they are to hear."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from math import inf
from typing import Final, TypeAlias

import structlog

from bridge.pipeline.crew import Crew
from bridge.pipeline.desk import Desk
from bridge.pipeline.gate import Gate
from bridge.pipeline.remembered import TOLD, remembered, text_of
from bridge.policy import alerting, conditions
from bridge.policy.alerting import Arrival, Condition, Due, Memory
from bridge.policy.conditions import Counts, Side
from bridge.ports import Store

log = structlog.get_logger()

LOOK_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of one message. `what`: in our words, without the address. `said`: what the receiver answered."""

    arrival: Arrival
    what: str
    said: str = ""


Post: TypeAlias = Callable[[str], Awaitable[Posted]]
Look: TypeAlias = Callable[[], Awaitable[Counts | None]]


@dataclass(slots=True)
class Outlook:
    """How the bridge is, as conditions. `look`: the counts of now, None where the store cannot be read. `anew`: the same,
    surely counted after the call.

    `failures`: so many leads on the report are told, none where it is 0. `down_seconds`: for so long a side must be down.
    """

    look: Look
    anew: Look
    gates: Sequence[Gate]
    failures: int
    down_seconds: float
    clock: Callable[[], float]
    steady: Callable[[], float]
    _doubted_at: float | None = None

    async def __call__(self) -> Sequence[Condition]:
        """All that may be told."""
        counts = await self.look()
        return self._found(counts, self._doubted(counts))

    async def last(self, *, dry: bool) -> Sequence[Condition]:
        """The same as the service ends. `dry`: nothing is left to do, so that a doubt lasts however short it is."""
        counts = await self.anew()
        return self._found(counts, inf if dry else self._doubted(counts))

    def _found(self, counts: Counts | None, doubted: float) -> Sequence[Condition]:
        now, found = self.clock(), [conditions.doubtful(counts, doubted)]
        if self.failures:
            found.append(conditions.failing(counts, self.failures))
        sides = (conditions.not_up(self._side(gate), self.down_seconds, now) for gate in self.gates)
        return [*found, *chain.from_iterable(sides)]

    def _doubted(self, counts: Counts | None) -> float:
        """For how many seconds something has been in doubt."""
        if counts is not None:
            begun = self.steady() if self._doubted_at is None else self._doubted_at
            self._doubted_at = begun if counts.in_doubt else None
        return 0.0 if self._doubted_at is None else self.steady() - self._doubted_at

    def _side(self, gate: Gate) -> Side:
        health = gate.health
        seconds = self.steady() - health.left_at if health.one_at_a_time else 0.0
        return Side(gate.name, health.state, health.reached, seconds, health.reason)


class NotifyStage:
    """Looks every 30 seconds and posts what `policy/alerting.py` finds due; all that is due at one look is one message.

    What is told is kept before it is posted, so that a kill between the two repeats nothing within the hour. `head`: the
    first words of each message. Nothing depends on it, and stopping it waits for no receiver; `last` does, after that.
    """

    def __init__(
        self,
        store: Store,
        desk: Desk,
        outlook: Outlook,
        post: Post,
        head: str,
        clock: Callable[[], float],
        steady: Callable[[], float],
    ) -> None:
        self._store, self._desk, self._outlook, self._post = store, desk, outlook, post
        self._head, self._clock, self._steady = head, clock, steady
        self._memory: Memory | None = None
        self._next_at = 0.0
        self.crew = Crew("notify", 1, self._step)

    async def stop(self, grace: float) -> None:  # noqa: ARG002 - as every stage
        """At once: what is cut off counts as told, but unsure."""
        await self.crew.stop(0.0)

    async def last(self, dry: bool) -> None:
        """Look once more, after `stop`: what the service brought about at its end is told by it. Raises nothing. It may be
        cut off as a message may: then that counts as told, but unsure.
        """
        with spared(self.crew.name):
            await self._tell(await self._outlook.last(dry=dry))

    async def _step(self) -> bool:
        if self._steady() < self._next_at:
            return False
        self._next_at = self._steady() + LOOK_SECONDS
        with spared(self.crew.name):
            await self._tell(await self._outlook())
        return False

    async def _tell(self, found: Sequence[Condition]) -> None:
        memory = self._memory or await self._kept()
        due = alerting.due(memory, found, self._steady())
        await self._keep(due.after)
        if due.texts:
            await self._keep(await self._told(due))

    async def _told(self, due: Due) -> Memory:
        posted = await self._post("\n".join((self._head, *due.texts.values())))
        say = log.info if posted.arrival is Arrival.ARRIVED else log.warning
        say("notification", about=list(due.texts), arrival=str(posted.arrival), answer=posted.what)
        return due.noted(posted.arrival, self._steady())

    async def _kept(self) -> Memory:
        self._memory = remembered(Memory, await self._desk(self._store.checkpoint, TOLD))
        return self._memory

    async def _keep(self, memory: Memory) -> None:
        if memory != self._memory:
            await self._desk(self._store.set_checkpoint, TOLD, text_of(memory), self._clock())
            self._memory = memory


@contextmanager
def spared(stage: str) -> Iterator[None]:
    """Whatever goes wrong meanwhile is a line in the log: the service does not end for what only watches it."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - its text may be anybody's
        log.warning("look failed", stage=stage, error=type(error).__name__)
