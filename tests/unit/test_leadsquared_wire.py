"""LeadSquared's requests and answers, as the pages "Update Leads in Bulk v2" and "Update a Lead (Async)" show them."""

import contextlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.errors import CallError, Denied, Refused, ServerFault, Throttled
from bridge.exchange import Request
from bridge.leadsquared import wire
from bridge.leadsquared.wire import FieldInfo, Keys, Metrics
from bridge.model import Delivery, Kind, Lane, Outcome, State, identity

KEYS = Keys("u$r1", "s$cr")
QUERY = Keys("u$r1", "s$cr", "query")
HEADERS = {"x-LSQ-AccessKey": "u$r1", "x-LSQ-SecretKey": "s$cr"}
PAIR = {"accessKey": "u$r1", "secretKey": "s$cr"}
JSON = {"Content-Type": "application/json"}
BASE = "https://api.leadsquared.com/v2"
ASYNC = "https://asyncapi.leadsquared.com"
UNKNOWN = "Lead does not exist in the system or You do not have permission to update the lead"


def delivery(key: str, fields: Mapping[str, str], lane: Lane | None = None) -> Delivery:
    return Delivery(
        1, 1, "q", "m", identity(key, fields[key]), lane or Lane("bulk", key, "unprocessed"), [key], fields, {}, 0
    )  # fmt: skip


def batch(*emails: str) -> list[Delivery]:
    return [delivery("EmailAddress", {"EmailAddress": email, "mx_City": "London"}) for email in emails]


def body(request: Request) -> Any:
    assert request.body is not None
    return json.loads(request.body)


def pair(name: str, value: str) -> dict[str, str]:
    return {"Attribute": name, "Value": value}


# requests


@pytest.mark.parametrize(("option", "pushed"), [("unprocessed", True), ("failed", False)])
def test_a_bulk_update_is_as_the_page_shows_it(option: str, pushed: bool) -> None:
    request = wire.bulk_request(BASE, KEYS, Lane("bulk", "EmailAddress", option), batch("a@b.c", "é@b.c"))
    assert (request.method, request.url) == ("POST", f"{BASE}/LeadManagement.svc/Lead/Bulk/UpdateV2")
    assert (request.params, request.headers) == ({}, JSON | HEADERS)
    assert body(request) == {
        "SearchByKey": "EmailAddress",
        "Options": {"PushNonExistentLeadsToUnProcessedList": pushed},
        "LeadPropertiesList": [
            {"Fields": [pair("EmailAddress", email), pair("mx_City", "London")]}
            for email in ("a@b.c", "é@b.c")
        ],
    }


@pytest.mark.parametrize("search_by", ["", "ProspectID"])
@pytest.mark.parametrize("name", ["ProspectID", "ProspectId"])
def test_without_a_search_key_the_id_is_spelt_as_the_page_spells_it(search_by: str, name: str) -> None:
    lane = Lane("bulk", search_by.replace("ProspectID", name), "unprocessed")
    request = wire.bulk_request(BASE, QUERY, lane, [delivery(name, {"A": "1", name: "id-1"}, lane)])
    assert (request.params, request.headers) == (PAIR, JSON)
    assert "SearchByKey" not in body(request)
    assert body(request)["LeadPropertiesList"] == [{"Fields": [pair("ProspectId", "id-1"), pair("A", "1")]}]


def test_an_id_beside_another_search_key_is_no_value_to_set() -> None:
    lane = Lane("bulk", "EmailAddress", "unprocessed")
    one = delivery("EmailAddress", {"ProspectID": "id-1", "EmailAddress": "a@b.c"}, lane)
    assert body(wire.bulk_request(BASE, KEYS, lane, [one]))["LeadPropertiesList"] == [
        {"Fields": [pair("EmailAddress", "a@b.c")]}
    ]


