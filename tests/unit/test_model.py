"""The words and their one table, the values that stages hand on, and the tree of errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import errors
from bridge.model import (
    BIRTHS,
    HOSTS,
    IN_FLIGHT,
    ITEM_TRANSITIONS,
    LEAD_STATES,
    TRANSITIONS,
    Delivery,
    ItemState,
    Lane,
    Mapped,
    Stamp,
    State,
    identity,
)

DESIGNED = """
    pending → sending superseded skipped
    sending → synced submitted pending unprocessed failed in_doubt
    submitted → synced pending failed
    in_doubt → synced pending failed
    failed → pending superseded
    unprocessed → pending superseded
    synced →
    skipped →
    superseded →
"""


def test_transitions_are_the_designs() -> None:
    rows = [line.split("→") for line in DESIGNED.strip().splitlines()]
    wanted = {State(a.strip()): {State(word) for word in b.split()} for a, b in rows}
    assert {state: set(to) for state, to in TRANSITIONS.items()} == wanted


def test_every_state_is_reached_and_what_is_in_flight_can_be_done() -> None:
    reached, left = set(BIRTHS), set(BIRTHS)
    while left:
        state = left.pop()
        left |= TRANSITIONS[state] - reached
        reached |= TRANSITIONS[state]
    assert reached == set(State)
    assert all(State.SYNCED in TRANSITIONS[state] for state in IN_FLIGHT)


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[State.SYNCED] = frozenset()  # type: ignore[index]


def test_items_wait_resolve_expire_and_may_be_fetched_again() -> None:
    back = {ItemState.WAITING}
    assert ITEM_TRANSITIONS[ItemState.WAITING] == {ItemState.RESOLVED, ItemState.EXPIRED}
    assert ITEM_TRANSITIONS[ItemState.RESOLVED] == ITEM_TRANSITIONS[ItemState.EXPIRED] == back


def test_a_lead_counts_once_in_the_state_that_most_needs_a_person() -> None:
    assert LEAD_STATES[:4] == ("failed", "unprocessed", "in_doubt", "expired")
    assert LEAD_STATES[-3:] == ("synced", "skipped", "superseded")
    assert sorted(LEAD_STATES) == sorted({*State, "waiting", "expired"})


def test_each_mode_has_a_host_of_its_own() -> None:
    assert HOSTS == {"bulk": "leadsquared", "async": "leadsquared-async", "leadbyte": "leadbyte"}


def test_a_stamp_is_as_new_as_processed_then_arrival() -> None:
    assert sorted([Stamp(2, 1), Stamp(1, 9), Stamp(1, 3)]) == [Stamp(1, 3), Stamp(1, 9), Stamp(2, 1)]


WORD = st.text(st.characters(exclude_characters="|"), max_size=8)


@given(st.builds(Lane, WORD, WORD, WORD, st.text(max_size=8)))
def test_a_lane_survives_its_text(lane: Lane) -> None:
    assert Lane.parse(str(lane)) == lane


@pytest.mark.parametrize(
    ("option", "repeatable"),
    [("unprocessed", True), ("failed", True), ("silent", True), ("automations", False)],
)
def test_only_what_fires_automations_may_not_be_repeated(option: str, repeatable: bool) -> None:
    assert Lane("async", "", option).repeatable is repeatable


def test_an_identity_is_trimmed_and_in_no_case() -> None:
    assert identity("EmailAddress", " ANN@Example.COM ") == "emailaddress=ann@example.com"
    mapped = Mapped(
        {"EmailAddress": "A@b.c", "Phone": "1"}, ["EmailAddress", "Phone"], Lane("bulk", "", "failed")
    )
    assert mapped.identity == "emailaddress=a@b.c"


def delivery(search_by: str, *keys: str) -> Delivery:
    fields = {key: f"the {key}" for key in keys}
    return Delivery(1, 1, "q", "m", "x=1", Lane("bulk", search_by, "failed"), keys, fields, {}, 0)


def test_a_delivery_is_looked_up_by_its_lanes_key_and_then_by_the_next() -> None:
    first = delivery("EmailAddress", "EmailAddress", "Phone", "mx_Id")
    assert (first.key, first.lookup, first.next_key) == ("EmailAddress", "the EmailAddress", "Phone")
    assert delivery("Phone", "EmailAddress", "Phone", "mx_Id").next_key == "mx_Id"
    last = delivery("mx_Id", "EmailAddress", "Phone", "mx_Id")
    assert (last.lookup, last.next_key) == ("the mx_Id", None)


def test_without_a_search_key_a_delivery_is_looked_up_by_the_leads_id() -> None:
    by_id = delivery("", "ProspectID")
    assert (by_id.key, by_id.lookup, by_id.next_key) == ("ProspectID", "the ProspectID", None)


def test_problems_are_told_at_once_a_line_each() -> None:
    for error in (errors.UsageError("one", "two"), errors.SettingsError(iter(["one", "two"]))):
        assert (error.problems, str(error), error.exit_code) == (("one", "two"), "one\ntwo", 2)


@pytest.mark.parametrize(
    ("kind", "code"),
    [("Problems", 2), ("MappingError", 2), ("Busy", 75), ("StoreError", 1), ("Denied", 1), ("Conflict", 1)],
)
def test_what_a_command_exits_with(kind: str, code: int) -> None:
    assert getattr(errors, kind).exit_code == code


def test_a_throttle_carries_what_it_was_told() -> None:
    plain, told = errors.Throttled("slow"), errors.Throttled("slow", retry_after=3.0, limit=(10, 5.0))
    assert (str(plain), plain.retry_after, plain.limit) == ("slow", None, None)
    assert (told.retry_after, told.limit) == (3.0, (10, 5.0))


def test_failures_of_whole_calls_are_told_apart_by_what_to_do_next() -> None:
    kinds = {
        errors.Unreachable,
        errors.LostAnswer,
        errors.ServerFault,
        errors.Throttled,
        errors.Denied,
        errors.Refused,
    }
    assert set(errors.CallError.__subclasses__()) == kinds
    assert all(issubclass(kind, errors.BridgeError) for kind in kinds)


def test_two_people_whose_names_only_fold_alike_are_two() -> None:
    assert identity("EmailAddress", "weiß@example.com") != identity("EmailAddress", "weiss@example.com")


def test_both_spellings_of_the_lead_id_name_one_lead() -> None:
    assert identity("ProspectID", "A1") == identity("ProspectId", "a1")
