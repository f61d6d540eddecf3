"""What a call to the sink leads to for each delivery in it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import ceil, log2
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import CallError, Denied, LostAnswer, Refused, ServerFault, Throttled, Unreachable
from bridge.model import TRANSITIONS, Delivery, Kind, Lane, Move, Outcome, Stamp, State
from bridge.policy.backoff import Backoff
from bridge.policy.delivering import UNLISTED, Delivering, alone

NOW = 1_700_000_000.0
RESUME = NOW + 33.0
DEADLINE = 43_200.0
POLICY = Delivering(8, Backoff(1.0, 300.0), Backoff(2.0, 300.0), DEADLINE)
TO_LEADBYTE = replace(POLICY, denied_fails=True)
BULK = Lane("bulk", "EmailAddress", "unprocessed")
SILENT = Lane("async", "", "silent")
FIRES = Lane("async", "", "automations")
SETS = Lane("leadbyte", "lead", "set")
ONCE = Lane("leadbyte", "lead", "once")
LANES = [BULK, SILENT, FIRES, SETS, ONCE]
REPEATABLE = [lane for lane in LANES if lane.repeatable]
HARMFUL = [FIRES, ONCE]
NOTHING_HAPPENED = [Throttled("too many calls"), Denied("the key is wrong"), Unreachable("no route")]
NO_VERDICT = [LostAnswer("timed out"), ServerFault("HTML instead of JSON")]
ERRORS: list[CallError] = [*NOTHING_HAPPENED, *NO_VERDICT, Refused("no such field")]


def delivery(id_: int = 1, lane: Lane = BULK, attempts: int = 0, **more: Any) -> Delivery:
    keys = ("lead_id",) if lane.target == "leadbyte" else (lane.search_by or "ProspectID",)
    fields = {keys[0]: f"lead-{id_}", "mx_Outcome": "Sold"}
    stamps = {name: Stamp(1.0, id_) for name in fields}
    made = Delivery(id_, id_, f"q-{id_}", "m", f"x={id_}", lane, keys, fields, stamps, attempts)
    return replace(made, **more)


def pushed(one: Delivery, outcome: Outcome, jitter: float = 0.0) -> Move:
    (move,) = POLICY.after_push([one], [outcome], NOW, jitter)
    return move


def failed(one: Delivery, error: CallError, *, answers: bool = True) -> Move:
    (move,) = POLICY.after_error([one], error, NOW, 0.0, RESUME, answers=answers)
    return move


def test_applied_is_synced() -> None:
    move = pushed(delivery(), Outcome(Kind.SYNCED))
    assert (move.to, move.attempt, move.lane, move.reason) == (State.SYNCED, False, None, None)


def test_what_was_said_besides_of_what_was_applied_is_kept() -> None:
    told = Outcome(Kind.SYNCED, note="unknown field")
    assert (pushed(delivery(lane=SETS), told).to, pushed(delivery(lane=SETS), told).reason) == (
        State.SYNCED,
        "unknown field",
    )
    one = awaited(State.SUBMITTED)
    assert POLICY.after_confirm(one, told, NOW) == Move(one, State.SYNCED, NOW, "unknown field")


def test_accepted_is_submitted_and_confirmed_first_after_the_first_interval() -> None:
    move = pushed(delivery(lane=FIRES), Outcome(Kind.SUBMITTED, request_id="r-1"), 0.5)
    assert (move.to, move.request_id, move.due_at) == (State.SUBMITTED, "r-1", pytest.approx(NOW + 1.8))


def test_refused_for_good_is_failed_with_the_other_sides_words() -> None:
    move = pushed(delivery(), Outcome(Kind.REJECTED, "no such option"))
    assert (move.to, move.reason) == (State.FAILED, "no such option")


@pytest.mark.parametrize("listed", [State.UNPROCESSED, State.FAILED])
def test_an_unknown_lead_ends_where_leadsquared_lists_it(listed: State) -> None:
    move = pushed(delivery(), Outcome(Kind.UNKNOWN_LEAD, "lead not found", listed=listed))
    assert (move.to, move.reason, move.lane) == (listed, "lead not found", None)


@pytest.mark.parametrize("listed", [State.UNPROCESSED, State.FAILED])
def test_an_unknown_lead_is_tried_by_each_key_in_order_and_ends_as_listed(listed: State) -> None:
    keys = ("EmailAddress", "Phone", "mx_Id")
    fields = {key: f"the {key}" for key in keys}
    one = delivery(keys=keys, fields=fields, lane=replace(BULK, part="half-1"))
    tried = []
    for _ in keys:
        tried.append(one.lookup)
        move = pushed(one, Outcome(Kind.UNKNOWN_LEAD, "lead not found", listed=listed))
        if move.to is State.PENDING:
            assert move.lane is not None
            assert (move.due_at, move.attempt) == (NOW, False), "another key is no repeated attempt"
            assert move.lane.part == "", "it may travel with others again"
            one = replace(one, lane=move.lane)
    assert tried == ["the EmailAddress", "the Phone", "the mx_Id"]
    assert move.to is listed


@pytest.mark.parametrize("reason", ["", "its counts disagree"])
def test_a_lead_that_the_answer_does_not_name_is_retried_alone(reason: str) -> None:
    move = pushed(delivery(7, attempts=2), Outcome(Kind.UNLISTED, reason))
    assert (move.to, move.lane, move.attempt) == (State.PENDING, alone(delivery(7)), True)
    assert (move.due_at, move.reason) == (NOW + 4.0, reason or UNLISTED)
    assert alone(delivery(7)) != alone(delivery(8))
    assert replace(alone(delivery(7)), part="") == BULK


@pytest.mark.parametrize("lane", HARMFUL)
def test_a_lead_that_the_answer_does_not_name_is_in_doubt_where_repeating_would_harm(lane: Lane) -> None:
    move = pushed(delivery(lane=lane), Outcome(Kind.UNLISTED))
    assert (move.to, move.attempt) == (State.IN_DOUBT, True)
    assert move.reason == "the answer was lost: the answer does not name this lead"


def test_outcomes_belong_to_the_batch_in_its_order() -> None:
    batch = [delivery(1), delivery(2), delivery(3)]
    kinds = [Kind.SYNCED, Kind.REJECTED, Kind.UNLISTED]
    moves = list(POLICY.after_push(batch, [Outcome(kind) for kind in kinds], NOW, 0.0))
    assert [move.delivery.id for move in moves] == [1, 2, 3]
    assert [move.to for move in moves] == [State.SYNCED, State.FAILED, State.PENDING]
    with pytest.raises(ValueError, match="shorter"):
        list(POLICY.after_push(batch, [Outcome(Kind.SYNCED)], NOW, 0.0))


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("error", NOTHING_HAPPENED)
@pytest.mark.parametrize("attempts", [0, 7, 100])
def test_where_nothing_happened_no_attempt_is_used_up(error: CallError, lane: Lane, attempts: int) -> None:
    move = failed(delivery(lane=lane, attempts=attempts), error, answers=False)
    due_at = RESUME if isinstance(error, Throttled) else NOW
    assert (move.to, move.due_at, move.attempt, move.maybe) == (State.PENDING, due_at, False, False)
    assert (move.reason, move.lane) == (str(error), None)


@pytest.mark.parametrize("lane", REPEATABLE)
@pytest.mark.parametrize("error", NO_VERDICT)
@pytest.mark.parametrize("attempts", [0, 7, 100])
def test_no_attempt_is_used_up_while_the_host_answers_nothing_else_either(
    error: CallError, lane: Lane, attempts: int
) -> None:
    batch = [delivery(id_, lane, attempts) for id_ in range(25)]
    moves = [*POLICY.after_error(batch, error, NOW, 0.0, RESUME, answers=False)]
    assert [move.delivery for move in moves] == batch
    for move in moves:
        assert (move.to, move.due_at, move.attempt, move.lane) == (State.PENDING, NOW, False, None)
        assert move.maybe, "it may have been applied all the same"


@pytest.mark.parametrize("lane", LANES)
def test_a_lead_that_alone_is_denied_fails_alone(lane: Lane) -> None:
    error = Denied("the key is wrong")
    batch = [delivery(id_, lane) for id_ in range(5)]
    halves = [*POLICY.after_error(batch, error, NOW, 0.0, RESUME, answers=True)]
    assert {(move.to, move.attempt, move.maybe) for move in halves} == {(State.PENDING, False, False)}
    assert len({str(move.lane) for move in halves}) == 2
    alone_ = [failed(delivery(lane=lane, attempts=used), error) for used in (0, 7)]
    assert [(move.to, move.attempt, move.maybe) for move in alone_] == [
        (State.PENDING, True, False),
        (State.FAILED, True, False),
    ]


@pytest.mark.parametrize("answers", [True, False])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("lane", [SETS, ONCE])
def test_what_a_missing_permission_denies_fails_at_once_and_all_else_is_as_ever(
    lane: Lane, error: CallError, answers: bool
) -> None:
    batch = [delivery(id_, lane) for id_ in range(5)]
    moves = [*TO_LEADBYTE.after_error(batch, error, NOW, 0.0, RESUME, answers=answers)]
    if isinstance(error, Denied) and answers:
        assert moves == [Move(one, State.FAILED, NOW, "the key is wrong") for one in batch]
    else:
        assert moves == [*POLICY.after_error(batch, error, NOW, 0.0, RESUME, answers=answers)]


@pytest.mark.parametrize("lane", LANES)
def test_a_refused_batch_is_split_also_where_repeating_would_harm(lane: Lane) -> None:
    """Refused: nothing of it was carried out."""
    batch = [delivery(id_, lane) for id_ in range(4)]
    moves = [*TO_LEADBYTE.after_error(batch, Refused("one by one"), NOW, 0.0, RESUME, answers=True)]
    assert {(move.to, move.attempt, move.maybe) for move in moves} == {(State.PENDING, False, False)}
    assert Counter(str(move.lane) for move in moves) == {f"{lane}half-0": 2, f"{lane}half-2": 2}
    assert failed(batch[0], Refused("no such field")).to is State.FAILED


@pytest.mark.parametrize("error", NO_VERDICT)
def test_a_batch_without_a_verdict_is_halved_where_the_host_answers_other_questions(error: CallError) -> None:
    batch = [delivery(id_) for id_ in range(25)]
    moves = [*POLICY.after_error(batch, error, NOW, 0.0, RESUME, answers=True)]
    assert {(move.to, move.due_at, move.attempt, move.maybe) for move in moves} == {
        (State.PENDING, NOW, False, True)
    }
    assert Counter(str(move.lane) for move in moves) == {f"{BULK}half-0": 12, f"{BULK}half-12": 13}


@pytest.mark.parametrize("lane", REPEATABLE)
@pytest.mark.parametrize("error", NO_VERDICT)
def test_without_a_verdict_a_harmless_call_is_repeated_with_growing_intervals(
    error: CallError, lane: Lane
) -> None:
    moves = [failed(delivery(lane=lane, attempts=used), error) for used in range(8)]
    assert [move.to for move in moves] == [State.PENDING] * 7 + [State.FAILED]
    assert [move.due_at - NOW for move in moves[:7]] == [1, 2, 4, 8, 16, 32, 64]
    assert all(move.attempt for move in moves)
    assert moves[-1].reason == f"gave up after 8 attempts: {error}"


@pytest.mark.parametrize("error", NO_VERDICT)
@pytest.mark.parametrize("attempts", [0, 7, 100])
@pytest.mark.parametrize("lane", HARMFUL)
def test_without_a_verdict_what_fires_automations_is_in_doubt(
    lane: Lane, error: CallError, attempts: int
) -> None:
    move = failed(delivery(lane=lane, attempts=attempts), error)
    assert (move.to, move.due_at, move.attempt) == (State.IN_DOUBT, NOW + 2.0, True)
    assert move.reason == f"the answer was lost: {error}"


def calls_until_done(batch: Sequence[Delivery], offenders: set[int]) -> tuple[int, dict[int, State]]:
    """Send batches, one lane a call, until nothing is pending; LeadSquared refuses whatever holds an offender."""
    ended: dict[int, State] = {}
    waiting, calls = list(batch), 0
    while waiting:
        lane = waiting[-1].lane
        sent = [one for one in waiting if one.lane == lane][:25]
        calls += 1
        assert calls < 100, "it must come to an end"
        moves: Iterable[Move] = (
            POLICY.after_error(sent, Refused("no such field"), NOW, 0.0, RESUME, answers=True)
            if offenders & {one.id for one in sent}
            else POLICY.after_push(sent, [Outcome(Kind.SYNCED)] * len(sent), NOW, 0.0)
        )
        waiting = [one for one in waiting if one not in sent]
        for move in moves:
            assert not move.attempt, "a refused neighbour costs no attempt"
            if move.to is State.PENDING:
                assert move.due_at == NOW
                assert move.lane is not None
                waiting.append(replace(move.delivery, lane=move.lane))
            else:
                ended[move.delivery.id] = move.to
    return calls, ended


@pytest.mark.parametrize("size", range(1, 26))
def test_one_offender_in_a_refused_batch_is_isolated_by_halves(size: int) -> None:
    batch = [delivery(id_) for id_ in range(10, 10 + size)]
    for offender in batch:
        calls, ended = calls_until_done(batch, {offender.id})
        assert calls <= 1 + 2 * ceil(log2(size))
        assert ended == {one.id: State.FAILED if one is offender else State.SYNCED for one in batch}


@given(st.integers(1, 25), st.sets(st.integers(1, 25)))
def test_any_offenders_fail_alone(size: int, offenders: set[int]) -> None:
    batch = [delivery(id_) for id_ in range(1, size + 1)]
    _, ended = calls_until_done(batch, offenders)
    assert ended == {one.id: State.FAILED if one.id in offenders else State.SYNCED for one in batch}


def awaited(state: State, lane: Lane = FIRES, **more: Any) -> Delivery:
    return delivery(lane=lane, state=state, sent_at=NOW, request_id="r-1", **more)


def test_a_confirmation_settles_what_was_submitted() -> None:
    one = awaited(State.SUBMITTED)
    done = POLICY.after_confirm(one, Outcome(Kind.SYNCED), NOW + 5)
    refused = POLICY.after_confirm(one, Outcome(Kind.REJECTED, "lead does not exist"), NOW + 5)
    assert done == Move(one, State.SYNCED, NOW + 5)
    assert refused == Move(one, State.FAILED, NOW + 5, "lead does not exist")


@pytest.mark.parametrize("kind", [Kind.QUEUED, Kind.UNLISTED])
def test_what_is_not_applied_yet_is_asked_again_until_the_deadline(kind: Kind) -> None:
    one = awaited(State.SUBMITTED)
    assert POLICY.after_confirm(one, Outcome(kind), NOW + DEADLINE - 1) is None
    move = POLICY.after_confirm(one, Outcome(kind), NOW + DEADLINE)
    assert move is not None
    assert (move.to, "before the deadline" in (move.reason or "")) == (State.FAILED, True)


def test_a_forgotten_request_is_repeated_only_where_that_is_harmless() -> None:
    harmless = POLICY.after_confirm(awaited(State.SUBMITTED, SILENT), Outcome(Kind.FORGOTTEN), NOW)
    harmful = POLICY.after_confirm(awaited(State.SUBMITTED, FIRES), Outcome(Kind.FORGOTTEN), NOW)
    last = POLICY.after_confirm(awaited(State.SUBMITTED, SILENT, attempts=7), Outcome(Kind.FORGOTTEN), NOW)
    assert harmless is not None
    assert harmful is not None
    assert last is not None
    assert (harmless.to, harmless.attempt) == (State.PENDING, True)
    assert (harmful.to, "automations" in (harmful.reason or "")) == (State.FAILED, True)
    assert last.to is State.FAILED


HELD = {"ProspectID": "lead-1", "mx_Outcome": "Sold"}


@pytest.mark.parametrize(
    "held", [HELD, {**HELD, "mx_Outcome": " Sold", "mx_More": "x"}, {**HELD, "ProspectID": "LEAD-1"}]
)
def test_a_lead_that_holds_the_values_settles_a_doubt(held: dict[str, str]) -> None:
    one = awaited(State.IN_DOUBT)
    for now in (NOW + 5, NOW + 2 * DEADLINE):
        assert POLICY.after_read_back(one, held, now) == Move(one, State.SYNCED, now)


@pytest.mark.parametrize("held", [None, {}, {**HELD, "mx_Outcome": "Lost"}, {"ProspectID": "lead-1"}])
def test_a_lead_that_does_not_hold_them_is_looked_at_until_the_deadline(held: dict[str, str] | None) -> None:
    one = awaited(State.IN_DOUBT)
    assert POLICY.after_read_back(one, held, NOW + DEADLINE - 1) is None
    move = POLICY.after_read_back(one, held, NOW + DEADLINE)
    assert move is not None
    assert (move.to, "does not hold" in (move.reason or "")) == (State.FAILED, True)


def test_looks_come_at_growing_intervals_and_once_at_the_deadline() -> None:
    one = awaited(State.SUBMITTED)
    looks = [POLICY.next_look(replace(one, polls=polls), NOW, 0.0) - NOW for polls in (0, 1, 2, 7, 8, 99)]
    assert looks == [2, 4, 8, 256, 300, 300]
    late = replace(one, polls=20)
    assert POLICY.next_look(late, NOW + DEADLINE - 10, 0.0) == NOW + DEADLINE


def test_past_the_deadline_a_look_that_failed_is_not_repeated_at_once() -> None:
    late = awaited(State.SUBMITTED, polls=20)
    for now in (NOW + DEADLINE, NOW + 3 * DEADLINE):
        assert POLICY.next_look(late, now, 0.0) == now + 300


OUTCOMES = st.builds(
    Outcome,
    st.sampled_from(Kind),
    st.text(max_size=5),
    st.just("r-1"),
    st.sampled_from([State.UNPROCESSED, State.FAILED]),
)
ANY = st.builds(
    lambda lane, attempts, polls, age: delivery(lane=lane, attempts=attempts, polls=polls, sent_at=NOW - age),
    st.sampled_from(LANES),
    st.integers(0, 12),
    st.integers(0, 100),
    st.floats(0, 2 * DEADLINE),
)


@given(
    ANY,
    OUTCOMES,
    st.sampled_from(ERRORS),
    st.booleans(),
    st.none() | st.just(HELD),
    st.floats(0, 1, exclude_max=True),
)
def test_every_move_is_one_that_the_table_allows(
    one: Delivery,
    outcome: Outcome,
    error: CallError,
    answers: bool,
    held: dict[str, str] | None,
    jitter: float,
) -> None:
    answered = [*POLICY.after_push([one], [outcome], NOW, jitter)]
    lost = [*POLICY.after_error([one], error, NOW, jitter, RESUME, answers=answers)]
    submitted, doubted = replace(one, state=State.SUBMITTED), replace(one, state=State.IN_DOUBT)
    settled = [POLICY.after_confirm(submitted, outcome, NOW), POLICY.after_read_back(doubted, held, NOW)]
    for move in [*answered, *lost, *filter(None, settled)]:
        assert move.to in TRANSITIONS[move.delivery.state]
        assert move.due_at >= NOW
    if not one.lane.repeatable:
        again = [move for move in [*answered, *lost, *filter(None, settled)] if move.to is State.PENDING]
        assert all(move in lost and error in NOTHING_HAPPENED for move in again), "nothing can have fired"
    assert POLICY.next_look(one, NOW, jitter) > NOW


@pytest.mark.parametrize("state", [State.SUBMITTED, State.IN_DOUBT])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_asking_that_never_gets_a_verdict_ends_at_the_deadline_but_waits_for_a_silent_host(
    state: State, error: CallError
) -> None:
    one = delivery(lane=FIRES, state=state, sent_at=NOW)
    early, late = NOW + DEADLINE - 1, NOW + DEADLINE
    assert POLICY.after_asking_failed(one, error, early, answers=True) is None
    assert POLICY.after_asking_failed(one, error, late, answers=False) is None
    move = POLICY.after_asking_failed(one, error, late, answers=True)
    assert move is not None
    assert move.to is State.FAILED
    assert move.to in TRANSITIONS[state]
    assert str(error) in (move.reason or "")
