"""LeadSquared's webhook: always answered in the same way, for LeadSquared may disable one that answers otherwise.

What it brought is handed over after the answer. Nothing depends on it: LeadSquared's changes are looked at anyway.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bridge.errors import BridgeError
from bridge.model import Json
from bridge.policy.rating import Bucket, Rate
from bridge.server.answering import guarded
from bridge.server.guard import known
from bridge.server.reading import Bounds, body_of, json_of

Changed = Callable[[Json | None], Awaitable[None]]

BASE: Final = "/v1/webhooks/leadsquared"
TAKEN: Final = {"Status": "Success", "StatusReason": ""}
MOST_HELD: Final = 100
MOST_BYTES: Final = 16 * 2**20
NOT_USED: Final = "empty, too large, cut off or too many at once; LeadSquared's changes are looked at instead"
STOPPED: Final = "the server stops; the next look at LeadSquared's changes finds them"
log = structlog.get_logger("bridge.server")


class Handover:
    """Bodies that were answered, given to `changed` one after another, in order.

    At most MOST_HELD of them wait, of MOST_BYTES together. Those beyond are dropped, and so are those that hold nothing;
    behind what waits, one `changed(None)` stands for them all. `changed` has `seconds` for each. What fails in it is a
    line in the log.
    """

    def __init__(self, changed: Changed, seconds: float) -> None:
        self._changed, self._seconds = changed, seconds
        self._waiting: deque[bytes | None] = deque()
        self._busy = False

    async def take(self, body: bytes | None) -> None:
        """Hold a body; then, unless somebody is at it, hand over until nothing waits. Cancelled, it drops what waits."""
        self._hold(body)
        if not self._busy:
            self._busy = True
            try:
                await self._hand_over()
            finally:
                self._busy = False

    def _hold(self, body: bytes | None) -> None:
        if body and self._has_room(len(body)):
            self._waiting.append(body)
        elif None not in self._waiting:
            self._waiting.append(None)
            log.warning("webhook bodies not used", reason=NOT_USED)

    def _has_room(self, size: int) -> bool:
        held = sum(len(body) for body in self._waiting if body)
        return len(self._waiting) < MOST_HELD and held + size <= MOST_BYTES

    async def _hand_over(self) -> None:
        try:
            while self._waiting:
                await self._give(self._waiting.popleft())
        except asyncio.CancelledError:
            log.warning("webhook bodies dropped", bodies=1 + len(self._waiting), reason=STOPPED)
            self._waiting.clear()
            raise

    async def _give(self, body: bytes | None) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await self._changed(await _decoded(body))
        except (BridgeError, TimeoutError) as error:
            log.warning("webhook body not taken", reason=str(error) or "it took too long")
        except Exception as error:  # noqa: BLE001 - any other way out of here is a traceback in the log
            log.error("webhook body not taken", kind=type(error).__name__)  # noqa: TRY400 - likewise


async def _decoded(body: bytes | None) -> Json | None:
    value = body and await run_in_threadpool(json_of, body)
    if body and value is None:
        log.warning("webhook bodies not used", reason="no JSON; LeadSquared's changes are looked at instead")
    return value


def webhook_route(changed: Changed, bounds: Bounds, requests: Rate) -> Route:
    """`POST` and `HEAD` where SecretPath lets in who knows the secret behind BASE. Bodies beyond `requests` are not read."""
    handover, bucket = Handover(changed, bounds.answer_seconds), Bucket(requests)

    async def webhook(request: Request) -> Response:
        if request.method == "HEAD":
            return JSONResponse(TAKEN)
        try:
            crowded = bucket.take(asyncio.get_running_loop().time())
            body = None if crowded else await _body_of(request, bounds)
        except asyncio.CancelledError:
            log.info("request cut off", path=request.scope["path"])
            return JSONResponse(TAKEN)
        return JSONResponse(TAKEN, background=BackgroundTask(handover.take, body))

    return Route(known(BASE), guarded(webhook), methods=["HEAD", "POST"])


async def _body_of(request: Request, bounds: Bounds) -> bytes | None:
    """The body; None where it is too large or too slow, or its sender has gone."""
    try:
        return await body_of(request, bounds)
    except (HTTPException, ClientDisconnect):
        return None
