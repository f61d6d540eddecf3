"""What feedback mappings decide about a changed LeadSquared lead."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.mapping import FeedbackFile, feedback_of, load
from bridge.model import LEADSQUARED, ResolvedItem, State
from bridge.operation import Learned
from bridge.pipeline.deciding import (
    DRY_RUN,
    NOT_WANTED,
    PRUNED,
    Seen,
    decide,
    decisions,
    remap,
    remapped,
    seen,
)
from bridge.policy.feedback import fingerprint
from bridge.policy.values import digest
from bridge.ports import Birth, Decision, Reopened
from bridge.store import SqliteStore, open_store
from tests.contract.store_feedback_contract import ANN, P1, FeedbackContract, change

SOLD = """\
version: 1
direction: feedback
when: "Stage == 'Sold'"
lead_id: Id
update: {postcode: Zip}
financials: {payout: Payout}
"""
VALUES = {"Stage": "Sold", "Id": "7", "Zip": "N1", "Payout": "80"}
UPDATE = {"lead_id": "7", "update.postcode": "N1"}
OLD = "phone=+44-7700900123"
BOOKED = {"lead_id": "7", "financials.payout": "80.00"}


def back(text: str = SOLD, **more: str) -> FeedbackFile:
    lines = "".join(f"{name}: {value}\n" for name, value in more.items())
    (found,) = feedback_of(load({"m/back.yaml": text + lines}))
    return found


def lead(learned: Learned = Learned(), ours: Mapping[str, str] | None = None, **values: str) -> Seen:  # noqa: B008
    written = {name.lower(): frozenset({digest(text)}) for name, text in (ours or {}).items()}
    return Seen({**VALUES, **values}, learned, written)


def real(found: Iterator[Decision]) -> list[Decision]:
    """Without those that only take back what is not wanted."""
    return [one for one in found if not one.left]


def taken_back(found: Iterator[Decision]) -> set[str]:
    return {one.kind for one in found if one.left}


def reopened(kind: str = "lead", *, reply: str = "{}", force: bool = False, name: str = "back") -> Reopened:
    return Reopened(3, name, ResolvedItem(1, P1, reply, 10.0, {}, 0, force, LEADSQUARED), kind)


def test_what_a_mapping_wants_becomes_pending_with_where_it_came_from() -> None:
    update, booked = real(decide(back(), lead()))
    assert (update.mapping, update.state, update.kind) == ("back", State.PENDING, "lead")
    assert update.mapped
    assert booked.mapped
    assert (update.mapped.fields, booked.mapped.fields) == (UPDATE, BOOKED)
    assert (update.origin, booked.origin) == ({"Zip": "N1"}, {"Payout": "80"})
    assert (update.acted, booked.acted) == (fingerprint(update.mapped), fingerprint(booked.mapped))
    assert (update.agreed, update.reason) == (False, None)


def test_what_a_lead_is_not_asked_for_any_more_is_taken_back() -> None:
    assert taken_back(decide(back(), lead())) == {"quarantine", "process"}
    assert taken_back(decide(back(), lead(Payout=""))) == {"quarantine", "process", "financials"}


def test_a_lead_that_is_left_out_takes_back_everything() -> None:
    [left] = decide(back(), lead(Stage="New"))
    assert (left.mapping, left.state, left.kind, left.left) == ("back", State.SKIPPED, "", True)


def test_a_lead_that_cannot_be_mapped_fails_with_its_reason_and_acts_on_nothing() -> None:
    [failed] = decide(back(), lead(Payout="-80"))
    assert (failed.state, failed.kind, failed.mapped, failed.acted) == (State.FAILED, "", None, None)
    assert failed.reason == "payout: is negative"


def test_an_echo_is_agreed_and_counts_as_acted() -> None:
    update, booked = real(decide(back(), lead(ours={"Stage": "Sold", "Zip": "N1"})))
    assert (update.agreed, update.state, booked.agreed) == (True, State.SKIPPED, False)
    assert update.mapped
    assert update.acted == fingerprint(update.mapped)


FILLED = SOLD.replace("Stage == 'Sold'", "Zip != ''")
"""`when` looks at nothing but what the update is made from."""


def test_a_wish_of_which_nothing_is_left_is_agreed() -> None:
    [update, _] = real(decide(back(FILLED), lead(ours={"Zip": "N1"})))
    assert update.agreed


def test_a_rule_acts_on_the_whole_set_though_it_tells_only_news() -> None:
    text = FILLED.replace("{postcode: Zip}", "{postcode: Zip, city: City}")
    whole, cut = (
        real(decide(back(text), lead(ours=ours, City="York")))[0] for ours in ({}, {"City": "York"})
    )
    assert cut.mapped
    assert (cut.mapped.fields, cut.origin) == (UPDATE, {"Zip": "N1"})
    assert cut.acted == whole.acted


@pytest.mark.parametrize(("ours", "agreed"), [({}, False), ({"Stage": "Sold"}, True)])
def test_what_a_person_decided_on_is_said_with_all_its_values(ours: Mapping[str, str], agreed: bool) -> None:
    """By a column of `when` that holds something of theirs; where it holds LeadByte's, there is no news."""
    [update, _] = real(decide(back(), lead(ours={"Zip": "N1", **ours})))
    assert update.mapped
    assert (update.agreed, update.mapped.fields) == (agreed, UPDATE)


