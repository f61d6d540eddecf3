"""The simulated sales team: what they change in LeadSquared, in this process and from another one."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from bridge.simulator import Edit, World, serve

EXAMPLE = Path("mappings/leadbyte-to-leadsquared.yaml")
ANN = "ann@example.com"


class Clock:
    """Time that only a test moves."""

    now = 1_700_000_000.5

    def __call__(self) -> float:
        return self.now


def control(world: World, *calls: tuple[str, Any]) -> list[httpx.Response]:
    """What control calls are answered, one after another: POST with a body of text as `curl -d` sends it, GET for None."""

    async def run() -> list[httpx.Response]:
        async with serve(world) as servers, httpx.AsyncClient() as client:
            return [await ask(client, f"{servers.control}/{path}", body) for path, body in calls]

    async def ask(client: httpx.AsyncClient, url: str, body: Any) -> httpx.Response:
        if body is None:
            return await client.get(url)
        if isinstance(body, str):
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            return await client.post(url, content=body, headers=form)
        return await client.post(url, json=body)

    return asyncio.run(run())


def world_with_ann() -> tuple[World, Clock, str]:
    clock = Clock()
    world = World(clock=clock)
    return world, clock, world.add_person({"EmailAddress": ANN, "LastName": "Old", "Phone": "+44-7700900000"})


def test_an_edit_is_written_as_the_screens_would_and_kept_apart_from_what_came_by_api() -> None:
    world, clock, ann = world_with_ann()
    clock.now += 60
    world.edit(
        ann, {"ProspectStage": "Qualified", "mx_Consent": "true", "LastName": "", "mx_Payout": "80.00"}
    )
    lead = world.crm.flat(ann)
    assert (lead["ProspectStage"], lead["mx_Consent"], lead["LastName"], lead["mx_Payout"]) == (
        "Qualified",
        "1",
        None,
        "80.00",
    )
    assert lead["ModifiedOn"] == "2023-11-14 22:14:20.000"
    assert lead["CreatedOn"] == "2023-11-14 22:13:20.000"
    assert [(edit.order, edit.at, edit.prospect) for edit in world.edits] == [(1, clock.now, ann)]
    assert (world.edits[0].fields["ProspectStage"], world.writes) == ("Qualified", [])
    assert world.stats()["edits"] == 1


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"mx_Nothing": "x"}, "MXUnknownAttributeException"),
        ({"ProspectStage": "Nearly"}, "Invalid option for ProspectStage"),
        ({"mx_Payout": "much"}, "Invalid value for mx_Payout"),
        ({"mx_Consent": "yes"}, "Invalid value for mx_Consent"),
        ({"ProspectAutoId": "5"}, "cannot be changed"),
        ({"EmailAddress": "bob@example.com"}, "MXDuplicateEntryException"),
        ({"LastName": "New", "mx_Sold_On": "2026-02-30"}, "Invalid value for mx_Sold_On"),
    ],
)
def test_an_edit_that_is_not_acceptable_changes_nothing(values: dict[str, str], reason: str) -> None:
    world, clock, ann = world_with_ann()
    world.add_person({"EmailAddress": "bob@example.com"})
    before = dict(world.crm.leads[ann])
    clock.now += 60
    with pytest.raises(ValueError, match=reason):
        world.edit(ann, values)
    assert world.crm.leads[ann] == before
    assert not world.edits


def test_a_lead_that_is_not_there_cannot_be_edited() -> None:
    with pytest.raises(ValueError, match="no lead with this ProspectID"):
        World().edit("nobody", {"LastName": "X"})


def test_an_edit_comes_after_the_async_updates_that_were_due() -> None:
    world, clock, ann = world_with_ann()
    world.tasks.accept(ann, {"LastName": "By API"}, "", clock.now, fires=False)
    clock.now += 60
    world.edit(ann, {"LastName": "By hand"})
    world.settle(clock.now)
    assert world.crm.leads[ann]["LastName"] == "By hand"


@pytest.mark.parametrize(
    "stage", ["Prospect", "Qualified", "Disqualified", "Try again", "Call requested", "Sold"]
)
def test_the_stages_of_the_round_trip_exist(stage: str) -> None:
    world, _, ann = world_with_ann()
    world.edit(ann, {"ProspectStage": stage})
    assert world.crm.leads[ann]["ProspectStage"] == stage


def test_the_fields_of_the_round_trip_exist() -> None:
    values = {
        "mx_LeadByte_Id": "7185867",
        "mx_Quarantine_Id": "8419715",
        "mx_Payout": "80.00",
        "mx_Revenue": "120.00",
        "mx_Buyer_Id": "33",
        "mx_Postcode": "TN25 6QD",
        "mx_Consent": "1",
    }
    world, _, ann = world_with_ann()
    world.edit(ann, values)
    assert world.crm.leads[ann].items() >= values.items()


def test_what_the_example_mapping_writes_is_acceptable() -> None:
    trials = yaml.safe_load(EXAMPLE.read_text())["tests"]
    sent = [trial["expect"] for trial in trials if isinstance(trial.get("expect"), dict)]
    assert len(sent) >= 3
    for values in sent:
        world = World()
        world.edit(world.add_person({}), {name: str(value) for name, value in values.items()})


@pytest.mark.parametrize("as_text", [True, False])
@pytest.mark.parametrize("by", ["email", "id"])
def test_another_process_edits_a_lead_by_its_address_or_its_id(by: str, as_text: bool) -> None:
    world, _, ann = world_with_ann()
    lead = " ANN@example.com" if by == "email" else ann
    body: Any = {"lead": lead, "values": {"mx_Payout": 80.5, "mx_Consent": True, "LastName": None}}
    if as_text:
        body = f'{{"lead": "{lead}", "values": {{"mx_Payout": 80.5, "mx_Consent": true, "LastName": null}}}}'
    (answer,) = control(world, ("edit", body))
    assert answer.status_code == 200
    assert answer.json() == world.crm.flat(ann)
    assert world.edits[0].fields == {"mx_Payout": "80.5", "mx_Consent": "1", "LastName": ""}
    assert "LastName" not in world.crm.leads[ann]


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("edit", "{", "not JSON"),
        ("edit", "[]", '"lead"'),
        ("edit", {"lead": ANN}, '"values"'),
        ("edit", {"lead": ANN, "values": {}}, '"values"'),
        ("edit", {"lead": ANN, "values": {"LastName": ["x"]}}, "texts, numbers"),
        ("edit", {"lead": ANN, "values": {"LastName": "x"}, "more": 1}, '"lead"'),
        ("edit", {"lead": "bob@example.com", "values": {"LastName": "x"}}, "there is no lead"),
        ("edit", {"lead": ANN, "values": {"ProspectStage": "Nearly"}}, "Invalid option"),
        ("touch", {"lead": 5}, '"lead"'),
        ("touch", {"lead": "bob@example.com"}, "there is no lead"),
        ("webhooks", {"url": "https://example.com/hook"}, "on this machine"),
        ("webhooks", {}, '"url"'),
    ],
)
def test_another_process_is_told_what_is_wrong_with_its_order(path: str, body: Any, words: str) -> None:
    world, _, ann = world_with_ann()
    before = dict(world.crm.leads[ann])
    (answer,) = control(world, (path, body))
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert world.crm.leads[ann] == before


def test_another_process_adds_an_activity() -> None:
    world, clock, ann = world_with_ann()
    clock.now += 60
    (answer,) = control(world, ("touch", {"lead": ANN}))
    assert answer.json()["ModifiedOn"] == "2023-11-14 22:14:20.000"
    assert world.crm.modified[ann] == clock.now
    assert world.edits == list[Edit]()


@pytest.mark.parametrize("as_text", [True, False])
def test_another_process_makes_calls_fail(as_text: bool) -> None:
    rates = {"leadsquared.recently_modified": {"hang": 0.5}}
    body: Any = {
        "rates": rates,
        "fail_next": [{"kind": "error_500_after", "times": 2, "at": "leadbyte.leads"}],
    }
    if as_text:
        body = (
            '{"rates": {"leadsquared.recently_modified": {"hang": 0.5}},'
            ' "fail_next": [{"kind": "error_500_after", "times": 2, "at": "leadbyte.leads"}]}'
        )
    world = World()
    (answer,) = control(world, ("faults", body))
    assert (answer.status_code, answer.json()) == (200, {"rates": rates})
    picked = [world.faults.pick(world.rng, "leadbyte.leads") for _ in range(3)]
    assert picked == ["error_500_after", "error_500_after", None]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("fail_next", "not JSON"),
        ([], '"rates" or "fail_next"'),
        ({}, '"rates" or "fail_next"'),
        ({"rate": {}}, '"rates" or "fail_next"'),
        ({"rates": []}, '"rates" must be'),
        ({"rates": {"leadbyte": 0.5}}, '"rates" must be'),
        ({"rates": {"leadbyte": {"hang": "0.5"}}}, '"rates" must be'),
        ({"rates": {"leadbyte": {"hang": 1.5}}}, "from 0 to 1"),
        ({"rates": {"leadbyte": {"hangs": 0.5}}}, "no such fault: hangs; the nearest is hang;"),
        ({"rates": {"leadbyt": {"hang": 0.5}}}, "no such place: leadbyt; the nearest is leadbyte;"),
        ({"fail_next": {"kind": "hang"}}, '"fail_next" must be an array'),
        ({"fail_next": [{"at": "leadbyte"}]}, 'an order of "fail_next" is'),
        ({"fail_next": [{"kind": "hang", "times": 0}]}, 'an order of "fail_next" is'),
        ({"fail_next": [{"kind": "hang", "times": "2"}]}, 'an order of "fail_next" is'),
        ({"fail_next": [{"kind": "hang", "place": "leadbyte"}]}, 'an order of "fail_next" is'),
        ({"fail_next": [{"kind": "throtle"}]}, "no such fault: throtle; the nearest is throttle;"),
        (
            {"fail_next": [{"kind": "hang", "at": "leadsquared.recently"}]},
            "no such place: leadsquared.recently; the nearest is leadsquared.recently_modified;",
        ),
    ],
)
def test_a_fault_that_cannot_be_is_refused_and_nothing_is_changed(body: Any, words: str) -> None:
    world = World()
    world.faults.set_rates({"leadbyte": {"hang": 0.25}})
    if isinstance(body, dict) and "fail_next" in body and isinstance(body["fail_next"], list):
        body = {"rates": {}, "fail_next": [{"kind": "cut"}, *body["fail_next"]]}
    (answer,) = control(world, ("faults", body))
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert world.faults.rates == {"leadbyte": {"hang": 0.25}}
    world.faults.set_rates({})
    assert world.faults.pick(world.rng, "leadbyte.leads") is None
