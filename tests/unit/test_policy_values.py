"""Which values LeadSquared reads as one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.policy.values import digest, normal, same

ONE_VALUE = [
    ("2022-07-13 09:35:04", "2022-07-13 09:35:04.000"),
    ("2022-07-13 09:35:04", " 2022-07-13 09:35:04.0 "),
    ("+44-7700900123", "+44 7700 900123"),
    ("+44-7700900123", "+44(7700)900.123"),
    (" Ann", "Ann "),
    ("", "   "),
]
TWO_VALUES = [
    ("2022-07-13 09:35:04", "2022-07-13 09:35:04.5"),
    ("2022-07-13 09:35:04", "2022-07-13 09:35:40.000"),
    ("+44-7700900123", "+44-7700900124"),
    ("+44-7700900123", "44-7700900123"),
    ("Ann", "ann"),
    ("10.0", "10.00"),
    ("+1 or 2", "+1 or 3"),
    ("", "0"),
]


@pytest.mark.parametrize(("ours", "theirs"), ONE_VALUE)
def test_one_value(ours: str, theirs: str) -> None:
    assert same(ours, theirs)
    assert digest("mx_Field", ours) == digest("mx_Field", theirs)


@pytest.mark.parametrize(("ours", "theirs"), TWO_VALUES)
def test_two_values(ours: str, theirs: str) -> None:
    assert not same(ours, theirs)
    assert digest("mx_Field", ours) != digest("mx_Field", theirs)


def test_a_digest_is_of_the_field_too_and_does_not_show_the_value() -> None:
    assert digest("A", "b") != digest("B", "b")
    assert digest("A", "bc") != digest("Ab", "c")
    assert len(digest("A", "b" * 10_000)) == 16
    assert digest("A", "\ud800") != digest("A", "\ud801"), "half a surrogate pair is a value like any other"


@given(st.text(), st.text())
@settings(deadline=None)
def test_equal_digests_mean_one_value(one: str, other: str) -> None:
    assert (digest("A", one) == digest("A", other)) == same(one, other)
    assert normal(normal(one)) == normal(one)
    assert same(one, f" {one}\n")
