"""Feedback files as `bridge check` and `bridge map` tell of them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.system.conftest import MAPPING, Bridge, Simulator

BACK = """\
version: 1
direction: feedback
when: "ProspectStage == 'Sold'"
lead_id: mx_LeadByte_Id
update: {postcode: mx_Postcode}
trigger_deliveries: [7]
financials: {payout: mx_Payout, revenue: mx_Revenue, buyer: 33}
dry_run: true
tests:
  - {name: not sold, given: {mx_Payout: 80}, expect: skipped}
"""
LEAD = {
    "ProspectStage": "Sold",
    "mx_LeadByte_Id": "77",
    "mx_Postcode": "TN25",
    "mx_Payout": "80",
    "Other": None,
}
SENT = [
    {
        "method": "PUT",
        "path": "/restapi/v1.3/leads",
        "body": '{"leads":[{"id":"77","triggerDeliveryId":"7","update":{"postcode":"TN25"}}]}',
    },
    {
        "method": "PUT",
        "path": "/restapi/v1.3/leadfinancials",
        "body": '{"key":"…","leads":[77],"newPayout":80.00,"BID":"33"}',
    },
]
SHAPES = {
    "flat": LEAD,
    "printed": {"leads": [LEAD]},
    "webhook": {"Before": {"ProspectStage": "Prospect"}, "After": LEAD},
    "looked up": [LEAD],
    "properties": {"LeadPropertyList": [{"Attribute": name, "Value": value} for name, value in LEAD.items()]},
    "numbers": {**LEAD, "mx_LeadByte_Id": 77, "mx_Payout": 80},
}


@pytest.fixture
def back(bridge: Bridge) -> Bridge:
    """With the feedback file `back` beside the forward one."""
    (bridge.mappings / "back.yaml").write_text(BACK)
    return bridge


def preview(bridge: Bridge, lead: Any, *args: str, code: int = 0) -> Any:
    (bridge.directory / "lead.json").write_text(lead if isinstance(lead, str) else json.dumps(lead))
    result = bridge("map", "back", "lead.json", *args)
    assert result.code == code
    return result


@pytest.mark.parametrize("shape", SHAPES)
def test_map_shows_the_requests(back: Bridge, shape: str) -> None:
    assert preview(back, SHAPES[shape], "--json").json == {"requests": SENT, "dry_run": True}


def test_map_tells_how_they_come_about(back: Bridge, simulator: Simulator) -> None:
    lines = preview(back, LEAD).stdout.splitlines()
    assert re.search(r"^financials\.payout +mx_Payout +'80' +'80' *$", "\n".join(lines), re.MULTILINE)
    assert lines[-6:] == [
        "when: ProspectStage == 'Sold': holds",
        "PUT /restapi/v1.3/leads",
        SENT[0]["body"],
        "PUT /restapi/v1.3/leadfinancials",
        SENT[1]["body"],
        "dry_run: this is recorded and not sent",
    ]
    skipped = preview(back, {"ProspectStage": "Prospect"}).stdout.splitlines()
    assert skipped[-2:] == [
        "when: ProspectStage == 'Sold': does not hold",
        "skipped: `when` leaves this lead out",
    ]
    assert preview(back, {}, "--json").json == {"skipped": True}
    assert simulator.world.calls == {}
    assert not back.state.exists()


def test_map_takes_an_id_as_learned(back: Bridge) -> None:
    nameless = {**LEAD, "mx_LeadByte_Id": ""}
    assert preview(back, nameless, "--json", "--learned", "77").json["requests"] == SENT
    assert preview(back, nameless, code=1).errors == [
        "no LeadByte lead id: mx_LeadByte_Id is empty, and none was learned on the way forward"
    ]
    (back.mappings / "back.yaml").write_text(
        "version: 1\ndirection: feedback\nquarantine_id:\nupdate: {postcode: mx_Postcode}\n"
    )
    assert preview(back, LEAD).stdout.splitlines()[-1] == "LeadByte would be told nothing of this lead"
    lines = preview(back, LEAD, "--learned", "990").stdout.splitlines()
    assert lines[-1] == '{"leads":[{"quarantineId":"990","update":{"postcode":"TN25"}}]}'
    (back.mappings / "back.yaml").write_text(
        "version: 1\ndirection: feedback\nquarantine_id: mx_Q\naction: reject\n"
    )
    (rejected,) = preview(back, {"mx_Q": "990"}, "--json").json["requests"]
    assert (rejected["method"], rejected["path"], json.loads(rejected["body"])) == (
        "POST",
        "/restapi/v1.3/quarantine/process",
        {"quarantineId": 990, "action": "reject"},
    )


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "7",
        "[]",
        "[1]",
        "[{}, {}]",
        "null",
        '{"LeadPropertyList": [{}]}',
        '{"LeadPropertyList": [7]}',
        "[" * 9000,
        '{"LeadPropertyList": [{"Attribute": []}]}',
        '{"a": NaN}',
    ],
    ids=lambda text: text[:30],
)
def test_a_file_that_holds_no_lead(back: Bridge, text: str) -> None:
    (error,) = preview(back, text, code=2).errors
    assert error.startswith('lead.json: no LeadSquared lead; give JSON like {"ProspectStage": "Sold", ')


def test_check_holds_a_feedback_file_against_the_account(back: Bridge, simulator: Simulator) -> None:
    offline = back("check", "--offline")
    assert offline.code == 0
    assert f"ok: {back.mappings}/back.yaml: feedback by 5 columns, dry run, 1 tests pass" in offline.stdout
    (back.mappings / "back.yaml").write_text(BACK.replace("mx_Postcode", "mx_Postcod").replace("Zip", "x"))
    online = back("check")
    assert online.code == 2
    assert (
        f"{back.mappings}/back.yaml:5: mx_Postcod: LeadSquared has no such field; did you mean mx_Postcode?"
        in (online.errors)
    )
    (back.mappings / "back.yaml").write_text(BACK.replace("expect: skipped", "expect: nothing"))
    assert back("check", "--offline").errors == [
        f"{back.mappings}/back.yaml:10: test 'not sold': expected nothing, got skipped"
    ]


def test_feedback_files_need_no_forward_one_beside_them(back: Bridge) -> None:
    (back.mappings / MAPPING.name).unlink()
    assert back("check", "--offline").code == 0
