"""A side that is down, denied or partly broken for long, told by virtual time: nothing is used up, nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import pytest
import structlog

from bridge.mapping import load
from bridge.model import Track
from bridge.ports import Selection
from tests.property.box import MAPPINGS, START, Box, Weather

HOUR, DAY = 3600.0, 86_400.0


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.reset_defaults()


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def lead_in(box: Box, *names: str, kind: str = "bulk", **more: str) -> None:
    with box.store() as store:
        store.track([Track(name) for name in names], box.clock(), box.clock() + DAY)
    for name in names:
        person = f"{name}@example.com"
        box.lead(name, kind=kind, email=person, name=name.upper(), **more)
        box.crm.people.setdefault(person, {})


def counts(box: Box) -> Mapping[str, int]:
    with box.store() as store:
        return {state: n for state, n in store.status().leads.items() if n}


def attempts_used(box: Box) -> set[int]:
    with box.store() as store:
        return {row[0] for row in store._all("SELECT attempts FROM delivery WHERE state <> 'skipped'")}


OUTAGES = ["unreachable", "lost_before", "lost_after", "fault_before", "fault_after", "denied", "throttle"]


@pytest.mark.parametrize("kind", OUTAGES)
def test_a_day_without_leadsquared_uses_up_no_attempt_and_loses_nothing(box: Box, kind: str) -> None:
    lead_in(box, *(f"early{n}" for n in range(30)))
    box.run(10.0)
    box.crm.weather = Weather({kind: 1.0})
    box.crm.pushes.clear()
    for hour in range(24):
        lead_in(box, *(f"h{hour}n{n}" for n in range(20)))
        box.run(HOUR, tick=60.0)
    assert counts(box) == {"synced": 30, "pending": 480}
    assert attempts_used(box) == {0}
    # Pushes only until it counts as down (each process learns that anew); then one question a pause, and no lead.
    assert len(box.crm.pushes) <= 24 * (75 if kind == "throttle" else 8)
    assert box.crm.pings + len(box.crm.pushes) <= 24 * 80
    box.crm.weather = Weather()
    box.crm.sent.clear()
    box.run(2 * HOUR, drain=True)
    assert counts(box) == {"synced": 510}
    assert box.crm.people["h23n19@example.com"]["LastName"] == "H23N19"
    assert box.crm.overlaps == 0


def test_after_an_outage_the_backlog_goes_at_full_rate_and_oldest_first(box: Box) -> None:
    lead_in(box, *(f"n{n}" for n in range(2000)))
    box.crm.weather = Weather({"unreachable": 1.0})
    box.run(HOUR, tick=5.0)
    box.crm.weather = Weather()
    box.crm.pushes.clear()
    box.run(HOUR, drain=True)
    assert counts(box) == {"synced": 2000}
    first, last = box.crm.pushes[0], box.crm.pushes[-1]
    assert len(box.crm.pushes) <= 82, "80 full batches, and halves of the few that failed as the outage began"
    # At first 4 calls at a time, then as fast as 25 calls in 5 s allow.
    assert last - first <= 80 / 25 * 5.0 + 10.0
    late = [early > later + 100 for early, later in pairwise(box.crm.sent)]
    assert sum(late) <= 4, "but for what had been tried as the outage began, the order is that of arrival"


def test_a_day_without_leadbyte_expires_no_lead(box: Box) -> None:
    lead_in(box, *(f"n{n}" for n in range(200)))
    box.leadbyte.weather = Weather({"fault_before": 0.5, "unreachable": 0.5})
    box.run(1.5 * DAY, tick=30.0)
    assert counts(box) == {"waiting": 200}
    assert box.leadbyte.calls <= 3 * 1.5 * DAY / 60
    box.leadbyte.weather = Weather()
    box.run(HOUR, drain=True)
    assert counts(box) == {"synced": 200}


def test_a_lead_that_leadbyte_never_answers_about_expires_while_all_else_goes_on(box: Box) -> None:
    lead_in(box, "good", "bad")
    box.leadbyte.replies["bad"] = "<html>"
    box.run(DAY + HOUR, tick=20.0, drain=True)
    assert counts(box) == {"synced": 1, "expired": 1}


@pytest.mark.parametrize("company", [0, 1, 24, 60])
def test_a_lead_that_makes_leadsquared_fail_is_isolated_and_fails_alone(box: Box, company: int) -> None:
    lead_in(box, "bad", poison="x")
    lead_in(box, *(f"n{n}" for n in range(company)))
    box.run(DAY, drain=True)
    expected = {"synced": company, "failed": 1} if company else {"failed": 1}
    assert counts(box) == expected
    with box.store() as store:
        (failure,) = store.failures()
        assert failure.queue_id == "bad"
        assert failure.reason == "gave up after 8 attempts: HTML instead of JSON"
    assert attempts_used(box) == ({0, 8} if company else {8}), "its neighbours used up none"


@pytest.mark.parametrize("side", ["leadbyte", "leadsquared"])
def test_a_side_that_is_well_again_is_seen_to_be_without_a_lead_to_try_it_by(box: Box, side: str) -> None:
    lead_in(box, "late", "later")
    (box.leadbyte if side == "leadbyte" else box.crm).weather = Weather({"unreachable": 1.0})
    box.run(1200.0, tick=1.0)
    assert health(box, side) == "down"
    with box.store() as store:
        store._database.conn.execute("UPDATE queue_item SET due_at = due_at + 1e6")
        store._database.conn.execute("UPDATE delivery SET due_at = due_at + 1e6")
    box.leadbyte.weather = box.crm.weather = Weather()
    box.run(90.0)
    assert health(box, side) == "up"


@pytest.mark.parametrize("kind", ["loud", "bulk"])
@pytest.mark.parametrize("trouble", ["lost_before", "denied"])
def test_no_lead_goes_to_a_host_that_went_down_while_its_turn_was_waited_for(
    box: Box, kind: str, trouble: str
) -> None:
    lead_in(box, *(f"n{n}" for n in range(600 if kind == "loud" else 4000)), kind=kind)
    box.at(20.0, lambda: setattr(box.crm, "weather", Weather({trouble: 1.0})))
    box.run(HOUR)
    after = [at for at in box.crm.pushes if at > START + 20.0]
    assert len(after) <= 8, "those in flight at once, and one try after each of the first pings"
    box.crm.weather = Weather()
    box.run(HOUR, drain=True)
    assert set(counts(box)) <= {"synced", "in_doubt", "failed"}


def test_a_lead_that_alone_is_denied_does_not_hold_up_the_others(box: Box) -> None:
    lead_in(box, "bad", forbidden="x")
    lead_in(box, *(f"n{n}" for n in range(500)))
    box.run(2 * HOUR, drain=True)
    assert counts(box) == {"synced": 500, "failed": 1}
    with box.store() as store:
        (failure,) = store.failures()
    assert (failure.queue_id, failure.reason) == ("bad", "gave up after 8 attempts: HTTP 403")


def test_a_host_whose_leads_all_wait_for_others_is_not_pinged_for_ever(box: Box) -> None:
    names = [f"{turn}{n}" for turn in ("first", "then") for n in range(4)]
    for turn, day in (("first", "01"), ("then", "02")):
        for n in range(4):
            box.lead(f"{turn}{n}", f"2026-01-{day}T00:00:00Z", kind="loud", email=f"p{n}", name=turn)
            box.crm.people[f"p{n}"] = {}
    with box.store() as store:
        store.track([Track(name) for name in names[:4]], box.clock(), box.clock() + DAY)
    box.crm.weather = Weather({"lost_before": 1.0})
    box.run(30.0)
    with box.store() as store:
        store.track([Track(name) for name in names[4:]], box.clock(), box.clock() + DAY)
    box.run(30.0)
    box.crm.weather = Weather()
    box.crm.pings = 0
    box.run(600.0)
    assert box.crm.pings <= 100, "a few, and the looks at what is in doubt"


def test_values_that_an_older_failure_may_yet_overwrite_are_not_pruned(box: Box) -> None:
    box.crm.people["a"] = {}
    box.lead("old", "2026-01-01T00:00:00Z", kind="bulk", email="a", name="OLD", rogue="x")
    box.lead("new", "2026-01-02T00:00:00Z", kind="bulk", email="a", name="NEW")
    for name in ("old", "new"):
        with box.store() as store:
            store.track([Track(name)], box.clock(), box.clock() + DAY)
        box.run(60.0)
    box.elapsed += 100 * DAY
    box.run(300.0)
    box.mappings = load({"bulk.yaml": MAPPINGS["bulk.yaml"].replace("mx_Rogue: lead.rogue, ", "")})
    with box.store() as store:
        store.resync(Selection(), box.clock(), refetch=False, force=False, deadline_at=box.clock() + DAY)
    box.run(60.0)
    assert box.crm.people["a"]["LastName"] == "NEW"


def health(box: Box, side: str) -> str:
    with box.store() as store:
        kept = json.loads(store.checkpoint(f"host:{side}") or "{}")
    return str(kept["side"]["state"])


def test_a_refused_key_is_asked_about_rarely_and_the_work_goes_on_by_itself(box: Box) -> None:
    lead_in(box, *(f"n{n}" for n in range(100)))
    box.crm.weather = Weather({"denied": 1.0})
    box.run(DAY, tick=20.0)
    assert counts(box) == {"pending": 100}
    assert len(box.crm.pushes) <= 8
    assert box.crm.pings <= DAY / 240
    box.crm.weather = Weather()
    box.run(0.2 * HOUR)
    assert counts(box) == {"synced": 100}


@pytest.mark.parametrize("jump", [-3 * HOUR, -2.0, 5 * HOUR, 40 * DAY])
def test_a_clock_that_is_set_stops_nothing(box: Box, jump: float) -> None:
    lead_in(box, *(f"n{n}" for n in range(300)))
    box.crm.weather = Weather({"lost_after": 0.2, "throttle": 0.1})
    box.run(8.0, jump=jump)
    lead_in(box, "later")
    box.crm.weather = Weather()
    box.run(300.0)
    assert counts(box) == {"synced": 301}


def test_a_clock_that_was_set_back_while_nothing_ran_is_survived(box: Box) -> None:
    lead_in(box, *(f"n{n}" for n in range(60)))
    box.crm.weather = Weather({"unreachable": 1.0})
    box.run(30.0)
    box.offset -= 30 * DAY
    box.crm.weather = Weather()
    box.run(HOUR)
    assert counts(box) == {"synced": 60}


def test_what_waits_for_a_confirmation_outlives_a_day_without_the_async_host(box: Box) -> None:
    lead_in(box, *(f"n{n}" for n in range(20)), kind="loud")
    box.run(3.0)
    assert counts(box).get("submitted", 0) > 0
    box.crm.weather = Weather({"fault_before": 1.0})
    box.run(DAY, tick=30.0)
    assert set(counts(box)) <= {"submitted", "synced", "pending", "in_doubt"}
    box.crm.weather = Weather()
    box.run(HOUR, drain=True)
    assert set(counts(box)) <= {"synced"}
    assert set(box.crm.fired.values()) == {1}


@pytest.mark.parametrize(("leads", "left"), [(128, range(16)), (1, range(1, 2))])
def test_a_load_of_results_is_mapped_before_the_next_tick(box: Box, leads: int, left: range) -> None:
    """But for those that were under way to the last."""
    lead_in(box, *(f"q{n}" for n in range(leads)))
    box.run(30.0, tick=60.0)
    assert box.leadbyte.calls >= leads
    with box.store() as store:
        assert len(store.unmapped(500)) in left
