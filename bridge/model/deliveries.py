"""A delivery on its way: what became of it in a call, and what it changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bridge.model.lanes import Lane, Stamp
from bridge.model.states import Stage, State


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
