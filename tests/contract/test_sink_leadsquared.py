"""What `ports.Sink` promises, kept by the LeadSquared client over real HTTP."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import pytest
from aiohttp import web

from bridge.errors import CallError, Denied, LostAnswer, Refused, ServerFault, Throttled, Unreachable
from bridge.http import open_client
from bridge.leadsquared import FieldInfo, LeadSquaredSink, Metrics
from bridge.model import Delivery, Kind, Lane, Outcome, State, identity
from bridge.ports import Sink
from bridge.simulator import World, serve
from bridge.simulator.limits import Limits
from bridge.telemetry import Redactor

EMAIL = Lane("bulk", "EmailAddress", "unprocessed")
BY_ID = Lane("bulk", "", "failed")
SILENT = Lane("async", "", "silent")
UNKNOWN = "Lead does not exist in the system or You do not have permission to update the lead"


def delivery(lane: Lane, key: str, **fields: str) -> Delivery:
    return Delivery(1, 1, "q", "m", identity(key, fields[key]), lane, [key], fields, {}, 0)


def by_email(email: str, **fields: str) -> Delivery:
    return delivery(EMAIL, "EmailAddress", EmailAddress=email, **fields)


def using(world: World, use: Callable[[LeadSquaredSink], Coroutine[Any, Any, Any]], **settings: Any) -> Any:
    """What `use(sink)` gives against a simulated LeadSquared."""

    async def main() -> Any:
        keys = {
            "access_key": world.access_key,
            "secret_key": world.secret_key,
            "async_api_key": world.async_api_key,
        }
        async with serve(world) as servers, open_client(timeout=settings.pop("timeout", 10.0)) as client:
            urls = {"url": servers.leadsquared, "async_url": servers.leadsquared_async}
            options = {**urls, **keys, **settings}
            secrets = [options[name] for name in keys]
            sink: Sink = LeadSquaredSink(client, redact=Redactor(secrets), **options)
            assert isinstance(sink, LeadSquaredSink)
            return await use(sink)

    return asyncio.run(main())


def push(world: World, lane: Lane, *batch: Delivery, **settings: Any) -> Sequence[Outcome]:
    outcomes: Sequence[Outcome] = using(world, lambda sink: sink.push(lane, batch), **settings)
    return outcomes


def people(*emails: str, **fields: str) -> tuple[World, list[str]]:
    world = World()
    return world, [
        world.add_person({"EmailAddress": email, "FirstName": "Before", **fields}) for email in emails
    ]


def held(world: World, prospect: str, name: str = "FirstName") -> str | None:
    return world.crm.leads[prospect].get(name)


@pytest.mark.parametrize("keys_in", ["header", "query"])
def test_a_batch_is_written_and_each_lead_has_its_outcome(keys_in: Any) -> None:
    world, ids = people("a@x.example", "b@x.example")
    outcomes = push(
        world,
        EMAIL,
        by_email("B@X.example ", FirstName="Zoë"),
        by_email("nobody@x.example", FirstName="No"),
        by_email("a@x.example", FirstName="x" * 5000),
        keys_in=keys_in,
    )
    assert [outcome.kind for outcome in outcomes[:2]] == [Kind.SYNCED, Kind.UNKNOWN_LEAD]
    assert (outcomes[1].reason, outcomes[1].listed) == (UNKNOWN, State.UNPROCESSED)
    assert outcomes[2].kind is Kind.REJECTED
    assert outcomes[2].reason
    assert [held(world, prospect) for prospect in ids] == ["Before", "Zoë"]
    assert world.batch_sizes == {3: 1}


def test_a_batch_by_id() -> None:
    world, ids = people("a@x.example")
    outcomes = push(
        world,
        BY_ID,
        delivery(BY_ID, "ProspectID", ProspectID=ids[0].upper(), FirstName="Ann"),
        delivery(BY_ID, "ProspectID", ProspectID="3f1f1c2e-0000-4000-8000-000000000000", FirstName="No"),
    )
    assert [(one.kind, one.listed) for one in outcomes] == [
        (Kind.SYNCED, State.FAILED),
        (Kind.UNKNOWN_LEAD, State.FAILED),
    ]
    assert held(world, ids[0]) == "Ann"


def test_twenty_five_leads_go_in_one_call() -> None:
    world, ids = people(*(f"p{n}@x.example" for n in range(25)))
    outcomes = push(world, EMAIL, *(by_email(f"p{n}@x.example", FirstName=f"N{n}") for n in range(25)))
    assert [one.kind for one in outcomes] == [Kind.SYNCED] * 25
    assert [held(world, prospect) for prospect in ids] == [f"N{n}" for n in range(25)]
    assert world.called("leadsquared") == 1


@pytest.mark.parametrize("message", ["text", "object", "null"])
@pytest.mark.parametrize("request_key", ["RequestID", "RequestId"])
def test_an_async_update_is_submitted_and_then_confirmed(message: Any, request_key: Any) -> None:
    world, ids = people("a@x.example")
    now = [1_700_000_000.0]
    world.clock = lambda: now[0]
    world.tasks.options.message, world.tasks.options.request_key = message, request_key

    async def use(sink: LeadSquaredSink) -> list[Outcome]:
        known = delivery(SILENT, "ProspectID", ProspectID=ids[0], FirstName="Ann")
        unknown = delivery(
            SILENT, "ProspectID", ProspectID="3f1f1c2e-0000-4000-8000-000000000000", FirstName="No"
        )
        sent = [(await sink.push(SILENT, [one]))[0] for one in (known, unknown)]
        assert {one.kind for one in sent} == {Kind.SUBMITTED}
        early = await sink.confirm(sent[0].request_id or "")
        now[0] += 60
        return [early, *[await sink.confirm(one.request_id or "") for one in sent]]

    early, good, bad = using(world, use)
    assert (early.kind, good.kind, bad.kind) == (Kind.QUEUED, Kind.SYNCED, Kind.REJECTED)
    assert "does not exist" in bad.reason
    assert held(world, ids[0]) == "Ann"


@pytest.mark.parametrize(("option", "fires"), [("silent", False), ("automations", True)])
def test_automations_fire_only_when_asked_to(option: str, fires: bool) -> None:
    world, ids = people("a@x.example")
    world.tasks.options.delay = 0.0
    lane = Lane("async", "", option)

    async def use(sink: LeadSquaredSink) -> Outcome:
        (sent,) = await sink.push(lane, [delivery(lane, "ProspectID", ProspectID=ids[0], FirstName="Ann")])
        task = world.tasks.get(sent.request_id or "", world.clock())
        assert task
        assert task.fires is fires
        assert "ProspectID" not in task.fields
        return await sink.confirm(sent.request_id or "")

    assert using(world, use).kind is Kind.SYNCED


@pytest.mark.parametrize("unknown", ["404", "envelope"])
def test_a_request_id_that_is_not_known_is_forgotten(unknown: Any) -> None:
    world = World()
    world.tasks.options.unknown_request = unknown
    assert using(world, lambda sink: sink.confirm("7ba60ab0")).kind is Kind.FORGOTTEN


def test_a_wrong_status_path_is_an_error_and_no_outcome() -> None:
    with pytest.raises(Refused, match="could not be found"):
        using(World(), lambda sink: sink.confirm("7ba60ab0"), status_path="/elsewhere")


def test_reading_back() -> None:
    world, ids = people("a@x.example", Phone="+44-7700900123")

    async def use(sink: LeadSquaredSink) -> list[Mapping[str, str] | None]:
        found = [("ProspectID", ids[0]), ("EmailAddress", "A@x.example"), ("Phone", "+44-7700900123")]
        none = [("ProspectID", "3f1f1c2e-0000-4000-8000-000000000000"), ("EmailAddress", "b@x.example")]
        return [await sink.read_back(*one, ["FirstName", "mx_Outcome"]) for one in found + none]

    assert using(world, use) == [{"FirstName": "Before", "mx_Outcome": ""}] * 3 + [None, None]
    with pytest.raises(Refused, match="FirstName"):
        using(world, lambda sink: sink.read_back("FirstName", "x", []))


@pytest.mark.parametrize("keys_in", ["header", "query"])
def test_a_lead_is_looked_up_by_whatever_a_person_has(keys_in: Any) -> None:
    world, ids = people("a@x.example", Phone="+44-7700900123", mx_Consent="1")

    async def use(sink: LeadSquaredSink) -> list[Sequence[Mapping[str, str]]]:
        known = (ids[0].upper(), f" {ids[0]} ", "A@x.example", "+44-7700900123")
        unknown = ("3f1f1c2e-0000-4000-8000-000000000000", "b@x.example", "+44-7700900999")
        return [await sink.lead(value) for value in known + unknown]

    found = using(world, use, keys_in=keys_in)
    assert found[4:] == [[]] * 3
    for (lead,) in found[:4]:
        assert lead.items() >= {
            "ProspectID": ids[0],
            "EmailAddress": "a@x.example",
            "FirstName": "Before",
            "Phone": "+44-7700900123",
            "mx_Consent": "1",
        }.items()  # fmt: skip
        assert all(lead.values())


@pytest.mark.parametrize(
    ("fault", "kind"), [("error_500", ServerFault), ("throttle", Throttled), ("cut", LostAnswer)]
)
def test_a_lookup_that_fails_finds_nobody_absent(fault: str, kind: type[CallError]) -> None:
    world, ids = people("a@x.example")
    world.fail_next(fault)
    with pytest.raises(kind) as caught:
        using(world, lambda sink: sink.lead(ids[0]))
    assert ids[0] not in str(caught.value)


@pytest.mark.parametrize(
    ("mode", "asked"), [("bulk", "leadsquared.user"), ("async", "leadsquared_async.metrics")]
)
@pytest.mark.parametrize("fault", [None, "error_500", "html_200", "reset_before"])
def test_a_ping_asks_the_modes_own_host_once_and_changes_nothing(
    mode: str, asked: str, fault: str | None
) -> None:
    world, _ = people("a@x.example")
    if fault:
        world.fail_next(fault, at=asked)
    with pytest.raises(CallError) if fault else nullcontext():
        using(world, lambda sink: sink.ping(mode))
    assert [world.called(host) for host in ("leadsquared", "leadsquared_async")] == [
        int(asked.startswith(f"{host}.")) for host in ("leadsquared", "leadsquared_async")
    ]
    assert world.writes == []


def test_what_check_asks_for() -> None:
    world = World()

    async def use(sink: LeadSquaredSink) -> tuple[Any, Sequence[FieldInfo], Metrics]:
        return await sink.whoami(), await sink.metadata(), await sink.metrics()

    user, fields, metrics = using(world, use)
    assert user["TimeZone"]
    named = {one.schema_name: one for one in fields}
    assert named["EmailAddress"].data_type == "Email"
    assert any(one.max_length for one in fields)
    assert any(one.options for one in fields)
    assert metrics.pending == 0


def failure(world: World, kind: type[CallError], lane: Lane = EMAIL, **settings: Any) -> CallError:
    one = (
        by_email("a@x.example", FirstName="Ann")
        if lane is EMAIL
        else delivery(lane, "ProspectID", ProspectID="p-1", FirstName="A")
    )
    with pytest.raises(CallError) as caught:
        push(world, lane, one, **settings)
    error = caught.value
    assert type(error) is kind, error
    for secret in (world.access_key, world.secret_key, world.async_api_key, "wr$ng", "a@x.example", "p-1"):
        assert secret not in str(error)
    assert "\n" not in str(error)
    assert error.__cause__ is None
    return error


@pytest.mark.parametrize("lane", [EMAIL, SILENT])
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
        ("mx_error", Refused),
        ("throttle", Throttled),
    ],
)
def test_every_fault_is_the_right_error_and_the_call_is_made_once(
    fault: str, kind: type[CallError], lane: Lane
) -> None:
    world, _ = people("a@x.example")
    world.fail_next(fault)
    failure(world, kind, lane)
    assert world.faults.happened.total() == 1
    assert sum(world.batch_sizes.values()) <= 1


def test_json_sent_as_html_is_still_json() -> None:
    world, _ = people("a@x.example")
    world.fail_next("wrong_type")
    assert push(world, EMAIL, by_email("a@x.example", FirstName="Ann"))[0].kind is Kind.SYNCED


@pytest.mark.parametrize("form", ["429", "403", "200"])
def test_a_throttle_in_every_form_tells_its_limit(form: Any) -> None:
    world, _ = people("a@x.example")
    world.limit("leadsquared", Limits(calls=25, hidden=(1, 7.0), form=form, retry_after="date"))
    world.limiter("leadsquared").take(world.clock())
    error = failure(world, Throttled)
    assert isinstance(error, Throttled)
    assert error.limit == (1, 7.0)
    assert 0 < (error.retry_after or 0) <= 9


def test_wrong_keys_and_a_wrong_region() -> None:
    world = World()
    assert "Invalid AccessKey" in str(failure(world, Denied, secret_key="wr$ng"))
    assert "x-api-key" in str(failure(world, Denied, SILENT, async_api_key="wr$ng"))
    world.region_host = "api-us11.leadsquared.com"
    assert "wrong region, use https://api-us11.leadsquared.com" in str(failure(world, Denied))


def test_nobody_there_and_no_async_host() -> None:
    failure(World(), Unreachable, url="http://127.0.0.1:9")
    for missing in ({"async_url": ""}, {"async_api_key": ""}):
        assert "BRIDGE_LEADSQUARED__ASYNC_URL" in str(failure(World(), Denied, SILENT, **missing))


@pytest.mark.parametrize(
    ("path", "works"), [("", True), ("/", True), ("/v2", True), ("/v2/", True), ("/v9", False)]
)
def test_a_url_with_a_path_is_the_whole_base(path: str, works: bool) -> None:
    world = World()

    async def main() -> Any:
        async with serve(world) as servers, open_client() as client:
            url = servers.leadsquared + path
            sink = LeadSquaredSink(client, url=url, access_key=world.access_key, secret_key=world.secret_key)
            return await sink.whoami()

    if works:
        assert asyncio.run(main())["TimeZone"]
    else:
        with pytest.raises(Refused, match="could not be found"):
            asyncio.run(main())


def test_a_refused_key_is_never_taken_for_a_forgotten_request() -> None:
    answer = '{"RequestId": "7d1e", "Message": "Invalid x-api-key for request id 7d1e, not found"}'

    async def main() -> None:
        async def handle(_: web.BaseRequest) -> web.Response:
            return web.Response(status=401, text=answer, content_type="application/json")

        runner = web.ServerRunner(web.Server(handle))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with open_client() as client:
            sink = LeadSquaredSink(
                client, url=url, access_key="a", secret_key="s", async_url=url, async_api_key="k"
            )
            with pytest.raises(Denied):
                await sink.confirm("7d1e")
        await runner.cleanup()

    asyncio.run(main())
