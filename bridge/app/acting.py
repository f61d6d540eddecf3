"""What callers of the HTTP side who have the token may do: what the commands do, by a store of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from bridge.errors import Conflict, UsageError
from bridge.ports import Dismissed, Selection, Store
from bridge.reports import MOST_READ, Listing, listing, one_line
from bridge.server import Dismiss, Found, Resolve, Resync

MOST_TOLD: Final = 20
"""QueueIds that are named as not tracked."""


@dataclass(frozen=True, slots=True)
class Acting:
    """Each method opens a `store`, and is called on a thread. Raises Busy where that is locked: at once, if the store never
    waits. `deadline`: for how long a lead that is re-opened is polled."""

    store: Callable[[], AbstractContextManager[Store]]
    clock: Callable[[], float]
    deadline: float

    def failures(self, selection: Selection, rows: int) -> Listing:
        """The selected failures, the newest of them read."""
        with self.store() as store, store.snapshot():
            return listing(*store.matching(selection, MOST_READ), self.clock(), rows)

    def resync(self, wish: Resync) -> Found:
        """How many leads were re-opened, or would be. Those that would be stand so since then at the latest: whoever is told
        how many can have just these, `until` then. Raises UsageError where one that is named is not tracked.
        """
        now, meant = self.clock(), wish.selection
        with self.store() as store:
            _refuse_untracked(store, meant)
            if wish.dry_run:
                return Found(store.count(meant.stood(now)), now)
            told = {"refetch": wish.refetch, "force": wish.force}
            return Found(store.resync(meant, now, **told, deadline_at=now + self.deadline), now)

    def dismiss(self, wish: Dismiss) -> Found:
        """How many leads were given up, or would be; as `resync`."""
        now, meant = self.clock(), wish.selection
        with self.store() as store:
            _refuse_untracked(store, meant)
            if wish.dry_run:
                would = store.dismissible(meant.stood(now))
                return Found(would.leads, now, would.others)
            done = _dismissed(store, wish, now)
            return Found(done.leads, now, done.others)

    def resolve(self, word: Resolve) -> int:
        """How many deliveries were settled by this word."""
        with self.store() as store:
            return store.resolve(word.delivery, done=word.done, now=self.clock())


def _refuse_untracked(store: Store, meant: Selection) -> None:
    if unknown := store.untracked(meant.queue_ids):
        raise UsageError(*_not_tracked(unknown))


def _dismissed(store: Store, wish: Dismiss, now: float) -> Dismissed:
    try:
        return store.dismiss(wish.selection, wish.because, now, counted=wish.counted)
    except Conflict as conflict:
        raise UsageError(f"leads: {conflict}; count them again") from None


def _not_tracked(unknown: Sequence[str]) -> Iterator[str]:
    for queue_id in unknown[:MOST_TOLD]:
        yield f"queue_ids: {one_line(queue_id)[:60]}: this queueId is not tracked"
    if len(unknown) > MOST_TOLD:
        yield f"queue_ids: and {len(unknown) - MOST_TOLD} more"
