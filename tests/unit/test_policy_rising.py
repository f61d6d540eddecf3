"""When failures jump: the report is written anew."""

from __future__ import annotations

from bridge.policy.rising import PAUSE_SECONDS, Rise, Written

START = 1_700_000_000.0


def test_it_is_written_once_there_are_so_many_more() -> None:
    rise, last = Rise(25), Written(10, START)
    assert not rise.jumped(34, last, START + 900)
    assert rise.jumped(35, last, START + 900)
    assert not rise.jumped(50, Written(35, START + 901), START + 2000)


def test_before_any_report_none_were_on_it() -> None:
    assert not Rise(25).jumped(24, Written(), START)
    assert Rise(25).jumped(25, Written(), START)


def test_at_most_every_five_minutes_whoever_wrote_it() -> None:
    rise, last = Rise(25), Written(0, START)
    assert not rise.jumped(99, last, START + PAUSE_SECONDS - 1)
    assert rise.jumped(99, last, START + PAUSE_SECONDS)


def test_where_it_could_not_be_written_it_is_tried_again_after_a_pause() -> None:
    rise = Rise(25)
    assert rise.jumped(99, Written(), START)
    assert not rise.jumped(99, Written(), START + PAUSE_SECONDS - 1)
    assert rise.jumped(99, Written(), START + PAUSE_SECONDS)


def test_it_counts_from_the_fewest_since() -> None:
    rise, last = Rise(25), Written(100, START)
    assert not rise.jumped(5, last, START + 900)
    assert not rise.jumped(29, last, START + 900)
    assert rise.jumped(30, last, START + 900)
    assert not Rise(25).jumped(30, last, START + 900)


def test_a_clock_that_is_set_back_does_not_silence_it() -> None:
    assert Rise(25).jumped(99, Written(0, START + 1), START)
