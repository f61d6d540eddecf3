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
    reached: bool = False
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
        self.reached = True
        self._failures = self.probes = 0
        self._closed_until = 0.0
        return self._become(SideState.UP, "", now)

    def pinged(self) -> None:
        """The side answered a question that changes nothing: it is there, whatever becomes of other calls."""
        self.reached = True

    def failed(self, error: CallError, now: float, jitter: float) -> bool:
        """A whole call failed. Returns whether the state changed."""
        if isinstance(error, Denied):
            self.reached = True
            return self._close(SideState.DENIED, str(error), now, jitter)
        if isinstance(error, Unreachable | LostAnswer | ServerFault):
            self._failures += 1
            if self._failures >= SOME or self.one_at_a_time:
                return self._close(SideState.DOWN, str(error), now, jitter)
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
            self.state, self.since = state, now
        self.reason = reason
        return changed
