"""Puts single leads into a world in the state that a trial or test needs."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.model import Json
from bridge.simulator.rules import BUYER, Refusal, approved, moment, rejected
from bridge.simulator.world import World


def add_approved(
    world: World,
    fields: Mapping[str, Json],
    *,
    lead_id: int | None = None,
    buyer: Mapping[str, Json] | None = BUYER,
) -> str:
    """A lead that was sold to `buyer` (None: it is Unsold); returns its queueId. Without `lead_id` it gets the next one."""
    number = world.campaign.new_id("leadId") if lead_id is None else lead_id
    return world.add_lead(approved({"lead": dict(fields)}, buyer, number, world.clock()))


def add_rejected(world: World, fields: Mapping[str, Json], refusal: Refusal) -> str:
    """A lead that was refused; returns its queueId."""
    number = world.campaign.new_id("rejectionId")
    return world.add_lead(rejected({"lead": dict(fields)}, refusal, number, world.clock()))


def add_quarantined(
    world: World,
    fields: Mapping[str, Json],
    *,
    quarantine_id: int | None = None,
    info: str = "held for a manual check",
) -> str:
    """A lead that is quarantined until it is released or rejected; returns its queueId. Polls show the quarantineId in
    `response`; without `quarantine_id` it gets the next one, the first being 8419715."""
    number = world.campaign.new_id("quarantineId") if quarantine_id is None else quarantine_id
    response = {
        "code": 1,
        "response": "Quarantined",
        "info": [info],
        "leadId": None,
        "quarantineId": number,
    }
    return world.add_lead(
        {
            "status": "Quarantined",
            "processed": moment(world.clock()),
            "response": response,
            "deliveries": [],
            "buyer": None,
            "lead": dict(fields),
        }
    )
