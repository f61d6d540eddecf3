"""Sends an answer, or spoils it in one of the ways of `faults.KINDS`."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from aiohttp import web

from bridge.simulator.wire import Reply

if TYPE_CHECKING:
    from bridge.simulator.faults import Faults

_PAGE: Final = b"<!DOCTYPE html><html><head><title>%s</title></head><body><h1>%s</h1></body></html>"
_CHUNK: Final = b"x" * 65536


async def deliver(
    request: web.BaseRequest, reply: Reply, kind: str | None, faults: Faults, delay: float
) -> web.StreamResponse:
    """Answer the request after `delay` seconds with `reply`, or with what the fault makes of it."""
    if delay > 0:
        await asyncio.sleep(delay)
    if kind is None:
        return respond(reply)
    if kind.startswith("hang"):
        await asyncio.sleep(faults.hang_seconds)
    if kind.startswith(("hang", "reset")):
        return _abort(request)
    if kind == "cut":
        return await _cut(request, reply)
    if kind == "huge":
        return await _huge(request, faults.huge_bytes)
    return respond(_spoiled(reply, kind))


def respond(reply: Reply) -> web.Response:
    return web.Response(
        body=reply.body, status=reply.status, headers={"Content-Type": reply.content_type, **reply.headers}
    )


def _spoiled(reply: Reply, kind: str) -> Reply:
    if kind == "error_500":
        return Reply(b"Internal Server Error", 500, "text/plain")
    if kind == "html_502":
        return Reply(_PAGE % (b"502 Bad Gateway", b"502 Bad Gateway"), 502, "text/html")
    if kind == "html_200":
        return Reply(_PAGE % (b"Please wait", b"We are down for maintenance"), 200, "text/html")
    if kind == "truncated":
        return Reply(reply.body[: len(reply.body) // 2], reply.status)
    if kind == "wrong_type":
        return Reply(reply.body, reply.status, "text/html")
    return reply


def _abort(request: web.BaseRequest) -> web.Response:
    if request.transport:
        request.transport.abort()
    return web.Response()


async def _cut(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    headers = {"Content-Type": reply.content_type, "Content-Length": str(len(reply.body))}
    response = web.StreamResponse(status=reply.status, headers=headers)
    await response.prepare(request)
    await response.write(reply.body[: len(reply.body) // 2])
    _abort(request)
    return response


async def _huge(request: web.BaseRequest, size: int) -> web.StreamResponse:
    start, end = b'{"status":"Success","padding":"', b'"}'
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(size)})
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        await response.write(start)
        left = size - len(start) - len(end)
        while left > 0:
            await response.write(_CHUNK[:left])
            left -= len(_CHUNK)
        await response.write_eof(end)
    return response
