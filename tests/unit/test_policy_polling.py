"""What a poll leads to, and intervals that grow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import CallError, Denied, LostAnswer, Refused, ServerFault, Throttled, Unreachable
from bridge.model import ITEM_TRANSITIONS, ItemState, QueueReply, Verdict, WaitingItem
from bridge.policy.backoff import Backoff
from bridge.policy.polling import Polling

NOW = 1_700_000_000.0
POLLING = Polling(Backoff(2.0, 300.0))
ERRORS = [
    kind("it did not work") for kind in (Unreachable, LostAnswer, ServerFault, Throttled, Denied, Refused)
]


def item(polls: int = 0, left: float = 1000.0) -> WaitingItem:
    return WaitingItem(7, "q-7", polls, NOW + left)


def reply(verdict: Verdict, status: str = "Processing") -> QueueReply:
    return QueueReply(verdict, status, None, {}, "{}")


def test_intervals_double_from_first_to_most() -> None:
    backoff = Backoff(2.0, 300.0)
    assert [backoff.interval(step, 0.0) for step in (0, 1, 2, 7, 8, 5000)] == [2, 4, 8, 256, 300, 300]


@given(st.floats(0.01, 1e4), st.floats(0.01, 1e4), st.integers(0, 10**9), st.floats(0, 1, exclude_max=True))
def test_an_interval_is_shortened_by_at_most_a_fifth(
    first: float, most: float, step: int, jitter: float
) -> None:
    backoff = Backoff(first, most)
    whole = backoff.interval(step, 0.0)
    assert min(first, most) <= whole <= most
    assert 0.8 * whole <= backoff.interval(step, jitter) <= whole


@pytest.mark.parametrize("verdict", [Verdict.FINAL, Verdict.QUARANTINED])
@pytest.mark.parametrize("left", [1000.0, 0.0, -5.0])
def test_a_final_or_quarantined_word_resolves_even_past_the_deadline(verdict: Verdict, left: float) -> None:
    said = reply(verdict, "Approved")
    record = POLLING.after_reply(item(left=left), said, NOW, 0.0)
    assert (record.item_id, record.state, record.due_at) == (7, ItemState.RESOLVED, NOW)
    assert (record.reason, record.reply) == (None, said)


@pytest.mark.parametrize(
    ("verdict", "words"),
    [(Verdict.PENDING, "still 'Odd'"), (Verdict.UNKNOWN, "'Odd' is not in BRIDGE_LEADBYTE__STATUSES")],
)
def test_any_other_word_is_polled_again_and_shown(verdict: Verdict, words: str) -> None:
    record = POLLING.after_reply(item(polls=3), reply(verdict, "Odd"), NOW, 0.0)
    assert (record.state, record.due_at) == (ItemState.WAITING, NOW + 16)
    assert record.reason is not None
    assert words in record.reason
    assert record.reply is not None


def test_of_a_megabyte_of_status_word_only_the_beginning_is_told() -> None:
    for verdict in (Verdict.UNKNOWN, Verdict.PENDING):
        record = POLLING.after_reply(item(), reply(verdict, "x" * 2**20), NOW, 0.0)
        assert len(record.reason or "") < 200


@pytest.mark.parametrize("error", ERRORS)
def test_a_poll_that_failed_is_only_polled_again(error: CallError) -> None:
    record = POLLING.after_error(item(), error, NOW, 0.5, answers=True)
    assert (record.state, record.due_at) == (ItemState.WAITING, pytest.approx(NOW + 1.8))
    assert (record.reason, record.reply) == ("it did not work", None)


def test_the_last_poll_is_at_the_deadline() -> None:
    record = POLLING.after_error(item(polls=9, left=30.0), ERRORS[0], NOW, 0.0, answers=True)
    assert (record.state, record.due_at) == (ItemState.WAITING, NOW + 30)


@pytest.mark.parametrize("left", [0.0, -3600.0])
def test_past_the_deadline_a_lead_is_expired_with_the_last_reason(left: float) -> None:
    failed = POLLING.after_error(item(left=left), ERRORS[0], NOW, 0.0, answers=True)
    unsure = POLLING.after_reply(item(left=left), reply(Verdict.UNKNOWN, "Odd"), NOW, 0.0)
    assert [failed.state, unsure.state] == [ItemState.EXPIRED, ItemState.EXPIRED]
    assert failed.reason == "no final result before the deadline: it did not work"
    assert unsure.reason is not None
    assert "'Odd'" in unsure.reason
    assert unsure.reply is not None


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("left", [0.0, -86_400.0])
def test_no_lead_expires_while_leadbyte_answers_nothing_at_all(error: CallError, left: float) -> None:
    record = POLLING.after_error(item(polls=20, left=left), error, NOW, 0.0, answers=False)
    assert (record.state, record.due_at) == (ItemState.WAITING, NOW + 300)
    assert record.reason == "it did not work"


@given(
    st.sampled_from(Verdict),
    st.integers(0, 100),
    st.floats(-1e5, 1e5),
    st.floats(0, 1, exclude_max=True),
)
def test_every_record_is_a_state_that_a_waiting_item_may_take(
    verdict: Verdict, polls: int, left: float, jitter: float
) -> None:
    record = POLLING.after_reply(item(polls, left), reply(verdict), NOW, jitter)
    assert record.state in {ItemState.WAITING, *ITEM_TRANSITIONS[ItemState.WAITING]}
    if record.state is ItemState.WAITING:
        assert NOW < record.due_at <= NOW + left


def settling(
    said: tuple[str | None, str | None], *, left: float = 600.0, deadline: float = 1000.0, polls: int = 0
) -> WaitingItem:
    """A lead that LeadByte was told to process anew: `left` seconds remain until its words of before are believed."""
    return WaitingItem(7, "q-7", polls, NOW + deadline, NOW + left, said)


def told(status: str, processed: str | None, verdict: Verdict = Verdict.QUARANTINED) -> QueueReply:
    return QueueReply(verdict, status, processed, {}, "{}")


@pytest.mark.parametrize(("polls", "after"), [(0, 2), (1, 4), (5, 64), (12, 300)])
@pytest.mark.parametrize("verdict", [Verdict.FINAL, Verdict.QUARANTINED])
def test_the_words_of_before_are_polled_past_with_the_backoff(
    polls: int, after: int, verdict: Verdict
) -> None:
    item = settling(("Quarantined", "2026-01-01"), polls=polls)
    record = POLLING.after_reply(item, told("Quarantined", "2026-01-01", verdict), NOW, 0.0)
    assert (record.state, record.due_at) == (ItemState.WAITING, NOW + after)
    assert record.reason == "LeadByte does not show yet what it was told to do to the lead"


@pytest.mark.parametrize(
    "new",
    [
        told("Approved", "2026-01-01", Verdict.FINAL),
        told("Quarantined", "2026-01-02"),
        told("Quarantined", None),
        told("quarantined", "2026-01-01"),
    ],
)
def test_any_other_final_word_or_moment_ends_the_waiting(new: QueueReply) -> None:
    record = POLLING.after_reply(settling(("Quarantined", "2026-01-01")), new, NOW, 0.0)
    assert (record.state, record.reason) == (ItemState.RESOLVED, None)


@pytest.mark.parametrize(("left", "deadline"), [(0.0, 1000.0), (-1.0, 1000.0), (600.0, 0.0), (600.0, -60.0)])
def test_once_the_time_or_the_deadline_is_over_the_words_of_before_are_believed(
    left: float, deadline: float
) -> None:
    item = settling(("Quarantined", None), left=left, deadline=deadline)
    record = POLLING.after_reply(item, told("Quarantined", None), NOW, 0.0)
    assert record.state is ItemState.RESOLVED


def test_a_lead_that_nobody_told_leadbyte_of_is_believed_at_once() -> None:
    item = WaitingItem(7, "q-7", 0, NOW + 1000, None, ("Quarantined", None))
    assert POLLING.after_reply(item, told("Quarantined", None), NOW, 0.0).state is ItemState.RESOLVED


@pytest.mark.parametrize(
    ("verdict", "words"), [(Verdict.UNKNOWN, "'Odd' is not in"), (Verdict.PENDING, "still 'Odd'")]
)
def test_a_word_that_is_not_final_keeps_its_own_reason_while_a_lead_settles(
    verdict: Verdict, words: str
) -> None:
    record = POLLING.after_reply(settling(("Odd", None)), told("Odd", None, verdict), NOW, 0.0)
    assert record.state is ItemState.WAITING
    assert words in (record.reason or "")


@pytest.mark.parametrize("deadline", [0.0, -60.0])
@pytest.mark.parametrize("verdict", [Verdict.UNKNOWN, Verdict.PENDING])
def test_at_its_deadline_the_result_of_before_stands_for_a_lead_that_settles(
    verdict: Verdict, deadline: float
) -> None:
    item = settling(("Approved", None), deadline=deadline)
    failed = POLLING.after_error(item, ERRORS[0], NOW, 0.0, answers=True)
    unsure = POLLING.after_reply(item, told("Odd", None, verdict), NOW, 0.0)
    for record in (failed, unsure):
        assert (record.state, record.due_at) == (ItemState.RESOLVED, NOW)
        assert (record.reason, record.reply) == (None, None)


def test_a_poll_that_failed_while_a_lead_settles_is_only_polled_again() -> None:
    record = POLLING.after_error(settling(("Quarantined", None), polls=2), ERRORS[0], NOW, 0.0, answers=True)
    assert (record.state, record.due_at) == (ItemState.WAITING, NOW + 8)
