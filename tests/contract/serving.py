"""An application served over real HTTP, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.applications import Starlette

from bridge.server import LocalServer


@asynccontextmanager
async def client_of(app: Starlette, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, which is served meanwhile. `options`: of the client."""
    server = LocalServer(app, "127.0.0.1:0")
    await server.start()
    try:
        async with httpx.AsyncClient(base_url=server.url, **options) as client:
            yield client
    finally:
        await server.stop()
