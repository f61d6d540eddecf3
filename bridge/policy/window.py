"""How many calls an account allows, and when the next one may go."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil

PROBING = 4
"""Calls in flight at once at first and after a throttle: the most that a hidden lower limit can refuse."""

RETRY_UPWARDS_SECONDS = 86_400.0
LONGEST_PAUSE_SECONDS = 60.0
LONGEST_WINDOW_SECONDS = 3_600.0
"""A limit over a longer span is a quota, and nobody says when it begins anew: it is tried again after this long."""


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
    side counted it, no span of that length holds more than `limit.calls`. That is so for the configured limit at all
    times, and for the learned one besides while it is in force.
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
        """The limit that binds in the long run: the learned one where it is lower, until a day has passed."""
        return min(self._in_force(now), key=_rate, default=self.configured)

    def wait(self, now: float) -> float | None:
        """Seconds until a call may go: 0 is now; None is not before one that is in flight has been answered."""
        if now < self._paused_until:
            return self._paused_until - now
        self._try_upwards(now)
        limits = self._in_force(now)
        if limits and self._in_flight >= self._most_in_flight(limits):
            return None
        self._forget(now)
        return max((self._until_room(limit, now) for limit in limits), default=0.0)

    @property
    def in_flight(self) -> int:
        """Calls under way."""
        return self._in_flight

    def used(self, now: float) -> int:
        """Places taken at this moment, in the longest window in force."""
        self._forget(now)
        return self._in_flight + len(self._answers)

    def take(self) -> None:
        """A call is about to go."""
        self._in_flight += 1

    def give_back(self) -> None:
        """The call did not go after all."""
        self._in_flight -= 1

    def answered(self, now: float) -> None:
        """The call ended, with an answer that was no throttle or with none at all."""
        limits = self._in_force(now)
        if limits and self._in_flight >= self._most_in_flight(limits):
            self._clean += 1
        self._settle(now)
        if now >= self._paused_until:
            self._pauses = 0

    def throttled(self, now: float, told: tuple[int, float] | None, retry_after: float | None) -> bool:
        """The call was refused as one too many. Pauses everything; returns whether there is a limit to be kept.

        The pause is what the answer asked for (an hour at most), else one whole window, doubled while nothing but
        refusals follows.
        """
        learned = told is not None and self._learn(Limit(*told), now)
        self._settle(now)
        if now >= self._paused_until:
            self._pauses += 1
        self._clean = 0
        asked = min(retry_after or 0.0, LONGEST_WINDOW_SECONDS)
        pause = asked or self._pause(told[1] if told else self.limit(now).seconds)
        self._paused_until = max(self._paused_until, now + pause)
        return learned

    def _pause(self, window: float) -> float:
        seconds = min(max(window, 1.0), LONGEST_WINDOW_SECONDS)
        return min(seconds * 2.0 ** min(self._pauses - 1, 10), max(LONGEST_PAUSE_SECONDS, seconds))

    def _learn(self, told: Limit, now: float) -> bool:
        if told.calls < 1 or told.seconds <= 0 or self._implied(told):
            return False
        self.learned = Learned(told, now)
        return True

    def _implied(self, told: Limit) -> bool:
        """Whether whoever keeps to the configured limit keeps to this one."""
        spans = ceil(told.seconds / self.configured.seconds)
        return 0 < spans * self.configured.calls <= told.calls

    def _in_force(self, now: float) -> Sequence[Limit]:
        limits = [self.configured]
        if self.learned is not None and now - self.learned.at < RETRY_UPWARDS_SECONDS:
            limits.append(self.learned.limit)
        return [limit for limit in limits if limit.calls]

    def _try_upwards(self, now: float) -> None:
        """What was seen to hold under a learned limit says nothing of the configured one."""
        if self.learned is not None and now - self.learned.at >= RETRY_UPWARDS_SECONDS:
            self.learned, self._clean = None, 0

    def _most_in_flight(self, limits: Sequence[Limit]) -> int:
        """One more for each window's worth of calls that went well while no more of them might be under way; a single
        one where the last pause was followed by another refusal."""
        if self._pauses > 1:
            return 1
        calls = min(limit.calls for limit in limits)
        return min(PROBING + self._clean // calls, calls)

    def _until_room(self, limit: Limit, now: float) -> float:
        free = limit.calls - self._in_flight
        if len(self._answers) < free:
            return 0.0
        return max(0.0, self._answers[-free] + limit.seconds - now)

    def _settle(self, now: float) -> None:
        self._in_flight -= 1
        if self._in_force(now):
            self._answers.append(now)

    def _forget(self, now: float) -> None:
        longest = max((limit.seconds for limit in self._in_force(now)), default=0.0)
        while self._answers and self._answers[0] + longest <= now:
            self._answers.popleft()


def _rate(limit: Limit) -> float:
    return limit.calls / limit.seconds
