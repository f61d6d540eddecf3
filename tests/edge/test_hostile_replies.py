"""Answers that nobody should send: no traceback, no success that was none, work and memory within bounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import CallError, ServerFault
from bridge.exchange import MOST_VALUES, decode, masked, one_line, retry_after
from bridge.leadbyte.wire import classify, read_queue
from bridge.leadsquared import wire
from bridge.model import Kind, Verdict
from tests.edge.nasties import DOCUMENTS, NUMBERS, TEXTS, bounded, peak, spoiled, ten_megabytes, texts, values
from tests.fuzz.targets import BATCH, QUEUE_ID, TARGETS, told

SEEDS = Path(__file__).parents[1] / "fuzz" / "seeds"
SAMPLES = {
    side: [
        json.loads(path.read_text())
        for path in sorted((SEEDS / side).glob("*.json"))
        if path.stem != "unassigned"
    ]
    for side in ("leadbyte", "leadsquared")
}


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize("side", ["leadbyte", "leadsquared"])
@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=list(DOCUMENTS))
def test_any_document_is_read_or_refused_in_one_line(side: str, document: bytes) -> None:
    with bounded():
        TARGETS[side](document)


@pytest.mark.parametrize("name", [name for name, _ in ten_megabytes()])
def test_a_document_of_ten_megabytes_is_bounded_work(name: str) -> None:
    document = dict(ten_megabytes())[name].decode()
    with bounded():
        for read in (wire.says_no_lead, lambda text: decode(text, "LeadSquared")):
            try:
                read(document)
            except CallError as error:
                told(error)
    text = document[: 2**20]
    with bounded():
        try:
            classify(200, {}, text, 0.0)
            read_queue(text, QUEUE_ID)
        except CallError as error:
            told(error)


@pytest.mark.parametrize("value", ["{}", "[]", '"ab"', "257", "1e1", '{"a":1}', "null"])
def test_a_large_answer_takes_up_a_small_multiple_of_its_length(value: str) -> None:
    text = "[" + ",".join([value] * (8 * 2**20 // (len(value) + 1))) + "]"

    def read() -> None:
        with pytest.raises(ServerFault, match="more than"):
            decode(text, "LeadByte")

    assert peak(read) < len(text)
    short = "[" + ",".join([value] * (MOST_VALUES // (4 if "," in value or "{" in value else 2))) + "]"
    assert peak(lambda: decode(short, "LeadByte")) < 64 * 2**20


@given(st.sampled_from(SAMPLES["leadbyte"]).flatmap(spoiled))
def test_spoiled_answers_of_leadbyte(body: Any) -> None:
    TARGETS["leadbyte"](dumped(body))


@given(st.sampled_from(SAMPLES["leadsquared"]).flatmap(spoiled))
def test_spoiled_answers_of_leadsquared(body: Any) -> None:
    TARGETS["leadsquared"](dumped(body))


@given(values())
def test_any_json_is_an_answer_of_nobody(body: Any) -> None:
    for side in SAMPLES:
        TARGETS[side](dumped(body))


@given(texts(), st.sampled_from(["LeadByte", "LeadSquared"]))
def test_any_words_of_an_error_end_up_on_one_line(words: str, who: str) -> None:
    text = json.dumps(
        {"Status": "Error", "ExceptionType": words, "ExceptionMessage": words, "message": words}
    )
    judge = classify if who == "LeadByte" else wire.verdict
    with pytest.raises(CallError) as caught:
        judge(500, {"retry-after": words}, text, 0.0)
    told(caught.value)


@given(values())
def test_a_status_that_no_table_knows_decides_nothing(status: Any) -> None:
    reply = read_queue(json.dumps({"queueId": QUEUE_ID, "status": status}), QUEUE_ID)
    assert reply.verdict is Verdict.UNKNOWN or reply.status.strip().casefold() in {
        "approved",
        "error",
        "rejected",
    }


@given(st.lists(texts() | st.sampled_from([one.lookup for one in BATCH]), max_size=4))
def test_only_a_listed_lead_is_synced(listed: list[str]) -> None:
    body = {"Details": {"SuccessfulLeads": [{"IdentifierValue": value} for value in listed]}}
    outcomes = wire.read_bulk(body, BATCH).outcomes
    wanted = {value.strip().casefold() for value in listed}
    assert [one.kind is Kind.SYNCED for one in outcomes] == [one.lookup in wanted for one in BATCH]


@pytest.mark.parametrize("number", NUMBERS.values(), ids=list(NUMBERS))
def test_numbers_of_the_account_are_finite_or_not_told(number: str) -> None:
    body = json.loads(number.replace("9" * 5000, '"' + "9" * 5000 + '"'))
    field = {"SchemaName": "mx_A", "MaxLength": body}
    (found,) = wire.read_metadata([field])
    assert found.max_length is None or found.max_length > 0
    metrics = wire.read_metrics(
        {"PendingMessages": body, "MaxDelayInSeconds": body, "ProcessingRatePerMinute": 1}
    )
    assert metrics.pending is None or isinstance(metrics.pending, int)


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_somebody_elses_words_hold_nothing_unseen(text: str) -> None:
    assert one_line(text).isprintable()
    assert masked(text).isprintable()
    assert len(masked(text)) <= 200


@pytest.mark.parametrize("mark", ["\0", "\n", "\u200b", "\u2028", "\x1b", " "])
def test_what_is_not_seen_hides_no_person(mark: str) -> None:
    said = masked(f"no lead ann@{mark}example.org 07700{mark}900{mark}123")
    assert "900" not in said
    assert "<number>" in said


def test_a_person_who_is_cut_in_half_is_not_shown() -> None:
    assert "ann" not in masked("1234567890 " * 72 + "ann.lee@example.org")


@given(texts())
def test_a_wait_is_a_number_of_seconds_or_not_told(header: str) -> None:
    waits = retry_after({"retry-after": header}, 0.0)
    assert waits is None or 0 <= waits < 10**12
