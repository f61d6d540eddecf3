"""Rate limits as LeadSquared enforces them: calls in a rolling window of seconds, counted by arrival."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from email.utils import formatdate
from typing import Literal

from bridge.simulator.wire import Reply, mx_error

Form = Literal["429", "403", "200"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one host refuses. `calls` 0: nothing.

    `hidden`: a second (calls, seconds) that no page prints. `form`: HTTP status of a refusal. `retry_after`: the
    header a refusal carries, if any. `tells_hidden`: a refusal by the hidden limit names that one, else the printed one.
    """

    calls: int = 0
    seconds: float = 5.0
    hidden: tuple[int, float] | None = None
    form: Form = "429"
    retry_after: Literal["", "seconds", "date"] = ""
    tells_hidden: bool = True


class Window:
    """At most `calls` arrivals in any `seconds`; an arrival leaves exactly `seconds` later."""

    def __init__(self, calls: int, seconds: float) -> None:
        self.calls = calls
        self.seconds = seconds
        self._arrivals: deque[float] = deque()

    def full_for(self, now: float) -> float:
        """Seconds until there is room; 0.0 where there is room now."""
        while self._arrivals and self._arrivals[0] <= now - self.seconds:
            self._arrivals.popleft()
        if len(self._arrivals) < self.calls:
            return 0.0
        return self._arrivals[0] + self.seconds - now

    def take(self, now: float) -> None:
        self._arrivals.append(now)


class Limiter:
    """The windows of one host."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        bounds = [(self.limits.calls, self.limits.seconds)] if self.limits.calls else []
        bounds += [self.limits.hidden] if self.limits.hidden else []
        self._windows = [Window(calls, seconds) for calls, seconds in bounds]

    def refuse(self, now: float) -> Reply | None:
        """The refusal of a call that arrives now, or None where there is room. Counts nothing."""
        for window in self._windows:
            wait = window.full_for(now)
            if wait > 0:
                return self._refusal(window.calls, window.seconds, now, wait)
        return None

    def take(self, now: float) -> None:
        """Count a call that is let through. Refused ones are never counted."""
        for window in self._windows:
            window.take(now)

    def _refusal(self, calls: int, seconds: float, now: float, wait: float) -> Reply:
        """The text is the one on the vendor's pages ("429 Too Many Requests") with this window's numbers."""
        limits = self.limits
        if limits.calls and not limits.tells_hidden:
            calls, seconds = limits.calls, limits.seconds
        text = f"API calls exceeded the limit of {calls} in {seconds:g} second(s)"
        reply = mx_error(int(limits.form), "MXAPIRateLimitExceededException", text)
        if limits.retry_after == "seconds":
            reply.headers["Retry-After"] = str(max(1, round(wait + 0.5)))
        elif limits.retry_after == "date":
            reply.headers["Retry-After"] = formatdate(now + wait + 1, usegmt=True)
        return reply

    def any_refusal(self, now: float) -> Reply:
        """A refusal although there is room: another integration of the account used the calls up."""
        return self._refusal(self.limits.calls or 25, self.limits.seconds, now, self.limits.seconds)