@example("\ud800")
@example("\x7f")
@given(st.text(st.characters(categories=None)) | st.text(st.characters(max_codepoint=127)))
def test_what_is_sent_is_ascii_whatever_the_value(value: str) -> None:
    """Halves of surrogate pairs and control characters included."""
    one = delivery("EmailAddress", {"EmailAddress": "a@b.c", "mx_City": value})
    sent = wire.bulk_request(BASE, KEYS, Lane("bulk", "EmailAddress", "unprocessed"), [one])
    assert sent.body is not None
    assert sent.body.isascii()
    assert body(sent)["LeadPropertiesList"][0]["Fields"][1] == pair("mx_City", value)


@pytest.mark.parametrize(("option", "fires"), [("silent", "false"), ("automations", "true")])
def test_an_async_update_is_as_the_page_shows_it(option: str, fires: str) -> None:
    lane = Lane("async", "", option)
    one = delivery("ProspectID", {"Phone": "9999999999", "ProspectID": "id-1", "mx_City": "London"}, lane)
    request = wire.async_request(ASYNC, KEYS, "api$k", lane, one)
    assert (request.method, request.url) == ("POST", f"{ASYNC}/lead/update")
    assert request.params == {**PAIR, "leadId": "id-1", "postUpdatedLead": fires}
    assert request.headers == JSON | {"x-api-key": "api$k"}
    assert body(request) == [pair("Phone", "9999999999"), pair("mx_City", "London")]


def test_an_async_update_of_nothing_is_not_made() -> None:
    lane = Lane("async", "", "silent")
    with pytest.raises(Refused, match="nothing to update"):
        wire.async_request(ASYNC, KEYS, "k", lane, delivery("ProspectId", {"ProspectId": "id-1"}, lane))


def test_the_other_requests() -> None:
    svc = f"{BASE}/LeadManagement.svc"
    key = {"x-api-key": "k"}
    assert wire.status_request(ASYNC, "/lead/update/status", "k", "r1") == Request(
        "GET", f"{ASYNC}/lead/update/status", {"RequestID": "r1"}, key
    )
    assert wire.metrics_request(ASYNC, "m", "k") == Request("GET", f"{ASYNC}/m", {}, key)
    assert wire.metadata_request(BASE, KEYS) == Request("GET", f"{svc}/LeadsMetaData.Get", {}, HEADERS)
    assert wire.whoami_request(BASE, QUERY) == Request(
        "GET", f"{BASE}/Authentication.svc/UserByAccessKey.Get", PAIR
    )
    assert wire.base_url("https://api.leadsquared.com") == BASE
    assert wire.base_url("https://proxy.example/lsq/v2/") == "https://proxy.example/lsq/v2"


@pytest.mark.parametrize(
    ("key", "path", "name"),
    [
        ("EmailAddress", "Leads.GetByEmailaddress", "emailaddress"),
        ("ProspectID", "Leads.GetById", "id"),
        ("ProspectId", "Leads.GetById", "id"),
        ("Phone", "RetrieveLeadByPhoneNumber", "phone"),
    ],
)
def test_reading_back(key: str, path: str, name: str) -> None:
    url = f"{BASE}/LeadManagement.svc/{path}"
    assert wire.read_back_request(BASE, KEYS, key, "v+1") == Request("GET", url, {name: "v+1"}, HEADERS)
    assert wire.read_back_request(BASE, QUERY, key, "v").params == {**PAIR, name: "v"}


def test_reading_back_by_other_keys_is_not_possible() -> None:
    with pytest.raises(Refused, match="mx_Ref"):
        wire.read_back_request(BASE, KEYS, "mx_Ref", "v")


# bulk answers


def answer(counts: Any = None, **lists: Any) -> dict[str, Any]:
    """As UpdateV2 answers: each list of e-mail addresses, or of (address, reason). Counts are right unless given."""
    details = {
        name: [
            {"Identifier": "EmailAddress", "IdentifierValue": one}
            if isinstance(one, str)
            else {"Identifier": "EmailAddress", "IdentifierValue": one[0], "Reason": one[1]}
            for one in entries
        ]
        for name, entries in lists.items()
    }
    found = {name: len(entries) for name, entries in lists.items()}
    status = {
        "TotalCount": sum(found.values()),
        "SuccessCount": found.get("SuccessfulLeads", 0),
        "FailureCount": found.get("FailedLeads", 0),
        "UnProcessedCount": found.get("UnProcessedLeads", 0),
        "Message": "Processed",
    }
    return {"Status": status | (counts or {}), "Details": details}


