"""Every operation that LeadByte's pages show: their request is what is sent, and their reply is understood."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import structlog
from aiohttp import web

from bridge.errors import Refused
from bridge.http import open_client
from bridge.leadbyte import LeadByteSink
from bridge.model import Delivery, Kind, Outcome
from bridge.operation import (
    Financials,
    LeadUpdate,
    Operation,
    QuarantineProcess,
    QuarantineUpdate,
    carried,
)
from bridge.telemetry import Redactor
from tests import leadbyte_pages as pages

ZIP = {"postcode": "TN25 6QD"}
LEADS = [
    LeadUpdate(pages.LEAD, ZIP, "reprocess"),
    LeadUpdate("2932683", {"firstname": "Joe", "lastname": "Blogs"}, "reprocess"),
    LeadUpdate(
        "2932684", {"postcode": "7010", "source": "www.LeadByte.com", "c1": "GoogleAdWords"}, "reprocess"
    ),
]
RELEASED = f"Quarantine ID '{pages.LEAD}' queued for processing"
REJECTED = f"Quarantine ID '{pages.LEAD}' queued for rejection"
NAME = "quaratineReleaseResults"


def of_three_leads(reply: str) -> str:
    """The page's reply, with its record for each of three leads."""
    body = json.loads(reply)
    body["leads"] = [body["leads"][0] | {"id": lead.lead_id} for lead in LEADS]
    return json.dumps(body)


@dataclass(frozen=True, slots=True)
class Page:
    """What a page shows of one operation. `note`: what of its reply is kept."""

    operations: Sequence[Operation]
    call: str
    request: str
    reply: str
    note: str = ""
    key: str = pages.KEY


def update(operation: Operation, request: str, reply: str, note: str = "") -> Page:
    return Page([operation], "PUT /restapi/v1.3/leads", request, reply, note)


def process(action: Any, request: str, reply: str, note: str) -> Page:
    operation = QuarantineProcess(pages.HELD, action)
    return Page([operation], "POST /restapi/v1.3/quarantine/process", request, reply, note)


def released(action: Any, request: str, reply: str, note: str) -> Page:
    return update(QuarantineUpdate(pages.LEAD, ZIP, action), request, reply, note)


