"""What comes from a source: queueIds and what became of them, changed leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from bridge.model.sides import LEADBYTE, Json
from bridge.model.states import ItemState


class Verdict(StrEnum):
    """What a LeadByte status word means for polling."""

    FINAL = "final"
    PENDING = "pending"
    QUARANTINED = "quarantined"
    UNKNOWN = "unknown"
    """A word the table does not hold: polled again until the deadline, never taken for an answer."""


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
    it was fetched anew; `force`: send even if unchanged; `again`: the bridge itself had LeadByte process the lead anew.
    """

    id: int
    queue_id: str
    reply: str
    resolved_at: float
    context: Mapping[str, Json]
    generation: int
    force: bool = False
    source: str = LEADBYTE
    again: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """How a LeadSquared lead looked after a change. `modified_at`: by LeadSquared's clock, in epoch seconds.

    `values`: the columns asked for, "" where empty. `known_as`: the identities under which deliveries reach this lead;
    `found_by`: those under which they look for it first.
    """

    prospect_id: str
    modified_at: float
    values: Mapping[str, str] = field(repr=False)
    known_as: Sequence[str] = field(default=(), repr=False)
    found_by: Sequence[str] = field(default=(), repr=False)
