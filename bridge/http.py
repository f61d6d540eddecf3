"""The transport seam: one call in, one whole answer or one error of ours out. Never sleeps, never repeats, follows nothing."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, Self, cast
from urllib.parse import quote, urlencode

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from bridge.errors import CallError, LostAnswer, ServerFault, Unreachable
from bridge.exchange import Reply, Request, decode
from bridge.model import Json

__all__ = [
    "MAX_REPLY_BYTES",
    "Client",
    "Reply",
    "Request",
    "call",
    "json_of",
    "open_client",
    "origin",
    "text_of_reply",
]

MAX_REPLY_BYTES: Final = 8 * 1024 * 1024

_UNSENDABLE: Final = re.compile(r"[\x00-\x1f\x7f]|[^\x00-\xff]")


class UnsendableError(ValueError):
    """A header value that HTTP cannot carry."""


_HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "leadbyte-leadsquared-bridge",
}
_NEVER_SENT: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.NonHttpUrlClientError,
    aiohttp.InvalidURL,
    httpx.InvalidURL,
    UnsendableError,
)
_FAILURES: Final = (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError, ValueError)


class Client:
    """An httpx transport, with how long a whole call may take and how large an answer may be.

    The transport is used without httpx's own client around it: that would follow, store cookies, log whole URLs and
    cost as much again, and none of it is wanted here.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, *, timeout: float, max_reply_bytes: int) -> None:
        self.transport = transport
        self.total_seconds = timeout
        self.max_reply_bytes = max_reply_bytes
        # Connecting has its own, shorter time, so that a call which ran out of the whole time had been sent.
        connecting = min(10.0, timeout / 2)
        self._extensions = {"timeout": httpx.Timeout(None, connect=connecting, pool=connecting).as_dict()}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.transport.aclose()

    async def send(self, request: Request) -> httpx.Response:
        """Send it once; the answer's body is still to be read, and its stream to be closed."""
        return await self.transport.handle_async_request(_Outgoing(request, self._extensions))


_NO_HEADERS: Final = httpx.Headers()


class _Outgoing(httpx.Request):
    """A request with only what a transport needs of it.

    httpx's own constructor goes on to take the URL apart and to work out Host, Content-Length and the like, and aiohttp,
    which wants the URL's text, does all of it once more: that alone costs a third of the whole call.
    """

    def __init__(self, request: Request, extensions: dict[str, Any]) -> None:
        self.method = request.method
        self.url = cast("httpx.URL", request.url + _query(tuple(request.params.items())))
        if any(_UNSENDABLE.search(value) for value in request.headers.values()):
            raise UnsendableError
        self.headers = httpx.Headers(request.headers) if request.headers else _NO_HEADERS
        self.extensions = extensions
        self._body = request.body or b""

    @property
    def content(self) -> bytes:
        return self._body


@lru_cache(256)
def _query(params: tuple[tuple[str, str], ...]) -> str:
    return f"?{urlencode(params, quote_via=quote)}" if params else ""


def open_client(
    *, timeout: float = 30.0, connections: int = 32, max_reply_bytes: int = MAX_REPLY_BYTES
) -> Client:
    """A pooled client; to be used with `async with`. Connects to nothing until the first call.

    `timeout`: seconds for a whole call. `connections`: at most this many at once, kept open between calls.
    TLS is always verified (a private authority: SSL_CERT_FILE); proxies of the environment are not used.
    """

    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, ssl=transport.ssl_context),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            middlewares=(_never_again,),
        )

    transport = AiohttpTransport(client=session)
    return Client(transport, timeout=timeout, max_reply_bytes=max_reply_bytes)


