"""LeadByte's operations, by the pages "Update Leads via REST API" and "Update and processing quarantine leads"."""

import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from bridge.errors import CallError, Denied, Refused, ServerFault, Throttled
from bridge.exchange import Reply, Request
from bridge.leadbyte.operations import financials_request, process_request, update_request
from bridge.leadbyte.operations_replies import (
    Answer,
    Result,
    read_financials,
    read_process,
    read_updates,
)
from bridge.model import Kind
from bridge.operation import (
    Financials,
    LeadUpdate,
    QuarantineProcess,
    QuarantineUpdate,
    Update,
    amount,
)
from tests.leadbyte_pages import (
    HELD,
    KEY,
    LEAD,
    LEAD_UPDATED,
    QUARANTINE_UPDATED,
    QUARANTINE_UPDATED_REJECTED,
    QUARANTINE_UPDATED_RELEASED,
    QUEUED_REJECT,
    QUEUED_RELEASE,
)

BASE = "https://acme.leadbyte.co.uk/restapi/v1.3"
ZIP = {"postcode": "TN25 6QD"}
NOW = 1_700_000_000.0

PLAIN = LeadUpdate(LEAD, ZIP)
REPROCESS = LeadUpdate(LEAD, ZIP, action="reprocess")
TRIGGER = LeadUpdate(LEAD, ZIP, trigger=("1053",))
KEPT = QuarantineUpdate(LEAD, ZIP)
RELEASE = QuarantineUpdate(LEAD, ZIP, "process")
REJECT = QuarantineUpdate(LEAD, ZIP, "reject")
LET_GO = QuarantineProcess(HELD, "process")
MONEY = Financials((LEAD,), Decimal("80.00"), Decimal("120.00"), "33")


def reply(body: Any, status: int = 200, **headers: str) -> Reply:
    text = body if isinstance(body, str) else json.dumps(body)
    return Reply(status, headers, text.encode())


def updated(body: Any, *batch: Update, status: int = 200) -> Answer:
    return read_updates(reply(body, status), NOW, batch)


def one(body: Any, entry: Update = PLAIN, status: int = 200) -> Result:
    (result,) = updated(body, entry, status=status).results
    return result


def processed(body: Any, entry: QuarantineProcess = LET_GO, status: int = 200) -> Result:
    return read_process(reply(body, status), NOW, entry)


def booked(body: Any, entry: Financials = MONEY, status: int = 200) -> Result:
    return read_financials(reply(body, status), NOW, entry)


def answer(*leads: Any, **more: Any) -> dict[str, Any]:
    return {"status": "Success", "message": "OK", "leads": list(leads), **more}


def record(lead: Any = LEAD, success: Any = True, **more: Any) -> dict[str, Any]:
    return {"id": lead, "success": success, "message": "Lead updated", **more}


def held(lead: Any = LEAD, success: Any = True, **more: Any) -> dict[str, Any]:
    return {"quarantineId": lead, "success": success, "message": "Quarantine lead updated", **more}


def queued(lead: str = LEAD, what: str = "processing") -> str:
    return f"Quarantine ID '{lead}' queued for {what}"


# Requests (those of the pages: tests/edge/test_operations_pages.py)


def sent(request: Request) -> Any:
    return json.loads(request.body or b"", parse_float=Decimal)


def test_the_header_of_the_key_is_a_setting() -> None:
    requests = [update_request(BASE, KEY, [PLAIN], "X-KEY"), process_request(BASE, KEY, LET_GO, "X-KEY")]
    assert [request.headers.get("X-KEY") for request in requests] == [KEY, KEY]
    assert not any("X_KEY" in request.headers for request in requests)


def test_several_deliveries_and_a_reprocess_go_in_one_entry() -> None:
    entry = LeadUpdate("7", {"a": "ü"}, "reprocess", ("1053", "1054"))
    assert sent(update_request(BASE, KEY, [entry])) == {
        "leads": [
            {"id": "7", "action": "reprocess", "triggerDeliveryIds": ["1053", "1054"], "update": {"a": "ü"}}
        ]
    }


def test_leads_and_quarantined_leads_may_share_a_request() -> None:
    body = sent(update_request(BASE, KEY, [PLAIN, RELEASE]))
    assert [list(entry) for entry in body["leads"]] == [
        ["id", "update"],
        ["quarantineId", "update", "action"],
    ]


