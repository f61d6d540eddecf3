"""What `ports.Source` promises, kept by the LeadByte client over real HTTP."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from bridge.errors import CallError, Denied, LostAnswer, Refused, ServerFault, Throttled, Unreachable
from bridge.http import open_client
from bridge.leadbyte import LeadByteSource
from bridge.model import QueueReply, Verdict
from bridge.ports import Source
from bridge.simulator import World, serve
from bridge.simulator.limits import Limits
from bridge.simulator.queue import Profile
from bridge.telemetry import Redactor

RESULT = {
    "status": "Approved",
    "processed": "2022-07-13T09:35:04Z",
    "response": {"code": 1, "response": "OK", "info": [], "leadId": 7185867, "rejectionId": None},
    "buyer": {"id": 33, "name": "Acme"},
    "lead": {"firstname": "Zoë", "email": "zoe@example.com"},
}


def using(world: World, use: Callable[[LeadByteSource], Coroutine[Any, Any, Any]], **settings: Any) -> Any:
    """What `use(source)` gives against a simulated LeadByte."""

    async def main() -> Any:
        key = settings.pop("key", world.leadbyte_key)
        timeout = settings.pop("timeout", 10.0)
        async with serve(world) as servers, open_client(timeout=timeout) as client:
            url = settings.pop("url", servers.leadbyte)
            source: Source = LeadByteSource(client, url=url, key=key, redact=Redactor([key]), **settings)
            assert isinstance(source, LeadByteSource)
            return await use(source)

    return asyncio.run(main())


def poll(world: World, queue_id: str, **settings: Any) -> QueueReply:
    async def use(source: LeadByteSource) -> QueueReply:
        return await source.poll(queue_id)

    reply: QueueReply = using(world, use, **settings)
    return reply


@pytest.mark.parametrize("naming", ["usual", "singular", "plural"])
@pytest.mark.parametrize("envelope", ["records", "results", "bare"])
@pytest.mark.parametrize(("id_key", "ids_as"), [("queueId", "number"), ("queueRef", "text")])
def test_a_result_looks_the_same_in_every_shape(envelope: Any, naming: Any, id_key: Any, ids_as: Any) -> None:
    world = World(profile=Profile(envelope=envelope, naming=naming, id_key=id_key, ids_as=ids_as))
    queue_id = world.add_lead(RESULT)
    reply = poll(world, queue_id)
    assert (reply.verdict, reply.status, reply.processed) == (
        Verdict.FINAL,
        "Approved",
        "2022-07-13T09:35:04Z",
    )
    view = reply.view
    assert (view["queueId"], view["leadId"], view["buyer"]["name"]) == (queue_id, "7185867", "Acme")
    assert view["lead"] == RESULT["lead"]
    assert json.loads(reply.raw) == view["raw"]


def test_a_lead_in_the_queue_is_pending_and_one_held_is_quarantined() -> None:
    world = World()
    queue_id = world.add_lead(RESULT, queued_polls=1, quarantined_for=3600)

    async def use(source: LeadByteSource) -> list[QueueReply]:
        return [await source.poll(queue_id) for _ in range(2)]

    queued, held = using(world, use)
    assert (queued.verdict, queued.status) == (Verdict.PENDING, "Queued")
    assert (held.verdict, held.view["quarantineId"]) == (Verdict.QUARANTINED, "8419715")


@pytest.mark.parametrize("unknown", ["error", "404", "word"])
def test_an_id_leadbyte_does_not_know_is_a_pending_reply(unknown: Any) -> None:
    reply = poll(World(profile=Profile(unknown_id=unknown)), "ac1e0206-0")
    assert (reply.verdict, reply.status) == (Verdict.PENDING, "Not Found")


def test_a_status_word_of_the_settings_counts() -> None:
    world = World()
    assert poll(world, world.add_lead({**RESULT, "status": "Bespoke"})).verdict is Verdict.UNKNOWN
    again = poll(world, world.add_lead({**RESULT, "status": "Bespoke"}), statuses={"bespoke": "final"})
    assert again.verdict is Verdict.FINAL


def test_a_kept_reply_reads_as_it_did_and_by_todays_words() -> None:
    world = World()
    reply = poll(world, queue_id := world.add_lead(RESULT))

    async def use(source: LeadByteSource) -> QueueReply:
        return source.reread(queue_id, reply.raw)

    assert using(world, use) == reply
    assert using(world, use, statuses={"approved": "pending"}).verdict is Verdict.PENDING
    with pytest.raises(ServerFault):
        using(world, lambda source: asyncio.sleep(0, source.reread(queue_id, "<html>")))


def test_a_large_kept_reply_reads_as_a_small_one() -> None:
    world = World()
    lead = {"firstname": "Zoë", "comments": "x" * 10_000}
    reply = poll(world, queue_id := world.add_lead({**RESULT, "lead": lead}))
    assert reply.view["lead"] == lead
    assert using(world, lambda source: asyncio.sleep(0, source.reread(queue_id, reply.raw))) == reply


@pytest.mark.parametrize("unknown", ["error", "404", "word"])
def test_a_ping_is_answered_where_leadbyte_is_well(unknown: Any) -> None:
    world = World(profile=Profile(unknown_id=unknown))
    using(world, lambda source: source.ping())
    assert world.called("leadbyte") == 1
    world.fail_next("html_502")
    with pytest.raises(ServerFault):
        using(world, lambda source: source.ping())


def test_the_key_may_travel_in_a_header() -> None:
    world = World(profile=Profile(key_in="header", key_header="X-KEY"))
    queue_id = world.add_lead(RESULT)
    assert poll(world, queue_id, queue_key_in="header", key_header="X-KEY").status == "Approved"
    with pytest.raises(Denied):
        poll(world, queue_id)


@pytest.mark.parametrize("queue_id", ["a/b", "é ?#&%", "..;x", "%2e%2e"])
def test_an_id_arrives_as_it_is(queue_id: str) -> None:
    world = World()
    world.add_lead({**RESULT, "queueId": queue_id})
    assert poll(world, queue_id).view["queueId"] == queue_id


def failure(world: World, kind: type[CallError], **settings: Any) -> CallError:
    queue_id = world.add_lead(RESULT)
    with pytest.raises(CallError) as caught:
        poll(world, queue_id, **settings)
    error = caught.value
    assert type(error) is kind, error
    for secret in (world.leadbyte_key, queue_id, "wr$ng", "zoe@example.com"):
        assert secret not in str(error)
    assert "\n" not in str(error)
    assert error.__cause__ is None
    return error


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("reset_before", LostAnswer),
        ("reset_after", LostAnswer),
        ("cut", LostAnswer),
        ("error_500", ServerFault),
        ("html_502", ServerFault),
        ("html_200", ServerFault),
        ("truncated", ServerFault),
        ("huge", ServerFault),
        ("mx_error", ServerFault),
    ],
)
def test_every_fault_is_the_right_error(fault: str, kind: type[CallError]) -> None:
    world = World()
    world.fail_next(fault)
    failure(world, kind)


def test_silence_is_a_lost_answer() -> None:
    world = World()
    world.fail_next("hang")
    assert "no whole answer in 0.2 s" in str(failure(world, LostAnswer, timeout=0.2))


def test_json_sent_as_html_is_still_json() -> None:
    world = World()
    world.fail_next("wrong_type")
    assert poll(world, world.add_lead(RESULT)).status == "Approved"


def test_nobody_there() -> None:
    assert "cannot reach http://127.0.0.1:9: " in str(failure(World(), Unreachable, url="http://127.0.0.1:9"))


def test_a_wrong_key_and_a_missing_permission() -> None:
    world = World()
    assert "Invalid API key" in str(failure(world, Denied, key="wr$ng"))
    world.leadbyte_keys[world.leadbyte_key] = frozenset({"Leads > Update"})
    assert "API queue" in str(failure(world, Denied))


@pytest.mark.parametrize("form", ["429", "403", "200"])
def test_a_throttle_in_every_form(form: Any) -> None:
    world = World()
    world.limit("leadbyte", Limits(calls=1, seconds=60, form=form, retry_after="seconds"))
    world.limiter("leadbyte").take(world.clock())
    error = failure(world, Throttled)
    assert isinstance(error, Throttled)
    assert (error.retry_after or 0) > 0 or form == "200"


def test_an_id_that_would_lead_elsewhere_is_refused() -> None:
    async def use(source: LeadByteSource) -> None:
        with pytest.raises(Refused, match="empty or only dots"):
            await source.poll("..")

    using(World(), use)


def test_many_polls_at_once_share_one_client() -> None:
    world = World()
    ids = [world.add_lead({**RESULT, "lead": {"n": n}}) for n in range(60)]

    async def use(source: LeadByteSource) -> list[QueueReply]:
        return await asyncio.gather(*map(source.poll, ids))

    replies = using(world, use)
    assert [reply.view["lead"]["n"] for reply in replies] == list(range(60))
    assert [reply.view["queueId"] for reply in replies] == ids
