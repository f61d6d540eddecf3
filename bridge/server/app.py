"""The HTTP application and what it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bridge.errors import BridgeError
from bridge.model import Json, Track
from bridge.policy.rating import Rate
from bridge.server.guard import Doorkeeper, Guard
from bridge.server.reading import body_of, kind_of, tracks_of

Intake = Callable[[Iterable[Track]], Awaitable[int]]
Health = Callable[[], Awaitable[Mapping[str, Json]]]
Endpoint = Callable[[Request], Awaitable[Response]]

REQUESTS: Final = Rate(200, 100.0)
WRONG_TOKENS: Final = Rate(10, 1.0)
LATER: Final = {"error": "not possible at the moment; try again later"}
log = structlog.get_logger("bridge.server")


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether work can be done. `sides`: name → up, down or denied. `working`: every stage is in order."""

    sides: Mapping[str, str] = field(default_factory=dict)
    working: bool = True


def create_app(
    *,
    intake: Intake,
    status: Health,
    token: SecretStr | None,
    ready: Callable[[], Readiness] = Readiness,
    max_body: int = 2**20,
    body_seconds: float = 30.0,
    answer_seconds: float = 20.0,
    requests: Rate = REQUESTS,
    wrong_tokens: Rate = WRONG_TOKENS,
) -> Starlette:
    """The HTTP application.

    `intake` stores tracks and returns how many were new. `status` is asked at each health check and need only be
    cheap: what it returns is not shown, a BridgeError from it makes the check answer 503. `ready` is asked, and `status`
    too, at each check of readiness. Without a `token` there is no intake. A body has at most `max_body` bytes and arrives
    within `body_seconds`; `intake` and `status` have `answer_seconds`. `requests` come in at each path (429 beyond that),
    `wrong_tokens` from each address.
    """

    async def leads(request: Request) -> Response:
        doorkeeper.admit(request)
        body = await body_of(request, max_body, body_seconds)
        tracks, bad = await run_in_threadpool(tracks_of, body, kind_of(request))
        refused = [{"line": each.line, "reason": each.reason} for each in bad]
        if not tracks:
            return JSONResponse({"error": "no queueId could be taken", "refused": refused}, 400)
        async with asyncio.timeout(answer_seconds):
            new = await intake(tracks)
        return JSONResponse({"accepted": new, "known": len(tracks) - new, "refused": refused}, 202)

    async def health(_: Request) -> Response:
        async with asyncio.timeout(answer_seconds):
            await status()
        return JSONResponse({"status": "ok"})

    async def readiness(request: Request) -> Response:
        usable = (await healthy(request)).status_code == 200
        found = ready()
        good = usable and found.working and all(state == "up" for state in found.sides.values())
        shown = {"status": "ready" if good else "not ready", "sides": dict(found.sides)}
        return JSONResponse(shown, 200 if good else 503)

    healthy = _guarded(health)
    routes = [Route("/healthz", healthy), Route("/readyz", _guarded(readiness))]
    if token and token.get_secret_value():
        doorkeeper = Doorkeeper(token.get_secret_value().encode(), wrong_tokens)
        routes.append(Route("/v1/leads", _guarded(leads), methods=["POST"]))
    guard = Middleware(Guard, paths=[route.path for route in routes], rate=requests)
    app = Starlette(routes=routes, middleware=[guard], exception_handlers={HTTPException: _as_json})
    app.router.redirect_slashes = False
    return app


def _guarded(endpoint: Endpoint) -> Endpoint:
    """Answers for an endpoint that fails, telling the caller nothing of the inside and the log no more than a line."""

    async def guarded(request: Request) -> Response:
        path = request.scope["path"]
        try:
            return await endpoint(request)
        except HTTPException:
            raise
        except ClientDisconnect:
            return Response(status_code=400)
        except asyncio.CancelledError:
            # By a server that stops. It waits for nothing more, and would log a traceback.
            log.info("request cut off", path=path)
            return JSONResponse(LATER, 503)
        except (BridgeError, TimeoutError) as error:
            log.warning("request not served", path=path, reason=str(error) or "it took too long")
            return JSONResponse(LATER, 503)
        except Exception as error:  # noqa: BLE001 - any other way out of here is a traceback in the log
            log.error("request failed", path=path, kind=type(error).__name__)  # noqa: TRY400 - likewise
            return JSONResponse({"error": "failed for a reason of the bridge's own"}, 500)

    return guarded


async def _as_json(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - the only kind it is registered for
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)
