"""One simulated API host: finds the endpoint, checks keys and limits, lets faults happen, keeps count."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias
from urllib.parse import urlencode

from aiohttp import web

from bridge.simulator.faults import BEFORE
from bridge.simulator.misbehave import deliver
from bridge.simulator.wire import BadCallError, Call, Reply
from bridge.simulator.world import World

Handler: TypeAlias = Callable[[World, Call], Reply]
Gate: TypeAlias = Callable[[World, Call], Reply | None]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`gate` gives the refusal of a call without a valid key, or None. `name` is the word for counters and faults."""

    name: str
    gate: Gate
    handle: Handler


Routes: TypeAlias = Mapping[tuple[str, str], Endpoint]
"""By method and path; a path that ends in "/" is followed by one more part, the call's `tail`."""


@dataclass(frozen=True, slots=True)
class HostSpec:
    """A host of a vendor. `missing`: its 404. `whole_error`: its own words for a failed call, from type and message.

    `denied`: its answer to a wrong key. `wrong_region`: its answer to an account of another region, from the right host.
    """

    name: str
    routes: Routes
    missing: Reply
    whole_error: Callable[[str, str], Reply]
    denied: Reply
    wrong_region: Callable[[str], Reply]
    control: Routes | None = None


class Host:
    """A handler for aiohttp's low-level server (no router or middleware: they would cost more than the answers).

    `refuse`: makes the host refuse connections for some seconds.
    """

    def __init__(self, spec: HostSpec, world: World) -> None:
        self._spec = spec
        self._world = world
        self.refuse: Callable[[float], None] = _listens_on

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read() if request.can_read_body else b""
        call = Call(request.method, request.path, request.query, request.headers, body)
        world = self._world
        with world.inside(self._spec.name):
            reply, fault = self.answer(call)
            delay = world.answer_delay.get(self._spec.name, 0.0)
            if fault == "refuse":
                self.refuse(world.faults.refuse_seconds)
            return await deliver(request, reply, fault, world.faults, delay)

    def answer(self, call: Call) -> tuple[Reply, str | None]:
        """The answer and the fault, if any, that is to spoil it."""
        spec, world = self._spec, self._world
        endpoint = _find(spec.control, call) if spec.control else None
        if endpoint:
            return _carry_out(endpoint, world, call), None
        endpoint = _find(spec.routes, call)
        if endpoint is None:
            world.count(spec.name, "", "unknown")
            return spec.missing, None
        now = world.clock()
        world.settle(now)
        denied = endpoint.gate(world, call)
        if denied:
            world.count(spec.name, endpoint.name, "denied")
            return denied, None
        refused = world.limiter(spec.name).refuse(now)
        if refused:
            world.count(spec.name, endpoint.name, "throttled")
            return refused, None
        return self._admitted(endpoint, call, now)

    def _admitted(self, endpoint: Endpoint, call: Call, now: float) -> tuple[Reply, str | None]:
        spec, world = self._spec, self._world
        fault = world.faults.pick(world.rng, f"{spec.name}.{endpoint.name}")
        refusal = self._refusal(fault, now)
        if refusal:
            world.count(spec.name, endpoint.name, "throttled" if fault == "throttle" else "denied")
            return refusal, None
        world.limiter(spec.name).take(now)
        world.count(spec.name, endpoint.name, "accepted")
        world.arrivals[spec.name].append(now)
        if fault in ("mx_error", "mx_error_200"):
            reply = spec.whole_error(world.faults.mx_type, world.faults.mx_message)
            return (reply if fault == "mx_error" else replace(reply, status=200)), None
        if fault == "redirect":
            return self._redirect(call), None
        if fault in BEFORE:
            return Reply(), fault
        return _carry_out(endpoint, world, call), fault

    def _refusal(self, fault: str | None, now: float) -> Reply | None:
        """The answer of a fault that turns the call away at the door."""
        match fault:
            case "throttle":
                return self._world.limiter(self._spec.name).any_refusal(now)
            case "denied":
                return self._spec.denied
            case "wrong_region":
                return self._spec.wrong_region(self._world.faults.region)
        return None

    def _redirect(self, call: Call) -> Reply:
        """To the same path at the world's stray port, query and all."""
        query = f"?{urlencode(call.query)}" if call.query else ""
        return Reply(b"", 302, headers={"Location": f"{self._world.elsewhere}{call.path}{query}"})


def _listens_on(_seconds: float) -> None:
    """A host that nobody can switch off."""


def _find(routes: Routes, call: Call) -> Endpoint | None:
    start, _, tail = call.path.rpartition("/")
    if not tail:
        return None
    call.tail = tail
    return routes.get((call.method, call.path)) or routes.get((call.method, f"{start}/"))


def _carry_out(endpoint: Endpoint, world: World, call: Call) -> Reply:
    try:
        return endpoint.handle(world, call)
    except BadCallError as error:
        return error.reply
