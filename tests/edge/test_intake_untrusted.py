"""Intake of what nobody should send."""

from __future__ import annotations

import io
import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.intake import BadLine, Kind, read_tracks
from bridge.intake.documents import MOST_JSON
from bridge.model import Track


def read(data: bytes, kind: Kind = "auto") -> list[Track | BadLine]:
    return list(read_tracks(io.BytesIO(data), "in", kind))


def taken(data: bytes, kind: Kind = "auto") -> tuple[list[str], list[int]]:
    found = read(data, kind)
    return [x.queue_id for x in found if isinstance(x, Track)], [
        x.line for x in found if isinstance(x, BadLine)
    ]


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-be", "utf-16-le"])
def test_utf16_gives_no_lead(codec: str) -> None:
    good, bad = taken("queueId\na\n".encode(codec))
    assert good == []
    assert bad


def test_utf16_with_its_mark_is_refused_once() -> None:
    assert read("queueId\na\nb\n".encode("utf-16")) == [
        BadLine("in", 1, "the text is UTF-16; save it as UTF-8")
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"q\0",
        b"q\xff",
        b"q\x1b[31m",
        b'{"queueId": "\\ud800"}',
        b'{"queueId": "\\u0000"}',
        b'{"queueId": "q", "x": "\\udfff"}',
        b'{"queueId": "q", "\\ud800": 1}',
        b'{"queueId": "q", "x": NaN}',
        b'{"queueId": "q", "x": -Infinity}',
        b'{"queueId": "q", "x": 1e999}',
        b'{"queueId": "q", "x": ' + b"9" * 5000 + b"}",
        b'{"queueId": "q", "queueId": "r"}',
        b'{"queueId": "q", "x": {"a": 1, "a": 2}}',
        b'{"queueId": "q", "x": ' + b"[" * 40 + b"]" * 40 + b"}",
        b"[" * 200_000 + b"]" * 200_000,
        b'{"queueId": {"queueId": "q"}}',
        b"x" * 1_100_000,
        b'{"queueId": "q", "x": "' + b"y" * 10_000_000 + b'"}',
    ],
    ids=lambda line: line[:40].decode("latin-1") + f" {len(line)}",
)
def test_a_hostile_line_costs_only_itself(line: bytes) -> None:
    assert taken(b"first\n" + line + b'\nlast\n{"queueId": "json"}\n') == (["first", "last", "json"], [2])


def test_a_context_may_nest_a_little() -> None:
    deep = b'{"queueId": "q", "x": ' + b"[" * 20 + b"]" * 20 + b"}"
    assert taken(deep) == (["q"], [])


def test_a_line_of_exactly_the_limit_is_read() -> None:
    line = b'{"queueId": "q", "x": "'
    line += b"y" * (2**20 - len(line) - 3) + b'"}\n'
    assert taken(line) == (["q"], [])
    assert taken(b" " + line) == ([], [1])


def test_a_cut_off_line_costs_only_itself() -> None:
    assert taken(b'{"queueId": "a",\n{"queueId": "b"}\n{"queueId": "c",\n{"queueId": "d"}\n') == (
        ["b", "d"],
        [1, 3],
    )


def test_after_a_cut_off_value_each_line_stands_alone() -> None:
    document = b'[\n"b"\n]\n'
    assert taken(document + b"{\n" + b'{"queueId": "a"}\n' + document) == (["b", "a", "b"], [4, 6, 8])


def test_a_cut_off_document_is_one_bad_line() -> None:
    document = b'{\n "results": [\n  {\n   "queueId": "a"\n  },\n'
    assert taken(document) == ([], [1])
    assert taken(b"x\n" + document + b'{"queueId": "after"}\n') == (["x", "after"], [2])


def test_a_document_with_a_fault_inside_is_one_bad_line() -> None:
    assert taken(b'[\n "a",\n]\nb\n') == (["b"], [1])
    assert taken(b'[\n "a\n]\nb\n', "lines") == ([], [1])


def test_a_document_beyond_the_limit_is_one_bad_line() -> None:
    line = b'{"queueId": "' + b"x" * 100 + b'", "filler": "' + b"y" * 900_000 + b'"},\n'
    lines = itertools.chain(
        [b"[\n"], itertools.repeat(line, MOST_JSON // len(line) + 5), [b'{"queueId": "z"}\n]\n']
    )
    assert [type(found) for found in read_tracks(lines, "in")] == [BadLine]


def test_a_quote_that_is_never_closed_costs_only_its_row() -> None:
    rows = b"".join(b"q%d,ok\n" % n for n in range(300))
    good, bad = taken(b'queueId,x\na,"open\n' + rows + b'b,"x"y\nc,\xff\nd,"over\n\xff\ne,ok\n')
    assert good == [*(f"q{n}" for n in range(300)), "e"]
    assert bad == [2, 303, 304, 305, 306]


def test_a_cell_may_not_be_endless() -> None:
    assert taken(b"queueId,x\na," + b"y" * 200_000 + b"\nb,\n") == (["b"], [2])


def test_reasons_hold_nothing_of_the_line() -> None:
    lines = b'{"queueId": "q", "jane": jane@example.com}\njane@example.com, x\njane @example.com\n["jane", {"jane": 1}]\n'
    reasons = [str(found) for found in read(lines) if isinstance(found, BadLine)]
    assert len(reasons) == 4
    assert not any("jane" in reason or "\n" in reason for reason in reasons)


@pytest.mark.parametrize(
    "form", [b"queue-%d\n", b'{"queueId":"queue-%d","x":"y"}\n', b"broken %d\n", b"q%d,x\n"]
)
def test_memory_does_not_grow_with_the_source(form: bytes) -> None:
    def peak(count: int) -> int:
        lines = (form % n for n in range(count))
        source = itertools.chain([b"queueId,name\n"], lines) if b"," in form[:4] else lines
        tracemalloc.start()
        for _ in read_tracks(source, "in"):
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(20_000) < 2 * peak(200) + 50_000


@given(
    st.lists(
        st.sampled_from(
            [
                b"{",
                b"}",
                b"[",
                b"]",
                b'"',
                b"\\",
                b"\n",
                b",",
                b":",
                b"q",
                b"queueId",
                b'"queueId":"q"',
                b"\0",
                b"\xff",
                b"\r",
                b" ",
            ]
        )
    ).map(b"".join),
    st.sampled_from(["auto", "lines", "json", "csv"]),
)
def test_any_bytes_end_as_tracks_or_bad_lines(data: bytes, kind: Kind) -> None:
    for found in read(data, kind):
        if isinstance(found, BadLine):
            assert 1 <= found.line <= data.count(b"\n") + 1
        else:
            assert found.queue_id.isprintable()
