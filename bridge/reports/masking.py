"""Hiding people in reports, and telling what in a reason names one lead from what it has in common with others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

from bridge.masking import FOUND, HOLE, PEOPLE, mask, masked_person, quoted

__all__ = ["HOLE", "common", "mask", "mask_identifier", "mask_reason"]

REMEMBERED: Final = 1024
"""Most leads fail for one of a few reasons."""

NAMELESS: Final = frozenset({"id", "host"})


def mask_identifier(identifier: str) -> str:
    """What a lead is known by, masked: also where it is neither an email address nor a phone number. Ids stay."""
    found = FOUND.fullmatch(identifier.strip())
    kind = found.lastgroup if found else None
    if kind in PEOPLE:
        return masked_person(str(kind), identifier.strip())
    if kind in NAMELESS:
        return identifier.strip()
    return f"{identifier[:1]}{HOLE}" if identifier else ""


def mask_reason(reason: str, identifier: str | None, values: Iterable[str] = ()) -> str:
    """A reason without people: the lead's identifier and `values`, wherever it quotes them, and who else looks like one."""
    return _masked(reason, identifier, tuple(values))


def common(reason: str, identifier: str | None, values: Iterable[str] = ()) -> str:
    """What a reason has in common with those of other leads: `…` for everything that names a lead or a moment."""
    return _common(reason, identifier, tuple(values))


@lru_cache(REMEMBERED)
def _masked(reason: str, identifier: str | None, values: tuple[str, ...]) -> str:
    return mask(_without(reason, identifier, values, mask_identifier))


@lru_cache(REMEMBERED)
def _common(reason: str, identifier: str | None, values: tuple[str, ...]) -> str:
    return FOUND.sub(HOLE, _without(reason, identifier, values, lambda _: HOLE))


def _without(reason: str, identifier: str | None, values: Iterable[str], by: Callable[[str], str]) -> str:
    for value in (identifier or "", *values):
        found = FOUND.fullmatch(value.strip())
        if found is None or found.lastgroup not in NAMELESS:
            reason = quoted(reason, value, by)
    return reason
