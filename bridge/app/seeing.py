"""The store at one moment, and how much of it wants a person."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bridge.model import ItemState, State
from bridge.policy.conditions import Counts
from bridge.ports import Status

FAILED: Final = (State.FAILED, State.UNPROCESSED, ItemState.EXPIRED)
"""On the failure report, and not in doubt."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The store as it was at the moment `at` (epoch seconds). `free`: bytes left on the disk of the state directory.

    Its errors and words may name people: whoever shows them masks them.
    """

    status: Status
    at: float
    free: int


def seen(status: Status, now: float, state_dir: Path) -> Seen:
    """A status, as what was seen at the moment `now`."""
    return Seen(status, now, shutil.disk_usage(state_dir).free)


def counts(status: Status) -> Counts:
    """What people are told of it: leads and operations on the failure report, and those in doubt."""
    leads, operations = status.leads, status.feedback
    failures = sum(leads.get(state, 0) for state in FAILED) + sum(
        operations.get(state, 0) for state in FAILED
    )
    return Counts(failures, leads.get(State.IN_DOUBT, 0) + operations.get(State.IN_DOUBT, 0))
