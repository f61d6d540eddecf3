"""The simulated LeadByte answers as its pages print, and as its clients have seen."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from bridge.simulator import Profile, Servers, World, serve

QUEUE = "/restapi/v1.3/apiqueue/"
QUEUE_ID = "ac1e0206-6d6fd2fa-62ce91e7-ba33-5cc458e6"
REPLY = {
    "queueId": QUEUE_ID,
    "status": "Approved",
    "processed": "2022-11-17T16:03:04Z",
    "response": {"code": 1, "response": "OK", "info": ["first", "second"], "leadId": 7185867},
    "deliveries": [{"id": 1053, "status": "Success"}],
    "campaign": {"id": 205, "name": "Solar"},
    "supplier": {"id": 7, "name": "Click House"},
    "buyer": {"id": 33, "name": "Sunrise"},
    "lead": {"firstname": "Zoë"},
}


class Clock:
    """Time that only a test moves."""

    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def drive(world: World, scenario: Callable[[httpx.AsyncClient, Servers], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with serve(world) as servers, httpx.AsyncClient(base_url=servers.leadbyte) as client:
            return await scenario(client, servers)

    return asyncio.run(run())


def poll(world: World, queue_id: str = QUEUE_ID, **request: Any) -> httpx.Response:
    async def scenario(client: httpx.AsyncClient, _: Servers) -> httpx.Response:
        return await client.get(QUEUE + queue_id, **{"params": {"key": world.leadbyte_key}, **request})

    return drive(world, scenario)


def polled(profile: Profile, reply: dict[str, Any] | None = None) -> dict[str, Any]:
    world = World(profile=profile)
    world.add_lead(reply or REPLY)
    return poll(world).json()


def test_a_processed_lead_comes_in_the_records_envelope() -> None:
    assert polled(Profile()) == {
        "status": "Success",
        "code": 1,
        "message": "OK",
        "records": [REPLY],
    }


def test_each_envelope_and_id_key() -> None:
    results = polled(Profile(envelope="results", id_key="queueRef"))
    assert results["results"][0]["queueRef"] == QUEUE_ID
    assert "queueId" not in results["results"][0]
    bare = polled(Profile(envelope="bare"))
    assert (bare["queueId"], bare["status"]) == (QUEUE_ID, "Approved")


def test_ids_info_response_and_sections_take_every_seen_form() -> None:
    text = polled(Profile(envelope="bare", ids_as="text", info="object"))
    assert text["response"]["leadId"] == "7185867"
    assert text["response"]["info"] == {"0": "first", "1": "second"}
    assert text["buyer"]["id"] == "33"
    assert polled(Profile(envelope="bare", info="empty"))["response"]["info"] == []
    assert "response" not in polled(Profile(response=False, envelope="bare"))
    assert polled(Profile(envelope="bare", sections=("buyer",))).keys() & {"deliveries", "lead", "buyer"} == {
        "buyer"
    }


def test_sections_in_singular_and_plural() -> None:
    singular = polled(Profile(envelope="bare", naming="singular"))
    assert singular["delivery"] == {"id": 1053, "status": "Success"}
    assert singular["buyer"] == {"id": 33, "name": "Sunrise"}
    plural = polled(Profile(envelope="bare", naming="plural"))
    assert plural["buyers"] == [{"id": 33, "name": "Sunrise"}]
    assert plural["leads"] == [{"firstname": "Zoë"}]
    assert plural["deliveries"] == [{"id": 1053, "status": "Success"}]


def test_a_profile_of_one_lead_goes_before_the_worlds() -> None:
    world = World(profile=Profile(envelope="records"))
    world.add_lead(REPLY, profile=Profile(envelope="bare"))
    assert poll(world).json()["status"] == "Approved"


@pytest.mark.parametrize("word", ["Rejected", "Duplicate", "Quarantined", "Vetted"])
def test_any_status_word_is_passed_on(word: str) -> None:
    assert polled(Profile(envelope="bare"), REPLY | {"status": word})["status"] == word


def test_queued_for_some_seconds_and_then_quarantined_for_some() -> None:
    clock = Clock()
    world = World(clock=clock, profile=Profile(envelope="bare"))
    world.add_lead(REPLY, ready_after=10, quarantined_for=5)
    assert poll(world).json() == {"queueId": QUEUE_ID, "status": "Queued", "code": 1}
    clock.now += 10
    held = poll(world).json()
    assert (held["status"], held["response"]["quarantineId"]) == ("Quarantined", 8419715)
    clock.now += 5
    assert poll(world).json()["status"] == "Approved"


def test_queued_for_some_polls() -> None:
    world = World(profile=Profile(envelope="bare"))
    world.add_lead(REPLY, queued_polls=2)
    assert [poll(world).json()["status"] for _ in range(3)] == ["Queued", "Queued", "Approved"]


def test_a_wrong_key_and_one_without_the_permission() -> None:
    world = World()
    world.add_lead(REPLY)
    world.leadbyte_keys["updates$only"] = frozenset({"Leads > Update"})
    wrong = poll(world, params={"key": "nonsense"})
    assert (wrong.status_code, wrong.json()) == (401, {"status": "Error", "message": "Invalid API key"})
    assert poll(world, params={}).status_code == 401
    lacking = poll(world, params={"key": "updates$only"})
    assert lacking.status_code == 403
    assert "API queue" in lacking.json()["message"]
    assert world.called("leadbyte", "denied", "apiqueue") == 3
    assert world.called("leadbyte") == 0


def test_the_key_is_taken_from_the_header_only_where_the_profile_says_so() -> None:
    world = World()
    world.add_lead(REPLY)
    in_header = {"params": {}, "headers": {"X_KEY": world.leadbyte_key}}
    assert poll(world, **in_header).status_code == 401
    world.profile = replace(world.profile, key_in="header")
    assert poll(world, **in_header).status_code == 200
    assert poll(world).status_code == 401


def test_an_unknown_queue_id() -> None:
    world = World()
    answers = []
    for how in ("error", "404", "word", "queued"):
        world.profile = Profile(unknown_id=how, envelope="bare")
        answer = poll(world, "nobody")
        answers.append((answer.status_code, answer.json()["status"]))
    assert answers == [(200, "Error"), (404, "Error"), (200, "Not Found"), (200, "Queued")]


def test_submit_answers_word_for_word_as_the_page_and_the_lead_can_be_polled() -> None:
    world = World()

    async def scenario(client: httpx.AsyncClient, _: Servers) -> tuple[Any, Any]:
        headers = {"X_KEY": world.leadbyte_key}
        sent = await client.post("/restapi/v1.3/leads", headers=headers, json={"lead": {"firstname": "Ann"}})
        queue_id = sent.json()["results"][0]["queueId"]
        got = await client.get(QUEUE + queue_id, params={"key": world.leadbyte_key})
        return sent.json(), got.json()

    sent, got = drive(world, scenario)
    queue_id = sent["results"][0]["queueId"]
    assert sent == {
        "status": "Success",
        "code": 1,
        "message": "",
        "results": [{"queueId": queue_id, "status": "Queued", "code": 1}],
    }
    assert [len(group) for group in queue_id.split("-")] == [8, 8, 8, 4, 8]
    assert got["records"][0]["lead"] == {"firstname": "Ann"}


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"lead":[]}', b"{}"])
def test_submit_refuses_what_is_no_lead(body: bytes) -> None:
    world = World()

    async def scenario(client: httpx.AsyncClient, _: Servers) -> httpx.Response:
        headers = {"X_KEY": world.leadbyte_key, "Content-Type": "application/json"}
        return await client.post("/restapi/v1.3/leads", headers=headers, content=body)

    assert drive(world, scenario).json()["status"] == "Error"
    assert not world.queue


def test_an_address_that_is_no_endpoint() -> None:
    async def scenario(client: httpx.AsyncClient, _: Servers) -> list[int]:
        return [(await client.get(path)).status_code for path in ("/", QUEUE, "/restapi/v1.3/leads")]

    assert drive(World(), scenario) == [404, 404, 404]


def test_polls_in_progress_at_once_are_counted() -> None:
    world = World()
    world.add_lead(REPLY)
    world.answer_delay["leadbyte"] = 0.05

    async def scenario(client: httpx.AsyncClient, _: Servers) -> None:
        url = QUEUE + QUEUE_ID
        await asyncio.gather(*(client.get(url, params={"key": world.leadbyte_key}) for _ in range(8)))

    drive(world, scenario)
    assert world.busiest["leadbyte"] > 1
    assert world.called("leadbyte", endpoint="apiqueue") == len(world.arrivals["leadbyte"]) == 8