@pytest.mark.parametrize(
    ("lead", "told"),
    [("0", 0), ("12", 12), ("007", "007"), ("12a", "12a"), ("9" * 25, int("9" * 25)), ("-5", "-5")],
)
def test_an_id_that_is_no_number_goes_as_text(lead: str, told: Any) -> None:
    assert sent(process_request(BASE, KEY, QuarantineProcess(lead, "reject")))["quarantineId"] == told
    assert sent(financials_request(BASE, KEY, Financials((lead,), Decimal(1))))["leads"] == [told]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("80", "80.00"),
        ("80.5", "80.50"),
        ("80.000", "80.00"),
        ("0", "0.00"),
        ("-0.00", "0.00"),
        ("0.07", "0.07"),
        ("999999999999.99", "999999999999.99"),
        ("007.10", "7.10"),
        ("1." + "0" * 40, "1.00"),
    ],
)
def test_money_is_written_to_the_penny(text: str, written: str) -> None:
    request = financials_request(BASE, "k", Financials(("5",), payout=amount("payout", text)))
    assert request.body == f'{{"key":"k","leads":[5],"newPayout":{written}}}'.encode()


@given(st.integers(0, 10**14 - 1))
def test_no_penny_is_lost_or_made(pennies: int) -> None:
    body = sent(financials_request(BASE, "k", Financials(("5", "6"), revenue=Decimal(pennies) / 100)))
    assert list(body) == ["key", "leads", "newRevenue"]
    assert body["newRevenue"] * 100 == pennies
    assert body["newRevenue"].as_tuple().exponent == -2


def test_a_request_and_its_entries_show_nobody() -> None:
    shown = repr([PLAIN, KEPT, update_request(BASE, KEY, [PLAIN]), financials_request(BASE, KEY, MONEY)])
    assert "TN25" not in shown
    assert KEY not in shown


# Replies of the pages


def test_a_lead_is_updated() -> None:
    for entry in (PLAIN, TRIGGER, REPROCESS):
        result = one(LEAD_UPDATED, entry)
        assert (result.outcome.kind, result.outcome.reason) == (Kind.SYNCED, "")
        assert (result.message, result.warnings, result.errors) == ("Lead updated", (), ())


def test_a_quarantined_lead_is_updated() -> None:
    result = one(QUARANTINE_UPDATED, KEPT)
    assert (result.outcome.kind, result.message) == (Kind.SYNCED, "Quarantine lead updated")


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize(
    ("entry", "sample", "what"),
    [
        (RELEASE, QUARANTINE_UPDATED_RELEASED, "processing"),
        (REJECT, QUARANTINE_UPDATED_REJECTED, "rejection"),
    ],
)
def test_a_quarantined_lead_is_updated_and_released_by_either_spelling(
    entry: Update, sample: str, what: str, right: bool
) -> None:
    result = one(sample.replace("quaratine", "quarantine") if right else sample, entry)
    assert result.outcome.kind is Kind.SYNCED
    assert result.release == (queued(what=what),)


@pytest.mark.parametrize(
    ("action", "sample", "words"),
    [("process", QUEUED_RELEASE, "Queued for processing"), ("reject", QUEUED_REJECT, "Queued for rejection")],
)
def test_a_release_is_queued(action: Any, sample: str, words: str) -> None:
    result = processed(sample, QuarantineProcess(HELD, action))
    assert (result.outcome.kind, result.release) == (Kind.SYNCED, (words,))
    assert result.message == "Quarantined lead(s) processed successfully"


@pytest.mark.parametrize("word", ["Success", "success", " SUCCESS "])
def test_financials_are_booked(word: str) -> None:
    assert booked({"status": word}).outcome.kind is Kind.SYNCED


# Lead by lead


def test_each_entry_has_its_own_result_in_the_order_of_the_batch() -> None:
    batch = [LeadUpdate(lead, ZIP) for lead in ("1", "2", "3", "4")]
    body = answer(
        record("4"), record(3, message="x"), record("1", False, message="Lead not valid", errors=["no"])
    )
    told = updated(body, *batch)
    assert [result.outcome.kind for result in told.results] == [
        Kind.REJECTED,
        Kind.UNLISTED,
        Kind.SYNCED,
        Kind.SYNCED,
    ]
    assert told.results[0].outcome.reason == "Lead not valid; no"
    assert told.results[1].outcome.reason == "LeadByte's answer does not name this lead: OK"
    assert told.warning == "1 named not at all"


def test_a_lead_and_a_quarantined_lead_of_the_same_number_are_two() -> None:
    body = answer(held(success=False, message="gone"), record())
    results = updated(body, PLAIN, KEPT).results
    assert [(one.outcome.kind, one.outcome.reason) for one in results] == [
        (Kind.SYNCED, ""),
        (Kind.REJECTED, "gone"),
    ]
    assert one(answer(held()), PLAIN).outcome.kind is Kind.UNLISTED
    assert one(answer(record()), KEPT).outcome.kind is Kind.UNLISTED


