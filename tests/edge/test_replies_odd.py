"""Odd answers over real HTTP: nothing of them gets past the clients but a right reading or one line of error."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from aiohttp import web

from bridge.errors import CallError, Denied, Refused, ServerFault, Throttled
from bridge.http import open_client
from bridge.leadbyte import LeadByteSource
from bridge.leadsquared import LeadSquaredSink
from bridge.model import Delivery, Kind, Lane, identity
from bridge.telemetry import Redactor

KEY, ACCESS, SECRET = "cb266b24ef4a", "u$r1/x", "s$cr+t"
QUEUE_ID = "ac1e0206-1"
LANE = Lane("bulk", "EmailAddress", "unprocessed")
NOW = 1_700_000_000.0


def delivery(email: str) -> Delivery:
    fields = {"EmailAddress": email, "FirstName": "Ann"}
    return Delivery(1, 1, "q", "m", identity("EmailAddress", email), LANE, ["EmailAddress"], fields, {}, 0)


def answered(make: Callable[[], web.Response], use: Callable[[str, Any], Coroutine[Any, Any, Any]]) -> Any:
    """What `use(url, client)` gives where every request is answered by `make()`."""

    async def main() -> Any:
        async def handle(_request: web.BaseRequest) -> web.Response:
            return make()

        runner = web.ServerRunner(web.Server(handle, access_log=None))
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            async with open_client(timeout=10.0, max_reply_bytes=100_000) as client:
                return await use(f"http://127.0.0.1:{runner.addresses[0][1]}", client)
        finally:
            await runner.cleanup()

    return asyncio.run(main())


def poll(body: bytes | str, status: int = 200, **headers: str) -> Any:
    async def use(url: str, client: Any) -> Any:
        source = LeadByteSource(client, url=url, key=KEY, redact=Redactor([KEY]), clock=lambda: NOW)
        return await source.poll(QUEUE_ID)

    return answered(lambda: reply(body, status, headers), use)


def push(body: bytes | str, status: int = 200, *emails: str, **headers: str) -> Any:
    async def use(url: str, client: Any) -> Any:
        redact = Redactor([ACCESS, SECRET])
        sink = LeadSquaredSink(
            client, url=url, access_key=ACCESS, secret_key=SECRET, redact=redact, clock=lambda: NOW
        )  # fmt: skip
        return await sink.push(LANE, [delivery(email) for email in emails or ("a@b.c",)])

    return answered(lambda: reply(body, status, headers), use)


def reply(body: bytes | str, status: int, headers: dict[str, str]) -> web.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(body=body if isinstance(body, bytes) else body.encode(), status=status, headers=named)


ODD: list[tuple[bytes, str]] = [
    (b"", "an empty reply"),
    (b"   ", "an empty reply"),
    (b"<html><h1>Maintenance</h1></html>", "HTML instead of JSON"),
    (b'{"status":"Success","records":[{"queueId"', "broken JSON"),
    (b'{"a":NaN}', "broken JSON"),
    (b"[" * 40_000, "nested too deeply"),
    (b"[" * 40_000 + b"]" * 40_000, "nested too deeply"),
    (b'{"a":"' + b"x" * 200_000 + b'"}', "larger than"),
    ('{"name":"Zoë"}'.encode("latin-1"), "not UTF-8"),
    ("\ufeff".encode("utf-16"), "not UTF-8"),
]


@pytest.mark.parametrize("send", [poll, push])
@pytest.mark.parametrize(("body", "words"), ODD)
def test_what_is_no_answer_is_a_fault_in_words(send: Any, body: bytes, words: str) -> None:
    with pytest.raises(ServerFault) as caught:
        send(body)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("send", [poll, push])
@pytest.mark.parametrize("body", [b"null", b"0", b'"text"', b"[]", b"[[]]", b"{}", b"[null]", b"true"])
@pytest.mark.parametrize("status", [200, 500])
def test_json_of_another_shape_is_never_a_success(send: Any, body: bytes, status: int) -> None:
    try:
        outcomes = send(body, status)
    except ServerFault:
        return
    assert [one.kind for one in outcomes] == [Kind.UNLISTED]
    assert (body, status) == (b"{}", 200)


@pytest.mark.parametrize("send", [poll, push])
def test_a_redirect_goes_nowhere(send: Any) -> None:
    with pytest.raises(ServerFault, match=r"redirect \(HTTP 302\)"):
        send(b"{}", 302, Location="https://elsewhere.example/login")


def test_a_byte_order_mark_and_letters_of_all_kinds_are_kept() -> None:
    record = {"queueId": QUEUE_ID, "status": "Sold", "lead": {"name": "Zoë 李 😀\u0000"}}
    got = poll(b"\xef\xbb\xbf" + json.dumps(record, ensure_ascii=False).encode())
    assert got.view["lead"]["name"] == "Zoë 李 😀\u0000"
    assert not got.raw.startswith("\ufeff")


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_a_key_that_leadbyte_quotes_back_is_hidden(status: int) -> None:
    with pytest.raises(Denied) as caught:
        poll(
            json.dumps({"status": "Error", "message": f"Invalid API key {KEY}\r\nfor ann@example.com"}),
            status,
        )
    assert KEY not in str(caught.value)
    assert "***" in str(caught.value)
    assert "ann@" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_keys_that_leadsquared_quotes_back_are_hidden() -> None:
    error = {
        "Status": "Error",
        "ExceptionType": "MXInvalidInputException",
        "ExceptionMessage": f"{ACCESS} {SECRET} no",
    }
    with pytest.raises(Refused) as caught:
        push(json.dumps(error), 500)
    assert str(caught.value) == "LeadSquared refused the call: *** *** no (MXInvalidInputException)"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0), ("soon", None), ("-1", None)],
)
@pytest.mark.parametrize("send", [poll, push])
def test_retry_after_is_told(send: Any, header: str, seconds: float | None) -> None:
    with pytest.raises(Throttled) as caught:
        send(b"", 429, Retry_After=header)
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize("send", [poll, push])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 503])
@pytest.mark.parametrize("body", [b"", b"<html>", b"plain words", b"{}", b'{"message":"no"}'])
def test_no_status_without_a_result_is_taken_for_one(send: Any, status: int, body: bytes) -> None:
    with pytest.raises(CallError) as caught:
        send(body, status)
    kinds = {401: Denied, 403: Denied, 429: Throttled}
    assert type(caught.value) is kinds.get(status, Refused if status < 500 else ServerFault)


def test_a_disagreement_of_counts_and_lists_is_no_success_and_is_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    body = {"Status": {"SuccessCount": 0}, "Details": {"SuccessfulLeads": [{"IdentifierValue": "a@b.c"}]}}
    assert [one.kind for one in push(json.dumps(body))] == [Kind.UNLISTED]
    text = "".join(capsys.readouterr())
    assert "successcount is 0, 1 listed" in text
    assert "a@b.c" not in text


def test_a_lead_that_leadsquared_calls_unknown_in_an_error_is_no_lead() -> None:
    error = {"Status": "Error", "ExceptionType": "MXInvalidEntityException"}

    async def use(url: str, client: Any) -> Any:
        sink = LeadSquaredSink(client, url=url, access_key=ACCESS, secret_key=SECRET)
        return await sink.read_back("ProspectID", "id-1", ["FirstName"])

    def read(message: str) -> Any:
        text = json.dumps({**error, "ExceptionMessage": message})
        return answered(lambda: reply(text, 500, {}), use)

    assert read("Lead does not exist in the system") is None
    with pytest.raises(Refused, match="Something else"):
        read("Something else")
