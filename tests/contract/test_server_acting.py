"""What callers with the token list, retry and settle over real HTTP; and callers who may not, or ask wrongly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from bridge.errors import StoreError, UsageError
from bridge.policy.rating import Rate
from bridge.ports import Failure, Selection
from bridge.reports import Listing, listing
from bridge.server import Acts, Dismiss, Found, LocalServer, Resolve, Resync, create_app
from bridge.server.wishes import NO_MOMENT
from tests.contract.test_server import AUTH, TOKEN, WRONG
from tests.contract.test_server_metrics import nothing

NOW = 1_767_323_045.9
LISTED = ("failed", "unprocessed", "in_doubt", "expired")
SECRET = "jane@example.com"
EVIL = "<script>evil</script>"


def failures() -> Iterator[Failure]:
    yield Failure("q-1", "main", "failed", "push", f"no such lead {SECRET}", SECRET, 2, NOW, (), 11)
    yield Failure("q-2", "main", "in_doubt", "push", "the answer was lost", "x", 1, NOW, (), 17, "leadbyte")
    yield Failure(EVIL, EVIL, "failed", EVIL, EVIL, EVIL, 1, NOW, (), 12)


class Inside:
    """What is behind the routes: keeps what it is asked for. While not `open`, nothing comes to an end."""

    def __init__(self) -> None:
        self.wishes: list[object] = []
        self.fault: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.at_work = self.most_at_work = 0

    async def failures(self, selection: Selection, rows: int) -> Listing:
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            self._keep((selection, rows))
            await self.open.wait()
        finally:
            self.at_work -= 1
        return listing(7, failures(), NOW, rows)

    async def resync(self, wish: Resync) -> Found:
        self.at_work += 1
        await self.open.wait()
        return Found(self._keep(wish), NOW)

    async def dismiss(self, wish: Dismiss) -> Found:
        await self.open.wait()
        return Found(self._keep(wish), NOW, ("older",))

    async def resolve(self, word: Resolve) -> int:
        await self.open.wait()
        return self._keep(word) if word.delivery != 99 else 0

    def _keep(self, wish: object) -> int:
        if self.fault:
            raise self.fault
        self.wishes.append(wish)
        return 3


Use = Callable[[httpx.AsyncClient, Inside], Awaitable[None]]


def server_of(inside: Inside, token: str | None = TOKEN, **more: Any) -> LocalServer:
    acts = Acts(inside.failures, inside.resync, inside.dismiss, inside.resolve)
    secret = None if token is None else SecretStr(token)
    return LocalServer(
        create_app(intake=nothing, status=nothing, token=secret, acts=acts, **more), "127.0.0.1:0"
    )


def served(use: Use, token: str | None = TOKEN, **more: Any) -> None:
    async def run() -> None:
        inside = Inside()
        server = server_of(inside, token, **more)
        await server.start()
        try:
            async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
                await use(client, inside)
        finally:
            await server.stop()

    asyncio.run(run())


# who may


def test_without_the_token_nothing_is_shown_or_done() -> None:
    async def use(client: httpx.AsyncClient, inside: Inside) -> None:
        for wrong in WRONG:
            headers = {} if wrong is None else {b"Authorization": wrong.encode("latin-1")}
            for answer in (
                await client.get("/v1/failures", headers=headers),
                await client.post("/v1/resync", json={}, headers=headers),
                await client.post("/v1/dismiss", json=BOTS, headers=headers),
                await client.post("/v1/resolve", json={"delivery": 1, "as": "done"}, headers=headers),
            ):
                assert (answer.status_code, answer.json()) == (401, {"error": "a bearer token is needed"})
        assert inside.wishes == []

    served(use, wrong_tokens=Rate(1000, 1.0))


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_set_there_is_nothing_of_it(token: str | None) -> None:
    async def use(client: httpx.AsyncClient, inside: Inside) -> None:
        assert (await client.get("/v1/failures", headers=AUTH)).status_code == 404
        assert (await client.post("/v1/resync", json={}, headers=AUTH)).status_code == 404

    served(use, token=token)


def test_guesses_are_counted_over_all_paths() -> None:
    async def use(client: httpx.AsyncClient, inside: Inside) -> None:
        wrong = {"Authorization": "Bearer wrong"}
        paths = ("/v1/leads", "/v1/resync", "/v1/resolve", "/v1/resync")
        codes = [(await client.post(path, json={}, headers=wrong)).status_code for path in paths]
        assert codes == [401, 401, 401, 429]

    served(use, wrong_tokens=Rate(3, 0.001))


def test_who_shows_no_token_guesses_none() -> None:
    async def use(client: httpx.AsyncClient, inside: Inside) -> None:
        for path in ("/v1/failures", "/v1/failures", "/v1/failures?limit=1", "/v1/failures"):
            assert (await client.get(path)).status_code == 401
        for path in ("/v1/leads", "/v1/resync", "/v1/resolve"):
            answer = await client.post(path, json={})
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert (await client.get("/v1/failures", headers=AUTH)).status_code == 200

    served(use, wrong_tokens=Rate(2, 0.001))


@pytest.mark.parametrize("site", ["cross-site", "same-site", "Cross-Site "])
def test_pages_of_other_sites_are_refused_and_count_as_no_guess(site: str) -> None:
    async def use(client: httpx.AsyncClient, inside: Inside) -> None:
        page = {"Sec-Fetch-Site": site.strip()}
        for headers in (page, {**page, **AUTH}, {**page, "Authorization": "Bearer wrong"}) * 2:
            assert (await client.get("/v1/failures", headers=headers)).status_code == 403
            for path in ("/v1/leads", "/v1/resync", "/v1/resolve"):
                assert (await client.post(path, json={}, headers=headers)).status_code == 403
        for own in ("same-origin", "none"):
            told = {**AUTH, "Sec-Fetch-Site": own}
            assert (await client.get("/v1/failures", headers=told)).status_code == 200
        assert (await client.get("/healthz", headers=page)).status_code == 200

    served(use, wrong_tokens=Rate(2, 0.001))


ORIGINS: Sequence[Any] = (
    ("http://{}", None, True),
    ("HTTP://bridge.example:8437", "Bridge.Example:8437", True),
    ("https://bridge.example", "bridge.example", True),
    ("https://bridge.example", "bridge.example:8437", False),
    ("http://bridge.example:1", "bridge.example:2", False),
    ("http://bridge.example.evil", "bridge.example", False),
    ("http://evil", None, False),
    ("ftp://{}", None, False),
    ("null", None, False),
    ("", None, False),
    ("http://{}/", None, False),
    ("http://{} http://evil", None, False),
)  # fmt: skip


def test_of_web_pages_only_the_bridge_s_own_posts() -> None:
    async def use(client: httpx.AsyncClient, inside: Inside) -> None:
        place = f"{client.base_url.host}:{client.base_url.port}"
        for origin, host, allowed in ORIGINS:
            page = {"Origin": origin.format(place), **({"Host": host} if host else {})}
            headers, word = {**AUTH, **page}, {"delivery": 1, "as": "done"}
            codes = [
                (await client.post("/v1/resync", json={}, headers=headers)).status_code,
                (await client.post("/v1/resolve", json=word, headers=headers)).status_code,
                (await client.post("/v1/resync", json={}, headers=page)).status_code,
            ]
            assert codes == ([202, 202, 401] if allowed else [403] * 3), origin
            for path in ("/v1/leads", "/v1/failures", "/healthz", "/v1/resync/"):
                assert (await client.post(path, json=["q"], headers=headers)).status_code == 403
            assert (await client.get("/v1/failures", headers=headers)).status_code == 403

    served(use)


def test_two_origins_are_none() -> None:
    async def use(client: httpx.AsyncClient, inside: Inside) -> None:
        own = f"http://{client.base_url.host}:{client.base_url.port}"
        told = [*AUTH.items(), ("Origin", own), ("Origin", "http://evil")]
        assert (await client.post("/v1/resync", json={}, headers=told)).status_code == 403

    served(use)


# listing


LISTINGS: Sequence[Any] = (
    ("", Selection(LISTED), 500),
    ("?state=failed&state=in_doubt&limit=7", Selection(("failed", "in_doubt")), 7),
    ("?reason=no%20such&mapping=main", Selection(LISTED, reason="no such", mapping="main"), 500),
    ("?reason=", Selection(LISTED), 500),
)


def test_failures_are_listed_as_in_the_report() -> None:
    async def use(client: httpx.AsyncClient, inside: Inside) -> None:
        for query, selection, rows in LISTINGS:
            answer = await client.get(f"/v1/failures{query}", headers=AUTH)
            assert answer.status_code == 200
            assert inside.wishes[-1] == (selection, rows)
        told = answer.json()
        assert (told["count"], told["read"], told["generated_at"]) == (7, 3, "2026-01-02T03:04:05Z")
        assert [lead["queue_id"] for lead in told["leads"]] == ["q-1", "q-2", EVIL]
        assert told["leads"][0]["reason"] == "no such lead j…@example.com"
        assert {group["count"] for group in told["groups"]} == {1}
        assert SECRET not in answer.text
        assert (await client.head("/v1/failures", headers=AUTH)).status_code == 200

    served(use)


def test_for_the_page_they_are_html_with_what_can_be_done() -> None:
    async def use(client: httpx.AsyncClient, inside: Inside) -> None:
        answer = await client.get("/v1/failures", headers={**AUTH, "Accept": "text/html"})
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "7 deliveries need a person" in answer.text
        assert "the newest 3 of them are here" in answer.text
        assert (
            '<button type="button" data-state="failed" data-reason="no such lead">Retry this lead</button>'
            in answer.text
        )
        assert 'data-delivery="17" data-as="not-done"' in answer.text
        assert "bridge resolve DELIVERY" in answer.text
        assert "<script" not in answer.text
        assert SECRET not in answer.text

    served(use)


def test_what_is_wrong_with_a_listing_is_told_all_at_once() -> None:
    async def use(client: httpx.AsyncClient, inside: Inside) -> None:
        answer = await client.get("/v1/failures?state=sold&limit=99999&evil=1", headers=AUTH)
        assert answer.status_code == 400
        assert answer.json()["problems"] == [
            "state.0: Input should be 'failed', 'unprocessed', 'in_doubt' or 'expired'",
            "limit: Input should be less than or equal to 2000",
            "evil: no such field; there are state, reason, mapping, limit",
        ]
        assert inside.wishes == []

    served(use)


def test_one_listing_is_made_at_a_time_also_where_its_caller_has_gone() -> None:
    async def use(client: httpx.AsyncClient, inside: Inside) -> None:
        inside.open.clear()
        gone = asyncio.create_task(client.get("/v1/failures", headers=AUTH))
        while not inside.at_work:
            assert (await client.get("/healthz")).status_code == 200
        late = [await client.get("/v1/failures", headers=AUTH) for _ in range(2)]
        assert [answer.status_code for answer in (await gone, *late)] == [503] * 3
        assert len(inside.wishes) == 1
        inside.open.set()
        answers = await asyncio.gather(*(client.get("/v1/failures", headers=AUTH) for _ in range(5)))
        assert [answer.status_code for answer in answers] == [200] * 5
        assert inside.most_at_work == 1

    served(use, answer_seconds=0.05)


# retrying and settling


WISHES: Sequence[Any] = (
    ({}, Resync(Selection())),
    ({"state": "expired"}, Resync(Selection(("expired",)))),
    ({"states": ["failed", "expired"], "reason": "no", "mapping": "main"},
     Resync(Selection(("failed", "expired"), reason="no", mapping="main"))),
    ({"queue_ids": ["a", "b"]}, Resync(Selection(("failed", "unprocessed", "expired"), ("a", "b")))),
    ({"states": ["synced"], "refetch": True, "force": True},
     Resync(Selection(("synced",)), refetch=True, force=True)),
    ({"until": NOW}, Resync(Selection(until=NOW))),
    ({"since": "2026-01-02T03:04:05.9", "until": "2026-01-02T04:04:05.9+01:00"}, Resync(Selection(since=NOW, until=NOW))),
)  # fmt: skip


def test_leads_are_re_opened_as_by_the_command_and_each_time_is_a_line_in_the_log() -> None:
    async def use(client: httpx.AsyncClient, inside: Inside) -> None:
        for body, wish in WISHES:
            answer = await client.post("/v1/resync", json=body, headers=AUTH)
            assert (answer.status_code, answer.json()) == (202, {"reopened": 3})
            assert inside.wishes[-1] == wish

    with capture_logs() as logs:
        served(use)
    assert {each["event"] for each in logs} == {"leads re-opened by a caller"}
    for line, (_, wish) in zip(logs, WISHES, strict=True):
        meant = wish.selection
        assert (line["address"], line["leads"], line["states"]) == ("127.0.0.1", 3, list(meant.states))
        assert (line["named"], line["by_reason"]) == (len(meant.queue_ids), bool(meant.reason))


OPENABLE = ("failed", "unprocessed", "expired")
BOTS = {"reason": "no value", "because": " typed by bots "}
DISMISSALS: Sequence[Any] = (
    (BOTS, Dismiss(Selection(OPENABLE, reason="no value"), "typed by bots")),
    ({"states": ["failed"], "until": NOW, "because": "."}, Dismiss(Selection(("failed",), until=NOW), ".")),
    ({"queue_ids": ["a"], "mapping": "m", "because": ".", "leads": 3},
     Dismiss(Selection(OPENABLE, ("a",), mapping="m"), ".", counted=3)),
)  # fmt: skip


def test_leads_are_dismissed_as_by_the_command_and_each_time_is_a_line_in_the_log() -> None:
    async def use(client: httpx.AsyncClient, inside: Inside) -> None:
        for body, wish in DISMISSALS:
            answer = await client.post("/v1/dismiss", json=body, headers=AUTH)
            assert (answer.status_code, answer.json()) == (202, {"dismissed": 3, "others": ["older"]})
            assert inside.wishes[-1] == wish
        counted = await client.post("/v1/dismiss", json={"reason": "x", "dry_run": True}, headers=AUTH)
        assert (counted.status_code, counted.json()) == (200, {"leads": 3, "at": NOW, "others": ["older"]})
        assert inside.wishes[-1] == Dismiss(Selection(OPENABLE, reason="x"), "", dry_run=True)

    with capture_logs() as logs:
        served(use)
    assert [each["event"] for each in logs] == ["leads dismissed by a caller"] * len(DISMISSALS)
    assert {(each["address"], each["leads"]) for each in logs} == {("127.0.0.1", 3)}
    assert "bots" not in str(logs)


UNDER_WAY = "still under way, and may still be done; see what became of it before you repeat it"
GOES_ON: Sequence[Any] = (
    ("/v1/resync", {}, "leads re-opened by a caller"),
    ("/v1/dismiss", {"states": ["failed"], "because": "bots"}, "leads dismissed by a caller"),
    ("/v1/resolve", {"delivery": 17, "as": "done"}, "doubt settled by a caller"),
)


@pytest.mark.parametrize(("path", "body", "event"), GOES_ON)
def test_what_takes_too_long_is_no_failure_for_it_is_done_and_logged_all_the_same(
    path: str, body: Any, event: str
) -> None:
    async def use(client: httpx.AsyncClient, inside: Inside) -> None:
        inside.open.clear()
        answer = await client.post(path, json=body, headers=AUTH)
        assert (answer.status_code, answer.json()["error"]) == (504, UNDER_WAY)
        inside.open.set()
        while not inside.wishes:
            await client.get("/healthz")

    with capture_logs() as logs:
        served(use, answer_seconds=0.05)
    assert [each["event"] for each in logs] == ["request still under way", event]


def test_a_server_that_stops_does_not_call_a_failure_what_goes_on() -> None:
    async def run() -> None:
        inside, bodies = Inside(), ({}, {"dry_run": True})
        inside.open.clear()
        server = server_of(inside)
        await server.start()
        async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
            asked = [
                asyncio.create_task(client.post("/v1/resync", json=body, headers=AUTH)) for body in bodies
            ]
            while inside.at_work < len(bodies):
                await client.get("/healthz")
            await server.stop()
            codes = [(answer.status_code, answer.json()["error"]) for answer in await asyncio.gather(*asked)]
            assert codes == [(504, UNDER_WAY), (503, "not possible at the moment; try again later")]

    asyncio.run(run())


def test_a_dry_run_counts_and_a_reason_is_in_no_log() -> None:
    async def use(client: httpx.AsyncClient, inside: Inside) -> None:
        answer = await client.post("/v1/resync", json={"reason": SECRET, "dry_run": True}, headers=AUTH)
        assert (answer.status_code, answer.json()) == (200, {"leads": 3, "at": NOW})
        await client.post("/v1/resync", json={"reason": SECRET, "queue_ids": [SECRET]}, headers=AUTH)

    with capture_logs() as logs:
        served(use)
    assert len(logs) == 1
    assert SECRET not in repr(logs)


def test_a_doubt_is_settled_by_the_number_of_its_delivery() -> None:
    async def use(client: httpx.AsyncClient, inside: Inside) -> None:
        for word in ("done", "not-done"):
            answer = await client.post("/v1/resolve", json={"delivery": 17, "as": word}, headers=AUTH)
            assert (answer.status_code, answer.json()) == (202, {"settled": 3})
        assert inside.wishes == [Resolve(17, done=True), Resolve(17, done=False)]
        none = await client.post("/v1/resolve", json={"delivery": 99, "as": "done"}, headers=AUTH)
        assert (none.status_code, none.json()["problems"]) == (
            400,
            ["delivery: no delivery 99 is in doubt; see `bridge show`"],
        )

    with capture_logs() as logs:
        served(use)
    told = [(each["event"], each["delivery"], each["done"]) for each in logs]
    assert told == [("doubt settled by a caller", 17, True), ("doubt settled by a caller", 17, False)]


EMPTY = "is empty, which chooses nothing; say which, or leave it out for all"
WHICH = "say which leads, by states, queue_ids, since, until, reason or mapping"
WHY = "because: say why, on one line of at most 200 characters"
WRONGLY: Sequence[Any] = (
    (
        "/v1/resync",
        {"states": [1], "force": "yes", "queue_ids": "q", "evil": 1, "reason": "x" * 1001},
        ["states.0: Input should be a valid string", "queue_ids: Input should be a valid list",
         "reason: String should have at most 1000 characters", "force: Input should be a valid boolean",
         "evil: no such field; there are state, states, queue_ids, since, until, reason, mapping, dry_run, refetch, force"],
    ),
    (
        "/v1/resync",
        {"states": [], "queue_ids": [], "reason": "  ", "state": " ", "mapping": None},
        [f"state: {EMPTY}", f"states: {EMPTY}", f"queue_ids: {EMPTY}", f"reason: {EMPTY}",
         "mapping: Input should be a valid string"],
    ),
    ("/v1/resync", {"reason": ""}, [f"reason: {EMPTY}"]),
    (
        "/v1/resync",
        {"since": "yesterday", "until": True},
        [f"since: {NO_MOMENT}", "until: Input should be a valid number"],
    ),
    (
        "/v1/resync",
        '{"queue_ids": ["q"], "force": false, "states": ["failed"], "force": true, "queue_ids": []}',
        ["force: is told more than once; tell it once", "queue_ids: is told more than once; tell it once"],
    ),
    ("/v1/resolve", '{"delivery": 1, "as": "not-done", "as": "done"}', ["as: is told more than once; tell it once"]),
    (
        "/v1/resync",
        {"states": ["sold", "synced"]},
        ["states: sold: no such state; take one of failed, unprocessed, expired, synced, skipped, superseded",
         'states: synced: such leads are done; add "refetch": true'],
    ),
    (
        "/v1/resync",
        {"queue_ids": ["q"] * 2001},
        ["queue_ids: List should have at most 2000 items after validation, not 2001"],
    ),
    ("/v1/dismiss", {}, [WHICH, WHY]),
    ("/v1/dismiss", {"dry_run": True}, [WHICH]),
    ("/v1/dismiss", {"reason": "x", "because": " "}, [WHY]),
    ("/v1/dismiss", {"reason": "x", "because": "a\nb"}, [WHY]),
    ("/v1/dismiss", {"reason": "x", "because": "x" * 201}, [WHY]),
    (
        "/v1/dismiss",
        {"states": ["in_doubt", "synced"], "because": "bots"},
        ["states: in_doubt: look at the other side first, then settle it with `bridge resolve`",
         "states: synced: only what is failed, unprocessed or expired can be dismissed"],
    ),
    ("/v1/dismiss", {"reason": "x", "because": "bots", "force": True},
     ["force: no such field; there are state, states, queue_ids, since, until, reason, mapping, dry_run, because, leads"]),
    ("/v1/resync", ["q"], ["the body is no JSON object"]),
    ("/v1/resync", "{", ["the body is no JSON object"]),
    ("/v1/resync", "", ["the body is no JSON object"]),
    ("/v1/resync", "[" * 100_000, ["the body is no JSON object"]),
    ("/v1/resync", b"\\xff\\xfe", ["the body is no JSON object"]),
    (
        "/v1/resolve",
        {"delivery": "17", "as": "maybe", "queue_id": "q"},
        ["delivery: Input should be a valid integer", "as: Input should be 'done' or 'not-done'",
         "queue_id: no such field; there are delivery, as"],
    ),
    ("/v1/resolve", {"delivery": True}, ["delivery: Input should be a valid integer", "as: Field required"]),
    ("/v1/resolve", {"delivery": 10**30, "as": "done"}, ["delivery: Input should be less than 1000000000000000"]),
)  # fmt: skip


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_done() -> None:
    async def use(client: httpx.AsyncClient, inside: Inside) -> None:
        headers = {**AUTH, "Content-Type": "application/json"}
        for path, body, problems in WRONGLY:
            sent = body if isinstance(body, str | bytes) else json.dumps(body)
            answer = await client.post(path, content=sent, headers=headers)
            told = {"error": "nothing was done", "problems": problems}
            assert (answer.status_code, answer.json()) == (400, told)
        assert inside.wishes == []

    with capture_logs() as logs:
        served(use)
    assert logs == []


BODIES: Sequence[Any] = (
    ({"Content-Type": "text/plain"}, b"{}", 415),
    ({"Content-Type": "application/x-www-form-urlencoded"}, b"states=failed", 415),
    ({}, b"{}", 415),
    ({"Content-Type": "application/x-ndjson"}, b"{}", 415),
    ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, b"{}", 415),
    ({"Content-Type": "application/json"}, b" " * 2000, 413),
)


def test_a_body_of_another_kind_or_too_large_is_refused() -> None:
    async def use(client: httpx.AsyncClient, inside: Inside) -> None:
        for headers, body, code in BODIES:
            for path in ("/v1/resync", "/v1/dismiss", "/v1/resolve"):
                answer = await client.post(path, content=body, headers={**AUTH, **headers})
                assert answer.status_code == code
                assert (await client.get(path, headers=AUTH)).status_code == 405
        assert inside.wishes == []

    served(use, max_body=1000)


@pytest.mark.parametrize(
    ("error", "code"),
    [(StoreError("inside"), 503), (KeyError("inside"), 500), (UsageError("queue_ids: q: not tracked"), 400)],
)
def test_what_fails_inside_is_answered_shortly(error: Exception, code: int) -> None:
    async def use(client: httpx.AsyncClient, inside: Inside) -> None:
        inside.fault = error
        for answer in (
            await client.post("/v1/resync", json={}, headers=AUTH),
            await client.get("/v1/failures", headers=AUTH),
        ):
            assert answer.status_code == code
            assert "inside" not in answer.text
            assert "error" in answer.json()

    served(use)
