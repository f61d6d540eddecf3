"""Listens for both vendors on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from aiohttp import web

from bridge.simulator.control import CONTROL
from bridge.simulator.host import Host
from bridge.simulator.leadbyte import LEADBYTE
from bridge.simulator.leadsquared import LEADSQUARED
from bridge.simulator.leadsquared_async import LEADSQUARED_ASYNC
from bridge.simulator.world import World

_LOOPBACK: Final = "127.0.0.1"
_GRACE_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Servers:
    """Base URLs (scheme, host and port) of what is being served."""

    leadbyte: str
    leadsquared: str
    leadsquared_async: str

    @property
    def control(self) -> str:
        return f"{self.leadbyte}/_sim"


@asynccontextmanager
async def serve(world: World, ports: Sequence[int] = (0, 0, 0)) -> AsyncIterator[Servers]:
    """Serve LeadByte, LeadSquared and LeadSquared's async host at these ports (0: any free one) until the block ends.

    Calls still in progress then (a hang) are cut off. Raises OSError where a port cannot be had.
    """
    specs = (replace(LEADBYTE, control=CONTROL), LEADSQUARED, LEADSQUARED_ASYNC)
    async with AsyncExitStack() as stack:
        urls = [
            await stack.enter_async_context(_listen(Host(spec, world), port))
            for spec, port in zip(specs, ports, strict=True)
        ]
        yield Servers(*urls)


@asynccontextmanager
async def _listen(host: Host, port: int) -> AsyncIterator[str]:
    runner = web.ServerRunner(web.Server(host, access_log=None), shutdown_timeout=_GRACE_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, _LOOPBACK, port).start()
        yield f"http://{_LOOPBACK}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
