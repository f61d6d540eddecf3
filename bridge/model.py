"""The words the whole bridge is written in: states and their one table, and the values that stages hand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from types import MappingProxyType
from typing import Any, Final, TypeAlias

Json: TypeAlias = Any
"""A decoded JSON value: None, bool, int, float, str, list or dict of these."""


class ItemState(StrEnum):
    """Where a tracked queueId stands."""

    WAITING = "waiting"
    RESOLVED = "resolved"
    EXPIRED = "expired"


class State(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    SENDING = "sending"
    SUBMITTED = "submitted"
    IN_DOUBT = "in_doubt"
    SYNCED = "synced"
    SKIPPED = "skipped"
    SUPERSEDED = "superseded"
    FAILED = "failed"
    UNPROCESSED = "unprocessed"


S = State
TRANSITIONS: Final[Mapping[State, frozenset[State]]] = MappingProxyType(
    {
        S.PENDING: frozenset({S.SENDING, S.SUPERSEDED, S.SKIPPED}),
        S.SENDING: frozenset({S.SYNCED, S.SUBMITTED, S.PENDING, S.UNPROCESSED, S.FAILED, S.IN_DOUBT}),
        S.SUBMITTED: frozenset({S.SYNCED, S.PENDING, S.FAILED}),
        S.IN_DOUBT: frozenset({S.SYNCED, S.PENDING, S.FAILED}),
        S.FAILED: frozenset({S.PENDING, S.SUPERSEDED}),
        S.UNPROCESSED: frozenset({S.PENDING, S.SUPERSEDED}),
        S.SYNCED: frozenset(),
        S.SKIPPED: frozenset(),
        S.SUPERSEDED: frozenset(),
    }
)
"""Every change of state a delivery may make; the store's guards, the documentation and the tests are made from it."""

BIRTHS: Final = frozenset({S.PENDING, S.SKIPPED, S.SUPERSEDED, S.FAILED})
"""States a delivery may begin in. `failed` at birth: the lead could not be mapped."""

IN_FLIGHT: Final = (S.SENDING, S.SUBMITTED, S.IN_DOUBT)
"""States that hold the lock of an identity."""

ITEM_TRANSITIONS: Final[Mapping[ItemState, frozenset[ItemState]]] = MappingProxyType(
    {
        ItemState.WAITING: frozenset({ItemState.RESOLVED, ItemState.EXPIRED}),
        ItemState.RESOLVED: frozenset({ItemState.WAITING}),
        ItemState.EXPIRED: frozenset({ItemState.WAITING}),
    }
)

LEAD_STATES: Final = (
    "failed",
    "unprocessed",
    "in_doubt",
    "expired",
    "sending",
    "submitted",
    "pending",
    "waiting",
    "synced",
    "skipped",
    "superseded",
)
"""How a lead with several rows is counted: in the first of these that one of its rows is in."""


class Verdict(StrEnum):
    """What a LeadByte status word means for polling."""

    FINAL = "final"
    PENDING = "pending"
    QUARANTINED = "quarantined"
    UNKNOWN = "unknown"
    """A word the table does not hold: polled again until the deadline, never taken for an answer."""


LEADBYTE: Final = "leadbyte"
LEADSQUARED: Final = "leadsquared"
"""The two sides, as sources of items and targets of deliveries. The first is also the mode of lanes to LeadByte."""

BY_HAND: Final = "hand"
"""The source of an item that a person made by a command."""

HOSTS: Final[Mapping[str, str]] = MappingProxyType(
    {"bulk": "leadsquared", "async": "leadsquared-async", LEADBYTE: "leadbyte"}
)
"""Which host a lane's mode calls: each has a window of calls of its own."""

NOT_REPEATABLE: Final = ("automations", "once")
"""Options of lanes whose calls may not be repeated after a lost answer."""


class Stage(StrEnum):
    """Where in the pipeline something happened."""

    POLL = "poll"
    MAP = "map"
    PUSH = "push"
    CONFIRM = "confirm"
    PERSON = "person"
    """Only of an attempt: no call, but a person's word on it."""


@dataclass(frozen=True, slots=True)
class Track:
    """A queueId to track, with what came beside it."""

    queue_id: str
    context: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WaitingItem:
    """A claimed queueId that is to be polled. Times in epoch seconds; `polls` answered or failed so far.

    `settles_at`: until then a reply that says no more than `said` (status, processed) is not final: LeadByte was told to
    process the lead anew. None: it was not.
    """

    id: int
    queue_id: str
    polls: int
    deadline_at: float
    settles_at: float | None = None
    said: tuple[str | None, str | None] = (None, None)


@dataclass(frozen=True, slots=True)
class QueueReply:
    """What LeadByte said of one queueId.

    `view`: the names a mapping path sees, without `context` (all present, None where the reply had none).
    `raw`: the reply's text as it came.
    """

    verdict: Verdict
    status: str
    processed: str | None
    view: Mapping[str, Json]
    raw: str


@dataclass(frozen=True, slots=True)
class PollRecord:
    """What one poll of one item led to. `state` waiting: polled again at `due_at`. `reason`: why it is not resolved."""

    item_id: int
    state: ItemState
    due_at: float
    reason: str | None = None
    reply: QueueReply | None = None


@dataclass(frozen=True, slots=True)
class ResolvedItem:
    """What is to be mapped: a resolved queueId, or (`source` leadsquared) a changed lead by its ProspectID.

    `reply` is the raw text, or the lead's columns as JSON; `context` what came with the id. `generation` counts the times
    it was fetched anew; `force`: send even if unchanged.
    """

    id: int
    queue_id: str
    reply: str
    resolved_at: float
    context: Mapping[str, Json]
    generation: int
    force: bool = False
    source: str = LEADBYTE


