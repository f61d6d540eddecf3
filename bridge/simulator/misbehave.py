"""Sends an answer, or spoils it in one of the ways of `faults.KINDS`."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

from aiohttp import web

from bridge.simulator.wire import Reply

if TYPE_CHECKING:
    from bridge.simulator.faults import Faults

_PAGE: Final = b"<!DOCTYPE html><html><head><title>%s</title></head><body><h1>%s</h1></body></html>"
_CHUNK: Final = b"x" * 65536
_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: closing sends a reset, and what was not sent yet is thrown away."""


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
    if kind.startswith(("hang", "reset", "refuse")):
        return _reset(request)
    if kind in _BROKEN:
        return await _BROKEN[kind](request, reply, faults)
    return respond(_SPOILED[kind](reply, faults))


def respond(reply: Reply) -> web.Response:
    return web.Response(
        body=reply.body, status=reply.status, headers={"Content-Type": reply.content_type, **reply.headers}
    )


def _error_500(_reply: Reply, _faults: Faults) -> Reply:
    return Reply(b"Internal Server Error", 500, "text/plain")


def _html_502(_reply: Reply, _faults: Faults) -> Reply:
    return Reply(_PAGE % (b"502 Bad Gateway", b"502 Bad Gateway"), 502, "text/html")


def _html_200(_reply: Reply, _faults: Faults) -> Reply:
    return Reply(_PAGE % (b"Please wait", b"We are down for maintenance"), 200, "text/html")


def _truncated(reply: Reply, _faults: Faults) -> Reply:
    return Reply(reply.body[: len(reply.body) // 2], reply.status)


def _empty(_reply: Reply, _faults: Faults) -> Reply:
    return Reply(b"")


def _deep(_reply: Reply, faults: Faults) -> Reply:
    return Reply(
        b'{"status":"Success","records":%s%s}' % (b"[" * faults.deep_levels, b"]" * faults.deep_levels)
    )


def _gzip(reply: Reply, _faults: Faults) -> Reply:
    headers = {**reply.headers, "Content-Encoding": "gzip"}
    return Reply(gzip.compress(reply.body), reply.status, reply.content_type, headers)


def _latin1(reply: Reply, _faults: Faults) -> Reply:
    text = reply.body.decode().replace("{", '{"Note":"Zoë",', 1)
    return Reply(text.encode("iso-8859-1", "replace"), reply.status)


def _wrong_charset(reply: Reply, _faults: Faults) -> Reply:
    return Reply(reply.body, reply.status, "application/json; charset=iso-8859-1")


def _wrong_type(reply: Reply, _faults: Faults) -> Reply:
    return Reply(reply.body, reply.status, "text/html")


_SPOILED: Final[Mapping[str, Callable[[Reply, Faults], Reply]]] = {
    "error_500": _error_500,
    "error_500_after": _error_500,
    "html_502": _html_502,
    "html_200": _html_200,
    "truncated": _truncated,
    "empty": _empty,
    "deep": _deep,
    "gzip": _gzip,
    "latin1": _latin1,
    "wrong_charset": _wrong_charset,
    "wrong_type": _wrong_type,
}


def _reset(request: web.BaseRequest) -> web.Response:
    if request.transport:
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    return _abort(request)


def _abort(request: web.BaseRequest) -> web.Response:
    if request.transport:
        request.transport.abort()
    return web.Response()


async def _close(request: web.BaseRequest, _reply: Reply, _faults: Faults) -> web.StreamResponse:
    return _abort(request)


async def _half_headers(request: web.BaseRequest, _reply: Reply, _faults: Faults) -> web.StreamResponse:
    if request.transport:
        request.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: applica")
        request.transport.close()
    return web.Response()


async def _begun(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    headers = {"Content-Type": reply.content_type, "Content-Length": str(len(reply.body))}
    response = web.StreamResponse(status=reply.status, headers=headers)
    await response.prepare(request)
    return response


async def _cut(request: web.BaseRequest, reply: Reply, _faults: Faults) -> web.StreamResponse:
    response = await _begun(request, reply)
    await response.write(reply.body[: len(reply.body) // 2])
    _abort(request)
    return response


async def _trickle(request: web.BaseRequest, reply: Reply, faults: Faults) -> web.StreamResponse:
    response = await _begun(request, reply)
    with contextlib.suppress(ConnectionError):
        for place in range(len(reply.body)):
            await response.write(reply.body[place : place + 1])
            await asyncio.sleep(faults.hang_seconds / len(reply.body))
        await response.write_eof()
    return response


async def _huge(request: web.BaseRequest, _reply: Reply, faults: Faults) -> web.StreamResponse:
    start, end = b'{"status":"Success","padding":"', b'"}'
    size = faults.huge_bytes
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


_BROKEN: Final[Mapping[str, Callable[[web.BaseRequest, Reply, Faults], Awaitable[web.StreamResponse]]]] = {
    "close": _close,
    "half_headers": _half_headers,
    "cut": _cut,
    "trickle": _trickle,
    "huge": _huge,
}
