"""Keys and errors of the LeadByte API, for all its endpoints. Bodies of errors are unpublished: these are likely ones."""

from __future__ import annotations

from functools import partial
from typing import Final

from bridge.model import Json
from bridge.simulator.host import Gate
from bridge.simulator.wire import BadCallError, Call, Reply, json_reply
from bridge.simulator.world import World

UPDATE: Final = "Leads > Update"
PROCESS: Final = "Quarantine > Process"
FINANCIALS: Final = "Update Payout/Revenue"


def error(message: str, status: int = 200) -> Reply:
    """LeadByte's error envelope, seen with HTTP 200 and not."""
    return json_reply({"status": "Error", "message": message}, status)


DENIED: Final = error("Invalid API key", 401)
BAD_JSON: Final = error("Invalid JSON", 400)


def permitted(world: World, key: str | None, permission: str) -> Reply | None:
    """The refusal of a key that is not known (401) or lacks the permission (403), or None."""
    allowed = world.leadbyte_keys.get(key or "")
    if allowed is None:
        return DENIED
    if permission not in allowed:
        return error(f'This API key does not have the "{permission}" permission', 403)
    return None


def header_key(world: World, call: Call) -> str | None:
    """The key where the pages of PUT /leads and POST /quarantine/process show it: the header X_KEY."""
    return call.headers.get(world.profile.key_header)


def header_gate(permission: str) -> Gate:
    """The gate of endpoints whose key the pages show in the header X_KEY."""
    return partial(_header_gate, permission)


def _header_gate(permission: str, world: World, call: Call) -> Reply | None:
    return permitted(world, header_key(world, call), permission)


def body_gate(permission: str) -> Gate:
    """The gate of endpoints whose key the pages show in the body, as `key`: a body that cannot be read has no key."""
    return partial(_body_gate, permission)


def _body_gate(permission: str, world: World, call: Call) -> Reply | None:
    body = readable(call)
    key = body.get("key") if isinstance(body, dict) else None
    return permitted(world, key if isinstance(key, str) else None, permission)


def readable(call: Call) -> Json:
    """The decoded body, or None where it is not JSON: a gate refuses nothing but keys."""
    try:
        return call.json(BAD_JSON)
    except BadCallError:
        return None
