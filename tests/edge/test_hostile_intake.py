"""Sources that nobody should send: every good piece goes in, every bad one is told with its line, within bounds."""

from __future__ import annotations

import io
import json
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.intake import BadLine, Kind, read_tracks
from bridge.model import Track
from tests.edge.nasties import DOCUMENTS, TABLES, TEXTS, bounded, peak, spoiled, ten_megabytes, texts, values
from tests.fuzz.targets import KINDS, TARGETS, writable

SUBMITTED = {
    "status": "Success",
    "results": [{"queueId": f"q{n}", "status": "Queued", "code": 1, "name": "Ann"} for n in range(3)],
}


def read(data: bytes, kind: Kind = "auto") -> tuple[list[str], list[int]]:
    found = list(read_tracks(io.BytesIO(data), "in", kind))
    good = [each for each in found if isinstance(each, Track)]
    for track in good:
        writable(dict(track.context))
    return [each.queue_id for each in good], [each.line for each in found if isinstance(each, BadLine)]


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
@pytest.mark.parametrize("document", [*DOCUMENTS.values(), *TABLES.values()], ids=[*DOCUMENTS, *TABLES])
def test_any_bytes_are_read_or_told(document: bytes, kind: int) -> None:
    with bounded():
        TARGETS["intake"](bytes([kind]) + document)


@pytest.mark.parametrize("name", [name for name, _ in ten_megabytes()])
def test_ten_megabytes_are_bounded_work_and_the_next_line_goes_in(name: str) -> None:
    with bounded():
        good, bad = read(dict(ten_megabytes())[name] + b"\nlast\n")
    assert good == ["last"]
    assert bad == ([] if name == "blanks" else [1]) or name == "blanks"


def test_escaped_quotes_outside_a_string_cost_no_more_than_their_length() -> None:
    with bounded():
        assert read(b"{" + b'\\"' * 500_000 + b"\nlast\n") == (["last"], [1])


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_a_nasty_text_is_kept_as_context_or_told(name: str) -> None:
    lines = ["first", json.dumps({"queueId": "q", "x": TEXTS[name], TEXTS[name]: 1}), "last"]
    good, bad = read("\n".join(lines).encode())
    assert (good, bad) in [(["first", "q", "last"], []), (["first", "last"], [2])]
    assert (bad == []) == (name not in {"half pair", "undecodable byte"})


@given(st.lists(texts().filter(lambda text: not any(mark in text for mark in '\n{["')), max_size=6))
def test_a_bad_line_among_good_ones_costs_only_itself(nasty: list[str]) -> None:
    lines = [
        b"good0",
        *chain.from_iterable((text.encode("utf-8", "surrogatepass"), b"good") for text in nasty),
    ]
    good, bad = read(b"\n".join(lines), "lines")
    assert good.count("good") == len(nasty)
    told = [number for number in range(2, len(lines) + 1, 2) if number in bad]
    blank = [text for text in nasty if not text.strip()]
    assert len(told) + len(good) - len(nasty) - 1 + len(blank) == len(nasty)


@given(spoiled(SUBMITTED))
def test_spoiled_submit_replies(body: object) -> None:
    good, bad = read(json.dumps(body, indent=1).encode() + b"\nlast\n", "lines")
    assert good[-1:] == ["last"] or bad


@given(st.lists(values(), max_size=4))
def test_any_json_lines(lines: list[object]) -> None:
    data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    good, bad = read(data, "json")
    assert len(good) + len(bad) >= len(lines)


def test_json_that_nests_deep_beside_the_id_is_told_and_not_walked() -> None:
    for depth in (70, 500, 900, 980):
        for name in ("status", "x", "queueRef"):
            line = f'{{"results": [{{"queueId": "q", "{name}": {"[" * depth}{"]" * depth}}}]}}\nlast\n'
            assert read(line.encode()) == (["last"], [1])


def test_a_status_in_a_submit_reply_is_an_error_only_by_its_word() -> None:
    said = [{"queueId": f"q{n}", "status": status} for n, status in enumerate(["Error ", ["error"], None, 0])]
    assert read(json.dumps({"results": said}).encode()) == (["q1", "q2", "q3"], [1])


def test_a_value_of_millions_of_objects_is_told() -> None:
    lines = chain([b"[\n"], repeat(b"1," * 400_000 + b"\n", 6), [b"{}]\n", b'{"queueId": "z"}\n'])
    found: list[object] = []
    assert peak(lambda: found.extend(read_tracks(lines, "in"))) < 64 * 2**20
    assert [str(each) for each in found if isinstance(each, BadLine)] == [
        "in:1: the JSON holds more than 2000000 values; send several"
    ]


def test_a_row_that_spans_many_long_lines_takes_up_no_more_than_a_line() -> None:
    middle = b'",' + b"ab," * 300_000 + b'"\n'
    lines = chain([b"queueId,x\n", b'q1,"\n'], repeat(middle, 50), [b'"\n', b"q2,b\n"])
    found: list[object] = []
    assert peak(lambda: found.extend(read_tracks(lines, "in", "csv"))) < 100 * 2**20
    assert [each.queue_id for each in found if isinstance(each, Track)] == ["q2"]