@pytest.mark.parametrize(
    ("text", "told", "kinds"),
    [
        (SOLD, {"ours": {"Id": "7"}}, {"financials"}),
        (SOLD, {"ours": {"Id": "6"}}, set()),
        (SOLD, {}, set()),
        (SOLD, {"learned": Learned("7"), "Id": ""}, {"financials"}),
        (SOLD + "action: reprocess\n", {"ours": {"Id": "7"}}, {"lead", "financials"}),
    ],
    ids=["forward wrote it", "changed since", "a person's", "empty and learned", "an action"],
)
def test_what_is_done_once_is_known_by_its_values_where_the_id_is_the_way_forwards(
    text: str, told: Mapping[str, Any], kinds: set[str]
) -> None:
    found = real(decide(back(text), lead(**told)))
    assert {one.kind for one in found if one.values is not None} == kinds


def test_what_is_done_once_is_known_by_the_same_values_under_another_id() -> None:
    one, other, more = (
        real(decide(back(), lead(Learned(id_), Id="", Payout=payout)))[1]
        for id_, payout in (("7", "80"), ("8", "80"), ("8", "90"))
    )
    assert one.values == other.values != more.values
    assert one.acted != other.acted


def test_a_dry_run_records_what_would_be_sent_and_no_more() -> None:
    dry = back(dry_run="true")
    update, booked = real(decide(dry, lead()))
    assert update.mapped
    assert (update.state, update.mapped.fields, update.reason) == (State.SKIPPED, UPDATE, DRY_RUN)
    assert (update.acted, update.agreed) == (fingerprint(update.mapped), False)
    [only] = real(decide(dry, lead(ours={"Stage": "Sold", "Zip": "N1"})))
    assert only.kind == booked.kind == "financials"


def test_a_resync_maps_the_kind_that_was_re_opened_echo_or_not() -> None:
    told = lead(ours={"Stage": "Sold", "Zip": "N1", "Payout": "80"})
    for kind, fields, origin in (("lead", UPDATE, {"Zip": "N1"}), ("financials", BOOKED, {"Payout": "80"})):
        birth = remapped(reopened(kind, force=True), back(), told)
        assert birth.mapped
        assert (birth.state, birth.mapped.fields, birth.origin) == (State.PENDING, fields, origin)
        assert (birth.item_id, birth.mapping, birth.at, birth.force) == (1, "back", 10.0, True)
        assert birth.target == "leadbyte"


@pytest.mark.parametrize(
    ("mapping", "told", "kind", "state", "reason"),
    [
        (None, lead(), "lead", State.FAILED, "there is no mapping file named back any more"),
        (back(), lead(Payout="x"), "lead", State.FAILED, "payout: not an amount like 80.00"),
        (back(), lead(Stage="New"), "lead", State.SKIPPED, NOT_WANTED),
        (back(), lead(), "process", State.SKIPPED, NOT_WANTED),
        (back(dry_run="true"), lead(), "lead", State.SKIPPED, DRY_RUN),
    ],
)
def test_a_resync_that_leads_to_nothing_says_why(
    mapping: FeedbackFile | None, told: Seen, kind: str, state: State, reason: str
) -> None:
    birth = remapped(reopened(kind), mapping, told)
    assert birth == Birth(1, "back", state, None, reason, 10.0, target="leadbyte")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(open_store(tmp_path)) as store:
        yield store


def looked_at(store: SqliteStore, *found_by: str) -> ResolvedItem:
    store.observe([replace(change(20.0, P1, ANN, OLD, **VALUES), found_by=found_by)], 20.0)
    [item] = [one for one in store.unmapped(10) if one.queue_id == P1]
    return item


def test_a_lead_is_seen_with_what_the_way_forward_knows(store: SqliteStore) -> None:
    FeedbackContract().forward(store, "q1", Learned("7", "5"))
    found = seen(store, looked_at(store, ANN))
    assert (found.values, found.learned) == (VALUES, Learned("7", "5"))
    assert found.written == {"emailaddress": {digest("a@example.com")}}


def test_ids_are_learned_by_those_names_alone_that_the_way_forward_looks_for_first(
    store: SqliteStore,
) -> None:
    FeedbackContract().forward(store, "q1", Learned("7", "5"))
    found = seen(store, looked_at(store, OLD))
    assert found.learned == Learned()
    assert found.written == {"emailaddress": {digest("a@example.com")}}


def test_what_was_written_under_a_former_name_is_known_and_no_id_is(store: SqliteStore) -> None:
    FeedbackContract().forward(store, "q1", Learned("7", "5"))
    looked_at(store, ANN)
    store.observe([replace(change(30.0, P1, OLD, **{**VALUES, "Zip": "N2"}), found_by=[OLD])], 30.0)
    [item] = [one for one in store.unmapped(10) if one.queue_id == P1]
    found = seen(store, item)
    assert found.learned == Learned()
    assert found.written == {"emailaddress": {digest("a@example.com")}}


def test_every_mapping_decides(store: SqliteStore) -> None:
    other = feedback_of(load({"m/other.yaml": SOLD}))
    found = decisions(store, looked_at(store), [back(), *other])
    assert {one.mapping for one in found} == {"back", "other"}


def test_a_resync_takes_the_lead_as_it_is(store: SqliteStore) -> None:
    looked_at(store)
    birth = remap(store, reopened(reply=json.dumps({**VALUES, "Zip": "N2"})), back())
    assert birth.mapped
    assert birth.mapped.fields["update.postcode"] == "N2"


def test_nothing_is_decided_about_a_lead_whose_values_were_pruned(store: SqliteStore) -> None:
    told = reopened(reply="")
    assert decisions(store, told.item, [back()]) == ()
    birth = remap(store, told, back())
    assert (birth.state, birth.reason) == (State.FAILED, PRUNED)