def kinds(reply: Any, *emails: str) -> list[Kind]:
    return [outcome.kind for outcome in wire.read_bulk(reply, batch(*emails)).outcomes]


def test_outcomes_come_from_the_lists_in_the_order_of_the_batch() -> None:
    reply = answer(
        SuccessfulLeads=["C@x.y "],
        FailedLeads=[("a@x.y", "mx_City is too\nlong"), ("e@x.y", UNKNOWN)],
        UnProcessedLeads=[(" B@X.Y", UNKNOWN)],
    )
    result = wire.read_bulk(reply, batch("a@x.y", "b@x.y", " c@X.y", "e@x.y", "d@x.y"))
    assert result.outcomes == [
        Outcome(Kind.REJECTED, "mx_City is too long"),
        Outcome(Kind.UNKNOWN_LEAD, UNKNOWN, listed=State.UNPROCESSED),
        Outcome(Kind.SYNCED),
        Outcome(Kind.UNKNOWN_LEAD, UNKNOWN, listed=State.FAILED),
        Outcome(Kind.UNLISTED, "LeadSquared's answer does not name this lead (Processed)"),
    ]
    assert result.warning == "5 sent, 4 listed"


def test_right_counts_warn_of_nothing() -> None:
    assert wire.read_bulk(answer(SuccessfulLeads=["a@x.y"]), batch("a@x.y")).warning is None
    page = answer({"TotalCount": "1"}, SuccessfulLeads=["a@x.y"])
    del page["Status"]["UnProcessedCount"]
    assert wire.read_bulk(page, batch("a@x.y")).warning is None


def test_a_lead_in_two_lists_is_not_taken_for_updated() -> None:
    both = answer(
        SuccessfulLeads=["a@x.y", "b@x.y"], FailedLeads=[("a@x.y", "no")], UnProcessedLeads=[("b@x.y", "")]
    )
    assert kinds(both, "a@x.y", "b@x.y") == [Kind.REJECTED, Kind.UNKNOWN_LEAD]
    assert wire.read_bulk(both, batch("a@x.y", "b@x.y")).warning == "2 sent, 4 listed"
    mixed = answer(FailedLeads=[("a@x.y", "no")], UnProcessedLeads=[("a@x.y", UNKNOWN)])
    assert kinds(mixed, "a@x.y") == [Kind.REJECTED]


@pytest.mark.parametrize(
    ("count", "kind"),
    [
        (0, Kind.UNLISTED),
        (1, Kind.UNLISTED),
        ("1", Kind.UNLISTED),
        (2, Kind.SYNCED),
        (3, Kind.SYNCED),
        (None, Kind.SYNCED),
    ],
)
def test_fewer_successes_counted_than_listed_means_none_is_believed(count: Any, kind: Kind) -> None:
    reply = answer({"SuccessCount": count}, SuccessfulLeads=["a@x.y", "b@x.y", "A@x.y"])
    assert kinds(reply, "a@x.y", "b@x.y") == [kind, kind]


def test_a_disagreement_is_told() -> None:
    reply = answer({"SuccessCount": 0, "FailureCount": 2}, SuccessfulLeads=["a@x.y"])
    assert (
        wire.read_bulk(reply, batch("a@x.y")).warning
        == "failurecount is 2, 0 listed; successcount is 0, 1 listed"
    )


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"Status": None, "Details": None},
        {"Status": "Success"},
        {"Status": {"SuccessCount": 1, "Message": ""}, "Details": {}},
        {"Status": {"SuccessCount": 1}, "Details": {"SuccessfulLeads": None}},
        {
            "Status": {"SuccessCount": 1},
            "Details": {"SuccessfulLeads": ["a@x.y", {"Identifier": "EmailAddress"}]},
        },
        {"Status": {"SuccessCount": 1}, "Details": {"OtherLeads": [{"IdentifierValue": "a@x.y"}]}},
    ],
)
def test_a_lead_that_no_list_names_is_unlisted(reply: Any) -> None:
    result = wire.read_bulk(reply, batch("a@x.y"))
    assert result.outcomes == [Outcome(Kind.UNLISTED, "LeadSquared's answer does not name this lead")]
    assert result.warning


