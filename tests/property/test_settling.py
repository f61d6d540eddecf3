"""A lead that LeadByte was told to process anew: polled until LeadByte says something new, or has had its time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import structlog

from bridge.mapping import load
from bridge.model import LEADBYTE, Call, Move, Stage, State, Track
from bridge.operation import LeadUpdate, Operation, QuarantineProcess, carried
from bridge.store.life import SETTLING_POLLS
from bridge.store.returns import DEADLINE_SECONDS, SETTLE_SECONDS, TRIGGER_SECONDS
from tests.property.box import Box

HELD = {"queueId": "q", "status": "Quarantined", "response": {"quarantineId": 5}}
SOLD = {"status": "Approved", "response": {"code": 1, "leadId": 8}}


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.reset_defaults()


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """A quarantined lead that was polled, mapped, and released by a person."""
    box = polled(tmp_path, HELD)
    assert outcome(box) == "Quarantined"
    does(box, QuarantineProcess("5", "process"))
    return box


def polled(directory: Path, reply: Mapping[str, object]) -> Box:
    """A lead that was polled and mapped."""
    box = Box(directory)
    box.mappings = load(  # type: ignore[assignment]
        {
            "m.yaml": "{version: 1, leadsquared: {mode: bulk, search_by: EmailAddress}, "
            "fields: {EmailAddress: lead.email, mx_Outcome: status}}"
        }
    )
    box.crm.people["a@x.example"] = {}
    say(box, **reply)
    with box.store() as store:
        store.track([Track("q")], box.clock(), box.clock() + 600.0)
    box.run(60.0)
    return box


def say(box: Box, status: object = "Quarantined", **more: object) -> None:
    """What LeadByte says of the lead from now on."""
    box.leadbyte.replies["q"] = json.dumps(
        {**HELD, "status": status, "lead": {"email": "a@x.example"}, **more}
    )


def does(box: Box, operation: Operation) -> None:
    """LeadByte was told to do this, and has said that it will. Polls are counted from now on."""
    with box.store() as store:
        store.operate([carried(operation)], box.clock())
        batch = store.claim_batch(LEADBYTE, box.clock(), 1, 0.0, "c")
        call = Call("c", Stage.PUSH, LEADBYTE, box.clock(), box.clock(), "answered")
        store.record(call, [Move(one, State.SYNCED, box.clock()) for one in batch], box.clock())
    box.leadbyte.calls = 0


def outcome(box: Box) -> str:
    return box.crm.people["a@x.example"]["mx_Outcome"]


def item(box: Box) -> Mapping[str, object]:
    with box.store() as store:
        (row,) = store._all("SELECT * FROM queue_item WHERE source = 'leadbyte' AND queue_id = 'q'")
        return dict(row)


def test_it_is_polled_with_growing_pauses_until_leadbyte_says_something_else(box: Box) -> None:
    box.run(1200.0)
    assert item(box)["state"] == "waiting"
    assert 8 <= box.leadbyte.calls <= 16, "2 s, doubled up to 5 minutes"
    say(box, "Approved", processed="2026-01-02T00:00:00Z")
    box.run(600.0)
    assert (item(box)["state"], item(box)["settles_at"], outcome(box)) == ("resolved", None, "Approved")


def test_once_its_time_is_over_the_words_of_before_are_believed(box: Box) -> None:
    box.run(SETTLE_SECONDS - 10.0)
    assert item(box)["state"] == "waiting"
    box.run(400.0)
    assert (item(box)["state"], item(box)["settles_at"], outcome(box)) == ("resolved", None, "Quarantined")


def test_a_drain_waits_for_a_few_polls_and_no_longer(box: Box) -> None:
    began = box.elapsed
    box.run(SETTLE_SECONDS, drain=True)
    assert box.leadbyte.calls == SETTLING_POLLS
    assert box.elapsed - began < 30.0
    assert item(box)["state"] == "waiting", "the service goes on asking"


def test_an_unknown_word_meanwhile_is_neither_believed_nor_the_end_of_asking(box: Box) -> None:
    say(box, "Pondering")
    box.run(120.0)
    assert item(box)["state"] == "waiting"
    assert "'Pondering' is not in" in str(item(box)["reason"])
    say(box, "Rejected", processed="2026-01-02T00:00:00Z")
    box.run(600.0)
    assert outcome(box) == "Rejected"


def test_leadbyte_being_away_meanwhile_changes_nothing(box: Box) -> None:
    box.leadbyte.weather.rates = {"unreachable": 1.0}
    box.run(900.0)
    assert item(box)["state"] == "waiting"
    box.leadbyte.weather.rates = {}
    say(box, "Approved", processed="2026-01-02T00:00:00Z")
    box.run(600.0)
    assert outcome(box) == "Approved"


def test_at_its_deadline_its_result_of_before_stands(box: Box) -> None:
    say(box, "Pondering")
    with box.store() as store, store._writing() as connection:  # the last minutes of a day
        connection.execute("UPDATE queue_item SET deadline_at = deadline_at - ?", (DEADLINE_SECONDS - 600.0,))
    box.run(300.0)
    assert item(box)["state"] == "waiting"
    box.run(400.0)
    found = item(box)
    assert (found["state"], found["reason"], found["settles_at"]) == ("resolved", None, None)
    assert json.loads(str(found["reply"]))["status"] == "Quarantined"
    with box.store() as store:
        assert list(store.failures()) == []
    assert outcome(box) == "Quarantined"


@pytest.mark.parametrize(
    ("operation", "seconds"),
    [
        (LeadUpdate("8", {"postcode": "N1"}, trigger=("1053",)), TRIGGER_SECONDS),
        (LeadUpdate("8", {"postcode": "N1"}, "reprocess", ("1053",)), SETTLE_SECONDS),
        (LeadUpdate("8", {"postcode": "N1"}, "reprocess"), SETTLE_SECONDS),
    ],
    ids=["trigger", "reprocess and trigger", "reprocess"],
)
def test_after_a_mere_trigger_the_words_of_before_are_soon_believed(
    tmp_path: Path, operation: Operation, seconds: float
) -> None:
    """There may be nothing new to tell of it."""
    box = polled(tmp_path, SOLD)
    does(box, operation)
    box.run(seconds - 5.0)
    assert item(box)["state"] == "waiting"
    box.run(400.0)
    assert (item(box)["state"], outcome(box)) == ("resolved", "Approved")
