"""What the stages need from the world, as contracts. Every implementation passes the contract tests in `tests/contract`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bridge.model import (
    Call,
    Delivery,
    Json,
    Lane,
    Mapped,
    Move,
    Outcome,
    PollRecord,
    QueueReply,
    ResolvedItem,
    State,
    Track,
    WaitingItem,
)


class Source(Protocol):
    """Where queue results come from (LeadByte)."""

    async def poll(self, queue_id: str) -> QueueReply:
        """Ask once. Never sleeps, never retries; safe to repeat.

        Raises Unreachable, LostAnswer, ServerFault, Throttled, Denied or Refused.
        """
        ...

    def reread(self, queue_id: str, raw: str) -> QueueReply:
        """What a kept reply says, without asking again. Raises ServerFault where the text is no such reply."""
        ...


class Sink(Protocol):
    """Where lead updates go (LeadSquared)."""

    async def push(self, lane: Lane, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        """One call for a batch of one lane; an outcome for each delivery, in the batch's order.

        The batch holds no lookup value twice and at most 25 deliveries (bulk) or one (async). Never sleeps, never
        retries. Raises Unreachable, LostAnswer, ServerFault, Throttled, Denied, or Refused where the call as a whole
        was refused and nothing was written.
        """
        ...

    async def confirm(self, request_id: str) -> Outcome:
        """Ask once what became of an accepted async request: SYNCED, REJECTED, QUEUED or FORGOTTEN. Raises as `push`."""
        ...

    async def read_back(self, key: str, value: str, fields: Sequence[str]) -> Mapping[str, str] | None:
        """The named fields as LeadSquared now holds them for the lead whose `key` is `value`; None where it knows none.

        Raises as `push`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Birth:
    """A delivery to create for an item: `mapped` where the mapping worked, else `state` and `reason` say why not.

    `at`: how new the result is (epoch seconds). `state` pending, skipped or failed.
    """

    item_id: int
    mapping: str
    state: State
    mapped: Mapped | None = None
    reason: str | None = None
    at: float = 0.0
    force: bool = False


@dataclass(frozen=True, slots=True)
class Reopened:
    """A delivery that a resync re-opened: it is mapped anew from the kept reply of `item` before it is sent."""

    delivery_id: int
    mapping: str
    item: ResolvedItem


@dataclass(frozen=True, slots=True)
class Selection:
    """Which leads a resync means. Empty or None: no such condition. Times in epoch seconds."""

    states: Sequence[str] = ("failed", "unprocessed")
    queue_ids: Sequence[str] = ()
    since: float | None = None
    until: float | None = None
    reason: str | None = None
    mapping: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """One lead on the failure report: failed, unprocessed, in doubt or expired. Not masked.

    `attempts`: calls made for it, whether or not they counted against the retries; polls for an expired one.
    """

    queue_id: str
    mapping: str | None
    state: str
    stage: str
    reason: str
    identifier: str | None
    attempts: int
    last_attempt_at: float | None


@dataclass(frozen=True, slots=True)
class Status:
    """The store at one moment: leads counted once each, and the age of what waits."""

    leads: Mapping[str, int]
    oldest_waiting_at: float | None
    oldest_pending_at: float | None
    unknown_words: Mapping[str, int]
    last_errors: Sequence[Mapping[str, Json]]
    checkpoints: Mapping[str, str]


