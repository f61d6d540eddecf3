"""What people are told, and when: alert, reminder, recovery, and what becomes of messages that did not arrive."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from bridge.policy.alerting import CALM, DAY, HOUR, Arrival, Condition, Memory, due
from bridge.policy.conditions import Counts, Side, doubtful, failing, not_up
from bridge.policy.health import SideState

START = 1_700_000_000.0
ARRIVED, FAILED, UNSURE = Arrival


@dataclass
class Teller:
    """Tells as the stage does; `heard` is what was posted, whatever became of it."""

    now: float = START
    begun: bool = False
    memory: Memory = field(default_factory=Memory)
    heard: list[str] = field(default_factory=list)

    def look(self, holds: bool | None, arrival: Arrival = ARRIVED, size: int = 0, after: float = 0.0) -> str:
        """What is posted about one condition, so many seconds later."""
        self.now += after
        found = due(self.memory, [Condition("x", holds, "down", "over", size, self.begun)], self.now)
        self.memory = found.noted(arrival, self.now) if found.texts else found.after
        return "".join(found.texts.values())

    def over(self, arrival: Arrival = ARRIVED) -> str:
        """What is posted once it has been over for long enough."""
        assert self.look(False) == ""
        return self.look(False, arrival, after=CALM)


def test_an_alert_a_reminder_each_day_and_one_recovery() -> None:
    teller = Teller()
    assert teller.look(False) == ""
    assert teller.look(True) == "down"
    assert teller.look(True, after=DAY - 1) == ""
    assert teller.look(True, after=1) == "Still so: down"
    assert teller.look(True, after=30) == ""
    assert teller.over() == "over"
    assert teller.look(False, after=DAY) == ""
    assert teller.memory == Memory()
    assert teller.look(True) == "down"


def test_what_flaps_is_told_at_most_once_an_hour() -> None:
    teller = Teller()
    assert [teller.look(True), teller.over()] == ["down", "over"]
    while teller.now < START + HOUR - 60:
        assert teller.look(True, after=30) == ""
        assert teller.look(False, after=30) == ""
    teller.now = START + HOUR - 1
    assert teller.look(True) == ""
    assert teller.look(True, after=1) == "down"


def test_what_is_over_for_a_moment_is_not_over_and_the_alert_goes_on() -> None:
    teller = Teller()
    teller.look(True)
    for _ in range(9):
        assert teller.look(False, after=60) == ""
        assert teller.look(False, after=CALM - 1) == ""
        assert teller.look(True, after=1) == ""
    teller.now = START + DAY
    assert teller.look(True) == "Still so: down"


def test_what_begins_again_was_not_over_although_it_is_not_told_yet() -> None:
    teller = Teller()
    teller.look(True)
    assert teller.look(False) == ""
    teller.begun = True
    assert teller.look(None, after=CALM - 1) == ""
    teller.begun = False
    assert teller.look(False, after=1) == ""
    assert teller.look(False, after=CALM - 1) == ""
    assert teller.look(False, after=1) == "over"


def test_what_is_over_while_nothing_can_be_sent_counts_from_when_it_was() -> None:
    teller = Teller()
    teller.look(True)
    assert teller.look(True, FAILED, after=DAY) == "Still so: down"
    assert teller.look(False, after=30) == ""
    assert teller.look(True, FAILED, after=30) == "Still so: down"
    assert teller.look(False, after=120) == "", "it was over for a moment while a message was under way"
    assert teller.look(False, after=CALM) == "over"


def test_what_is_not_known_is_neither_told_nor_over() -> None:
    teller = Teller()
    assert teller.look(None) == ""
    assert teller.look(True) == "down"
    assert teller.look(None, after=2 * DAY) == ""
    assert teller.look(False) == ""
    assert teller.look(None, after=CALM) == ""
    assert teller.look(False) == "over", "nobody said that it was not over all the while"


@pytest.mark.parametrize(("size", "told"), [(49, ""), (50, "Still so: down")])
def test_what_is_twice_as_large_is_told_again_after_an_hour(size: int, told: str) -> None:
    teller = Teller()
    teller.look(True, size=25)
    assert teller.look(True, size=size, after=HOUR - 1) == ""
    assert teller.look(True, size=size, after=1) == told


def test_a_message_that_did_not_arrive_is_tried_again_after_a_growing_pause() -> None:
    teller = Teller()
    assert teller.look(True, FAILED) == "down"
    tried = [0.0, *(teller.now - START for _ in range(8 * 120) if teller.look(True, FAILED, after=30))]
    gaps = [after - before for before, after in pairwise(tried)]
    assert gaps[:7] == [60, 120, 240, 480, 960, 1920, 3600]
    assert set(gaps[6:]) == {3600}
    assert teller.look(True, after=HOUR) == "down"
    assert teller.memory.failed == 0
    assert teller.over(FAILED) == "over"
    assert teller.look(False, after=60) == "over"


def test_what_was_over_before_it_could_be_told_is_never_told() -> None:
    teller = Teller()
    assert teller.look(True, FAILED) == "down"
    assert teller.look(False, after=HOUR) == ""
    assert teller.memory.told == {}


def test_a_reminder_that_did_not_arrive_is_no_reminder() -> None:
    teller = Teller()
    teller.look(True)
    assert teller.look(True, FAILED, after=DAY) == "Still so: down"
    assert teller.look(True, after=60) == "Still so: down"


def test_an_alert_whose_answer_was_lost_is_told_again_after_an_hour_if_it_lasts() -> None:
    teller = Teller()
    assert teller.look(True, UNSURE) == "down"
    assert teller.look(True, after=HOUR - 1) == ""
    assert teller.look(True, after=1) == "Still so: down"
    assert teller.look(True, after=HOUR) == ""


def test_a_recovery_whose_answer_was_lost_is_told_once_more() -> None:
    teller = Teller()
    teller.look(True)
    assert teller.over(UNSURE) == "over"
    assert teller.look(None, after=59) == ""
    assert teller.look(False) == ""
    assert teller.look(False, UNSURE, after=1) == "over"
    assert teller.look(False, after=600) == ""


def test_a_recovery_is_not_told_once_more_where_it_has_not_lasted() -> None:
    teller = Teller()
    teller.look(True)
    assert teller.over(UNSURE) == "over"
    assert teller.look(True, after=30) == ""
    assert teller.look(False, after=60) == ""
    assert teller.look(False, after=CALM) == "over"


@pytest.mark.parametrize("back", [30.0, DAY, START])
def test_a_clock_that_is_set_back_silences_nothing_for_more_than_an_hour(back: float) -> None:
    teller = Teller()
    teller.look(True)
    assert teller.over(FAILED) == "over"
    teller.now -= back
    assert teller.look(False) == ""
    assert teller.look(False, after=HOUR) == "over"
    assert teller.look(True) == "down"


@pytest.mark.parametrize("arrival", [ARRIVED, FAILED])
def test_what_is_no_longer_looked_at_is_forgotten_at_once_without_a_word(arrival: Arrival) -> None:
    teller = Teller()
    teller.look(True)
    teller.look(True, arrival, after=DAY)
    found = due(teller.memory, [], teller.now)
    assert (found.texts, found.after.told) == ({}, {})


def test_each_condition_is_told_by_itself() -> None:
    down, fine = Condition("a", True, "a is down", ""), Condition("b", False, "b is down", "b is over")
    first = due(Memory(), [down, fine], START)
    assert dict(first.texts) == {"a": "a is down"}
    again = due(first.noted(ARRIVED, START), [down, Condition("b", True, "b is down", "")], START + 1)
    assert dict(again.texts) == {"b": "b is down"}
    kept = again.noted(FAILED, START + 1)
    assert kept.told == first.noted(ARRIVED, START).told


SIDE = Side("leadsquared", SideState.DOWN, True, 300.0, "cannot reach https://x: b@example.com")
UP, DENIED = SideState.UP, SideState.DENIED


@pytest.mark.parametrize(
    ("side", "down", "denied"),
    [
        (SIDE, (True, False), (None, False)),
        (Side("a", DENIED, True, 300.0, ""), (None, False), (True, False)),
        (Side("a", DENIED, True, 299.0, ""), (None, False), (None, True)),
        (Side("a", SideState.DOWN, True, 299.0, ""), (None, True), (None, False)),
        (Side("a", UP, True, 0.0, ""), (False, False), (False, False)),
        (Side("a", UP, False, 0.0, ""), (None, False), (None, False)),
    ],
)
def test_a_side_must_not_be_up_for_a_while_and_is_over_once_it_answers(
    side: Side, down: tuple[bool | None, bool], denied: tuple[bool | None, bool]
) -> None:
    assert [(one.holds, one.begun) for one in not_up(side, 300.0, START)] == [down, denied]


def test_a_refused_key_is_told_within_the_hour_of_an_outage_that_is_over() -> None:
    told = due(Memory(), not_up(SIDE, 300.0, START), START).after
    denied = Side("leadsquared", DENIED, True, 300.0, "LeadSquared denied the key")
    found = due(told, not_up(denied, 300.0, START + 900), START + 900)
    assert list(found.texts) == ["leadsquared denied"]


def test_a_side_is_told_in_our_own_words_with_what_to_do() -> None:
    down, _ = not_up(SIDE, 300.0, START)
    assert down.text == (
        "leadsquared is down since 2023-11-14 22:08 UTC: cannot reach https://x. Leads wait and go out by themselves once"
        " it is back; `bridge status` shows how it is."
    )
    _, denied = not_up(Side("leadbyte", DENIED, True, 60.0, "LeadByte denied the key: Ann"), 1.0, START)
    assert denied.text == (
        "leadbyte refuses its key or a permission since 2023-11-14 22:12 UTC: LeadByte denied the key. Mend that, restart"
        " the bridge, and see `bridge check` say that it works; leads wait meanwhile."
    )
    assert (down.over, denied.over) == (
        "Over: leadsquared answers again.",
        "Over: leadbyte takes its key again.",
    )


def test_failures_are_told_from_a_number_on() -> None:
    assert failing(None, 25).holds is None
    assert failing(Counts(24, 0), 25).holds is False
    found = failing(Counts(25, 0), 25)
    assert (found.holds, found.size) == (True, 25)
    assert found.text == (
        "25 leads are on the failure report (told from 25 on). `bridge report` says why; mend that, then `bridge resync`."
    )
    assert failing(Counts(1, 0), 25).over == "Over: 1 lead is on the failure report now, fewer than 25."


@pytest.mark.parametrize(
    ("counts", "seconds", "holds", "begun"),
    [
        (None, 99.0, None, False),
        (None, 0.0, None, False),
        (Counts(9, 0), 99.0, False, False),
        (Counts(0, 1), 59.0, None, True),
        (Counts(0, 1), 60.0, True, False),
    ],
)
def test_a_doubt_that_is_soon_cleared_up_is_not_told(
    counts: Counts | None, seconds: float, holds: bool | None, begun: bool
) -> None:
    found = doubtful(counts, seconds)
    assert (found.holds, found.begun) == (holds, begun)
    assert "`bridge resolve`" in doubtful(counts, seconds).text
