"""A lead that LeadByte was told to process anew: polled until LeadByte says something new, or has had its time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import structlog

from bridge.mapping import load
from bridge.model import LEADBYTE, Call, Move, Stage, State, Track
from bridge.operation import QuarantineProcess, carried
from bridge.store.life import SETTLING_POLLS
from bridge.store.returns import SETTLE_SECONDS
from tests.property.box import Box

HELD = {"queueId": "q", "status": "Quarantined", "response": {"quarantineId": 5}}


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.reset_defaults()


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """A quarantined lead that was polled, mapped, and released by a person."""
    box = Box(tmp_path)
    box.mappings = load(  # type: ignore[assignment]
        {
            "m.yaml": "{version: 1, leadsquared: {mode: bulk, search_by: EmailAddress}, "
            "fields: {EmailAddress: lead.email, mx_Outcome: status}}"
        }
    )
    box.crm.people["a@x.example"] = {}
    say(box, "Quarantined")
    with box.store() as store:
        store.track([Track("q")], box.clock(), box.clock() + 600.0)
    box.run(60.0)
    assert outcome(box) == "Quarantined"
    release(box)
    box.leadbyte.calls = 0
    return box


def say(box: Box, status: str, **more: object) -> None:
    """What LeadByte says of the lead from now on."""
    box.leadbyte.replies["q"] = json.dumps(
        {**HELD, "status": status, "lead": {"email": "a@x.example"}, **more}
    )


def release(box: Box) -> None:
    """The lead is released, and LeadByte has said that it will do so."""
    with box.store() as store:
        store.operate([carried(QuarantineProcess("5", "process"))], box.clock())
        batch = store.claim_batch(LEADBYTE, box.clock(), 1, 0.0, "c")
        call = Call("c", Stage.PUSH, LEADBYTE, box.clock(), box.clock(), "answered")
        store.record(call, [Move(one, State.SYNCED, box.clock()) for one in batch], box.clock())


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
