"""Token buckets, and what becomes of an address that shows wrong tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.rating import Bucket, Guesses, Rate

TWO = Rate(burst=2, per_second=0.5)


def test_a_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    bucket = Bucket(TWO)
    assert [bucket.take(100.0) for _ in range(3)] == [0.0, 0.0, 2.0]
    assert bucket.take(101.0) == 1.0
    assert [bucket.take(102.0) for _ in range(2)] == [0.0, 2.0]


def test_a_refused_request_uses_nothing_up() -> None:
    bucket = Bucket(TWO)
    assert [bucket.take(0.0) for _ in range(100)][2:] == [2.0] * 98
    assert bucket.take(2.0) == 0.0


def test_rest_fills_a_bucket_to_its_brim_and_no_further() -> None:
    bucket = Bucket(TWO)
    bucket.take(0.0)
    assert [bucket.take(1e9) for _ in range(3)] == [0.0, 0.0, 2.0]


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing() -> None:
    bucket = Bucket(TWO)
    assert [bucket.take(now) for now in (1000.0, 10.0, 5.0)] == [0.0, 0.0, 2.0]
    assert bucket.take(7.0) == 0.0


@given(
    burst=st.integers(1, 20),
    per_second=st.floats(0.01, 1000),
    steps=st.lists(st.floats(0, 100), max_size=200),
)
def test_no_span_lets_more_through_than_burst_and_rate(
    burst: int, per_second: float, steps: list[float]
) -> None:
    bucket, now, taken = Bucket(Rate(burst, per_second)), 0.0, []
    for step in steps:
        now += step
        if not bucket.take(now):
            taken.append(now)
    for first, start in enumerate(taken):
        for last, end in enumerate(taken[first:], 1):
            assert last <= burst + (end - start) * per_second + 1e-6


def judged(guesses: Guesses, shown: str, address: str = "a", now: float = 0.0) -> list[bool]:
    """Whether each token was looked at: `r` right, `w` wrong."""
    return [not guesses.judge(address, now, right=one == "r") for one in shown]


def test_an_address_that_guesses_is_held_back_whatever_it_shows_then() -> None:
    guesses = Guesses(TWO)
    assert judged(guesses, "wwwrr") == [True, True, False, False, False]
    assert guesses.judge("a", 0.5, right=True) == 1.5
    assert judged(guesses, "r", now=2.0) == [True]


def test_an_address_that_has_shown_the_right_token_is_held_back_for_wrong_ones_only() -> None:
    assert judged(Guesses(TWO), "rwwwrwr") == [True, True, True, False, True, False, True]


def test_a_right_token_that_was_not_looked_at_earns_no_trust() -> None:
    guesses = Guesses(TWO)
    judged(guesses, "wwr")
    assert judged(guesses, "ww", now=2.0) == [True, False]
    assert judged(guesses, "r", now=2.0) == [False]


def test_addresses_are_counted_apart() -> None:
    guesses = Guesses(TWO)
    assert judged(guesses, "www", "a") == [True, True, False]
    assert judged(guesses, "www", "b") == [True, True, False]


@pytest.mark.parametrize("most", [1, 3])
def test_the_address_heard_of_longest_ago_is_forgotten_for_a_new_one(most: int) -> None:
    guesses = Guesses(TWO, most)
    for address in ("a", *"bcde"[: most - 1]):
        judged(guesses, "ww", address)
    assert judged(guesses, "w", "a") == [False]
    judged(guesses, "w", "z")
    assert len(guesses) == most
    kept = most > 1
    assert judged(guesses, "w", "a") == [not kept]


def test_any_number_of_addresses_takes_bounded_memory() -> None:
    guesses = Guesses(TWO)
    for number in range(5000):
        guesses.judge(str(number), 0.0, right=False)
    assert len(guesses) == guesses.most == 1024
