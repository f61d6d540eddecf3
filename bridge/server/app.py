"""The HTTP application and what it answers."""

from __future__ import annotations

import asyncio
import hmac
import io
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

import structlog
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bridge.errors import BridgeError
from bridge.intake import BadLine, Kind, read_tracks
from bridge.model import Json, Track

Intake = Callable[[Iterable[Track]], Awaitable[int]]
Health = Callable[[], Awaitable[Mapping[str, Json]]]
Endpoint = Callable[[Request], Awaitable[Response]]

MOST_REFUSED: Final = 1000
PATIENCE: Final = 8
KINDS: Final[Mapping[str, Kind]] = {
    "": "auto",
    "application/json": "json",
    "application/jsonl": "json",
    "application/x-ndjson": "json",
    "application/octet-stream": "auto",
    "text/csv": "csv",
    "text/plain": "auto",
}
log = structlog.get_logger("bridge.server")


def create_app(
    *,
    intake: Intake,
    status: Health,
    token: SecretStr | None,
    max_body: int = 2**20,
    body_seconds: float = 30.0,
) -> Starlette:
    """The HTTP application.

    `intake` stores tracks and returns how many were new. `status` is asked at each health check and need only be
    cheap: what it returns is not shown, a BridgeError from it makes the check answer 503. Without a `token` there is
    no intake. A body has at most `max_body` bytes and arrives within `body_seconds`.
    """

    async def leads(request: Request) -> Response:
        _authorize(request, secret)
        body = await _body(request, max_body, body_seconds)
        kind = _kind(request)
        tracks, bad = await run_in_threadpool(_read, body, kind)
        refused = [{"line": each.line, "reason": each.reason} for each in bad]
        if not tracks:
            return JSONResponse({"error": "no queueId could be taken", "refused": refused}, 400)
        new = await intake(tracks)
        return JSONResponse({"accepted": new, "known": len(tracks) - new, "refused": refused}, 202)

    async def health(_: Request) -> Response:
        await status()
        return JSONResponse({"status": "ok"})

    secret = token.get_secret_value().encode() if token else b""
    routes = [Route("/healthz", _guarded(health), methods=["GET"])]
    if secret:
        routes.append(Route("/v1/leads", _guarded(leads), methods=["POST"]))
    app = Starlette(routes=routes, exception_handlers={HTTPException: _as_json})
    app.router.redirect_slashes = False
    return app


def _guarded(endpoint: Endpoint) -> Endpoint:
    """Answers for an endpoint that fails, telling the caller nothing of the inside and the log no more than a line."""

    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except HTTPException:
            raise
        except ClientDisconnect:
            return Response(status_code=400)
        except BridgeError as error:
            log.warning("request not served", path=request.url.path, reason=str(error))
            return JSONResponse({"error": "not possible at the moment; try again later"}, 503)
        except Exception as error:  # noqa: BLE001 - any other way out of here is a traceback in the log
            log.error("request failed", path=request.url.path, kind=type(error).__name__)  # noqa: TRY400 - likewise
            return JSONResponse({"error": "failed for a reason of the bridge's own"}, 500)

    return guarded


async def _as_json(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - the only kind it is registered for
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


def _authorize(request: Request, secret: bytes) -> None:
    given = next((value for name, value in request.headers.raw if name == b"authorization"), b"")
    scheme, _, credentials = given.partition(b" ")
    right = hmac.compare_digest(credentials.strip(), secret)
    if not right or scheme.lower() != b"bearer":
        raise HTTPException(401, "a bearer token is needed", {"WWW-Authenticate": "Bearer"})


def _kind(request: Request) -> Kind:
    media, _, parameters = request.headers.get("content-type", "").partition(";")
    kind = KINDS.get(media.strip().lower())
    charset = parameters.lower().replace('"', "").replace(" ", "")
    if kind is None or ("charset=" in charset and "charset=utf-8" not in charset):
        known = ", ".join(name for name in KINDS if name)
        raise HTTPException(415, f"the content type must be one of {known}, in UTF-8")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "the body must not be compressed")
    return kind


async def _body(request: Request, most: int, seconds: float) -> bytes:
    """The whole body. One that is not far too large is read to its end: a caller that still sends misses the answer."""
    close = {"Connection": "close"}
    too_large = HTTPException(413, f"the body is larger than {most} bytes; send several", close)
    if int(request.headers.get("content-length", "0")) > PATIENCE * most:
        raise too_large
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > PATIENCE * most:
                    raise too_large
                body += part if size <= most else b""
    except TimeoutError:
        raise HTTPException(408, "the body took too long to arrive", close) from None
    if size > most:
        raise too_large
    return bytes(body)


def _read(body: bytes, kind: Kind) -> tuple[list[Track], list[BadLine]]:
    tracks: list[Track] = []
    bad: list[BadLine] = []
    more = 0
    for found in read_tracks(io.BytesIO(body), "body", kind):
        if isinstance(found, Track):
            tracks.append(found)
        elif len(bad) < MOST_REFUSED:
            bad.append(found)
        else:
            more += 1
    if more:
        bad.append(BadLine("body", bad[-1].line, f"and {more} more after this line"))
    return tracks, bad