@pytest.mark.parametrize("lead", [LEAD, int(LEAD), f" {LEAD} ", float(LEAD)])
def test_ids_are_compared_as_text(lead: Any) -> None:
    assert one(answer(record(lead))).outcome.kind is Kind.SYNCED
    assert one(answer(held(lead), quaratineReleaseResults=[queued()]), RELEASE).outcome.kind is Kind.SYNCED


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        *[(value, Kind.SYNCED) for value in (True, "true", "TRUE", 1, "1")],
        *[(value, Kind.REJECTED) for value in (False, "false", "False", 0, "0")],
        *[(value, Kind.UNLISTED) for value in (None, "", "yes", 2, [], [True], {"a": True}, "Queued")],
    ],
)
def test_only_a_clear_success_is_one(value: Any, kind: Kind) -> None:
    assert one(answer(record(success=value))).outcome.kind is kind


def test_a_record_that_says_nothing_of_success_is_unclear() -> None:
    result = one(answer({"id": LEAD, "message": "Lead updated"}))
    assert result.outcome.kind is Kind.UNLISTED
    assert (
        result.outcome.reason
        == "LeadByte's answer does not say clearly what became of this lead: Lead updated"
    )


def test_a_failure_without_words_says_so() -> None:
    assert one(answer({"id": LEAD, "success": False})).outcome.reason == "LeadByte gave no reason"


def test_names_are_read_in_any_case() -> None:
    body = {"STATUS": "success", "Leads": [{"ID": LEAD, "SUCCESS": True, "Warnings": ["w"]}]}
    assert (one(body).outcome.kind, one(body).warnings) == (Kind.SYNCED, ("w",))


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        (None, ()),
        ([], ()),
        ({}, ()),
        ("", ()),
        (False, ()),
        (0, ()),
        ("one\nline", ("one line",)),
        (["a", None, ["b"]], ("a", "b")),
        ({"postcode": ["too long", {"at": 7}]}, ("postcode: too long", "postcode: at: 7")),
        (True, ("true",)),
        ([str(number) for number in range(1, 99)], tuple(str(number) for number in range(1, 21))),
        ("x" * 500, ("x" * 199 + "…",)),
    ],
)
def test_warnings_and_errors_are_kept_a_line_each(value: Any, lines: tuple[str, ...]) -> None:
    assert one(answer(record(warnings=value))).warnings == lines
    assert one(answer(record(warnings=value))).outcome.kind is Kind.SYNCED
    assert one(answer(record(success=False, errors=value))).errors == lines


def test_success_with_errors_is_refused_or_unclear_but_no_success() -> None:
    body = answer(record(errors=["Delivery 1053 is not manual"]))
    assert one(body, PLAIN).outcome.kind is Kind.REJECTED
    assert one(body, TRIGGER).outcome.kind is Kind.UNLISTED
    assert one(body, TRIGGER).outcome.reason.endswith(
        "with errors: Lead updated; Delivery 1053 is not manual"
    )


def test_an_id_named_twice_counts_only_if_both_say_the_same() -> None:
    twice = updated(answer(record(), record()), PLAIN)
    assert (twice.results[0].outcome.kind, twice.warning) == (Kind.SYNCED, "1 named more than once")
    assert one(answer(record(), record(success=False))).outcome.kind is Kind.UNLISTED
    assert one(answer(record(success=False), record(success=False))).outcome.kind is Kind.REJECTED


def test_two_entries_of_one_id_need_two_records() -> None:
    kinds = [result.outcome.kind for result in updated(answer(record()), PLAIN, TRIGGER).results]
    assert kinds == [Kind.UNLISTED, Kind.UNLISTED]
    kinds = [result.outcome.kind for result in updated(answer(record(), record()), PLAIN, TRIGGER).results]
    assert kinds == [Kind.SYNCED, Kind.SYNCED]
    kinds = [result.outcome.kind for result in updated(answer(record(success=False)), PLAIN, TRIGGER).results]
    assert kinds == [Kind.REJECTED, Kind.REJECTED]


@pytest.mark.parametrize(
    "leads", [None, [], {}, "2932682", 5, [None, "x", [record()]], {LEAD: record()}, True]
)
def test_leads_of_another_shape_name_nobody(leads: Any) -> None:
    assert one({"status": "Success", "message": "OK", "leads": leads}).outcome.kind is Kind.UNLISTED


def test_one_object_instead_of_a_list_is_read() -> None:
    assert one({"status": "Success", "leads": record()}).outcome.kind is Kind.SYNCED


def test_records_of_somebody_else_are_told() -> None:
    told = updated(answer(record("6"), record(), {"success": True}), PLAIN)
    assert (told.results[0].outcome.kind, told.warning) == (Kind.SYNCED, "2 named of other leads")
    assert updated(LEAD_UPDATED, PLAIN).warning is None


# Releases


