"""What to tell a person about a reason: one table for each place where a lead may stand. deploy/operating.md shows them."""

from __future__ import annotations

from typing import Final

from bridge.reports import hints_back, hints_forward
from bridge.reports.hint import Place

PLACES: Final = (
    hints_forward.UNPROCESSED,
    hints_forward.LEADSQUARED,
    hints_forward.MAP,
    hints_back.LEADBYTE,
    hints_back.MAP_BACK,
    hints_back.EXPIRED,
    hints_back.IN_DOUBT,
    hints_forward.IN_DOUBT,
)


def hint(state: str, stage: str, reason: str, *, to_leadbyte: bool = False) -> str:
    """What a reason means and what to do, for a lead in this state: one line.

    `to_leadbyte`: about an operation on LeadByte's side.
    """
    return place(state, stage, to_leadbyte=to_leadbyte).of(reason).line


def place(state: str, stage: str, *, to_leadbyte: bool) -> Place:
    """Which table holds for a lead."""
    if state == "expired":
        return hints_back.EXPIRED
    if state == "in_doubt":
        return hints_back.IN_DOUBT if to_leadbyte else hints_forward.IN_DOUBT
    if stage == "map":
        return hints_back.MAP_BACK if to_leadbyte else hints_forward.MAP
    if to_leadbyte:
        return hints_back.LEADBYTE
    return hints_forward.UNPROCESSED if state == "unprocessed" else hints_forward.LEADSQUARED
