"""The transport against real sockets on loopback: what was sent once, what was never sent, what never ends."""

import asyncio
import gzip
import socket
import ssl
import subprocess
import traceback
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any
from urllib.parse import quote

import aiohttp
import httpx
import pytest
from aiohttp import web
from aiohttp.client_reqrep import ConnectionKey
from hypothesis import given
from hypothesis import strategies as st

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


def against(
    peer: Peer,
    use: Callable[[Client, str], Coroutine[Any, Any, Any]],
    tls: ssl.SSLContext | None = None,
    **settings: Any,
) -> Any:
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
        server = await asyncio.start_server(serve, sock=listener, ssl=tls)
        scheme = "https" if tls else "http"
        async with server, open_client(**{"timeout": 5.0, **settings}) as client:
            try:
                return await use(client, f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            finally:
                for task in inside:
                    task.cancel()
                await asyncio.gather(*inside, return_exceptions=True)

    return asyncio.run(main())


def shows_nothing(error: BaseException) -> bool:
    """Whether no form of an error, its traceback in words included, holds what was sent or answered."""
    told = [str(error), repr(error), *map(str, error.args), *traceback.format_exception(error)]
    assert error.__cause__ is error.__context__ is None
    return not any(part in text for text in told for part in (KEY, quote(KEY), "path-", "evil"))


def failing(
    peer: Peer,
    kind: type[CallError],
    method: str = "GET",
    body: bytes | None = None,
    then: asyncio.Event | None = None,
    **settings: Any,
) -> str:
    """The text of the one error of `kind` that a call to `peer` ends with. It must show no path, query or cause, and that
    without the help of a redactor.

    `then`: what the peer must see happen afterwards.
    """

    async def use(client: Client, base: str) -> tuple[str, str]:
        request = Request(method, f"{base}/path-{KEY}", {"key": KEY}, {"X_KEY": KEY}, body)
        with pytest.raises(kind) as caught:
            await call(client, request, redact=str)
        error = caught.value
        assert type(error) is kind
        assert shows_nothing(error)
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


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"Content-Length: 100000\r\n\r\n", b" "),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"Transfer-Encoding: chunked\r\n\r\n1;", b"a"),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"A"),
        (b"\r\n", b" "),
        (b"A: ", b"b"),
        (b"", b""),
    ],
)
def test_an_answer_that_trickles_ends_with_the_time(first: bytes, piece: bytes) -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n" + first)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)

    assert "no whole answer in 0.2 s" in failing(peer, LostAnswer, timeout=0.2)


def test_interim_answers_without_end_end_with_the_time() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        while True:
            writer.write(b"HTTP/1.1 103 Early\r\nLink: evil\r\n\r\n" * 100)
            await writer.drain()

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
                await call(client, Request("POST", url, {"key": KEY}, {"X_KEY": KEY}, b"{}"), redact=str)
        assert shows_nothing(caught.value)
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


def test_what_has_no_route_was_never_sent() -> None:
    assert unreachable("http://255.255.255.255:9/path-").startswith("cannot reach http://255.255.255.255:9: ")


def test_a_host_that_takes_no_connection_was_never_sent() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        place = full.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(place)
        text = unreachable(f"http://127.0.0.1:{place[1]}/path-", timeout=0.4)
        for one in waiting:
            one.close()
    assert text == f"cannot reach http://127.0.0.1:{place[1]}: no connection in time"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "http://",
        "no address",
        "http://[::1/",
        "http://h:99999999/",
        "http://h:evil/",
        "http://a b/path-",
        "http://a\x00b/path-",
        f"http://user:{KEY}@nowhere.invalid/path-",
        f"http://{'a' * 70}.invalid/path-",
        "http://xn--a.invalid/path-",
        "http://\ud800.invalid/path-",
    ],
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


def openssl(directory: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True, timeout=30)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an authority (ca.pem) and NAME.pem, NAME.key signed by it, or by itself."""
    if not which("openssl"):
        pytest.skip("makes its certificates with openssl")
    place = tmp_path_factory.mktemp("certificates")
    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=test")
    openssl(place, *new, "-x509", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem")
    ours = "subjectAltName=IP:127.0.0.1"
    openssl(place, *new, "-x509", "-addext", ours, "-keyout", "self.key", "-out", "self.pem")
    for name, alternative, days in (
        ("good", ours, "2"),
        ("name", "subjectAltName=DNS:evil.example", "2"),
        ("expired", ours, "-1"),
    ):
        (place / "ext").write_text(alternative)
        openssl(place, *new, "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "ext", "-days", days)
        openssl(place, "x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}.pem")
    return place


def shown(certificates: Path, name: str) -> tuple[ssl.SSLContext, list[bytes], Peer]:
    """A server's side that shows this certificate, what arrives there, and who notes it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
    arrived: list[bytes] = []

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.append(await head(reader))
        writer.write(answer())
        await writer.drain()

    return context, arrived, peer