@pytest.mark.parametrize(
    "released",
    [
        None,
        [],
        {},
        "",
        [queued("29326820")],
        [queued("29326")],
        [queued(what="rejection")],
        ["Queued for processing"],
        ["Quarantine ID '2932682' not found"],
        ["Quarantine ID '2932682' not queued for processing"],
        [queued(), "Quarantine ID '2932682' failed"],
        [queued(), queued(what="rejection")],
        {LEAD: "Queued"},
        {LEAD: queued("6")},
        {LEAD: None},
        [[{"other": queued()}]],
    ],
)
def test_an_update_whose_release_is_not_told_is_unclear(released: Any) -> None:
    result = one(answer(held(), quaratineReleaseResults=released), RELEASE)
    assert result.outcome.kind is Kind.UNLISTED
    assert result.outcome.reason.startswith(
        "LeadByte's answer does not say that the lead was queued for processing"
    )


@pytest.mark.parametrize(
    "released",
    [
        queued(),
        [queued(), queued("6", "rejection")],
        [queued().upper() + "."],
        [f"Quarantine ID {LEAD} queued for processing"],
        {LEAD: "Queued for processing"},
        [{f" {LEAD} ": ["queued  for\nprocessing"]}, None],
    ],
)
def test_a_release_is_read_in_other_shapes(released: Any) -> None:
    assert one(answer(held(), quaratineReleaseResults=released), RELEASE).outcome.kind is Kind.SYNCED


def test_both_spellings_at_once_must_agree() -> None:
    body = answer(
        held(), quaratineReleaseResults=[queued()], quarantineReleaseResults=[queued(what="rejection")]
    )
    result = one(body, RELEASE)
    assert result.outcome.kind is Kind.UNLISTED
    assert set(result.release) == {queued(), queued(what="rejection")}


def test_each_release_goes_to_the_entry_that_it_names() -> None:
    batch: list[Update] = [
        RELEASE,
        QuarantineUpdate("6", ZIP, "reject"),
        LeadUpdate("6", ZIP),
        QuarantineUpdate("7", ZIP),
    ]
    body = answer(
        held(),
        held("6"),
        record("6"),
        held("7"),
        quaratineReleaseResults=[queued("6", "rejection"), queued()],
    )
    results = updated(body, *batch).results
    assert [result.release for result in results] == [(queued(),), (queued("6", "rejection"),), (), ()]
    assert {result.outcome.kind for result in results} == {Kind.SYNCED}


def test_a_failed_update_that_was_queued_all_the_same_is_unclear() -> None:
    failed = held(success=False, message="Lead not found")
    assert one(answer(failed), RELEASE).outcome.kind is Kind.REJECTED
    assert one(answer(failed, quaratineReleaseResults=[queued()]), RELEASE).outcome.kind is Kind.UNLISTED
    result = one(answer(failed, quaratineReleaseResults=["Quarantine ID '2932682' not found"]), RELEASE)
    assert result.outcome.kind is Kind.REJECTED
    assert result.outcome.reason == "Lead not found; Quarantine ID '2932682' not found"


@pytest.mark.parametrize(
    "details",
    [
        None,
        [],
        {},
        {HELD: "Queued"},
        {HELD: "Queued for rejection"},
        {HELD: "Could not be queued for processing"},
        {HELD: None},
        {HELD: ["Queued for processing", "Failed"]},
        {"8419716": "Queued for processing"},
        ["Queued for processing"],
        "Queued for processing",
        {HELD: {"status": "Queued for processing"}},
    ],
)
def test_a_release_by_other_words_is_unclear(details: Any) -> None:
    result = processed({"status": "Success", "message": "OK", "details": details})
    assert result.outcome.kind is Kind.UNLISTED
    assert "does not say that the lead was queued for processing" in result.outcome.reason


def test_details_are_read_as_a_list_too_and_keep_their_words() -> None:
    assert processed({"status": "Success", "details": [queued(HELD)]}).outcome.kind is Kind.SYNCED
    held_up = processed({"status": "Success", "details": {HELD: "Cap reached"}})
    assert held_up.release == ("Cap reached",)
    assert held_up.outcome.reason.endswith(": Cap reached")


def test_a_queued_release_beside_an_error_is_unclear() -> None:
    details = {HELD: "Queued for processing"}
    assert processed({"status": "Success", "details": details, "errors": ["x"]}).outcome.kind is Kind.UNLISTED
    for status in (200, 400, 500):
        result = processed({"status": "Error", "message": "Oops", "details": details}, status=status)
        assert result.outcome.kind is Kind.UNLISTED
        assert "no success: Oops; Queued for processing" in result.outcome.reason


def test_a_refused_release_is_the_leads_own_reason() -> None:
    result = processed({"status": "Error", "message": "Failed", "details": {HELD: "Not in quarantine"}})
    assert (result.outcome.kind, result.outcome.reason) == (Kind.REJECTED, "Failed; Not in quarantine")


# Financials