def test_other_spellings_of_names_and_missing_reasons() -> None:
    reply = {
        "status": {"successcount": 1},
        "details": {
            "Successfulleads": [{"identifiervalue": 7}],
            "UnprocessedLeads": [{"IdentifierValue": "b"}],
            "failedleads": [{"IdentifierValue": "c", "Reason": None}],
        },
    }
    result = wire.read_bulk(reply, batch("7", "b", "c"))
    assert [(one.kind, one.reason) for one in result.outcomes] == [
        (Kind.SYNCED, ""),
        (Kind.UNKNOWN_LEAD, "LeadSquared gave no reason"),
        (Kind.REJECTED, "LeadSquared gave no reason"),
    ]


def test_a_missing_attribute_is_not_a_missing_lead() -> None:
    assert kinds(answer(FailedLeads=[("a", "Attribute(s) does not exist - mx_A")]), "a") == [Kind.REJECTED]


@pytest.mark.parametrize("reply", [[], "text", None, 1])
def test_a_bulk_answer_of_another_shape_is_no_verdict(reply: Any) -> None:
    with pytest.raises(ServerFault, match="something else than an object"):
        wire.read_bulk(reply, batch("a"))


emails = st.sampled_from(["a", "b", "C", " c "])
entries = st.lists(
    st.fixed_dictionaries({"IdentifierValue": emails, "Reason": st.sampled_from(["", "no", UNKNOWN])}),
    max_size=4,
)


@given(st.none() | st.integers(0, 4), entries, entries, entries)
def test_only_what_is_listed_once_and_counted_is_synced(
    count: int | None, good: Any, bad: Any, gone: Any
) -> None:
    reply = {
        "Status": {"SuccessCount": count},
        "Details": {"SuccessfulLeads": good, "FailedLeads": bad, "UnProcessedLeads": gone},
    }
    fold = lambda listed: {one["IdentifierValue"].strip().lower() for one in listed}  # noqa: E731
    believed = fold(good) if count is None or count >= len(fold(good)) else set()
    for name, outcome in zip("abcd", wire.read_bulk(reply, batch("a", "b", "c", "d")).outcomes, strict=True):
        assert (outcome.kind is Kind.SYNCED) == (name in believed and name not in fold(bad) | fold(gone))


# async answers


@pytest.mark.parametrize("name", ["RequestID", "RequestId", "requestID"])
def test_an_accepted_async_update_has_a_request_id(name: str) -> None:
    assert wire.read_async({"Status": "Request accepted.", name: "r1"}) == Outcome(
        Kind.SUBMITTED, request_id="r1"
    )


@pytest.mark.parametrize("reply", [{}, {"RequestID": ""}, {"RequestID": None}, [], "r1"])
def test_acceptance_without_a_request_id_is_no_verdict(reply: Any) -> None:
    with pytest.raises(ServerFault, match="RequestID"):
        wire.read_async(reply)


def task(word: Any, message: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "RequestID": "r1",
        "TaskStatus": {"TaskType": "Lead Update", "Status": word, "Message": message, **more},
    }


GOOD = {"Status": "Success", "Message": {"AffectedRows": 1}}
BAD = {
    "Status": "Error",
    "ExceptionType": "MXDuplicateEntryException",
    "ExceptionMessage": "A Lead with same\nPhone exists",
}


@pytest.mark.parametrize(
    "message",
    [
        None,
        "",
        "done",
        GOOD,
        json.dumps(GOOD),
        json.dumps(json.dumps(GOOD)),
        {"AffectedRows": 2},
        [],
        "{broken",
    ],
)
@pytest.mark.parametrize("word", ["Success", " SUCCESS"])
def test_success_wherever_the_message_hides(word: str, message: Any) -> None:
    assert wire.read_status(task(word, message)) == Outcome(Kind.SYNCED)


