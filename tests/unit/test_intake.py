"""QueueIds from every form they come in."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import UsageError
from bridge.intake import BadLine, Kind, read_arguments, read_tracks, track_of
from bridge.model import Track


def read(text: str | bytes, kind: Kind = "auto") -> list[Track | BadLine]:
    data = text.encode() if isinstance(text, str) else text
    return list(read_tracks(io.BytesIO(data), "in", kind))


def ids(text: str | bytes, kind: Kind = "auto") -> list[str]:
    return [found.queue_id for found in read(text, kind) if isinstance(found, Track)]


def bad(text: str | bytes, kind: Kind = "auto") -> list[int]:
    return [found.line for found in read(text, kind) if isinstance(found, BadLine)]


def test_plain_lines() -> None:
    assert read("\n a-1 \r\n\nb-2") == [Track("a-1"), Track("b-2")]


def test_json_lines_keep_what_stands_beside_the_id_as_context() -> None:
    text = '{"queueId": "a", "campaign": "x", "n": [1, {"b": null}]}\n{"queueRef": 12}\n"c"\n34\n'
    assert read(text) == [
        Track("a", {"campaign": "x", "n": [1, {"b": None}]}),
        Track("12"),
        Track("c"),
        Track("34"),
    ]


def test_queue_id_counts_before_queue_ref_which_stays_if_it_differs() -> None:
    assert read('{"queueRef": "r", "queueId": "a"}') == [Track("a", {"queueRef": "r"})]
    assert read('{"queueRef": "a", "queueId": "a"}\n{"queueId": null, "queueRef": "b"}') == [
        Track("a"),
        Track("b"),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_columns_beside_the_id_become_context(delimiter: str) -> None:
    text = '\ufeff"name",QUEUEID ,note\r\n"Ann, A;\t""x""", a ,\r\n\r\nBo,b,"two\r\nlines"\r\n'.replace(
        ",", delimiter
    )
    name = 'Ann, A;\t"x"'.replace(",", delimiter)
    assert read(text) == [
        Track("a", {"name": name, "note": ""}),
        Track("b", {"name": "Bo", "note": "two\r\nlines"}),
    ]


def test_csv_rows_may_be_short_but_not_long() -> None:
    text = "queueId,x,\na\nb,1,2\nc,1,,3\nd,1,,\n"
    assert read(text) == [
        Track("a"),
        Track("b", {"x": "1"}),
        BadLine("in", 4, "the row has more columns than the 3 of the header"),
        Track("d", {"x": "1"}),
    ]


def test_csv_may_name_its_column_queue_ref() -> None:
    assert read("queueRef\na\n") == [Track("a")]


QUEUED = {
    "status": "Success",
    "code": 1,
    "message": "",
    "results": [{"queueId": "q1", "status": "Queued", "code": 1}],
}
LIVE = {
    "status": "Success",
    "records": [
        {"queueId": "q2", "status": "Approved", "processed": "2022-11-17T16:03:04Z", "response": {"code": 1}},
        {"queueRef": 3, "ref": "mine"},
    ],
}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("kind", ["auto", "json"])
def test_submit_replies(indent: int | None, kind: Kind) -> None:
    text = "\n".join(json.dumps(reply, indent=indent) for reply in (QUEUED, LIVE))
    assert read(text, kind) == [Track("q1"), Track("q2"), Track("3", {"ref": "mine"})]
    assert ids(json.dumps([QUEUED, LIVE, "q4"], indent=indent), kind) == ["q1", "q2", "3", "q4"]


@pytest.mark.parametrize(
    ("reply", "reasons"),
    [
        (
            {"status": "Error", "message": "a@b.c", "errors": ["x"]},
            ["LeadByte's reply has status Error: it queued no lead"],
        ),
        ({"status": "Success", "results": []}, ["LeadByte's reply lists no lead"]),
        (
            {
                "status": "Success",
                "results": [{"status": "error", "queueId": "q"}, {"status": "Queued"}, 1.5],
            },
            [
                "lead 1: LeadByte's reply has status Error for this lead",
                "lead 2: there is no queueId in it",
                "lead 3: the queueId is neither text nor a whole number",
            ],
        ),
        ({"id": "x"}, ["there is no queueId in it"]),
        ([["q"], {"x": 1}], ["entry 1: is a list within a list", "entry 2: there is no queueId in it"]),
        ([], ["the list is empty"]),
        (True, ["the queueId is neither text nor a whole number"]),
    ],
)
def test_what_names_no_lead_is_bad_with_its_reason(reply: object, reasons: list[str]) -> None:
    found = read(json.dumps(reply), "json")
    assert found == [BadLine("in", 1, reason) for reason in reasons]


