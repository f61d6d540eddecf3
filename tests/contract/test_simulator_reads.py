"""The simulated read calls of LeadSquared's sync host."""

import asyncio
from typing import Any

import httpx
import pytest

from bridge.simulator import World, serve

LEADS = "/v2/LeadManagement.svc"


def ask(world: World, method: str, path: str, **request: Any) -> httpx.Response:
    async def run() -> httpx.Response:
        keys = {"x-LSQ-AccessKey": world.access_key, "x-LSQ-SecretKey": world.secret_key}
        async with (
            serve(world) as servers,
            httpx.AsyncClient(base_url=servers.leadsquared, headers=keys) as client,
        ):
            return await client.request(method, path, **request)

    return asyncio.run(run())


def world_of(count: int) -> tuple[World, list[str]]:
    world = World()
    people = [{"EmailAddress": f"p{n}@example.com", "Phone": f"+44-770090000{n}"} for n in range(count)]
    return world, [world.add_person(person) for person in people]


def test_metadata_describes_the_schema() -> None:
    fields = {
        field["SchemaName"]: field for field in ask(World(), "GET", f"{LEADS}/LeadsMetaData.Get").json()
    }
    assert fields["FirstName"]["MaxLength"] == "50"
    assert {"Value": "Sold"} in fields["mx_Outcome"]["Options"]
    assert (fields["mx_Sold_On"]["DataType"], fields["mx_Sold_On"]["RenderTypeTextValue"]) == (
        "Date",
        "DateTime",
    )
    assert fields["mx_First_Source"]["LockAfterCreate"] == 1
    assert fields["EmailAddress"]["IsLeadIdentifier"] is True
    wanted = {
        "LastName",
        "Phone",
        "mx_Buyer",
        "mx_Source",
        "mx_LeadByte_Id",
        "mx_Postcode",
        "mx_City",
        "mx_Revenue",
    }
    assert wanted | {"ProspectStage", "ProspectID", "ProspectAutoId", "ModifiedOn"} <= fields.keys()


def test_metadata_without_options() -> None:
    answer = ask(World(), "GET", f"{LEADS}/LeadsMetaData.Get", params={"excludeOptionSets": "1"})
    assert not any("Options" in field for field in answer.json())


def test_retrieve_by_ids_with_columns_and_pages() -> None:
    world, ids = world_of(3)
    asked = {
        "SearchParameters": {"LeadIds": [*ids, "00000000-0000-0000-0000-000000000000"]},
        "Columns": {"Include_CSV": "EmailAddress, Phone,FirstName"},
        "Paging": {"PageIndex": 2, "PageSize": 2},
    }
    answer = ask(world, "POST", f"{LEADS}/Leads/Retrieve/ByIds", json=asked).json()
    assert answer == {
        "RecordCount": 3,
        "Leads": [
            {
                "ProspectID": ids[2],
                "EmailAddress": "p2@example.com",
                "Phone": "+44-7700900002",
                "FirstName": None,
            }
        ],
    }


def test_retrieve_by_ids_refuses_wrong_bodies_and_too_many() -> None:
    path = f"{LEADS}/Leads/Retrieve/ByIds"
    assert ask(World(), "POST", path, json={"LeadIds": []}).status_code == 400
    many = {"SearchParameters": {"LeadIds": ["x"] * 10_001}}
    assert ask(World(), "POST", path, json=many).json()["ExceptionType"] == "MXInvalidInputException"


def test_lookups_by_each_unique_field() -> None:
    world, ids = world_of(2)
    by_email = ask(
        world, "GET", f"{LEADS}/Leads.GetByEmailaddress", params={"emailaddress": "P1@example.com"}
    ).json()
    assert [lead["ProspectID"] for lead in by_email] == [ids[1]]
    by_phone = ask(
        world, "GET", f"{LEADS}/RetrieveLeadByPhoneNumber", params={"phone": "+447700900000"}
    ).json()
    assert [lead["ProspectID"] for lead in by_phone] == [ids[0]]
    by_id = ask(world, "GET", f"{LEADS}/Leads.GetById", params={"id": ids[0]}).json()
    assert by_id[0]["EmailAddress"] == "p0@example.com"
    assert by_id[0]["ModifiedOn"].endswith(".000")
    assert ask(world, "GET", f"{LEADS}/Leads.GetById", params={"id": "none"}).json() == []


@pytest.mark.parametrize(
    ("phone", "found"),
    [
        ("+44-7700900000", [0]),
        ("07700 900000", [0, 1]),
        ("7700900000", [0, 1]),
        ("+49-7700900000", [1]),
        ("7700900009", []),
        ("", []),
        ("+", []),
    ],
)
def test_a_phone_is_found_with_its_country_or_without(phone: str, found: list[int]) -> None:
    world = World()
    ids = [world.add_person({"Phone": number}) for number in ("+44-7700900000", "+49-7700900000", "0123456")]
    answer = ask(world, "GET", f"{LEADS}/RetrieveLeadByPhoneNumber", params={"phone": phone}).json()
    assert [lead["ProspectID"] for lead in answer] == [ids[number] for number in found]


def test_every_lookup_shows_all_fields_of_the_lead() -> None:
    world, ids = world_of(1)
    world.edit(ids[0], {"mx_Consent": "true", "mx_Sold_On": "2026-03-02", "mx_Payout": "80.10"})
    asked = {
        "Leads.GetById": {"id": ids[0]},
        "Leads.GetByEmailaddress": {"emailaddress": "p0@example.com"},
        "RetrieveLeadByPhoneNumber": {"phone": "7700900000"},
    }
    answers = [ask(world, "GET", f"{LEADS}/{path}", params=query).json() for path, query in asked.items()]
    assert answers[0] == answers[1] == answers[2]
    ((lead,),) = answers[:1]
    assert lead.keys() == world.crm.schema.keys()
    assert (lead["mx_Consent"], lead["mx_Sold_On"]) == ("1", "2026-03-02 00:00:00.000")
    assert (lead["mx_Payout"], lead["mx_Revenue"], lead["ProspectAutoId"]) == ("80.10", None, "1")


@pytest.mark.parametrize("path", ["Leads.GetById", "Leads.GetByEmailaddress", "RetrieveLeadByPhoneNumber"])
def test_a_lookup_names_what_it_looks_for(path: str) -> None:
    answer = ask(World(), "GET", f"{LEADS}/{path}")
    assert answer.json()["ExceptionType"] == "MXMandatoryAttributeMissingException"


def test_a_lookup_without_its_parameter_and_an_unknown_address() -> None:
    missing = ask(World(), "GET", f"{LEADS}/Leads.GetById")
    assert (missing.status_code, missing.json()["ExceptionType"]) == (
        500,
        "MXMandatoryAttributeMissingException",
    )
    assert ask(World(), "GET", f"{LEADS}/Leads.Nothing").status_code == 404


def test_the_users_own_host_is_told_from_any_region() -> None:
    world = World()
    world.region_host = "api-in21.leadsquared.com"
    answer = ask(world, "GET", "/v2/Authentication.svc/UserByAccessKey.Get").json()
    assert answer["LSQCommonServiceURLs"]["api"] == "api-in21.leadsquared.com"
    assert answer["TimeZone"]
    assert ask(world, "GET", f"{LEADS}/LeadsMetaData.Get").status_code == 401
