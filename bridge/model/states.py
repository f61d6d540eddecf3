"""The states, and the one table of how they change."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


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

REPORTED: Final = LEAD_STATES[:4]
"""Of these what wants a person: the failure report lists it."""


class Stage(StrEnum):
    """Where in the pipeline something happened."""

    POLL = "poll"
    MAP = "map"
    PUSH = "push"
    CONFIRM = "confirm"
    PERSON = "person"
    """Only of an attempt: no call, but a person's word on it."""
