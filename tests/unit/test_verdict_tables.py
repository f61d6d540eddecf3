"""Permanent against transient: each service's table, an example of every row, and the page that shows them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import CallError, Denied, Refused, ServerFault, Throttled
from bridge.leadbyte import verdict as leadbyte
from bridge.leadbyte.wire import read_queue
from bridge.leadsquared import verdict as leadsquared

PAGE = Path(__file__).parents[2] / "deploy" / "verdicts.md"
HTML = "<!DOCTYPE html><h1>Bad Gateway</h1>"
LIMITED = "API calls exceeded the limit of 10 in 5 second(s)"
NOW = 1_700_000_000.0
Raised = type[CallError] | None


def mx(kind: str, message: str = "", status: str = "Error") -> str:
    return json.dumps({"Status": status, "ExceptionType": kind, "ExceptionMessage": message})


def said(message: str) -> str:
    return json.dumps({"status": "Error", "message": message})


LEADSQUARED: Sequence[Sequence[tuple[int, str]]] = [
    [
        (200, mx("MXAPIRateLimitExceededException")),
        (401, mx("mxapiratelimitexceededexception", "Slow down")),
        (500, mx("MXAPIRateLimitExceededException", LIMITED)),
    ],
    [
        (500, mx("MXDuplicateEntryException", "A lead with same Phone already exists")),
        (200, mx("MXUnknownAttributeException", "Attribute(s) does not exist - mx_A, mx_B.")),
        (400, mx("MXMandatoryAttributeMissingException", "'LastName' is mandatory")),
        (500, mx("MXInvalidInputException", f"'{LIMITED}' is no valid Website")),
        (500, mx("MXInvalidEntityException", "see api-us11.leadsquared.com")),
        (503, mx("MXInvalidInputException")),
        (413, mx("MXInvalidInputException", "A maximum of 25 leads can be updated")),
    ],
    [
        (403, LIMITED),
        (429, mx("MXInvalidInputException", LIMITED)),
        (200, said(LIMITED)),
        (500, mx("MXOtherException", LIMITED)),
        (503, f"<html>{LIMITED}</html>"),
    ],
    [
        (401, mx("MXUnAuthorizedAccessException", "Use API-US11.leadsquared.com")),
        (500, mx("MXInvalidAccessDetailsException", "Please use asyncapi-in21.leadsquared.com")),
        (200, mx("MXUnAuthorizedAccessException", "Your account is at https://api.leadsquared.com/v2/")),
    ],
    [
        (401, mx("MXInvalidAccessDetailsException", "Invalid AccessKey or SecretKey")),
        (200, mx("MXUnAuthorizedAccessException", "No")),
        (429, mx("MXInvalidAccessDetailsException")),
    ],
    [(429, ""), (429, HTML), (429, mx("MXOtherException")), (429, mx("MXInvalidInputException"))],
    [(401, '{"message":"use api-ca12.leadsquared.com"}'), (403, "<p>api-ir31.leadsquared.com</p>")],
    [
        (401, ""),
        (403, HTML),
        (401, '{"message":"Unauthorized"}'),
        (403, mx("MXInvalidInputException", "You do not have permission")),
        (403, '{"message":"Forbidden"}'),
    ],
    [
        (500, mx("MXEntityNotFoundException", "x")),
        (200, mx("MXOther")),
        (404, mx("MXNotFoundException", "The API could not be found")),
        (408, mx("MXOther")),
    ],
    [(408, ""), (425, HTML), (408, "{}")],
    [(413, ""), (413, HTML)],
    [
        (400, '{"message":"no"}'),
        (404, HTML),
        (405, ""),
        (410, "{}"),
        (422, "[]"),
        (451, ""),
        (499, ""),
        (400, mx("SqlException")),
    ],
    [
        (500, "Internal Server Error"),
        (500, "{}"),
        (500, mx("System.TimeoutException", "Timeout expired")),
        (500, said("Something went wrong")),
        (501, ""),
        (502, HTML),
        (503, ""),
        (504, '{"message":"Endpoint request timed out"}'),
        (520, HTML),
        (500, '{"ExceptionType":{"a":1}}'),
    ],
    [
        (200, said("odd")),
        (200, mx("NullReferenceException", "Object reference not set")),
        (200, '{"ExceptionType":"SqlException"}'),
    ],
    [
        (200, '{"Status":{"SuccessCount":1},"Details":{"SuccessfulLeads":[]}}'),
        (200, json.dumps({"Details": {"FailedLeads": [{"Reason": LIMITED}]}})),
        (202, '{"Status":"Request accepted","RequestID":"r"}'),
        (200, HTML),
        (200, ""),
        (200, "[]"),
        (204, ""),
    ],
]
"""Answers of LeadSquared that meet each row of its table, in its order."""

RECORD = json.dumps({"records": [{"queueId": "q-1", "status": "Approved"}]})
LEADBYTE: Sequence[Sequence[tuple[int, str]]] = [
    [(500, RECORD), (403, '{"queueRef":7,"status":"Sold"}'), (429, RECORD)],
    [(429, ""), (429, HTML), (429, said("Invalid key"))],
    [
        (403, said("Rate limit reached")),
        (500, said("Too many requests")),
        (401, said("Throttled")),
        (200, said("Slow down")),
    ],
    [(403, "Too many requests"), (400, "<p>limit exceeded</p>")],
    [(401, ""), (403, HTML), (401, said("not found"))],
    [
        (400, said("Invalid API key")),
        (500, said("Unknown key")),
        (404, said("No permission: not found")),
        (200, said("Unauthorised")),
    ],
    [(404, said("Queue ID not found")), (500, said("No such queueId")), (200, said("unknown queue"))],
    [(408, ""), (425, HTML), (408, said("Timeout"))],
    [
        (400, said("bad id")),
        (404, ""),
        (404, "<html>key not found</html>"),
        (410, ""),
        (413, ""),
        (422, "[]"),
    ],
    [
        (500, said("Boom")),
        (500, "<html>too many processes</html>"),
        (502, HTML),
        (503, ""),
        (504, "[]"),
        (500, said("Duplicate entry for key 'PRIMARY'")),
    ],
    [
        (200, said("Boom")),
        (200, '{"status":"Success","records":[]}'),
        (200, "{}"),
        (200, "[]"),
        (200, "null"),
        (200, HTML),
        (200, ""),
        (200, '{"records":[{"queueId":"q-2","status":"Sold"}]}'),
    ],
]
"""Answers of LeadByte that meet each row of its table, in its order."""


def pushed(status: int, text: str, headers: Mapping[str, str]) -> None:
    leadsquared.verdict(status, headers, text, NOW)


def polled(status: int, text: str, headers: Mapping[str, str]) -> None:
    leadbyte.classify(status, headers, text, NOW)
    read_queue(text, "q-1")


def rows(
    table: Sequence[Any], examples: Sequence[Sequence[tuple[int, str]]], ask: Callable[..., None]
) -> list[Any]:
    assert len(table) == len(examples)
    return [
        pytest.param(ask, row.counts_as, status, text, id=f"{number}-{status}-{text[:30]}")
        for number, (row, answers) in enumerate(zip(table, examples, strict=True), 1)
        for status, text in answers
    ]


CASES = rows(leadsquared.TABLE, LEADSQUARED, pushed) + rows(leadbyte.TABLE, LEADBYTE, polled)


def raised(ask: Callable[..., None], status: int, text: str, **headers: str) -> CallError | None:
    try:
        ask(status, text, {name.replace("_", "-"): value for name, value in headers.items()})
    except CallError as error:
        return error
    return None


@pytest.mark.parametrize(("ask", "counts_as", "status", "text"), CASES)
def test_an_answer_counts_as_its_row_says(
    ask: Callable[..., None], counts_as: Raised, status: int, text: str
) -> None:
    error = raised(ask, status, text)
    assert (type(error) if error else None) is counts_as, error
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("module", "examples"),
    [(leadsquared, LEADSQUARED), (leadbyte, LEADBYTE)],
    ids=["leadsquared", "leadbyte"],
)
def test_every_row_is_the_first_that_its_examples_meet(module: Any, examples: Any) -> None:
    for number, answers in enumerate(examples):
        for status, text in answers:
            answer = answer_of(module, status, text)
            met = [place for place, row in enumerate(module.TABLE) if row.meets(answer)]
            assert met[0] == number, (status, text)


def answer_of(module: Any, status: int, text: str) -> Any:
    if module is leadsquared:
        return leadsquared._answer(status, text)
    body = leadbyte.lenient(text)
    return leadbyte._answer(status, text if status >= 300 else "", body)


def test_what_a_lead_is_called_cannot_make_a_refusal_a_throttle() -> None:
    quoted = mx("MXInvalidInputException", f"The value '{LIMITED}' is too long")
    assert type(raised(pushed, 500, quoted)) is Refused


def test_an_error_of_another_kind_than_mx_is_no_verdict_on_the_lead() -> None:
    error = raised(pushed, 500, mx("System.TimeoutException", "Timeout expired for ann@example.com"))
    assert type(error) is ServerFault
    assert (
        str(error)
        == "LeadSquared failed with HTTP 500: Timeout expired for <email> (System.TimeoutException)"
    )


@pytest.mark.parametrize(
    "where", [(401, "MXUnAuthorizedAccessException"), (200, "MXUnAuthorizedAccessException")]
)
@pytest.mark.parametrize("host", ["api-us11.leadsquared.com", "ASYNCAPI-in21.leadsquared.com"])
def test_a_wrong_region_names_the_right_host(where: tuple[int, str], host: str) -> None:
    error = raised(pushed, where[0], mx(where[1], f"Please use the API host {host}"))
    assert type(error) is Denied
    assert str(error) == f"LeadSquared denied the keys: wrong region, use https://{host.lower()}"


@pytest.mark.parametrize("ask", [pushed, polled])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:13:10 GMT", 0.0),
        ("soon", None),
    ],
)
@pytest.mark.parametrize("status", [403, 429])
def test_how_long_a_throttle_wants_to_be_waited_for(
    ask: Any, header: str, seconds: float | None, status: int
) -> None:
    error = raised(ask, status, said(f"Too many requests: {LIMITED}"), retry_after=header)
    assert isinstance(error, Throttled)
    assert error.retry_after == seconds


@given(st.integers(100, 599), st.text() | st.sampled_from([text for row in LEADSQUARED for _, text in row]))
def test_every_answer_meets_a_row(status: int, text: str) -> None:
    for module in (leadsquared, leadbyte):
        assert any(row.meets(answer_of(module, status, text)) for row in module.TABLE)
    error = raised(pushed, status, text)
    assert (error is None) <= (status < 300)


def shown(table: Sequence[Any]) -> str:
    """A table as the page has it."""
    lines = ["| | what it answers | counts as | the bridge |", "| --- | --- | --- | --- |"]
    for number, row in enumerate(table, 1):
        name = row.counts_as.__name__ if row.counts_as else "an answer"
        lines.append(f"| {number} | {row.says} | {name} | {row.does} |")
    return "\n".join(lines)


@pytest.mark.parametrize("module", [leadsquared, leadbyte], ids=["leadsquared", "leadbyte"])
def test_the_page_shows_the_tables(module: Any) -> None:
    wanted = shown(module.TABLE)
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(f"\n## {module.WHO}\n")
    found = "\n".join(line for line in rest.partition("\n## ")[0].splitlines() if line.startswith("|"))
    assert found == wanted, f"paste this under ## {module.WHO} of {PAGE.name}:\n{wanted}"


def test_the_page_explains_every_class() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for kind in (*CallError.__subclasses__(), "an answer"):
        name = kind if isinstance(kind, str) else kind.__name__
        assert f"\n| {name} | " in text, name