@pytest.mark.parametrize("message", [BAD, json.dumps(BAD), json.dumps(json.dumps(BAD))])
@pytest.mark.parametrize("word", ["Success", "FAILURE", "error", "Failed"])
def test_an_error_inside_is_one_whatever_the_word_outside(word: str, message: Any) -> None:
    assert wire.read_status(task(word, message)) == Outcome(Kind.REJECTED, "A Lead with same Phone exists")


@pytest.mark.parametrize(
    "message",
    [
        {"AffectedRows": 0},
        {"Status": "Success", "Message": {"AffectedRows": "0"}},
        '{"Message":"{\\"AffectedRows\\":0}"}',
    ],
)
def test_a_success_that_changed_nothing_is_none(message: Any) -> None:
    outcome = wire.read_status(task("Success", message))
    assert (outcome.kind, outcome.reason) == (
        Kind.REJECTED,
        "LeadSquared reports success, but changed no lead (AffectedRows 0)",
    )


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (task("ERROR", None, StatusReason="Lead not found"), "Lead not found"),
        (task("ERROR", "plain words"), "plain words"),
        (task("ERROR", {"Message": "inner words"}), "inner words"),
        (task("ERROR", {"ExceptionType": "MXOther"}), "MXOther"),
        (task("ERROR"), "LeadSquared gave no reason"),
        (task("Failure", {"AffectedRows": 0}), "LeadSquared gave no reason"),
        ({"Status": "FAILURE", "StatusReason": "flat"}, "flat"),
    ],
)
def test_the_reason_of_a_failure_is_found(reply: Any, reason: str) -> None:
    assert wire.read_status(reply) == Outcome(Kind.REJECTED, reason)


@pytest.mark.parametrize(
    "reply",
    [
        task("In-Queue"),
        task("Sideways", GOOD),
        task(None),
        task(""),
        {"TaskStatus": None},
        {"RequestID": "r1"},
        {},
        [],
        {"TaskStatus": "In-Queue"},
    ],
)
def test_any_other_word_is_still_queued(reply: Any) -> None:
    assert wire.read_status(reply).kind is Kind.QUEUED


def test_a_task_status_may_be_a_word_or_json_in_text() -> None:
    assert wire.read_status({"TaskStatus": "Success"}).kind is Kind.SYNCED
    assert wire.read_status({"TaskStatus": json.dumps({"Status": "Success"})}).kind is Kind.SYNCED


@pytest.mark.parametrize(
    ("text", "forgotten"),
    [
        ('{"Status":"Error","Message":"RequestID not found"}', True),
        ('{"message":"Invalid Request Id"}', True),
        ('{"ExceptionMessage":"Request ID r1 does not exist"}', True),
        ('{"TaskStatus":null,"Message":"No record found"}', True),
        (json.dumps(task("FAILURE", "RequestID not found")), False),
        ('{"Status":"Error","Message":"Lead not found"}', False),
        (json.dumps(task("In-Queue")), False),
        ("<html>404</html>", False),
    ],
)
def test_a_forgotten_request(text: str, forgotten: bool) -> None:
    assert wire.is_forgotten(text) is forgotten


# whole calls


def mx(kind: str, message: str) -> str:
    return json.dumps({"Status": "Error", "ExceptionType": kind, "ExceptionMessage": message})


LIMITED = "API calls exceeded the limit of 10 in 5 second(s)"


