"""Lets another process look into the world and drive it, under /_sim/ on the LeadByte listener. Takes no keys: loopback only."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Final

from bridge.model import Json
from bridge.simulator.faults import known_fault
from bridge.simulator.host import Endpoint, Routes
from bridge.simulator.orders import read_edit, read_faults, read_text
from bridge.simulator.wire import Call, Reply, json_reply
from bridge.simulator.world import World

_NO_JSON: Final = json_reply({"error": "the body is not JSON"}, 400)


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


def _ordered(carry_out: Callable[[World, Json], Json], world: World, call: Call) -> Reply:
    """What an order is answered; 400 and the reason where it is refused: then nothing of it is done."""
    try:
        return json_reply(carry_out(world, call.decoded(_NO_JSON)))
    except ValueError as error:
        return json_reply({"error": str(error)}, 400)


def _order(carry_out: Callable[[World, Json], Json], name: str) -> Endpoint:
    """An endpoint that takes JSON, whatever type it is sent as (`curl -d`)."""
    return Endpoint(name, _open, partial(_ordered, carry_out))


def _faults(world: World, body: Json) -> Json:
    rates, orders = read_faults(body)
    for order in orders:
        known_fault(order.kind, order.at)
    if rates is not None:
        world.faults.set_rates(rates)
    for order in orders:
        world.fail_next(order.kind, order.times, order.at)
    return {"rates": world.faults.rates}


def _edit(world: World, body: Json) -> Json:
    lead, values = read_edit(body)
    prospect = _prospect(world, lead)
    world.edit(prospect, values)
    return world.crm.flat(prospect)


def _touch(world: World, body: Json) -> Json:
    prospect = _prospect(world, read_text(body, "lead"))
    world.touch(prospect)
    return world.crm.flat(prospect)


def _prospect(world: World, lead: str) -> str:
    prospect = world.crm.find("ProspectID", lead) or world.crm.find("EmailAddress", lead)
    if prospect is None:
        raise ValueError("there is no lead with this e-mail address or ProspectID")
    return prospect


def _register(world: World, body: Json) -> Json:
    world.hooks.register(read_text(body, "url"))
    return _told(world)


def _webhooks(world: World, _call: Call) -> Reply:
    return json_reply(_told(world))


def _told(world: World) -> dict[str, Json]:
    """The webhooks, and what each call of them was answered."""
    hooks = world.hooks
    log = [asdict(call) for call in hooks.log]
    return {"webhooks": hooks.urls, "disabled": sorted(hooks.disabled), "pending": hooks.pending, "log": log}


CONTROL: Final[Routes] = {
    ("GET", "/_sim/stats"): Endpoint("stats", _open, _stats),
    ("GET", "/_sim/leads"): Endpoint("leads", _open, _leads),
    ("GET", "/_sim/queue-ids"): Endpoint("queue-ids", _open, _queue_ids),
    ("GET", "/_sim/operations"): Endpoint("operations", _open, _operations),
    ("POST", "/_sim/create-unknown"): Endpoint("create-unknown", _open, _create_unknown),
    ("GET", "/_sim/webhooks"): Endpoint("webhooks", _open, _webhooks),
    ("POST", "/_sim/faults"): _order(_faults, "faults"),
    ("POST", "/_sim/edit"): _order(_edit, "edit"),
    ("POST", "/_sim/touch"): _order(_touch, "touch"),
    ("POST", "/_sim/webhooks"): _order(_register, "webhooks"),
}
