"""The routes for callers of our own kind: leads come in, and how the bridge is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bridge.model import Json, Track
from bridge.server.answering import guarded
from bridge.server.guard import Doorkeeper
from bridge.server.reading import Bounds, body_of, kind_of, tracks_of

Intake = Callable[[Iterable[Track]], Awaitable[int]]
Health = Callable[[], Awaitable[Mapping[str, Json]]]


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether work can be done. `sides`: name → up, down or denied. `working`: every stage is in order."""

    sides: Mapping[str, str] = field(default_factory=dict)
    working: bool = True


def leads_route(intake: Intake, doorkeeper: Doorkeeper, bounds: Bounds) -> Route:
    """`POST /v1/leads`: stores the tracks in the body, for whoever has the token."""

    async def leads(request: Request) -> Response:
        doorkeeper.admit(request)
        body = await body_of(request, bounds)
        tracks, bad = await run_in_threadpool(tracks_of, body, kind_of(request))
        refused = [{"line": each.line, "reason": each.reason} for each in bad]
        if not tracks:
            return JSONResponse({"error": "no queueId could be taken", "refused": refused}, 400)
        async with asyncio.timeout(bounds.answer_seconds):
            new = await intake(tracks)
        return JSONResponse({"accepted": new, "known": len(tracks) - new, "refused": refused}, 202)

    return Route("/v1/leads", guarded(leads), methods=["POST"])


def health_routes(status: Health, ready: Callable[[], Readiness], bounds: Bounds) -> list[Route]:
    """`GET /healthz`: the process works. `GET /readyz`: it gets work done as well."""

    async def health(_: Request) -> Response:
        async with asyncio.timeout(bounds.answer_seconds):
            await status()
        return JSONResponse({"status": "ok"})

    healthy = guarded(health)

    async def readiness(request: Request) -> Response:
        usable = (await healthy(request)).status_code == 200
        found = ready()
        good = usable and found.working and all(state == "up" for state in found.sides.values())
        shown = {"status": "ready" if good else "not ready", "sides": dict(found.sides)}
        return JSONResponse(shown, 200 if good else 503)

    return [Route("/healthz", healthy), Route("/readyz", guarded(readiness))]