@pytest.mark.parametrize(
    "more",
    [
        {"errors": ["Lead 2932682 is not Approved"]},
        {"leads": [{"id": LEAD, "success": False, "message": "not Approved"}]},
        {"leads": [{"id": LEAD, "success": "perhaps"}]},
        {"details": {LEAD: {"success": False, "errors": "not Approved"}}},
        {"details": {"success": 0}},
    ],
)
def test_financials_that_fail_for_one_are_no_success(more: dict[str, Any]) -> None:
    result = booked({"status": "Success", **more})
    assert result.outcome.kind is Kind.REJECTED
    assert result.outcome.reason.startswith("LeadByte says success, but not of every lead")


@pytest.mark.parametrize(
    "more",
    [
        {"leads": [int(LEAD)]},
        {"leads": [{"id": LEAD, "success": True}], "errors": [], "details": {}},
        {"details": {LEAD: "Updated"}},
        {"message": "OK", "leads": None},
    ],
)
def test_financials_are_booked_whatever_else_is_there(more: dict[str, Any]) -> None:
    assert booked({"status": "Success", **more}).outcome.kind is Kind.SYNCED


@pytest.mark.parametrize("status", [200, 400, 422])
def test_refused_financials_are_the_leads_own_reason(status: int) -> None:
    words = "Financial updates are not allowed for lead 2932682: it is not Approved"
    result = booked({"status": "Error", "message": words}, status=status)
    assert (result.outcome.kind, result.outcome.reason) == (Kind.REJECTED, words)


# Whole calls


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        ([PLAIN], "permission 'Leads > Update'"),
        ([PLAIN, KEPT], "permission 'Leads > Update'"),
        ([PLAIN, RELEASE], "permissions 'Leads > Update' and 'Quarantine > Process'"),
        ([LET_GO], "permission 'Quarantine > Process'"),
        ([MONEY], "permission 'Update Payout/Revenue'"),
    ],
)
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, "no"),
        (403, {"status": "Error", "message": "not for you"}),
        (200, {"status": "Error", "message": "Invalid API key"}),
        (400, {"message": "You do not have permission"}),
        (403, {"status": "Success"}),
        (403, {"status": "Error", "message": "Buyer limit reached", "leads": [], "details": {}}),
        (400, {"error": "Unauthorised"}),
    ],
)
def test_a_denied_key_names_the_permission_that_is_needed(
    entries: Sequence[Any], named: str, status: int, body: Any
) -> None:
    with pytest.raises(Denied, match=re.escape(f": check the key and its {named}") + "$") as error:
        read(reply(body, status), entries)
    assert "API queue" not in str(error.value)


def read(answered: Reply, entries: Sequence[Any]) -> list[Result]:
    if isinstance(entries[0], QuarantineProcess):
        return [read_process(answered, NOW, entries[0])]
    if isinstance(entries[0], Financials):
        return [read_financials(answered, NOW, entries[0])]
    return list(read_updates(answered, NOW, entries).results)


EACH: list[list[Any]] = [[PLAIN], [TRIGGER, KEPT], [RELEASE], [LET_GO], [MONEY]]


@pytest.mark.parametrize("entries", EACH)
@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (429, "", Throttled),
        (429, {"queueId": "x", "status": "Success"}, Throttled),
        (200, {"status": "Error", "message": "Rate limit"}, Throttled),
        (200, "", ServerFault),
        (200, "<html>", ServerFault),
        (200, "[]", ServerFault),
        (200, "null", ServerFault),
        (200, "{}", ServerFault),
        (200, {"status": None}, ServerFault),
        (200, {"status": "Partial", "message": "Some"}, ServerFault),
        (500, "Error", ServerFault),
        (408, {"status": "Error", "message": "Timeout"}, ServerFault),
        (500, {"status": "Error", "message": "Lead not found"}, ServerFault),
        (502, {"status": "Success", "message": "OK"}, ServerFault),
        (500, {"queueId": "x", "status": "Approved"}, ServerFault),
        (404, "<html>Not Found</html>", Refused),
        (302, "", Refused),
        (400, {}, Refused),
        (400, {"status": "Success", "message": "OK"}, ServerFault),
        (404, {"status": "Partial", "message": "Some not found"}, ServerFault),
        (200, {"status": "Partial", "message": "Rate limit"}, ServerFault),
        (500, "null", ServerFault),
        (400, "[]", Refused),
    ],
)
def test_a_call_without_a_verdict_is_an_error(
    entries: list[Any], status: int, body: Any, error: type[CallError]
) -> None:
    with pytest.raises(error, match=r"^LeadByte ") as raised:
        read(reply(body, status), entries)
    assert type(raised.value) is error


def test_a_throttle_says_how_long() -> None:
    with pytest.raises(Throttled) as error:
        read_updates(reply("", 429, **{"retry-after": "7"}), NOW, [PLAIN])
    assert error.value.retry_after == 7.0


