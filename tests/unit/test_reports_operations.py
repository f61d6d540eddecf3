"""Operations in LeadByte on the failure report: how they are numbered and settled."""

from __future__ import annotations

import csv
import io
import json

import pytest
from rich.cells import cell_len

from bridge.cli.status import async_words, epoch
from bridge.model import LEADBYTE, LEADSQUARED
from bridge.ports import Failure
from bridge.reports import build, operation_words, write_csv, write_html, write_json, write_text

LOST = "the answer was lost: LeadByte failed with HTTP 502"
PROSPECT = "8d2dd6f0-3c1c-4a3d-9a9e-1c6a7a5c4d21"


def failure(delivery: int | None, reason: str = LOST, mapping: str = "sold-back", **more: str) -> Failure:
    told = {"state": "in_doubt", "stage": "push", "identifier": "9000001", **more}
    return Failure(
        PROSPECT,
        mapping,
        told["state"],
        told["stage"],
        reason,
        told["identifier"],
        1,
        None,
        delivery_id=delivery,
        target=told.get("target", LEADBYTE),
    )


def written(writer: object, *failures: Failure) -> str:
    out = io.StringIO()
    writer(build(failures, {}, 0.0, account=()), out)  # type: ignore[operator]
    return out.getvalue()


@pytest.mark.parametrize(
    ("told", "command"),
    [
        (failure(17), "bridge resolve 17 --as done|not-done"),
        (failure(17, "the process died", "by hand"), "bridge resolve 17 --as done|not-done"),
        (failure(17, target=LEADSQUARED), f"bridge resolve {PROSPECT} --as done|not-done"),
        (failure(17, state="failed"), f"bridge resync --queue-id {PROSPECT}"),
    ],
)
def test_a_doubt_in_leadbyte_is_settled_by_its_number(told: Failure, command: str) -> None:
    (lead,) = json.loads(written(write_json, told))["leads"]
    assert (lead["delivery"], lead["resync"]) == (17, command)


def test_doubts_of_both_sides_are_groups_apart() -> None:
    died = "the process died before an answer was recorded"
    groups = json.loads(written(write_json, failure(17, died), failure(18, died, target=LEADSQUARED)))[
        "groups"
    ]
    assert {group["resync"]: "never sent twice" in group["hint"] for group in groups} == {
        "bridge resolve DELIVERY --as done|not-done": True,
        "bridge resolve QUEUE_ID --as done|not-done": False,
    }


def test_every_format_shows_the_number_of_a_delivery_in_doubt() -> None:
    lines = written(write_text, failure(1234567, mapping="a-mapping-with-a-long-name")).splitlines()
    (row,) = [line for line in lines if PROSPECT in line]
    assert row.endswith("1234567")
    assert cell_len(row) <= 100
    (cells,) = csv.DictReader(io.StringIO(written(write_csv, failure(1234567))))
    assert cells["delivery"] == "1234567"
    page = written(write_html, failure(1234567))
    assert '<th scope="col" class="number">Delivery</th>' in page
    assert '<td class="number">1234567</td>' in page


def test_what_is_not_in_doubt_has_no_column_of_numbers() -> None:
    failed = failure(17, "no", state="failed")
    assert "NO." not in written(write_text, failed)
    assert "Delivery</th>" not in written(write_html, failed)


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("lead", {"lead_id": "7", "update.c1": "", "action": "reprocess"}, "update, reprocess"),
        ("lead", {"lead_id": "7", "update.c1": "x", "trigger_deliveries": "5,6"}, "update, trigger 5,6"),
        ("process", {"quarantine_id": "7", "action": "release"}, "release"),
        ("financials", {"lead_id": "7", "financials.payout": "1.00"}, "financials"),
        ("", {}, "-"),
    ],
)
def test_an_operation_in_words(kind: str, fields: dict[str, str], words: str) -> None:
    assert operation_words(kind, fields) == words


def test_the_async_queue_in_words() -> None:
    assert async_words({"pending": 12, "delay_seconds": 3.5}) == "12 pending, delay 3.5 s, rate - a minute"
    assert epoch("2026-01-02T03:04:05Z") == epoch("2026-01-02T03:04:05") == epoch(1_767_323_045)