def test_good_lines_are_taken_and_bad_ones_carry_their_number() -> None:
    text = 'a\n{"queueId": \n{"queueId": "b"}\nx y\n{"queueId":"c"} {"queueId":"d"}\n"e\n}\n"f"\n'
    assert (ids(text), bad(text)) == (["a", "b", "f"], [2, 4, 5, 6, 7])


def test_a_bad_line_reads_as_one_line() -> None:
    assert str(BadLine("leads.csv", 3, "no")) == "leads.csv:3: no"


def test_a_csv_without_its_column_is_refused() -> None:
    assert bad("id,email\nq,a@b.c\n", "csv") == [1]
    assert bad("\n\nqueueId,x,x\na,1,2\n") == [3]


NO_COLUMN = "no column queueId in the first line; name the column that holds the queueIds so"


@pytest.mark.parametrize(
    "header", ["id,email", "a;b", '"id","email"', "x\ty", "lead_id", "Id", '"Lead ID"', "queue ids", "UUID"]
)
def test_a_table_without_its_column_is_one_bad_line(header: str) -> None:
    assert read(f"\n{header}\nq1,a@b.c\nq2\n") == [BadLine("in", 2, NO_COLUMN)]


@pytest.mark.parametrize("name", ["queueId", "QueueRef", "queue_id", "Queue Ref", " QUEUE ID ", "queue_ref"])
def test_spellings_of_the_column_and_the_key(name: str) -> None:
    assert read(f"{name}\na\n") == [Track("a")]
    assert read(f"x,{name}\n1,a\n") == [Track("a", {"x": "1"})]
    assert read(json.dumps({name: "a", "x": 1})) == [Track("a", {"x": 1})]
    assert read(json.dumps({"results": [{name: "a", "status": "Queued"}]})) == [Track("a")]


def test_leadbytes_own_spelling_counts_first() -> None:
    assert read('{"queue_id": "b", "queueId": "a"}') == [Track("a", {"queue_id": "b"})]
    assert read('{"queue ref": "b", "queue_id": "a"}') == [Track("a", {"queue ref": "b"})]


@pytest.mark.parametrize("first", ["id1", "lead-7", "7", "leads", "ids-2"])
def test_what_is_no_heading_is_an_id(first: str) -> None:
    assert ids(f"{first}\nb\n") == [first, "b"]


def test_only_json_is_json() -> None:
    assert bad("plain\n", "json") == [1]
    assert ids("queueId,x\na,b\n", "json") == []


def test_lines_may_come_as_an_iterable() -> None:
    assert list(read_tracks([b"a\n", b"\n", b"b\n"], "in")) == [Track("a"), Track("b")]
    assert list(read_tracks([], "in")) == []


def test_arguments() -> None:
    assert list(read_arguments(["a,b", "", "{x}", "c\ud800"])) == [
        Track("a,b"),
        BadLine("argument", 2, "the queueId must have 1 to 200 characters"),
        Track("{x}"),
        BadLine("argument", 4, "the queueId holds a space or a character that cannot be seen"),
    ]


@pytest.mark.parametrize("queue_id", ["x" * 200, "ac1e0206-6d6fd2fa-62ce91e7-ba33-5cc458e6", "é/?#%", 7])
def test_valid_ids(queue_id: object) -> None:
    assert track_of(queue_id) == Track(str(queue_id))


@pytest.mark.parametrize(
    "queue_id",
    [
        "",
        "x" * 201,
        "a b",
        "a\tb",
        "a\nb",
        "\x00",
        "\x7f",
        "\u200b",
        "\ufeff",
        "\xa0",
        "\ud800",
        None,
        1.0,
        True,
        ["a"],
    ],
)
def test_invalid_ids(queue_id: object) -> None:
    with pytest.raises(UsageError, match="queueId"):
        track_of(queue_id)


NAMES = st.text(min_size=1).filter(lambda name: name not in {"queueId", "queueRef"})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
IDS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=30).filter(
    str.isprintable
)


@given(
    st.lists(st.tuples(IDS, st.dictionaries(NAMES, VALUES, max_size=3)), min_size=1),
    st.sampled_from([None, 1]),
)
def test_json_comes_back_as_it_was(leads: list[tuple[str, dict[str, object]]], indent: int | None) -> None:
    text = "\n".join(
        json.dumps({"queueId": queue_id, **context}, indent=indent) for queue_id, context in leads
    )
    assert read(text, "json") == [Track(queue_id, context) for queue_id, context in leads]
