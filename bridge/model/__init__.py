"""The words the whole bridge is written in: states and their one table, and the values that stages hand on."""

from bridge.model.deliveries import Call, Delivery, Kind, Move, Outcome
from bridge.model.items import Change, PollRecord, QueueReply, ResolvedItem, Track, Verdict, WaitingItem
from bridge.model.lanes import Lane, Mapped, Stamp, identity
from bridge.model.sides import (
    BY_HAND,
    HOSTS,
    LEADBYTE,
    LEADSQUARED,
    MAPPING_BY_HAND,
    NOT_REPEATABLE,
    UPDATES,
    Json,
)
from bridge.model.states import (
    BIRTHS,
    IN_FLIGHT,
    ITEM_TRANSITIONS,
    LEAD_STATES,
    REPORTED,
    TRANSITIONS,
    ItemState,
    Stage,
    State,
)

__all__ = [
    "BIRTHS",
    "BY_HAND",
    "HOSTS",
    "IN_FLIGHT",
    "ITEM_TRANSITIONS",
    "LEADBYTE",
    "LEADSQUARED",
    "LEAD_STATES",
    "MAPPING_BY_HAND",
    "NOT_REPEATABLE",
    "REPORTED",
    "TRANSITIONS",
    "UPDATES",
    "Call",
    "Change",
    "Delivery",
    "ItemState",
    "Json",
    "Kind",
    "Lane",
    "Mapped",
    "Move",
    "Outcome",
    "PollRecord",
    "QueueReply",
    "ResolvedItem",
    "Stage",
    "Stamp",
    "State",
    "Track",
    "Verdict",
    "WaitingItem",
    "identity",
]
