"""LeadSquared's webhook at the bridge's HTTP side, over real HTTP on loopback."""

from __future__ import annotations

import asyncio
import json
import logging
import zlib
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from structlog.testing import capture_logs

from bridge.errors import StoreError
from bridge.model import Json, Track
from bridge.policy.rating import Rate
from bridge.server import LocalServer, create_app
from bridge.server.webhook import MOST_BYTES, MOST_HELD, Handover

TOKEN = "h00k-t0ken$"
BASE = "/v1/webhooks/leadsquared"
HOOK = f"{BASE}/{TOKEN}"
CHANGE = {"Before": {"ProspectID": "p1"}, "After": {"ProspectID": "p1", "mx_City": "Łódź"}}
TAKEN = b'{"Status":"Success","StatusReason":""}'


class Desk:
    """Notes what is handed over. `leave`: nothing is done before it is set. `faults`: what goes wrong, one after another."""

    def __init__(self) -> None:
        self.entered, self.leave = asyncio.Event(), asyncio.Event()
        self.leave.set()
        self.seen: asyncio.Queue[Json | None] = asyncio.Queue()
        self.faults: list[Exception] = []
        self.inside = self.most = 0

    async def changed(self, body: Json | None) -> None:
        self.entered.set()
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.leave.wait()
            if self.faults:
                raise self.faults.pop(0)
            self.seen.put_nowait(body)
        finally:
            self.inside -= 1

    async def next(self, count: int) -> list[Json | None]:
        async with asyncio.timeout(20):
            return [await self.seen.get() for _ in range(count)]

    async def intake(self, tracks: Iterable[Track]) -> int:
        return len(list(tracks))

    async def status(self) -> Mapping[str, Json]:
        return {}


def application(desk: Desk, **settings: Any) -> LocalServer:
    usual = {"changed": desk.changed, "webhook_token": SecretStr(TOKEN), "token": SecretStr("bearer")}
    return LocalServer(
        create_app(intake=desk.intake, status=desk.status, **(usual | settings)), "127.0.0.1:0"
    )


def served(use: Callable[[httpx.AsyncClient, Desk], Awaitable[None]], **settings: Any) -> None:
    async def run() -> None:
        desk = Desk()
        server = application(desk, **settings)
        await server.start()
        try:
            async with httpx.AsyncClient(base_url=server.url) as client:
                await use(client, desk)
        finally:
            await server.stop()

    asyncio.run(run())


async def sent(client: httpx.AsyncClient, head: bytes, path: str = HOOK, *, end: bool = False) -> bytes:
    """The answer to raw bytes after the request's first lines; b"" where the connection is only ended (`end`)."""
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\n".encode() + head)
    await writer.drain()
    got = b""
    if not end:
        async with asyncio.timeout(10):
            got = await reader.readuntil(b"}")
    writer.close()
    await writer.wait_closed()
    return got


def is_success(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.content) == (200, TAKEN)


def test_the_answer_comes_before_the_work() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        desk.leave.clear()
        answer = await client.post(HOOK, json=CHANGE)
        assert is_success(answer)
        assert answer.headers["Content-Type"] == "application/json"
        assert desk.seen.empty()
        desk.leave.set()
        assert await desk.next(1) == [CHANGE]

    served(use)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/xml; charset=utf-16"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x", "Authorization": "Bearer other"},
        {"Content-Type": "\x7f", "Origin": "https://in21.leadsquared.com"},
    ],
)
def test_the_body_counts_whatever_its_headers_say(headers: Mapping[str, str]) -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        content = b"\xef\xbb\xbf" + json.dumps(CHANGE, ensure_ascii=False).encode()
        assert is_success(await client.post(HOOK + "?a=b", content=content, headers=headers))
        assert await desk.next(1) == [CHANGE]

    served(use)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b'{"Before":{"ProspectID":"p1"},"After":{"Pros',
        b"null",
        b'{"a":NaN}',
        b'{"a":"\xff"}',
        json.dumps(CHANGE).encode("utf-16"),
        zlib.compress(json.dumps(CHANGE).encode()),
        b"After=%7B%7D",
        b"<After/>",
        b"[" * 100_000,
        b"9" * 10_000,
        b"{}" * 2,
    ],
    ids=repr,
)
def test_a_body_that_cannot_be_used_is_a_reason_to_look(body: bytes) -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        assert is_success(await client.post(HOOK, content=body))
        assert await desk.next(1) == [None]
        assert is_success(await client.post(HOOK, json=CHANGE))
        assert await desk.next(1) == [CHANGE]

    served(use)


def test_json_of_any_kind_is_handed_over_as_it_is() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        for value in ([], "x", 1, False, {}, [CHANGE], {"After": None}):
            assert is_success(await client.post(HOOK, json=value))
            assert await desk.next(1) == [value]

    served(use)


