"""What the store is given and gives, as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

from bridge.model import LEADSQUARED, Json, Mapped, ResolvedItem, State
from bridge.operation import Learned

NOTHING_LEARNED = Learned()
Hearer: TypeAlias = Callable[[int, int], None]
"""Hears, at times, how many rows were looked through, and of how many; the latter is an estimate."""


def nobody(done: int, total: int) -> None:
    """Where nobody wants to hear."""


@dataclass(frozen=True, slots=True)
class Birth:
    """A delivery to create for an item: `mapped` where the mapping worked, else `state` and `reason` say why not.

    `at`: how new the result is (epoch seconds). `state` pending, skipped or failed. `learned`: the ids that LeadByte
    showed for the lead. `target`: the side it goes to. `origin`: the LeadSquared columns that its values were made from.
    """

    item_id: int
    mapping: str
    state: State
    mapped: Mapped | None = None
    reason: str | None = None
    at: float = 0.0
    force: bool = False
    learned: Learned = NOTHING_LEARNED
    target: str = LEADSQUARED
    origin: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Of the operation, for LeadByte; "" for LeadSquared, or where the lead could not be mapped."""
        return self.mapped.lane.kind if self.mapped else ""


@dataclass(frozen=True, slots=True)
class Reopened:
    """A delivery that a resync re-opened: it is mapped anew from the kept reply of `item` before it is sent.

    `kind`: of the operation, for a delivery to LeadByte.
    """

    delivery_id: int
    mapping: str
    item: ResolvedItem
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which leads a resync means. Empty or None: no such condition. Times in epoch seconds.

    What a person asked for by hand is only meant by its `queue_ids`, its `mapping` or its `reason`.
    """

    states: Sequence[str] = ("failed", "unprocessed")
    queue_ids: Sequence[str] = ()
    since: float | None = None
    until: float | None = None
    reason: str | None = None
    mapping: str | None = None

    def stood(self, now: float) -> Selection:
        """Of these, those that stand so by now."""
        return replace(self, until=now if self.until is None else min(now, self.until))


@dataclass(frozen=True, slots=True)
class Dismissed:
    """How many leads a person gave up. `others`: queueIds of older results whose values these had taken over, in order."""

    leads: int
    others: Sequence[str]


@dataclass(frozen=True, slots=True)
class Failure:
    """One lead on the failure report: failed, unprocessed, in doubt or expired. Not masked.

    `attempts`: calls made for it, whether or not they counted against the retries; polls for an expired one.
    `quoted`: the lead's own data that `reason` quotes. `delivery_id`: None for a queueId that expired. `target`: the side
    that it was to go to. `at`: when it came to stand as it does; the last attempt where that is not known.
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
    delivery_id: int | None = None
    target: str = LEADSQUARED
    at: float | None = None


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
    """The store at one moment: leads counted once each, and the age of what waits.

    `feedback`: deliveries to LeadByte, by state; only states that any are in. `leads_per_minute`: how many updates LeadSquared
    confirmed in each of the last 5 minutes; over a shorter time where these hold very many attempts.
    """

    leads: Mapping[str, int]
    oldest_waiting_at: float | None
    oldest_pending_at: float | None
    unknown_words: Mapping[str, int]
    last_errors: Sequence[Mapping[str, Json]]
    checkpoints: Mapping[str, str]
    account: Sequence[Day] = ()
    feedback: Mapping[str, int] = field(default_factory=dict)
    leads_per_minute: float = 0.0


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


@dataclass(frozen=True, slots=True)
class Names:
    """The identities of a LeadSquared lead: those by which the way forward looks for it first, all that it has, and those
    that it had. A name that it had may be somebody else's now."""

    found_by: Sequence[str] = ()
    known_as: Sequence[str] = ()
    formerly: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What a feedback mapping decided about one LeadSquared lead.

    `state` pending, skipped or failed. `kind`: of the operation, "" where the lead could not be mapped. `acted`: digest of
    the set of values that counts as acted on from now, None for none. `values`: the same without the id, where another id
    alone is no reason to act again. `people`: of what people hold in the columns of `when`. `agreed`: both sides hold the
    values already: that is noted, and no delivery made. `origin`: the LeadSquared columns that the values were made from.
    `left`: the lead is not, or no more, what the mapping (with a `kind`: its operation of that kind) is about: whatever of it
    is still open is superseded, and nothing is stored.
    """

    mapping: str
    state: State
    kind: str = ""
    mapped: Mapped | None = None
    reason: str | None = None
    acted: str | None = None
    values: str | None = None
    people: str = ""
    agreed: bool = False
    origin: Mapping[str, str] = field(default_factory=dict)
    left: bool = False


@dataclass(frozen=True, slots=True)
class Operated:
    """How an operation that a person asked for stands. `blocked_by`: the delivery in doubt of the same lead that it waits
    for. `reason`: why it failed, or what LeadByte said besides."""

    delivery_id: int
    state: State
    reason: str | None
    fields: Mapping[str, str]
    kind: str
    blocked_by: int | None = None
