"""Failures listed, leads re-opened, doubts settled: for whoever has the token, as the commands do it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from bridge.errors import UsageError
from bridge.model import Json
from bridge.ports import Selection
from bridge.reports import Listing, listing_html, listing_values, one_line
from bridge.server.answering import Endpoint, guarded
from bridge.server.guard import Doorkeeper
from bridge.server.reading import Bounds, body_of, json_of, kind_of, repeated_in
from bridge.server.wishes import (
    SHORT,
    Dismiss,
    Found,
    Resolve,
    Resync,
    dismiss_of,
    listing_of,
    resolve_of,
    resync_of,
)

T = TypeVar("T")
log = structlog.get_logger("bridge.server")

FAILURES: Final = "/v1/failures"
RESYNC: Final = "/v1/resync"
DISMISS: Final = "/v1/dismiss"
RESOLVE: Final = "/v1/resolve"
JSON: Final = "application/json"
UNDER_WAY: Final = {
    "error": "still under way, and may still be done; see what became of it before you repeat it"
}
OWN: Final = (RESYNC, DISMISS, RESOLVE)
"""Where the bridge's own page posts to."""


@dataclass(frozen=True, slots=True)
class Acts:
    """What can be done. Each may take long and opens a store of its own; each raises UsageError where the wish cannot be met.

    `failures`: the selected ones, with so many rows at least. `resync`, `dismiss`: how many leads were re-opened or given up,
    or would be `until` the moment it names. `resolve`: how many deliveries were in doubt.
    """

    failures: Callable[[Selection, int], Awaitable[Listing]]
    resync: Callable[[Resync], Awaitable[Found]]
    dismiss: Callable[[Dismiss], Awaitable[Found]]
    resolve: Callable[[Resolve], Awaitable[int]]


def acting_routes(acts: Acts, doorkeeper: Doorkeeper, bounds: Bounds) -> list[Route]:
    """`GET /v1/failures` (JSON, or HTML where that is accepted), `POST /v1/resync`, `POST /v1/dismiss`, `POST /v1/resolve`."""
    return [
        Route(FAILURES, _trusted(_failures(acts, bounds), doorkeeper)),
        Route(RESYNC, _trusted(_resync(acts, bounds), doorkeeper), methods=["POST"]),
        Route(DISMISS, _trusted(_dismiss(acts, bounds), doorkeeper), methods=["POST"]),
        Route(RESOLVE, _trusted(_resolve(acts, bounds), doorkeeper), methods=["POST"]),
    ]


def _failures(acts: Acts, bounds: Bounds) -> Endpoint:
    one_at_a_time = _OneAtATime(acts.failures)

    async def failures(request: Request) -> Response:
        selection, rows = listing_of(request.query_params.multi_items())
        async with asyncio.timeout(bounds.answer_seconds):
            found = await one_at_a_time(selection, rows)
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(await run_in_threadpool(lambda: "".join(listing_html(found))))
        return JSONResponse(await run_in_threadpool(listing_values, found))

    return failures


def _resync(acts: Acts, bounds: Bounds) -> Endpoint:
    async def done(wish: Resync, request: Request) -> Json:
        leads = (await acts.resync(wish)).leads
        told = {**_told(wish.selection), "refetch": wish.refetch, "force": wish.force}
        log.info("leads re-opened by a caller", leads=leads, **_caller(request), **told)
        return {"reopened": leads}

    async def resync(request: Request) -> Response:
        wish = resync_of(await _json(request, bounds))
        if wish.dry_run:
            found = await _counted(acts.resync(wish), bounds)
            return JSONResponse({"leads": found.leads, "at": found.at})
        return await _carried_out(done(wish, request), request, bounds)

    return resync


def _dismiss(acts: Acts, bounds: Bounds) -> Endpoint:
    async def done(wish: Dismiss, request: Request) -> Json:
        found = await acts.dismiss(wish)
        log.info(
            "leads dismissed by a caller", leads=found.leads, **_caller(request), **_told(wish.selection)
        )
        return {"dismissed": found.leads, "others": list(found.others)}

    async def dismiss(request: Request) -> Response:
        wish = dismiss_of(await _json(request, bounds))
        if wish.dry_run:
            found = await _counted(acts.dismiss(wish), bounds)
            return JSONResponse({"leads": found.leads, "at": found.at, "others": list(found.others)})
        return await _carried_out(done(wish, request), request, bounds)

    return dismiss


