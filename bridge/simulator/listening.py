"""Listeners on loopback that can be shut and opened again at the same port, so that a refused connection is a real one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

_LOOPBACK: Final = "127.0.0.1"
_GRACE_SECONDS: Final = 0.1


class Listener:
    """One host's door. `port` 0 becomes any free one."""

    def __init__(self, connected: web.Server, port: int) -> None:
        self._connected = connected
        self._door: asyncio.Server | None = None
        self._opening: asyncio.Task[None] | None = None
        self.port = port

    @property
    def url(self) -> str:
        return f"http://{_LOOPBACK}:{self.port}"

    @property
    def is_open(self) -> bool:
        return self._door is not None

    async def open(self) -> None:
        """Listen, at the same port as before. Raises OSError where it cannot be had."""
        if self._door is None:
            loop = asyncio.get_running_loop()
            self._door = await loop.create_server(self._connected, _LOOPBACK, self.port, reuse_address=True)
            self.port = self._door.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Listen no more, and cut every connection that there is: from now on connections are refused."""
        if self._door is None:
            return
        door, self._door = self._door, None
        await _accept_no_more(door)
        door.close()
        for connection in self._connected.connections:
            if connection.transport:
                connection.transport.abort()

    def shut_for(self, seconds: float) -> None:
        """Shut, and open again after so many seconds; while that is going on already, nothing more."""
        if self._opening is None or self._opening.done():
            self._opening = asyncio.ensure_future(self._pause(seconds))

    async def _pause(self, seconds: float) -> None:
        await self.shut()
        await asyncio.sleep(seconds)
        await self.open()

    async def stop(self) -> None:
        """Shut for good; calls in progress have a moment to end."""
        if self._opening is not None:
            self._opening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._opening
        if self._door is not None:
            await _accept_no_more(self._door)
            self._door.close()
        await self._connected.shutdown(_GRACE_SECONDS)


async def _accept_no_more(door: asyncio.Server) -> None:
    """A connection that is being accepted while its server is closed would never be closed itself."""
    loop = asyncio.get_running_loop()
    for socket in door.sockets:
        loop.remove_reader(socket)
    for _ in range(3):
        await asyncio.sleep(0)


@asynccontextmanager
async def listening(
    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], port: int
) -> AsyncIterator[Listener]:
    """A listener at this port (0: any free one) until the block ends; calls still in progress then are cut off."""
    listener = Listener(web.Server(handler, access_log=None), port)
    try:
        await listener.open()
        yield listener
    finally:
        await listener.stop()
