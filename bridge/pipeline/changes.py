"""The change stage: leads that people change in LeadSquared, polled from a checkpoint and told by webhooks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import floor, inf
from typing import Final

import structlog

from bridge.errors import CallError, Denied
from bridge.mapping import AnyMapping, feedback_of, forward_of
from bridge.model import Change, identity
from bridge.pipeline.crew import Crew
from bridge.pipeline.desk import Desk
from bridge.pipeline.gate import Gate
from bridge.ports import ChangePage, ChangeSource, Store

log = structlog.get_logger()

CHECKPOINT: Final = "leadsquared:changes"
OVERLAP_SECONDS: Final = 5.0
"""Modifications are stored a little after the moment that they bear."""

QUIET_SECONDS: Final = 60.0
"""How far behind LeadSquared's clock the checkpoint stays while nothing is modified."""

AGAIN_SECONDS: Final = 1.0
"""After a look that broke off; a host that is down is held back by its gate."""

PROSPECT_ID: Final = "ProspectID"


@dataclass(frozen=True, slots=True)
class Looking:
    """When to look: every `interval` seconds, the very first time `first` seconds back. `ping`: see `Gate.denied`."""

    interval: float
    first: float
    ping: Callable[[], Awaitable[object]]


class ChangeStage:
    """Keeps how changed leads look, as long as a mapping file says feedback.

    Every so often, or at once after `notice`, it reads all leads modified since the checkpoint, which moves only in the
    transaction that stores the last page.
    """

    def __init__(
        self,
        store: Store,
        desk: Desk,
        source: ChangeSource,
        gate: Gate,
        mappings: Callable[[], Sequence[AnyMapping]],
        looking: Looking,
        clock: Callable[[], float],
        steady: Callable[[], float],
    ) -> None:
        self._store, self._desk, self._source, self._gate = store, desk, source, gate
        self._mappings, self._looking, self._clock, self._steady = mappings, looking, clock, steady
        self._next_at = 0.0
        self._looked = False
        self.crew = Crew("changes", 1, self._step)

    async def stop(self, grace: float) -> None:
        """Finish the call in flight."""
        await self.crew.stop(grace)

    @property
    def done(self) -> bool:
        """Whether a drain need not wait for it: it has read everything once, or there is nothing to read for."""
        return self._looked or not feedback_of(self._mappings())

    @property
    def columns(self) -> Sequence[str]:
        """Every column that a mapping needs to see of a changed lead; () where none is about them."""
        mappings = self._mappings()
        feedback = feedback_of(mappings)
        named = {column for one in feedback for column in one.columns} | set(self._keys() if feedback else ())
        return sorted(named)

    async def notice(self, change: Change | None) -> None:
        """Something was changed: this lead, or who knows what."""
        if change is None:
            self._next_at = 0.0
            self.crew.tick()
            return
        at = change.modified_at or self._clock()
        known = [replace(self._known(change), modified_at=at)]
        if await self._desk(self._store.observe, known, self._clock()):
            log.info("lead changed", told_by="webhook")

    async def _step(self) -> bool:
        if self._steady() < self._next_at or not (columns := self.columns):
            return False
        self._next_at = self._steady() + self._looking.interval
        since = await self._desk(self._since)
        if not await self._read(since, columns):
            self._next_at = self._steady() + AGAIN_SECONDS
        return False

    def _since(self) -> float:
        kept = self._store.checkpoint(CHECKPOINT)
        return datetime.fromisoformat(kept).timestamp() if kept else self._clock() - self._looking.first

    async def _read(self, since: float, columns: Sequence[str]) -> bool:
        """Every page; the checkpoint moves with the last. False where the reading broke off."""
        window, read = Window(since), False
        while not read:
            page = await self._page(floor(since - OVERLAP_SECONDS), columns, window.pages + 1)
            if page is None:
                return False
            read = window.add(page)
            changes = [self._known(change) for change in page.changes]
            moved = (CHECKPOINT, _iso(window.until())) if read else None
            different = await self._desk(self._store.observe, changes, self._clock(), moved)
            if different:
                log.info("leads changed", leads=different, told_by="recently modified")
        self._looked = True
        return True

    async def _page(self, since: float, columns: Sequence[str], page: int) -> ChangePage | None:
        if not await self._gate.permit():
            return None
        try:
            read = await self._source.changes(since, columns, page)
        except CallError as error:
            if isinstance(error, Denied):
                await self._gate.denied(error, self._looking.ping)
            else:
                self._gate.failed(error)
            log.warning("changes not read", kind=type(error).__name__, reason=str(error))
            return None
        self._gate.answered()
        return read

    def _known(self, change: Change) -> Change:
        """With the identities under which the way forward reaches this lead."""
        values = {name.lower(): text for name, text in change.values.items()}
        told = {name: values.get(name.lower(), "") for name in self._keys()} | {
            PROSPECT_ID: change.prospect_id
        }
        return replace(change, known_as=[identity(name, text) for name, text in told.items() if text])

    def _keys(self) -> Sequence[str]:
        return sorted(
            {key for one in forward_of(self._mappings()) for key in one.keys} - {PROSPECT_ID, "ProspectId"}
        )


@dataclass(slots=True)
class Window:
    """What was read from one look at the pages, and up to when the next need not look again."""

    since: float
    pages: int = 0
    newest: float = -inf
    first: ChangePage | None = None

    def add(self, page: ChangePage) -> bool:
        """Take up the next page. Whether it is the last."""
        self.pages, self.first = self.pages + 1, self.first or page
        self.newest = max([self.newest, *(change.modified_at for change in page.changes)])
        return page.last

    def until(self) -> float:
        """Up to when every modification was seen (epoch seconds, LeadSquared's clock); never before `since`.

        One page is of one moment. What was modified while further pages were read may stand on a page that was read
        before: then it is believed only up to when the first page was answered, by LeadSquared's own clock.
        """
        first = self.first or ChangePage((), last=True)
        newest_first = max((change.modified_at for change in first.changes), default=-inf)
        answered = newest_first if first.at is None else first.at - QUIET_SECONDS
        if first.changes and first.last:
            return max(self.since, self.newest)
        return max(self.since, min(self.newest, answered) if first.changes else answered)


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
