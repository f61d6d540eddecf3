"""`GET /`: the status page. `GET /v1/status`: its numbers. Both are open: they name nobody."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from bridge.server.answering import guarded
from bridge.server.board import POLICY, board
from bridge.server.overview import Look, Overview, values
from bridge.server.reading import Bounds

PAGE: Final = "/"
STATUS: Final = "/v1/status"
SAFE = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def status_routes(look: Look, bounds: Bounds) -> list[Route]:
    """The page and its numbers. `look` is asked at each of them."""

    async def seen() -> Overview:
        async with asyncio.timeout(bounds.answer_seconds):
            return await look()

    async def page(_: Request) -> Response:
        return HTMLResponse("".join(board(await seen())), headers=SAFE)

    async def numbers(_: Request) -> Response:
        return JSONResponse(values(await seen()))

    return [Route(PAGE, guarded(page)), Route(STATUS, guarded(numbers))]
