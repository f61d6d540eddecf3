"""The change stage: leads that people change in LeadSquared, polled from a checkpoint and told by webhooks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from typing import Final

import structlog

from bridge.errors import CallError, Throttled
from bridge.mapping import AnyMapping, feedback_of, forward_of
from bridge.model import Change, identity
from bridge.pipeline.crew import Crew
from bridge.pipeline.desk import Desk
from bridge.pipeline.gate import Gate
from bridge.pipeline.look import Look
from bridge.policy.backoff import Backoff
from bridge.ports import ChangePage, ChangeSource, Store

log = structlog.get_logger()

CHECKPOINT: Final = "leadsquared:changes"
AGAIN_SECONDS: Final = 1.0
"""After a look that a host broke off that is down, for its gate holds the next one back."""

NOTICED_SECONDS: Final = 2.0
"""From the beginning of a look to that of the next, however much is told by webhooks."""

LATE_SECONDS: Final = 5.0
"""When to look again after a webhook: what it tells of may not be shown at once."""

PAUSES: Final = Backoff(AGAIN_SECONDS, 300.0)
"""After looks that break off though the host answers other questions."""

HOPELESS_LOOKS: Final = 4
"""So many of them in a row, and nobody need wait for the next."""

PROSPECT_ID: Final = "ProspectID"


@dataclass(frozen=True, slots=True)
class Looking:
    """When to look: every `interval` seconds, the very first time `first` seconds back. `ping`: see `Gate.doubted`."""

    interval: float
    first: float
    ping: Callable[[], Awaitable[object]]


class ChangeStage:
    """Keeps how changed leads look, as long as a mapping file says feedback.

    Every so often, or at once after `notice`, it reads all leads modified since the checkpoint, which moves only in the
    transaction that stores the last page. A look that breaks off starts over. What is wrong with it alone (a permission,
    a column) closes no gate for others.
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
        self._next_at = self._soonest_at = 0.0
        self._looked, self._broken, self._again = False, 0, False
        self._error: CallError | None = None
        self.crew = Crew("changes", 1, self._step)

    async def stop(self, grace: float) -> None:
        """Finish the call in flight."""
        await self.crew.stop(grace)

    def done(self) -> bool:
        """Whether a drain need not wait for it: it has read everything once, or there is nothing to read for.

        Raises the error of the last look where no look is going to be complete before a person has mended something.
        """
        if self._looked or not self.columns:
            return True
        if self._error is not None and self._broken >= HOPELESS_LOOKS:
            raise type(self._error)(f"changes cannot be read: {self._error}")
        return False

    @property
    def columns(self) -> Sequence[str]:
        """Every column that is to be seen of a changed lead; () where no mapping is about them."""
        mappings = self._mappings()
        feedback = feedback_of(mappings)
        if not feedback:
            return ()
        return sorted({column for one in feedback for column in one.columns} | _keys(mappings))

    def notice(self) -> None:
        """Something was changed: look at once, though not more often than every so many seconds, and once more soon."""
        self._next_at, self._again = min(self._next_at, self._soonest_at), True
        self.crew.tick()

    async def _step(self) -> bool:
        now = self._steady()
        if now < self._next_at or not (columns := self.columns):
            return False
        self._soonest_at = now + NOTICED_SECONDS
        self._next_at = now + (
            min(LATE_SECONDS, self._looking.interval) if self._again else self._looking.interval
        )
        self._again = False
        if await self._look(columns):
            self._looked, self._broken, self._error = True, 0, None
        else:
            pause = PAUSES.interval(self._broken - 1, 0.0) if self._broken else AGAIN_SECONDS
            self._soonest_at = self._next_at = self._steady() + pause
        return False

    async def _look(self, columns: Sequence[str]) -> bool:
        """Every page. False where it broke off."""
        look = Look(await self._desk(self._since))
        while not look.complete:
            page = await self._page(look, columns)
            if page is None:
                return False
            look.add(page)
            await self._keep(look, page)
        return True

    def _since(self) -> float:
        kept = self._store.checkpoint(CHECKPOINT)
        return datetime.fromisoformat(kept).timestamp() if kept else self._clock() - self._looking.first

    async def _page(self, look: Look, columns: Sequence[str]) -> ChangePage | None:
        while await self._gate.permit():
            try:
                page = await self._source.changes(look.begins, columns, look.next)
            except Throttled as error:
                self._gate.failed(error)
            except CallError as error:
                await self._broke_off(error)
                return None
            else:
                self._gate.answered()
                return page
        return None

    async def _broke_off(self, error: CallError) -> None:
        log.warning("changes not read", kind=type(error).__name__, reason=str(error))
        self._error = error
        self._broken = self._broken + 1 if await self._gate.doubted(error, self._looking.ping) else 0

    async def _keep(self, look: Look, page: ChangePage) -> None:
        moved = (CHECKPOINT, _iso(look.until())) if look.complete else None
        known = self._known(page.changes)
        different = await self._desk(self._store.observe, known, self._clock(), moved)
        if different:
            log.info("leads changed", leads=different, told_by="recently modified")

    def _known(self, changes: Sequence[Change]) -> Sequence[Change]:
        """With the identities under which the way forward reaches these leads."""
        ways = [one.keys for one in forward_of(self._mappings())]
        return [_named(change, ways) for change in changes]


def _keys(mappings: Sequence[AnyMapping]) -> frozenset[str]:
    """The columns beside the id by which the way forward finds leads."""
    keys = {key for one in forward_of(mappings) for key in one.keys}
    return frozenset(key for key in keys if key.lower() != PROSPECT_ID.lower())


def _named(change: Change, ways: Sequence[Sequence[str]]) -> Change:
    """With the identities under which forward mappings with these keys reach the lead."""
    values = {name.lower(): text for name, text in change.values.items()} | {
        PROSPECT_ID.lower(): change.prospect_id
    }
    named = [[identity(key, text) for key in keys if (text := values.get(key.lower()))] for keys in ways]
    known_as = {*chain.from_iterable(named), identity(PROSPECT_ID, change.prospect_id)}
    found_by = dict.fromkeys(names[0] for names in named if names)
    return replace(change, known_as=sorted(known_as), found_by=list(found_by))


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
