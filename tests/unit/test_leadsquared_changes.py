"""Changed leads as LeadSquared lists them (`Leads.RecentlyModified`)."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import ServerFault
from bridge.leadsquared import wire
from bridge.leadsquared.changes import Changes
from bridge.leadsquared.leads import looked_up
from bridge.leadsquared.wire import Keys
from bridge.model import Change

KEYS = Keys("u$r1", "s$cr")
BASE = "https://api.leadsquared.com/v2"
AT = 1_700_000_000.0
MODIFIED = "2022-07-13 09:35:04.000"
MODIFIED_AT = datetime(2022, 7, 13, 9, 35, 4, tzinfo=UTC).timestamp()
DAY = 86400.0


def as_list(**values: Any) -> dict[str, Any]:
    return {"LeadPropertyList": [{"Attribute": name, "Value": value} for name, value in values.items()]}


def as_object(**values: Any) -> dict[str, Any]:
    return values


def read(*rows: Any, columns: Sequence[str] = ("mx_City",), page: int = 1) -> Changes:
    return wire.read_changes({"RecordCount": len(rows), "Leads": list(rows)}, columns, page, AT)


def only(found: Changes) -> Change:
    (change,) = found.changes
    return change


# the request


def asked(since: float, now: float, columns: Sequence[str] = (), page: int = 1) -> Any:
    request = wire.changes_request(BASE, KEYS, since, now, columns, page)
    assert (request.method, request.url) == ("POST", f"{BASE}/LeadManagement.svc/Leads.RecentlyModified")
    assert request.headers["x-LSQ-AccessKey"] == "u$r1"
    return json.loads(request.body or b"")


def test_a_page_is_asked_for_in_an_order_that_no_edit_changes() -> None:
    assert asked(MODIFIED_AT, MODIFIED_AT + 60, ["mx_City", "mx_Zip"], 3) == {
        "Parameter": {"FromDate": "2022-07-13 09:35:04", "ToDate": "2022-07-15 09:36:04"},
        "Columns": {"Include_CSV": "mx_City,mx_Zip,ProspectID,ModifiedOn,ProspectAutoId"},
        "Paging": {"PageIndex": 3, "PageSize": 1000},
        "Sorting": {"ColumnName": "ProspectAutoId", "Direction": "1"},
    }


def test_the_window_begins_with_the_whole_second_so_that_hidden_parts_of_it_are_seen() -> None:
    assert asked(MODIFIED_AT + 0.999, AT)["Parameter"]["FromDate"] == "2022-07-13 09:35:04"


@pytest.mark.parametrize(("since", "now"), [(AT, AT), (AT - 90 * DAY, AT), (AT, AT - 400 * DAY)])
def test_the_window_stays_open_whichever_clock_is_ahead(since: float, now: float) -> None:
    until = datetime.fromisoformat(asked(since, now)["Parameter"]["ToDate"]).replace(tzinfo=UTC).timestamp()
    assert until == AT + 2 * DAY


def test_columns_are_named_once_however_they_are_spelt() -> None:
    columns = ["prospectid", "mx_City", "mx_city", "MODIFIEDON", "PROSPECTAUTOID"]
    assert asked(AT, AT, columns)["Columns"] == {
        "Include_CSV": "prospectid,mx_City,MODIFIEDON,PROSPECTAUTOID"
    }


# the answer


@pytest.mark.parametrize("answer", [{"RecordCount": 0}, {"Leads": None}, {"Leads": []}, {"recordCount": "0"}])
def test_leads_are_missing_where_there_are_none(answer: Any) -> None:
    assert wire.read_changes(answer, ["A"], 1, AT) == Changes((), True, 0)


@pytest.mark.parametrize("form", [as_list, as_object])
def test_a_lead_is_a_list_of_attributes_or_an_object(form: Any) -> None:
    row = form(ProspectID="id-1", mx_City=" Leeds ", ModifiedOn=MODIFIED)
    assert only(read(row)) == Change("id-1", MODIFIED_AT, {"mx_City": "Leeds"})


@pytest.mark.parametrize("form", [as_list, as_object])
def test_pseudo_attributes_and_all_else_that_nobody_asked_for_is_ignored(form: Any) -> None:
    row = form(
        Total="1", CanUpdate="true", ProspectID="id-1", mx_City="Leeds", mx_Other="x", ProspectAutoId="7"
    )
    assert only(read(row)).values == {"mx_City": "Leeds"}


def test_names_come_back_as_they_were_asked_for_in_every_spelling_asked_for() -> None:
    row = as_list(PROSPECTID="id-1", MX_CITY="Leeds", ModifiedOn=MODIFIED)
    found = only(read(row, columns=["mx_City", "mx_city", "ProspectId", "mx_Gone"]))
    assert found.values == {"mx_City": "Leeds", "mx_city": "Leeds", "ProspectId": "id-1", "mx_Gone": ""}


@pytest.mark.parametrize("name", ["ProspectID", "ProspectId"])
def test_the_id_has_two_spellings(name: str) -> None:
    assert only(read(as_list(**{name: "id-1"}))).prospect_id == "id-1"
    assert only(read(as_object(**{"ProspectID": None, "ProspectId": "", name: "id-1"}))).prospect_id == "id-1"


@pytest.mark.parametrize(
    "pair",
    [
        {"Attribute": "mx_City", "Value": "Leeds", "Fields": None},
        {"attribute": "mx_City", "value": "Leeds"},
        {"Attribute": "mx_City", "value": "Leeds"},
        {"ATTRIBUTE": "mx_City", "VALUE": "Leeds"},
    ],
)
def test_attributes_may_be_spelt_in_any_case_and_have_more_beside_them(pair: Any) -> None:
    row = {"leadPropertyList": [pair, {"Attribute": "ProspectID", "Value": "id-1"}]}
    assert only(read(row)).values == {"mx_City": "Leeds"}


@pytest.mark.parametrize("pair", [None, "mx_City", {}, {"Attribute": None, "Value": "x"}, ["mx_City", "x"]])
def test_what_is_no_attribute_is_passed_over(pair: Any) -> None:
    row = {"LeadPropertyList": [pair, {"Attribute": "ProspectID", "Value": "id-1"}]}
    assert only(read(row)).values == {"mx_City": ""}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "1"),
        (False, "0"),
        (None, ""),
        (7, "7"),
        (12.5, "12.5"),
        (3.0, "3"),
        ("  ", ""),
        ([], ""),
        ({}, ""),
        (["b", 1], '["b",1]'),
        ({"b": 1, "a": "é"}, '{"a":"é","b":1}'),
    ],
)
def test_all_values_become_text(value: Any, text: str) -> None:
    assert only(read(as_list(ProspectID="id-1", mx_City=value))).values == {"mx_City": text}


@pytest.mark.parametrize(
    ("told", "at"),
    [
        ("2022-07-13 09:35:04", MODIFIED_AT),
        ("2022-07-13 09:35:04.000", MODIFIED_AT),
        ("2022-07-13 09:35:04.250", MODIFIED_AT + 0.25),
        (" 2022-07-13T09:35:04Z ", MODIFIED_AT),
        ("2022-07-13T11:35:04+02:00", MODIFIED_AT),
        ("2022-07-13", AT),
        ("0001-01-01 00:00:00", AT),
        ("13/07/2022 09:35", AT),
        ("", AT),
        (None, AT),
        (1657704904, AT),
        (True, AT),
    ],
)
def test_when_a_lead_was_modified_is_utc_and_else_the_time_of_the_answer(told: Any, at: float) -> None:
    assert only(read(as_list(ProspectID="id-1", ModifiedOn=told))).modified_at == at


def test_a_lead_that_does_not_say_when_was_modified_by_the_time_of_the_answer() -> None:
    assert only(read(as_list(ProspectID="id-1"))).modified_at == AT


@pytest.mark.parametrize(
    "row", [as_list(mx_City="Leeds"), {"ProspectID": " "}, {"ProspectID": {}}, None, 7, {}]
)
def test_a_lead_without_an_id_is_counted_and_left_out(row: Any) -> None:
    found = read(row, as_list(ProspectID="id-1"))
    assert [one.prospect_id for one in found.changes] == ["id-1"]
    assert found.nameless == 1


@pytest.mark.parametrize("newer_first", [True, False])
def test_of_a_lead_that_is_listed_twice_the_newer_look_is_kept(newer_first: bool) -> None:
    older = as_list(ProspectID="id-1", mx_City="Leeds", ModifiedOn="2022-07-13 09:35:04")
    newer = as_list(ProspectID="ID-1", mx_City="York", ModifiedOn="2022-07-13 09:35:05")
    other = as_list(ProspectID="id-2", mx_City="Hull")
    found = read(*((newer, older) if newer_first else (older, newer)), other)
    assert [one.values["mx_City"] for one in found.changes] == ["York", "Hull"]
    assert found.nameless == 0


def rows(count: int, nameless: int = 0) -> list[Any]:
    return [as_list(ProspectID=f"id-{n}") for n in range(count)] + [None] * nameless


@pytest.mark.parametrize(
    ("listed", "told", "page", "last"),
    [
        (rows(1000), 1000, 1, False),
        (rows(999), 999, 1, True),
        (rows(999, nameless=1), None, 1, False),
        (rows(1), 1, 1, True),
        (rows(1), 1001, 2, True),
        (rows(1), "many", 1, True),
        (rows(999), 1001, 1, False),
        ([], 1001, 1, True),
    ],
)
def test_a_page_that_is_not_full_is_the_last_unless_more_are_counted(
    listed: list[Any], told: Any, page: int, last: bool
) -> None:
    body = {"RecordCount": told, "Leads": listed}
    assert wire.read_changes(body, [], page, AT).last is last


NO_LISTS: list[Any] = [{}, "text", 0, False]
NO_PAGES: list[Any] = [None, True, 7, "text", [], [as_list(ProspectID="id-1")], {}, {"Status": "Success"}]


@pytest.mark.parametrize("body", [*NO_PAGES, *({"RecordCount": 1, "Leads": leads} for leads in NO_LISTS)])
def test_another_shape_is_no_answer(body: Any) -> None:
    with pytest.raises(ServerFault, match="list of leads"):
        wire.read_changes(body, [], 1, AT)


@pytest.mark.parametrize(
    ("headers", "at"),
    [
        ({"date": "Tue, 14 Nov 2023 22:13:20 GMT"}, AT),
        ({"date": "Tue, 14 Nov 2023 22:13:20 -0000"}, AT),
        ({"date": "Tue, 14 Nov 2023 23:13:20 +0100"}, AT),
        ({"date": "soon"}, None),
        ({"date": ""}, None),
        ({"date": "Tue, 99 Nov 99999 22:13:20 GMT"}, None),
        ({}, None),
    ],
)
def test_the_other_sides_clock_is_in_the_header(headers: Any, at: float | None) -> None:
    assert wire.answered_at(headers) == at


# lookups by hand


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("3F1F1c2e-0000-4000-8000-000000000000", "ProspectID"),
        ("a@b.c", "EmailAddress"),
        ("+44-7700900123", "Phone"),
        ("07700 900123", "Phone"),
        ("3f1f1c2e-0000-4000-8000-00000000000", "Phone"),
    ],
)
def test_what_a_lead_is_looked_for_by(value: str, key: str) -> None:
    assert wire.key_of(value) == key


SHOWN = {"ProspectID": "id-1", "Score": 7, "Flag": False, "mx_City": None, "Total": "1", "CanUpdate": "true"}
HELD = {"ProspectID": "id-1", "Score": "7", "Flag": "0"}


@pytest.mark.parametrize(
    "body",
    [[SHOWN], SHOWN, [as_list(**SHOWN)], as_list(**SHOWN), {"RecordCount": 1, "Leads": [SHOWN]}],
)
def test_a_lead_looked_up_is_all_that_it_holds(body: Any) -> None:
    assert wire.read_leads(body) == [HELD]
    assert wire.read_lead(body, ["Score", "mx_City"]) == {"Score": "7", "mx_City": ""}


def test_a_phone_may_have_several_leads_or_none() -> None:
    assert wire.read_leads([SHOWN, {"ProspectID": "id-2"}]) == [HELD, {"ProspectID": "id-2"}]
    assert wire.read_leads([]) == wire.read_leads({"RecordCount": 0}) == []


@pytest.mark.parametrize("body", [None, "text", 7, [7], {}, {"Leads": {}}, {"Message": "ok"}])
def test_a_lookup_of_another_shape_is_no_answer(body: Any) -> None:
    with pytest.raises(ServerFault, match="list of leads"):
        wire.read_leads(body)


# anything


NAMES = ["Leads", "LeadPropertyList", "Attribute", "Value", "ProspectID", "prospectId", "ModifiedOn", "A"]
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.just(MODIFIED),
    lambda x: (
        st.lists(x, max_size=3) | st.dictionaries(st.sampled_from([*NAMES, "RecordCount"]), x, max_size=4)
    ),
    max_leaves=12,
)


@given(junk)
def test_any_json_is_changes_with_ids_or_an_error_of_ours(body: Any) -> None:
    try:
        found = wire.read_changes(body, ["A"], 1, AT)
        looked_up(body)
    except ServerFault:
        return
    for change in found.changes:
        assert change.prospect_id == change.prospect_id.strip() != ""
        assert list(change.values) == ["A"]
        assert isinstance(change.values["A"], str)
