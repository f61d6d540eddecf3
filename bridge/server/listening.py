"""Serving an application over HTTP within the process's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final, cast
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette

from bridge.errors import Busy, SettingsError
from bridge.model import Json
from bridge.server.connection import HEADERS, USUAL, Connection, Patience

LISTEN: Final = "BRIDGE_SERVER__LISTEN"
STOP_SECONDS: Final = 1
MOST_HEAD: Final = 16 * 1024
"""Bytes of a request's head that is not whole yet."""


class _Uvicorn(uvicorn.Server):
    """Says when it has started, and leaves signals to the process."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def cut_off(self) -> None:
        """End the connections that are still there, and wait (not for long) until what served them has ended too."""
        for connection in list(self.server_state.connections):
            cast("Connection", connection).transport.abort()
        if self.server_state.tasks:
            await asyncio.wait(list(self.server_state.tasks), timeout=STOP_SECONDS)


class LocalServer:
    """An application served over HTTP at `listen` (`HOST:PORT`; port 0: any free one) from `start` to `stop`."""

    def __init__(self, app: Starlette, listen: str, patience: Patience = USUAL) -> None:
        self._app, self._listen, self._patience = app, listen, patience
        self.url = ""

    async def start(self) -> None:
        """Returns once requests are answered at `url`. Raises Busy or SettingsError where it cannot listen."""
        bound = _bound(self._listen)
        host, port = bound.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._server = _Uvicorn(_config(self._app, self._patience))
        self._task = asyncio.create_task(self._server.serve(sockets=[bound]))
        ready = asyncio.create_task(self._server.ready.wait())
        await asyncio.wait((self._task, ready), return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._task.done():
            await self._task

    async def stop(self) -> None:
        """Takes no new requests, finishes those under way (for a second at most), cuts off the others."""
        self._server.should_exit = True
        await self._task
        await self._server.cut_off()


async def serve(app: Starlette, listen: str) -> None:
    """Serves until cancelled."""
    server = LocalServer(app, listen)
    await server.start()
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()


def _config(app: Starlette, patience: Patience) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=cast("Any", partial(Connection, patience)),
        h11_max_incomplete_event_size=MOST_HEAD,
        headers=list(HEADERS),
        log_config=None,
        # Below that are only lines that any caller could write at will, one for each broken request.
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=STOP_SECONDS,
    )


def _bound(listen: str) -> socket.socket:
    try:
        parts = urlsplit(f"//{listen}")
        found: Sequence[tuple[Json, ...]] = socket.getaddrinfo(
            parts.hostname, parts.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        bound = socket.create_server(found[0][4], family=found[0][0])
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Busy(
                f"{LISTEN}: {listen} is in use by another process; stop it or choose another port"
            ) from None
        raise SettingsError(
            [f"{LISTEN}: cannot listen at {listen} ({error.strerror}); choose another"]
        ) from None
    except ValueError:
        raise SettingsError([f"{LISTEN}: {listen} is not HOST:PORT; write it like 127.0.0.1:8437"]) from None
    # Connections inherit it. Else the second half of an answer waits 40 ms for word that the first half arrived.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound
