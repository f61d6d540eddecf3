"""How many calls an account allows, and when the next one may go."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

PROBING = 4
"""Calls in flight at once while a limit has not been seen to hold: the most that a hidden lower limit can refuse."""

RETRY_UPWARDS_SECONDS = 86_400.0
LONGEST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Limit:
    """So many calls in any span of so many seconds. `calls` 0: no limit."""

    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Learned:
    """A limit told by a throttle, and when (epoch seconds)."""

    limit: Limit
    at: float


@dataclass(slots=True)
class Window:
    """A rolling window of calls over one host. Not an actor: it is told the time and asked how long to wait.

    A call holds its place from `take` until `limit.seconds` after its answer, so whenever within that span the other
    side counted it, no span of that length holds more than `limit.calls`.
    """

    configured: Limit
    learned: Learned | None = None
    _answers: deque[float] = field(default_factory=deque)
    _in_flight: int = 0
    _clean: int = 0
    _pauses: int = 0
    _paused_until: float = 0.0

    def remember(self, answered: Iterable[float]) -> None:
        """Count calls that an earlier process made: when each was answered, in epoch seconds."""
        self._answers = deque(sorted((*self._answers, *answered)))

    def limit(self, now: float) -> Limit:
        """The limit in force: the learned one where it is lower, until a day has passed."""
        if self.learned is None or now - self.learned.at >= RETRY_UPWARDS_SECONDS:
            return self.configured
        return self.learned.limit

    def wait(self, now: float) -> float | None:
        """Seconds until a call may go: 0 is now; None is not before one that is in flight has been answered."""
        if now < self._paused_until:
            return self._paused_until - now
        limit = self.limit(now)
        if limit.calls == 0:
            return 0.0
        self._forget(now - limit.seconds)
        if self._in_flight >= self._most_in_flight(limit):
            return None
        if self._in_flight + len(self._answers) < limit.calls:
            return 0.0
        return self._answers[0] + limit.seconds - now if self._answers else None

    @property
    def in_flight(self) -> int:
        """Calls under way."""
        return self._in_flight

    def used(self, now: float) -> int:
        """Places taken at this moment."""
        self._forget(now - self.limit(now).seconds)
        return self._in_flight + len(self._answers)

    def take(self) -> None:
        """A call is about to go."""
        self._in_flight += 1

    def give_back(self) -> None:
        """The call did not go after all."""
        self._in_flight -= 1

    def answered(self, now: float) -> None:
        """The call ended, with an answer that was no throttle or with none at all."""
        self._settle(now)
        self._pauses = 0
        self._clean += 1

    def throttled(self, now: float, told: tuple[int, float] | None, retry_after: float | None) -> bool:
        """The call was refused as one too many. Pauses everything; returns whether a new limit was learned."""
        self._settle(now)
        if now >= self._paused_until:
            self._pauses += 1
        self._clean = 0
        pause = self._pause(now) if retry_after is None else retry_after
        self._paused_until = max(self._paused_until, now + pause)
        return told is not None and self._learn(Limit(*told), now)

    def _pause(self, now: float) -> float:
        seconds = max(self.limit(now).seconds, 1.0)
        return min(seconds * 2.0 ** min(self._pauses - 1, 10), max(LONGEST_PAUSE_SECONDS, seconds))

    def _learn(self, told: Limit, now: float) -> bool:
        if told.calls < 1 or told.seconds <= 0:
            return False
        if self.configured.calls and _rate(told) >= _rate(self.configured):
            return False
        new = self.learned is None or self.learned.limit != told
        self.learned = Learned(told, now)
        return new

    def _most_in_flight(self, limit: Limit) -> int:
        return limit.calls if self._clean >= limit.calls else min(PROBING, limit.calls)

    def _settle(self, now: float) -> None:
        self._in_flight -= 1
        if self.limit(now).calls:
            self._answers.append(now)

    def _forget(self, before: float) -> None:
        while self._answers and self._answers[0] <= before:
            self._answers.popleft()


def _rate(limit: Limit) -> float:
    return limit.calls / limit.seconds
