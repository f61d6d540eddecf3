"""How the bridge is, for whoever looks: numbers, moments and our own words. Nothing in it names a person."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from bridge.model import Json
from bridge.ports import Day
from bridge.reports import account_values, iso
from bridge.server.metrics import Calls, Counted, Measured


@dataclass(frozen=True, slots=True)
class Side:
    """One side as it is at this moment. `asked`: whether it was ever reached. `since`: epoch seconds, of a state that is not
    the first. `reason`: in our own words, "" while it is up.
    """

    state: str
    asked: bool
    since: float | None = None
    reason: str = ""

    @property
    def well(self) -> bool:
        """Whether it answers, as far as is known."""
        return self.state == "up"


@dataclass(frozen=True, slots=True)
class Slip:
    """What went wrong, at its latest (`at`, epoch seconds), and how often the like of it did. `words`: our own."""

    at: float
    queue_id: str
    stage: str
    words: str
    times: int


@dataclass(frozen=True, slots=True)
class Overview:
    """How the bridge is at the moment `now` (epoch seconds); what was counted is of the moment `measured.counted.at`.

    `measured.windows` are by the names of hosts, `sides` by those of gates. `pruned_on`: the day (UTC) of the last whole pass
    over what is no longer to be kept. `acting`: whether whoever has the token can be shown failures and retry leads.
    """

    now: float
    measured: Measured
    sides: Mapping[str, Side]
    slips: Sequence[Slip] = ()
    account: Sequence[Day] = ()
    pruned_on: str | None = None
    acting: bool = False

    @property
    def ready(self) -> bool:
        """Whether work gets done: as `/readyz` has it, and what was done can be read."""
        sides = all(side.well for side in self.sides.values())
        return sides and self.measured.ready.working and self.measured.counted is not None


Look = Callable[[], Awaitable[Overview]]


def values(seen: Overview) -> dict[str, Json]:
    """An overview as JSON values. `counted` is None where the database could not be read."""
    measured = seen.measured
    return {
        "version": measured.version,
        "now": iso(seen.now),
        "ready": seen.ready,
        "working": measured.ready.working,
        "disk_full": measured.disk_full,
        "sides": {name: _side(side) for name, side in seen.sides.items()},
        "windows": {name: _window(calls) for name, calls in measured.windows.items()},
        "counted": None if measured.counted is None else _counted(measured.counted, seen),
    }


def _side(side: Side) -> dict[str, Json]:
    since = None if side.since is None else iso(side.since)
    return {"state": side.state, "asked": side.asked, "since": since, "reason": side.reason or None}


def _window(calls: Calls) -> dict[str, Json]:
    return {"used": calls.used, "limit": calls.limit or None, "seconds": calls.seconds}


def _counted(counted: Counted, seen: Overview) -> dict[str, Json]:
    return {
        "at": iso(counted.at),
        "leads": dict(counted.leads),
        "tracked": sum(counted.leads.values()),
        "leads_per_minute": round(counted.leads_per_minute, 1),
        "lag": {
            "oldest_waiting_seconds": round(counted.oldest_waiting, 1),
            "oldest_pending_seconds": round(counted.oldest_pending, 1),
        },
        "feedback": dict(counted.feedback),
        "unknown_words": counted.unknown_words,
        "disk_free_bytes": counted.free,
        "async_queue": dict(counted.queue),
        "checkpoints": {
            "changes_read_up_to": _moment(counted.changes_up_to),
            "pruned_on": seen.pruned_on,
        },
        "last_errors": [_slip(slip) for slip in seen.slips],
        "account": account_values(seen.account),
    }


def _slip(slip: Slip) -> dict[str, Json]:
    return {
        "at": iso(slip.at),
        "queue_id": slip.queue_id,
        "stage": slip.stage,
        "reason": slip.words,
        "n": slip.times,
    }


def _moment(at: float | None) -> str | None:
    return None if at is None else iso(at)
