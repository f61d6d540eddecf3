"""One look at the pages of changed leads: which page is next, and what the look is worth at its end."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, inf
from typing import Final

from bridge.ports import ChangePage

OVERLAP_SECONDS: Final = 5.0
"""Modifications are stored a little after the moment that they bear."""

QUIET_SECONDS: Final = 60.0
"""How far behind LeadSquared's clock a look is believed that cannot go by what it saw."""


@dataclass(slots=True)
class Look:
    """All leads modified since `since` (epoch seconds, LeadSquared's clock), page by page. `next`: the page to be read.

    A lead that is deleted moves those behind it up by one row: then the first of the next page is on the one that was read
    before. So the page before is read once more where fewer leads are told of than then.
    """

    since: float
    next: int = 1
    complete: bool = False
    _several: bool = False
    _total: int = 0
    _newest: float = -inf
    _at: float | None = None
    _first: float = -inf

    @property
    def begins(self) -> float:
        """From which second on LeadSquared is asked."""
        return floor(self.since - OVERLAP_SECONDS)

    def add(self, page: ChangePage) -> None:
        """Take up the page that was `next`."""
        newest = max((change.modified_at for change in page.changes), default=-inf)
        if not self._several and self.next == 1:
            self._at, self._first = page.at, newest
        self._newest = max(self._newest, newest)
        before, self._total = self._total, page.total or self._total
        if self._total < before and self.next > 1:
            self.next -= 1
        else:
            self.next, self.complete = self.next + 1, page.last
        self._several |= not self.complete

    def until(self) -> float:
        """Up to when every modification was seen, once the look is complete; never before `since`.

        One page is of one moment: it is believed up to its newest modification, though not beyond LeadSquared's own clock.
        What was modified while further pages were read may stand on a page that was read before: then the look is believed
        only up to a while before its first page was answered. So it is where nothing was modified.
        """
        answered = self._first if self._at is None else self._at - QUIET_SECONDS
        if self._several:
            return max(self.since, min(self._newest, answered))
        if self._first == -inf:
            return max(self.since, answered)
        return max(self.since, self._newest if self._at is None else min(self._newest, self._at))
