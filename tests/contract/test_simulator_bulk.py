"""The simulated UpdateV2 follows its page, and the traps that clients of live accounts report."""

import asyncio
from typing import Any

import httpx
import pytest

from bridge.simulator import Limits, World, serve

PATH = "/v2/LeadManagement.svc/Lead/Bulk/UpdateV2"
NOT_THERE = "Lead does not exist in the system or You do not have permission to update the lead"


def keys(world: World) -> dict[str, str]:
    return {"x-LSQ-AccessKey": world.access_key, "x-LSQ-SecretKey": world.secret_key}


def call(world: World, body: Any, **request: Any) -> httpx.Response:
    async def run() -> httpx.Response:
        async with serve(world) as servers, httpx.AsyncClient(base_url=servers.leadsquared) as client:
            return await client.post(PATH, **{"headers": keys(world), "json": body, **request})

    return asyncio.run(run())


def lead(**fields: str) -> dict[str, Any]:
    return {"Fields": [{"Attribute": name, "Value": value} for name, value in fields.items()]}


def body(*leads: Any, by: str | None = "EmailAddress", push: bool | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"LeadPropertiesList": list(leads)}
    if by:
        made["SearchByKey"] = by
    if push is not None:
        made["Options"] = {"PushNonExistentLeadsToUnProcessedList": push}
    return made


def world_with(*emails: str) -> World:
    world = World()
    for email in emails:
        world.add_person({"EmailAddress": email, "FirstName": "Before"})
    return world


def value(world: World, email: str, name: str) -> str | None:
    prospect = world.crm.find("EmailAddress", email)
    assert prospect
    return world.crm.leads[prospect].get(name)


def failed(answer: httpx.Response) -> list[dict[str, str]]:
    return answer.json()["Details"]["FailedLeads"]


def test_success_word_for_word() -> None:
    world = world_with("james@example.com", "jack@example.com")
    leads = [lead(EmailAddress=f"{name}@example.com", FirstName=name) for name in ("james", "jack")]
    answer = call(world, body(*leads))
    assert answer.json() == {
        "Status": {"TotalCount": 2, "SuccessCount": 2, "FailureCount": 0, "Message": "Processed"},
        "Details": {
            "SuccessfulLeads": [
                {"Identifier": "EmailAddress", "IdentifierValue": "james@example.com"},
                {"Identifier": "EmailAddress", "IdentifierValue": "jack@example.com"},
            ]
        },
    }
    assert value(world, "jack@example.com", "FirstName") == "jack"


def test_an_unknown_lead_with_and_without_the_option() -> None:
    entry = {"Identifier": "EmailAddress", "IdentifierValue": "johnwick@example.com", "Reason": NOT_THERE}
    unknown = lead(EmailAddress="johnwick@example.com", FirstName="John")
    on = call(World(), body(unknown, push=True)).json()
    assert on == {
        "Status": {
            "TotalCount": 1,
            "SuccessCount": 0,
            "FailureCount": 0,
            "UnProcessedCount": 1,
            "Message": "Error",
        },
        "Details": {"UnProcessedLeads": [entry]},
    }
    off = {
        "Status": {"TotalCount": 1, "SuccessCount": 0, "FailureCount": 1, "Message": "Error"},
        "Details": {"FailedLeads": [entry]},
    }
    assert call(World(), body(unknown, push=False)).json() == off
    assert call(World(), body(unknown)).json() == off


def test_a_lead_one_may_not_update_reads_like_an_unknown_one() -> None:
    world = world_with("a@example.com")
    world.unwritable = set(world.crm.leads)
    assert (
        failed(call(world, body(lead(EmailAddress="a@example.com", FirstName="A"))))[0]["Reason"] == NOT_THERE
    )


def test_leads_are_found_trimmed_and_in_any_case_and_keep_their_address() -> None:
    world = world_with("a@example.com")
    call(world, body(lead(EmailAddress=" A@Example.COM ", FirstName="Found")))
    assert value(world, "a@example.com", "FirstName") == "Found"
    assert value(world, "a@example.com", "EmailAddress") == "a@example.com"


@pytest.mark.parametrize("spelling", ["ProspectId", "ProspectID"])
def test_without_search_by_key_the_prospect_id_of_each_lead_counts(spelling: str) -> None:
    world = world_with("a@example.com")
    prospect = next(iter(world.crm.leads))
    with_id, without = lead(**{spelling: prospect.upper(), "FirstName": "New"}), lead(FirstName="Nobody")
    answer = call(world, body(with_id, without, by=None, push=True)).json()
    assert answer["Details"]["SuccessfulLeads"] == [
        {"Identifier": "ProspectId", "IdentifierValue": prospect.upper()}
    ]
    assert len(answer["Details"]["FailedLeads"]) == 1
    assert world.crm.leads[prospect]["FirstName"] == "New"
    assert len(world.writes) == 1


