"""Serving an application over HTTP within the process's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette

from bridge.errors import Busy, SettingsError
from bridge.model import Json

LISTEN: Final = "BRIDGE_SERVER__LISTEN"


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


class LocalServer:
    """An application served over HTTP at `listen` (`HOST:PORT`; port 0: any free one) from `start` to `stop`."""

    def __init__(self, app: Starlette, listen: str) -> None:
        self._app, self._listen = app, listen
        self.url = ""

    async def start(self) -> None:
        """Returns once requests are answered at `url`. Raises Busy or SettingsError where it cannot listen."""
        bound = _bound(self._listen)
        host, port = bound.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._server = _Uvicorn(_config(self._app))
        self._task = asyncio.create_task(self._server.serve(sockets=[bound]))
        ready = asyncio.create_task(self._server.ready.wait())
        await asyncio.wait((self._task, ready), return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._task.done():
            await self._task

    async def stop(self) -> None:
        """Takes no new requests, finishes those under way (for 5 seconds at most), then returns."""
        self._server.should_exit = True
        await self._task


async def serve(app: Starlette, listen: str) -> None:
    """Serves until cancelled."""
    server = LocalServer(app, listen)
    await server.start()
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()


def _config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        limit_concurrency=256,
        timeout_graceful_shutdown=5,
    )


def _bound(listen: str) -> socket.socket:
    try:
        parts = urlsplit(f"//{listen}")
        found: Sequence[tuple[Json, ...]] = socket.getaddrinfo(
            parts.hostname, parts.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        return socket.create_server(found[0][4], family=found[0][0])
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
