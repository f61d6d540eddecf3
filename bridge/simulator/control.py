"""Lets another process look into the world and drive it, under /_sim/ on the LeadByte listener. Takes no keys: loopback only."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

from bridge.simulator.host import Endpoint, Routes
from bridge.simulator.wire import BadCallError, Call, Reply, json_reply
from bridge.simulator.world import World


def _open(_world: World, _call: Call) -> Reply | None:
    return None


def _stats(world: World, _call: Call) -> Reply:
    return json_reply(world.stats())


def _leads(world: World, _call: Call) -> Reply:
    """Every lead of the CRM, its empty fields left out."""
    world.settle(world.clock())
    return json_reply(list(world.crm.leads.values()))


def _queue_ids(world: World, _call: Call) -> Reply:
    """Every queueId as JSON lines, ready for `bridge enqueue --from -`."""
    lines = "".join(f'{{"queueId":{json.dumps(queue_id)}}}\n' for queue_id in world.queue)
    return Reply(lines.encode(), content_type="application/x-ndjson")


def _operations(world: World, _call: Call) -> Reply:
    """What was done to LeadByte's leads, in order; sums of money as text, exactly as they were sent."""
    shown = [asdict(operation) for operation in world.operations]
    body = json.dumps({"repeated": world.repeated, "operations": shown}, ensure_ascii=False, default=str)
    return Reply(body.encode())


def _create_unknown(world: World, _call: Call) -> Reply:
    return json_reply({"created": world.create_unknown()})


def _faults(world: World, call: Call) -> Reply:
    """`{"rates": {place: {kind: share}}, "fail_next": [{"kind", "times", "at"}]}`; either may be left out."""
    refusal = json_reply({"error": 'a JSON object with "rates" or "fail_next" is needed'}, 400)
    body = call.json(refusal)
    if not isinstance(body, dict):
        raise BadCallError(refusal)
    try:
        _set_faults(world, body)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return json_reply({"error": str(error)}, 400)
    return json_reply({"rates": world.faults.rates})


def _set_faults(world: World, body: dict[str, Any]) -> None:
    if "rates" in body:
        world.faults.set_rates(body["rates"])
    for order in body.get("fail_next", ()):
        world.fail_next(order["kind"], int(order.get("times", 1)), order.get("at", ""))


CONTROL: Final[Routes] = {
    ("GET", "/_sim/stats"): Endpoint("stats", _open, _stats),
    ("GET", "/_sim/leads"): Endpoint("leads", _open, _leads),
    ("GET", "/_sim/queue-ids"): Endpoint("queue-ids", _open, _queue_ids),
    ("GET", "/_sim/operations"): Endpoint("operations", _open, _operations),
    ("POST", "/_sim/create-unknown"): Endpoint("create-unknown", _open, _create_unknown),
    ("POST", "/_sim/faults"): Endpoint("faults", _open, _faults),
}
