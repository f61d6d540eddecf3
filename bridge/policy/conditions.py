"""What people are told of, in words. Pure. No lead and nobody else's words are in any of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from bridge.policy.alerting import Condition
from bridge.policy.health import SideState

DOUBT_SECONDS: Final = 60.0
"""A doubt that the bridge clears up by itself is cleared up by then."""

DOWN = (
    "{name} is down since {since}: {why}. Leads wait and go out by themselves once it is back;"
    " `bridge status` shows how it is."
)
DENIED = (
    "{name} refuses its key or a permission since {since}: {why}. Mend that, restart the bridge, and see"
    " `bridge check` say that it works; leads wait meanwhile."
)

KINDS = ((SideState.DOWN, DOWN, "answers again"), (SideState.DENIED, DENIED, "takes its key again"))


@dataclass(frozen=True, slots=True)
class Counts:
    """How many leads are on the failure report (failed, unprocessed, expired), and how many are in doubt."""

    failures: int
    in_doubt: int


@dataclass(frozen=True, slots=True)
class Side:
    """How one side is. `asked`: whether it ever answered this process. `seconds`: for how long it has not been up.

    `reason`: as its health has it; only what stands before the first `: ` is ours.
    """

    name: str
    state: SideState
    asked: bool
    seconds: float
    reason: str


def failing(counts: Counts | None, least: int) -> Condition:
    """That at least so many leads are on the failure report."""
    n = counts.failures if counts else 0
    text = (
        f"{_leads(n)} on the failure report (told from {least} on). `bridge report` says why;"
        " mend that, then `bridge resync`."
    )
    over = f"Over: {_leads(n)} on the failure report now, fewer than {least}."
    return Condition("failures", None if counts is None else n >= least, text, over, n)


def doubtful(counts: Counts | None, seconds: float) -> Condition:
    """That something is in doubt, for so many seconds by now."""
    n = counts.in_doubt if counts else 0
    text = (
        f"{_leads(n)} in doubt: the answer was lost, and what may not be repeated is not sent again."
        " `bridge report` says which; look at them, then say what you saw with `bridge resolve`."
    )
    begun = n > 0 and seconds < DOUBT_SECONDS
    holds = None if counts is None or begun else n > 0
    return Condition("in doubt", holds, text, "Over: nothing is in doubt any more.", n, begun)


def not_up(side: Side, least: float, now: float) -> Sequence[Condition]:
    """That a side is down for so many seconds at least, and that it refuses its key: an outage that is over must not
    silence the other."""
    since = datetime.fromtimestamp(now - side.seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    told = {"name": side.name, "since": since, "why": side.reason.partition(": ")[0]}
    return [
        Condition(
            f"{side.name} {state}",
            _lasts(side, state, least),
            words.format(**told),
            f"Over: {side.name} {over}.",
            begun=side.state is state and side.seconds < least,
        )
        for state, words, over in KINDS
    ]


def _lasts(side: Side, state: SideState, least: float) -> bool | None:
    if side.state is SideState.UP:
        return False if side.asked else None
    return True if side.state is state and side.seconds >= least else None


def _leads(n: int) -> str:
    return "1 lead is" if n == 1 else f"{n} leads are"