def _resolve(acts: Acts, bounds: Bounds) -> Endpoint:
    async def done(word: Resolve, request: Request) -> Json:
        settled = await acts.resolve(word)
        if not settled:
            raise UsageError(f"delivery: no delivery {word.delivery} is in doubt; see `bridge show`")
        log.info("doubt settled by a caller", delivery=word.delivery, done=word.done, **_caller(request))
        return {"settled": settled}

    async def resolve(request: Request) -> Response:
        word = resolve_of(await _json(request, bounds))
        return await _carried_out(done(word, request), request, bounds)

    return resolve


async def _counted(work: Awaitable[Found], bounds: Bounds) -> Found:
    """What a dry run finds, in its time."""
    async with asyncio.timeout(bounds.answer_seconds):
        return await _to_its_end(work)


async def _carried_out(work: Awaitable[Json], request: Request, bounds: Bounds) -> JSONResponse:
    """The answer to what changes something. Who is told of a failure may ask again, so what goes on is not called one."""
    try:
        async with asyncio.timeout(bounds.answer_seconds):
            return JSONResponse(await _to_its_end(work), 202)
    except (TimeoutError, asyncio.CancelledError):
        # The time is up, or the server stops.
        log.warning("request still under way", path=request.scope["path"])
        return JSONResponse(UNDER_WAY, 504)


def _trusted(endpoint: Endpoint, doorkeeper: Doorkeeper) -> Endpoint:
    """For callers with the token; what is wrong with their wish is 400, all of it."""

    async def told(request: Request) -> Response:
        doorkeeper.admit(request)
        try:
            return await endpoint(request)
        except UsageError as error:
            return JSONResponse({"error": "nothing was done", "problems": list(error.problems)}, 400)

    return guarded(told)


class _OneAtATime:
    """Makes one listing at a time, however many ask: one whose caller has gone holds up the next until it has ended."""

    def __init__(self, make: Callable[[Selection, int], Awaitable[Listing]]) -> None:
        self._make, self._lock = make, asyncio.Lock()

    async def __call__(self, selection: Selection, rows: int) -> Listing:
        await self._lock.acquire()
        return await _to_its_end(self._made(selection, rows))

    async def _made(self, selection: Selection, rows: int) -> Listing:
        try:
            return await self._make(selection, rows)
        finally:
            self._lock.release()


GOING_ON: Final[set[asyncio.Future[Any]]] = set()
"""Held, for an event loop does not hold its tasks."""


async def _to_its_end(work: Awaitable[T]) -> T:
    """What the work gives. It goes on where its caller has gone or has waited too long: a thread cannot be stopped."""
    task = asyncio.ensure_future(work)
    GOING_ON.add(task)
    task.add_done_callback(_over)
    return await asyncio.shield(task)


def _over(task: asyncio.Future[Any]) -> None:
    GOING_ON.discard(task)
    if not task.cancelled():
        task.exception()  # else one that nobody waits for any more would be told as never looked at


async def _json(request: Request, bounds: Bounds) -> Json:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind_of(request) != "json" or media != JSON:
        raise HTTPException(415, f"the content type must be {JSON}, in UTF-8")
    body = await body_of(request, bounds)
    value = await run_in_threadpool(json_of, body)
    if not isinstance(value, dict):
        raise UsageError("the body is no JSON object")
    if twice := await run_in_threadpool(repeated_in, body):
        raise UsageError(
            *(f"{one_line(name)[:SHORT]}: is told more than once; tell it once" for name in twice)
        )
    return value


def _caller(request: Request) -> Mapping[str, Json]:
    return {"address": request.client.host if request.client else ""}


def _told(chosen: Selection) -> Mapping[str, Json]:
    """What was asked for, without what names a lead."""
    return {
        "states": list(chosen.states),
        "mapping": chosen.mapping,
        "named": len(chosen.queue_ids),
        "by_reason": chosen.reason is not None,
    }