@pytest.mark.parametrize("status", [200, 404, 400])
def test_a_refused_batch_is_an_error_and_a_refused_entry_a_result(status: int) -> None:
    body = {"status": "Error", "message": "Lead 2932682 not found, ask a@b.co"}
    with pytest.raises(Refused, match=r"^LeadByte refused the call") as error:
        updated(body, PLAIN, KEPT, status=status)
    assert "not found" in str(error.value)
    assert "a@b.co" not in str(error.value)
    result = one(body, PLAIN, status)
    assert (result.outcome.kind, result.outcome.reason) == (
        Kind.REJECTED,
        "Lead 2932682 not found, ask a@b.co",
    )


def test_a_refusal_in_no_words_is_an_error() -> None:
    with pytest.raises(Refused, match=r"^LeadByte refused the call: Error$"):
        updated({"status": "Error"}, PLAIN, KEPT)
    assert one({"status": "Error"}).outcome.reason == "Error"


@pytest.mark.parametrize("status", [200, 207, 400, 500])
def test_records_in_an_answer_that_is_no_success_fail_but_never_succeed(status: int) -> None:
    body = {
        "status": "Error",
        "message": "Some failed",
        "leads": [record(), record("6", False, message="Not allowed for rejected leads")],
    }
    results = updated(body, PLAIN, LeadUpdate("6", ZIP), LeadUpdate("8", ZIP), status=status).results
    assert [result.outcome.kind for result in results] == [Kind.UNLISTED, Kind.REJECTED, Kind.UNLISTED]
    assert results[1].outcome.reason == "Not allowed for rejected leads"
    assert "that is no success" in results[0].outcome.reason
    assert "does not name this lead: Some failed" in results[2].outcome.reason


def test_what_is_said_of_one_lead_stops_no_calls() -> None:
    body = {
        "status": "Error",
        "leads": [record(success=False, message="No permission; too many"), record("6")],
    }
    results = updated(body, PLAIN, LeadUpdate("6", ZIP)).results
    assert [result.outcome.kind for result in results] == [Kind.REJECTED, Kind.UNLISTED]


def test_a_release_that_was_queued_without_a_record_is_unclear() -> None:
    body = {"status": "Error", "message": "Oops", "quaratineReleaseResults": [queued()]}
    result = one(body, RELEASE)
    assert (result.outcome.kind, result.release) == (Kind.UNLISTED, (queued(),))
    assert one({**body, "quaratineReleaseResults": [queued("6")]}, RELEASE).outcome.kind is Kind.UNLISTED


@pytest.mark.parametrize("status", [207, 299])
def test_any_status_below_300_may_be_a_success(status: int) -> None:
    assert one(LEAD_UPDATED, status=status).outcome.kind is Kind.SYNCED


@pytest.mark.parametrize("status", [300, 400, 500])
def test_a_success_with_a_failing_status_is_unclear(status: int) -> None:
    assert one(LEAD_UPDATED, status=status).outcome.kind is Kind.UNLISTED


# What may not be sent twice

ONCE: list[list[Any]] = [
    [TRIGGER, REPROCESS],
    [TRIGGER],
    [RELEASE, LeadUpdate("6", ZIP, "reprocess")],
    [LET_GO],
]
HEADS: list[tuple[int, dict[str, Any]]] = [
    (429, {"message": "Too many requests"}),
    (200, {"status": "Error", "message": "Rate limit reached, 1 of 2 leads updated"}),
    (400, {"status": "Error", "message": "API calls exceeded the limit of 10 in 5 second(s)"}),
    (401, {"status": "Error", "message": "Unauthorised"}),
    (403, {"message": "Forbidden"}),
    (200, {"status": "Error", "message": "Invalid API key"}),
    (200, {"status": "Error", "message": "Failed"}),
    (404, {"status": "Error", "message": "Lead not found"}),
    (302, {}),
    (500, {"status": "Error", "message": "Permission denied"}),
    (503, {"message": "Too many requests"}),
]
"""Answers that throttle, deny, refuse or fail a call that nothing beside them says was carried out."""
CLAIMS: list[Any] = [
    {"leads": [record()]},
    {"leads": [held()]},
    {"leads": [record("77"), record("6", False)]},
    {"leads": [{"id": LEAD, "message": "Lead updated"}]},
    {"leads": [record(success=True), record(success=False)]},
    {"leads": {LEAD: {"success": "true"}}},
    {"data": {"results": [{"Success": 1}]}},
    {"success": True},
    {"details": {HELD: "Queued for processing"}},
    {"details": [queued(HELD)]},
    {"details": {"queued": [HELD]}},
    {"details": {HELD: {"status": "Queued"}}},
    {"details": {HELD: "Lead was queued."}},
    {"quaratineReleaseResults": [queued()]},
    {"quarantineReleaseResults": {"6": "queued for rejection"}},
]


