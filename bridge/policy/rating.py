"""How fast callers may ask: token buckets, and who guesses tokens. `now` is in seconds of any clock that only goes forward."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` at once, and `per_second` more in each second."""

    burst: int
    per_second: float


@dataclass(slots=True)
class Bucket:
    """What is left of a rate."""

    rate: Rate
    _used: float = 0.0
    _at: float = 0.0

    def wait(self, now: float) -> float:
        """Seconds until one may be taken; 0: at once."""
        self._used = max(0.0, self._used - max(0.0, now - self._at) * self.rate.per_second)
        self._at = now
        return max(0.0, (self._used + 1 - self.rate.burst) / self.rate.per_second)

    def take(self, now: float) -> float:
        """Take one and return 0, or take none and return the seconds until one may be taken."""
        wait = self.wait(now)
        self._used += not wait
        return wait


@dataclass(slots=True)
class _Caller:
    wrong: Bucket
    trusted: bool = False


@dataclass(slots=True)
class Guesses:
    """Wrong tokens, counted for each address.

    An address that showed too many wrong ones is held back whatever it shows, so that guessing is slow. One that has shown
    the right token is held back for wrong ones only: others may share it (behind a proxy, on this machine), and their
    guesses must not shut it out. `most` addresses are known at once; the one heard of longest ago is forgotten first.
    """

    rate: Rate
    most: int = 1024
    _callers: dict[str, _Caller] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._callers)

    def judge(self, address: str, now: float, *, right: bool) -> float:
        """0 where the token counts as what it is, else the seconds for which it is not looked at."""
        caller = self._of(address)
        if right and caller.trusted:
            return 0.0
        wait = caller.wrong.wait(now) if right else caller.wrong.take(now)
        caller.trusted |= right and not wait
        return wait

    def _of(self, address: str) -> _Caller:
        caller = self._callers.pop(address, None) or _Caller(Bucket(self.rate))
        self._callers[address] = caller
        if len(self._callers) > self.most:
            del self._callers[next(iter(self._callers))]
        return caller
