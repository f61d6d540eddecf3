"""The store at one moment, and how much of it wants a person."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from bridge.model import REPORTED, State
from bridge.policy.conditions import Counts
from bridge.ports import Status


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
    found = {state: status.leads.get(state, 0) + status.feedback.get(state, 0) for state in REPORTED}
    in_doubt = found.pop(State.IN_DOUBT)
    return Counts(sum(found.values()), in_doubt)
