"""PUT /leadfinancials ("Lead Financial update")."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from bridge.model import Json
from bridge.simulator.campaign import Booking, status
from bridge.simulator.leadbyte_entries import EntryError, read_id
from bridge.simulator.leadbyte_gates import BAD_JSON, error
from bridge.simulator.wire import Call, Reply, json_reply
from bridge.simulator.world import World

_MOST: Final = Decimal(10**9)
_SUMS: Final = ("newPayout", "newRevenue")


def update_financials(world: World, call: Call) -> Reply:
    """Sets payout, revenue and buyer of approved leads, all or none: the one answer for them has no place to tell that some
    were booked and others not, and whoever reads an Error believes that nothing was (`Profile.financials`).

    Sums are JSON numbers from 0 with two decimals at most, kept exactly as they were written.
    """
    body = call.json(BAD_JSON, parse_float=Decimal)
    try:
        leads, values = _leads(body), _values(body)
    except EntryError as refusal:
        return error(str(refusal))
    reasons = {lead: _reason(world, lead) for lead in leads}
    refusals = [f"{reason}: {lead}" for lead, reason in reasons.items() if reason]
    if not refusals or world.profile.financials == "partial":
        for lead in leads:
            if not reasons[lead]:
                _book(world, lead, values)
    return error("; ".join(refusals)) if refusals else json_reply({"status": "Success", "message": "OK"})


def _leads(body: Mapping[str, Json]) -> list[str]:
    leads = body.get("leads")
    if not isinstance(leads, list) or not leads:
        raise EntryError("No leads were sent")
    return [str(read_id(lead, "leadID")) for lead in leads]


def _values(body: Mapping[str, Json]) -> dict[str, Json]:
    values: dict[str, Json] = {name: _money(body[name], name) for name in _SUMS if name in body}
    if not values:
        raise EntryError("newPayout or newRevenue is required")
    if "BID" in body:
        values["BID"] = str(read_id(body["BID"], "BID"))
    return values


def _money(value: Json, name: str) -> Decimal:
    """A sum exactly as written. JSON's floats are Decimals here, so a float is no number at all."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise EntryError(f"{name} must be a number")
    money = Decimal(value)
    exponent = money.as_tuple().exponent
    if money.is_signed() or money >= _MOST or not isinstance(exponent, int) or exponent < -2:
        raise EntryError(f"{name} is not a valid amount")
    return money


def _reason(world: World, lead_id: str) -> str:
    """Why a lead's money cannot be set, or ""."""
    lead = world.campaign.lead(lead_id)
    if lead is None:
        return "Lead not found"
    return "" if status(lead, world.clock()) == "Approved" else "Lead is not approved"


def _book(world: World, lead_id: str, values: Mapping[str, Json]) -> None:
    world.campaign.journal.carry_out(world.clock(), "financials", lead_id, values)
    world.campaign.book(
        lead_id, Booking(values.get("newPayout"), values.get("newRevenue"), values.get("BID"))
    )
