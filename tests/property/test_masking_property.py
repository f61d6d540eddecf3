"""Nobody is shown by a masked report, in any of its formats, however a reason quotes them."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import TextIO
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bridge.masking import FOUND, letters, mask, quoted, replaced
from bridge.ports import Failure
from bridge.reports import Report, build, write_csv, write_html, write_json, write_text
from bridge.reports.masking import common, mask_identifier, mask_reason

WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper case": str.upper,
    "in a URL": lambda text: quote(text, safe=""),
    "in a URL, lower-case hex": lambda text: re.sub(
        "%..", lambda hex_: hex_[0].lower(), quote(text, safe="")
    ),
    "in a URL within a URL": lambda text: quote(quote(text, safe=""), safe=""),
    "HTML by numbers": lambda text: "".join(one if one.isalnum() else f"&#{ord(one)};" for one in text),
    "HTML by hex": lambda text: "".join(one if one.isalnum() else f"&#x{ord(one):x};" for one in text),
    "HTML twice": lambda text: "".join(one if one.isalnum() else f"&amp;#{ord(one)};" for one in text),
    "JSON": lambda text: "".join(one if one.isalnum() else f"\\u{ord(one):04x}" for one in text),
    "JSON twice": lambda text: "".join(one if one.isalnum() else f"\\\\u{ord(one):04x}" for one in text),
    "full width": lambda text: text.translate(WIDE),
    "full-width sign": lambda text: text.replace("@", "\uff20"),
    "small sign": lambda text: text.replace("@", "\ufe6b"),
}
AROUND = ("", " ", "'", '"', "<", "(", "mailto:", "Email=", ", ", ": ", "|", "\n")
WORDS = st.sampled_from(
    ("", "Lead with email ", "is no HTTP 500 at 2026-01-02T03:04:05Z ", "all 42 of them, % ", "a&b; ", "\\")
)
LOCALS = st.from_regex(r"[a-z][a-z0-9]{2,9}([._+-][a-z0-9]{1,9}){0,2}", fullmatch=True)
EMAILS = st.builds(
    lambda local, domain: f"{local}@{domain}", LOCALS, st.sampled_from(("example.com", "a-b.co.uk"))
)
MARKED = EMAILS.map("qxqz{}".format)
"""Addresses that nothing else on a report looks like."""
NATIONAL = st.permutations("1234567890").map("".join).filter(lambda text: text[0] != "0")


WRITERS = (write_text, write_json, write_csv, write_html)
SIGNS = {"full-width sign", "small sign"}


def digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def spelled(national: str, country: str, apart: str, cuts: list[int]) -> str:
    """A number as people write it: with or without country code and trunk zero, in groups."""
    places = sorted({cut % (len(national) - 1) + 1 for cut in cuts})
    groups = [national[start:end] for start, end in zip([0, *places], [*places, None], strict=True)]
    first = {"+": "+44 ", "+(0)": "+44 (0)", "00": "0044 ", "0": "0", "(0)": "(0", "44": "44"}[country]
    if country == "(0)":
        groups[0] += ")"
    return first.replace(" ", apart) + apart.join(groups)


PHONES = st.builds(
    spelled,
    NATIONAL,
    st.sampled_from(("+", "+(0)", "00", "0", "(0)", "44")),
    st.sampled_from((" ", "-", ".", "/", " - ", "\u00a0", "\u2011", "\u2009", "_", "")),
    st.lists(st.integers(0, 20), max_size=4),
)


@pytest.mark.parametrize("spelling", SPELLINGS)
@given(email=EMAILS, before=WORDS, after=WORDS, around=st.sampled_from(AROUND))
def test_no_address_is_left_in_any_spelling(
    spelling: str, email: str, before: str, after: str, around: str
) -> None:
    local = email.partition("@")[0]
    shown = SPELLINGS[spelling](email)
    text = f"{before}{around}{shown}{around} {after}"
    for hidden in (mask(text), replaced(text, lambda *_: "*"), FOUND.sub("", text)):
        assert letters(local)[0] not in letters(hidden)[0]
        assert SPELLINGS[spelling](local) not in hidden


@pytest.mark.parametrize("spelling", sorted(SPELLINGS.keys() - SIGNS))
@given(phone=PHONES, before=WORDS, around=st.sampled_from(AROUND))
@example(phone="+44 (0)7700 900123", before="", around="")
def test_no_phone_number_is_left_in_any_spelling(spelling: str, phone: str, before: str, around: str) -> None:
    hidden = mask(f"{before}{around}{SPELLINGS[spelling](phone)}{around} is taken")
    left, number = letters(hidden)[0], digits(phone)
    assert not [number[at : at + 5] for at in range(len(number) - 4) if number[at : at + 5] in left]


@pytest.mark.parametrize("writer", WRITERS)
@given(
    email=MARKED,
    own=MARKED | PHONES,
    phone=PHONES,
    spelling=st.sampled_from(sorted(SPELLINGS.keys() - SIGNS)),
)
def test_no_format_of_the_report_shows_anybody(
    writer: Callable[[Report, TextIO], None], email: str, own: str, phone: str, spelling: str
) -> None:
    quoted_all = ", ".join(SPELLINGS[spelling](one) for one in (email, phone, own))
    one = Failure("q-1", "main", "failed", "push", f"taken by {quoted_all}", own, 1, 0.0)
    out = io.StringIO()
    writer(build([one], {"failed": 1}, 0.0, account=()), out)
    left = letters(re.sub(r"…|\\u2026", "x", out.getvalue()))[0]
    assert "takenby" in left
    for somebody in (email, own):
        if "@" in somebody:
            assert letters(somebody.partition("@")[0])[0] not in left
    for number in map(digits, (phone, "" if "@" in own else own)):
        assert not [number[at : at + 5] for at in range(len(number) - 4) if number[at : at + 5] in left]


def odd(text: str, marks: list[str]) -> str:
    """The text with marks between its characters."""
    return (
        "".join(one + marks[at % len(marks)] for at, one in enumerate(text[:-1])) + text[-1:]
        if marks
        else text
    )


IDENTIFIERS = (
    EMAILS
    | st.from_regex(r"[A-Za-z][A-Za-z0-9 -]{3,12}[a-z0-9]", fullmatch=True)
    | st.sampled_from(("Zoë Ünal", "Жанна", "王小明"))
)
MARKS = st.lists(st.sampled_from(("", "", ".", "-", " ", "\u200b", "\u00ad", "*")), max_size=4)


@pytest.mark.parametrize("spelling", SPELLINGS)
@given(identifier=IDENTIFIERS, marks=MARKS, around=st.sampled_from(AROUND))
def test_the_lead_s_own_identifier_is_not_left_however_it_is_quoted(
    spelling: str, identifier: str, marks: list[str], around: str
) -> None:
    wanted = letters(identifier)[0]
    assume(len(wanted) > 3 or not wanted.isascii())
    shown = SPELLINGS[spelling](
        odd(identifier, marks) if spelling in ("as it is", "upper case") else identifier
    )
    for reason in (
        mask_reason(f"no: {around}{shown} !", identifier),
        common(f"no {shown} !", identifier),
    ):
        assert wanted not in letters(reason)[0]


@given(
    name=st.sampled_from(("Zoë Ünal", "Smith-Jones", "TN25 6QD", "O'Brien")),
    spelling=st.sampled_from(sorted(SPELLINGS)),
)
def test_values_that_are_known_are_hidden_as_well(name: str, spelling: str) -> None:
    reason = mask_reason(f"the lead {SPELLINGS[spelling](name)} is locked", "q-1", [name])
    assert letters(name)[0] not in letters(reason)[0]
    assert reason.startswith("the lead ")
    assert reason.endswith(" is locked")


@pytest.mark.parametrize(
    ("text", "value", "left"),
    [
        ("Ann is no Hannah", "ann", "* is no Hannah"),
        ("SMITH 1, smith-1; smith1", "Smith-1", "*, *; *"),
        ("is it", "is", "is it"),
        ("a%62c", "abc", "*"),
        ("x100%ab", "abc", "x100%ab"),
        ("&#97;&#98;c &copy;", "abc", "* &copy;"),
        ("annann ann ann", "ann", "annann * *"),
        ("", "abc", ""),
        ("of +4470, 4470", "+4470", "of *, *"),
        ("nothing", "", "nothing"),
        ("王明 来", "王明", "* 来"),
    ],
)
def test_a_value_is_found_as_a_word_of_its_own(text: str, value: str, left: str) -> None:
    assert quoted(text, value, lambda _: "*") == left


@pytest.mark.parametrize(
    "text",
    [
        "HTTP 500 after 8 attempts in 300 s",
        "at 2026-01-02T03:04:05Z and 2026-01-02 03:04:05",
        "ac1e0206-6d6fd2fa-62ce91e7-ba33-55458116",
        "12345678-1234-1234-1234-123456789012",
        "cannot reach https://10.100.200.150:8443: connection refused",
        "API calls exceeded the limit of 25 in 5 second(s)",
        "value is too long (maximum 200, has 1024)",
    ],
)
def test_times_ids_hosts_and_counts_stay(text: str) -> None:
    assert mask(text) == text


@given(st.text(max_size=300))
def test_masking_twice_changes_nothing_more_and_never_fails(text: str) -> None:
    once = mask(text)
    assert FOUND.sub("", mask_identifier(once)) == FOUND.sub("", mask_identifier(mask(once)))
    assert FOUND.sub("", mask(once)) == FOUND.sub("", once)


EVIL = (
    "&a;" * 300,
    "a" * 2000,
    '"' * 2000,
    "1 " * 2000 + "x",
    "+" * 2000,
    "%25" * 900,
    "a.@" * 900,
    "(1" * 900,
    "2026-01-0" * 300,
)


@pytest.mark.parametrize("text", EVIL, ids=range(len(EVIL)))
def test_a_text_made_to_be_slow_ends(text: str) -> None:
    assert len(mask(text)) <= len(text) * 2


def test_a_lead_known_by_an_id_keeps_it_in_its_reason() -> None:
    known = "12345678-1234-1234-1234-123456789012"
    assert mask_reason(f"no {known} here", known) == f"no {known} here"
    assert common(f"no {known} here", known) == "no … here"
