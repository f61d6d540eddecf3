"""LeadByte's requests and replies, as the page "Using the QueueID via REST API" and its neighbours show them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import CallError, Denied, Refused, ServerFault, Throttled
from bridge.exchange import Request
from bridge.leadbyte.wire import (
    DEFAULT_STATUSES,
    base_url,
    classify,
    poll_request,
    read_queue,
    status_table,
)
from bridge.model import QueueReply, Verdict

ID = "ac1e0206-6d6fd2fa-62ce91e7-ba33-5cc458e6"
NAMES = {
    "queueId", "status", "processed", "code", "response", "info", "leadId", "rejectionId", "quarantineId",
    "deliveries", "campaign", "supplier", "buyer", "lead", "raw",
}  # fmt: skip
RECORD = {
    "queueId": ID,
    "status": "Approved",
    "processed": "2022-07-13T09:35:04Z",
    "response": {"code": 1, "response": "OK", "info": [], "leadId": 7185867, "rejectionId": None},
    "buyer": {"name": "Acme"},
    "lead": {"firstname": "Ann"},
}


def read(body: Any, queue_id: str = ID, **statuses: str) -> QueueReply:
    return read_queue(json.dumps(body), queue_id, status_table(statuses))


def envelopes(record: dict[str, Any]) -> list[Any]:
    return [
        {"status": "Success", "code": 1, "message": "OK", "records": [record]},
        {"status": "Success", "code": 1, "message": "", "results": [record]},
        {"status": "Success", "records": record},
        record,
        [record],
    ]


@pytest.mark.parametrize("body", envelopes(RECORD))
def test_every_envelope_gives_the_same_view(body: Any) -> None:
    reply = read(body)
    assert reply.verdict is Verdict.FINAL
    assert (reply.status, reply.processed) == ("Approved", "2022-07-13T09:35:04Z")
    assert set(reply.view) == NAMES
    assert {name: value for name, value in reply.view.items() if value is not None and name != "raw"} == {
        "queueId": ID,
        "status": "Approved",
        "processed": "2022-07-13T09:35:04Z",
        "code": 1,
        "response": RECORD["response"],
        "info": [],
        "leadId": "7185867",
        "buyer": {"name": "Acme"},
        "lead": {"firstname": "Ann"},
    }
    assert reply.view["raw"] == body
    assert json.loads(reply.raw) == body


@pytest.mark.parametrize("name", ["queueId", "queueRef"])
def test_of_several_records_the_one_asked_about_counts(name: str) -> None:
    records = [{name: "other", "status": "Rejected"}, {name: f" {ID.upper()} ", "status": "Sold"}]
    assert read({"records": records}).status == "Sold"
    assert read({"records": records[::-1]}).status == "Sold"


def test_a_number_for_an_id_is_the_same_id() -> None:
    assert (
        read({"records": [{"queueId": 1, "status": "Sold"}, {"queueId": 12, "status": "Valid"}]}, "12").status
        == "Valid"
    )


@pytest.mark.parametrize(
    "records",
    [
        [{"queueId": "other", "status": "Approved"}],
        [{"queueRef": "one", "status": "Approved"}, {"queueRef": "two", "status": "Approved"}],
    ],
)
def test_another_leads_record_is_never_taken_for_this_one(records: list[Any]) -> None:
    with pytest.raises(ServerFault, match="about another queueId"):
        read({"status": "Success", "records": records})


@pytest.mark.parametrize(
    "record",
    [{"status": "Sold"}, {"queueRef": "theirs", "status": "Sold"}, {"queueId": "", "status": "Sold"}],
)
def test_the_only_record_needs_no_queue_id(record: dict[str, Any]) -> None:
    reply = read({"records": [record]})
    assert (reply.status, reply.view["queueId"]) == ("Sold", ID)


def test_without_an_id_to_look_for_a_reply_is_about_its_first_record() -> None:
    assert read({"records": [RECORD]}, "").view["queueId"] == ID
    assert read({"queueRef": 77, "status": "Sold"}, "").view["queueId"] == "77"


@pytest.mark.parametrize(
    ("word", "verdict"),
    [
        *[
            (word, Verdict.FINAL)
            for word in (
                "Approved",
                "REJECTED",
                " valid ",
                "Invalid",
                "Sold",
                "Unsold",
                "Accepted",
                "Processed",
                "Duplicate",
            )
        ],
        *[(word, Verdict.PENDING) for word in ("Queued", "pending", "Processing", "Not Found")],
        *[(word, Verdict.QUARANTINED) for word in ("Quarantined", "quarantine")],
        *[(word, Verdict.UNKNOWN) for word in ("Sideways", "Success", 7)],
    ],
)
def test_status_words(word: Any, verdict: Verdict) -> None:
    assert read({"records": [{"queueId": ID, "status": word}]}).verdict is verdict


def test_a_record_without_a_status_is_not_final() -> None:
    reply = read({"queueId": ID, "response": {"code": 1}})
    assert (reply.verdict, reply.status) == (Verdict.UNKNOWN, "")


def test_settings_add_and_change_words() -> None:
    words = {"  Parked ": "pending", "APPROVED": "quarantined"}
    assert read({"records": [{"status": "parked"}]}, **words).verdict is Verdict.PENDING
    assert read({"records": [{"status": "Approved"}]}, **words).verdict is Verdict.QUARANTINED
    assert read({"records": [{"status": "Sold"}]}, **words).verdict is Verdict.FINAL
    assert all(word == word.strip().casefold() for word in DEFAULT_STATUSES)
    with pytest.raises(ValueError, match="maybe"):
        status_table({"x": "maybe"})


@pytest.mark.parametrize(
    ("record", "verdict"),
    [
        ({"status": "Approved", "response": {"payout": "Pending"}}, Verdict.PENDING),
        ({"status": "Approved", "response": {"payout": " pending "}}, Verdict.PENDING),
        ({"status": "Approved", "response": {"payout": "Complete"}}, Verdict.FINAL),
        ({"status": "Approved", "response": {"payout": 1.5}}, Verdict.FINAL),
        ({"status": "Approved", "payout": "Pending"}, Verdict.PENDING),
        ({"status": "Quarantined", "response": {"payout": "Pending"}}, Verdict.QUARANTINED),
        ({"status": "Sideways", "response": {"payout": "Pending"}}, Verdict.UNKNOWN),
    ],
)
def test_an_open_payout_is_not_final(record: dict[str, Any], verdict: Verdict) -> None:
    assert read({"records": [record]}).verdict is verdict


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ({"response": None}, "response", None),
        ({"response": "OK"}, "response", "OK"),
        ({"code": -5}, "code", -5),
        ({"code": 1, "response": {"code": -2}}, "code", -2),
        ({"info": "text"}, "info", "text"),
        ({"response": {"info": {"email": "invalid"}}}, "info", {"email": "invalid"}),
        ({"response": {"info": ["a", "b"]}}, "info", ["a", "b"]),
        ({"response": {"leadId": "12"}}, "leadId", "12"),
        ({"leadId": 12.0}, "leadId", "12"),
        ({"response": {"leadId": None}, "leadId": 5}, "leadId", "5"),
        ({"response": {"rejectionId": 9}}, "rejectionId", "9"),
        ({"quarantineId": 8419715}, "quarantineId", "8419715"),
        ({"response": {"quarantineId": "8419715"}}, "quarantineId", "8419715"),
        ({"lead": {"quarantineId": 8419715}}, "quarantineId", "8419715"),
        ({"deliveries": [{"id": 1}]}, "deliveries", [{"id": 1}]),
        ({"delivery": {"id": 1}}, "deliveries", [{"id": 1}]),
        ({"deliveries": {"1053": {"id": 1}, "1054": {"id": 2}}}, "deliveries", [{"id": 1}, {"id": 2}]),
        ({"deliveries": []}, "deliveries", []),
        ({"deliveries": {}}, "deliveries", [{}]),
        ({"response": {"deliveries": [{"id": 3}]}}, "deliveries", [{"id": 3}]),
        ({"campaigns": [{"name": "c"}]}, "campaign", {"name": "c"}),
        ({"campaign": {"name": "c"}}, "campaign", {"name": "c"}),
        ({"supplier": [], "suppliers": None}, "supplier", None),
        ({"buyers": [{"name": "b"}, {"name": "c"}]}, "buyer", {"name": "b"}),
        ({"lead": [{"email": "e"}]}, "lead", {"email": "e"}),
        ({"leads": {"email": "e"}}, "lead", {"email": "e"}),
        ({"lead": "text"}, "lead", "text"),
        ({"response": {"processed": "2022"}}, "processed", "2022"),
        ({"processed": 1657704904}, "processed", "1657704904"),
    ],
)
def test_sections_are_found_wherever_and_however_they_come(
    part: dict[str, Any], name: str, value: Any
) -> None:
    assert read({"records": [{"queueId": ID, "status": "Sold", **part}]}).view[name] == value


@pytest.mark.parametrize(
    "body",
    [
        {"status": "Error", "message": "Queue ID not found"},
        {"status": "Error", "message": "", "errors": ["No such queueId"]},
        {"status": "Error", "queueId": ID, "message": "queueId doesn't exist"},
        {"message": "Lead not found"},
    ],
)
def test_an_id_that_is_not_found_is_a_reply_of_its_own(body: Any) -> None:
    reply = read(body)
    assert (reply.status, reply.verdict) == ("Not Found", Verdict.PENDING)
    assert (reply.view["queueId"], reply.view["status"], reply.view["raw"]) == (ID, "Not Found", body)
    assert set(reply.view) == NAMES
    assert read(body, **{"not found": "final"}).verdict is Verdict.FINAL


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ({"status": "Error", "message": "Invalid API key"}, Denied, "Invalid API key"),
        ({"status": "Error", "message": "key is missing"}, Denied, "key is missing"),
        ({"status": "error", "errors": ["You do not have permission"]}, Denied, "API queue"),
        ({"status": " ERROR ", "error": {"text": "Unauthorised"}}, Denied, "Unauthorised"),
        ({"status": "Error", "message": "API key: too many requests"}, Throttled, "too many calls"),
        ({"status": "Error", "message": "Rate limit exceeded"}, Throttled, "too many calls"),
        ({"status": "Error", "message": "Boom\r\nfor ann@example.org"}, ServerFault, "Boom for <email>"),
        ({"status": "Error"}, ServerFault, "without a result"),
        ({"status": "Success", "records": []}, ServerFault, "without a result"),
        ({"status": "Success", "message": "OK"}, ServerFault, "without a result: OK"),
        ({"status": "Queued", "records": []}, ServerFault, "without a result"),
        ({}, ServerFault, "without a result"),
        ([], ServerFault, "without a result"),
        (None, ServerFault, "without a result"),
        ("text", ServerFault, "without a result"),
        ({"records": ["x", 1]}, ServerFault, "without a result"),
    ],
)
def test_what_is_no_result_is_an_error_by_its_words(body: Any, kind: type[CallError], words: str) -> None:
    with pytest.raises(kind) as caught:
        read(body)
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_record_is_believed_over_an_error_around_it() -> None:
    assert read({"status": "Error", "message": "partly", "records": [RECORD]}).status == "Approved"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, "", Denied),
        (403, "<html>no</html>", Denied),
        (403, '{"status":"Error","message":"Rate limit reached"}', Throttled),
        (403, "Too many requests", Throttled),
        (401, '{"status":"Error","message":"not found"}', Denied),
        (429, "", Throttled),
        (429, '{"status":"Error","message":"Invalid key"}', Throttled),
        (400, '{"status":"Error","message":"Invalid API key"}', Denied),
        (400, '{"status":"Error","message":"bad id"}', Refused),
        (404, "<html>key not found</html>", Refused),
        (404, "", Refused),
        (500, '{"status":"Error","message":"Boom"}', ServerFault),
        (500, '{"status":"Error","message":"Too many requests"}', Throttled),
        (500, '{"status":"Error","message":"Unknown key"}', Denied),
        (500, "<html>too many processes</html>", ServerFault),
        (500, '{"status":"Error","message":"Duplicate entry for key \'PRIMARY\'"}', ServerFault),
        (502, "<html>", ServerFault),
        (503, "", ServerFault),
        (500, "[]", ServerFault),
    ],
)
def test_http_failures(status: int, body: str, kind: type[CallError]) -> None:
    with pytest.raises(CallError) as caught:
        classify(status, {"retry-after": "7"}, body, 0.0)
    assert type(caught.value) is kind
    if isinstance(caught.value, Throttled):
        assert caught.value.retry_after == 7.0


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, "<html>"),
        (202, ""),
        (404, '{"status":"Error","message":"Queue ID not found"}'),
        (500, json.dumps({"records": [RECORD]})),
        (403, json.dumps(RECORD)),
    ],
)
def test_bodies_that_are_read_whatever_the_status(status: int, body: str) -> None:
    classify(status, {}, body, 0.0)


def test_html_is_named_as_such() -> None:
    with pytest.raises(ServerFault, match=r"^LeadByte answered HTTP 502 with HTML instead of JSON$"):
        classify(502, {}, "<html>", 0.0)
    with pytest.raises(ServerFault, match=r"^LeadByte answered HTTP 200 with HTML instead of JSON$"):
        read_queue("<html>", ID)


def test_the_poll_is_as_the_page_shows_it() -> None:
    base = base_url("https://acme.leadbyte.co.uk")
    url = f"https://acme.leadbyte.co.uk/restapi/v1.3/apiqueue/{ID}"
    assert poll_request(base, ID, "k$") == Request("GET", url, params={"key": "k$"})
    assert poll_request(base, ID, "k$", "X_KEY") == Request("GET", url, headers={"X_KEY": "k$"})


def test_an_id_cannot_lead_out_of_its_path() -> None:
    request = poll_request("https://h/r", "a/../b?c=d#e %é", "k")
    assert request.url == "https://h/r/apiqueue/a%2F..%2Fb%3Fc%3Dd%23e%20%25%C3%A9"
    for queue_id in ("", ".", ".."):
        with pytest.raises(Refused, match="empty or only dots"):
            poll_request("https://h", queue_id, "k")


words = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
names = st.sampled_from(
    sorted(NAMES | {"records", "results", "queueRef", "delivery", "leads", "message", "errors", "payout"})
)
shapes = st.recursive(
    words, lambda x: st.lists(x, max_size=3) | st.dictionaries(names, x, max_size=5), max_leaves=12
)


@given(shapes)
def test_any_json_is_read_or_is_an_error_of_ours(body: object) -> None:
    try:
        reply = read(body)
    except CallError:
        return
    assert set(reply.view) == NAMES
    for name in ("queueId", "status", "processed", "leadId", "rejectionId", "quarantineId"):
        assert reply.view[name] is None or isinstance(reply.view[name], str)
    again = read_queue(reply.raw, ID)
    assert again == reply


@pytest.mark.parametrize(
    "body",
    [
        '{"status": "Rejected", "message": "Request rejected by gateway"}',
        '{"status": "Invalid", "message": "Invalid API key"}',
        '{"status": "Processed", "message": "API key expired"}',
    ],
)
@pytest.mark.parametrize("status", [200, 401, 503])
def test_an_object_that_names_no_lead_is_never_a_result(status: int, body: str) -> None:
    def polled() -> QueueReply:
        classify(status, {}, body, 0.0)
        return read_queue(body, "q-1")

    with pytest.raises(CallError):
        polled()
