"""Listens for both vendors on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

from aiohttp import web

from bridge.simulator.control import CONTROL
from bridge.simulator.host import Host, HostSpec
from bridge.simulator.leadbyte import LEADBYTE
from bridge.simulator.leadsquared import LEADSQUARED
from bridge.simulator.leadsquared_async import LEADSQUARED_ASYNC
from bridge.simulator.listening import Listener, listening
from bridge.simulator.posting import posting
from bridge.simulator.world import World


@dataclass(frozen=True, slots=True)
class Servers:
    """Base URLs (scheme, host and port) of what is being served. `doors`: each host's listener, to shut and open it."""

    leadbyte: str
    leadsquared: str
    leadsquared_async: str
    doors: Mapping[str, Listener] = field(default_factory=dict)

    @property
    def control(self) -> str:
        return f"{self.leadbyte}/_sim"


@asynccontextmanager
async def serve(world: World, ports: Sequence[int] = (0, 0, 0)) -> AsyncIterator[Servers]:
    """Serve LeadByte, LeadSquared and LeadSquared's async host at these ports (0: any free one) until the block ends.

    Where redirects lead is served as well, and webhooks are called. Calls still in progress at the end (a hang) are cut
    off. Raises OSError where a port cannot be had.
    """
    specs = (replace(LEADBYTE, control=CONTROL), LEADSQUARED, LEADSQUARED_ASYNC)
    async with AsyncExitStack() as stack:
        stray = await stack.enter_async_context(listening(_Stray(world), 0))
        world.elsewhere = stray.url
        doors = {
            spec.name: await stack.enter_async_context(_hosted(spec, world, port))
            for spec, port in zip(specs, ports, strict=True)
        }
        await stack.enter_async_context(posting(world))
        leadbyte, leadsquared, leadsquared_async = (door.url for door in doors.values())
        yield Servers(leadbyte, leadsquared, leadsquared_async, doors)


@asynccontextmanager
async def _hosted(spec: HostSpec, world: World, port: int) -> AsyncIterator[Listener]:
    host = Host(spec, world)
    async with listening(host, port) as door:
        host.refuse = door.shut_for
        yield door


class _Stray:
    """Where a redirect leads: counts who comes, and who brings a key."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        world = self._world
        body = (await request.read()).decode(errors="replace")
        brought = unquote(" ".join((request.path_qs, body, *request.headers.values())))
        keys = (*world.leadbyte_keys, world.access_key, world.secret_key, world.async_api_key)
        keyed = any(key in brought for key in keys)
        world.strays["with a key" if keyed else "without a key"] += 1
        return web.json_response({"status": "Success"})
