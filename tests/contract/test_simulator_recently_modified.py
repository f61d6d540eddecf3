"""The simulated Leads.RecentlyModified: its window, its pages, its shapes."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from bridge.simulator import World, serve

PATH = "/v2/LeadManagement.svc/Leads.RecentlyModified"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()


class Clock:
    """Time that only a test moves."""

    now = NOON

    def __call__(self) -> float:
        return self.now


def drive(world: World, *bodies: Any) -> list[httpx.Response]:
    """What each of these is answered, one after another."""

    async def run() -> list[httpx.Response]:
        keys = {"x-LSQ-AccessKey": world.access_key, "x-LSQ-SecretKey": world.secret_key}
        async with (
            serve(world) as servers,
            httpx.AsyncClient(base_url=servers.leadsquared, headers=keys) as client,
        ):
            return [await client.post(PATH, json=body) for body in bodies]

    return asyncio.run(run())


def window(
    start: str = "12:00:00", end: str = "12:59:59", columns: str = "ProspectAutoId", **more: Any
) -> Any:
    """The body of the page. `more`: Paging and Sorting."""
    return {
        "Parameter": {"FromDate": f"2026-03-02 {start}", "ToDate": f"2026-03-02 {end}"},
        "Columns": {"Include_CSV": columns},
        "Paging": {"PageIndex": 1, "PageSize": 100},
        "Sorting": {"ColumnName": "ProspectAutoId", "Direction": "1"},
        **more,
    }


def rows(answer: httpx.Response) -> list[dict[str, str | None]]:
    return [
        {pair["Attribute"]: pair["Value"] for pair in lead["LeadPropertyList"]}
        for lead in answer.json().get("Leads", [])
    ]


def numbers(answer: httpx.Response) -> list[str | None]:
    return [row["ProspectAutoId"] for row in rows(answer)]


def world_of(seconds: Sequence[float]) -> tuple[World, Clock, list[str]]:
    """A world with a lead for each of these moments after noon."""
    clock = Clock()
    world = World(clock=clock)
    ids = []
    for second in seconds:
        clock.now = NOON + second
        ids.append(world.add_person({"EmailAddress": f"p{len(ids)}@example.com"}))
    return world, clock, ids


def test_a_row_is_a_list_of_attributes_and_ends_with_what_is_no_field() -> None:
    world, _, ids = world_of([5.7])
    world.edit(ids[0], {"mx_Consent": "true", "mx_Sold_On": "2026-03-01 09:30:00", "mx_Payout": "80.00"})
    asked = window(columns="mx_Consent, mx_Sold_On,mx_Payout,mx_Revenue,ModifiedOn")
    (answer,) = drive(world, asked)
    assert answer.json() == {
        "RecordCount": 1,
        "Leads": [
            {
                "LeadPropertyList": [
                    {"Attribute": "ProspectID", "Value": ids[0]},
                    {"Attribute": "mx_Consent", "Value": "1"},
                    {"Attribute": "mx_Sold_On", "Value": "2026-03-01 09:30:00.000"},
                    {"Attribute": "mx_Payout", "Value": "80.00"},
                    {"Attribute": "mx_Revenue", "Value": None},
                    {"Attribute": "ModifiedOn", "Value": "2026-03-02 12:00:05.000"},
                    {"Attribute": "CanUpdate", "Value": "true"},
                    {"Attribute": "Total", "Value": "1"},
                ]
            }
        ],
    }


def test_without_columns_every_field_is_shown_and_the_pseudo_attributes_besides() -> None:
    world, _, _ = world_of([1])
    (answer,) = drive(world, {"Parameter": window()["Parameter"]})
    (row,) = rows(answer)
    assert row.keys() == world.crm.schema.keys() | {"CanUpdate", "Total"}


def test_leads_are_absent_where_there_are_none() -> None:
    world, _, _ = world_of([1])
    empty, beyond = drive(
        world, window("11:00:00", "11:59:59"), window(Paging={"PageIndex": 2, "PageSize": 100})
    )
    assert empty.json() == {"RecordCount": 0}
    assert beyond.json() == {"RecordCount": 1}


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        ("12:00:04", "12:00:06", ["1", "2", "3"]),
        ("12:00:05", "12:00:06", ["1", "2", "3"]),
        ("12:00:05", "12:00:05", ["1"]),
        ("12:00:06", "12:00:06", ["3"]),
        ("12:00:04", "12:00:05", ["1"]),
        ("12:00:06", "12:00:07", ["3"]),
        ("12:00:07", "12:00:09", []),
    ],
)
def test_both_ends_belong_to_the_window_by_the_hidden_microseconds(
    start: str, end: str, found: list[str]
) -> None:
    world, _, _ = world_of([5.0, 5.7, 6.0])
    (answer,) = drive(world, window(start, end))
    assert numbers(answer) == found


def test_windows_that_meet_at_different_seconds_lose_what_lies_between() -> None:
    world, _, _ = world_of([5.000001, 5.999999])
    first, second, shared = drive(
        world,
        window("12:00:00", "12:00:05"),
        window("12:00:06", "12:00:10"),
        window("12:00:05", "12:00:10"),
    )
    assert (numbers(first), numbers(second), numbers(shared)) == ([], [], ["1", "2"])


def test_pages_of_sorted_rows_hold_each_once_and_numbers_go_by_size() -> None:
    world, _, _ = world_of([1.0] * 23)
    pages = [window(Paging={"PageIndex": page, "PageSize": 10}) for page in (1, 2, 3)]
    answers = drive(world, *pages)
    assert [answer.json()["RecordCount"] for answer in answers] == [23, 23, 23]
    assert {row["Total"] for answer in answers for row in rows(answer)} == {"23"}
    assert [number for answer in answers for number in numbers(answer)] == [str(n) for n in range(1, 24)]


@pytest.mark.parametrize("direction", ["0", "2"])
@pytest.mark.parametrize("column", ["ProspectAutoId", "ModifiedOn", "EmailAddress", "ProspectID"])
def test_each_direction_of_each_kind_of_column(column: str, direction: str) -> None:
    world, _, _ = world_of([0.1, 0.2, 0.3, 0.15])
    up, down = drive(
        world,
        window(Sorting={"ColumnName": column, "Direction": "1"}),
        window(Sorting={"ColumnName": column, "Direction": direction}),
    )
    assert numbers(down) == numbers(up)[::-1]
    by_number, by_time = ["1", "2", "3", "4"], ["1", "4", "2", "3"]
    expected = {"ProspectAutoId": by_number, "EmailAddress": by_number, "ModifiedOn": by_time}
    if column in expected:
        assert numbers(up) == expected[column]
    else:
        assert [row["ProspectID"] for row in rows(up)] == sorted(world.crm.leads)


@pytest.mark.parametrize("sorting", [{}, {"ColumnName": "ModifiedOn", "Direction": "1"}])
def test_the_order_of_rows_that_nothing_tells_apart_is_not_stable(sorting: dict[str, str]) -> None:
    world, _, _ = world_of([1.0] * 20)
    first, second = drive(world, window(Sorting=sorting), window(Sorting=sorting))
    assert numbers(first) != numbers(second)
    assert set(numbers(first)) == set(numbers(second))


def test_an_activity_moves_the_time_and_changes_nothing() -> None:
    world, clock, ids = world_of([1, 2])
    before = dict(world.crm.leads[ids[0]])
    clock.now = NOON + 600.5
    world.touch(ids[0])
    late = window("12:10:00", "12:20:00", columns="ProspectAutoId,ModifiedOn")
    early, later = drive(world, window("12:00:00", "12:00:10"), late)
    assert numbers(early) == ["2"]
    assert rows(later)[0]["ModifiedOn"] == "2026-03-02 12:10:00.000"
    assert {**world.crm.leads[ids[0]], "ModifiedOn": before["ModifiedOn"]} == before
    assert not world.edits


def test_numbers_grow_and_every_way_of_writing_moves_the_time() -> None:
    world, clock, ids = world_of([1, 2, 3])
    clock.now = NOON + 100
    world.write("bulk", ids[0], {"LastName": "A"}, clock.now)
    world.tasks.accept(ids[1], {"LastName": "B"}, "", clock.now, fires=False)
    clock.now += 10
    world.edit(ids[2], {"LastName": "C"})
    (answer,) = drive(world, window("12:01:00", "12:10:00"))
    assert numbers(answer) == ["1", "2", "3"]


def test_a_lead_that_the_user_may_not_update_says_so() -> None:
    world, _, ids = world_of([1])
    world.unwritable.add(ids[0])
    (answer,) = drive(world, window())
    assert rows(answer)[0]["CanUpdate"] == "false"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"Paging": {"PageIndex": 1, "PageSize": 5001}}, "PageSize from 1 to 5000"),
        ({"Paging": {"PageIndex": 0, "PageSize": 10}}, "PageIndex must be at least 1"),
        ({"Paging": {"PageIndex": 1, "PageSize": 0}}, "PageSize from 1 to 5000"),
        ({"Sorting": {"ColumnName": "mx_Nothing", "Direction": "1"}}, "mx_Nothing does not exist"),
        ({"Parameter": {"FromDate": "2026-03-02 12:00:00"}}, "ToDate must be given"),
        ({"Parameter": {"FromDate": "2026-03-02T12:00:00Z", "ToDate": "x"}}, "FromDate must be given"),
    ],
)
def test_what_cannot_be_asked_is_an_error_of_the_vendor(more: dict[str, Any], words: str) -> None:
    (answer,) = drive(World(), window(**more))
    assert (answer.status_code, answer.json()["ExceptionType"]) == (500, "MXInvalidInputException")
    assert words in answer.json()["ExceptionMessage"]


def test_a_page_of_5000_rows_is_allowed() -> None:
    world, _, _ = world_of([1])
    (answer,) = drive(world, window(Paging={"PageIndex": 1, "PageSize": 5000}))
    assert answer.json()["RecordCount"] == 1


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"Parameter": []},
        window(Paging={"PageIndex": "x"}),
        window(Columns={"Include_CSV": 5}),
        window(Sorting=["ProspectAutoId"]),
        window(Parameter={"FromDate": 5, "ToDate": 6}),
    ],
)
def test_a_body_of_another_form_is_refused(body: Any) -> None:
    (answer,) = drive(World(), body)
    assert (answer.status_code, answer.json()["Status"]) == (400, "Error")


def test_keys_limits_and_faults_are_those_of_the_host() -> None:
    world, _, _ = world_of([1])
    world.fail_next("throttle", at="leadsquared.recently_modified")
    world.fail_next("mx_error", at="leadsquared.recently_modified")
    throttled, refused, good = drive(world, *[window()] * 3)
    assert [throttled.status_code, refused.status_code, good.status_code] == [429, 500, 200]
    world.access_key = "another"
    world.region_host = "api-in21.leadsquared.com"
    (elsewhere,) = drive(world, window())
    assert "api-in21" in elsewhere.json()["ExceptionMessage"]
    assert world.called("leadsquared", "denied", "recently_modified") == 1
