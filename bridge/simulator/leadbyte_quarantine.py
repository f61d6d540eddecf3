"""POST /quarantine/process ("Update and processing quarantine leads via REST API")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bridge.model import Json
from bridge.simulator.journal import Kind
from bridge.simulator.leadbyte_entries import ACTIONS, EntryError, read_id
from bridge.simulator.leadbyte_gates import BAD_JSON, error
from bridge.simulator.queue import QueueLead
from bridge.simulator.wire import Call, Reply, json_reply
from bridge.simulator.world import World

QUEUED_FOR: Final[Mapping[Kind, str]] = {
    "release": "Queued for processing",
    "reject": "Queued for rejection",
}


def process_quarantine(world: World, call: Call) -> Reply:
    """Releases or rejects one quarantined lead. It is queued for that: what becomes of it, polls of its queueId tell.

    A release applies duplication and caps anew and may end in rejection (`Campaign.rules`). A lead that is not quarantined,
    or not any more, is an error (`Profile.not_held`).
    """
    body = call.json(BAD_JSON)
    if not isinstance(body, dict):
        return BAD_JSON
    try:
        quarantine_id = str(read_id(body.get("quarantineId"), "quarantineId"))
    except EntryError as refusal:
        return error(str(refusal))
    action = body.get("action")
    kind = ACTIONS["quarantineId"].get(action) if isinstance(action, str) else None
    return _process(world, quarantine_id, kind) if kind else error("Invalid action")


def _process(world: World, quarantine_id: str, kind: Kind) -> Reply:
    world.campaign.journal.arrive(kind, quarantine_id, {})
    lead = world.campaign.held(quarantine_id, world.clock())
    if lead is None:
        if world.profile.not_held == "details":
            return _details(quarantine_id, "Quarantined lead not found")
        return error("Quarantined lead not found")
    release_or_reject(world, kind, lead, quarantine_id, {})
    return _details(quarantine_id, QUEUED_FOR[kind])


def _details(quarantine_id: str, text: str) -> Reply:
    message = "Quarantined lead(s) processed successfully"
    return json_reply({"status": "Success", "message": message, "details": {quarantine_id: text}})


def release_or_reject(
    world: World, kind: Kind, lead: QueueLead, quarantine_id: str, came_with: Mapping[str, Json]
) -> None:
    """Queue a quarantined lead for its release or rejection; `came_with`: the update of the same request."""
    now = world.clock()
    world.campaign.journal.carry_out(now, kind, quarantine_id, came_with)
    world.campaign.queue_again(lead, "release" if kind == "release" else "reject", now)