def test_a_body_over_the_limit_is_taken_for_a_reason_to_look() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"a" * 100

    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        for content in (b" " * 1001, b" " * 500_000, parts()):
            assert is_success(await client.post(HOOK, content=content))
            assert await desk.next(1) == [None]
        for far in (
            b"Content-Length: 8001\r\n\r\na",
            b"Transfer-Encoding: chunked\r\n\r\n1f41\r\n" + b"a" * 8001,
        ):
            assert (await sent(client, far)).endswith(TAKEN)
            assert await desk.next(1) == [None]
        content = json.dumps(CHANGE).encode().ljust(1000)
        assert is_success(await client.post(HOOK, content=content))
        assert await desk.next(1) == [CHANGE]

    served(use, max_body=1000)


def test_a_body_that_does_not_arrive_is_answered_too() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        assert (await sent(client, b"Content-Length: 9\r\n\r\na")).endswith(TAKEN)
        assert await desk.next(1) == [None]

    served(use, body_seconds=0.05)


def test_a_sender_that_goes_away_is_a_reason_to_look() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        assert await sent(client, b"Content-Length: 9\r\n\r\na", end=True) == b""
        assert await desk.next(1) == [None]

    served(use)


def test_whatever_is_sent_is_answered_with_success() -> None:
    @given(st.binary(), st.sampled_from(["application/json", "text/plain", ""]))
    def post(body: bytes, media: str) -> None:
        assert is_success(client.post(HOOK, content=body, headers={"Content-Type": media}))

    async def use(one: httpx.AsyncClient, _: Desk) -> None:
        client.base_url = one.base_url
        await asyncio.to_thread(post)

    with httpx.Client() as client:
        served(use)


def test_head_is_answered_and_other_methods_are_not() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        head = await client.head(HOOK)
        assert (head.status_code, head.content) == (200, b"")
        for method in ("GET", "PUT", "DELETE", "OPTIONS"):
            answer = await client.request(method, HOOK)
            assert (answer.status_code, answer.json()) == (405, {"error": "Method Not Allowed"})
        assert not desk.entered.is_set()

    served(use)


WRONG = (
    f"{BASE}/wrong",
    f"{BASE}/{TOKEN}x",
    f"{BASE}/{TOKEN[:-1]}",
    f"{BASE}/{TOKEN}/",
    f"{BASE}//{TOKEN}",
    f"{BASE}/x/{TOKEN}",
    f"{BASE}/{TOKEN.upper()}",
    f"{BASE}/%ff",
    f"{BASE}/{quote('…')}",
    f"{BASE}/",
    BASE,
    f"{BASE}/?token={TOKEN}",
)


@pytest.mark.parametrize("method", ["POST", "HEAD", "GET", "PUT"])
def test_a_wrong_token_is_an_unknown_path(method: str) -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        unknown = await client.request(method, "/v1/unknown", headers={"Authorization": f"Bearer {TOKEN}"})
        for path in WRONG:
            answer = await client.request(
                method, path, json=CHANGE, headers={"Authorization": f"Bearer {TOKEN}"}
            )
            assert (answer.status_code, answer.content) == (404, unknown.content), path
            assert list(answer.headers) == list(unknown.headers)
        assert not desk.entered.is_set()
        page = {"Origin": "https://in21.leadsquared.com"}
        assert (await client.request(method, WRONG[0], headers=page)).status_code == 403

    served(use, wrong_tokens=Rate(100, 1.0))


def test_who_guesses_tokens_is_held_back_and_the_right_one_never() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        answers = [await client.post(path, json=CHANGE) for path in (BASE, *WRONG[:3])]
        assert [answer.status_code for answer in answers] == [404, 404, 429, 429]
        assert answers[2].json() == {"error": "too many wrong tokens; try again later"}
        assert int(answers[2].headers["Retry-After"]) > 100
        assert not desk.entered.is_set()
        assert is_success(await client.post(HOOK, json=CHANGE))
        assert await desk.next(1) == [CHANGE]
        assert (await client.post(WRONG[0], json=CHANGE)).status_code == 429
        bearer = {"Authorization": "Bearer bearer"}
        assert (await client.post("/v1/leads", json=["a"], headers=bearer)).status_code == 202

    served(use, wrong_tokens=Rate(2, 0.001))


def test_wrong_tokens_come_at_the_rate_of_unknown_paths() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        codes = [(await client.post(path)).status_code for path in (WRONG[0], "/unknown", WRONG[1])]
        assert codes == [404, 404, 429]
        assert is_success(await client.post(HOOK, json=CHANGE))
        assert await desk.next(1) == [CHANGE]

    served(use, requests=Rate(2, 0.001))


