"""Which states a resync may re-open, and which may be dismissed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from bridge.model import State

DEFAULT: Final = ("failed", "unprocessed")
OPENABLE: Final = (*DEFAULT, "expired")
DONE: Final = ("synced", "skipped", "superseded")
KNOWN: Final = (*OPENABLE, *DONE)


def states_meant(given: Sequence[str], *, named: bool, refetch: bool) -> Sequence[str]:
    """The states that are meant. Leads that are `named` are meant in whatever state they can be re-opened from."""
    if given:
        return tuple(given)
    return OPENABLE + (DONE if refetch else ()) if named else DEFAULT


def wrong_states(given: Sequence[str], *, refetch: bool, again: str) -> Iterator[str]:
    """What is wrong with states that were asked for, a line each. `again`: how to ask for a refetch."""
    for state in given:
        if state not in KNOWN:
            yield f"{state}: no such state; take one of {', '.join(KNOWN)}"
        elif state in DONE and not refetch:
            yield f"{state}: such leads are done; add {again}"


MOST_WORDS: Final = 200
"""Characters that a person may say why in."""

SAY_WHY: Final = f"say why, on one line of at most {MOST_WORDS} characters"


def is_reason(because: str) -> bool:
    """Whether this may be kept as why leads were dismissed: one line of at most MOST_WORDS characters."""
    return bool(because.strip()) and len(because) <= MOST_WORDS and because.isprintable()


def not_dismissed(given: Sequence[str]) -> Iterator[str]:
    """What is wrong with states that leads are to be dismissed from, a line each."""
    for state in given:
        if state == State.IN_DOUBT:
            yield f"{state}: look at the other side first, then settle it with `bridge resolve`"
        elif state not in OPENABLE:
            yield f"{state}: only what is {_listed(OPENABLE)} can be dismissed"


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
