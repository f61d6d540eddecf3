"""LeadByte carries something out and its answer is lost: what may not be repeated waits for a person, values are set again."""

from __future__ import annotations

import json
import signal
from collections import Counter
from math import floor
from urllib.request import Request, urlopen

import pytest

from tests.crash.conftest import Ward
from tests.crash.invariants import acted
from tests.crash.sales import ONCE, Party, Sales, free_port, listening, webhook
from tests.crash.test_random import SOAK
from tests.system.conftest import Simulator, until

ACTS = sorted(ONCE)
LOST = ["reset_after", "error_500_after", "truncated"]
NOT_DONE = ["reset_before", "html_502"]
"""Nothing was carried out, but no answer says so."""

if SOAK:
    LOST += ["hang_after", "half_headers", "cut", "empty"]
    NOT_DONE += ["close", "error_500", "html_200"]

CLEAR = ["throttle", "mx_error"]
"""Nothing was carried out, and the answer says so."""


def working(ward: Ward, sales: Sales) -> dict[str, Party]:
    """A lead for each act that both sides know."""
    parties = {act: sales.meet(1, held=act in ("release", "reject"))[0] for act in ACTS}
    ward.drained()
    return parties


@pytest.mark.parametrize("kind", [*LOST, *NOT_DONE])
def test_what_may_not_be_repeated_waits_for_a_person(
    ward: Ward, simulator: Simulator, sales: Sales, kind: str
) -> None:
    parties = working(ward, sales)
    faults = simulator.world.faults
    faults.set_rates({"leadbyte.leads": {kind: 1.0}, "leadbyte.quarantine": {kind: 1.0}})
    for act, party in parties.items():
        sales.asks(party, act)
    ward.drained()
    faults.set_rates({})
    doubts, calls = sales.sent(), sales.calls
    assert [one.state for one in doubts] == ["in_doubt"] * len(ACTS)
    assert [sales.done(one) for one in doubts] == [kind in LOST] * len(ACTS)
    assert ward.does("resync").code == 0
    ward.drained()
    assert (sales.calls, [one.state for one in sales.sent()]) == (calls, ["in_doubt"] * len(ACTS))
    for one in doubts:
        assert ward.does("resolve", str(one.id), "--as", "done" if sales.done(one) else "not-done").code == 0
    ward.drained()
    assert sales.calls == calls
    assert ward.does("resync").code == 0
    assert sorted(told[0] for told in sales.did()) == ACTS
    acted(ward, sales)


@pytest.mark.parametrize("kind", CLEAR)
def test_what_was_surely_not_done_is_done_later(
    ward: Ward, simulator: Simulator, sales: Sales, kind: str
) -> None:
    parties = working(ward, sales)
    simulator.world.fail_next(kind, at="leadbyte.quarantine")
    sales.asks(parties["reject"], "reject")
    ward.drained()
    assert [one.state for one in sales.sent()] == [{"throttle": "synced", "mx_error": "failed"}[kind]]
    assert ward.does("resync").code == 0
    assert [told[0] for told in sales.did()] == ["reject"]
    acted(ward, sales)


@pytest.mark.parametrize("kind", [*LOST, *NOT_DONE])
def test_values_are_set_again_until_they_are_known_to_be_there(
    ward: Ward, simulator: Simulator, sales: Sales, kind: str
) -> None:
    world = simulator.world
    parties = sales.meet(2, held=False)
    ward.drained()
    for place in ("leads", "financials"):
        world.fail_next(kind, 2, at=f"leadbyte.{place}")
    for number, party in enumerate(parties):
        values = {"mx_City": sales.mark(), "mx_Payout": f"{number}.10", "mx_Revenue": f"{number}.07"}
        world.edit(party.prospect, values)
    ward.drained()
    assert Counter(one.state for one in sales.sent()) == {"synced": 4}
    assert sales.calls > 3
    acted(ward, sales)
    assert all(world.campaign.booked[sales.lead_id(party)].buyer == "33" for party in parties)


