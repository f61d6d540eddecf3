"""When the failure report is written anew because failures jumped. Pure; `now` in epoch seconds."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Final

PAUSE_SECONDS: Final = 300.0
"""Between two reports that are written for a jump, at least."""


@dataclass(frozen=True, slots=True)
class Written:
    """The last report: how many leads were on it, and when it was written. Before any, none were."""

    failures: int = 0
    at: float = -inf


@dataclass(slots=True)
class Rise:
    """Whether at least `least` leads came onto the report since it was written.

    It counts from the fewest that were seen since: where a hundred leads were sent again and other ones fail, that is news.
    """

    least: int
    _written: Written | None = None
    _fewest: int = 0
    _tried_at: float = -inf

    def jumped(self, failures: int, written: Written, now: float) -> bool:
        """Whether the report is to be written now, so many leads being on it. Where that fails, it is again after a pause."""
        if written != self._written:
            self._written, self._fewest = written, written.failures
        self._fewest = min(self._fewest, failures)
        if failures - self._fewest < self.least or any(_just(at, now) for at in (written.at, self._tried_at)):
            return False
        self._tried_at = now
        return True


def _just(at: float, now: float) -> bool:
    """A clock that was set back says nothing of how long ago it was."""
    return 0 <= now - at < PAUSE_SECONDS
