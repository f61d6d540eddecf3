"""What both APIs share: decoding, words for people, Retry-After, bases."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import ServerFault
from bridge.exchange import (
    MAX_DEPTH,
    Reply,
    Request,
    decode,
    folded,
    lenient,
    masked,
    one_line,
    retry_after,
    rooted,
    text_of,
)

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<html><body>Bad gateway</body></html>", "HTML instead of JSON"),
        ("  \n<!DOCTYPE html>", "HTML instead of JSON"),
        ("", "an empty reply"),
        (" \r\n ", "an empty reply"),
        ('{"status":"Succ', "broken JSON"),
        ('{"a":1}{"b":2}', "broken JSON"),
        ('{"a":NaN}', "broken JSON"),
        ('{"a":-Infinity}', "broken JSON"),
        ('{"a":1e999}', "broken JSON"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested too deeply"),
        ('{"a":' * 300 + "1" + "}" * 300, "nested too deeply"),
        ('{"a":' + "9" * 5000 + "}", "broken JSON"),
    ],
)
def test_what_is_no_json_is_said_in_words(text: str, words: str) -> None:
    with pytest.raises(ServerFault) as caught:
        decode(text, "LeadByte", 502)
    assert str(caught.value).startswith("LeadByte answered HTTP 502 with ")
    assert words in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert lenient(text) is None


NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(NUMBERS | st.text()) | st.dictionaries(st.text(), NUMBERS))
def test_whatever_reads_it_a_number_is_what_it_was(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert repr(decode(text, "x")) == repr(value)


@pytest.mark.parametrize(
    "digits", ["9" * 18, "9" * 19, "9" * 20, "18446744073709551616", "-9223372036854775809", "9" * 40]
)
def test_an_id_of_many_digits_is_no_float(digits: str) -> None:
    assert decode(f'{{"leadId": {digits}}}', "x") == {"leadId": int(digits)}


def test_decoding_is_tolerant_where_nothing_is_lost() -> None:
    assert decode('{"a":1,"a":2}', "x") == {"a": 2}
    assert decode('{"a":1.5}', "x") == {"a": 1.5}
    nested = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert json.dumps(decode(nested, "x")) == nested
    many = json.dumps([[1]] * 500)
    assert decode(many, "x") == [[1]] * 500


def test_half_a_surrogate_pair_cannot_get_into_the_store() -> None:
    value = decode('{"a":"\\ud83d!","b":"\\uD83D\\uDE00","c\\udc00":[]}', "x")
    assert value == {"a": "?!", "b": "😀", "c?": []}
    json.dumps(value, ensure_ascii=False).encode()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_decode_gives_back_what_was_encoded(value: object) -> None:
    assert decode(json.dumps(value, ensure_ascii=False), "x") == value


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("5", 5.0),
        (" 2.5 ", 2.5),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:13:00 GMT", 0.0),
        ("soon", None),
        ("-3", None),
        ("nan", None),
        ("", None),
        ("Tue, 99 Nov 2023 22:13:00 GMT", None),
    ],
)
def test_retry_after_in_both_spellings(header: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": header}, NOW) == seconds


def test_retry_after_may_be_missing() -> None:
    assert retry_after({}, NOW) is None


def test_words_of_others_stay_on_one_line_and_show_nobody() -> None:
    assert one_line("a\r\nb\x1b[31m\u2028c  d") == "a b [31m c d"
    assert one_line("x" * 300) == "x" * 199 + "…"
    assert masked("no lead ann.lee@example.org with +44 7700 900-123 (25 in 5 s)") == (
        "no lead <email> with <number> (25 in 5 s)"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("7", "7"),
        (7, "7"),
        (7.0, "7"),
        (7.5, "7.5"),
        (" x ", "x"),
        ("", None),
        (None, None),
        (True, None),
        ([], None),
        (0, "0"),
    ],
)
def test_an_id_is_text_however_it_came(value: object, text: str | None) -> None:
    assert text_of(value) == text


def test_names_fold_and_other_shapes_are_empty() -> None:
    assert folded({"RequestID": 1}) == {"requestid": 1}
    assert folded([1]) == {}


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://a.example", "https://a.example/v2"),
        ("https://a.example/", "https://a.example/v2"),
        ("https://a.example:8443/proxy/v2/", "https://a.example:8443/proxy/v2"),
    ],
)
def test_a_path_is_added_only_where_there_is_none(url: str, base: str) -> None:
    assert rooted(url, "/v2") == base


def test_requests_and_replies_never_show_what_they_carry() -> None:
    request = Request("GET", "https://h/secret", {"key": "secret"}, {"X_KEY": "secret"}, b"secret")
    assert "secret" not in repr(request)
    assert "secret" not in repr(Reply(200, {"a": "secret"}, b"secret"))


def test_a_reply_knows_its_media_type_and_text() -> None:
    reply = Reply(200, {"content-type": "Application/JSON; charset=utf-8"}, b"\xef\xbb\xbfM\xc3\xbcller\xff")
    assert reply.content_type == "application/json"
    assert reply.text == "Müller\ufffd"
    assert Reply(200, {}, b"").content_type == ""
