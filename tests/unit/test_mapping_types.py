"""Every type reads what people write, and refuses what it can't be sure of."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bridge.mapping import epoch, times
from bridge.mapping.convert import UnreadableError, boolean, email, number, phone, text
from bridge.mapping.times import day, layout_fault, moment

LONDON = ZoneInfo("Europe/London")


@pytest.mark.parametrize(
    ("value", "output"),
    [
        (" a ", "a"),
        ("\x00 a\x07b\x7f\x9f \x00", "ab"),
        ("a\r\nb\rc\nd\te", "a\nb\nc\nd\te"),
        ("\ud800a\udfff", "\ufffda\ufffd"),
        ("\u00a0Zoë\u2003", "Zoë"),
        ("😀", "😀"),
        (None, ""),
        ([], ""),
        ({}, ""),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (0.1, "0.1"),
        (1e22, "1" + "0" * 22),
        (1e-7, "0.0000001"),
        (-2.50, "-2.5"),
        (10**30 + 1, "1" + "0" * 29 + "1"),
        pytest.param(10**5000, "1" + "0" * 5000, id="huge"),
        (-(10**18), "-1" + "0" * 18),
    ],
)
def test_text(value: Any, output: str) -> None:
    assert text(value) == output


@pytest.mark.parametrize(
    ("value", "output"),
    [
        ("1,234.50", "1234.50"),
        ("£1,234.50", "1234.50"),
        ("$ 5", "5"),
        ("-€5", "-5"),
        ("€-5", "-5"),
        ("+5", "5"),
        (".5", "0.5"),
        ("007", "7"),
        ("-0.00", "0.00"),
        ("1e3", "1000"),
        ("0e999", "0"),
        (12, "12"),
        (1.5, "1.5"),
        (
            "12345678901234567890.123456789012345678901234567890",
            "12345678901234567890.123456789012345678901234567890",
        ),
        ("", ""),
        (None, ""),
    ],
)
def test_number(value: Any, output: str) -> None:
    assert number(value) == output


@pytest.mark.parametrize(
    "value",
    [
        "abc",
        "£",
        "-",
        ".",
        "1,2",
        "1,23,456",
        "1.234,50",
        "--5",
        "-£-5",
        "1e9999",
        "NaN",
        "Infinity",
        "1 2",
        "5%",
        "\u0661",
        "e5",
        True,
    ],
)
def test_no_number(value: Any) -> None:
    with pytest.raises(UnreadableError):
        number(value)


@pytest.mark.parametrize(
    ("value", "output"),
    [
        (True, "1"),
        (False, "0"),
        (1, "1"),
        (0.0, "0"),
        (" YES ", "1"),
        ("y", "1"),
        ("On", "1"),
        ("T", "1"),
        ("1", "1"),
        ("no", "0"),
        ("N", "0"),
        ("OFF", "0"),
        ("f", "0"),
        ("0", "0"),
        ("false", "0"),
        ("", ""),
        (None, ""),
    ],
)
def test_boolean(value: Any, output: str) -> None:
    assert boolean(value) == output


@pytest.mark.parametrize("value", [2, "maybe", "10"])
def test_no_boolean(value: Any) -> None:
    with pytest.raises(UnreadableError):
        boolean(value)


@pytest.mark.parametrize(
    ("value", "output"),
    [
        (" A@B.c ", "a@b.c"),
        ("Zoë@Exämple.CO.uk", "zoë@exämple.co.uk"),
        ("a\x00@b.c", "a@b.c"),
        ("", ""),
        (None, ""),
    ],
)
def test_email(value: Any, output: str) -> None:
    assert email(value) == output


@pytest.mark.parametrize(
    "value",
    [
        "a",
        "a@b",
        "@b.c",
        "a@",
        "a@b@c.d",
        "a b@c.d",
        "a@b c.d",
        "a@.c",
        "a@b.",
        "a@b..c",
        "a\n@b.c",
        "a\u200b@b.c",
        5,
    ],
)
def test_no_email(value: Any) -> None:
    with pytest.raises(UnreadableError):
        email(value)


@pytest.mark.parametrize(
    "value",
    [
        "07700 900123",
        "07700-900-123",
        "(07700) 900123",
        "07700.900.123",
        "+44 7700 900123",
        "+44 (0)7700 900123",
        "0044 7700 900123",
        "447700900123",
        "7700900123",
        "07700 900123 ext 5",
        "07700900123x12",
        " tel: 07700 900123 ",
        "\uff10\uff17\uff17\uff10\uff10 \uff19\uff10\uff10\uff11\uff12\uff13",
        "07700\u00a0900123",
        "07700\u2011900123",
        7700900123,
        7700900123.0,
        447700900123,
    ],
)
def test_phone(value: Any) -> None:
    assert phone("GB")(value) == "+44-7700900123"


@pytest.mark.parametrize(
    ("region", "value", "output"),
    [
        ("IN", "09988776655", "+91-9988776655"),
        ("US", "(212) 555-0123", "+1-2125550123"),
        ("GB", "+39 06 1234 5678", "+39-0612345678"),
        ("IT", "06 1234 5678", "+39-0612345678"),
        (None, "+33 1 23 45 67 89", "+33-123456789"),
        ("GB", "+44 1111 111111", "+44-1111111111"),
        ("GB", None, ""),
        ("GB", " ", ""),
    ],
)
def test_phones_of_the_world(region: str | None, value: Any, output: str) -> None:
    assert phone(region)(value) == output


@pytest.mark.parametrize(
    "value", ["n/a", "0", "123", "900123", "077009001230000", "+999 123456789", "+44 7700", "x" * 300, True]
)
def test_no_phone(value: Any) -> None:
    with pytest.raises(UnreadableError, match="not a phone number in region GB"):
        phone("GB")(value)


@pytest.mark.parametrize(
    "value",
    [
        "2022-11-17T16:03:04Z",
        "2022-11-17t16:03:04z",
        "2022-11-17 16:03:04",
        "2022-11-17T16:03:04.999999999Z",
        "2022-11-17T16:03:04,5",
        "2022-11-17T17:03:04+01:00",
        "2022-11-17 11:03:04 -0500",
        "2022-11-17 16:03:04 UTC",
        "20221117T160304Z",
        "2022-11-17T17:03:04+01",
        1668700984,
        1668700984.7,
        1668700984000,
        "1668700984",
        "1668700984.25",
        "1668700984999",
        "Thu, 17 Nov 2022 16:03:04 +0000",
        "17 November 2022 16:03:04",
        "Thu, 17 Nov 2022 11:03:04 EST",
    ],
)
def test_datetime(value: Any) -> None:
    assert moment(UTC, None)(value) == "2022-11-17 16:03:04"
    assert epoch(value) == pytest.approx(1668700984, abs=1)


@pytest.mark.parametrize(
    "value",
    [
        "03/04/2022 16:03",
        "17 Nov 2022 16:03 IST",
        "2022-13-01",
        "2022-02-30",
        "0000-00-00 00:00:00",
        "16:03",
        "now",
        "2022",
        5,
        0,
        -1668700984,
        "20221117160304",
        "2022-11-17x16:03",
        "2022-11-17T25:00",
        "31 Foo 2022 16:03",
        "99 Nov 2022 16:03",
        "0001-01-01",
        "9999-12-31T23:59:59-05:00",
        1e300,
        True,
        ["a"],
        {"a": 1},
        float("nan"),
    ],
)
def test_no_datetime(value: Any) -> None:
    with pytest.raises(UnreadableError):
        moment(UTC, None)(value)
    assert epoch(value) is None


def test_epoch_of_nothing_is_none() -> None:
    assert epoch(None) is None
    assert epoch(" ") is None
    assert epoch("1973-03-03T09:46:40.5Z") == 100000000.5


def test_local_times() -> None:
    summer = moment(LONDON, None)
    assert summer("2022-07-13 09:35") == "2022-07-13 08:35:00"
    assert summer("2022-07-13 09:35Z") == "2022-07-13 09:35:00"
    assert moment(LONDON, "%d/%m/%Y %H:%M")("13/07/2022 09:35") == "2022-07-13 08:35:00"
    assert moment(LONDON, "%d/%m/%Y %H:%M %z")("13/07/2022 09:35 +0200") == "2022-07-13 07:35:00"
    assert moment(UTC, None)("2022-07-13") == "2022-07-13 00:00:00"
    assert moment(UTC, None)("") == ""


@pytest.mark.parametrize(
    ("zone", "value", "output"),
    [
        (UTC, "1980-07-01", "1980-07-01"),
        (LONDON, "1980-07-01", "1980-07-01"),
        (LONDON, "1980-07-01 00:30", "1980-07-01"),
        (UTC, "1980-07-01T00:30:00+01:00", "1980-06-30"),
        (LONDON, "1980-06-30T23:30:00Z", "1980-07-01"),
        (UTC, None, ""),
        (UTC, "0900-01-02", "0900-01-02"),
    ],
)
def test_date(zone: Any, value: Any, output: str) -> None:
    assert day(zone, None)(value) == output


def test_a_format_reads_nothing_else() -> None:
    read = day(UTC, "%d/%m/%Y")
    assert read(" 03/04/2022 ") == "2022-04-03"
    for value in ("2022-04-03", "31/02/2022", 1668700984):
        with pytest.raises(UnreadableError, match=r"not in the format %d/%m/%Y"):
            read(value)


@pytest.mark.parametrize("layout", ["%d/%m/%Y", "%Y%m%d%H%M%S", "%d %b %y", "%c", "%d/%m/%Y %H:%M:%S %z"])
def test_a_good_format(layout: str) -> None:
    assert layout_fault(layout) is None
    assert datetime.strptime(datetime(2024, 1, 31, tzinfo=UTC).strftime(layout), layout)  # noqa: DTZ007


@pytest.mark.parametrize(
    ("layout", "fault"),
    [
        ("%q", "strptime"),
        ("%", "strptime"),
        ("%d/%m", "whole date"),
        ("%H:%M", "whole date"),
        ("%Y-%m-%d %Z", "%z"),
        ("x", "whole date"),
    ],
)
def test_a_bad_format(layout: str, fault: str) -> None:
    assert fault in (layout_fault(layout) or "")


def test_a_time_of_any_length_is_read_and_only_short_ones_are_remembered() -> None:
    before = times._moment_again.cache_info().currsize
    written = f"03 Jan{' ' * 100}2006 15:04:05 +0000"
    assert times.parse(written) == datetime(2006, 1, 3, 15, 4, 5, tzinfo=UTC)
    assert times._moment_again.cache_info().currsize == before