def test_more_than_the_rate_of_requests_is_a_reason_to_look_and_no_429() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        desk.leave.clear()
        for number in range(5):
            assert is_success(await client.post(HOOK, content=f"{number}".ljust(300_000).encode()))
        desk.leave.set()
        assert await desk.next(3) == [0, 1, None]
        assert (await client.head(HOOK)).status_code == 200
        assert is_success(await client.post(HOOK, json=6))
        assert await desk.next(1) == [None]
        assert desk.seen.empty()

    served(use, requests=Rate(2, 0.001))


def test_bodies_are_handed_over_one_after_another_in_order() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        desk.leave.clear()
        async with httpx.AsyncClient(base_url=client.base_url) as other:
            for number in range(0, 40, 2):
                assert is_success(await client.post(HOOK, json=number))
                assert is_success(await other.post(HOOK, content=f"{number + 1}".ljust(90_000).encode()))
        desk.leave.set()
        assert await desk.next(40) == list(range(40))
        assert desk.most == 1

    served(use)


def test_what_is_too_much_to_hold_is_dropped_and_looked_for_once() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        desk.leave.clear()
        with capture_logs() as logs:
            for number in range(MOST_HELD + 20):
                assert is_success(await client.post(HOOK, json=number))
        assert [entry["event"] for entry in logs] == ["webhook bodies not used"]
        desk.leave.set()
        assert await desk.next(MOST_HELD + 2) == [*range(MOST_HELD + 1), None]
        assert is_success(await client.post(HOOK, json="after"))
        assert await desk.next(1) == ["after"]

    served(use)


def test_what_is_held_is_bounded_in_bytes_too() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        desk.leave.clear()
        fit = MOST_BYTES // 2**20
        for number in range(fit + 3):
            assert is_success(await client.post(HOOK, content=f"{number}".ljust(2**20).encode()))
        assert is_success(await client.post(HOOK, json="after"))
        desk.leave.set()
        assert await desk.next(fit + 2) == [*range(fit + 1), None]
        assert desk.seen.empty()

    served(use)