@pytest.mark.parametrize("entries", ONCE)
@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize(("status", "head"), HEADS)
def test_an_answer_that_says_a_lead_was_done_is_never_one_about_the_call(
    entries: list[Any], status: int, head: dict[str, Any], claim: dict[str, Any]
) -> None:
    results = read(reply({**head, **claim}, status), entries)
    assert len(results) == len(entries)
    failed = {"6"} if "77" in json.dumps(claim) else set()
    for entry, result in zip(entries, results, strict=True):
        refused = isinstance(entry, LeadUpdate) and entry.lead_id in failed
        assert result.outcome.kind is (Kind.REJECTED if refused else Kind.UNLISTED)


@pytest.mark.parametrize("body", [[record()], [{"id": LEAD}], {"status": "Queued"}])
@pytest.mark.parametrize("status", [429, 401, 400, 500])
def test_what_was_done_is_seen_in_other_shapes_too(body: Any, status: int) -> None:
    for entries in ONCE:
        assert {one.outcome.kind for one in read(reply(body, status), entries)} == {Kind.UNLISTED}


@pytest.mark.parametrize(
    "words",
    [
        "Not queued for processing",
        "Could not be queued for processing",
        "Has not been queued",
        "Wasn't queued",
        "It can't be queued for rejection",
        "The queue is full",
    ],
)
def test_words_that_say_it_was_not_queued_are_a_refusal(words: str) -> None:
    result = processed({"status": "Error", "message": "Failed", "details": {HELD: words}})
    assert (result.outcome.kind, result.outcome.reason) == (Kind.REJECTED, f"Failed; {words}")
    body = {"status": "Error", "leads": [held(success=False)], "quaratineReleaseResults": {LEAD: words}}
    assert one(body, RELEASE).outcome.kind is Kind.REJECTED
    body["quaratineReleaseResults"] = {LEAD: "Queued"}
    assert one(body, RELEASE).outcome.kind is Kind.UNLISTED


@pytest.mark.parametrize("entries", ONCE)
@pytest.mark.parametrize("status", [200, 302, 400, 403, 429])
@pytest.mark.parametrize(
    "words",
    [
        "Rate limit reached",
        "rate-limited",
        "Too many requests",
        "Too many API calls",
        "API calls exceeded the limit of 10 in 5 second(s)",
        "At most 60 requests per minute",
        "API limit reached",
        "Request was throttled",
    ],
)
def test_words_about_calls_per_time_throttle(entries: list[Any], status: int, words: str) -> None:
    with pytest.raises(Throttled):
        read(reply({"status": "Error", "message": words, "leads": []}, status), entries)
    if status >= 300:
        with pytest.raises(Throttled):
            read(reply(f"<html>{words}</html>", status), entries)


@pytest.mark.parametrize("status", [200, 400, 404, 422])
@pytest.mark.parametrize(
    "words",
    [
        "Buyer daily limit reached",
        "Buyer rate limit reached",
        "Daily cap reached",
        "Cap: rate limit of this delivery",
        "Retry limit exceeded",
        "Corporate limit reached",
        "Too many leads for this buyer",
        "Too many connections",
        "The lead's limit has been exceeded",
        "Not allowed for rejected leads",
        "Access denied by the buyer",
    ],
)
def test_words_about_a_lead_or_a_buyer_refuse_it(words: str, status: int) -> None:
    body = {"status": "Error", "message": words}
    for entry in (LET_GO, RELEASE, TRIGGER):
        (result,) = read(reply(body, status), [entry])
        assert (result.outcome.kind, result.outcome.reason) == (Kind.REJECTED, words)
    with pytest.raises(Refused):
        updated(body, TRIGGER, REPROCESS, status=status)


@pytest.mark.parametrize("entries", [*ONCE, *EACH])
@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504, 599])
@pytest.mark.parametrize(
    "words",
    [
        "Too many connections",
        "Too many requests",
        "Lock wait: retry limit exceeded",
        "API calls exceeded the limit of 10 in 5 second(s)",
        "permission denied writing session file",
        "Invalid API key",
        "Unauthorised",
        "Lead not found",
    ],
)
def test_a_server_that_fails_gives_no_verdict_whatever_it_says(
    entries: list[Any], status: int, words: str
) -> None:
    for body in ({"status": "Error", "message": words}, {"error": words}, f"<html>{words}</html>", words):
        with pytest.raises(ServerFault, match=r"^LeadByte "):
            read(reply(body, status), entries)


