"""Whether a side may be called, by what its calls came to."""

import pytest

from bridge.errors import CallError, Denied, LostAnswer, Refused, ServerFault, Throttled, Unreachable
from bridge.policy.health import PAUSES, SOME, Health, SideState

NOW = 1_700_000_000.0
SILENCE = [Unreachable("no route"), LostAnswer("timed out"), ServerFault("HTML instead of JSON")]


def down(now: float = NOW) -> Health:
    health = Health()
    for _ in range(SOME):
        health.failed(Unreachable("no route"), now, 0.0)
    return health


def test_a_side_is_up_until_shown_otherwise() -> None:
    health = Health()
    assert (health.state, health.wait(NOW), health.one_at_a_time) == (SideState.UP, 0.0, False)
    assert not health.reached


@pytest.mark.parametrize("error", SILENCE)
def test_some_failures_in_a_row_bring_a_side_down(error: CallError) -> None:
    health = Health()
    assert [health.failed(error, NOW + n, 0.0) for n in range(SOME)] == [False, False, True]
    assert (health.state, health.reason, health.since) == (SideState.DOWN, str(error), NOW + SOME - 1)
    assert health.one_at_a_time
    assert health.wait(NOW + SOME - 1) == PAUSES[SideState.DOWN].first
    assert not health.reached


@pytest.mark.parametrize("answer", [None, Refused("no such field"), Throttled("too many calls")])
def test_an_answer_between_failures_keeps_a_side_up(answer: CallError | None) -> None:
    health = Health()
    for _ in range(4):
        for _ in range(SOME - 1):
            health.failed(LostAnswer("timed out"), NOW, 0.0)
        assert not (health.failed(answer, NOW, 0.0) if answer else health.answered(NOW))
    assert health.state is SideState.UP
    assert health.reached


def test_an_answer_brings_a_side_up_again() -> None:
    health = down()
    assert health.answered(NOW + 0.25), "a call that was under way may bring the answer"
    assert (health.state, health.reason, health.since) == (SideState.UP, "", NOW + 0.25)
    assert (health.wait(NOW + 0.25), health.probes, health.one_at_a_time) == (0.0, 0, False)
    assert not health.answered(NOW + 61)
    assert health.since == NOW + 0.25


def test_probes_of_a_side_that_is_down_come_after_growing_pauses() -> None:
    health, now, pauses = down(), NOW, []
    for _ in range(9):
        pauses.append(health.wait(now))
        now += pauses[-1]
        assert health.wait(now) == 0.0
        assert not health.failed(LostAnswer("timed out"), now, 0.0)
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_calls_that_were_under_way_when_it_went_down_do_not_lengthen_the_pause() -> None:
    health = down()
    for _ in range(20):
        assert not health.failed(Unreachable("no route"), NOW + 0.25, 0.0)
    assert (health.wait(NOW + 0.25), health.probes) == (0.25, 1)


def test_a_refused_key_closes_a_side_at_once_and_for_longer() -> None:
    health, now, pauses = Health(), NOW, []
    assert health.failed(Denied("the key is wrong"), now, 0.0)
    assert (health.state, health.reason, health.reached) == (SideState.DENIED, "the key is wrong", True)
    for _ in range(6):
        pauses.append(health.wait(now))
        now += pauses[-1]
        assert not health.failed(Denied("the key is still wrong"), now, 0.0)
    assert pauses == [30.0, 60.0, 120.0, 240.0, 300.0, 300.0]
    assert (health.reason, health.since) == ("the key is still wrong", NOW)


@pytest.mark.parametrize("error", SILENCE)
def test_a_probe_that_fails_closes_a_denied_side_at_once(error: CallError) -> None:
    health = Health()
    health.failed(Denied("the key is wrong"), NOW, 0.0)
    assert health.failed(error, NOW + 30, 0.0)
    assert health.state is SideState.DOWN
    assert health.wait(NOW + 30) > 0, "the pauses go on; they do not stop until three have failed"


def test_a_side_that_comes_back_with_a_refused_key_is_denied() -> None:
    health = down()
    assert health.failed(Denied("the key is wrong"), NOW + 1, 0.0)
    assert (health.state, health.wait(NOW + 1), health.probes) == (SideState.DENIED, 30.0, 1)


def test_jitter_shortens_a_pause_by_at_most_a_fifth() -> None:
    health = Health()
    health.failed(Denied("the key is wrong"), NOW, 0.5)
    assert health.wait(NOW) == pytest.approx(27.0)


def test_a_denied_call_where_the_keys_work_closes_a_side_only_after_some_in_a_row() -> None:
    health = Health()
    denied = Denied("HTTP 403")
    assert [health.failed(denied, NOW + n, 0.0, keys_work=True) for n in range(SOME)] == [False, False, True]
    assert (health.state, health.reason, health.keys_work) == (SideState.DENIED, "HTTP 403", True)
