"""What the stages need from the world, as contracts. Every implementation passes the contract tests in `tests/contract`."""

from typing import Protocol

from bridge.ports.asking import People, Privacy, ignored
from bridge.ports.sides import ChangePage, ChangeSource, ReadableSink, Sink, Source
from bridge.ports.values import (
    Birth,
    Check,
    Cutoffs,
    Day,
    Decision,
    Dismissed,
    Erased,
    Failure,
    Finding,
    Hearer,
    Names,
    Operated,
    Reopened,
    Selection,
    Status,
    Theirs,
    nobody,
)
from bridge.ports.working import Deliveries, Feedback, Life, Results

__all__ = [
    "Birth",
    "ChangePage",
    "ChangeSource",
    "Check",
    "Cutoffs",
    "Day",
    "Decision",
    "Dismissed",
    "Erased",
    "Failure",
    "Finding",
    "Hearer",
    "Names",
    "Operated",
    "ReadableSink",
    "Reopened",
    "Selection",
    "Sink",
    "Source",
    "Status",
    "Store",
    "Theirs",
    "ignored",
    "nobody",
]


class Store(Results, Deliveries, Feedback, Life, People, Privacy, Protocol):
    """The only channel between stages. Every method is one short transaction; each may be called from any stage.

    A change of state happens only if the row is still in the state it was read in; else Conflict is raised and the
    whole call changed nothing. Raises StoreError where the storage itself fails.
    """