async def _never_again(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    # aiohttp sends GET and PUT once more where a kept connection turns out dead. It knows that by the error's type, so
    # the error gets another one.
    try:
        response = await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError from error
    # The transport encodes these words of the status line, and would fail on some bytes after the call was made.
    response.reason = None
    return response


async def call(client: Client, request: Request, *, redact: Callable[[str], str]) -> Reply:
    """Make one call once and read its whole answer, whatever its status.

    Raises Unreachable where the request never left; LostAnswer where it left and no whole answer came in time;
    ServerFault for a redirect, a compressed answer or one larger than the client allows. Texts hold scheme, host and
    port at most. They and the answer itself, which may quote the keys it was given, went through `redact`.
    """
    try:
        async with asyncio.timeout(client.total_seconds):
            return _without_secrets(await _answer(client, request), redact)
    except TimeoutError:
        failure: CallError = LostAnswer(
            f"{_origin(request)} gave no whole answer in {client.total_seconds:g} s"
        )
    except _FAILURES as error:
        failure = _failure(request, error)
    except CallError as error:
        failure = error
    # Raised here, outside the handlers: the original error, whose text may show the URL, is then no part of it.
    failure.args = (redact(str(failure)),)
    raise failure


def _without_secrets(reply: Reply, redact: Callable[[str], str]) -> Reply:
    text = reply.body.decode("utf-8", "surrogateescape")
    clean = redact(text)
    return reply if clean == text else replace(reply, body=clean.encode("utf-8", "surrogateescape"))


async def _answer(client: Client, request: Request) -> Reply:
    response = await client.send(request)
    stream = response.stream
    assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101 - what an asynchronous transport gives
    try:
        return await _read(response, stream, client.max_reply_bytes, request)
    finally:
        await stream.aclose()


async def _read(
    response: httpx.Response, stream: httpx.AsyncByteStream, most: int, request: Request
) -> Reply:
    status, headers = response.status_code, response.headers
    if 300 <= status < 400:
        raise ServerFault(
            f"{_origin(request)} answered with a redirect (HTTP {status}): set the URL it really has"
        )
    coding, length = _told(headers, b"content-encoding"), _told(headers, b"content-length")
    if coding.strip().lower() not in {b"", b"identity"}:
        raise ServerFault(f"{_origin(request)} answered HTTP {status} in a compression nobody asked for")
    body = await _body(length, stream, most)
    if body is None:
        raise ServerFault(f"{_origin(request)} answered HTTP {status} with a reply larger than {_size(most)}")
    return Reply(status, headers, body)


def _told(headers: httpx.Headers, name: bytes) -> bytes:
    """The header of this name, all that there are of it; b"" where there is none. httpx decodes all to find one."""
    return b", ".join([value for one, value in headers.raw if one.lower() == name])


async def _body(length: bytes, stream: httpx.AsyncByteStream, most: int) -> bytes | None:
    """The body as it came, or None as soon as it is larger than `most`, or as its header says so."""
    if length.isdigit() and int(length) > most:
        return None
    body = bytearray()  # not a list: an answer of single bytes would take fifty times its size
    async for chunk in stream:
        if len(body) + len(chunk) > most:
            return None
        body += chunk
    return bytes(body)


def _failure(request: Request, error: BaseException) -> CallError:
    cause = error.__cause__ if isinstance(error, httpx.HTTPError) else error
    # A plain UnicodeError comes from a name that cannot be looked up; what an answer's bytes raise is a kind of it.
    if isinstance(cause, _NEVER_SENT) or type(cause) is UnicodeError:
        return Unreachable(f"cannot reach {_origin(request)}: {_why(cause)}")
    return LostAnswer(f"{_origin(request)} broke off before its whole answer came")


def _why(error: BaseException) -> str:
    """Why no connection came about, in words of ours: the libraries' own may quote the URL."""
    if isinstance(error, UnsendableError):
        return "the key or the address holds characters that HTTP cannot carry"
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "no connection in time"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name does not resolve"
    if isinstance(
        error, httpx.InvalidURL | aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError | UnicodeError
    ):
        return "that is no http or https address"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted ({_verdict(error.certificate_error)})"
    if isinstance(error, aiohttp.ClientSSLError):
        return "it does not speak TLS as expected"
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number).lower() if number else "no connection"


def _verdict(error: BaseException) -> str:
    return error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else "unverified"


def _origin(request: Request) -> str:
    return origin(request.url)


def origin(address: str) -> str:
    """Scheme, host and port: what texts may hold of an address."""
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        return "an address that is none"
    return f"{url.scheme}://{url.netloc.decode()}"


def _size(count: int) -> str:
    return f"{count / 1048576:g} MiB" if count >= 1048576 else f"{count} bytes"


def text_of_reply(reply: Reply, who: str) -> str:
    """The reply's text. Raises ServerFault where it is not UTF-8: a value must not reach a CRM with letters replaced."""
    try:
        # Not by utf-8-sig, which takes three times as long.
        return reply.body.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise ServerFault(f"{who} answered HTTP {reply.status} with text that is not UTF-8") from None


def json_of(reply: Reply, who: str) -> Json:
    """The JSON that a reply holds. Raises ServerFault as `exchange.decode`, and for text that is not UTF-8."""
    return decode(text_of_reply(reply, who), who, reply.status)
