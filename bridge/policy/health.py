"""Whether a side can be called: up, down (nobody answers) or denied (the key is refused)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bridge.errors import CallError, Denied, LostAnswer, ServerFault, Unreachable
from bridge.policy.backoff import Backoff

SOME = 3
"""Failures in a row, with no answer between them, before a side that is up counts as down."""


class SideState(StrEnum):
    """What is known of one side."""

    UP = "up"
    DOWN = "down"
    DENIED = "denied"


PAUSES = {SideState.DOWN: Backoff(0.5, 60.0), SideState.DENIED: Backoff(30.0, 300.0)}


@dataclass(slots=True)
class Health:
    """The health of one side. While it is not up, one call at a time probes it, after growing pauses."""

    state: SideState = SideState.UP
    reason: str = ""
    since: float = 0.0
    left_at: float = 0.0
    """When it was last up: it may have been down and denied in turn since."""

    reached: bool = False
    keys_work: bool = True
    """Whether the last question that changes nothing was answered, and not denied."""

    probes: int = 0
    _failures: int = 0
    _closed_until: float = 0.0

    def wait(self, now: float) -> float:
        """Seconds until this side may be called."""
        return max(0.0, self._closed_until - now)

    @property
    def one_at_a_time(self) -> bool:
        """Whether only one call may be under way."""
        return self.state is not SideState.UP

    def answered(self, now: float) -> bool:
        """The side gave an answer that was none of the failures below. Returns whether the state changed."""
        self.reached = self.keys_work = True
        self._failures = self.probes = 0
        self._closed_until = 0.0
        return self._become(SideState.UP, "", now)

    def pinged(self) -> None:
        """The side answered a question that changes nothing: it is there, whatever becomes of other calls."""
        self.reached = self.keys_work = True

    def failed(self, error: CallError, now: float, jitter: float, *, keys_work: bool = False) -> bool:
        """A whole call failed. Returns whether the state changed.

        A denied call counts like any other that fails where the `keys_work` for another question: it may be about
        one lead.
        """
        if isinstance(error, Denied):
            self.reached, self.keys_work = True, keys_work
            self._failures += 1
            if keys_work and self._failures < SOME and not self.one_at_a_time:
                return False
            return self._close(SideState.DENIED, str(error), now, jitter)
        if isinstance(error, Unreachable | LostAnswer | ServerFault):
            self._failures += 1
            if self._failures >= SOME or self.one_at_a_time:
                return self._close(SideState.DOWN, _own_words(error), now, jitter)
            return False
        return self.answered(now)

    def _close(self, state: SideState, reason: str, now: float, jitter: float) -> bool:
        if state is not self.state:
            self.probes = 0
        elif now < self._closed_until:
            return False
        self._closed_until = now + PAUSES[state].interval(self.probes, jitter)
        self.probes += 1
        return self._become(state, reason, now)

    def _become(self, state: SideState, reason: str, now: float) -> bool:
        changed = state is not self.state
        if changed:
            self.left_at = now if self.state is SideState.UP else self.left_at
            self.state, self.since = state, now
        self.reason = reason
        return changed


def _own_words(error: CallError) -> str:
    """What is said of a host is kept and shown for long: of a fault without the other side's words, which may name people."""
    return str(error).partition(": ")[0] if isinstance(error, ServerFault) else str(error)
