"""An operation survives being carried by a delivery; what a delivery may not say is never sent."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import LeadUnmappable
from bridge.model import Lane
from bridge.operation import (
    Financials,
    LeadUpdate,
    QuarantineProcess,
    QuarantineUpdate,
    Wish,
    carried,
    restored,
)

ZIP = {"postcode": "TN25 6QD"}
ZIP_CARRIED = {"update.postcode": "TN25 6QD"}
LEAD, HELD = {"lead_id": "5"}, {"quarantine_id": "6"}


def lane(kind: str, option: str = "set") -> Lane:
    return Lane("leadbyte", kind, option)


@pytest.mark.parametrize(
    ("operation", "to", "fields"),
    [
        (LeadUpdate("5", ZIP), lane("lead"), {**LEAD, **ZIP_CARRIED}),
        (LeadUpdate("5", {"postcode": ""}), lane("lead"), {**LEAD, "update.postcode": ""}),
        (
            LeadUpdate("5", ZIP, "reprocess"),
            lane("lead", "once"),
            {**LEAD, **ZIP_CARRIED, "action": "reprocess"},
        ),
        (
            LeadUpdate("5", ZIP, trigger=("1053", "1054")),
            lane("lead", "once"),
            {**LEAD, **ZIP_CARRIED, "trigger_deliveries": "1053,1054"},
        ),
        (QuarantineUpdate("6", ZIP), lane("quarantine"), {**HELD, **ZIP_CARRIED}),
        (
            QuarantineUpdate("6", ZIP, "process"),
            lane("quarantine", "once"),
            {**HELD, **ZIP_CARRIED, "action": "release"},
        ),
        (
            QuarantineUpdate("6", ZIP, "reject"),
            lane("quarantine", "once"),
            {**HELD, **ZIP_CARRIED, "action": "reject"},
        ),
        (QuarantineProcess("6", "process"), lane("process", "once"), {**HELD, "action": "release"}),
        (QuarantineProcess("6", "reject"), lane("process", "once"), {**HELD, "action": "reject"}),
        (
            Financials(("5",), Decimal(80), Decimal("120.5"), "33"),
            lane("financials"),
            {
                **LEAD,
                "financials.payout": "80.00",
                "financials.revenue": "120.50",
                "financials.buyer": "33",
            },
        ),
        (
            Financials(("5",), revenue=Decimal("-0.00")),
            lane("financials"),
            {**LEAD, "financials.revenue": "0.00"},
        ),
    ],
)
def test_an_operation_is_carried_in_the_words_of_a_mapping_and_restored(
    operation: Any, to: Lane, fields: dict[str, str]
) -> None:
    mapped = carried(operation)
    assert (mapped.lane, mapped.fields) == (to, fields)
    assert mapped.keys == (next(iter(fields)),)
    assert Wish(mapped, frozenset()).kind == to.search_by
    assert restored(mapped.lane, mapped.fields) == operation


NAMES = st.text("abc_.,1", min_size=1, max_size=5)
TEXTS = st.dictionaries(NAMES, st.text(max_size=8), min_size=1, max_size=4)
IDS = st.from_regex(r"[0-9]{1,6}[a-z]?", fullmatch=True)
MONEY = st.integers(0, 10**14 - 1).map(lambda pennies: Decimal(pennies) / 100)
OPERATIONS = st.one_of(
    st.builds(
        LeadUpdate,
        IDS,
        TEXTS,
        st.sampled_from(["", "reprocess"]),
        st.lists(st.integers(0, 99).map(str), unique=True).map(tuple),
    ),
    st.builds(QuarantineUpdate, IDS, TEXTS, st.sampled_from(["", "process", "reject"])),
    st.builds(QuarantineProcess, IDS, st.sampled_from(["process", "reject"])),
    st.builds(Financials, st.tuples(IDS), MONEY, st.none() | MONEY, st.just("") | IDS),
)


@given(OPERATIONS)
def test_any_operation_comes_back_as_it_was(operation: Any) -> None:
    mapped = carried(operation)
    assert restored(Lane.parse(str(mapped.lane)), dict(mapped.fields)) == operation
    assert mapped.lane.repeatable is operation.repeatable


@pytest.mark.parametrize("kind", ["quarantine", "process"])
def test_fields_that_came_or_went_on_the_way_decide_the_call(kind: str) -> None:
    """A release meets an update of the same lead, or the update of one was outdated by a newer result."""
    fields = {**HELD, "action": "release"}
    assert restored(lane(kind, "once"), fields) == QuarantineProcess("6", "process")
    assert restored(lane(kind, "once"), {**fields, **ZIP_CARRIED}) == QuarantineUpdate("6", ZIP, "process")


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        ("lead", {}, "lead_id: is missing"),
        ("lead", {"lead_id": "n/a", **ZIP_CARRIED}, "lead_id: is no id"),
        ("lead", LEAD, "update: no field to set"),
        ("lead", {**LEAD, **ZIP_CARRIED, "action": "release"}, "action: is none for such a lead"),
        ("lead", {**LEAD, **ZIP_CARRIED, "trigger_deliveries": "1053,"}, "trigger_deliveries: is "),
        ("quarantine", {**ZIP_CARRIED}, "quarantine_id: is missing"),
        ("quarantine", {**HELD, **ZIP_CARRIED, "action": "reprocess"}, "action: is none for such a lead"),
        ("quarantine", HELD, "action: is missing"),
        ("process", HELD, "action: is missing"),
        ("financials", LEAD, "financials: neither a payout nor a revenue"),
        ("financials", {"financials.payout": "1"}, "lead_id: is missing"),
        ("financials", {**LEAD, "financials.payout": "-80.00"}, "payout: is negative"),
        ("financials", {**LEAD, "financials.revenue": "80.005"}, "revenue: has more than two decimals"),
        ("financials", {**LEAD, "financials.payout": "1", "financials.buyer": "Ann"}, "buyer: is no id"),
        *[
            ("financials", {**LEAD, "financials.payout": text}, "payout: not an amount like 80.00")
            for text in ("", "eighty", "£80", "1,000.00", "1e3", "NaN", "79.")
        ],
    ],
)
def test_what_is_not_fit_to_be_sent_is_told_without_its_values(
    kind: str, fields: dict[str, str], reason: str
) -> None:
    with pytest.raises(LeadUnmappable) as error:
        restored(lane(kind, "once"), fields)
    assert str(error.value).startswith(reason)
    assert not any(text in str(error.value) for text in fields.values() if len(text) > 2)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("lead", {**LEAD, **ZIP_CARRIED, "financials.payout": "80.00"}),
        ("lead", {**LEAD, **ZIP_CARRIED, "quarantine_id": "6"}),
        ("process", {**HELD, "action": "reject", "trigger_deliveries": "1053"}),
        ("financials", {**LEAD, "financials.payout": "80.00", **ZIP_CARRIED}),
        ("financials", {**LEAD, "financials.payout": "80.00", "financials.profit": "1"}),
    ],
)
def test_no_text_is_left_out_unseen(kind: str, fields: dict[str, str]) -> None:
    with pytest.raises(LeadUnmappable, match=r"^the delivery carries what is no part of its operation"):
        restored(lane(kind, "once"), fields)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("lead", {**LEAD, **ZIP_CARRIED, "action": "reprocess"}),
        ("lead", {**LEAD, **ZIP_CARRIED, "trigger_deliveries": "1053"}),
        ("quarantine", {**HELD, **ZIP_CARRIED, "action": "release"}),
        ("process", {**HELD, "action": "reject"}),
    ],
)
def test_what_acts_each_time_is_never_sent_where_it_may_be_repeated(
    kind: str, fields: dict[str, str]
) -> None:
    assert not restored(lane(kind, "once"), fields).repeatable
    with pytest.raises(LeadUnmappable, match=r"acts each time .* not sent$"):
        restored(lane(kind, "set"), fields)


def test_setting_values_may_go_where_nothing_is_repeated() -> None:
    """An update that an action was taken from is sent once all the same."""
    assert restored(lane("lead", "once"), {**LEAD, **ZIP_CARRIED}) == LeadUpdate("5", ZIP)