MONEY = Financials((pages.LEAD,), Decimal("80.00"), Decimal("120.00"), "33")
PAGES = {
    "lead update": update(LeadUpdate(pages.LEAD, ZIP), pages.LEAD_UPDATE, pages.LEAD_UPDATED),
    "update and trigger a delivery": update(
        LeadUpdate(pages.LEAD, ZIP, trigger=("1053",)), pages.LEAD_TRIGGER, pages.LEAD_UPDATED
    ),
    "update and trigger several": update(
        LeadUpdate(pages.LEAD, ZIP, trigger=("1053", "1054")), pages.LEAD_TRIGGERS, pages.LEAD_UPDATED
    ),
    "update and reprocess many": Page(
        LEADS, "PUT /restapi/v1.3/leads", pages.LEADS_REPROCESS, of_three_leads(pages.LEAD_UPDATED)
    ),
    "quarantine update": update(
        QuarantineUpdate(pages.LEAD, ZIP), pages.QUARANTINE_UPDATE, pages.QUARANTINE_UPDATED
    ),
    "release": process(
        "process", pages.QUARANTINE_RELEASE, pages.QUEUED_RELEASE, "Queued for processing"
    ),
    "reject": process("reject", pages.QUARANTINE_REJECT, pages.QUEUED_REJECT, "Queued for rejection"),
    "update and release": released(
        "process", pages.QUARANTINE_UPDATE_RELEASE, pages.QUARANTINE_UPDATED_RELEASED, RELEASED
    ),
    "update and reject": released(
        "reject", pages.QUARANTINE_UPDATE_REJECT, pages.QUARANTINE_UPDATED_REJECTED, REJECTED
    ),
    "update and release, spelled right": released(
        "process",
        pages.QUARANTINE_UPDATE_RELEASE,
        pages.QUARANTINE_UPDATED_RELEASED.replace(NAME, "quarantineReleaseResults"),
        RELEASED,
    ),
    "update and reject, spelled right": released(
        "reject",
        pages.QUARANTINE_UPDATE_REJECT,
        pages.QUARANTINE_UPDATED_REJECTED.replace(NAME, "quarantineReleaseResults"),
        REJECTED,
    ),
    "financials": Page(
        [MONEY],
        "PUT /restapi/v1.3/leadfinancials",
        pages.FINANCIALS,
        pages.FINANCIALS_UPDATED,
        key=pages.MONEY_KEY,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that came. `key`: its header X_KEY."""

    call: str
    key: str | None
    body: str


def delivery(number: int, operation: Operation) -> Delivery:
    mapped = carried(operation)
    return Delivery(number, number, "q", "m", mapped.identity, mapped.lane, mapped.keys, mapped.fields, {}, 0)


def pushed(page: Page) -> tuple[list[Seen], Sequence[Outcome]]:
    """The requests that came of one push, and its outcomes; the page's reply is the answer."""
    seen: list[Seen] = []

    async def handle(request: web.BaseRequest) -> web.Response:
        headers = request.headers
        seen.append(Seen(f"{request.method} {request.path_qs}", headers.get("X_KEY"), await request.text()))
        assert headers["Content-Type"] == "application/json"
        return web.Response(text=page.reply, content_type="application/json")

    async def main() -> Sequence[Outcome]:
        runner = web.ServerRunner(web.Server(handle, access_log=None))
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            batch = [delivery(number, one) for number, one in enumerate(page.operations, 1)]
            async with open_client(timeout=10.0) as client:
                sink = LeadByteSink(client, url=url, key=page.key, redact=Redactor([page.key]))
                return await sink.push(batch[0].lane, batch)
        finally:
            await runner.cleanup()

    return seen, asyncio.run(main())


@pytest.mark.parametrize("page", PAGES.values(), ids=list(PAGES))
def test_an_operation_is_sent_and_answered_as_its_page_shows(page: Page) -> None:
    (seen,), outcomes = pushed(page)
    assert seen.call == page.call
    assert seen.key == (None if page.key == pages.MONEY_KEY else pages.KEY)
    # Numbers as their digits: 80.0 is not 80.00 here.
    assert json.loads(seen.body, parse_float=str) == json.loads(page.request, parse_float=str)
    assert seen.body.encode() == pages.compact(page.request)
    assert outcomes == [Outcome(Kind.SYNCED, note=page.note)] * len(page.operations)


@pytest.mark.parametrize(
    ("payout", "revenue", "written"),
    [
        ("80", None, '"newPayout":80.00}'),
        (None, "0.1", '"newRevenue":0.10}'),
        ("0.29", "999999999999.99", '"newPayout":0.29,"newRevenue":999999999999.99}'),
    ],
)
def test_money_arrives_to_the_penny_and_what_is_not_set_is_left_out(
    payout: str | None, revenue: str | None, written: str
) -> None:
    amounts = [None if text is None else Decimal(text) for text in (payout, revenue)]
    page = PAGES["financials"]
    (seen,), _ = pushed(
        Page([Financials((pages.LEAD,), *amounts)], page.call, "", page.reply, key=pages.MONEY_KEY)
    )
    assert seen.body == f'{{"key":"{pages.MONEY_KEY}","leads":[{pages.LEAD}],{written}'


def answered(body: Any, *operations: Operation) -> Sequence[Outcome]:
    """The outcomes where LeadByte answers so."""
    return pushed(Page(operations, "", "", json.dumps(body)))[1]


LEAD = LeadUpdate(pages.LEAD, ZIP)


def updated(**more: Any) -> Any:
    """The page's reply to an update, its record with other members."""
    body = json.loads(pages.LEAD_UPDATED)
    body["leads"][0] |= more
    return body


SECRET = "correct-horse-battery"


def spelled(body: Any) -> str:
    """JSON in which each character of the key is escaped."""
    return json.dumps(body).replace(SECRET, "".join(f"\\u{ord(one):04x}" for one in SECRET))


def cut_off(body: Any) -> str:
    """JSON in which the key stands where a reason or note ends, so that only a part of it would be seen."""
    return json.dumps(body).replace(SECRET, f"{'x' * 185} {SECRET}")


@pytest.mark.parametrize("written", [json.dumps, spelled, cut_off])
def test_the_key_in_an_answer_is_in_no_text(written: Callable[[Any], str]) -> None:
    told = [updated(warnings=[SECRET]), updated(success=False, message=SECRET)]
    outcomes = [pushed(Page([LEAD], "", "", written(body), key=SECRET))[1] for body in told]
    ((synced,), (rejected,)) = outcomes
    assert [synced.note[-3:], rejected.reason[-3:]] == ["***", "***"]
    with pytest.raises(Refused, match=r"\*\*\*$"):
        pushed(Page(LEADS, "", "", written({"status": "Error", "message": SECRET}), key=SECRET))


def test_a_note_is_one_short_line() -> None:
    (outcome,) = answered(updated(warnings=["postcode:\nunusual", "x" * 300]), LEAD)
    assert outcome.note.startswith("postcode: unusual; xxx")
    assert len(outcome.note) == 200


def test_a_warning_beside_a_refusal_stands_in_its_reason() -> None:
    failed = updated(success=False, message="No", warnings=["odd postcode"])
    assert answered(failed, LEAD) == [Outcome(Kind.REJECTED, "No; odd postcode")]


@pytest.mark.parametrize("operation", [LEAD, QuarantineProcess(pages.HELD, "reject"), MONEY])
def test_a_warning_beside_a_refused_call_stands_in_the_reason_of_its_lead(operation: Operation) -> None:
    body = {"status": "Error", "message": "Not now", "warnings": ["odd"]}
    assert answered(body, operation) == [Outcome(Kind.REJECTED, "Not now; odd")]


def test_an_answer_that_disagrees_with_the_batch_is_logged_without_ids() -> None:
    records = [{"id": lead, "success": True} for lead in (LEADS[0].lead_id, "8")]
    with structlog.testing.capture_logs() as logs:
        outcomes = answered({"status": "Success", "leads": records}, *LEADS[:2])
    assert [one.kind for one in outcomes] == [Kind.SYNCED, Kind.UNLISTED]
    ((level, detail),) = [(line["log_level"], line["detail"]) for line in logs]
    assert (level, detail) == ("warning", "1 named of other leads; 1 named not at all")