def test_a_look_that_has_begun_does_not_stand_for_what_is_dropped_later() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        desk.leave.clear()
        await client.post(HOOK)
        await desk.entered.wait()
        await client.post(HOOK)
        await client.post(HOOK)
        desk.leave.set()
        assert await desk.next(2) == [None, None]

    served(use)


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (StoreError("disk is full"), {"reason": "disk is full", "log_level": "warning"}),
        (RuntimeError(f"inside {TOKEN}"), {"kind": "RuntimeError", "log_level": "error"}),
        (TimeoutError(), {"reason": "it took too long", "log_level": "warning"}),
    ],
)
def test_a_failure_is_one_line_and_the_next_body_is_handed_over(
    fault: Exception, line: Mapping[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        desk.faults.append(fault)
        with capture_logs() as logs:
            assert is_success(await client.post(HOOK, json=1))
            assert is_success(await client.post(HOOK, json=2))
            assert await desk.next(1) == [2]
        assert logs == [{"event": "webhook body not taken", **line}]

    served(use)
    assert "Traceback" not in "".join(capfd.readouterr())


def test_what_takes_too_long_does_not_hold_up_the_next() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        desk.leave.clear()
        with capture_logs() as logs:
            assert is_success(await client.post(HOOK, json=1))
            await desk.entered.wait()
            async with asyncio.timeout(10):
                while not logs:
                    assert (await client.get("/healthz")).status_code == 200
        assert [entry["reason"] for entry in logs] == ["it took too long"]
        desk.leave.set()
        assert is_success(await client.post(HOOK, json=2))
        assert await desk.next(1) == [2]

    served(use, answer_seconds=0.05)


async def ask_on(url: str) -> None:
    """Ask until nobody takes a connection any more: a httpx.TransportError."""
    async with httpx.AsyncClient(headers={"Connection": "close"}) as client:
        while True:
            await client.get(f"{url}/healthz")


def test_stopping_hands_over_what_was_answered() -> None:
    async def run() -> list[Json | None]:
        desk = Desk()
        server = application(desk)
        await server.start()
        desk.leave.clear()
        async with httpx.AsyncClient(base_url=server.url) as client:
            for number in range(3):
                assert is_success(await client.post(HOOK, json=number))
        stopping = asyncio.create_task(server.stop())
        with pytest.raises(httpx.TransportError):
            await ask_on(server.url)
        desk.leave.set()
        await stopping
        return [desk.seen.get_nowait() for _ in range(desk.seen.qsize())]

    assert asyncio.run(run()) == [0, 1, 2]


def test_stopping_waits_no_longer_than_its_time_and_says_what_was_dropped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run() -> bytes:
        desk = Desk()
        server = application(desk)
        await server.start()
        desk.leave.clear()
        async with httpx.AsyncClient(base_url=server.url) as client:
            for number in range(3):
                assert is_success(await client.post(HOOK, json=number))
            half = asyncio.create_task(sent(client, b"Content-Length: 9\r\n\r\na"))
            await desk.entered.wait()
            assert (await client.get("/healthz")).status_code == 200
        async with asyncio.timeout(10):
            await server.stop()
        assert desk.seen.empty()
        return await half

    with capture_logs() as logs:
        assert asyncio.run(run()).endswith(TAKEN)
    dropped, cut_off = sorted(logs, key=lambda entry: str(entry["event"]), reverse=True)
    assert (dropped["event"], dropped["bodies"]) == ("webhook bodies dropped", 3)
    assert (cut_off["event"], cut_off["path"]) == ("request cut off", f"{BASE}/…")
    assert not any(record.exc_info for record in caplog.records)


def test_stopping_waits_until_what_it_cut_off_has_ended() -> None:
    ended: list[bool] = []

    async def changed(_: Json | None) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(20):
                await asyncio.to_thread(int)
            ended.append(True)

    async def run() -> None:
        server = application(Desk(), changed=changed)
        await server.start()
        async with httpx.AsyncClient(base_url=server.url) as client:
            assert is_success(await client.post(HOOK, json=1))
        await server.stop()
        assert ended == [True]

    asyncio.run(run())


def test_what_was_dropped_is_not_handed_over_later() -> None:
    async def run() -> None:
        desk = Desk()
        desk.leave.clear()
        handover = Handover(desk.changed, 10.0)
        busy = asyncio.create_task(handover.take(b"1"))
        await desk.entered.wait()
        await handover.take(b"2")
        busy.cancel()
        with pytest.raises(asyncio.CancelledError):
            await busy
        desk.leave.set()
        await handover.take(b"3")
        assert await desk.next(1) == [3]

    asyncio.run(run())


@pytest.mark.parametrize(
    "missing", [{"changed": None}, {"webhook_token": None}, {"webhook_token": SecretStr("")}]
)
def test_without_a_token_or_a_taker_there_is_no_webhook(missing: Mapping[str, Any]) -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        for path in (HOOK, f"{BASE}/", BASE, f"{BASE}/{quote('…')}"):
            assert (await client.post(path, json=CHANGE)).json() == {"error": "Not Found"}
            page = await client.post(path, json=CHANGE, headers={"Origin": "null"})
            assert page.status_code == 403
        assert not desk.entered.is_set()

    served(use, **missing)


ODD = "a/b ?#%2F:\\ü…ab"


def test_a_token_of_odd_characters_is_written_percent_encoded() -> None:
    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        for path in (quote(ODD), quote(ODD, safe="")):
            assert is_success(await client.post(f"{BASE}/{path}", json=CHANGE))
            assert await desk.next(1) == [CHANGE]

    served(use, webhook_token=SecretStr(ODD))


LONG = "S3cretTokenOfTheWebhook/$%20ü"


def test_the_token_is_in_no_log_and_no_answer(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nor is a wrong one, which may be the right one mistyped. No search for secrets stands behind these logs."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    said: list[str] = []
    halves: list[asyncio.Task[bytes]] = []
    right, wrong = f"{BASE}/{quote(LONG)}", f"{BASE}/{quote(LONG)}x"

    async def use(client: httpx.AsyncClient, desk: Desk) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.DEBUG)
        desk.faults += [StoreError("disk is full"), RuntimeError("inside")]
        for path in (right, wrong, wrong, wrong):
            for method in ("POST", "HEAD", "GET", "CONNECT"):
                for headers in ({}, {"Origin": "null"}, {"Upgrade": "websocket", "Connection": "Upgrade"}):
                    answer = await client.request(method, path, content=b"{", headers=headers)
                    said.append(f"{answer.status_code} {answer.headers!r} {answer.text}")
        said.append(str(await sent(client, b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", right)))
        halves.append(asyncio.create_task(sent(client, b"Content-Length: 99\r\n\r\na", right)))
        desk.leave.clear()
        assert is_success(await client.post(right, json=CHANGE))

    with capture_logs() as logs:
        served(use, webhook_token=SecretStr(LONG), wrong_tokens=Rate(6, 0.001))
    codes = {line.split()[0] for line in said}
    assert codes >= {"200", "404", "405", "403", "429"}
    events = {
        "webhook body not taken",
        "webhook bodies not used",
        "webhook bodies dropped",
        "request cut off",
    }
    assert {entry["event"] for entry in logs} == events
    records = [f"{record.getMessage()} {record.__dict__!r}" for record in caplog.records]
    everything = "\n".join([*said, *map(repr, logs), *records, *capfd.readouterr()])
    for form in (LONG, quote(LONG), "S3cretToken", "OfTheWebhook", b64encode(LONG.encode()).decode()[:16]):
        assert form.lower() not in everything.lower()