@pytest.mark.parametrize("status", [200, 400, 401, 403])
@pytest.mark.parametrize("words", ["Rate limit", "Too many requests", "Invalid API key", "No permission"])
def test_beside_a_record_words_neither_throttle_nor_deny(words: str, status: int) -> None:
    body = {"status": "Error", "message": words, "leads": [record(success=False, message="Not valid")]}
    results = updated(body, TRIGGER, LeadUpdate("6", ZIP, "reprocess"), status=status).results
    assert [result.outcome.kind for result in results] == [Kind.REJECTED, Kind.UNLISTED]
    assert results[0].outcome.reason == "Not valid"
    release = processed(
        {"status": "Error", "message": words, "details": {HELD: "Not in quarantine"}}, status=status
    )
    assert (release.outcome.kind, release.outcome.reason) == (Kind.REJECTED, f"{words}; Not in quarantine")
    said = {"status": "Error", "message": words, "quaratineReleaseResults": {LEAD: "Not in quarantine"}}
    assert one(said, RELEASE, status).outcome.reason == f"{words}; Not in quarantine"
    other = {"status": "Error", "message": words, "leads": [record("77", success=False)]}
    for entry in (LET_GO, RELEASE, MONEY):
        assert read(reply(other, status), [entry])[0].outcome.kind is Kind.REJECTED


def test_too_many_calls_are_a_throttle_beside_a_record_that_failed() -> None:
    with pytest.raises(Throttled):
        updated({"leads": [record(success=False)]}, TRIGGER, status=429)


@pytest.mark.parametrize("body", [{"message": "Lead not found"}, {"error": "No such lead"}])
def test_not_found_refuses_without_a_status_too(body: dict[str, str]) -> None:
    assert processed(body).outcome.kind is Kind.REJECTED


# Any reply

WORDS = st.sampled_from(
    [
        "",
        "Success",
        "Error",
        "OK",
        "not found",
        "permission",
        "Queued for processing",
        queued(),
        LEAD,
        HELD,
        "6",
    ]
)
NAMES = st.sampled_from(
    "status Status message leads details id quarantineId success warnings errors queueId quaratineReleaseResults "
    f"quarantineReleaseResults {LEAD} {HELD}".split()
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=25,
)
GOOD: list[tuple[list[Any], str]] = [
    ([PLAIN], LEAD_UPDATED),
    ([TRIGGER, KEPT], json.dumps(answer(record(), held()))),
    ([RELEASE], QUARANTINE_UPDATED_RELEASED),
    ([LET_GO], QUEUED_RELEASE),
    ([MONEY], '{"status": "Success", "message": "OK"}'),
]


@st.composite
def bent(draw: st.DrawFn) -> tuple[list[Any], Any]:
    """Entries and their good reply, in which up to two values are others."""
    entries, sample = draw(st.sampled_from(GOOD))
    body = json.loads(sample)
    for _ in range(draw(st.integers(0, 2))):
        place, name = draw(st.sampled_from(list(places(body))))
        place[name] = draw(VALUES)
    return entries, body


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield value, name
            yield from places(inner)


STATUSES = st.sampled_from([200, 200, 200, 204, 302, 400, 401, 404, 429, 500])


def says(body: Any, name: str, wanted: set[str]) -> bool:
    """Whether a member of this name somewhere in the reply holds one of these words."""
    if isinstance(body, dict):
        own = any(key.lower() == name and str(value).strip().lower() in wanted for key, value in body.items())
        return own or any(says(value, name, wanted) for value in body.values())
    return isinstance(body, list) and any(says(value, name, wanted) for value in body)


@given(STATUSES, bent() | st.tuples(st.sampled_from(EACH), VALUES))
def test_any_answer_gives_a_result_for_each_entry_or_an_error(
    status: int, case: tuple[list[Any], Any]
) -> None:
    entries, body = case
    try:
        results = read(reply(body, status), entries)
    except (Throttled, Denied, Refused, ServerFault) as error:
        event(type(error).__name__)
        if isinstance(error, Throttled | Denied | Refused) and entries != [MONEY]:
            assert not says(body, "success", {"true", "1"})
        return
    assert len(results) == len(entries)
    for entry, result in zip(entries, results, strict=True):
        event(f"{type(entry).__name__} {result.outcome.kind}")
        assert result.outcome.kind in {Kind.SYNCED, Kind.REJECTED, Kind.UNLISTED}
        assert bool(result.outcome.reason) is (result.outcome.kind is not Kind.SYNCED)
        told = (result.message, *result.warnings, *result.errors, *result.release)
        assert all(line.isprintable() and len(line) <= 200 for line in told)
        assert result.outcome.reason.isprintable()
        assert len(result.outcome.reason) <= 300
        if result.outcome.kind is Kind.SYNCED:
            assert status < 300
            assert says(body, "status", {"success"})
            assert not result.errors
            if isinstance(entry, LeadUpdate | QuarantineUpdate):
                assert says(body["leads"], "success", {"true", "1", "1.0"})
            if getattr(entry, "action", "") == "process":
                assert "queued for processing" in json.dumps(body).lower()


@given(st.sampled_from(EACH), STATUSES, st.binary(max_size=60))
def test_any_bytes_give_an_error_or_a_result(entries: list[Any], status: int, body: bytes) -> None:
    with pytest.raises((Throttled, Denied, Refused, ServerFault)):
        read(Reply(status, {}, body), entries)
