"""The transport against real sockets on loopback: what was sent once, what was never sent, what never ends."""

import asyncio
import socket
import ssl
import tracemalloc
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import aiohttp
import httpx
import pytest
from aiohttp import web
from aiohttp.client_reqrep import ConnectionKey

from bridge.errors import CallError, LostAnswer, ServerFault, Unreachable
from bridge.http import Client, Reply, Request, call, json_of, open_client, text_of_reply

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
KEY = "s3cret$key"


def redact(text: str) -> str:
    return text.replace(KEY, "***")


async def head(reader: asyncio.StreamReader) -> bytes:
    """One request's head and body, as it came over the wire."""
    text = await reader.readuntil(b"\r\n\r\n")
    for line in text.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            text += await reader.readexactly(int(line.split(b":")[1]))
    return text


def answer(body: bytes = b"{}", *lines: str, status: str = "200 OK") -> bytes:
    top = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join(top).encode() + b"\r\n\r\n" + body


def against(peer: Peer, use: Callable[[Client, str], Coroutine[Any, Any, Any]], **settings: Any) -> Any:
    """What `use(client, base)` gives while `peer` serves every connection."""

    async def main() -> Any:
        inside: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inside.add(asyncio.current_task())  # type: ignore[arg-type]
            try:
                await peer(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                writer.close()

        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        server = await asyncio.start_server(serve, sock=listener)
        async with server, open_client(**{"timeout": 5.0, **settings}) as client:
            try:
                return await use(client, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            finally:
                for task in inside:
                    task.cancel()
                await asyncio.gather(*inside, return_exceptions=True)

    return asyncio.run(main())


def failing(
    peer: Peer,
    kind: type[CallError],
    method: str = "GET",
    body: bytes | None = None,
    then: asyncio.Event | None = None,
    **settings: Any,
) -> str:
    """The text of the one error of `kind` that a call to `peer` ends with. It must show no path, query or cause.

    `then`: what the peer must see happen afterwards.
    """

    async def use(client: Client, base: str) -> tuple[str, str]:
        request = Request(method, f"{base}/path-{KEY}", {"key": KEY}, body=body)
        with pytest.raises(kind) as caught:
            await call(client, request, redact=redact)
        error = caught.value
        assert type(error) is kind
        assert error.__cause__ is None
        assert error.__context__ is None
        if then:
            async with asyncio.timeout(5):
                await then.wait()
        return base, str(error)

    base, text = against(peer, use, **settings)
    assert KEY not in text
    assert "path-" not in text
    assert base in text
    assert "\n" not in text
    return text


def test_a_call_sends_what_the_request_says_and_reads_the_answer() -> None:
    seen: list[bytes] = []

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await head(reader))
        writer.write(
            answer(
                b'{"a":"\xc3\xa9"}',
                "Content-Type: application/json; charset=utf-8",
                "X-Two: b",
                status="418 No",
            )
        )
        await writer.drain()

    async def use(client: Client, base: str) -> Reply:
        request = Request("POST", f"{base}/a%2Fb", {"k": "$ &é"}, {"X_KEY": "v$"}, b'{"x":1}')
        return await call(client, request, redact=redact)

    reply = against(peer, use)
    assert (reply.status, reply.text, reply.content_type) == (418, '{"a":"é"}', "application/json")
    assert reply.headers["x-two"] == "b"
    assert json_of(reply, "X") == {"a": "é"}
    lines = seen[0].decode().split("\r\n")
    assert lines[0].startswith("POST /a%2Fb?k=")
    assert httpx.URL(lines[0].split()[1]).params["k"] == "$ &é"
    assert "x_key: v$" in [line.lower() for line in lines]
    assert "accept-encoding: identity" in [line.lower() for line in lines]
    assert lines[-1] == '{"x":1}'
    assert not any(line.lower().startswith("cookie") for line in lines)


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
def test_a_call_on_a_kept_connection_that_dies_is_sent_once(method: str) -> None:
    heads: list[bytes] = []

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await head(reader))
        writer.write(answer())
        heads.append(await head(reader))  # kept open for the second call, which is then dropped unanswered

    async def use(client: Client, base: str) -> None:
        await call(client, Request("GET", base), redact=redact)
        with pytest.raises(LostAnswer):
            await call(client, Request(method, base, body=b"{}"), redact=redact)

    against(peer, use)
    assert [text.split()[0].decode() for text in heads] == ["GET", method]


