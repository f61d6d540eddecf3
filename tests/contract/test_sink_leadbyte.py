"""What `ports.Sink` promises, kept by the LeadByte client over real HTTP."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bridge.errors import CallError, Denied, LostAnswer, Refused, ServerFault, Throttled, Unreachable
from bridge.http import open_client
from bridge.leadbyte import LeadByteSink
from bridge.leadbyte.sink import ONE_BY_ONE
from bridge.model import Delivery, Kind, Lane, Outcome, State
from bridge.operation import (
    Financials,
    LeadUpdate,
    Operation,
    QuarantineProcess,
    QuarantineUpdate,
    carried,
)
from bridge.policy.backoff import Backoff
from bridge.policy.delivering import Delivering
from bridge.ports import Sink
from bridge.simulator import (
    Limits,
    Profile,
    Refusal,
    World,
    add_approved,
    add_quarantined,
    add_rejected,
    serve,
)
from bridge.telemetry import Redactor

ZIP = {"postcode": "TN25 6QD"}
MONEY = Decimal("80.00")
NAMES = {
    "leads": "Leads > Update",
    "quarantine": "Quarantine > Process",
    "financials": "Update Payout/Revenue",
}
OPERATIONS: dict[str, Operation] = {
    "leads": LeadUpdate("5", ZIP),
    "quarantine": QuarantineProcess("6", "process"),
    "financials": Financials(("5",), MONEY),
}
"""One of each endpoint of the simulator."""


def delivery(lane: Lane, fields: Mapping[str, str], number: int = 1) -> Delivery:
    key = next(iter(fields), "lead_id")
    return Delivery(number, number, "q", "m", f"{key}={number}", lane, [key], fields, {}, 0)


def deliveries(*operations: Operation) -> list[Delivery]:
    made = [carried(one) for one in operations]
    return [delivery(mapped.lane, mapped.fields, number) for number, mapped in enumerate(made, 1)]


def using(world: World, use: Callable[[LeadByteSink], Coroutine[Any, Any, Any]], **settings: Any) -> Any:
    """What `use(sink)` gives against a simulated LeadByte."""

    async def main() -> Any:
        key = settings.pop("key", world.leadbyte_key)
        timeout = settings.pop("timeout", 10.0)
        async with serve(world) as servers, open_client(timeout=timeout) as client:
            url = settings.pop("url", servers.leadbyte)
            sink: Sink = LeadByteSink(client, url=url, key=key, redact=Redactor([key]), **settings)
            assert isinstance(sink, LeadByteSink)
            return await use(sink)

    return asyncio.run(main())


def push(world: World, batch: Sequence[Delivery], **settings: Any) -> Sequence[Outcome]:
    outcomes: Sequence[Outcome] = using(world, lambda sink: sink.push(batch[0].lane, batch), **settings)
    return outcomes


def told(world: World, *operations: Operation, **settings: Any) -> Sequence[Outcome]:
    return push(world, deliveries(*operations), **settings)


def furnished(**profile: Any) -> World:
    """A world with the approved leads 5 and 7, and 6 in quarantine."""
    world = World(profile=Profile(**profile))
    add_approved(world, {"firstname": "Ann"}, lead_id=5)
    add_approved(world, {"firstname": "Bob"}, lead_id=7)
    add_quarantined(world, {"firstname": "Cy"}, quarantine_id=6)
    return world


def done(world: World) -> list[tuple[str, str]]:
    return [(one.kind, one.id) for one in world.operations]


# What is carried out


@pytest.mark.parametrize(
    ("operation", "happened", "note"),
    [
        (LeadUpdate("5", ZIP), ["update"], ""),
        (LeadUpdate("5", ZIP, "reprocess"), ["update", "reprocess"], ""),
        (LeadUpdate("5", ZIP, trigger=("1053",)), ["update", "trigger"], ""),
        (LeadUpdate("5", ZIP, trigger=("1053", "1054")), ["update", "trigger", "trigger"], ""),
        (QuarantineUpdate("6", ZIP), ["quarantine_update"], ""),
        (
            QuarantineUpdate("6", ZIP, "process"),
            ["quarantine_update", "release"],
            "Quarantine ID '6' queued for processing",
        ),
        (
            QuarantineUpdate("6", ZIP, "reject"),
            ["quarantine_update", "reject"],
            "Quarantine ID '6' queued for rejection",
        ),
        (QuarantineProcess("6", "process"), ["release"], "Queued for processing"),
        (QuarantineProcess("6", "reject"), ["reject"], "Queued for rejection"),
        (Financials(("5",), MONEY, buyer="33"), ["financials"], ""),
    ],
)
@pytest.mark.parametrize("queue_key_in", ["query", "header"])
def test_each_operation_is_carried_out_by_one_call(
    operation: Operation, happened: list[str], note: str, queue_key_in: Any
) -> None:
    world = furnished(key_in=queue_key_in)
    assert told(world, operation, queue_key_in=queue_key_in) == [Outcome(Kind.SYNCED, note=note)]
    assert [kind for kind, _ in done(world)] == happened
    assert world.called("leadbyte") == 1


def test_the_key_travels_in_the_header_of_the_settings() -> None:
    world = furnished(key_header="X-KEY")
    for operation in (OPERATIONS["leads"], OPERATIONS["quarantine"]):
        assert told(world, operation, key_header="X-KEY")[0].kind is Kind.SYNCED
        with pytest.raises(Denied):
            told(world, operation)


def test_many_leads_go_in_one_call_and_each_has_its_outcome() -> None:
    world = furnished()
    batch = [LeadUpdate(str(number), ZIP) for number in (5, 99, 7)]
    outcomes = told(world, *batch)
    assert [one.kind for one in outcomes] == [Kind.SYNCED, Kind.REJECTED, Kind.SYNCED]
    assert outcomes[1].reason == "Lead not updated; Lead not found"
    assert done(world) == [("update", "5"), ("update", "7")]
    assert world.called("leadbyte") == 1


@pytest.mark.parametrize("kind", ["quarantine", "process"])
def test_what_a_delivery_has_become_on_the_way_decides_the_call(kind: str) -> None:
    """A release that met an update, and an update with release whose field was outdated."""
    lane = Lane("leadbyte", kind, "once")
    release = {"quarantine_id": "6", "action": "release"}
    for fields, path in ((release, "quarantine"), ({**release, "update.postcode": "X"}, "leads")):
        world = furnished()
        assert push(world, [delivery(lane, fields)])[0].kind is Kind.SYNCED
        assert world.called("leadbyte", endpoint=path) == 1


# Bad input: a clear reason on that lead, the others unharmed


@pytest.mark.parametrize(
    ("how", "kind", "reason", "note"),
    [
        (
            "warning",
            Kind.REJECTED,
            "LeadByte did not set every field: Lead updated; Unknown field 'shoe_size'",
            "",
        ),
        ("error", Kind.REJECTED, "Lead not updated; Unknown field 'shoe_size'", ""),
    ],
)
def test_an_unknown_field_fails_that_lead_alone(how: str, kind: Kind, reason: str, note: str) -> None:
    world = furnished(unknown_fields=how)
    outcomes = told(world, LeadUpdate("5", {**ZIP, "shoe_size": "44"}), LeadUpdate("7", ZIP))
    assert outcomes == [Outcome(kind, reason, note=note), Outcome(Kind.SYNCED)]
    assert ("update", "7") in done(world)


@pytest.mark.parametrize("how", ["unknown", "rejected", "unsold"])
def test_a_lead_that_is_not_valid_fails_alone(how: str) -> None:
    world = furnished()
    if how == "rejected":
        add_rejected(world, {}, Refusal(11, "Duplicate", "a duplicate"))
    if how == "unsold":
        add_approved(world, {}, lead_id=99, buyer=None)
    bad, good = told(world, LeadUpdate("99", ZIP), LeadUpdate("5", ZIP))
    reason = "Lead is not valid" if how == "unsold" else "Lead not found"
    assert (bad.kind, bad.reason) == (Kind.REJECTED, f"Lead not updated; {reason}")
    assert good.kind is Kind.SYNCED


def test_a_quarantine_id_that_is_none_fails_alone() -> None:
    bad, good = told(furnished(), QuarantineUpdate("99", ZIP), QuarantineUpdate("6", ZIP))
    assert (bad.kind, bad.reason) == (Kind.REJECTED, "Quarantined lead not found")
    assert good.kind is Kind.SYNCED
    (gone,) = told(furnished(), QuarantineProcess("99", "process"))
    assert (gone.kind, gone.reason) == (Kind.REJECTED, "Quarantined lead not found")


def test_financials_of_a_lead_that_is_not_approved_fail() -> None:
    world = furnished()
    add_approved(world, {}, lead_id=99, buyer=None)
    (outcome,) = told(world, Financials(("99",), MONEY))
    assert (outcome.kind, outcome.reason) == (Kind.REJECTED, "Lead is not approved: 99")
    assert not world.campaign.booked


@pytest.mark.parametrize(
    ("payout", "reason"),
    [
        ("-80.00", "payout: is negative"),
        ("80.001", "payout: has more than two decimals; amounts are never rounded"),
        ("eighty", "payout: not an amount like 80.00"),
        ("", "payout: not an amount like 80.00"),
    ],
)
def test_negative_and_malformed_money_fails_without_a_call(payout: str, reason: str) -> None:
    world = furnished()
    lane = Lane("leadbyte", "financials", "set")
    outcomes = push(world, [delivery(lane, {"lead_id": "5", "financials.payout": payout})])
    assert outcomes == [Outcome(Kind.REJECTED, reason)]
    assert not world.called("leadbyte")


def test_a_delivery_that_carries_nothing_fit_fails_alone_and_the_others_are_sent() -> None:
    world = furnished()
    lane = Lane("leadbyte", "lead", "set")
    batch = [
        delivery(lane, {"lead_id": "none of yours", "update.postcode": "X"}, 1),
        *deliveries(LeadUpdate("5", ZIP)),
        delivery(lane, {"lead_id": "7"}, 3),
        *deliveries(LeadUpdate("7", ZIP)),
    ]
    outcomes = push(world, batch)
    assert [one.kind for one in outcomes] == [Kind.REJECTED, Kind.SYNCED, Kind.REJECTED, Kind.SYNCED]
    assert outcomes[0].reason.startswith("lead_id: is no id of digits")
    assert outcomes[2].reason.startswith("update: no field to set")
    assert done(world) == [("update", "5"), ("update", "7")]


def test_nothing_fit_is_no_call() -> None:
    world = furnished()
    lane = Lane("leadbyte", "process", "once")
    (outcome,) = push(world, [delivery(lane, {"quarantine_id": "6", "action": "approve"})])
    assert (outcome.kind, outcome.reason) == (Kind.REJECTED, "action: is none for such a lead")
    assert not world.called("leadbyte")


def test_what_acts_each_time_is_not_sent_by_a_lane_that_may_repeat_it() -> None:
    world = furnished()
    lane = Lane("leadbyte", "lead", "set")
    fields = {"lead_id": "5", "update.postcode": "X", "action": "reprocess"}
    (outcome,) = push(world, [delivery(lane, fields)])
    assert outcome.kind is Kind.REJECTED
    assert not world.called("leadbyte")


@pytest.mark.parametrize(
    "fields",
    [
        {"quarantine_id": "6", "action": "release"},
        {"lead_id": "5", "financials.payout": "80.00"},
    ],
)
def test_a_batch_in_which_one_needs_its_own_call_is_split_before_any_call(fields: dict[str, str]) -> None:
    world = furnished()
    add_quarantined(world, {}, quarantine_id=8)
    money = "financials.payout" in fields
    lane = Lane("leadbyte", "financials" if money else "quarantine", "set" if money else "once")
    other = {"lead_id": "7", "financials.payout": "1.00"} if money else {
        "quarantine_id": "8", "update.postcode": "X", "action": "release"
    }  # fmt: skip
    batch = [delivery(lane, fields, 1), delivery(lane, other, 2)]
    with pytest.raises(Refused, match=f"^{ONE_BY_ONE}$") as error:
        push(world, batch)
    assert not world.called("leadbyte")
    policy = Delivering(8, Backoff(1, 300), Backoff(2, 300), 1, denied_fails=True)
    halves = [*policy.after_error(batch, error.value, 0.0, 0.0, 0.0, answers=True)]
    assert {move.to for move in halves} == {State.PENDING}
    for move in halves:
        assert move.lane is not None
        assert push(world, [replace(move.delivery, lane=move.lane)])[0].kind is Kind.SYNCED


# Whole calls


def failure(
    world: World, kind: type[CallError], *operations: Operation, **settings: Any
) -> CallError:  # fmt: skip
    with pytest.raises(CallError) as caught:
        told(world, *operations, **settings)
    error = caught.value
    assert type(error) is kind, error
    for secret in (world.leadbyte_key, "wr$ng", "l$mited", "TN25 6QD", "80.00"):
        assert secret not in str(error)
    assert "\n" not in str(error)
    assert error.__cause__ is None
    return error


@pytest.mark.parametrize("endpoint", OPERATIONS)
def test_a_wrong_key_is_denied(endpoint: str) -> None:
    world = furnished()
    error = failure(world, Denied, OPERATIONS[endpoint], key="wr$ng")
    assert "Invalid API key" in str(error)
    assert not world.operations


@pytest.mark.parametrize("endpoint", OPERATIONS)
def test_a_missing_permission_is_named_and_polls_go_on(endpoint: str) -> None:
    world = furnished()
    world.leadbyte_keys["l$mited"] = world.leadbyte_keys[world.leadbyte_key] - {NAMES[endpoint]}
    error = failure(world, Denied, OPERATIONS[endpoint], key="l$mited")
    assert str(error).endswith(f": check the key and its permission '{NAMES[endpoint]}'")
    using(world, lambda sink: sink.ping("leadbyte"), key="l$mited")
    for other in OPERATIONS.keys() - {endpoint}:
        assert told(world, OPERATIONS[other], key="l$mited")[0].kind is Kind.SYNCED


def test_an_update_with_a_release_needs_both_permissions() -> None:
    release = QuarantineUpdate("6", ZIP, "process")
    for lacking in (NAMES["leads"], NAMES["quarantine"]):
        world = furnished()
        world.leadbyte_keys["l$mited"] = world.leadbyte_keys[world.leadbyte_key] - {lacking}
        error = failure(world, Denied, release, key="l$mited")
        assert str(error).endswith("permissions 'Leads > Update' and 'Quarantine > Process'")


def test_a_permission_that_only_one_lead_lacks_fails_that_lead() -> None:
    world = furnished(lacking="entry")
    world.leadbyte_keys["l$mited"] = frozenset({NAMES["leads"]})
    (outcome,) = told(world, QuarantineUpdate("6", ZIP, "process"), key="l$mited")
    assert (outcome.kind, NAMES["quarantine"] in outcome.reason) == (Kind.REJECTED, True)


@pytest.mark.parametrize("endpoint", OPERATIONS)
@pytest.mark.parametrize(
    ("fault", "kind", "carried_out"),
    [
        ("reset_before", LostAnswer, False),
        ("reset_after", LostAnswer, True),
        ("cut", LostAnswer, True),
        ("error_500", ServerFault, False),
        ("html_502", ServerFault, False),
        ("truncated", ServerFault, True),
        ("empty", ServerFault, True),
        ("denied", Denied, False),
        ("throttle", Throttled, False),
    ],
)
def test_every_fault_is_the_right_error(
    endpoint: str, fault: str, kind: type[CallError], carried_out: bool
) -> None:
    world = furnished()
    world.fail_next(fault, at=f"leadbyte.{endpoint}")
    failure(world, kind, OPERATIONS[endpoint])
    assert bool(world.operations) is carried_out
    assert not world.repeated, "a call is never made twice"


def test_silence_is_a_lost_answer() -> None:
    world = furnished()
    world.fail_next("hang")
    assert "no whole answer in 0.2 s" in str(failure(world, LostAnswer, OPERATIONS["leads"], timeout=0.2))


def test_nobody_there() -> None:
    failure(furnished(), Unreachable, OPERATIONS["leads"], url="http://127.0.0.1:9")


def test_a_limit_is_told_with_its_wait() -> None:
    world = furnished()
    world.limit("leadbyte", Limits(calls=1, seconds=60, retry_after="seconds"))
    world.limiter("leadbyte").take(world.clock())
    error = failure(world, Throttled, OPERATIONS["financials"])
    assert isinstance(error, Throttled)
    assert error.retry_after


# What may not be sent twice, whatever LeadByte answers


def answered(status: int, body: Any, batch: Sequence[Delivery]) -> Sequence[Outcome]:
    """What a batch leads to where LeadByte answers so."""
    text = body if isinstance(body, str) else json.dumps(body)
    head = f"HTTP/1.1 {status} Said\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, _, length = (await reader.readuntil(b"\r\n\r\n")).lower().partition(b"content-length:")
        await reader.readexactly(int(length.split(b"\r\n")[0]))
        writer.write((head + text).encode())
        await writer.drain()
        writer.close()

    async def main() -> Sequence[Outcome]:
        server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server, open_client(timeout=10.0) as client:
            return await LeadByteSink(client, url=url, key="k").push(batch[0].lane, batch)

    return asyncio.run(main())


def states(status: int, body: Any, *operations: Operation) -> list[State]:
    """What becomes of each delivery after that answer, where the host answers other questions."""
    batch, policy = deliveries(*operations), Delivering(8, Backoff(1, 300), Backoff(2, 300), 1)
    try:
        moves = policy.after_push(batch, answered(status, body, batch), 0.0, 0.0)
    except CallError as error:
        moves = policy.after_error(batch, error, 0.0, 0.0, 0.0, answers=True)
    return [move.to for move in moves]


TWO = (LeadUpdate("5", ZIP, "reprocess"), LeadUpdate("7", ZIP, trigger=("1053",)))
RELEASE = (QuarantineProcess("6", "process"),)
ONE_DONE = {"leads": [{"id": "5", "success": True, "message": "Lead updated"}]}
QUEUED = {"details": {"6": "Queued for processing"}}


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("words", ["Rate limit reached", "Too many requests", "Invalid API key", "Not found"])
def test_what_was_done_for_one_is_in_doubt_for_all_and_never_sent_again(status: int, words: str) -> None:
    head = {"status": "Error", "message": words}
    assert states(status, {**head, **ONE_DONE}, *TWO) == [State.IN_DOUBT, State.IN_DOUBT]
    assert states(status, {**head, **QUEUED}, *RELEASE) == [State.IN_DOUBT]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize(
    "words", ["Too many connections", "retry limit exceeded", "permission denied", "Invalid API key"]
)
def test_a_server_that_fails_leaves_it_in_doubt_whatever_it_says(status: int, words: str) -> None:
    for body in ({"message": words}, f"<html>{words}</html>"):
        assert set(states(status, body, *TWO)) == {State.IN_DOUBT}
        assert states(status, body, *RELEASE) == [State.IN_DOUBT]


@pytest.mark.parametrize("words", ["Buyer daily limit reached", "Cap reached"])
@pytest.mark.parametrize("status", [200, 400])
def test_a_buyers_limit_fails_that_lead_in_leadbytes_words(words: str, status: int) -> None:
    batch = deliveries(*RELEASE)
    assert answered(status, {"status": "Error", "message": words}, batch) == [Outcome(Kind.REJECTED, words)]


@pytest.mark.parametrize(
    ("status", "body"), [(429, ""), (200, {"status": "Error", "message": "Too many requests"})]
)
def test_too_many_calls_are_waited_for(status: int, body: Any) -> None:
    for batch in (TWO, RELEASE):
        assert set(states(status, body, *batch)) == {State.PENDING}


@pytest.mark.parametrize("queue_key_in", ["query", "header"])
@pytest.mark.parametrize("unknown", ["error", "404", "word"])
def test_a_ping_asks_about_nobody(unknown: Any, queue_key_in: Any) -> None:
    world = World(profile=Profile(unknown_id=unknown, key_in=queue_key_in))
    using(world, lambda sink: sink.ping("leadbyte"), queue_key_in=queue_key_in)
    assert world.called("leadbyte", endpoint="apiqueue") == 1
    world.fail_next("html_502")
    with pytest.raises(ServerFault):
        using(world, lambda sink: sink.ping("leadbyte"), queue_key_in=queue_key_in)
    with pytest.raises(Denied) as error:
        using(world, lambda sink: sink.ping("leadbyte"), queue_key_in=queue_key_in, key="wr$ng")
    assert "wr$ng" not in str(error.value)