def test_an_unknown_attribute_anywhere_refuses_the_whole_call() -> None:
    world = world_with("a@example.com", "b@example.com")
    good, wrong = (
        lead(EmailAddress="a@example.com", FirstName="A"),
        lead(EmailAddress="b@example.com", mx_A="1", mx_B="2"),
    )
    answer = call(world, body(good, wrong))
    assert answer.status_code == 500
    assert answer.json() == {
        "Status": "Error",
        "ExceptionType": "MXUnknownAttributeException",
        "ExceptionMessage": "Attribute(s) does not exist - mx_A, mx_B",
    }
    assert not world.writes


def test_26_leads_are_too_many_and_25_are_not() -> None:
    world = world_with(*(f"p{number}@example.com" for number in range(26)))
    leads = [lead(EmailAddress=f"p{number}@example.com", FirstName="New") for number in range(26)]
    answer = call(world, body(*leads))
    assert (answer.status_code, answer.json()["ExceptionType"]) == (500, "MXInvalidInputException")
    assert call(world, body(*leads[:25])).json()["Status"]["SuccessCount"] == 25
    assert world.batch_sizes == {25: 1}


def test_a_key_that_is_not_unique_is_refused() -> None:
    answer = call(World(), body(lead(FirstName="A"), by="FirstName"))
    assert (answer.status_code, answer.json()["ExceptionType"]) == (500, "MXInvalidInputException")


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {},
        {"LeadPropertiesList": []},
        {"LeadPropertiesList": [[{"Attribute": "EmailAddress", "Value": "a@example.com"}]]},
        {"LeadPropertiesList": [{"Fields": {"Attribute": "EmailAddress"}}]},
        {"LeadPropertiesList": [{"Fields": [["EmailAddress", "a@example.com"]]}]},
        {"LeadPropertiesList": [{"Fields": [{"Attribute": "EmailAddress", "Value": ["a"]}]}]},
    ],
)
def test_malformed_bodies_are_bad_requests(wrong: Any) -> None:
    answer = call(World(), wrong)
    assert (answer.status_code, answer.json()["Status"]) == (400, "Error")


def test_broken_json_and_a_wrong_content_type_are_bad_requests() -> None:
    world = World()
    broken = {"json": None, "content": b"{", "headers": keys(world) | {"Content-Type": "application/json"}}
    assert call(world, None, **broken).status_code == 400
    typed = {"json": None, "content": b"{}", "headers": keys(world) | {"Content-Type": "text/plain"}}
    assert call(world, None, **typed).status_code == 400


def test_a_flat_list_is_answered_with_200_and_no_success() -> None:
    flat = {
        "SearchByKey": "EmailAddress",
        "LeadPropertiesList": [{"Attribute": "EmailAddress", "Value": "a@example.com"}],
    }
    answer = call(world_with("a@example.com"), flat)
    assert (answer.status_code, answer.json()["Status"]["SuccessCount"]) == (200, 0)
    assert "Fields cannot be empty" in answer.text


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("mx_Outcome", "Perhaps"),
        ("FirstName", "x" * 51),
        ("mx_Revenue", "much"),
        ("mx_Revenue", "NaN"),
        ("mx_Sold_On", "13/07/2022"),
        ("mx_Sold_On", "2022-02-31 10:00:00"),
        ("Phone", "call me"),
        ("mx_Consent", "maybe"),
        ("mx_First_Source", "another"),
        ("ProspectAutoId", "99"),
    ],
)
def test_a_value_that_is_not_acceptable_fails_its_lead_alone(field: str, wrong: str) -> None:
    world = world_with("a@example.com", "b@example.com")
    bad = lead(EmailAddress="a@example.com", LastName="Not written", **{field: wrong})
    answer = call(world, body(bad, lead(EmailAddress="b@example.com", LastName="Written")))
    assert answer.json()["Status"] | {"Message": ""} == {
        "TotalCount": 2, "SuccessCount": 1, "FailureCount": 1, "Message": ""
    }  # fmt: skip
    assert field in failed(answer)[0]["Reason"]
    assert value(world, "a@example.com", "LastName") is None
    assert value(world, "b@example.com", "LastName") == "Written"


def test_a_unique_value_of_another_lead_is_a_duplicate_entry() -> None:
    world = World()
    world.add_person({"EmailAddress": "a@example.com", "Phone": "+44-7700900001"})
    world.add_person({"EmailAddress": "b@example.com"})
    same = call(world, body(lead(EmailAddress="b@example.com", Phone="+447700900001")))
    assert failed(same)[0]["Reason"].startswith("MXDuplicateEntryException")
    own = call(world, body(lead(EmailAddress="a@example.com", Phone="+447700900001")))
    assert own.json()["Status"]["SuccessCount"] == 1


