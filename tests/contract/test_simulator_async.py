"""The simulated async host: accepted is not applied."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from bridge.simulator import World, serve

PROSPECT = "11111111-2222-4333-8444-555555555555"
UPDATE = [{"Attribute": "LastName", "Value": "New"}]


class Clock:
    """Time that only a test moves."""

    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class Api:
    """The three calls of the async host."""

    def __init__(self, world: World, client: httpx.AsyncClient) -> None:
        self.world = world
        self.client = client
        self.headers = {"x-api-key": world.async_api_key}

    async def submit(self, lead: str | None = PROSPECT, body: Any = UPDATE, **request: Any) -> httpx.Response:
        params = {
            "accessKey": self.world.access_key,
            "secretKey": self.world.secret_key,
            "postUpdatedLead": "false",
        }
        params |= {"leadId": lead} if lead else {}
        params |= request.pop("params", {})
        return await self.client.post(
            "/lead/update", **{"params": params, "headers": self.headers, "json": body, **request}
        )

    async def accepted(self, **submitted: Any) -> str:
        return (await self.submit(**submitted)).json()["RequestID"]

    async def status(self, request_id: str) -> httpx.Response:
        return await self.client.get(
            "/lead/update/status", params={"RequestID": request_id}, headers=self.headers
        )

    async def task(self, request_id: str) -> dict[str, Any]:
        return (await self.status(request_id)).json()["TaskStatus"]


def drive(world: World, scenario: Callable[[Api], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with serve(world) as servers, httpx.AsyncClient(base_url=servers.leadsquared_async) as client:
            return await scenario(Api(world, client))

    return asyncio.run(run())


def world_with_one() -> tuple[World, Clock]:
    clock = Clock()
    world = World(clock=clock)
    world.add_person({"ProspectID": PROSPECT, "EmailAddress": "a@example.com", "LastName": "Old"})
    world.tasks.options.delay = 10.0
    return world, clock


def test_accepted_word_for_word_queued_and_applied_after_the_delay() -> None:
    world, clock = world_with_one()

    async def scenario(api: Api) -> None:
        reply = (await api.submit()).json()
        assert reply == {
            "Status": "Request accepted. Please use below request id to check the status",
            "RequestID": reply["RequestID"],
        }
        queued = await api.task(reply["RequestID"])
        assert (queued["Status"], queued["Message"]) == ("In-Queue", None)
        assert world.crm.leads[PROSPECT]["LastName"] == "Old"
        clock.now += 10
        done = await api.task(reply["RequestID"])
        assert (done["TaskType"], done["Status"]) == ("Lead Update", "Success")
        assert json.loads(done["Message"]) == {"Status": "Success", "Message": {"AffectedRows": 1}}
        assert json.loads(done["RequestBody"]) == UPDATE
        assert world.crm.leads[PROSPECT]["LastName"] == "New"
        assert world.writes[0].at == clock.now

    drive(world, scenario)


@pytest.mark.parametrize("form", ["text", "object", "null"])
def test_an_unknown_lead_is_accepted_and_fails_later(form: Any) -> None:
    world, clock = world_with_one()
    world.tasks.options.message = form

    async def scenario(api: Api) -> dict[str, Any]:
        request_id = await api.accepted(lead="nobody")
        clock.now += 10
        return await api.task(request_id)

    task = drive(world, scenario)
    assert task["Status"] == "FAILURE"
    message = json.loads(task["Message"]) if form == "text" else task["Message"]
    reason = task["StatusReason"] if form == "null" else message["ExceptionMessage"]
    assert reason == "Lead does not exist in the system"
    assert not world.writes


def test_a_failure_can_hide_behind_the_success_word() -> None:
    world, clock = world_with_one()
    world.tasks.options.hidden_failure = True

    async def scenario(api: Api) -> dict[str, Any]:
        request_id = await api.accepted(body=[{"Attribute": "mx_A", "Value": "1"}])
        clock.now += 10
        return await api.task(request_id)

    task = drive(world, scenario)
    assert task["Status"] == "Success"
    assert json.loads(task["Message"])["ExceptionType"] == "MXUnknownAttributeException"
    assert json.loads(task["Message"])["ExceptionMessage"] == "Attribute(s) does not exist - mx_A"


def test_automations_fire_only_when_asked_and_applied() -> None:
    world, clock = world_with_one()

    async def scenario(api: Api) -> None:
        await api.submit()
        await api.submit(params={"postUpdatedLead": "true"})
        await api.submit(lead="nobody", params={"postUpdatedLead": "true"})
        clock.now += 10
        await api.status("any")

    drive(world, scenario)
    assert [write.fired for write in world.writes] == [False, True]


def test_updates_overtake_one_another_when_shuffled_and_overlaps_are_noticed() -> None:
    world, clock = world_with_one()
    world.limit("leadsquared_async", type(world.limiter("leadsquared").limits)())
    world.tasks.options.shuffle = True

    async def scenario(api: Api) -> None:
        for number in range(20):
            await api.submit(body=[{"Attribute": "LastName", "Value": str(number)}])
        clock.now += 20
        await api.status("any")

    drive(world, scenario)
    applied = [int(write.fields["LastName"]) for write in world.writes]
    assert sorted(applied) == list(range(20))
    assert applied != sorted(applied)
    assert world.tasks.overlaps == 19


def test_updates_one_after_another_are_no_overlap() -> None:
    world, clock = world_with_one()

    async def scenario(api: Api) -> None:
        for _ in range(3):
            await api.submit()
            clock.now += 10

    drive(world, scenario)
    assert world.tasks.overlaps == 0


@pytest.mark.parametrize("body", [{}, [], {"Attribute": "LastName", "Value": "x"}, [["LastName", "x"]]])
def test_a_body_that_is_no_array_of_pairs_is_a_bad_request(body: Any) -> None:
    world, _ = world_with_one()
    assert drive(world, lambda api: api.submit(body=body)).status_code == 400


def test_a_missing_lead_id_is_a_bad_request() -> None:
    world, _ = world_with_one()
    answer = drive(world, lambda api: api.submit(lead=None))
    assert (answer.status_code, answer.json()["ExceptionMessage"]) == (
        400,
        "'leadId' is mandatory for updating lead",
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"headers": {}},
        {"headers": {"x-api-key": "wrong"}},
        {"params": {"secretKey": "wrong"}},
    ],
)
def test_a_submit_needs_both_query_keys_and_the_api_key(wrong: dict[str, Any]) -> None:
    world, _ = world_with_one()
    assert drive(world, lambda api: api.submit(**wrong)).status_code == 401
    assert world.called("leadsquared_async", "denied", "update") == 1


def test_the_headers_of_the_sync_host_do_not_open_a_submit() -> None:
    world, _ = world_with_one()

    async def scenario(api: Api) -> httpx.Response:
        keys = {"x-LSQ-AccessKey": world.access_key, "x-LSQ-SecretKey": world.secret_key}
        return await api.client.post(
            "/lead/update", params={"leadId": PROSPECT}, headers=api.headers | keys, json=UPDATE
        )

    assert drive(world, scenario).status_code == 401


def test_an_unknown_or_forgotten_request() -> None:
    world, clock = world_with_one()
    world.tasks.options.forget_after = 60.0

    async def scenario(api: Api) -> list[int]:
        request_id = await api.accepted()
        clock.now += 10
        codes = [(await api.status(request_id)).status_code]
        clock.now += 60
        codes.append((await api.status(request_id)).status_code)
        world.tasks.options.unknown_request = "envelope"
        answer = await api.status(request_id)
        assert answer.json()["Status"] == "Error"
        return [*codes, answer.status_code]

    assert drive(world, scenario) == [200, 404, 500]


@pytest.mark.parametrize(
    ("share", "word", "reason"),
    [
        ("lost", None, None),
        ("stuck", "In-Queue", None),
        ("failing", "FAILURE", "The lead could not be updated"),
    ],
)
def test_an_accepted_update_may_come_to_nothing(share: str, word: str | None, reason: str | None) -> None:
    world, clock = world_with_one()
    setattr(world.tasks.options, share, 1.0)
    world.tasks.options.message = "object"

    async def scenario(api: Api) -> httpx.Response:
        request_id = await api.accepted(params={"postUpdatedLead": "true"})
        if word:
            assert (await api.task(request_id))["Status"] == "In-Queue"
        clock.now += 1000
        return await api.status(request_id)

    answer = drive(world, scenario)
    assert (answer.status_code, world.tasks.mishaps) == (200 if word else 404, 1)
    assert not world.writes
    if word:
        task = answer.json()["TaskStatus"]
        assert task["Status"] == word
        assert (task["Message"] or {}).get("ExceptionMessage") == reason


def test_some_updates_come_to_nothing_and_the_others_are_applied() -> None:
    world, clock = world_with_one()
    world.limit("leadsquared_async", type(world.limiter("leadsquared").limits)())
    world.tasks.options.lost = world.tasks.options.stuck = world.tasks.options.failing = 0.2

    async def scenario(api: Api) -> None:
        for _ in range(60):
            await api.submit()
        clock.now += 10
        await api.status("any")

    drive(world, scenario)
    assert 15 <= world.tasks.mishaps <= 45
    assert len(world.writes) == 60 - world.tasks.mishaps


@pytest.mark.parametrize(
    ("spelt", "names"),
    [
        ("camel", ["pendingMessages", "maxDelayInSeconds", "processingRatePerMinute"]),
        ("lower", ["pendingmessages", "maxdelayinseconds", "processingrateperminute"]),
        ("upper", ["PENDINGMESSAGES", "MAXDELAYINSECONDS", "PROCESSINGRATEPERMINUTE"]),
    ],
)
def test_the_names_of_the_metrics_are_spelt_in_several_ways(spelt: Any, names: list[str]) -> None:
    world, _ = world_with_one()
    world.tasks.options.metrics = spelt

    async def scenario(api: Api) -> Any:
        return (await api.client.get("/lead/update/metrics", headers=api.headers)).json()

    assert list(drive(world, scenario)) == names


def test_metrics_tell_how_far_behind_the_queue_is() -> None:
    world, clock = world_with_one()

    async def scenario(api: Api) -> list[dict[str, int]]:
        shown = []
        await api.submit()
        for seconds in (4, 6):
            clock.now += seconds
            shown.append((await api.client.get("/lead/update/metrics", headers=api.headers)).json())
        return shown

    assert drive(world, scenario) == [
        {"PendingMessages": 1, "MaxDelayInSeconds": 4, "ProcessingRatePerMinute": 0},
        {"PendingMessages": 0, "MaxDelayInSeconds": 0, "ProcessingRatePerMinute": 1},
    ]