@pytest.mark.parametrize("status", [200, 403, 429, 500])
@pytest.mark.parametrize(
    "text",
    [
        LIMITED,
        mx("MXAPIRateLimitExceededException", LIMITED),
        json.dumps({"Status": "Error", "Message": LIMITED}),
    ],
)
def test_a_throttle_is_one_by_its_words_with_any_status(status: int, text: str) -> None:
    with pytest.raises(Throttled, match="10 calls in 5 s") as caught:
        wire.verdict(status, {"retry-after": "3"}, text, 0.0)
    assert (caught.value.limit, caught.value.retry_after) == ((10, 5.0), 3.0)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (429, ""),
        (429, "<html>"),
        (500, mx("MXAPIRateLimitExceededException", "")),
        (429, LIMITED.replace("10", "0")),
    ],
)
def test_a_throttle_may_tell_no_limit(status: int, text: str) -> None:
    with pytest.raises(Throttled) as caught:
        wire.verdict(status, {}, text, 0.0)
    assert (caught.value.limit, caught.value.retry_after) == (None, None)


@pytest.mark.parametrize(
    ("status", "text", "kind", "words"),
    [
        (401, "", Denied, "HTTP 401"),
        (401, mx("MXOtherException", "x"), Denied, "x (MXOtherException)"),
        (403, '{"message":"Forbidden"}', Denied, "Forbidden"),
        (500, mx("MXInvalidAccessDetailsException", "Invalid credentials"), Denied, "Invalid credentials"),
        (200, mx("MXUnAuthorizedAccessException", "No"), Denied, "No"),
        (
            401,
            mx("MXUnAuthorizedAccessException", "Use API-US11.leadsquared.com"),
            Denied,
            "wrong region, use https://api-us11.leadsquared.com",
        ),
        (
            500,
            mx("MXDuplicateEntryException", "Same Phone +919988776655 a@b.c"),
            Refused,
            "Same Phone <number> <email> (MXDuplicateEntryException)",
        ),
        (200, mx("MXInvalidInputException", ""), Refused, "no reason given (MXInvalidInputException)"),
        (400, mx("MXUnknownAttributeException", "Attribute(s) does not exist - mx_A"), Refused, "mx_A"),
        (403, mx("MXOther", "x"), Denied, "x"),
        (400, "", Refused, "HTTP 400"),
        (404, "<html>", Refused, "HTTP 404"),
        (413, '{"message":"Too\\nlarge"}', Refused, "HTTP 413: Too large"),
        (408, "{}", ServerFault, "HTTP 408"),
        (500, "{}", ServerFault, "failed with HTTP 500"),
        (
            504,
            '{"message":"Endpoint request timed out"}',
            ServerFault,
            "HTTP 504: Endpoint request timed out",
        ),
        (502, "<html>", ServerFault, "LeadSquared answered HTTP 502 with HTML instead of JSON"),
        (503, "", ServerFault, "HTTP 503 with an empty reply"),
        (200, '{"Status":"Error","Message":"odd"}', ServerFault, "HTTP 200: odd"),
    ],
)
def test_the_table_of_failed_calls(status: int, text: str, kind: type[CallError], words: str) -> None:
    with pytest.raises(CallError) as caught:
        wire.verdict(status, {}, text, 0.0)
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(answer(SuccessfulLeads=["a"])),
        json.dumps(answer(FailedLeads=[("a", LIMITED)])),
        json.dumps(task("FAILURE", BAD)),
        json.dumps({"RequestID": "r", "Status": "Request accepted"}),
        "<html>",
        "[]",
    ],
)
def test_answers_that_are_read_on(text: str) -> None:
    wire.verdict(200, {}, text, 0.0)


def test_an_unknown_lead_in_a_read_is_known_by_its_words() -> None:
    assert wire.says_no_lead(mx("MXInvalidEntityException", "Lead does not exist in the system"))
    assert not wire.says_no_lead(mx("MXInvalidEntityException", "no"))
    assert not wire.says_no_lead('[{"Notes":"Lead does not exist"}]')
    assert not wire.says_no_lead('{"Status":"Error","Message":"Lead does not exist"}')


# facts


