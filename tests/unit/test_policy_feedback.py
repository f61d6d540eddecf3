"""Whether what a feedback mapping wants of LeadByte is news."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Lane, Mapped
from bridge.operation import Wish
from bridge.policy.feedback import fingerprint, is_echo, origin, trimmed, values_of
from bridge.policy.values import digest

SET = Lane("leadbyte", "lead", "set")
ONCE = Lane("leadbyte", "lead", "once")
MONEY = Lane("leadbyte", "financials", "set")


def wish(lane: Lane = SET, reads: str = "", **sources: str) -> Wish:
    """Fields by `update` name → the columns that each is made of, apart by spaces; a field's text is its name."""
    fields = {"lead_id": "7", **{f"update.{name}": name for name in sources}}
    made = {f"update.{name}": frozenset(columns.split()) for name, columns in sources.items()}
    every = frozenset(reads.split()).union(*made.values()) if made else frozenset(reads.split())
    return Wish(Mapped(fields, ("lead_id",), lane), every, made)


def written(**values: str) -> Mapping[str, frozenset[str]]:
    return {name.lower(): frozenset({digest(text)}) for name, text in values.items()}


@pytest.mark.parametrize(
    ("values", "ours", "echo"),
    [
        ({"Stage": "Sold", "Zip": "N1"}, {"Stage": "Sold", "Zip": "N1"}, True),
        ({"Stage": "Sold", "Zip": "N1"}, {"STAGE": "Sold", "zip": " N1 "}, True),
        ({"Stage": "Sold", "Zip": "N1"}, {"Stage": "Sold"}, False),
        ({"Stage": "Sold", "Zip": "N1"}, {"Stage": "Sold", "Zip": "N2"}, False),
        ({"Stage": "Sold", "Zip": ""}, {"Stage": "Sold", "Zip": "N2"}, True),
        ({"Stage": "Sold"}, {"Stage": "Sold"}, True),
        ({"Stage": "true", "Zip": "+44-7700900123"}, {"Stage": "1", "Zip": "+44 7700 900123"}, True),
        ({"Stage": "", "Zip": ""}, {"Stage": "Sold", "Zip": "N1"}, False),
        ({"Other": "x"}, {"Other": "x"}, False),
        ({}, {}, False),
    ],
)
def test_an_echo_is_what_holds_nothing_but_what_came_from_leadbyte(
    values: dict[str, str], ours: dict[str, str], echo: bool
) -> None:
    assert is_echo(wish(reads="Stage Zip"), values, written(**ours)) is echo


def test_a_wish_that_reads_nothing_is_no_echo() -> None:
    assert not is_echo(wish(), {"Stage": "Sold"}, written(Stage="Sold"))


def test_any_of_several_values_under_way_makes_an_echo() -> None:
    ours = {"stage": frozenset({digest("Sold"), digest("New")})}
    assert is_echo(wish(reads="Stage"), {"Stage": "New"}, ours)


def blanking(lane: Lane = SET) -> Wish:
    mapped = Mapped({"lead_id": "7", "update.zip": ""}, ("lead_id",), lane)
    return Wish(mapped, frozenset({"Zip"}), {"update.zip": frozenset({"Zip"})})


@pytest.mark.parametrize(
    ("ours", "echo"),
    [({"Zip": "N1"}, False), ({"Zip": ""}, True), ({}, False)],
    ids=["it was filled", "it was blank", "never written"],
)
def test_a_field_that_is_to_be_blanked_is_news_where_it_was_filled(ours: dict[str, str], echo: bool) -> None:
    assert is_echo(blanking(), {"Zip": ""}, written(**ours)) is echo


def test_a_blanked_column_is_where_its_value_came_from() -> None:
    assert origin(blanking(), {}) == {"Zip": ""}


def test_what_leadbyte_holds_is_left_out() -> None:
    asked = wish(zip="Zip", city="City Town")
    cut = trimmed(asked, {"Zip": "N1", "City": "York", "Town": "Y"}, written(City="York", Town="Y"))
    assert cut
    assert cut.mapped.fields == {"lead_id": "7", "update.zip": "zip"}
    assert (cut.mapped.lane, cut.reads, cut.sources) == (SET, asked.reads, asked.sources)


def test_a_field_made_of_two_columns_goes_where_one_of_them_is_new() -> None:
    asked = wish(city="City Town")
    assert trimmed(asked, {"City": "York", "Town": "Z"}, written(City="York", Town="Y")) == asked


def test_nothing_is_left_where_leadbyte_holds_all() -> None:
    assert trimmed(wish(zip="Zip"), {"Zip": "N1"}, written(zip="N1")) is None


def test_a_fixed_text_is_always_told() -> None:
    mapped = Mapped({"lead_id": "7", "update.source": "crm"}, ("lead_id",), SET)
    fixed = Wish(mapped, frozenset({"Stage"}), {"update.source": frozenset()})
    for stage in ("Sold", "Lost"):
        assert trimmed(fixed, {"Stage": stage}, written(Stage="Sold")) == fixed
    assert trimmed(Wish(mapped, frozenset()), {}, {}) == Wish(mapped, frozenset())