def test_a_certificate_of_a_trusted_authority_is_taken(
    certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    context, arrived, peer = shown(certificates, "good")

    async def use(client: Client, base: str) -> int:
        return (await call(client, Request("GET", base), redact=str)).status

    assert against(peer, use, tls=context) == 200
    assert len(arrived) == 1


@pytest.mark.parametrize(
    ("name", "trusted", "why"),
    [
        ("good", False, "unable to get local issuer certificate"),
        ("self", True, "self-signed certificate"),
        ("name", True, "IP address mismatch, certificate is not valid for '127.0.0.1'"),
        ("expired", True, "certificate has expired"),
    ],
)
def test_no_key_goes_to_who_cannot_prove_its_name(
    certificates: Path, monkeypatch: pytest.MonkeyPatch, name: str, trusted: bool, why: str
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("PYTHONHTTPSVERIFY", "0")
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    context, arrived, peer = shown(certificates, name)
    assert why in failing(peer, Unreachable, tls=context)
    assert arrived == []


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 T", "308 P"])
def test_no_key_goes_from_https_to_http(
    certificates: Path, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    context, _, _ = shown(certificates, "good")

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        place = f"http://127.0.0.1:{other.getsockname()[1]}/path-"
        writer.write(answer(b"", f"Location: {place}", status=status))
        await writer.drain()

    with socket.create_server(("127.0.0.1", 0)) as other:
        other.setblocking(False)
        assert "redirect" in failing(peer, ServerFault, "POST", b"{}", tls=context)
        with pytest.raises(BlockingIOError):
            other.accept()


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


REDIRECTS = ["300 Many", "301 Moved", "302 Found", "303 See", "304 Not", "305 P", "307 T", "308 P", "399 X"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("status", REDIRECTS)
@pytest.mark.parametrize(
    "where", ["/elsewhere", "http://[broken", "//127.0.0.1:PORT/", "http://127.0.0.1:PORT/evil"]
)
def test_redirects_are_never_followed(status: str, where: str, method: str) -> None:
    seen: list[bytes] = []

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await head(reader))
        place = where.replace("PORT", str(other.getsockname()[1]))
        refresh = f"Refresh: 0; url={place}"
        writer.write(answer(b"", f"Location: {place}", refresh, "Connection: close", status=status))
        await writer.drain()

    with socket.create_server(("127.0.0.1", 0)) as other:
        other.setblocking(False)
        assert f"redirect (HTTP {status[:3]})" in failing(peer, ServerFault, method)
        with pytest.raises(BlockingIOError):
            other.accept()
    assert len(seen) == 1


BOMB = gzip.compress(bytes(64 * 1024 * 1024), 9)


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Encoding: gzip"],
        ["Content-Encoding: GZIP , identity"],
        ["Content-Encoding: identity", "Content-Encoding: gzip"],
        ["Content-Encoding: deflate"],
        ["Content-Encoding: br"],
    ],
)
def test_a_compressed_answer_is_not_unpacked(lines: list[str]) -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert b"accept-encoding: identity" in (await head(reader)).lower()
        writer.write(answer(BOMB, *lines))
        await writer.drain()

    with bounded():
        assert "compression" in failing(peer, ServerFault)


@pytest.mark.parametrize("coding", ["gzip, chunked", "deflate, chunked"])
def test_a_bomb_in_the_transfer_coding_stays_packed(coding: str) -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        top = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}\r\n\r\n{len(BOMB):x}\r\n"
        writer.write(top.encode() + BOMB + b"\r\n0\r\n\r\n")
        await writer.drain()

    async def use(client: Client, base: str) -> Reply:
        return await call(client, Request("GET", base), redact=str)

    with bounded():
        assert len(against(peer, use).body) == len(BOMB)


