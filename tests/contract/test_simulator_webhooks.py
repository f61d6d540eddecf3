"""The simulated LeadSquared tells webhooks of every lead that is updated, over real HTTP."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from aiohttp import web

from bridge.simulator import Servers, World, serve
from bridge.simulator.listening import listening

UPDATE = "/v2/LeadManagement.svc/Lead/Bulk/UpdateV2"
SUCCESS = '{"Status":"Success","StatusReason":""}'


class Clock:
    """Time that only a test moves."""

    now = 1_700_000_000.5

    def __call__(self) -> float:
        return self.now


@dataclass
class Listening:
    """Somebody who listens to a webhook. `answers`: status and body of the next calls, then all are a success; status 0:
    the connection is closed without an answer."""

    answers: list[tuple[int, str]] = field(default_factory=list)
    got: list[tuple[str, Any]] = field(default_factory=list)
    url: str = ""

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        self.got.append((request.method, json.loads(body) if body else None))
        if request.method == "HEAD":
            return web.Response()
        status, text = self.answers.pop(0) if self.answers else (200, SUCCESS)
        if not status and request.transport:
            request.transport.abort()
        headers = {"Location": "/elsewhere"} if status == 302 else {}
        return web.Response(status=status or 200, text=text, content_type="application/json", headers=headers)

    @property
    def methods(self) -> list[str]:
        return [method for method, _ in self.got]

    def stages(self) -> list[str]:
        """What the stage was after each change, in the order in which they were told."""
        return [body["After"]["ProspectStage"] for method, body in self.got if method == "POST"]


Story = Callable[[Servers, Listening], Awaitable[None]]


def tell(world: World, *stories: Story, answers: list[tuple[int, str]] | None = None) -> Listening:
    """What a registered webhook is told while these happen, each to its end before the next."""
    told = Listening(answers or [])

    async def run() -> None:
        async with listening(told, 0) as door, serve(world) as servers:
            told.url = f"{door.url}/hook"
            world.webhooks.append(told.url)
            for story in stories:
                await story(servers, told)
                while world.hooks.pending:  # noqa: ASYNC110  (the simulator has no event for a test to wait for)
                    await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(run(), 20))
    return told


def world_with_one() -> tuple[World, str]:
    world = World(clock=Clock())
    world.hooks.options.retry_seconds = world.hooks.options.overtaken_seconds = 0.0
    return world, world.add_person({"EmailAddress": "ann@example.com", "LastName": "Old"})


def edits(world: World, prospect: str, *stages: str) -> Story:
    async def story(_servers: Servers, _told: Listening) -> None:
        for stage in stages:
            world.edit(prospect, {"ProspectStage": stage})

    return story


def bulk(world: World, *values: str) -> Story:
    async def story(servers: Servers, _told: Listening) -> None:
        keys = {"x-LSQ-AccessKey": world.access_key, "x-LSQ-SecretKey": world.secret_key}
        async with httpx.AsyncClient(base_url=servers.leadsquared, headers=keys) as client:
            for value in values:
                row = {"EmailAddress": "ann@example.com", "ProspectStage": value}
                fields = [{"Attribute": name, "Value": text} for name, text in row.items()]
                body = {"SearchByKey": "EmailAddress", "LeadPropertiesList": [{"Fields": fields}]}
                assert (await client.post(UPDATE, json=body)).status_code == 200

    return story


def test_a_change_is_told_with_the_whole_lead_before_and_after() -> None:
    world, ann = world_with_one()
    told = tell(world, edits(world, ann, "Sold"))
    assert told.methods == ["HEAD", "POST"]
    body = told.got[1][1]
    assert list(body) == ["Before", "After"]
    assert body["After"] == world.crm.flat(ann)
    assert body["After"].keys() == body["Before"].keys() == world.crm.schema.keys()
    changed = {name for name in body["After"] if body["After"][name] != body["Before"][name]}
    assert changed == {"ProspectStage"}
    assert (body["Before"]["ProspectStage"], body["After"]["ProspectStage"]) == ("Prospect", "Sold")
    assert (body["After"]["ModifiedOn"], body["After"]["mx_Payout"]) == ("2023-11-14 22:13:20.000", None)


def test_every_call_is_on_record() -> None:
    world, ann = world_with_one()
    told = tell(world, edits(world, ann, "Sold"))
    assert [(call.method, call.prospect, call.attempt) for call in world.webhook_log] == [
        ("HEAD", ann, 0),
        ("POST", ann, 1),
    ]
    assert {(call.url, call.status) for call in world.webhook_log} == {(told.url, 200)}
    assert world.webhook_log[1].body == SUCCESS


def test_bulk_updates_are_told_and_async_ones_where_automations_fire() -> None:
    world, ann = world_with_one()

    async def queue(_servers: Servers, _told: Listening) -> None:
        for stage, fires in (("Qualified", False), ("Lost", True)):
            world.tasks.accept(ann, {"ProspectStage": stage}, "", world.clock(), fires=fires)
        world.settle(world.clock() + 10)

    assert tell(world, bulk(world, "Sold"), queue).stages() == ["Sold", "Lost"]


def test_what_is_no_update_is_not_told() -> None:
    world, ann = world_with_one()

    async def nothing(_servers: Servers, _told: Listening) -> None:
        world.touch(ann)
        world.add_person({"EmailAddress": "bob@example.com"})
        with pytest.raises(ValueError, match="Invalid option"):
            world.edit(ann, {"ProspectStage": "Nearly"})

    told = tell(world, nothing, bulk(world, "Nearly"))
    assert told.got == []
    assert world.webhook_log == []


def test_changes_are_told_in_order_and_those_before_it_is_served_too() -> None:
    world, ann = world_with_one()
    world.hooks.urls.append("http://127.0.0.1:1/nobody")
    world.edit(ann, {"ProspectStage": "Opportunity"})
    stages = ["Qualified", "Sold", "Lost", "Prospect"]
    assert tell(world, edits(world, ann, *stages)).stages() == stages
    lost = [call for call in world.webhook_log if call.url.endswith("nobody")]
    assert [call.method for call in lost] == ["HEAD"] + ["POST"] * 3 * (1 + len(stages))
    assert {call.status for call in lost} == {None}


@pytest.mark.parametrize(
    "answer",
    [
        (500, SUCCESS),
        (202, SUCCESS),
        (200, '{"Status":"Error"}'),
        (200, '{"Status":null}'),
        (200, "[]"),
        (200, "OK"),
        (302, ""),
    ],
)
def test_a_wrong_answer_is_asked_for_three_times_and_then_the_webhook_is_disabled(
    answer: tuple[int, str],
) -> None:
    world, ann = world_with_one()
    told = tell(world, edits(world, ann, "Sold"), edits(world, ann, "Lost"), answers=[answer] * 3)
    assert told.methods == ["HEAD"] + ["POST"] * 3
    assert told.stages() == ["Sold"] * 3
    assert world.hooks.disabled == {told.url}
    assert [(call.attempt, call.status, call.body) for call in world.webhook_log[1:]] == [
        (attempt, *answer) for attempt in (1, 2, 3)
    ]


def test_a_disabled_webhook_is_told_again_once_it_is_registered_anew() -> None:
    world, ann = world_with_one()

    async def again(_servers: Servers, told: Listening) -> None:
        world.hooks.register(told.url)

    told = tell(
        world, edits(world, ann, "Sold"), again, edits(world, ann, "Lost"), answers=[(500, SUCCESS)] * 3
    )
    assert told.methods == ["HEAD"] + ["POST"] * 3 + ["HEAD", "POST"]
    assert told.stages()[-1] == "Lost"
    assert world.webhooks == [told.url]
    assert not world.hooks.disabled


@pytest.mark.parametrize("bad", [(500, SUCCESS), (0, "")])
def test_a_call_that_succeeds_at_its_third_try_is_told_and_disables_nothing(bad: tuple[int, str]) -> None:
    world, ann = world_with_one()
    told = tell(world, edits(world, ann, "Sold"), edits(world, ann, "Lost"), answers=[bad] * 2)
    assert told.stages() == ["Sold"] * 3 + ["Lost"]
    assert not world.hooks.disabled


def test_a_listener_that_is_away_is_not_disabled_and_misses_what_happened_meanwhile() -> None:
    world, ann = world_with_one()
    told = tell(world, edits(world, ann, "Sold"), edits(world, ann, "Lost"), answers=[(0, "")] * 3)
    assert told.stages() == ["Sold"] * 3 + ["Lost"]
    assert [call.status for call in world.webhook_log[1:]] == [None] * 3 + [200]


def test_a_webhook_is_greeted_when_it_is_registered_and_no_second_time() -> None:
    world, ann = world_with_one()

    async def register(servers: Servers, told: Listening) -> None:
        world.webhooks.clear()
        async with httpx.AsyncClient() as client:
            for _ in range(2):
                answer = await client.post(f"{servers.control}/webhooks", content=f'{{"url":"{told.url}"}}')
                assert answer.json()["webhooks"] == [told.url]
                while world.hooks.pending:  # noqa: ASYNC110  (the simulator has no event for a test to wait for)
                    await asyncio.sleep(0)

    told = tell(world, register, edits(world, ann, "Sold", "Lost"))
    assert told.methods == ["HEAD", "HEAD", "POST", "POST"]


def test_another_process_reads_what_was_called() -> None:
    world, ann = world_with_one()
    seen: dict[str, Any] = {}

    async def look(servers: Servers, _told: Listening) -> None:
        async with httpx.AsyncClient() as client:
            seen.update((await client.get(f"{servers.control}/webhooks")).json())

    told = tell(world, edits(world, ann, "Sold"), look)
    assert (seen["webhooks"], seen["disabled"], seen["pending"]) == ([told.url], [], 0)
    assert seen["log"][1] == {
        "at": world.clock(),
        "method": "POST",
        "url": told.url,
        "prospect": ann,
        "attempt": 1,
        "status": 200,
        "body": SUCCESS,
    }


def test_a_change_may_be_told_twice() -> None:
    world, ann = world_with_one()
    world.hooks.options.doubled = 1.0
    assert tell(world, edits(world, ann, "Sold", "Lost")).stages() == ["Sold", "Sold", "Lost", "Lost"]
    assert world.hooks.options.mishaps == 2


def test_a_change_may_be_lost() -> None:
    world, ann = world_with_one()
    world.hooks.options.lost = 1.0
    assert tell(world, edits(world, ann, "Sold")).got == []
    assert (world.hooks.options.mishaps, world.hooks.pending) == (1, 0)


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        (["Sold", "Lost"], ["Lost", "Sold"]),
        (["Sold", "Lost", "Qualified"], ["Lost", "Sold", "Qualified"]),
        (["Sold", "Lost", "Qualified", "Unqualified"], ["Lost", "Sold", "Unqualified", "Qualified"]),
        (["Sold"], ["Sold"]),
    ],
)
def test_changes_may_be_told_out_of_order_but_all_are_told(stages: list[str], told: list[str]) -> None:
    world, ann = world_with_one()
    world.hooks.options.overtaken = 1.0
    assert tell(world, edits(world, ann, *stages)).stages() == told


def test_what_is_still_to_be_told_when_serving_ends_is_told_the_next_time() -> None:
    world, ann = world_with_one()
    told = Listening()
    world.hooks.options.overtaken, world.hooks.options.overtaken_seconds = 1.0, 60.0

    async def run() -> None:
        async with listening(told, 0) as door:
            world.webhooks.append(door.url)
            async with serve(world):
                world.edit(ann, {"ProspectStage": "Sold"})
                while world.hooks.held is None:  # noqa: ASYNC110  (as above)
                    await asyncio.sleep(0)
            assert world.hooks.pending == 1
            world.hooks.options.overtaken_seconds = 0.0
            async with serve(world):
                while world.hooks.pending:  # noqa: ASYNC110  (as above)
                    await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(run(), 20))
    assert told.stages() == ["Sold"]


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:1/x",
        "http://example.com/x",
        "http://10.0.0.1/x",
        "ftp://127.0.0.1/",
        "127.0.0.1",
        "",
    ],
)
def test_webhooks_lead_to_this_machine_alone(url: str) -> None:
    world, ann = world_with_one()
    with pytest.raises(ValueError, match="on this machine"):
        world.hooks.register(url)
    world.webhooks.append(url)
    told = tell(world, edits(world, ann, "Sold"))
    assert told.stages() == ["Sold"]
    assert {call.status for call in world.webhook_log if call.url == url} == {None}