def test_calls_share_connections() -> None:
    connections: list[int] = []

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        while True:
            await head(reader)
            writer.write(answer())

    async def use(client: Client, base: str) -> None:
        for _ in range(3):
            await call(client, Request("GET", base), redact=redact)

    against(peer, use)
    assert len(connections) == 1


def test_a_reset_after_sending_is_a_lost_answer() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.transport.abort()

    assert "before its whole answer" in failing(peer, LostAnswer, "POST", b"{}")


def test_a_close_after_sending_is_a_lost_answer() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)

    failing(peer, LostAnswer, "POST", b"{}")


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a"',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n",
        b"",
    ],
)
def test_half_and_broken_answers_are_lost_answers(sent: bytes) -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(sent)

    failing(peer, LostAnswer)


def test_an_answer_that_trickles_ends_with_the_time() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    assert "no whole answer in 0.2 s" in failing(peer, LostAnswer, timeout=0.2)


def test_silence_ends_with_the_time() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        await asyncio.Event().wait()

    assert "no whole answer in 0.1 s" in failing(peer, LostAnswer, timeout=0.1)


def test_a_server_that_answers_without_reading_cannot_hold_a_call() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        await asyncio.Event().wait()

    failing(peer, LostAnswer, "POST", b"x" * 1_000_000, timeout=0.3)


def unreachable(url: str, **settings: Any) -> str:
    async def main() -> str:
        async with open_client(**{"timeout": 5.0, **settings}) as client:
            with pytest.raises(Unreachable) as caught:
                await call(client, Request("POST", url, {"key": KEY}, body=b"{}"), redact=redact)
        assert caught.value.__context__ is None
        return str(caught.value)

    return asyncio.run(main())


async def closed_port() -> int:
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


def test_a_refused_connection_was_never_sent() -> None:
    port = asyncio.run(closed_port())
    text = unreachable(f"http://127.0.0.1:{port}/path?x={KEY}")
    assert text == f"cannot reach http://127.0.0.1:{port}: connection refused"


def test_a_name_that_does_not_resolve_was_never_sent() -> None:
    text = unreachable("https://nowhere.invalid/x")
    assert text == "cannot reach https://nowhere.invalid: its name does not resolve"


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/x", "http://", "no address", "http://[::1/", "http://h:99999999/"]
)
def test_an_address_that_is_none_was_never_sent(url: str) -> None:
    assert "cannot reach " in unreachable(url)


def test_a_key_that_http_cannot_carry_was_never_sent() -> None:
    arrived: list[bytes] = []

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.append(await reader.read(1))

    async def use(client: Client, base: str) -> None:
        request = Request("GET", base, headers={"X_KEY": f"{KEY}\r\nX-Forged: 1"})
        with pytest.raises(Unreachable, match="characters that HTTP cannot carry"):
            await call(client, request, redact=redact)

    against(peer, use)
    assert arrived in ([], [b""])


def test_no_tls_where_tls_is_expected_was_never_sent() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async def use(client: Client, base: str) -> None:
        with pytest.raises(Unreachable, match="does not speak TLS"):
            await call(client, Request("GET", base.replace("http:", "https:")), redact=redact)

    against(peer, use)


def test_a_full_pool_is_never_sent() -> None:
    arrived: list[bytes] = []

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.append(await head(reader))
        await asyncio.Event().wait()

    async def use(client: Client, base: str) -> list[Any]:
        calls = [call(client, Request("GET", base), redact=redact) for _ in range(2)]
        return await asyncio.gather(*calls, return_exceptions=True)

    assert sorted(type(one).__name__ for one in against(peer, use, connections=1, timeout=0.4)) == [
        "LostAnswer",
        "Unreachable",
    ]
    assert len(arrived) == 1


def test_tls_is_always_verified() -> None:
    async def main() -> None:
        async with open_client() as client:
            context = client.transport.ssl_context  # type: ignore[attr-defined]
            assert context.verify_mode is ssl.CERT_REQUIRED
            assert context.check_hostname
            session = client.transport.get_client()  # type: ignore[attr-defined]
            assert session.connector._ssl is context
            await session.close()

    asyncio.run(main())