def test_newer_values_follow_those_whose_answer_was_lost(
    ward: Ward, simulator: Simulator, sales: Sales
) -> None:
    world = simulator.world
    (party,) = sales.meet(1, held=False)
    ward.drained()
    world.faults.set_rates({"leadbyte.leads": {"reset_after": 1.0}, "leadbyte.financials": {"cut": 1.0}})
    world.edit(party.prospect, {"mx_City": "Ashford", "mx_Payout": "80", "mx_Revenue": "120.5"})
    service = ward.begin("run", env={"BRIDGE_RETRY__ATTEMPTS": "1000"})
    until(lambda: {one.kind for one in world.operations} == {"update", "financials"}, "both were done")
    world.edit(party.prospect, {"mx_City": "Dover", "mx_Payout": "80.01"})
    until(lambda: len(sales.sent()) > 3, "the bridge saw it")
    world.faults.set_rates({})
    until(lambda: not sales.sent("pending", "sending"), "it was sent")
    service.signal(signal.SIGTERM)
    assert service.ended().code == 0
    ward.drained()
    acted(ward, sales)
    assert {one.state for one in sales.sent()} == {"synced", "superseded"}


def test_a_doubt_holds_back_what_is_newer_for_its_lead_alone(
    ward: Ward, simulator: Simulator, sales: Sales
) -> None:
    parties = sales.meet(2, held=False)
    ward.drained()
    simulator.world.fail_next("reset_after", at="leadbyte.leads")
    sales.asks(parties[0], "trigger")
    ward.drained()
    for party in parties:
        sales.asks(party, "trigger")
    ward.drained()
    assert [one.state for one in sales.sent()] == ["in_doubt", "pending", "synced"]
    assert ward.does("resolve", str(sales.sent()[0].id), "--as", "done").code == 0
    ward.drained()
    assert [one.state for one in sales.sent()] == ["synced"] * 3
    acted(ward, sales)


@pytest.mark.parametrize("word", ["done", "not-done"])
def test_a_lead_that_comes_back_to_what_is_in_doubt_has_it_done_once(
    ward: Ward, simulator: Simulator, sales: Sales, word: str
) -> None:
    world = simulator.world
    (party,) = sales.meet(1, held=False)
    ward.drained()
    world.fail_next({"done": "reset_after", "not-done": "reset_before"}[word], at="leadbyte.leads")
    for stage, postcode in (("Sold", "A"), ("Sold", "B"), ("Prospect", "B"), ("Sold", "A")):
        world.edit(party.prospect, {"ProspectStage": stage, "mx_Postcode": postcode})
        ward.drained()
    (doubt,) = sales.sent("in_doubt")
    assert sum(sales.did().values()) == (word == "done")
    assert ward.does("resolve", str(doubt.id), "--as", word).code == 0
    ward.drained()
    assert ward.does("resync").code == 0
    assert list(sales.did().values()) == [1]
    assert world.repeated == 0


def test_a_webhook_that_comes_late_has_nothing_done_again(
    ward: Ward, simulator: Simulator, sales: Sales
) -> None:
    world = simulator.world
    (party,) = sales.meet(1, held=False)
    ward.drained()
    saved = floor(world.clock())
    bodies = []
    for _ in range(2):
        world.clock = lambda: saved  # both edits bear the same second, and are looked at later
        sales.asks(party, "trigger")
        bodies.append(json.dumps({"Before": {}, "After": world.crm.flat(party.prospect)}).encode())
        world.clock = lambda: saved + 5.0
        ward.drained()
    assert len(sales.did()) == 2
    port = free_port()
    service = ward.begin("run", env=listening(port))
    service.says("listening")
    looks = world.called("leadsquared", endpoint="recently_modified")
    with urlopen(Request(webhook(port), bodies[0], {"Content-Type": "application/json"})) as answer:  # noqa: S310
        assert json.load(answer)["Status"] == "Success"
    until(lambda: world.called("leadsquared", endpoint="recently_modified") > looks + 1, "the looks after it")
    service.signal(signal.SIGTERM)
    assert service.ended().code == 0
    ward.drained()
    assert list(sales.did().values()) == [1, 1]
    acted(ward, sales)


def test_a_drain_ends_where_a_lead_in_doubt_is_given_another_id(
    ward: Ward, simulator: Simulator, sales: Sales
) -> None:
    parties = sales.meet(2, held=False)
    ward.drained()
    simulator.world.fail_next("reset_after", at="leadbyte.leads")
    sales.asks(parties[0], "trigger")
    ward.drained()
    simulator.world.edit(parties[0].prospect, {"mx_LeadByte_Id": sales.lead_id(parties[1])})
    ward.drained()
    assert [one.state for one in sales.sent()] == ["in_doubt", "pending"]
    assert ward.does("resolve", str(sales.sent()[0].id), "--as", "done").code == 0
    ward.drained()
    assert [one.state for one in sales.sent()] == ["synced", "synced"]
    acted(ward, sales)
