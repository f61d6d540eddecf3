"""The service killed while it tells LeadByte what may not be told twice: it is told once, or a person is asked."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests.crash.conftest import KILLED, Ward
from tests.crash.invariants import acted
from tests.crash.sales import ENDPOINTS, ONCE, Sales, Sent
from tests.crash.test_machines import WAITING, room_is_made
from tests.crash.test_random import SOAK
from tests.system.conftest import Simulator, until

ACTS = sorted(ONCE)


def asked(ward: Ward, sales: Sales, *acts: str) -> None:
    """Leads that both sides know, and the sales team asks for something."""
    parties = [sales.meet(1, held=act in ("release", "reject"))[0] for act in acts]
    ward.drained()
    for party, act in zip(parties, acts, strict=True):
        sales.asks(party, act)


def reported(ward: Ward) -> list[dict[str, Any]]:
    leads: list[dict[str, Any]] = ward.does("report", "--format", "json").json["leads"]
    return leads


def nothing_is_sent(ward: Ward, sales: Sales, state: str) -> None:
    """Neither by a restart nor by a resync that is not about it."""
    calls = sales.calls
    ward.drained()
    assert sales.calls == calls
    assert [one.state for one in sales.sent()] == [state]


def doubted(ward: Ward, sales: Sales) -> Sent:
    """The one delivery, in doubt and on the report with what to do, whatever is restarted or resynced."""
    nothing_is_sent(ward, sales, "in_doubt")
    (one,) = sales.sent()
    (told,) = reported(ward)
    assert (told["queue_id"], told["delivery"], told["state"]) == (one.queue_id, one.id, "in_doubt")
    assert (told["stage"], bool(told["reason"])) == ("push", True)
    assert ward.does("resync").code == 0
    assert ward.does("resync", "--queue-id", one.queue_id, "--force").code == 0
    nothing_is_sent(ward, sales, "in_doubt")
    return one


def resolved(ward: Ward, sales: Sales, one: Sent, name: str) -> None:
    """A person says what became of it, as LeadByte shows it."""
    word = "done" if sales.done(one) else "not-done"
    assert ward.does("resolve", name, "--as", word).code == 0
    nothing_is_sent(ward, sales, {"done": "synced", "not-done": "failed"}[word])
    if word == "not-done":
        (told,) = reported(ward)
        assert (told["delivery"], told["state"]) == (one.id, "failed")
        assert ward.does("resync", "--queue-id", one.queue_id).code == 0


NOT_SENT, SENT, STORING = "operations.push before", "operations.push after", "store.record leadbyte commit"


@pytest.mark.parametrize(
    ("at", "act"),
    [
        *((NOT_SENT, act) for act in (ACTS if SOAK else ACTS[:1])),
        (SENT, "release"),
        (SENT, "reject"),
        (STORING, "reprocess"),
        (STORING, "trigger"),
    ],
)
def test_killed_between_sending_and_recording(ward: Ward, sales: Sales, at: str, act: str) -> None:
    asked(ward, sales, act)
    assert ward.does("run", "--drain", at=at).code == KILLED
    assert sum(sales.did().values()) == (at != NOT_SENT)
    one = doubted(ward, sales)
    resolved(ward, sales, one, one.queue_id if at == NOT_SENT else str(one.id))
    assert [told[0] for told in sales.did()] == [act]
    acted(ward, sales)


@pytest.mark.parametrize("act", ACTS if SOAK else ACTS[::2])
def test_killed_before_the_answer_is_read(ward: Ward, simulator: Simulator, sales: Sales, act: str) -> None:
    asked(ward, sales, act)
    simulator.world.fail_next("hang_after", at=f"leadbyte.{ENDPOINTS[act]}")
    service = ward.begin("run", env={"BRIDGE_HTTP__TIMEOUT_SECONDS": "60"})
    until(sales.did, "LeadByte did it")
    service.signal(signal.SIGKILL)
    assert service.ended().code == KILLED
    one = doubted(ward, sales)
    resolved(ward, sales, one, one.queue_id)
    assert [told[0] for told in sales.did()] == [act]
    acted(ward, sales)


EARLY = [
    "changes.changes after",
    "store.observe commit",
    "store.observe after",
    "store.record_decided commit",
    "store.record_decided after",
    "store.claim_batch leadbyte commit",
]


@pytest.mark.parametrize("at", EARLY)
def test_what_was_not_sent_before_the_kill_is_sent_after_it(ward: Ward, sales: Sales, at: str) -> None:
    asked(ward, sales, *ACTS)
    assert ward.does("run", "--drain", at=at).code == KILLED
    assert sum(sales.did().values()) == 0
    ward.drained()
    assert sorted(told[0] for told in sales.did()) == ACTS
    acted(ward, sales)


def test_what_was_recorded_is_not_sent_again(ward: Ward, sales: Sales) -> None:
    asked(ward, sales, "trigger")
    assert ward.does("run", "--drain", at="store.record leadbyte after").code == KILLED
    nothing_is_sent(ward, sales, "synced")
    acted(ward, sales)


@pytest.mark.parametrize("room", [True, False])
def test_an_answer_that_finds_no_room_on_the_disk(
    ward: Ward, simulator: Simulator, sales: Sales, room: bool
) -> None:
    asked(ward, sales, "trigger")
    service = ward.begin("run", at=SENT, how="full")
    service.says(WAITING)
    if room:
        room_is_made(service)
        until(lambda: sales.sent("synced"), "it is recorded")
        service.signal(signal.SIGTERM)
        assert service.ended().code == 0
    else:
        service.signal(signal.SIGKILL)
        assert service.ended().code == KILLED
        one = doubted(ward, sales)
        resolved(ward, sales, one, str(one.id))
    nothing_is_sent(ward, sales, "synced")
    assert simulator.world.repeated == 0
    acted(ward, sales)


def test_a_call_that_is_cut_off_when_the_service_is_told_to_stop(
    ward: Ward, simulator: Simulator, sales: Sales
) -> None:
    asked(ward, sales, "release")
    simulator.world.fail_next("hang_after", at="leadbyte.leads")
    service = ward.begin("run", env={"BRIDGE_HTTP__TIMEOUT_SECONDS": "60"}, grace=0.1)
    until(sales.did, "LeadByte did it")
    service.signal(signal.SIGTERM)
    assert service.ended().code == 0
    one = doubted(ward, sales)
    resolved(ward, sales, one, str(one.id))
    acted(ward, sales)


BY_HAND = {
    "release": ("release",),
    "reject": ("reject",),
    "reprocess": ("update", "--set", "postcode=M1", "--reprocess"),
    "trigger": ("update", "--set", "postcode=M1", "--trigger", "1053"),
}


@pytest.mark.parametrize(
    ("at", "act"),
    [(NOT_SENT, "release"), (NOT_SENT, "trigger"), (SENT, "reject"), (STORING, "reprocess")],
)
def test_a_command_killed_while_it_sends(ward: Ward, sales: Sales, at: str, act: str) -> None:
    (party,) = sales.meet(1, held=act in ("release", "reject"))
    ward.drained()
    command = ("leadbyte", *BY_HAND[act], sales.lead_id(party), "--yes")
    assert ward.does(*command, at=at).code == KILLED
    assert sum(sales.did().values()) == (at != NOT_SENT)
    one = doubted(ward, sales)
    resolved(ward, sales, one, str(one.id))
    ward.drained()
    assert [told[0] for told in sales.did()] == [act]
    acted(ward, sales)


@pytest.mark.parametrize("at", ["store.operate commit", "store.operate after"])
def test_a_command_killed_before_it_sends(ward: Ward, sales: Sales, at: str) -> None:
    (party,) = sales.meet(1, held=True)
    ward.drained()
    assert ward.does("leadbyte", "release", sales.lead_id(party), "--yes", at=at).code == KILLED
    ward.drained()
    assert sum(sales.did().values()) == (at == "store.operate after")
    acted(ward, sales)


def test_a_command_that_follows_a_service_that_is_killed_sees_its_work_through(
    ward: Ward, simulator: Simulator, sales: Sales
) -> None:
    (party,) = sales.meet(1, held=True)
    ward.drained()
    service = ward.begin("run", at="store.claim_batch leadbyte commit")
    service.says("started")
    said = ward.does("leadbyte", "release", sales.lead_id(party), "--yes")
    assert service.ended().code == KILLED
    assert said.code == 0
    assert simulator.world.repeated == 0
    assert [told[0] for told in sales.did()] == ["release"]
    ward.drained()
    acted(ward, sales)