@dataclass(frozen=True, slots=True)
class Change:
    """How a LeadSquared lead looked after a change. `modified_at`: by LeadSquared's clock, in epoch seconds.

    `values`: the columns asked for, "" where empty. `known_as`: the identities under which deliveries reach this lead.
    `asked_at`: when it was asked for, by our clock. A look of the same second that was kept since counts more; so does any
    where it was not asked for (-inf).
    """

    prospect_id: str
    modified_at: float
    values: Mapping[str, str] = field(repr=False)
    known_as: Sequence[str] = field(default=(), repr=False)
    asked_at: float = inf


@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """How new a value is: by LeadByte's `processed` (epoch seconds), then by arrival."""

    at: float
    arrival: int


@dataclass(frozen=True, slots=True)
class Lane:
    """Deliveries of one lane may share a call.

    `mode` bulk: `search_by` is the SearchByKey ("" = by ProspectId) and `option` is `unprocessed` or `failed`
    (PushNonExistentLeadsToUnProcessedList). `mode` async: `option` is `silent` or `automations` (postUpdatedLead).
    `mode` leadbyte: `search_by` is the kind of operation (`lead`, `quarantine`, `process`, `financials`), `option` is `set`
    or `once` (reprocess, trigger, release, reject).
    `part` keeps apart what must not travel with the rest: halves of a refused batch, or one lead alone.
    """

    mode: str
    search_by: str
    option: str
    part: str = ""

    @property
    def repeatable(self) -> bool:
        """Whether a lost answer may be followed by the same call."""
        return self.option not in NOT_REPEATABLE

    @property
    def target(self) -> str:
        """The side that the lane goes to: `leadsquared` or `leadbyte`."""
        return LEADBYTE if self.mode == LEADBYTE else LEADSQUARED

    @property
    def kind(self) -> str:
        """Of the operation that a lane to LeadByte carries; "" for other lanes."""
        return self.search_by if self.mode == LEADBYTE else ""

    @property
    def alone(self) -> bool:
        """Whether a call takes one delivery only, whatever the size of a batch is."""
        return self.mode == LEADBYTE and self.search_by in {"process", "financials"}

    def key(self, keys: Sequence[str]) -> str:
        """The field by which the lead of a delivery with these keys is found."""
        return self.search_by if self.search_by and self.mode != LEADBYTE else keys[0]

    def __str__(self) -> str:
        return "|".join((self.mode, self.search_by, self.option, self.part))

    @classmethod
    def parse(cls, text: str) -> Lane:
        """The lane that `str(lane)` gave."""
        return cls(*text.split("|", 3))


@dataclass(frozen=True, slots=True)
class Mapped:
    """What one mapping made of one lead: the values for the other side, text throughout.

    `keys`: the names of the search keys that this lead has, in the order they are to be tried (never empty).
    """

    fields: Mapping[str, str]
    keys: Sequence[str]
    lane: Lane

    @property
    def identity(self) -> str:
        return identity(self.keys[0], self.fields[self.keys[0]])


def identity(key: str, value: str) -> str:
    """The one spelling under which a lead is locked and remembered: names and values compare trimmed, without case.

    Not case-folded: ß and ss may be two people.
    """
    return f"{key.lower()}={value.strip().lower()}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A claimed delivery. `fields`: what to send. `attempts`: used up so far. `stamps`: age of each field."""

    id: int
    item_id: int
    queue_id: str
    mapping: str
    identity: str
    lane: Lane
    keys: Sequence[str]
    fields: Mapping[str, str]
    stamps: Mapping[str, Stamp]
    attempts: int
    polls: int = 0
    request_id: str | None = None
    sent_at: float = 0.0
    state: State = State.SENDING

    @property
    def lookup(self) -> str:
        """The value that the lead is found by on the other side."""
        return self.fields[self.key]

    @property
    def key(self) -> str:
        """The field that holds `lookup`."""
        return self.lane.key(self.keys)

    @property
    def next_key(self) -> str | None:
        """The next search key this lead has, when LeadSquared does not know it by this one."""
        later = self.keys[self.keys.index(self.key) + 1 :]
        return later[0] if later else None


class Kind(StrEnum):
    """What became of one lead in one call."""

    SYNCED = "synced"
    SUBMITTED = "submitted"
    UNKNOWN_LEAD = "unknown_lead"
    REJECTED = "rejected"
    UNLISTED = "unlisted"
    QUEUED = "queued"
    FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one lead in one call that was answered.

    SYNCED applied · SUBMITTED accepted under `request_id`, to be confirmed · UNKNOWN_LEAD not known by this key, listed
    as `listed` (State.UNPROCESSED or State.FAILED) · REJECTED refused for good · UNLISTED the answer does not name it ·
    QUEUED (confirm) not applied yet · FORGOTTEN (confirm) the RequestID is not known any more.
    `reason`: the other side's own words. `note`: what it said besides of a lead that is SYNCED, such as warnings.
    """

    kind: Kind
    reason: str = ""
    request_id: str | None = None
    listed: State = State.FAILED
    note: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """One change of state of one delivery, decided and not yet stored.

    `attempt` counts against the retries; `synced` fields become the agreed ones. `lane`, `request_id`: new where set.
    `unknown`: the other side does not know the lead, whatever was agreed before. `maybe`: it may hold the values
    although nothing says so.
    """

    delivery: Delivery
    to: State
    due_at: float
    reason: str | None = None
    attempt: bool = False
    lane: Lane | None = None
    request_id: str | None = None
    unknown: bool = False
    maybe: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was made for one or more deliveries, for the attempt table. Times in epoch seconds."""

    id: str
    stage: Stage
    host: str
    started_at: float
    answered_at: float
    result: str