@pytest.mark.parametrize(
    ("values", "ours", "fields"),
    [
        ({"Stage": "Sold"}, {}, {"zip", "city"}),
        ({"Stage": "Sold"}, {"Stage": "Lost"}, {"zip", "city"}),
        ({"Stage": "Sold"}, {"Stage": "Sold"}, {"zip"}),
        ({"Stage": ""}, {}, {"zip"}),
        ({"Stage": ""}, {"Stage": "Sold"}, {"zip"}),
        ({}, {}, {"zip"}),
    ],
)
def test_nothing_is_left_out_of_what_a_person_decided_on(
    values: dict[str, str], ours: dict[str, str], fields: set[str]
) -> None:
    """A column of `when` that no field is made from holds what did not come from LeadByte."""
    asked = wish(reads="Stage", zip="Zip", city="City")
    told = trimmed(asked, {"Zip": "N1", "City": "York", **values}, written(City="York", **ours))
    assert told
    assert set(told.mapped.fields) == {"lead_id", *(f"update.{name}" for name in fields)}


def test_a_column_of_when_that_a_field_is_made_from_decides_nothing_more() -> None:
    asked = wish(reads="Zip", zip="Zip", city="City")
    cut = trimmed(asked, {"Zip": "N1", "City": "York"}, written(City="York"))
    assert cut
    assert set(cut.mapped.fields) == {"lead_id", "update.zip"}


def found_in(lane: Lane, id_: str, zip_: str, *columns: str) -> Wish:
    """A wish whose id came out of these columns."""
    mapped = Mapped({"lead_id": id_, "update.zip": zip_}, ("lead_id",), lane)
    return Wish(mapped, frozenset({"Zip"}), {"update.zip": frozenset({"Zip"})}, frozenset(columns))


@pytest.mark.parametrize("lane", [ONCE, MONEY])
def test_what_acts_and_money_are_known_by_all_values_but_the_id(lane: Lane) -> None:
    first, second, other = (
        values_of(found_in(lane, id_, zip_), {}, {}) for id_, zip_ in (("7", "N1"), ("8", "N1"), ("8", "N2"))
    )
    assert first == second != other
    assert first is not None


@pytest.mark.parametrize(
    ("columns", "ours", "known"),
    [
        ((), {}, True),
        (("Id",), {"Id": "7"}, True),
        (("Id",), {"ID": " 7 "}, True),
        (("Id",), {"Id": "6"}, False),
        (("Id",), {}, False),
        (("Id", "Other"), {"Id": "7"}, False),
    ],
)
def test_an_id_that_a_person_set_is_a_decision(
    columns: tuple[str, ...], ours: dict[str, str], known: bool
) -> None:
    asked = found_in(MONEY, "7", "N1", *columns)
    values = {"Id": "7", "Other": "x", "Zip": "N1"}
    assert (values_of(asked, values, written(**ours)) is not None) is known


def test_a_plain_update_is_another_one_for_each_id() -> None:
    assert values_of(found_in(SET, "7", "N1"), {}, {}) is None


@pytest.mark.parametrize("lane", [ONCE, MONEY])
def test_what_acts_and_money_are_told_whole(lane: Lane) -> None:
    asked = wish(lane, zip="Zip", city="City")
    assert trimmed(asked, {"Zip": "N1", "City": "York"}, written(Zip="N1", City="York")) == asked


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ({"a": "1", "b": "2"}, {"b": "2", "a": "1"}, True),
        ({"a": "true", "b": "2026-01-02"}, {"a": "1", "b": "2026-01-02 00:00:00.000"}, True),
        ({"a": "1"}, {"a": "2"}, False),
        ({"a": "1"}, {"b": "1"}, False),
        ({"a": "1"}, {"a": "1", "b": ""}, False),
        ({"a": "\udc80"}, {"a": "x"}, False),
    ],
)
def test_a_fingerprint_is_of_a_set_of_normal_values(one: Any, other: Any, alike: bool) -> None:
    prints = {fingerprint(Mapped(fields, ("a",), SET)) for fields in (one, other)}
    assert len(prints) == (1 if alike else 2)
    assert all(len(one) == 32 for one in prints)


@given(st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3), st.randoms())
def test_a_fingerprint_knows_no_order(fields: dict[str, str], random: Any) -> None:
    shuffled = list(fields.items())
    random.shuffle(shuffled)
    assert fingerprint(Mapped(fields, (), SET)) == fingerprint(Mapped(dict(shuffled), (), SET))


def test_the_origin_is_what_the_told_values_were_made_from() -> None:
    asked = wish(zip="Zip", city="City Town")
    values = {"Zip": "N1", "City": "York", "Town": "", "Stage": "Sold"}
    assert origin(asked, values) == {"City": "York", "Zip": "N1"}
    cut = trimmed(asked, values, written(Zip="N1"))
    assert cut
    assert origin(cut, values) == {"City": "York"}