class Store(Protocol):
    """The only channel between stages. Every method is one short transaction; each may be called from any stage.

    A change of state happens only if the row is still in the state it was read in; else Conflict is raised and the
    whole call changed nothing. Raises StoreError where the storage itself fails.
    """

    # intake
    def track(self, tracks: Iterable[Track], now: float, deadline_at: float) -> int:
        """Begin to track queueIds; those already known change nothing. Returns how many are new."""
        ...

    # poll
    def claim_waiting(self, now: float, limit: int) -> Sequence[WaitingItem]:
        """Lease the due waiting items that are due longest. A lease ends with `record_polls`, `release` or `recover`."""
        ...

    def record_polls(self, records: Sequence[PollRecord], now: float) -> None: ...

    def release_waiting(self, items: Sequence[WaitingItem], now: float) -> None:
        """Give leases back unused: due again at once."""
        ...

    # map
    def unmapped(self, limit: int) -> Sequence[ResolvedItem]:
        """Resolved items that no mapping has seen in their present generation, oldest first."""
        ...

    def reopened(self, limit: int) -> Sequence[Reopened]:
        """Pending deliveries that must be mapped anew before they may be sent, oldest first."""
        ...

    def record_mapped(self, items: Sequence[ResolvedItem], births: Sequence[Birth], now: float) -> None:
        """Store what the mappings made of these items and mark them mapped.

        A birth merges with what is open for its identity (`bridge.policy.merge`): newest wins field by field.
        """
        ...

    def record_remapped(self, reopened: Reopened, birth: Birth, now: float) -> None:
        """Replace a re-opened delivery's values by freshly mapped ones; where mapping failed, a failed one replaces it."""
        ...

    # push
    def ready(self, mode: str, now: float, size: int, linger: float) -> bool:
        """Whether a lane of this mode has `size` due deliveries, or one that has been due for `linger` seconds."""
        ...

    def claim_batch(
        self, mode: str, now: float, size: int, linger: float, call_id: str
    ) -> Sequence[Delivery]:
        """Take the readiest lane's deliveries as `sending`: one lane, no lookup twice, no identity that is in flight.

        Values equal to the agreed ones become `skipped` here, values older than the agreed ones are left out.
        """
        ...

    def record(self, call: Call, moves: Sequence[Move], now: float) -> None:
        """Store what a call led to: states, an attempt row for each delivery, agreed values of the synced ones."""
        ...

    # confirm
    def claim_submitted(self, now: float, limit: int) -> Sequence[Delivery]:
        """Lease the due submitted deliveries that are due longest; their state stays `submitted`."""
        ...

    def claim_in_doubt(self, now: float, limit: int) -> Sequence[Delivery]:
        """Lease the due deliveries in doubt; their state stays `in_doubt`."""
        ...

    def postpone(self, call: Call, delivery: Delivery, due_at: float, reason: str | None) -> None:
        """Ask again at `due_at`; state and attempts stay. The call gets its attempt row."""
        ...

    # life of a process
    def recover(self, now: float) -> int:
        """Put right what a dead process left: leases end, `sending` becomes pending, or in_doubt if not repeatable.

        Only for the holder of the state directory's lock. Returns how many deliveries were found in `sending`.
        """
        ...

    def calls_since(self, host: str, since: float) -> Sequence[float]:
        """When the calls to `host` that ended after `since` were answered, in epoch seconds, oldest first."""
        ...

    def idle(self) -> bool:
        """Whether nothing waits or is in flight. What is in doubt is no such thing once it was read back, nor what waits
        behind it."""
        ...

    def moving(self) -> Mapping[str, int]:
        """How many rows are on their way: items waiting or unmapped, deliveries pending, sending or submitted."""
        ...

    def checkpoint(self, name: str) -> str | None: ...

    def set_checkpoint(self, name: str, value: str | None, now: float) -> None: ...

    # people
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

    def count_by_reason(self, selection: Selection) -> Mapping[tuple[str, str], int]:
        """How many leads a resync would re-open, by state and reason."""
        ...

    def resolve(self, queue_id: str, *, done: bool, now: float) -> int:
        """A person's word on the deliveries in doubt of one lead. Returns how many there were."""
        ...

    def failures(self, since: float | None = None) -> Iterable[Failure]:
        """What the failure report lists, streamed, newest first."""
        ...

    def status(self) -> Status: ...

    def lead(self, queue_id: str) -> Mapping[str, Json] | None:
        """All that is known of one lead: the item, its deliveries, every attempt."""
        ...
