"""A text's letters, whatever they were escaped by, and where they stand."""

from __future__ import annotations

import pytest

from bridge.masking import letters


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Ann-7", "ann7"),
        ("%41nn", "ann"),
        ("%2541nn", "ann"),
        ("&#65;nn", "ann"),
        ("&amp;#65;nn", "ann"),
        ("\\u0041nn", "ann"),
        ("\\\\u0041nn", "ann"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER A}nn", "ann"),
        ("weiß", "weiss"),
    ],
)
def test_letters_are_found_through_what_escapes_them(text: str, found: str) -> None:
    told, spans = letters(text)
    assert told == found
    assert len(spans) == len(found)
    assert all(0 <= begin < end <= len(text) for begin, end in spans)


def test_an_escaped_letter_stands_where_its_escape_does() -> None:
    assert letters("x%41y") == ("xay", ((0, 1), (1, 4), (4, 5)))
