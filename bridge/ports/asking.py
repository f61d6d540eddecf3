"""What people ask of the store and tell it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from bridge.model import Json
from bridge.policy.people import Person
from bridge.ports.values import (
    Check,
    Cutoffs,
    Day,
    Dismissed,
    Erased,
    Failure,
    Finding,
    Hearer,
    Selection,
    Status,
    Theirs,
    nobody,
)


def ignored(check: Check) -> None:
    """Where nobody wants to hear of it."""


class People(Protocol):
    """Status, failures, single leads, resync."""

    def resync(
        self, selection: Selection, now: float, *, refetch: bool, force: bool, deadline_at: float
    ) -> int:
        """Re-open the selected leads, marked by `now`. Returns how many."""
        ...

    def still_moving(self, resynced_at: float) -> int:
        """How many leads of the resync of that moment are waiting or in flight still."""
        ...

    def reopened_leads(self, resynced_at: float) -> Mapping[str, int]:
        """The leads of the resync of that moment, counted once each by state."""
        ...

    def count(self, selection: Selection) -> int:
        """How many leads a resync would re-open."""
        ...

    def untracked(self, queue_ids: Sequence[str]) -> Sequence[str]:
        """Those of these queueIds that are not tracked."""
        ...

    def count_by_reason(self, selection: Selection) -> Mapping[tuple[str, str], int]:
        """How many leads a resync would re-open, by state and reason."""
        ...

    def dismissible(self, selection: Selection) -> Dismissed:
        """What `dismiss` would give up."""
        ...

    def dismiss(
        self, selection: Selection, reason: str, now: float, *, counted: int | None = None
    ) -> Dismissed:
        """A person's word that the selected leads are not wanted any more, kept among their attempts.

        What failed, was unprocessed or expired is superseded from then on, and with it what it had taken over from older
        results of the same person. Nothing else is dismissed, whatever states are selected. Raises Conflict where `counted`
        is given and there are not as many leads by now: then nothing is.
        """
        ...

    def resolve(self, queue_id: str | int, *, done: bool, now: float) -> int:
        """A person's word on the deliveries in doubt of one lead, kept among its attempts. Returns how many there were.

        A number is that of one delivery; a text may be that as well, where no lead has it for its queueId.
        """
        ...

    def failures(self, since: float | None = None) -> Iterable[Failure]:
        """What the failure report lists, streamed, newest first."""
        ...

    def matching(self, selection: Selection, most: int) -> tuple[int, Iterable[Failure]]:
        """How many of those that the failure report lists are selected; the newest `most` of them, streamed."""
        ...

    def status(self, heard: Hearer = nobody, *, now: float | None = None) -> Status:
        """How the store is. Leads per minute are counted up to `now`, where it is given."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """All that is read inside is of one moment, whatever others write meanwhile. Nothing may be written inside."""
        ...

    def account(self, heard: Hearer = nobody) -> Sequence[Day]:
        """Each day of tracking, oldest first: what the ledger says and the leads that are there. One pass, flat memory."""
        ...

    def audit(self, *, running: bool, begun: Callable[[Check], None] = ignored) -> Iterator[Finding]:
        """What does not fit together, streamed, of one moment. `running`: a process works here, so `sending` may be.
        `begun` hears of each check when it begins.

        Deliveries that came to rest before the checkpoint `pruned:attempts` (epoch seconds) need no attempts any more.
        """
        ...

    def lead(self, queue_id: str) -> Mapping[str, Json] | None:
        """All that is known of one lead: the item, its deliveries, every attempt."""
        ...


class Privacy(Protocol):
    """People's data: kept for a time, found, erased."""

    def prune_leads(self, after: int, size: int, cutoffs: Cutoffs, now: float) -> tuple[int | None, int]:
        """Prune what is too old of the leads among the next `size` ids that are done: resolved, mapped, nothing open.

        Returns the id to go on after (None: those were the last) and how many rows lost something. The rows stay, but
        for attempts: the moment up to which those are gone is noted in the checkpoint `pruned:attempts`.
        """
        ...

    def prune_agreed(self, after: str, size: int, before: float) -> tuple[str | None, int]:
        """Drop, of the next `size` identities, the agreed values not updated since `before`. Returns as `prune_leads`, where
        to go on being a text that says so only to this method."""
        ...

    def theirs(self, person: Person, since: float = 0.0, heard: Hearer = nobody) -> Theirs:
        """What is held of a person, among what changed since then. Streamed; not of one moment."""
        ...

    def counted(self, theirs: Theirs) -> Erased:
        """What `erase` would delete, but for values that other leads took over; further agreed ones may go with them."""
        ...

    def erase(self, theirs: Theirs, now: float, *, running: bool) -> Erased:
        """Delete these leads with all that hangs on them; the ledger counts them as forgotten.

        `running`: a process works here, so leads that are being sent are left. Whoever still works on a deleted lead
        may record what became of it: that is left out.
        """
        ...
