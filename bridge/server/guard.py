"""Who is let in at all: not too many at once, no web page, nothing that two readers may read in two ways, no wrong token."""

from __future__ import annotations

import asyncio
import hmac
import math
from collections.abc import Collection
from contextlib import suppress
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from bridge.policy.rating import Bucket, Guesses, Rate

FRAMING: Final = frozenset((b"transfer-encoding", b"content-length"))


class Guard:
    """ASGI middleware. Answers what is let in no further itself.

    Each of `paths` has a bucket of its own, and all other paths one together, so that a flood at one of them does not
    make a health check fail. An `Origin` header comes from a web page only: no page has any business here.
    """

    def __init__(self, app: ASGIApp, *, paths: Collection[str], rate: Rate) -> None:
        self._app = app
        self._others = Bucket(rate)
        self._buckets = {path: Bucket(rate) for path in paths}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. A server that stops cancels it where its answer is not being read: no reason for a traceback."""
        with suppress(asyncio.CancelledError):
            await (self._refusal(scope) or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        if scope["type"] != "http":
            return None
        wait = self._buckets.get(scope["path"], self._others).take(asyncio.get_running_loop().time())
        if wait:
            return JSONResponse({"error": "too many requests; try again later"}, 429, _after(wait))
        names = {name for name, _ in scope["headers"]}
        if names >= FRAMING:
            return JSONResponse({"error": "the body's length is told twice"}, 400, {"Connection": "close"})
        if b"origin" in names:
            return JSONResponse({"error": "not for web pages"}, 403)
        return None


class Doorkeeper:
    """Knows the one token. Compared in constant time; wrong ones from one address come at `rate` at most."""

    def __init__(self, token: bytes, rate: Rate) -> None:
        self._token, self._guesses = token, Guesses(rate)

    def admit(self, request: Request) -> None:
        """Raises HTTPException 401 without the token, 429 where the caller has guessed too often."""
        given = [value for name, value in request.headers.raw if name == b"authorization"]
        scheme, _, credentials = (given[0] if len(given) == 1 else b"").partition(b" ")
        right = hmac.compare_digest(credentials.strip(), self._token) and scheme.lower() == b"bearer"
        address = request.client.host if request.client else ""
        wait = self._guesses.judge(address, asyncio.get_running_loop().time(), right=right)
        if wait:
            raise HTTPException(429, "too many wrong tokens; try again later", _after(wait))
        if not right:
            raise HTTPException(401, "a bearer token is needed", {"WWW-Authenticate": "Bearer"})


def _after(wait: float) -> dict[str, str]:
    return {"Retry-After": str(math.ceil(wait))}
