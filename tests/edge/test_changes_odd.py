"""Odd answers to RecentlyModified and to lookups over real HTTP: a right reading, or one line of error."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from aiohttp import web

from bridge.errors import Denied, Refused, ServerFault, Throttled
from bridge.http import open_client
from bridge.leadsquared import LeadSquaredSink, LeadSquaredSource
from bridge.ports import ChangePage
from bridge.telemetry import Redactor

ACCESS, SECRET = "u$r1/x", "s$cr+t"
NOW = 1_700_000_000.0
DATE = "Tue, 14 Nov 2023 22:13:50 GMT"
THROTTLED = "API calls exceeded the limit of 25 in 5 second(s)"


def answered(
    body: bytes | str, use: Callable[[dict[str, Any]], Coroutine[Any, Any, Any]], status: int, **headers: str
) -> Any:
    """What `use(settings)` gives where every request is answered so."""
    data = body if isinstance(body, bytes) else body.encode()

    async def handle(_request: web.BaseRequest) -> web.Response:
        return web.Response(body=data, status=status, headers=headers)

    async def main() -> Any:
        runner = web.ServerRunner(web.Server(handle, access_log=None))
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            async with open_client(timeout=10.0) as client:
                keys = {"access_key": ACCESS, "secret_key": SECRET, "redact": Redactor([ACCESS, SECRET])}
                url = f"http://127.0.0.1:{runner.addresses[0][1]}"
                return await use({"client": client, "url": url, "clock": lambda: NOW, **keys})
        finally:
            await runner.cleanup()

    return asyncio.run(main())


def changes(body: Any, status: int = 200, **headers: str) -> ChangePage:
    text = body if isinstance(body, bytes | str) else json.dumps(body)

    async def use(settings: dict[str, Any]) -> ChangePage:
        return await LeadSquaredSource(**settings).changes(NOW, ["Notes", "Status"], 1)

    page: ChangePage = answered(text, use, status, **headers)
    return page


def lead(value: str, body: Any, status: int = 200) -> Any:
    async def use(settings: dict[str, Any]) -> Any:
        return await LeadSquaredSink(**settings).lead(value)

    return answered(json.dumps(body), use, status)


def listing(*leads: Any) -> dict[str, Any]:
    return {"RecordCount": len(leads), "Leads": list(leads)}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "an empty reply"),
        (b"<html><h1>Maintenance</h1></html>", "HTML instead of JSON"),
        (b'{"RecordCount":1,"Leads":[{"LeadPro', "broken JSON"),
        (b'{"RecordCount":1,"Leads":[' + b"[" * 200 + b"]" * 201 + b"}", "nested too deeply"),
        ('{"RecordCount":0,"Zoë":1}'.encode("latin-1"), "not UTF-8"),
        (b"{}", "list of leads"),
        (b"[]", "list of leads"),
        (b"null", "list of leads"),
        (b'{"Status":"Success"}', "list of leads"),
        (b'{"RecordCount":1,"Leads":{}}', "list of leads"),
    ],
)
def test_what_is_no_answer_is_a_fault_in_words_and_never_an_empty_page(body: bytes, words: str) -> None:
    with pytest.raises(ServerFault, match=words) as caught:
        changes(body)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data", [THROTTLED, '"ExceptionType":"MXOther"', "Status: Error", "MXInvalidEntityException"]
)
def test_what_a_lead_says_is_no_error_of_the_call(data: str) -> None:
    flat = {
        "ProspectID": "id-1",
        "Notes": data,
        "Status": "Error",
        "ExceptionType": "MXInvalidInputException",
    }
    (found,) = changes(listing(flat)).changes
    assert found.values == {"Notes": data, "Status": "Error"}


def test_the_other_sides_clock_is_told_and_stands_in_for_a_missing_time() -> None:
    page = changes(listing({"ProspectID": "id-1"}), Date=DATE)
    assert (page.at, page.changes[0].modified_at) == (NOW + 30, NOW + 30)
    page = changes(listing({"ProspectID": "id-1"}), Date="soon")
    assert (page.at, page.changes[0].modified_at) == (None, NOW)


def test_leads_without_an_id_are_logged_by_their_number_alone(capsys: pytest.CaptureFixture[str]) -> None:
    page = changes(
        listing({"Notes": "ann@example.com"}, None, {"ProspectID": "id-1", "Notes": "ann@example.com"})
    )
    assert [one.prospect_id for one in page.changes] == ["id-1"]
    text = "".join(capsys.readouterr())
    assert "without an id" in text
    assert "leads=2" in text
    assert "ann@" not in text


def test_nobody_is_shown_by_the_repr_of_a_page() -> None:
    assert "ann@" not in repr(changes(listing({"ProspectID": "id-1", "Notes": "ann@example.com"})))


@pytest.mark.parametrize("status", [200, 500])
def test_keys_and_people_that_leadsquared_quotes_back_are_hidden(status: int) -> None:
    said = f"{ACCESS} {SECRET} of ann@example.com"
    error = {"Status": "Error", "ExceptionType": "MXOtherException", "ExceptionMessage": said}
    with pytest.raises(Refused) as caught:
        changes(error, status)
    assert str(caught.value) == "LeadSquared refused the call: *** *** of <email> (MXOtherException)"


@pytest.mark.parametrize("form", ["Status", "header"])
def test_a_throttle_is_one_in_every_form(form: str) -> None:
    said = {
        "Status": "Error",
        "ExceptionType": "MXAPIRateLimitExceededException",
        "ExceptionMessage": THROTTLED,
    }
    with pytest.raises(Throttled) as caught:
        changes(said) if form == "Status" else changes(said, 429, **{"Retry-After": "7"})
    assert caught.value.limit == (25, 5.0)
    assert caught.value.retry_after == (None if form == "Status" else 7.0)


ID = "3f1f1c2e-0000-4000-8000-000000000000"


@pytest.mark.parametrize("value", [ID, "a@b.c", "07700 900123"])
def test_a_lookup_of_a_lead_that_is_not_known_finds_none(value: str) -> None:
    unknown = {
        "Status": "Error",
        "ExceptionType": "MXInvalidEntityException",
        "ExceptionMessage": "Lead does not exist in the system",
    }
    assert lead(value, unknown, 500) == []
    assert lead(value, []) == []


def test_a_lookup_of_nothing_asks_nobody() -> None:
    assert lead(" ", {}, 500) == []


@pytest.mark.parametrize(
    ("body", "status", "kind"), [({}, 200, ServerFault), ({}, 401, Denied), ([7], 200, ServerFault)]
)
def test_a_lookup_without_a_right_answer_is_an_error(body: Any, status: int, kind: Any) -> None:
    with pytest.raises(kind):
        lead(ID, body, status)