def test_an_untrusted_certificate_is_named_in_words() -> None:
    class Untrusting(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            bad = ssl.SSLCertVerificationError(1, f"for {request.url}")
            bad.verify_message = "self-signed certificate"
            place = ConnectionKey("h", 443, True, True, None, None, None)
            raise httpx.ConnectError("x") from aiohttp.ClientConnectorCertificateError(place, bad)

    async def main() -> None:
        async with Client(Untrusting(), timeout=1.0, max_reply_bytes=1) as client:
            with pytest.raises(Unreachable) as caught:
                await call(client, Request("GET", "https://h/", {"key": KEY}), redact=redact)
        assert (
            str(caught.value)
            == "cannot reach https://h: its certificate is not trusted (self-signed certificate)"
        )

    asyncio.run(main())


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 T", "308 P", "304 Not"])
@pytest.mark.parametrize("where", ["/elsewhere", "http://[broken"])
def test_redirects_are_never_followed(status: str, where: str) -> None:
    seen: list[bytes] = []

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await head(reader))
        writer.write(answer(b"", f"Location: {where}", "Connection: close", status=status))
        await writer.drain()

    assert f"redirect (HTTP {status[:3]})" in failing(peer, ServerFault)
    assert len(seen) == 1


def test_a_compressed_answer_is_not_unpacked() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(answer(b"\x1f\x8b\x08\x00", "Content-Encoding: gzip"))
        await writer.drain()

    assert "compression" in failing(peer, ServerFault)


@pytest.mark.parametrize("top", ["Content-Length: 52428800", "Transfer-Encoding: chunked"])
def test_a_huge_answer_is_cut_off_and_takes_no_memory(top: str) -> None:
    gone = asyncio.Event()
    piece = b"1" * 65536

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(f"HTTP/1.1 200 OK\r\n{top}\r\n\r\n".encode())
        try:
            for _ in range(800):
                writer.write(piece if top.startswith("Content") else b"10000\r\n" + piece + b"\r\n")
                await writer.drain()
        except ConnectionError:
            gone.set()

    tracemalloc.start()
    try:
        text = failing(peer, ServerFault, then=gone, max_reply_bytes=1024 * 1024)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "a reply larger than 1 MiB" in text
    assert peak < 6 * 1024 * 1024


def test_an_answer_of_just_the_allowed_size_is_read() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(answer(b"x" * 5000))
        await writer.drain()

    async def use(client: Client, base: str) -> int:
        return len((await call(client, Request("GET", base), redact=redact)).body)

    assert against(peer, use, max_reply_bytes=5000) == 5000
    assert "larger than 4999 bytes" in failing(peer, ServerFault, max_reply_bytes=4999)


def test_cookies_and_proxies_of_the_surroundings_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)

    async def main() -> list[str]:
        cookies: list[str] = []

        async def handle(request: web.BaseRequest) -> web.Response:
            cookies.append(request.headers.get("Cookie", ""))
            return web.Response(text="{}", headers={"Set-Cookie": "session=1; Path=/"})

        runner = web.ServerRunner(web.Server(handle))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with open_client() as client:
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
            for _ in range(2):
                await call(client, Request("GET", url), redact=redact)
        await runner.cleanup()
        return cookies

    assert asyncio.run(main()) == ["", ""]


def test_a_cancelled_call_leaves_nothing_open() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        started.set()
        await reader.read()
        ended.set()

    started, ended = asyncio.Event(), asyncio.Event()

    async def use(client: Client, base: str) -> None:
        task = asyncio.ensure_future(call(client, Request("GET", base), redact=redact))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            await ended.wait()

    against(peer, use)


def test_text_that_is_no_utf8_is_refused_rather_than_guessed() -> None:
    latin = Reply(200, {}, '{"name":"Zoë"}'.encode("latin-1"))
    for read in (json_of, text_of_reply):
        with pytest.raises(ServerFault, match="LeadByte answered HTTP 200 with text that is not UTF-8"):
            read(latin, "LeadByte")
    assert json_of(Reply(200, {}, b'\xef\xbb\xbf{"a":1}'), "LeadByte") == {"a": 1}


def test_odd_bytes_in_the_status_line_do_not_make_an_answered_call_look_unsent() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            await head(reader)
            writer.write(answer().replace(b"200 OK", b"200 \xe9\xff"))
            await writer.drain()

    async def use(client: Client, base: str) -> list[int]:
        return [(await call(client, Request("GET", base), redact=redact)).status for _ in range(2)]

    assert against(peer, use) == [200, 200]


def test_a_failure_of_our_own_after_sending_is_a_lost_answer() -> None:
    class Confused(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise ValueError(f"after {request.url} was sent")

    async def main() -> None:
        async with Client(Confused(), timeout=1.0, max_reply_bytes=1) as client:
            with pytest.raises(LostAnswer):
                await call(client, Request("POST", "https://h/"), redact=redact)

    asyncio.run(main())
