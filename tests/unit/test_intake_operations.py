"""What is to be told to LeadByte, from files and words: what is taken, what is refused, and how it is shown."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.cli.leadbyte_asking import NOTHING_SENT, agreed_to, gathered, question
from bridge.cli.leadbyte_requests import show_requests
from bridge.errors import UsageError
from bridge.intake import BadLine
from bridge.intake.forms import Form, Given
from bridge.intake.operations import FINANCIALS, PROCESS, UPDATE, once_each, read_operations
from bridge.operation import Financials, LeadUpdate, Operation, QuarantineProcess, QuarantineUpdate
from bridge.settings import Leadbyte

FORMS: dict[str, Form] = {"update": UPDATE, "financials": FINANCIALS, "release": PROCESS["process"]}


def read(form: str, text: str | bytes, told: Given | None = None) -> list[Operation | str]:
    """The operations of a text, and what is told of its bad lines."""
    raw = text if isinstance(text, bytes) else text.encode()
    found = once_each(read_operations(io.BytesIO(raw), "f", FORMS[form], told or Given()))
    return [str(one) if isinstance(one, BadLine) else one.operation for one in found]


@pytest.mark.parametrize(
    ("form", "text", "operation"),
    [
        ("release", "quarantineId\n7\n", QuarantineProcess("7", "process")),
        ("release", "\ufeffQuarantine ID;\n 7 ;\n", QuarantineProcess("7", "process")),
        ("release", '{"quarantine_id": 7}', QuarantineProcess("7", "process")),
        ("financials", "lead_id\tpayout\n7\t80.10\n", Financials(("7",), Decimal("80.10"))),
        ("financials", '{"leadId": 7, "revenue": 80.10}', Financials(("7",), None, Decimal("80.10"))),
        ("financials", "leadId,payout,revenue,buyer\n7,1,,33\n", Financials(("7",), Decimal(1), None, "33")),
        ("update", 'leadId,c1,c2\n7,,"a, b"\n', LeadUpdate("7", {"c2": "a, b"})),
        ("update", '{"LEAD_ID": "7", "c1": "", "c2": null}', LeadUpdate("7", {"c1": ""})),
        ("update", '{"leadId": 7, "update": {"action": 1.50}}', LeadUpdate("7", {"action": "1.50"})),
        ("update", '{"leadId": 7, "c1": 1, "trigger": 5}', LeadUpdate("7", {"c1": "1"}, trigger=("5",))),
        (
            "update",
            '{"leadId": 7, "c1": 1, "triggerDeliveryIds": ["5", 6], "action": "Reprocess"}',
            LeadUpdate("7", {"c1": "1"}, "reprocess", ("5", "6")),
        ),
        ("update", '{"quarantineId": 7, "c1": 1}', QuarantineUpdate("7", {"c1": "1"})),
        (
            "update",
            '{"quarantineId": 7, "c1": 1, "action": "release"}',
            QuarantineUpdate("7", {"c1": "1"}, "process"),
        ),
    ],
)
def test_a_line_is_the_operation_it_says(form: str, text: str, operation: Operation) -> None:
    assert read(form, text) == [operation]


def test_a_line_that_says_otherwise_wins_over_the_command() -> None:
    told = Given({"c1": "all", "c2": "all"}, "reprocess", ("5",))
    text = '{"leadId": 7, "c1": "own"}\n{"leadId": 8, "c1": "own", "action": "", "trigger": [6]}\n'
    assert read("update", text, told) == [
        LeadUpdate("7", {"c1": "own", "c2": "all"}, "reprocess", ("5",)),
        LeadUpdate("8", {"c1": "own", "c2": "all"}, "", ("6",)),
    ]
    assert read("financials", "leadId,payout\n7,1\n8,\n", Given(payout="2", buyer="33")) == [
        Financials(("7",), Decimal(1), None, "33"),
        Financials(("8",), Decimal(2), None, "33"),
    ]


def test_a_line_and_the_command_name_a_field_in_one_spelling() -> None:
    own, other = read("update", "leadId,C1\n7,own\n8,\n", Given({"c1": "all"}))
    assert str(own).startswith("f:2: a field is named in two spellings that differ in case alone")
    assert other == LeadUpdate("8", {"c1": "all"})


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("1", "01", True),
        ("007", "7", True),
        ("0", "00", True),
        ("7A", "7a", True),
        ("07a", "7a", False),
        ("10", "1", False),
    ],
)
def test_ids_that_are_one_number_name_one_lead(first: str, second: str, same: bool) -> None:
    _, told = read("release", f"quarantineId\n{first}\n{second}\n")
    twice = "f:3: f:2 has this lead already; name each lead once"
    assert told == (twice if same else QuarantineProcess(second, "process"))


def test_a_lead_and_a_quarantined_lead_may_have_the_same_id() -> None:
    text = '{"leadId": 7, "c1": 1}\n{"quarantineId": 7, "c1": 1}\n'
    assert read("update", text) == [LeadUpdate("7", {"c1": "1"}), QuarantineUpdate("7", {"c1": "1"})]


def test_every_bad_line_is_told_by_its_number() -> None:
    rows = ["leadId,payout", "1,80.00", "x,1", "7,-1", "1,2", "8,1.005", "9,1,2", '10,"£3', "11,"]
    first, *told = read("financials", "\n".join(rows))
    assert first == Financials(("1",), Decimal("80.00"))
    assert [str(line).split(": ")[:2] for line in told] == [
        ["f:3", "lead_id"],
        ["f:4", "payout"],
        ["f:5", "f:2 has this lead already; name each lead once"],
        ["f:6", "payout"],
        ["f:7", "the row has more columns than the 2 of the header; mend the row"],
        ["f:8", "the quotes of this row are broken, or the row is too long"],
        ["f:9", "financials"],
    ]


@pytest.mark.parametrize(
    ("form", "text", "problem"),
    [
        ("release", "leadId\n7\n", "f:1: no column quarantineId in the first line"),
        ("release", "quarantineId,action\n7,reject\n", "f:1: column 2: means nothing to this command"),
        ("release", "quarantineId,leadId\n7,8\n", "f:1: column 2: means nothing to this command"),
        ("release", '{"quarantineId": 7, "note": 1}', "f:1: there is something in it that means nothing"),
        ("release", "\n[7]", "f:2: is no JSON object"),
        ("release", '{"quarantineId": true}', "neither text nor a number"),
        ("release", '{"quarantineId": 7', "write each lead as a JSON object on a line of its own"),
        ("release", '{"quarantineId": 7, "quarantineId": 8}', "names a key twice"),
        ("release", b"\xff\xfe", "UTF-16"),
        ("update", "leadId,action\n7,reprocess\n", "column 2: its name may be a field's or an order"),
        ("update", "leadId,\n7,x\n", "f:2: the row says something in a column without a name"),
        ("update", "leadId,Lead Id\n7,8\n", "names a column twice"),
        ("update", "leadId,c1\n7,\n", "no field to set"),
        ("update", "leadId,quarantineId,c1\n7,8,x\n", "by nothing else"),
        ("update", '{"c1": "x", "leadId": null}', "must be named by its leadId or quarantineId"),
        ("update", '{"leadId": 7, "lead_id": 8, "c1": 1}', "in two spellings"),
        ("update", "leadId,c1,C1\n7,,x\n", "f:1: the header names a column twice"),
        ("update", '{"leadId": 7, "c1": 1, "C1": 2}', "f:1: a field is named in two spellings"),
        ("update", '{"leadId": 7, "update": {"c1": 1, "C1 ": 2}}', "f:1: a field is named in two spellings"),
        ("update", '{"leadId": 7, "update": {"c1": 1}, "c2": 2}', "more beside `update`"),
        ("update", '{"leadId": 7, "update": "c1"}', "update: is no JSON object"),
        ("update", '{"leadId": 7, "c1": {}}', "a field: is neither"),
        ("update", '{"leadId": 7, "c1": 1, "action": "release"}', "only a quarantined lead is released"),
        ("update", '{"quarantineId": 7, "c1": 1, "trigger": "5"}', "triggers no deliveries"),
        ("update", '{"quarantineId": 7, "c1": 1, "action": "reprocess"}', "is not reprocessed"),
        ("update", '{"leadId": 7, "c1": 1, "action": "destroy"}', "none of reprocess, release, reject"),
        ("financials", '{"leadId": 7, "payout": 1e3}', "payout: not an amount"),
        ("financials", '{"leadId": 7, "payout": 80.00000000000000001}', "more than two decimals"),
    ],
)
def test_a_line_that_is_not_understood_is_refused(form: str, text: str | bytes, problem: str) -> None:
    (told,) = read(form, text)
    assert problem in str(told)


@given(st.sampled_from(sorted(FORMS)), st.one_of(st.binary(), st.text().map(str.encode)))
def test_no_bytes_do_more_than_be_refused(form: str, raw: bytes) -> None:
    for header in (b"", b"leadId,quarantineId\n", b'{"leadId": '):
        for found in read(form, header + raw):
            assert isinstance(found, str | LeadUpdate | QuarantineUpdate | QuarantineProcess | Financials)


def refused(form: str, named: Sequence[dict[str, Any]], source: str | None = None) -> list[str]:
    with pytest.raises(UsageError) as caught:
        gathered(FORMS[form], Given(), named, source, ["--set 1: x"])
    return list(caught.value.problems)


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_taken(tmp_path: Path) -> None:
    source = tmp_path / "ids.csv"
    source.write_text("quarantineId\n8\n7\nx\n")
    named = [{"quarantineid": "7"}, {"quarantineid": "7"}]
    told = refused("release", named, str(source))
    assert [line.split(": ")[0] for line in told[:-1]] == [
        "--set 1",
        "argument:2",
        f"{source}:3",
        f"{source}:4",
    ]
    assert told[-1] == NOTHING_SENT
    assert refused("release", [])[-1].startswith("no lead is named")
    assert refused("release", [], str(tmp_path / "none"))[-1].endswith("give a file that can be read")


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("quarantineId\n")
    with pytest.raises(UsageError, match="there is no lead in it"):
        gathered(FORMS["release"], Given(), [], str(tmp_path / "f"), [])


@pytest.mark.parametrize(
    ("operations", "asked"),
    [
        ([QuarantineProcess(str(n), "process") for n in range(3)], "Release 3 quarantined leads"),
        ([QuarantineProcess("7", "reject")], "Reject 1 quarantined lead"),
        (
            [Financials(("7",), Decimal("80.10")), Financials(("8",), Decimal("80.10"), Decimal(0))],
            "Set the financials of 2 leads (payout 160.20, revenue 0.00 in all)",
        ),
        (
            [LeadUpdate("7", {"a": "b"}, "reprocess", ("5", "6"))],
            "Update and reprocess and trigger 5, 6 for 1 lead",
        ),
        (
            [LeadUpdate("7", {"a": "b"}), QuarantineUpdate("7", {"a": "b"}, "process")],
            "Update 1 lead, update and release 1 quarantined lead",
        ),
    ],
)
def test_the_question_names_what_is_done(operations: Sequence[Operation], asked: str) -> None:
    assert question(operations) == asked
    with pytest.raises(UsageError) as caught:
        agreed_to(operations, yes=False, as_json=True)
    assert str(caught.value).startswith(f"{asked}: nobody can be asked")
    assert agreed_to(operations, yes=True, as_json=True)


def test_what_only_sets_fields_is_not_asked_for() -> None:
    assert agreed_to(
        [LeadUpdate("7", {"a": "b"}), QuarantineUpdate("7", {"a": "b"})], yes=False, as_json=True
    )


END = "\n\n1 requests for 1 leads; nothing was sent or stored\n"


@pytest.mark.parametrize(
    ("operation", "shown"),
    [
        (
            LeadUpdate("9000001", {"postcode": "SW1A 1AA"}, trigger=("1053",)),
            "PUT /restapi/v1.3/leads\nContent-Type: application/json\nX_KEY: …\n\n"
            '{"leads":[{"id":"9000001","triggerDeliveryId":"1053","update":{"postcode":"SW1A 1AA"}}]}',
        ),
        (
            QuarantineProcess("8419715", "process"),
            "POST /restapi/v1.3/quarantine/process\nContent-Type: application/json\nX_KEY: …\n\n"
            '{"quarantineId":8419715,"action":"process"}',
        ),
        (
            Financials(("9000001",), Decimal(80)),
            "PUT /restapi/v1.3/leadfinancials\nContent-Type: application/json\n\n"
            '{"key":"…","leads":[9000001],"newPayout":80.00}',
        ),
    ],
)
def test_a_dry_run_shows_the_request_with_its_key_masked(
    capsys: pytest.CaptureFixture[str], operation: Operation, shown: str
) -> None:
    show_requests([operation], Leadbyte(), as_json=False)
    assert capsys.readouterr().out == shown + END


def test_a_dry_run_shows_updates_batched_as_they_would_go(capsys: pytest.CaptureFixture[str]) -> None:
    operations: list[Operation] = [LeadUpdate(str(number), {"c1": "x"}) for number in range(1, 6)]
    operations.append(LeadUpdate("6", {"c1": "x"}, "reprocess"))
    show_requests(operations, Leadbyte(batch_size=2), as_json=True)
    requests = json.loads(capsys.readouterr().out)["requests"]
    assert [len(request["body"]["leads"]) for request in requests] == [2, 2, 1, 1]
    assert requests[0]["body"]["leads"][0] == {"id": "1", "update": {"c1": "x"}}
    assert (requests[0]["method"], requests[0]["headers"]["X_KEY"]) == ("PUT", "…")