def test_metadata() -> None:
    fields = wire.read_metadata(
        [
            {
                "SchemaName": "mx_City",
                "DisplayName": "City",
                "DataType": "Text",
                "MaxLength": "50",
                "IsMandatory": True,
                "LockAfterCreate": 1,
                "Options": None,
            },
            {
                "SchemaName": "S",
                "Options": [{"Value": "a"}, {"Value": ""}, "x", {"Value": 3}],
                "IsMandatory": "false",
                "MaxLength": "",
            },
            {"SchemaName": "N", "MaxLength": 0, "LockAfterCreate": 0, "IsMandatory": "1"},
            {"DisplayName": "nameless"},
            "odd",
        ]
    )
    assert fields == [
        FieldInfo("mx_City", "City", "Text", 50, (), mandatory=True, locked=True),
        FieldInfo("S", "", "", None, ("a", "3"), mandatory=False, locked=False),
        FieldInfo("N", "", "", None, (), mandatory=True, locked=False),
    ]
    with pytest.raises(ServerFault, match="list of fields"):
        wire.read_metadata({"SchemaName": "S"})


@pytest.mark.parametrize(
    "names",
    [
        ("PendingMessages", "MaxDelayInSeconds", "ProcessingRatePerMinute"),
        ("pendingMessages", "maxDelayInSeconds", "processingRatePerMinute"),
        ("pendingmessages", "maxdelayinseconds", "processingrateperminute"),
        ("PENDINGMESSAGES", "MAXDELAYINSECONDS", "PROCESSINGRATEPERMINUTE"),
    ],
)
def test_metrics_in_any_spelling(names: tuple[str, ...]) -> None:
    assert wire.read_metrics(dict(zip(names, ("4", 1.5, 60), strict=True))) == Metrics(4, 1.5, 60.0)


def test_metrics_may_be_partly_there_but_not_missing() -> None:
    assert wire.read_metrics({"MaxDelayInSeconds": 0}) == Metrics(None, 0.0, None)
    for body_ in ({}, [], {"PendingMessages": "many"}):
        with pytest.raises(ServerFault, match="metrics"):
            wire.read_metrics(body_)


LEAD = {"ProspectID": "id-1", "EmailAddress": "a@b.c", "mx_City": None, "Score": 7, "Rate": 1.5, "Flag": True}


@pytest.mark.parametrize("reply", [[LEAD], {"RecordCount": 1, "Leads": [LEAD]}])
def test_a_lead_read_back(reply: Any) -> None:
    names = ["emailaddress", "mx_City", "Score", "Rate", "Flag", "mx_Missing"]
    assert wire.read_lead(reply, names) == dict(zip(names, ("a@b.c", "", "7", "1.5", "1", ""), strict=True))


@pytest.mark.parametrize("reply", [[], {"RecordCount": 0}, {"Leads": []}])
def test_no_lead_read_back(reply: Any) -> None:
    assert wire.read_lead(reply, ["A"]) is None


def test_an_ambiguous_or_odd_read_back_tells_nothing() -> None:
    with pytest.raises(Refused, match="2 leads"):
        wire.read_lead([LEAD, LEAD], ["A"])
    for reply in ("text", None, [1], {"Leads": {}}):
        with pytest.raises(ServerFault, match="list of leads"):
            wire.read_lead(reply, ["A"])


def test_keys_never_show() -> None:
    assert "$" not in repr(KEYS)


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=6)
    | st.sampled_from(["Success", "Error", '{"Status":"Success"}']),
    lambda x: (
        st.lists(x, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Status",
                    "Details",
                    "Message",
                    "TaskStatus",
                    "SuccessfulLeads",
                    "SuccessCount",
                    "IdentifierValue",
                    "ExceptionType",
                ]
            ),
            x,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(junk)
def test_any_json_is_an_outcome_or_an_error_of_ours(reply: object) -> None:
    for read in (
        lambda: wire.read_bulk(reply, batch("a")),
        lambda: wire.read_async(reply),
        lambda: wire.read_status(reply),
        lambda: wire.read_lead(reply, ["A"]),
        lambda: wire.read_metrics(reply),
        lambda: wire.read_metadata(reply),
        lambda: wire.verdict(500, {}, json.dumps(reply), 0.0),
    ):
        with contextlib.suppress(CallError):
            read()
