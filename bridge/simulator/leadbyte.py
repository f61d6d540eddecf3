"""The LeadByte REST API v1.3 ("Using the QueueID via REST API"). Bodies of errors are unpublished: these are likely ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import Final

from bridge.simulator.host import Endpoint, Gate, HostSpec
from bridge.simulator.queue import Profile, not_found, processed, queued
from bridge.simulator.wire import Call, Reply, json_reply
from bridge.simulator.world import World

BASE: Final = "/restapi/v1.3"


def error(message: str, status: int = 200) -> Reply:
    """LeadByte's error envelope, seen with HTTP 200 and not."""
    return json_reply({"status": "Error", "message": message}, status)


def _whole_error(_kind: str, message: str) -> Reply:
    return error(message)


_DENIED: Final = error("Invalid API key", 401)


def permitted(world: World, key: str | None, permission: str) -> Reply | None:
    """The refusal of a key that is not known (401) or lacks the permission (403), or None."""
    allowed = world.leadbyte_keys.get(key or "")
    if allowed is None:
        return _DENIED
    if permission not in allowed:
        return error(f'This API key does not have the "{permission}" permission', 403)
    return None


def _queue_gate(world: World, call: Call) -> Reply | None:
    profile = world.profile
    key = call.query.get("key") if profile.key_in == "query" else call.headers.get(profile.key_header)
    return permitted(world, key, "API queue")


def header_gate(permission: str) -> Gate:
    """The gate of endpoints whose key the pages show in the header X_KEY."""
    return partial(_header_gate, permission)


def _header_gate(permission: str, world: World, call: Call) -> Reply | None:
    return permitted(world, call.headers.get(world.profile.key_header), permission)


def api_queue(world: World, call: Call) -> Reply:
    """GET /apiqueue/{queueId}: what has become of a submitted lead."""
    lead = world.queue.get(call.tail)
    if lead is None:
        return _unknown(call.tail, world.profile)
    profile = lead.profile or world.profile
    reply = lead.poll(world.clock())
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
    body = call.json(error("Invalid JSON", 400))
    if not isinstance(body, dict):
        return error("Invalid JSON", 400)
    lead = body.get("lead", body)
    if not isinstance(lead, dict) or not lead:
        return error("No lead data was sent")
    at = datetime.fromtimestamp(world.clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    response = {"code": 1, "response": "OK", "info": [], "leadId": 7_185_867 + len(world.queue)}
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
    },
    missing=error("Not found", 404),
    whole_error=_whole_error,
    denied=_DENIED,
    wrong_region=lambda _host: _DENIED,
)