@contextmanager
def bounded(most: int = 6 * 1024 * 1024) -> Iterator[None]:
    """At most so many bytes are taken at once within."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < most


FLOODS = {
    "headers": (b"", b"A: b\r\n" * 1000, 100),
    "one header": (b"X: ", b"evil" * 16384, 16),
    "one header that ends": (b"X: ", b"a" * 1_000_000 + b"\r\nContent-Length: 2\r\n\r\n{}", 1),
    "trailers": (b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n" * 1000, 100),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_headers_is_an_error_and_takes_no_memory(name: str) -> None:
    first, piece, times = FLOODS[name]

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n" + first)
        for _ in range(times):
            writer.write(piece)
            await writer.drain()
        await reader.read()

    with bounded():
        assert "before its whole answer" in failing(peer, LostAnswer)


def test_extensions_of_chunks_without_end_take_no_memory() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=")
        while True:
            writer.write(b"evil" * 16384)
            await writer.drain()

    with bounded():
        assert "no whole answer in 0.3 s" in failing(peer, LostAnswer, timeout=0.3)


def test_an_answer_of_single_bytes_takes_no_more_than_its_size() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for number in range(60_000):
            yield b"%c%c" % (number % 251, number % 241)

    class Single(httpx.AsyncByteStream):
        def __aiter__(self) -> AsyncIterator[bytes]:
            return parts()

    class Slow(httpx.AsyncBaseTransport):
        async def handle_async_request(self, _: httpx.Request) -> httpx.Response:
            return httpx.Response(200, stream=Single())

    async def main() -> int:
        async with Client(Slow(), timeout=60.0, max_reply_bytes=1_000_000) as client:
            return len((await call(client, Request("GET", "http://h/"), redact=str)).body)

    with bounded(1_200_000):
        assert asyncio.run(main()) == 120_000


@pytest.mark.parametrize("piece", [b"[", b'{"a":', b'[{"a":'])
def test_a_deep_answer_is_refused(piece: bytes) -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(answer(piece * 100_000))
        await writer.drain()

    async def use(client: Client, base: str) -> str:
        reply = await call(client, Request("GET", base), redact=str)
        with pytest.raises(ServerFault) as caught:
            json_of(reply, "LeadByte")
        return str(caught.value)

    assert against(peer, use) == "LeadByte answered HTTP 200 with JSON nested too deeply"


@pytest.mark.parametrize("more", [b"evil", answer(b'"evil"'), b"\r\n" + answer(b'"evil"'), b"HTTP/1.1 "])
def test_what_comes_after_an_answer_is_never_the_next_one(more: bytes) -> None:
    count = 0

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        while True:
            await head(reader)
            count += 1
            writer.write(answer(b"%d" % count) + more)
            await writer.drain()

    async def use(client: Client, base: str) -> None:
        for turn in range(1, 6):
            try:
                assert (await call(client, Request("GET", base), redact=str)).text == str(count) == str(turn)
            except LostAnswer:
                assert more == b"evil"
        assert count == 5

    against(peer, use)


PARTS = st.sampled_from([
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 500 evil\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 101 S\r\nUpgrade: x\r\n",
    b"HTTP/1.1 204 No\r\n", b"Content-Length: 2\r\n", b"Content-Length: -1\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: gzip\r\n", b"Content-Type: ;=\xff\r\n", b"Set-Cookie: =;\x01=\r\n", b"Connection: upgrade\r\n",
    b"WWW-Authenticate: Digest\r\n", b"Location: evil\r\n", b"\r\n", b"{}", b"2\r\n{}\r\n", b"0\r\n\r\n", b"\x00",
])  # fmt: skip


def test_any_answer_is_a_reply_or_an_error_of_ours() -> None:
    sent: list[bytes] = []

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"".join(sent))
        await writer.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer(reader, writer)
        writer.close()

    async def opened() -> tuple[asyncio.Server, Client]:
        return await asyncio.start_server(serve, "127.0.0.1", 0), open_client(timeout=5.0)

    async def used() -> Reply | CallError:
        base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        request = Request("POST", f"{base}/path-{KEY}", {"key": KEY}, {"X_KEY": KEY}, b"{}")
        try:
            return await call(client, request, redact=str)
        except CallError as error:
            return error

    @given(st.lists(st.one_of(PARTS, st.binary(max_size=20)), max_size=10))
    def each(parts: list[bytes]) -> None:
        sent[:] = parts
        result = runner.run(used())
        assert isinstance(result, Reply | LostAnswer | ServerFault)
        assert isinstance(result, Reply) or shows_nothing(result)

    with asyncio.Runner() as runner:
        server, client = runner.run(opened())
        each()
        runner.run(client.transport.aclose())
        server.close()
        runner.run(server.wait_closed())


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

    with bounded():
        text = failing(peer, ServerFault, then=gone, max_reply_bytes=1024 * 1024)
    assert "a reply larger than 1 MiB" in text


def test_an_answer_that_is_told_to_be_huge_is_not_awaited() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8388609\r\n\r\n")
        await reader.read()

    assert "a reply larger than 8 MiB" in failing(peer, ServerFault)


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
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

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
