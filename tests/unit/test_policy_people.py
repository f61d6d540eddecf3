"""Who a request means: found however they are written, and nobody taken for them."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import UsageError
from bridge.policy.people import Person, Phone, person, phone

ANN = person(emails=["  Ann@Example.COM "])
LONDON = person(phones=["+44 (0)7700 900123"])
SOMEWHERE = person(phones=["07700 900123"])
LEAD = person(ids=["7185867"])
SHORT = person(ids=["33"])


@pytest.mark.parametrize(
    "text",
    [
        "ann@example.com",
        "ANN@EXAMPLE.COM",
        "emailaddress=ann@example.com",
        '{"email":"Ann@Example.com"}',
        "A lead with 'ann@example.com' exists.",
        "mail ann@example.com.",
        "<ann@example.com>,bob@example.com",
        "mailto:ann@example.com?subject=x",
        r'{"email":"ann\u0040example.com"}',
        r'{"raw":"{\"email\":\"ann\\u0040example.com\"}"}',
        "email=ann%40example.com&x=1",
        "email%3Dann%2540example.com",
        "ann&#64;example.com",
        "a\0n\0n\0@\0e\0x\0a\0m\0p\0l\0e\0.\0c\0o\0m\0",
        "\N{FULLWIDTH LATIN SMALL LETTER A}nn@example.com",
    ],
)
def test_an_email_address_is_found_in_any_case_and_escaped_in_any_way(text: str) -> None:
    assert ANN.is_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ann",
        "joann@example.com",
        "x.ann@example.com",
        "x+ann@example.com",
        "x-ann@example.com",
        "o'ann@example.com",
        "ann@example.com.au",
        "ann@example.community",
        "ann@example.com-x",
        r"\u00e9ann@example.com",
        "100 % & \\",
    ],
)
def test_another_address_is_not_taken_for_it(text: str) -> None:
    assert not ANN.is_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "+44-7700900123",
        "+447700900123",
        "0044 7700 900123",
        "00447700900123",
        "+44 (0) 7700-900.123",
        "07700 900123",
        "(07700) 900 123",
        "7700900123",
        "447700900123",
        "4407700900123",
        '{"phone1":7700900123}',
        "phone=+44-7700900123",
        "tel:%2B447700900123",
        "a lead with Phone 07700\N{NO-BREAK SPACE}900123 exists",
        "+91 98765 43210 07700 900123",
        "0091 98765 43210 7700900123",
        "12, 7700900123",
        "00 7700900123",
    ],
)
def test_a_phone_number_is_found_however_it_is_written(text: str) -> None:
    assert LONDON.is_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "77009001234",
        "+91-7700900123",
        "0091 7700900123",
        "917700900123",
        "1237700900123",
        "+7700900123",
        "7700900-x-123",
    ],
)
def test_a_number_with_another_country_code_or_more_digits_is_somebody_else_s(text: str) -> None:
    assert not LONDON.is_in(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("+44-7700900123", True),
        ("+91 7700900123", True),
        ("3537700900123", True),
        ("+7700900123", True),
        ("9997700900123", False),
        ("+21 7700900123", False),
        ("+44 123 7700900123", False),
    ],
)
def test_a_number_without_its_country_code_is_found_with_any(text: str, found: bool) -> None:
    assert SOMEWHERE.is_in(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"leadId":7185867}', True),
        ('{"leadId":"7185867"}', True),
        ("lead 7185867 is locked", True),
        ("71858670", False),
        ("17185867", False),
        ("7185867.5", False),
        ("0.7185867", False),
        ("7185867-1", False),
    ],
)
def test_an_id_is_found_whole(text: str, found: bool) -> None:
    assert LEAD.is_in(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"leadId": 33, "x": 1}', True),
        ('{"leadId":"33"}', True),
        ('{"mx_LeadByte_Id":"33"}', True),
        ('{"buyer":{"id":33}}', False),
        ('{"leadId":333}', False),
        ("limit of 33 calls", False),
    ],
)
def test_a_short_id_counts_only_under_a_name_that_says_so(text: str, found: bool) -> None:
    assert SHORT.is_in(text) == found


def test_escapes_are_taken_away_a_few_layers_deep_and_no_deeper() -> None:
    text = "ann%40example.com"
    for depth in range(6):
        assert ANN.is_in(text) == (depth < 3), depth
        text = quote(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("emailaddress=ann@example.comemailaddress", True),
        (r'"ANN\u0040example.com"', True),
        ("joann@example.combulk", False),
        ("leadid=7185867x", True),
        ("71858670", False),
        ("+44-7700900123bulk", True),
        ("+91-7700900123bulk", False),
    ],
)
def test_in_raw_pages_anything_may_follow_a_name(text: str, found: bool) -> None:
    who = person(["ann@example.com"], ["+447700900123"], ["7185867", "33"])
    assert who.is_in_raw(text) == found


def test_an_id_as_a_whole_text_is_that_id_however_short() -> None:
    assert SHORT.is_id(" 33 ")
    assert person(ids=["AB-1"]).is_id("ab-1")
    assert not SHORT.is_id("333")


def test_several_options_mean_each_of_them() -> None:
    who = person(["ann@example.com"], ["+447700900123"], ["7185867"])
    assert [who.is_in(text) for text in ("ann@example.com", "07700900123", "7185867", "none")] == [
        True,
        True,
        True,
        False,
    ]


def test_a_person_may_become_known_by_more_ids() -> None:
    known = ANN.known_by(["Queue-1234"])
    assert known.is_in('{"queueId":"queue-1234"}')
    assert known.is_in("ann@example.com")


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("+44-7700900123", Phone("7700900123", "44")),
        (" 0044 7700 900123 ", Phone("7700900123", "44")),
        ("07700 900123", Phone("7700900123")),
        ("+39 06 1234 5678", Phone("612345678", "39")),
        ("0-6 1 2-3 4 5.6", Phone("6123456")),
        ("12345", None),
        ("+44", None),
        ("+44 12345", None),
        ("+999 7700900123", None),
        ("call me", None),
        ("", None),
    ],
)
def test_a_number_is_read_however_it_is_given(written: str, found: Phone | None) -> None:
    assert phone(written) == found


@pytest.mark.parametrize(
    ("emails", "phones", "ids", "said"),
    [
        ([], [], [], ["nobody is named"]),
        (["ann"], [], [], ["--email: "]),
        (["ann @example.com"], [], [], ["--email: "]),
        ([""], ["12"], ["a b"], ["--email: ", "--lead-id: ", "--phone: "]),
        ([], [], [" "], ["--lead-id: "]),
    ],
)
def test_what_names_nobody_is_refused_without_quoting_it(
    emails: list[str], phones: list[str], ids: list[str], said: list[str]
) -> None:
    with pytest.raises(UsageError) as caught:
        person(emails, phones, ids)
    assert len(caught.value.problems) == len(said)
    assert all(line.startswith(begin) for line, begin in zip(caught.value.problems, said, strict=True))
    assert "ann" not in str(caught.value).replace("ann@example.com", "")


ESCAPES = [
    str,
    json.dumps,
    lambda text: quote(text, safe=""),
    lambda text: json.dumps({"raw": json.dumps(text)}),
]
LOCAL = st.from_regex(r"[a-z0-9][a-z0-9._+-]{0,20}[a-z0-9]", fullmatch=True)


@given(LOCAL, st.sampled_from(ESCAPES), st.text(max_size=20), st.text(max_size=20))
def test_an_address_between_blanks_is_always_found(
    local: str, escape: object, before: str, after: str
) -> None:
    who = person(emails=[f"{local}@example.com"])
    assert who.is_in(escape(f"{before} {local.upper()}@Example.com {after}"))  # type: ignore[operator]


@given(st.text(max_size=200))
def test_no_text_is_too_odd_to_be_looked_through(text: str) -> None:
    assert not Person(("nobody@nowhere.example",), (Phone("123456789012"),), ("an-id-of-nobody",)).is_in(text)
