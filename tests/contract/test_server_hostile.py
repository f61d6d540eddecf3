"""The bridge's HTTP side against callers that mean harm or speak no HTTP: raw bytes over real sockets."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import select
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from structlog.testing import capture_logs

from bridge.model import Json, Track
from bridge.policy.rating import Rate
from bridge.server import LocalServer, Patience, create_app
from bridge.settings import Settings

TOKEN = "t0ken$"
HOST = b"Host: x\r\n"
AUTH = f"Authorization: Bearer {TOKEN}\r\n".encode()
POST = b"POST /v1/leads HTTP/1.1\r\n" + HOST
HOOK = b"POST /v1/webhooks/leadsquared/h00k HTTP/1.1\r\n" + HOST
GUESS = b"POST /v1/webhooks/leadsquared/evil HTTP/1.1\r\n" + HOST
HEALTH = b"GET /healthz HTTP/1.1\r\n" + HOST
NO_LIMIT = Rate(10**9, 1e9)
BRIEF = Patience(head_seconds=0.2, exchange_seconds=5.0)


class Desk:
    """Counts what reaches the inside."""

    def __init__(self) -> None:
        self.tracked: list[str] = []

    async def intake(self, tracks: Iterable[Track]) -> int:
        before = len(self.tracked)
        self.tracked += [track.queue_id for track in tracks]
        return len(self.tracked) - before

    async def status(self) -> Mapping[str, int]:
        return {}

    async def changed(self, body: Json | None) -> None:
        self.tracked.append(repr(body))


@contextmanager
def serving(patience: Patience = BRIEF, **limits: Any) -> Iterator[tuple[int, Desk]]:
    """The port of a server in a thread of its own, and what is behind it."""
    loop, desk, ready, end = asyncio.new_event_loop(), Desk(), threading.Event(), asyncio.Event()
    webhook = {"changed": desk.changed, "webhook_token": SecretStr("h00k")}
    settings = {"requests": NO_LIMIT, "wrong_tokens": NO_LIMIT, **webhook, **limits}
    app = create_app(intake=desk.intake, status=desk.status, token=SecretStr(TOKEN), **settings)
    server = LocalServer(app, "127.0.0.1:0", patience)

    async def serve() -> None:
        await server.start()
        ready.set()
        await end.wait()
        await server.stop()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(10)
        port = urlsplit(server.url).port
        assert port
        yield port, desk
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


@contextmanager
def connected(port: int, address: str = "127.0.0.1") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(address, 0)) as one:
        yield one


def rest(one: socket.socket) -> bytes:
    """All that still comes, until the other side ends the connection. It has to, or this times out."""
    got = bytearray()
    with suppress(ConnectionError):
        while part := one.recv(65536):
            got += part
    return bytes(got)


def raw(port: int, sent: bytes, address: str = "127.0.0.1") -> bytes:
    with connected(port, address) as one:
        with suppress(ConnectionError):
            one.sendall(sent)
        return rest(one)


def answer(one: socket.socket) -> bytes:
    """One answer, on a connection that stays open."""
    got = b""
    while b"}" not in got:
        part = one.recv(65536)
        assert part, got
        got += part
    return got


def codes(got: bytes) -> list[int]:
    """The status of every answer; each is short JSON (or nothing), and shows nothing of the inside."""
    found = []
    while got:
        head, _, got = got.partition(b"\r\n\r\n")
        top, *lines = head.decode("ascii").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        found.append(int(top.split()[1]))
        if found[-1] == 100:
            continue
        assert headers["x-content-type-options"] == "nosniff", headers
        assert headers["cache-control"] == "no-store"
        assert headers["content-type"] == "application/json"
        assert "server" not in headers
        assert "uvicorn" not in head.decode().lower()
        size = int(headers["content-length"])
        body, got = got[:size], got[size:]
        assert size < 300
        if body:
            assert isinstance(json.loads(body), dict), body
            assert b"evil" not in body
    return found


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving() as (number, _):
        yield number


@pytest.fixture(autouse=True)
def _nothing_is_logged(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> Iterator[None]:
    """No caller can write to the log: neither forged lines nor many of them nor tracebacks."""
    with capture_logs() as logs:
        yield
    assert [each.getMessage() for each in caplog.get_records("call") if each.levelno > logging.DEBUG] == []
    assert logs == []
    assert capfd.readouterr() == ("", "")


CHUNKED = b"Transfer-Encoding: chunked\r\n"
WRONG: Mapping[str, tuple[bytes, set[tuple[int, ...]]]] = {
    "no HTTP": (b"\x00\x01\xff\xfe\r\n\r\n", {(400,)}),
    "empty lines": (b"\r\n" * 50, {(400,), ()}),
    "a TLS hello": (bytes.fromhex("16030100c8010000c40303") + b"\x00" * 189, {(400,)}),
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", {(400,)}),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {(404, 400)}),
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n", {(400,), ()}),
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", {(400,)}),
    "two hosts": (HEALTH + HOST + b"\r\n", {(400,)}),
    "a broken host": (b"GET /healthz HTTP/1.1\r\nHost: [::1<evil>\r\n\r\n", {(200,)}),
    "NUL in the path, escaped": (b"GET /evil%00 HTTP/1.1\r\n" + HOST + b"\r\n", {(404,)}),
    "NUL in the path": (b"GET /\x00 HTTP/1.1\r\n" + HOST + b"\r\n", {(400,)}),
    "lines in the path": (b"GET /evil%0d%0aX:%20y%1b[2J HTTP/1.1\r\n" + HOST + b"\r\n", {(404,)}),
    "no UTF-8 in the path": (b"GET /%ff%fe%ed%a0%80 HTTP/1.1\r\n" + HOST + b"\r\n", {(404,)}),
    "letters beyond ASCII in the path": ("GET /é HTTP/1.1\r\nHost: x\r\n\r\n".encode(), {(400,)}),
    "up the path": (b"GET /../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n", {(404,)}),
    "a whole address": (b"GET http://evil/healthz HTTP/1.1\r\n" + HOST + b"\r\n", {(404,)}),
    "a long query": (b"GET /healthz?" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", {(200,), (400,), ()}),
    "a huge header": (HEALTH + b"X: " + b"a" * 3_000_000, {(400,), ()}),
    "a flood of headers": (HEALTH + b"A: b\r\n" * 500_000, {(400,), ()}),
    "a control character in a header": (HEALTH + b"A: b\x00c\r\n\r\n", {(400,)}),
    "a space before the colon": (HEALTH + b"A : b\r\n\r\n", {(400,)}),
    "two tokens": (POST + AUTH * 2 + b"Content-Length: 1\r\n\r\na", {(401,)}),
    "a right and a wrong token": (POST + AUTH + b"Authorization: Bearer y\r\nContent-Length: 1\r\n\r\na", {(401,)}),
    "two lengths": (POST + AUTH + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\na", {(400,)}),
    "a negative length": (POST + AUTH + b"Content-Length: -1\r\n\r\na", {(400,)}),
    "a length beyond all": (POST + AUTH + b"Content-Length: " + b"9" * 30 + b"\r\n\r\na", {(400,)}),
    "a length of thousands of digits": (POST + AUTH + b"Content-Length: " + b"9" * 9999 + b"\r\n\r\na", {(400,)}),
    "a length that is none": (POST + AUTH + b"Content-Length: 0x1\r\n\r\na", {(400,)}),
    "length and chunks": (POST + AUTH + b"Content-Length: 1\r\n" + CHUNKED + b"\r\n1\r\na\r\n0\r\n\r\n", {(400,)}),
    "another coding": (POST + AUTH + b"Transfer-Encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", {(400,)}),
    "a broken chunk": (POST + AUTH + CHUNKED + b"\r\nzz\r\na\r\n0\r\n\r\n", {(400,)}),
    "a negative chunk": (POST + AUTH + CHUNKED + b"\r\n-1\r\na\r\n0\r\n\r\n", {(400,)}),
    "a chunk longer than told": (POST + AUTH + CHUNKED + b"\r\n1\r\naaaa\r\n0\r\n\r\n", {(400,)}),
    "a broken chunk without the token": (POST + CHUNKED + b"\r\nzz\r\n", {(400,), (401,)}),
    "an expectation without the token": (POST + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", {(401,)}),
    "another expectation": (HEALTH + b"Expect: evil\r\n\r\n", {(200,)}),
    "HEAD": (b"HEAD /v1/leads HTTP/1.0\r\n\r\n", {(405,)}),
    "OPTIONS": (b"OPTIONS /v1/leads HTTP/1.1\r\n" + HOST + b"\r\n", {(405,)}),
    "OPTIONS for all": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", {(404,)}),
    "TRACE": (b"TRACE /healthz HTTP/1.1\r\n" + HOST + b"X: evil\r\n\r\n", {(405,)}),
    "CONNECT": (b"CONNECT evil:80 HTTP/1.1\r\n" + HOST + b"\r\n", {(404,)}),
    "an unknown method": (b"EVIL /healthz HTTP/1.1\r\n" + HOST + b"\r\n", {(405,)}),
    "a long method": (b"A" * 9000 + b" /healthz HTTP/1.1\r\n" + HOST + b"\r\n", {(405,)}),
    "a websocket": (HEALTH + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", {(200,)}),
    "another protocol asked for": (HEALTH + b"Connection: Upgrade\r\nUpgrade: evil\r\n\r\n", {(200,)}),
    "a pipeline that goes wrong": ((HEALTH + b"\r\n") * 2 + b"\x00\r\n\r\n", {(200, 200, 400)}),
    "a webhook": (HOOK + b"Content-Length: 2\r\n\r\n{}", {(200,)}),
    "a webhook from a page": (HOOK + b"Origin: evil\r\nContent-Length: 2\r\n\r\n{}", {(200,)}),
    "a webhook of two lengths": (HOOK + CHUNKED + b"Content-Length: 1\r\n\r\n1\r\n1\r\n0\r\n\r\n", {(400,)}),
    "a webhook's wrong token": (GUESS + b"Content-Length: 2\r\n\r\n{}", {(404,)}),
    "a webhook's wrong token from a page": (GUESS + b"Origin: evil\r\nContent-Length: 2\r\n\r\n{}", {(403,)}),
    "a webhook's wrong token and no body": (GUESS + b"Content-Length: 9\r\n\r\n", {(404,)}),
    "a webhook's token that is no UTF-8": (
        b"HEAD /v1/webhooks/leadsquared/%ff%fe%ed%a0%80 HTTP/1.1\r\n" + HOST + b"\r\n", {(404,)}
    ),
    "a request hidden in a body": (
        POST + AUTH + b"Content-Length: 31\r\n\r\n" + b"GET /evil HTTP/1.1\r\nHost: y\r\n\r\n",
        {(400,)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_request_gets_a_short_answer_or_none_and_leaves_no_trace(port: int, name: str) -> None:
    sent, allowed = WRONG[name]
    found = codes(raw(port, sent))
    assert tuple(found) in allowed, found
    assert codes(raw(port, HEALTH + b"Connection: close\r\n\r\n")) == [200]


def test_what_breaks_after_its_answer_only_ends_the_connection(port: int) -> None:
    with connected(port) as one:
        one.sendall(HEALTH + CHUNKED + b"\r\n")
        assert codes(answer(one)) == [200]
        one.sendall(b"zz\r\n\r\n")
        assert rest(one) == b""


PIECES = (
    HEALTH,
    POST,
    GUESS,
    AUTH,
    CHUNKED,
    b"\r\n",
    b"1\r\na\r\n",
    b"0\r\n\r\n",
    b"Content-Length: 3\r\n",
    b"abc",
)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from(PIECES),
        ),
        max_size=8,
    )
)  # fmt: skip
def test_no_bytes_bring_the_server_out_of_step(port: int, parts: list[bytes]) -> None:
    with connected(port) as one:
        with suppress(ConnectionError):
            one.sendall(b"".join(parts) + b"\r\n\r\n\x00\r\n\r\n")
            one.shutdown(socket.SHUT_WR)
        assert set(codes(rest(one))) <= {200, 202, 400, 401, 404, 405}


def test_who_only_waits_for_the_word_to_continue_gets_it_after_the_token_was_right(port: int) -> None:
    sent = POST + AUTH + b"Connection: close\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na"
    assert codes(raw(port, sent)) == [100, 202]


def trickle(one: socket.socket, piece: bytes) -> None:
    """Send a little, again and again, until the other side ends the connection; it must do so before long."""
    for _ in range(2000):
        with suppress(ConnectionError):
            one.sendall(piece)
            if not select.select([one], [], [], 0.005)[0] or one.recv(65536):
                continue
        return
    pytest.fail("the connection is still open")


SHORT = Patience(head_seconds=0.1, exchange_seconds=0.1)


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"", b"a"),
        (b"\r\n", b"\r\n"),
        (HEALTH, b"A: b\r\n"),
        (HEALTH + b"\r\n" + HEALTH, b"A: b\r\n"),
        (HEALTH + b"Content-Length: 99999\r\n\r\n", b"a"),
        (HEALTH + CHUNKED + b"\r\n", b"1\r\na\r\n"),
        (POST + AUTH + b"Content-Length: 99999\r\n\r\n", b"a"),
        (POST + AUTH + CHUNKED + b"\r\n", b"1\r\na\r\n"),
        (POST + AUTH + CHUNKED + b"\r\n1;", b"a"),
        (POST + CHUNKED + b"\r\n", b"1\r\na\r\n"),
        (POST + AUTH + CHUNKED + b"\r\n0\r\n", b"A: b\r\n"),
    ],
)
def test_nobody_holds_a_connection_by_a_trickle(first: bytes, piece: bytes) -> None:
    with serving(SHORT) as (port, desk), connected(port) as one:
        one.sendall(first)
        trickle(one, piece)
        assert desk.tracked == []


def test_a_body_has_its_own_time_which_a_slow_head_has_not() -> None:
    with serving(Patience(head_seconds=0.1, exchange_seconds=60), body_seconds=0.4) as (port, _):
        assert codes(raw(port, POST + AUTH + b"Content-Length: 9\r\n\r\na")) == [408]


def test_nobody_holds_a_connection_by_silence() -> None:
    with serving(SHORT) as (port, _):
        assert raw(port, b"") == b""
        assert codes(raw(port, HEALTH + b"\r\n")) == [200]


def test_nobody_holds_a_connection_by_not_reading_the_answers() -> None:
    body = b"x y\n" * 2000
    request = POST + AUTH + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    with serving(Patience(head_seconds=0.3, exchange_seconds=0.3)) as (port, _), connected(port) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with pytest.raises(ConnectionError):
            one.sendall(request * 4000)


def test_a_connection_too_many_is_not_served_and_takes_nobody_s_place() -> None:
    with serving(Patience(head_seconds=60, connections=2)) as (port, _), connected(port) as first:
        first.sendall(HEALTH + b"\r\n")
        assert codes(answer(first)) == [200]
        with connected(port) as second:
            second.sendall(HEALTH + b"\r\n")
            assert codes(answer(second)) == [200]
            assert raw(port, HEALTH + b"\r\n") == b""
            first.sendall(HEALTH + b"\r\n")
            assert codes(answer(first)) == [200]
        for _ in range(1000):
            if codes(raw(port, HEALTH + b"Connection: close\r\n\r\n")) == [200]:
                return
        pytest.fail("the place of the second was not given free")


def retry_after(got: bytes) -> int:
    line = next(line for line in got.split(b"\r\n") if line.lower().startswith(b"retry-after: "))
    return int(line.split()[1])


def test_more_than_the_rate_of_requests_is_429_and_the_health_check_lives_on() -> None:
    with serving(requests=Rate(2, 0.01)) as (port, desk):
        sent = POST + AUTH + b"Connection: close\r\nContent-Length: 1\r\n\r\na"
        assert [codes(raw(port, sent)) for _ in range(2)] == [[202], [202]]
        got = raw(port, sent)
        assert codes(got) == [429]
        assert 90 <= retry_after(got) <= 100
        assert len(desk.tracked) == 2
        close = b"Connection: close\r\n\r\n"
        assert codes(raw(port, HEALTH + close)) == [200]
        strange = [b"GET /%d HTTP/1.1\r\n" % number + HOST + close for number in range(3)]
        assert [codes(raw(port, one)) for one in strange] == [[404], [404], [429]]


def shown(port: int, tokens: str, address: str = "127.0.0.1") -> list[int]:
    """The answers to a right (`r`) or wrong token."""
    found = []
    for one in tokens:
        auth = AUTH if one == "r" else b"Authorization: Bearer wrong\r\n"
        got = raw(port, POST + auth + b"Connection: close\r\nContent-Length: 1\r\n\r\na", address)
        found += codes(got)
        assert found[-1] != 429 or retry_after(got) > 100
    return found


def test_who_guesses_tokens_is_held_back_and_nobody_else() -> None:
    with serving(wrong_tokens=Rate(2, 0.001)) as (port, _):
        assert shown(port, "wwwr") == [401, 401, 429, 429]
        assert shown(port, "rwwwr", "127.0.0.2") == [202, 401, 401, 429, 202]


@pytest.mark.parametrize("origin", [b"http://evil.example", b"http://127.0.0.1:8437", b"null", b""])
@pytest.mark.parametrize("top", [POST + AUTH, POST, HEALTH])
def test_no_web_page_is_answered(origin: bytes, top: bytes) -> None:
    with serving() as (port, desk):
        sent = top + b"Origin: " + origin + b"\r\nConnection: close\r\nContent-Length: 1\r\n\r\na"
        got = raw(port, sent)
        assert codes(got) == [403]
        assert b"access-control" not in got.lower()
        assert desk.tracked == []


@pytest.mark.parametrize("host", [b"bridge.example.com", b"localhost:8437", b"[::1]:1", b""])
def test_who_has_the_token_may_call_the_host_what_it_likes(port: int, host: bytes) -> None:
    top = b"POST /v1/leads HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\nContent-Length: 1\r\n"
    assert codes(raw(port, top + AUTH + b"\r\na")) == [202]
    assert codes(raw(port, top + b"\r\na")) == [401]


def test_the_server_listens_on_this_machine_only_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("BRIDGE_SERVER__LISTEN", raising=False)
    listen = Settings(leadbyte={}, leadsquared={}).server.listen  # type: ignore[arg-type]
    host = urlsplit(f"//{listen}").hostname
    assert host
    assert ipaddress.ip_address(host).is_loopback
