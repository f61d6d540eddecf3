"""PUT /leads ("Update Leads via REST API", "Update and processing quarantine leads via REST API").

Failures are unpublished. A lead is checked whole before anything of it is carried out, and each lead is for itself: a call
that is understood is a Success, whatever became of its leads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bridge.model import Json
from bridge.simulator.campaign import data, status
from bridge.simulator.journal import Kind
from bridge.simulator.leadbyte_entries import Entry, EntryError, read_entry, refused, updated
from bridge.simulator.leadbyte_gates import (
    BAD_JSON,
    PROCESS,
    UPDATE,
    error,
    header_gate,
    header_key,
    permitted,
    readable,
)
from bridge.simulator.leadbyte_quarantine import QUEUED_FOR, release_or_reject
from bridge.simulator.queue import QueueLead
from bridge.simulator.wire import Call, Reply, json_reply
from bridge.simulator.world import World

_LACKING: Final = f'This API key does not have the "{PROCESS}" permission'


def updates_gate(world: World, call: Call) -> Reply | None:
    """Needs "Leads > Update"; a release or reject among the leads "Quarantine > Process" too (`Profile.lacking`)."""
    denied = header_gate(UPDATE)(world, call)
    if denied or world.profile.lacking == "entry" or not _processes(readable(call)):
        return denied
    return permitted(world, header_key(world, call), PROCESS)


def _processes(body: Json) -> bool:
    return any(
        isinstance(entry, dict) and "quarantineId" in entry and entry.get("action") is not None
        for entry in _entries(body)
    )


def _entries(body: Json) -> list[Json]:
    leads = body.get("leads") if isinstance(body, dict) else None
    return leads if isinstance(leads, list) else []


def update_leads(world: World, call: Call) -> Reply:
    """Updates leads, each for itself: sets fields, triggers deliveries, reprocesses, releases or rejects."""
    entries = _entries(call.json(BAD_JSON))
    if not entries:
        return error("No leads were sent")
    may_process = permitted(world, header_key(world, call), PROCESS) is None
    released: list[str] = []
    shown = [_one(world, entry, released, may_process=may_process) for entry in entries]
    reply: dict[str, Json] = {"status": "Success", "message": "OK", "leads": shown}
    return json_reply({**reply, world.profile.release_results: released} if released else reply)


def _one(world: World, value: Json, released: list[str], *, may_process: bool) -> dict[str, Json]:
    try:
        entry = read_entry(value)
        for kind, values in entry.orders():
            world.campaign.journal.arrive(kind, entry.lead, values)
        if entry.name == "id":
            return updated(entry, _update_valid(world, entry))
        if entry.action and not may_process:
            raise EntryError(_LACKING)
        warnings = _update_held(world, entry)
    except EntryError as refusal:
        return refused(value, str(refusal))
    if entry.action:
        released.append(f"Quarantine ID '{entry.lead}' {QUEUED_FOR[entry.action].lower()}")
    return updated(entry, warnings)


def _update_valid(world: World, entry: Entry) -> list[str]:
    """The warnings. Raises EntryError, and has done nothing then."""
    now, campaign = world.clock(), world.campaign
    lead = campaign.lead(entry.lead)
    if lead is None:
        raise EntryError("Lead not found")
    if status(lead, now) not in campaign.rules.valid:
        raise EntryError("Lead is not valid")
    automatic = [delivery for delivery in entry.triggers if delivery not in campaign.manual]
    if automatic:
        raise EntryError(f"Delivery '{automatic[0]}' cannot be triggered manually via the REST API")
    warnings = _set_fields(world, lead, entry, "update", now)
    for kind, values in entry.orders():
        campaign.journal.carry_out(now, kind, entry.lead, values)
    for delivery in entry.triggers:
        campaign.trigger(lead, delivery)
    if entry.action:
        campaign.queue_again(lead, "reprocess", now)
    return warnings


def _update_held(world: World, entry: Entry) -> list[str]:
    """The warnings. Raises EntryError, and has done nothing then."""
    now = world.clock()
    lead = world.campaign.held(entry.lead, now)
    if lead is None:
        raise EntryError("Quarantined lead not found")
    warnings = _set_fields(world, lead, entry, "quarantine_update", now)
    if entry.action:
        release_or_reject(world, entry.action, lead, entry.lead, entry.update)
    return warnings


def _set_fields(world: World, lead: QueueLead, entry: Entry, kind: Kind, now: float) -> list[str]:
    """Sets the fields that there are; the warnings tell of the others. Raises EntryError where those are an error."""
    campaign = world.campaign
    known = campaign.fields | data(lead).keys()
    warnings = [f"Unknown field '{name}'" for name in entry.update if name not in known]
    if warnings and world.profile.unknown_fields == "error":
        raise EntryError("; ".join(warnings))
    values: Mapping[str, Json] = {name: text for name, text in entry.update.items() if name in known}
    if values:
        campaign.set_fields(lead, values)
        campaign.journal.carry_out(now, kind, entry.lead, values)
    return warnings
