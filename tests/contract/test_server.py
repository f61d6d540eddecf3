"""The bridge's HTTP side over real HTTP on loopback."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

import httpx
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from bridge.errors import Busy, SettingsError, StoreError
from bridge.model import Track
from bridge.server import LocalServer, Patience, Readiness, create_app, serve
from tests.contract.serving import client_of

TOKEN = "t0ken$"
AUTH = {"Authorization": f"Bearer {TOKEN}"}
JSON = {**AUTH, "Content-Type": "application/json"}


class Desk:
    """Takes what the server hands in, as the store would: an id that is known is not new."""

    def __init__(self) -> None:
        self.tracks: dict[str, Track] = {}
        self.fault: Exception | None = None
        self.readiness = Readiness()
        self.hang = False

    async def intake(self, tracks: Iterable[Track]) -> int:
        await self.status()
        before = len(self.tracks)
        self.tracks.update((track.queue_id, track) for track in tracks)
        return len(self.tracks) - before

    async def status(self) -> Mapping[str, int]:
        if self.hang:
            await asyncio.Event().wait()
        if self.fault:
            raise self.fault
        return {"secret": 1}

    def ready(self) -> Readiness:
        return self.readiness


def served(
    use: Callable[[httpx.AsyncClient, Desk], Awaitable[None]], token: str | None = TOKEN, **limits: float
) -> None:
    async def run() -> None:
        desk = Desk()
        secret = None if token is None else SecretStr(token)
        inside = {"intake": desk.intake, "status": desk.status, "ready": desk.ready}
        app = create_app(token=secret, **inside, **limits)  # type: ignore[arg-type]
        async with client_of(app) as client:
            await use(client, desk)

    asyncio.run(run())


BODIES = [
    ("application/json", '{"queueId": "a", "x": 1}', ["a"]),
    ("application/json; charset=utf-8", '["a", {"queueRef": "b"}]', ["a", "b"]),
    ("application/json", json.dumps({"status": "Success", "results": [{"queueId": "a"}]}, indent=2), ["a"]),
    ("application/x-ndjson", '{"queueId": "a"}\n{"queueId": "b"}\n', ["a", "b"]),
    ("text/csv", "queueId;x\na;1\n", ["a"]),
    ("Text/Plain", "a\nb\n", ["a", "b"]),
    (None, '{"queueId": "a"}', ["a"]),
]


def test_leads_are_taken_in_every_form() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        for media, body, queue_ids in BODIES:
            desk.tracks.clear()
            headers = {**AUTH, "Content-Type": media} if media else AUTH
            answer = await client.post("/v1/leads", content=body.encode(), headers=headers)
            assert answer.status_code == 202, (media, answer.text)
            assert answer.json() == {"accepted": len(queue_ids), "known": 0, "refused": []}
            assert list(desk.tracks) == queue_ids
        assert "server" not in answer.headers

    served(use)


def test_known_and_refused_leads_are_told_apart() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        await client.post("/v1/leads", json=["a"], headers=AUTH)
        answer = await client.post("/v1/leads", content=b'"a"\n{"x": 1}\n"b"\n', headers=JSON)
        assert (answer.status_code, answer.json()) == (
            202,
            {"accepted": 1, "known": 1, "refused": [{"line": 2, "reason": "there is no queueId in it"}]},
        )
        assert list(desk.tracks) == ["a", "b"]

    served(use)


def test_nothing_usable_is_400_and_says_why() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        answer = await client.post("/v1/leads", content=b"{", headers=JSON)
        assert answer.status_code == 400
        assert [refused["line"] for refused in answer.json()["refused"]] == [1]
        empty = await client.post("/v1/leads", content=b"", headers=JSON)
        assert (empty.status_code, empty.json()["refused"]) == (400, [])
        many = await client.post("/v1/leads", content=b"x y\n" * 5000, headers=AUTH)
        assert len(many.json()["refused"]) == 1001
        assert many.json()["refused"][-1] == {"line": 1000, "reason": "and 4000 more after this line"}
        assert desk.tracks == {}

    served(use)


WRONG = (
    None,
    "",
    "Bearer",
    "Bearer wrong",
    f"Basic {TOKEN}",
    TOKEN,
    f"Bearer {TOKEN}x",
    f"Bearer {TOKEN[:-1]}",
    "Bearer \xff",
)


def test_without_the_token_nothing_is_taken() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        for wrong in WRONG:
            headers = {} if wrong is None else {b"Authorization": wrong.encode("latin-1")}
            answer = await client.post("/v1/leads", json=["a"], headers=headers)
            assert answer.status_code == 401, wrong
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert answer.json() == {"error": "a bearer token is needed"}
        assert desk.tracks == {}

    served(use)


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_configured_token_there_is_no_intake(token: str | None) -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        for headers in ({}, AUTH, {"Authorization": "Bearer"}):
            assert (await client.post("/v1/leads", json=["a"], headers=headers)).status_code == 404
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert desk.tracks == {}

    served(use, token)


def test_a_body_over_the_limit_is_413_whether_its_length_is_told_or_not() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"a" * 100 + b"\n"

    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        told = await client.post("/v1/leads", content=b"a\n" * 501, headers=AUTH)
        untold = await client.post("/v1/leads", content=parts(), headers=AUTH)
        for answer in (told, untold):
            assert answer.status_code == 413
            assert answer.json() == {"error": "the body is larger than 1000 bytes; send several"}
        assert desk.tracks == {}
        assert (await client.post("/v1/leads", content=b"a\n" * 500, headers=AUTH)).status_code == 202

    served(use, max_body=1000)


def test_a_body_far_over_the_limit_is_not_even_awaited() -> None:
    async def use(client: httpx.AsyncClient, _: Desk) -> None:
        head = b"POST /v1/leads HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t0ken$\r\n"
        for body in (
            b"Content-Length: 8001\r\n\r\na",
            b"Transfer-Encoding: chunked\r\n\r\n1f41\r\n" + b"a" * 8001,
        ):
            assert await first_line(client, head + body) == b"413"

    served(use, max_body=1000)


async def first_line(client: httpx.AsyncClient, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write(sent)
    code = (await reader.readline()).split()[1]
    writer.close()
    await writer.wait_closed()
    return code


def test_a_body_that_does_not_arrive_is_408() -> None:
    async def use(client: httpx.AsyncClient, _: Desk) -> None:
        head = b"POST /v1/leads HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t0ken$\r\n"
        assert await first_line(client, head + b"Content-Length: 9\r\n\r\na") == b"408"

    served(use, body_seconds=0.05)


OTHER_CONTENT = (
    {"Content-Type": "application/x-www-form-urlencoded"},
    {"Content-Type": "multipart/form-data; boundary=x"},
    {"Content-Type": "application/json; charset=utf-16"},
    {"Content-Type": "application/json", "Content-Encoding": "gzip"},
)


def test_other_content_is_415() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        for headers in OTHER_CONTENT:
            answer = await client.post("/v1/leads", content=b'"a"', headers={**AUTH, **headers})
            assert answer.status_code == 415, headers
        assert desk.tracks == {}

    served(use)


def test_health_says_whether_the_process_works_and_nothing_else() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        answer = await client.get("/healthz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert (await client.head("/healthz")).status_code == 200
        desk.fault = StoreError("state/bridge.db: disk is full")
        answer = await client.get("/healthz")
        assert (answer.status_code, answer.json()) == (
            503,
            {"error": "not possible at the moment; try again later"},
        )

    served(use)


SIDES = ("leadbyte", "leadsquared", "leadsquared-async")


def test_the_bridge_is_ready_while_every_side_is_up_and_its_stages_and_store_work() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        for states, working, fault, code in (
            (("up", "up", "up"), True, None, 200),
            (("denied", "up", "up"), True, None, 503),
            (("up", "down", "up"), True, None, 503),
            (("up", "up", "down"), True, None, 503),
            (("up", "up", "up"), False, None, 503),
            (("up", "up", "up"), True, StoreError("inside"), 503),
            (("up", "up", "up"), True, RuntimeError("inside"), 503),
            (("up", "up", "up"), True, None, 200),
        ):
            sides = dict(zip(SIDES, states, strict=True))
            desk.readiness, desk.fault = Readiness(sides, working), fault
            answer = await client.get("/readyz")
            word = "ready" if code == 200 else "not ready"
            assert (answer.status_code, answer.json()) == (code, {"status": word, "sides": sides})
            assert (await client.head("/readyz")).status_code == code
        for method in ("POST", "PUT", "DELETE"):
            assert (await client.request(method, "/readyz")).status_code == 405

    served(use)


def test_a_side_that_is_not_up_leaves_the_process_alive() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        desk.readiness = Readiness({"leadbyte": "down"}, working=False)
        assert (await client.get("/healthz")).status_code == 200

    served(use)


def test_what_takes_too_long_inside_is_503() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        desk.hang = True
        later = {"error": "not possible at the moment; try again later"}
        for answer in (
            await client.post("/v1/leads", json=["a"], headers=AUTH),
            await client.get("/healthz"),
        ):
            assert (answer.status_code, answer.json()) == (503, later)
        assert (await client.get("/readyz")).json() == {"status": "not ready", "sides": {}}
        assert desk.tracks == {}

    served(use, answer_seconds=0.05)


@pytest.mark.parametrize(("fault", "code"), [(StoreError("inside"), 503), (RuntimeError("inside"), 500)])
def test_a_fault_is_answered_without_internals_and_logged_without_a_traceback(
    fault: Exception, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        desk.fault = fault
        with capture_logs() as logs:
            answer = await client.post("/v1/leads", json=["a"], headers=AUTH)
        assert answer.status_code == code
        assert "inside" not in answer.text
        assert [entry["path"] for entry in logs] == ["/v1/leads"]
        assert not any("exc_info" in entry for entry in logs)

    served(use)
    assert "Traceback" not in "".join(capfd.readouterr())


def test_other_paths_and_methods_are_refused_in_json() -> None:
    async def use(client: httpx.AsyncClient, _: Desk) -> None:
        for method, path, code in (("GET", "/", 404), ("GET", "/v1/leads", 405), ("POST", "/v1/leads/", 404)):
            answer = await client.request(method, path, headers=AUTH)
            assert (answer.status_code, list(answer.json())) == (code, ["error"])

    served(use)


def test_a_port_in_use_is_one_line_naming_the_setting() -> None:
    async def start(listen: str) -> None:
        desk = Desk()
        await LocalServer(create_app(intake=desk.intake, status=desk.status, token=None), listen).start()

    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Busy, match=f"^BRIDGE_SERVER__LISTEN: {listen} is in use by another process; .*$"):
            asyncio.run(start(listen))
    for wrong in ("127.0.0.1:99999", "[::1", "192.0.2.1:0"):
        with pytest.raises(SettingsError, match=r"^BRIDGE_SERVER__LISTEN: .*$"):
            asyncio.run(start(wrong))


def test_no_part_of_an_answer_waits_until_the_other_side_has_acknowledged_another() -> None:
    async def run() -> None:
        desk = Desk()
        server = LocalServer(create_app(intake=desk.intake, status=desk.status, token=None), "127.0.0.1:0")
        await server.start()
        async with httpx.AsyncClient(base_url=server.url) as client:
            await client.get("/healthz")
            (served,) = server._server.server_state.connections
            connection = served.transport.get_extra_info("socket")
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        await server.stop()

    asyncio.run(run())


def test_signals_stay_with_the_process() -> None:
    before = signal.getsignal(signal.SIGTERM)

    async def use(_: httpx.AsyncClient, __: Desk) -> None:
        assert signal.getsignal(signal.SIGTERM) is before

    served(use)


def test_stopping_finishes_the_request_under_way() -> None:
    async def run() -> None:
        entered, leave = asyncio.Event(), asyncio.Event()

        async def intake(_: Iterable[Track]) -> int:
            entered.set()
            await leave.wait()
            return 1

        desk = Desk()
        server = LocalServer(
            create_app(intake=intake, status=desk.status, token=SecretStr(TOKEN)), "127.0.0.1:0"
        )
        await server.start()
        async with httpx.AsyncClient(base_url=server.url) as client:
            request = asyncio.create_task(client.post("/v1/leads", json=["a"], headers=AUTH))
            await entered.wait()
            stopping = asyncio.create_task(server.stop())
            leave.set()
            assert (await request).status_code == 202
            await stopping
            with pytest.raises(httpx.ConnectError):
                await client.get("/healthz")

    asyncio.run(run())


def test_stopping_waits_for_nobody_who_only_trickles(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> list[bytes]:
        desk = Desk()
        app = create_app(intake=desk.intake, status=desk.status, token=SecretStr(TOKEN), body_seconds=600)
        server = LocalServer(app, "127.0.0.1:0", Patience(head_seconds=600, exchange_seconds=600))
        await server.start()
        port = int(server.url.rpartition(":")[2])
        head = b"POST /v1/leads HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t0ken$\r\n"
        sent = (
            b"GET /hea",
            head + b"Transfer-Encoding: chunked\r\n\r\n",
            head + b"Content-Length: 9\r\n\r\na",
        )
        pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in sent]
        for (_, writer), part in zip(pairs, sent, strict=True):
            writer.write(part)
        async with httpx.AsyncClient(base_url=server.url) as client:
            await client.get("/healthz")  # comes after them, so they are being served now
        async with asyncio.timeout(10):
            await server.stop()
            answers = [await reader.read() for reader, _ in pairs]
        for _, writer in pairs:
            writer.close()
        return answers

    with capture_logs() as logs:
        nothing, *cut_off = asyncio.run(run())
    assert nothing == b""
    assert [answer.split()[1] for answer in cut_off] == [b"503", b"503"]
    assert [entry["event"] for entry in logs] == ["request cut off"] * 2
    assert not any(record.exc_info for record in caplog.records)


def test_stopping_waits_for_nobody_who_does_not_read(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        desk = Desk()
        app = create_app(intake=desk.intake, status=desk.status, token=SecretStr(TOKEN))
        server = LocalServer(app, "127.0.0.1:0", Patience(head_seconds=600, exchange_seconds=600))
        await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"}")
        (served,) = server._server.server_state.connections
        head = b"POST /v1/leads HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t0ken$\r\nContent-Length: 8000\r\n\r\n"
        writer.write((head + b"x y\n" * 2000) * 199)
        async with asyncio.timeout(30), httpx.AsyncClient(base_url=server.url) as client:
            while not served.flow.write_paused:
                await client.get("/healthz")
            await server.stop()
        writer.close()

    asyncio.run(run())
    assert not any(record.exc_info for record in caplog.records)


def test_serve_ends_when_it_is_cancelled() -> None:
    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        desk = Desk()
        app = create_app(intake=desk.intake, status=desk.status, token=None)
        task = asyncio.create_task(serve(app, f"127.0.0.1:{port}"))
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(retries=5)) as client:
            assert (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
