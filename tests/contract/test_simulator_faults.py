"""Rate limits and faults of the simulator, each as a client sees it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from bridge.simulator import KINDS, Faults, Limits, World, serve
from bridge.simulator.faults import AFTER, BEFORE, HARMLESS, PLACES
from bridge.simulator.leadbyte import LEADBYTE
from bridge.simulator.leadsquared import LEADSQUARED
from bridge.simulator.leadsquared_async import LEADSQUARED_ASYNC

METADATA = "/v2/LeadManagement.svc/LeadsMetaData.Get"
UPDATE = "/v2/LeadManagement.svc/Lead/Bulk/UpdateV2"
PLACE = "leadsquared.bulk_update"


class Clock:
    """Time that only a test moves."""

    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def drive(world: World, scenario: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        keys = {"x-LSQ-AccessKey": world.access_key, "x-LSQ-SecretKey": world.secret_key}
        async with (
            serve(world) as servers,
            httpx.AsyncClient(base_url=servers.leadsquared, headers=keys, timeout=5) as client,
        ):
            return await scenario(client)

    return asyncio.run(run())


async def read(client: httpx.AsyncClient, times: int = 1) -> list[int]:
    return [(await client.get(METADATA)).status_code for _ in range(times)]


async def update(client: httpx.AsyncClient, **request: Any) -> httpx.Response:
    fields = [
        {"Attribute": "EmailAddress", "Value": "a@example.com"},
        {"Attribute": "LastName", "Value": "New"},
    ]
    body = {"SearchByKey": "EmailAddress", "LeadPropertiesList": [{"Fields": fields}]}
    return await client.post(UPDATE, json=body, **request)


def world_with_one(**settings: Any) -> World:
    world = World(**settings)
    world.add_person({"EmailAddress": "a@example.com"})
    return world


def test_25_calls_in_5_seconds_pass_and_refused_ones_do_not_count() -> None:
    clock = Clock()
    world = World(clock=clock)

    async def scenario(client: httpx.AsyncClient) -> None:
        assert await read(client, 10) == [200] * 10
        clock.now += 2
        assert await read(client, 18) == [200] * 15 + [429] * 3
        clock.now += 2.9
        assert await read(client) == [429]
        clock.now += 0.1
        assert await read(client, 11) == [200] * 10 + [429]
        clock.now += 2
        assert await read(client, 16) == [200] * 15 + [429]

    drive(world, scenario)
    assert world.called("leadsquared", "throttled") == 6
    assert world.called("leadsquared") == len(world.arrivals["leadsquared"]) == 50


def test_each_host_has_a_window_of_its_own() -> None:
    world = World(clock=Clock())
    world.limit("leadsquared_async", Limits(1, 5.0))
    assert drive(world, lambda client: read(client, 25)) == [200] * 25


@pytest.mark.parametrize("form", ["429", "403", "200"])
def test_every_form_of_refusal_carries_the_vendors_text(form: Any) -> None:
    world = World(clock=Clock())
    world.limit("leadsquared", Limits(1, 5.0, form=form))

    async def scenario(client: httpx.AsyncClient) -> httpx.Response:
        await read(client)
        return await client.get(METADATA)

    answer = drive(world, scenario)
    assert answer.status_code == int(form)
    assert "Retry-After" not in answer.headers
    assert answer.json() == {
        "Status": "Error",
        "ExceptionType": "MXAPIRateLimitExceededException",
        "ExceptionMessage": "API calls exceeded the limit of 1 in 5 second(s)",
    }


@pytest.mark.parametrize(("tells", "number"), [(True, 10), (False, 25)])
def test_a_hidden_limit_refuses_first(tells: bool, number: int) -> None:
    world = World(clock=Clock())
    world.limit("leadsquared", Limits(25, 5.0, hidden=(10, 5.0), tells_hidden=tells))

    async def scenario(client: httpx.AsyncClient) -> str:
        assert await read(client, 10) == [200] * 10
        return (await client.get(METADATA)).json()["ExceptionMessage"]

    assert drive(world, scenario) == f"API calls exceeded the limit of {number} in 5 second(s)"


def test_retry_after_in_seconds_and_as_a_date() -> None:
    clock = Clock()
    world = World(clock=clock)

    async def scenario(client: httpx.AsyncClient) -> tuple[str, str]:
        headers = []
        for form in ("seconds", "date"):
            world.limit("leadsquared", Limits(1, 5.0, retry_after=form))
            await read(client)
            headers.append((await client.get(METADATA)).headers["Retry-After"])
        return headers[0], headers[1]

    seconds, date = drive(world, scenario)
    assert 5 <= int(seconds) <= 6
    assert 5 <= parsedate_to_datetime(date).timestamp() - clock.now <= 6


def test_an_ordered_throttle_uses_up_no_room() -> None:
    world = World(clock=Clock())
    world.limit("leadsquared", Limits(2, 5.0))
    world.fail_next("throttle")
    assert drive(world, lambda client: read(client, 4)) == [429, 200, 200, 429]


SEEN = {
    "reset_before": httpx.ReadError,
    "reset_after": httpx.ReadError,
    "refuse": httpx.ReadError,
    "hang": httpx.ReadTimeout,
    "hang_after": httpx.ReadTimeout,
    "cut": httpx.RemoteProtocolError,
    "close": httpx.RemoteProtocolError,
    "half_headers": httpx.RemoteProtocolError,
}


def test_every_kind_of_fault_is_tried_below() -> None:
    assert {
        "error_500",
        "error_500_after",
        "html_502",
        "html_200",
        "mx_error",
        "mx_error_200",
        "truncated",
        "empty",
        "wrong_type",
        "wrong_charset",
        "latin1",
        "gzip",
        "huge",
        "deep",
        "trickle",
        "redirect",
        "denied",
        "wrong_region",
        "throttle",
    } | SEEN.keys() == KINDS
    assert not BEFORE & AFTER
    assert HARMLESS <= AFTER


@pytest.mark.parametrize("kind", sorted(SEEN))
def test_faults_that_lose_the_answer(kind: str) -> None:
    world = world_with_one()
    world.fail_next(kind, at=PLACE)

    async def scenario(client: httpx.AsyncClient) -> int:
        with pytest.raises(SEEN[kind]):
            await update(client, timeout=0.3 if kind.startswith("hang") else 5)
        applied = len(world.writes)
        if kind != "refuse":
            assert (await update(client)).status_code == 200
        return applied

    assert drive(world, scenario) == (kind in AFTER)
    assert world.faults.happened == {(PLACE, kind): 1}


def spoiled(kind: str) -> tuple[World, httpx.Response]:
    world = world_with_one()
    world.fail_next(kind, at=PLACE)
    answer = drive(world, update)
    assert len(world.writes) == (kind in AFTER)
    return world, answer


@pytest.mark.parametrize("kind", ["error_500", "error_500_after"])
def test_a_plain_500_whether_the_call_was_carried_out_or_not(kind: str) -> None:
    answer = spoiled(kind)[1]
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "text/plain")
    assert answer.text == "Internal Server Error"


def test_pages_of_html() -> None:
    for kind, code in (("html_502", 502), ("html_200", 200)):
        answer = spoiled(kind)[1]
        assert answer.status_code == code
        assert answer.headers["Content-Type"] == "text/html"
        assert answer.text.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(("kind", "status"), [("mx_error", 500), ("mx_error_200", 200)])
def test_an_error_of_the_vendor_for_the_whole_call(kind: str, status: int) -> None:
    answer = spoiled(kind)[1]
    assert answer.status_code == status
    assert answer.json() == {
        "Status": "Error",
        "ExceptionType": "MXInvalidInputException",
        "ExceptionMessage": "Invalid input",
    }


@pytest.mark.parametrize(
    ("kind", "exception", "words"),
    [
        ("denied", "MXInvalidAccessDetailsException", "Invalid AccessKey or SecretKey"),
        ("wrong_region", "MXUnAuthorizedAccessException", "api-us11.leadsquared.com"),
    ],
)
def test_a_key_that_is_refused_though_it_is_right(kind: str, exception: str, words: str) -> None:
    world, answer = spoiled(kind)
    assert (answer.status_code, answer.json()["ExceptionType"]) == (401, exception)
    assert words in answer.json()["ExceptionMessage"]
    assert world.called("leadsquared", "denied", "bulk_update") == 1
    assert world.called("leadsquared") == 0


def test_a_redirect_leads_to_another_port_which_counts_who_brings_a_key() -> None:
    world = world_with_one()
    world.fail_next("redirect", times=2)

    async def scenario(client: httpx.AsyncClient) -> None:
        answer = await update(client)
        assert answer.status_code == 302
        assert answer.headers["Location"] == world.elsewhere + UPDATE
        assert not world.strays
        keys = {"accessKey": world.access_key, "secretKey": world.secret_key}
        answer = await client.get(METADATA, params=keys)
        async with httpx.AsyncClient() as other:
            await other.get(answer.headers["Location"])
            await other.get(world.elsewhere + METADATA, headers={"x-LSQ-SecretKey": world.secret_key})
            await other.post(world.elsewhere, content=world.leadbyte_key)
            await other.get(world.elsewhere + "/any?q=1")

    drive(world, scenario)
    assert world.strays == {"with a key": 3, "without a key": 1}


def test_a_host_that_refuses_connections_is_back_at_the_same_port() -> None:
    world = world_with_one()

    async def scenario() -> None:
        async with serve(world) as servers, httpx.AsyncClient(base_url=servers.leadsquared) as client:
            client.headers.update({"x-LSQ-AccessKey": world.access_key, "x-LSQ-SecretKey": world.secret_key})
            door = servers.doors["leadsquared"]
            assert await read(client) == [200]
            await door.shut()
            with pytest.raises(httpx.TransportError):
                # The connection that was kept open has gone.
                await client.get(METADATA)
            for _ in range(2):
                with pytest.raises(httpx.ConnectError):
                    await client.get(METADATA)
            await door.open()
            assert await read(client) == [200]
            door.shut_for(0.01)
            door.shut_for(60.0)
            with pytest.raises(httpx.TransportError):
                await asyncio.gather(*(client.get(METADATA) for _ in range(2)))
            while not door.is_open:  # noqa: ASYNC110  (nothing else tells that it listens again)
                await asyncio.sleep(0)
            assert await read(client) == [200]
            async with httpx.AsyncClient(base_url=servers.leadbyte) as other:
                assert (await other.get("/_sim/stats")).status_code == 200

    asyncio.run(asyncio.wait_for(scenario(), 10))


def test_a_refusal_by_rate_shuts_the_host_and_opens_it_again() -> None:
    world = world_with_one()
    world.faults.refuse_seconds = 0.01
    world.fail_next("refuse", at="leadsquared")

    async def scenario(client: httpx.AsyncClient) -> list[int]:
        with pytest.raises(httpx.ReadError):
            await read(client)
        codes: list[int] = []
        while not codes:
            try:
                codes = await read(client)
            except httpx.ConnectError:
                await asyncio.sleep(0)
        return codes

    assert drive(world, scenario) == [200]
    assert world.faults.happened == {("leadsquared.metadata", "refuse"): 1}


def test_half_an_answer_and_one_of_the_wrong_type() -> None:
    with pytest.raises(json.JSONDecodeError):
        spoiled("truncated")[1].json()
    answer = spoiled("wrong_type")[1]
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.json()["Status"]["SuccessCount"] == 1


def test_an_empty_answer_and_a_deep_one() -> None:
    answer = spoiled("empty")[1]
    assert (answer.status_code, answer.content) == (200, b"")
    deep = spoiled("deep")[1].text
    assert deep.count("[") == deep.count("]") == 100_000
    with pytest.raises(RecursionError):
        json.loads(deep)


def test_answers_in_other_encodings_than_they_say() -> None:
    answer = spoiled("latin1")[1]
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    with pytest.raises(UnicodeDecodeError):
        answer.content.decode()
    assert json.loads(answer.content.decode("latin-1"))["Note"] == "Zoë"
    answer = spoiled("wrong_charset")[1]
    assert answer.headers["Content-Type"] == "application/json; charset=iso-8859-1"
    assert json.loads(answer.content.decode())["Status"]["SuccessCount"] == 1


def test_an_answer_in_a_compression_that_nobody_asked_for() -> None:
    world = world_with_one()
    world.fail_next("gzip")
    answer = drive(world, lambda client: update(client, headers={"Accept-Encoding": "identity"}))
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.json()["Status"]["SuccessCount"] == 1


def test_an_answer_that_trickles_is_never_silent_and_takes_as_long_as_a_hang() -> None:
    world = world_with_one()
    world.fail_next("trickle", times=2, at=PLACE)

    async def scenario(client: httpx.AsyncClient) -> bytes:
        world.faults.hang_seconds = 1e6
        with pytest.raises(TimeoutError):
            # Each byte comes in time; only a limit on the whole helps.
            await asyncio.wait_for(update(client, timeout=None), 0.1)
        world.faults.hang_seconds = 0.01
        return (await update(client)).content

    assert json.loads(drive(world, scenario))["Status"]["SuccessCount"] == 1
    assert len(world.writes) == 2


def test_a_huge_answer_is_as_long_as_asked_and_may_be_left_early() -> None:
    world = world_with_one()
    world.faults.huge_bytes = 300_000
    world.fail_next("huge", times=2)

    async def scenario(client: httpx.AsyncClient) -> bytes:
        whole = (await update(client)).content
        world.faults.huge_bytes = 50_000_000
        async with client.stream("GET", METADATA) as answer:
            assert answer.headers["Content-Length"] == "50000000"
        assert await read(client) == [200]
        return whole

    whole = drive(world, scenario)
    assert len(whole) == 300_000
    assert json.loads(whole)["status"] == "Success"


def test_faults_by_rate_at_the_narrowest_place() -> None:
    world = world_with_one()
    world.limit("leadsquared", Limits())
    world.faults = Faults(rates={"": {"error_500": 1.0}, PLACE: {"html_502": 0.25}})

    async def scenario(client: httpx.AsyncClient) -> list[int]:
        assert await read(client) == [500]
        return [(await update(client)).status_code for _ in range(80)]

    codes = drive(world, scenario)
    assert set(codes) == {200, 502}
    assert 8 <= codes.count(502) <= 34
    assert len(world.writes) == codes.count(200)


def test_faults_by_rate_are_bounded() -> None:
    world = World()
    world.faults = Faults(rates={"leadsquared": {"error_500": 1.0}}, at_most=2)
    assert drive(world, lambda client: read(client, 4)) == [500, 500, 200, 200]


def test_ordered_faults_are_served_in_turn_and_only_at_their_place() -> None:
    world = World()
    world.fail_next("html_502", at=PLACE)
    world.fail_next("error_500", times=2, at="leadsquared")
    world.fail_next("html_200", at="leadbyte")
    assert drive(world, lambda client: read(client, 3)) == [500, 500, 200]


@pytest.mark.parametrize(
    ("rates", "reason"),
    [
        ({"": {"flood": 0.1}}, "no such fault: flood; the nearest is "),
        ({"leadbite": {"hang": 0.1}}, "no such place: leadbite; the nearest is leadbyte; "),
        ({"": {"hang": 0.7, "cut": 0.7}}, "from 0 to 1"),
        ({"": {"cut": -1.0}}, "from 0 to 1"),
    ],
)
def test_faults_that_cannot_be_are_refused(rates: dict[str, dict[str, float]], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Faults(rates=rates)


@pytest.mark.parametrize("order", [("hang", "leadsquared.bulk"), ("hangs", "leadsquared.bulk_update")])
def test_an_order_that_no_call_would_ever_meet_is_refused(order: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=r"the nearest is (leadsquared\.bulk_update|hang);"):
        World().fail_next(order[0], at=order[1])


def test_every_endpoint_is_a_place_where_calls_can_go_wrong() -> None:
    served = {
        f"{spec.name}.{endpoint.name}"
        for spec in (LEADBYTE, LEADSQUARED, LEADSQUARED_ASYNC)
        for endpoint in spec.routes.values()
    }
    assert served | {"", "leadbyte", "leadsquared", "leadsquared_async"} == PLACES


def test_stopping_cuts_off_calls_that_hang(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.fail_next("hang")

    async def scenario() -> None:
        async with serve(world) as servers, httpx.AsyncClient(timeout=30) as client:
            keys = {"accessKey": world.access_key, "secretKey": world.secret_key}
            hanging = asyncio.ensure_future(client.get(servers.leadsquared + METADATA, params=keys))
            while not world.faults.happened:  # noqa: ASYNC110  (nothing else tells that the call has arrived)
                await asyncio.sleep(0)
        with pytest.raises(httpx.TransportError):
            await hanging

    asyncio.run(asyncio.wait_for(scenario(), 10))
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
