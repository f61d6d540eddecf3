"""What the stages need from the world, as contracts. Every implementation passes the contract tests in `tests/contract`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
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
from bridge.policy.people import Person


class Source(Protocol):
    """Where queue results come from (LeadByte)."""

    async def poll(self, queue_id: str) -> QueueReply:
        """Ask once. Never sleeps, never retries; safe to repeat.

        Raises Unreachable, LostAnswer, ServerFault, Throttled, Denied or Refused.
        """
        ...

    async def ping(self) -> None:
        """Ask something that changes nothing and needs no lead, to see whether this side answers. Raises as `poll`."""
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

    async def ping(self, mode: str) -> None:
        """Ask the host of this mode something that changes nothing, to see whether it answers. Raises as `push`."""
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
    `quoted`: the lead's own data that `reason` quotes.
    """

    queue_id: str
    mapping: str | None
    state: str
    stage: str
    reason: str
    identifier: str | None
    attempts: int
    last_attempt_at: float | None
    quoted: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Day:
    """The account of the queueIds tracked on one day (UTC, YYYY-MM-DD).

    `tracked` and `forgotten` are the ledger's, counted apart from the rows; `states`: the leads that are there, counted
    once each by the states that any are in, in the order of LEAD_STATES.
    """

    day: str
    tracked: int
    forgotten: int
    states: Mapping[str, int]

    @property
    def accounted(self) -> int:
        """How many of them are there, or were forgotten on request."""
        return self.forgotten + sum(self.states.values())

    @property
    def adds_up(self) -> bool:
        return self.tracked == self.accounted


class Check(StrEnum):
    """What an audit found not to hold."""

    FILE = "file"
    REFERENCE = "reference"
    DAY = "day"
    STATE = "state"
    UNMAPPED = "unmapped"
    CALLS = "calls"
    REQUEST = "request"
    SENDING = "sending"
    TWICE = "twice"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that an audit cannot account for. `queue_id`: of the lead, where it is about one. `what`: in words."""

    check: Check
    queue_id: str | None
    what: str


@dataclass(frozen=True, slots=True)
class Status:
    """The store at one moment: leads counted once each, and the age of what waits."""

    leads: Mapping[str, int]
    oldest_waiting_at: float | None
    oldest_pending_at: float | None
    unknown_words: Mapping[str, int]
    last_errors: Sequence[Mapping[str, Json]]
    checkpoints: Mapping[str, str]
    account: Sequence[Day] = ()


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """What came to rest before these moments (epoch seconds) is pruned. None: that is kept for good.

    `replies`: LeadByte's reply and the context. `payloads`: a delivery's values and names. `attempts`: its attempts.
    """

    replies: float | None = None
    payloads: float | None = None
    attempts: float | None = None


@dataclass(frozen=True, slots=True)
class Theirs:
    """What the store holds of a person. `leads`: item id → queueId. `agreed`: identities that name the person.

    `mentions`: table → ids of rows of other leads whose reason names the person.
    """

    leads: Mapping[int, str]
    agreed: Sequence[str] = ()
    mentions: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.leads or self.agreed or self.mentions)


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows are gone. `taken_over`: values that other leads had taken over from them. `mentions`: reasons of
    other leads that were blanked.

    `left`: item id → queueId of the leads that were being sent at that moment.
    """

    leads: int = 0
    deliveries: int = 0
    attempts: int = 0
    agreed: int = 0
    taken_over: int = 0
    mentions: int = 0
    left: Mapping[int, str] = field(default_factory=dict)

    def __add__(self, other: Erased) -> Erased:
        return Erased(
            self.leads + other.leads,
            self.deliveries + other.deliveries,
            self.attempts + other.attempts,
            self.agreed + other.agreed,
            self.taken_over + other.taken_over,
            self.mentions + other.mentions,
            {**self.left, **other.left},
        )


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

    def clock_set_back(self, seconds: float) -> None:
        """The clock now shows so much less than it would have: what is due, or has a deadline, is so by that much sooner."""
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
        """A person's word on the deliveries in doubt of one lead, kept among its attempts. Returns how many there were."""
        ...

    def failures(self, since: float | None = None) -> Iterable[Failure]:
        """What the failure report lists, streamed, newest first."""
        ...

    def status(self) -> Status: ...

    def snapshot(self) -> AbstractContextManager[None]:
        """All that is read inside is of one moment, whatever others write meanwhile. Nothing may be written inside."""
        ...

    def account(self) -> Sequence[Day]:
        """Each day of tracking, oldest first: what the ledger says and the leads that are there. One pass, flat memory."""
        ...

    def audit(self, *, running: bool) -> Iterator[Finding]:
        """What does not fit together, streamed, of one moment. `running`: a process works here, so `sending` may be.

        Deliveries that came to rest before the checkpoint `pruned:attempts` (epoch seconds) need no attempts any more.
        """
        ...

    def lead(self, queue_id: str) -> Mapping[str, Json] | None:
        """All that is known of one lead: the item, its deliveries, every attempt."""
        ...

    # people's data
    def prune_leads(self, after: int, size: int, cutoffs: Cutoffs, now: float) -> tuple[int | None, int]:
        """Prune what is too old of the leads among the next `size` ids that are done: resolved, mapped, nothing open.

        Returns the id to go on after (None: those were the last) and how many rows lost something. The rows stay, but
        for attempts: the moment up to which those are gone is noted in the checkpoint `pruned:attempts`.
        """
        ...

    def prune_agreed(self, after: str, size: int, before: float) -> tuple[str | None, int]:
        """Drop, of the next `size` identities, the agreed values not updated since `before`. Returns as `prune_leads`."""
        ...

    def theirs(self, person: Person, since: float = 0.0) -> Theirs:
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