def test_a_freed_unique_value_finds_nobody_and_can_be_taken() -> None:
    world = World()
    world.add_person({"EmailAddress": "a@example.com", "Phone": "+44-7700900001"})
    world.add_person({"EmailAddress": "b@example.com"})
    call(world, body(lead(EmailAddress="a@example.com", Phone="+44-7700900002")))
    assert world.crm.find("Phone", "+447700900001") is None
    assert (
        call(world, body(lead(EmailAddress="b@example.com", Phone="+44-7700900001"))).json()["Status"][
            "SuccessCount"
        ]
        == 1
    )


def test_values_read_back_as_leadsquared_stores_them() -> None:
    world = world_with("a@example.com")
    call(
        world,
        body(
            lead(
                EmailAddress="a@example.com",
                mx_Sold_On="2022-07-13 09:35:00",
                mx_Consent="true",
                LastName=" X ",
            )
        ),
    )
    assert value(world, "a@example.com", "mx_Sold_On") == "2022-07-13 09:35:00.000"
    assert value(world, "a@example.com", "mx_Consent") == "1"
    assert value(world, "a@example.com", "LastName") == "X"
    call(world, body(lead(EmailAddress="a@example.com", LastName="")))
    assert value(world, "a@example.com", "LastName") is None


def test_writes_are_logged_in_order_and_a_lead_named_twice_is_noticed() -> None:
    world = world_with("a@example.com")
    call(
        world,
        body(
            lead(EmailAddress="a@example.com", LastName="1"), lead(EmailAddress="A@example.com", LastName="2")
        ),
    )
    assert [(write.order, write.fields) for write in world.writes] == [
        (1, {"LastName": "1"}),
        (2, {"LastName": "2"}),
    ]
    assert world.doubled == 1
    assert value(world, "a@example.com", "LastName") == "2"


def test_identifiers_echoed_in_another_spelling_mean_the_same() -> None:
    world = world_with(*(f"p{number}@example.com" for number in range(20)))
    world.bulk.echo = "changed"
    sent = [f"p{number}@example.com" for number in range(20)]
    answer = call(world, body(*(lead(EmailAddress=email, LastName="X") for email in sent)))
    echoed = [entry["IdentifierValue"] for entry in answer.json()["Details"]["SuccessfulLeads"]]
    assert echoed != sent
    assert [text.strip().casefold() for text in echoed] == sent


def test_a_lead_can_be_left_out_of_the_lists_and_a_count_can_be_wrong() -> None:
    world = world_with("a@example.com", "b@example.com")
    world.bulk.omit_next = world.bulk.miscount_next = 1
    leads = [lead(EmailAddress=f"{name}@example.com", LastName="X") for name in "ab"]
    answer = call(world, body(*leads)).json()
    assert [entry["IdentifierValue"] for entry in answer["Details"]["SuccessfulLeads"]] == ["b@example.com"]
    assert (answer["Status"]["TotalCount"], answer["Status"]["SuccessCount"]) == (2, 2)
    assert value(world, "a@example.com", "LastName") == "X"
    assert len(call(world, body(*leads)).json()["Details"]["SuccessfulLeads"]) == 2


def test_leads_go_wrong_by_rate_each_for_itself() -> None:
    emails = [f"{number}@example.com" for number in range(100)]
    world = world_with(*emails)
    world.limit("leadsquared", Limits())
    world.bulk.omitted, world.bulk.failing = 0.3, 0.2
    leads = [lead(EmailAddress=email, LastName="X") for email in emails]
    answers = [call(world, body(*leads[start : start + 25])) for start in range(0, 100, 25)]
    refused = [entry for answer in answers for entry in failed(answer)]
    listed = sum(len(answer.json()["Details"]["SuccessfulLeads"]) for answer in answers)
    omitted = 100 - listed - len(refused)
    assert 15 <= omitted <= 45
    assert 8 <= len(refused) <= 32
    assert world.bulk.mishaps == omitted + len(refused)
    assert {entry["Reason"] for entry in refused} == {
        "MXOperationFailedException: The lead could not be updated"
    }
    # About half of those that are listed nowhere were carried out all the same.
    assert listed + omitted / 5 <= len(world.writes) <= listed + omitted * 4 / 5
    assert not {entry["IdentifierValue"] for entry in refused} & {
        world.crm.leads[write.prospect]["EmailAddress"] for write in world.writes
    }


def test_keys_by_header_or_query_and_the_wrong_region() -> None:
    world = world_with("a@example.com")
    update = body(lead(EmailAddress="a@example.com", LastName="X"))
    assert call(world, update, headers={}).status_code == 401
    wrong = call(world, update, headers=keys(world) | {"x-LSQ-SecretKey": "wrong"})
    assert (wrong.status_code, wrong.json()["ExceptionType"]) == (401, "MXInvalidAccessDetailsException")
    query = {"accessKey": world.access_key, "secretKey": world.secret_key}
    assert call(world, update, headers={}, params=query).status_code == 200
    world.region_host = "api-us11.leadsquared.com"
    region = call(world, update)
    assert region.status_code == 401
    assert "api-us11.leadsquared.com" in region.json()["ExceptionMessage"]
    assert world.called("leadsquared", "denied", "bulk_update") == 3
