"""The LeadByte REST API v1.3: its endpoints, and the queue ("Using the QueueID via REST API")."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final

from bridge.simulator.host import Endpoint, HostSpec
from bridge.simulator.leadbyte_financials import update_financials
from bridge.simulator.leadbyte_gates import (
    BAD_JSON,
    DENIED,
    FINANCIALS,
    PROCESS,
    body_gate,
    error,
    header_gate,
    permitted,
)
from bridge.simulator.leadbyte_quarantine import process_quarantine
from bridge.simulator.leadbyte_updates import update_leads, updates_gate
from bridge.simulator.queue import Profile, not_found, processed, queued
from bridge.simulator.wire import Call, Reply, json_reply
from bridge.simulator.world import World

BASE: Final = "/restapi/v1.3"


def _whole_error(_kind: str, message: str) -> Reply:
    return error(message)


def _queue_gate(world: World, call: Call) -> Reply | None:
    profile = world.profile
    key = call.query.get("key") if profile.key_in == "query" else call.headers.get(profile.key_header)
    return permitted(world, key, "API queue")


def api_queue(world: World, call: Call) -> Reply:
    """GET /apiqueue/{queueId}: what has become of a submitted lead."""
    lead = world.queue.get(call.tail)
    if lead is None:
        return _unknown(call.tail, world.profile)
    profile = lead.profile or world.profile
    reply = lead.poll(world.clock(), profile)
    return json_reply(processed(lead.queue_id, reply, profile) if reply else queued(lead.queue_id, profile))


def _unknown(queue_id: str, profile: Profile) -> Reply:
    if profile.unknown_id == "word":
        return json_reply(not_found(queue_id, profile))
    if profile.unknown_id == "queued":
        return json_reply(queued(queue_id, profile))
    return error("Queue ID not found", 404 if profile.unknown_id == "404" else 200)


def submit(world: World, call: Call) -> Reply:
    """POST /leads: takes one lead, `{"lead": {…}}` or its fields at the top, and queues it; it is approved at once.

    The reply is the page's own, whatever the profile.
    """
    body = call.json(BAD_JSON)
    if not isinstance(body, dict):
        return BAD_JSON
    lead = body.get("lead", body)
    if not isinstance(lead, dict) or not lead:
        return error("No lead data was sent")
    at = datetime.fromtimestamp(world.clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    response = {
        "code": 1,
        "response": "OK",
        "info": [],
        "leadId": world.campaign.new_id("leadId"),
        "payout": "Complete",
    }
    queue_id = world.add_lead({"status": "Approved", "processed": at, "response": response, "lead": lead})
    return Reply(_QUEUED % json.dumps(queue_id).encode())


_QUEUED: Final = (
    b'{"status":"Success","code":1,"message":"","results":[{"queueId":%s,"status":"Queued","code":1}]}'
)


LEADBYTE: Final = HostSpec(
    name="leadbyte",
    routes={
        ("GET", f"{BASE}/apiqueue/"): Endpoint("apiqueue", _queue_gate, api_queue),
        ("POST", f"{BASE}/leads"): Endpoint("leads", header_gate("Leads > Submit"), submit),
        ("PUT", f"{BASE}/leads"): Endpoint("leads", updates_gate, update_leads),
        ("POST", f"{BASE}/quarantine/process"): Endpoint(
            "quarantine", header_gate(PROCESS), process_quarantine
        ),
        ("PUT", f"{BASE}/leadfinancials"): Endpoint("financials", body_gate(FINANCIALS), update_financials),
    },
    missing=error("Not found", 404),
    whole_error=_whole_error,
    denied=DENIED,
    wrong_region=lambda _host: DENIED,
)
