"""Which values LeadSquared reads as one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.values import digest, normal, same

ONE_VALUE = [
    ("2022-07-13 09:35:04", "2022-07-13 09:35:04.000"),
    ("2022-07-13 09:35:04", " 2022-07-13 09:35:04.0 "),
    ("+44-7700900123", "+44 7700 900123"),
    ("+44-7700900123", "+44(7700)900.123"),
    ("2022-07-13 09:35:04", "2022-07-13T09:35:04Z"),
    ("2022-07-13 09:35:04", "2022-07-13T09:35:04.000"),
    ("2022-07-13 09:35:04", "2022-07-13T09:35:04.000+00:00"),
    ("2022-07-13 09:35:04.5", "2022-07-13T09:35:04.500Z"),
    ("2022-07-13", "2022-07-13 00:00:00.000"),
    ("09:35:04", "09:35:04.000"),
    ("07700 900123", "07700900123"),
    ("07700-900-123", "(07700) 900 123"),
    ("(020) 7946-0958", "020 7946 0958"),
    ("01 23 45 67 89", "0123456789"),
    ("1", "true"),
    ("1", "True"),
    ("TRUE ", "true"),
    ("0", "false"),
    ("0", "False"),
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
    ("", "false"),
    ("true", "false"),
    ("1", "0"),
    ("1", "yes"),
    ("1", "t"),
    ("truest", "true"),
    ("2022-07-13 09:35:04", "2022-07-13T09:35:04+02:00"),
    ("2022-07-13 09:35:04", "2022-07-13"),
    ("2022-07-13", "20220713"),
    ("07700 900123", "07700 900124"),
    ("07700 900123", "07700 900123 x2"),
    ("1000000.5", "10000005"),
    ("12-3", "123"),
    ("1-12-1980", "11-2-1980"),
    ("01-12-1980 1", "01-1-2198-01"),
    ("01-12-1980 10 20", "01-12-1980 1020"),
    ("(2020-01-11) 1", "(2020-0-111) 1"),
    ("2020-0001-11", "20200001-11"),
    ("12345-6789", "123456789"),
    ("91-9988776655", "919988776655"),
    ("1-2345678", "12-345678"),
    ("1 11 22 33", "11 1 22 33"),
    ("01-234-567", "01234567"),
    ("0001-0002-0003-0004", "0001000200030004"),
    ("07700/900123", "07700900123"),
    ("07700.900.123", "07700900123"),
    ("((((((((", "(((((((()"),
    ("-1", "1"),
]


@pytest.mark.parametrize(("ours", "theirs"), ONE_VALUE)
def test_one_value(ours: str, theirs: str) -> None:
    assert same(ours, theirs)
    assert digest(ours) == digest(theirs)


@pytest.mark.parametrize(("ours", "theirs"), TWO_VALUES)
def test_two_values(ours: str, theirs: str) -> None:
    assert not same(ours, theirs)
    assert digest(ours) != digest(theirs)


def test_a_digest_is_short_and_of_any_text() -> None:
    assert len(digest("")) == len(digest("b" * 10_000)) == 16
    assert digest("\ud800") != digest("\ud801"), "half a surrogate pair is a value like any other"


@given(
    st.data(), st.from_regex(r"[1-9][0-9]{1,19}", fullmatch=True), st.sampled_from(["", " 09:35:04.000", "Z"])
)
def test_numbers_grouped_otherwise_are_two_values(data: st.DataObject, digits: str, rest: str) -> None:
    cuts = st.frozensets(st.integers(1, len(digits) - 1), max_size=4)
    ours, theirs = data.draw(
        st.lists(cuts, min_size=2, max_size=2, unique=True), label="where the hyphens stand"
    )
    assert not same(_grouped(digits, ours) + rest, _grouped(digits, theirs) + rest)


def _grouped(digits: str, cuts: frozenset[int]) -> str:
    return "".join("-" * (place in cuts) + digit for place, digit in enumerate(digits))


LIKELY = st.text() | st.text("+0123456789-:.TZ ()truefalse", max_size=24)


@given(LIKELY, LIKELY)
def test_equal_digests_mean_one_value(one: str, other: str) -> None:
    assert (digest(one) == digest(other)) == same(one, other)
    assert normal(normal(one)) == normal(one)
    assert same(one, f" {one}\n")
