"""`bridge mapping …` and the table of `bridge map`, as a person uses them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bridge.mapping.schema import mapping_schema
from bridge.simulator.schema import SCHEMA
from tests.system.conftest import COMMAND, MAPPING, PATIENCE, Bridge, Simulator

LEAD = {
    "firstname": "Zebedee",
    "lastname": "Quillfeather",
    "email": "Zeb.Quillfeather@example.com",
    "phone1": "+447700900456",
    "towncity": "Quillhampton",
    "dob": "28/02/1971",
    "income": "48750",
}
REPLY = {
    "records": [
        {"queueId": "x", "status": "Approved", "processed": "2026-03-02T16:03:04Z", "leadId": 7, "lead": LEAD}
    ]
}
PERSONAL = ("zebedee", "quill", "900456", "1971", "48750")
SUMMARY = r"(?m)^{}: \d+ pairs sure, \d+ unsure, \d+ values unmatched$"


@pytest.fixture
def reply(bridge: Bridge) -> str:
    (bridge.directory / "reply.json").write_text(json.dumps(REPLY))
    return "reply.json"


def test_a_draft_is_right_for_the_account_and_the_reply(
    bridge: Bridge, simulator: Simulator, reply: str
) -> None:
    (bridge.mappings / MAPPING.name).unlink()
    made = bridge("mapping", "new", "--reply", reply, "--output", "mappings/new.yaml")
    assert (made.code, made.stdout) == (0, "")
    assert re.search(SUMMARY.format("written to mappings/new.yaml"), made.stderr)
    checked = bridge("check")
    assert (checked.code, checked.errors) == (0, [])
    undecided = bridge("map", "new", reply, "--json")
    assert undecided.errors == ["mx_Outcome: no value is given for the word 'Approved'"]
    path = bridge.mappings / "new.yaml"
    path.write_text(path.read_text().replace("# Approved: Sold", "Approved: Sold"))
    sent = bridge("map", "new", reply, "--json").json["fields"]
    assert sent["mx_Outcome"] == "Sold"
    assert sent["EmailAddress"] == "zeb.quillfeather@example.com"
    assert sent["Phone"] == "+44-7700900456"
    assert sent["mx_Date_Of_Birth"] == "1971-02-28"
    assert sent["mx_LeadByte_Id"] == "7"
    assert simulator.world.writes == []


def test_a_draft_holds_nothing_of_the_person(bridge: Bridge, reply: str) -> None:
    for draft in (
        bridge("mapping", "new", "--reply", reply),
        bridge("mapping", "new", "--reply", reply, "--offline"),
    ):
        assert re.search(SUMMARY.format("draft"), draft.stderr)
        assert [word for word in PERSONAL if word in draft.stdout.casefold()] == []


def test_a_draft_without_the_account(bridge: Bridge, simulator: Simulator, reply: str) -> None:
    nobody = dict.fromkeys(simulator.environment)
    draft = bridge("mapping", "new", "--reply", "-", "--offline", input=json.dumps(REPLY), env=nobody)
    assert draft.code == 0
    assert "\n  mx_City: lead.towncity" in draft.stdout
    assert simulator.world.calls == {}
    refused = bridge("mapping", "new", "--reply", reply, env=nobody)
    assert (refused.code, refused.stdout) == (2, "")
    assert refused.errors[0].startswith("BRIDGE_LEADSQUARED__URL: ")
    assert refused.errors[-1] == "or add --offline: LeadSquared's standard fields are proposed then"


def test_a_file_is_never_overwritten_unasked(bridge: Bridge, reply: str) -> None:
    new = ("mapping", "new", "--offline", "--reply", reply, "--output", "new.yaml")
    path = bridge.directory / "new.yaml"
    path.write_text("mine")
    refused = bridge(*new)
    assert (refused.code, path.read_text()) == (2, "mine")
    assert refused.errors == [
        "new.yaml: is there already; give another path, or add --force to overwrite a file"
    ]
    assert bridge(*new, "--force").code == 0
    assert path.read_text().startswith("# A draft")
    nowhere = bridge(*new[:-1], "none/new.yaml")
    assert nowhere.errors == ["none/new.yaml: No such file or directory; give a path that can be written"]


def test_a_draft_is_not_put_before_a_running_service_and_is_tried_where_it_lies(
    bridge: Bridge, reply: str
) -> None:
    new = ("mapping", "new", "--offline", "--reply", reply, "--output")
    with bridge.start("run") as service:
        service.until("started")
        refused = bridge(*new, str(bridge.mappings / "new.yaml"))
        assert (refused.code, list(bridge.mappings.glob("new*"))) == (2, [])
        assert "the running service would take it up at once" in refused.errors[0]
        assert bridge(*new, "new.yaml").code == 0
        tried = bridge("map", "new.yaml", reply)
        assert tried.code == 0 or "no value for" in tried.stderr
        assert "no such mapping" not in tried.stderr
        service.stopped(signal.SIGTERM)


@pytest.mark.parametrize(
    ("text", "why"),
    [("{", "not JSON (line 1, column 2)"), ('{"a": 1}', "it holds no result of a lead")],
)
def test_what_is_no_reply(bridge: Bridge, simulator: Simulator, text: str, why: str) -> None:
    refused = bridge("mapping", "new", "--reply", "-", input=text)
    assert (refused.code, refused.stdout) == (2, "")
    assert refused.errors[0].startswith(f"-: no reply of LeadByte's to a queue poll: {why}")
    assert simulator.world.calls == {}


def test_a_refused_key_is_told(bridge: Bridge, reply: str) -> None:
    denied = bridge("mapping", "new", "--reply", reply, env={"BRIDGE_LEADSQUARED__ACCESS_KEY": "wrong"})
    assert (denied.code, denied.stdout, len(denied.errors)) == (1, "", 1)


def test_fields_are_listed_with_all_that_is_known(bridge: Bridge) -> None:
    listed = bridge("mapping", "fields", "--json").json["fields"]
    assert [one["schema_name"] for one in listed] == [one.name for one in SCHEMA]
    assert next(one for one in listed if one["schema_name"] == "mx_Outcome") == {
        "schema_name": "mx_Outcome",
        "display_name": "Outcome",
        "data_type": "Select",
        "max_length": None,
        "options": ["Sold", "Lost", "Quarantined", "Duplicate", "Unsold"],
        "mandatory": False,
        "locked": False,
    }


def test_fields_as_a_table(bridge: Bridge) -> None:
    lines = bridge("mapping", "fields").stdout.splitlines()
    assert lines[0].split("  ")[0] == "schema name"
    assert lines[0].endswith("options")
    assert re.fullmatch(r"FirstName +First Name +Text +50 +- +- +-", lines[3])
    stage = next(line for line in lines if line.startswith("ProspectStage "))
    assert re.fullmatch(
        r"ProspectStage +Lead Stage +Select +- +- +- +Prospect, Opportunity, Call requested, Qualified, Unqualified, …",
        stage,
    )
    assert re.search(r"^mx_First_Source .* - +yes +-$", "\n".join(lines), re.MULTILINE)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("postCODE", ["mx_Postcode"]),
        ("*st NAME", ["FirstName", "LastName"]),
    ],
)
def test_fields_are_found_by_name_or_label(bridge: Bridge, pattern: str, names: list[str]) -> None:
    found = bridge("mapping", "fields", pattern, "--json").json["fields"]
    assert [one["schema_name"] for one in found] == names


def test_a_field_that_is_not_there(bridge: Bridge) -> None:
    nothing = bridge("mapping", "fields", "[a-z]")
    assert (nothing.code, nothing.stdout) == (1, "")
    assert nothing.errors == ["LeadSquared has no such field; `bridge mapping fields` lists all"]


def test_the_schema_is_printed_without_any_settings(bridge: Bridge, simulator: Simulator) -> None:
    printed = bridge("mapping", "schema", env=dict.fromkeys(simulator.environment))
    assert printed.json == mapping_schema()
    assert simulator.world.calls == {}


# The table of `bridge map`.


def test_the_preview_is_aligned_and_whole_where_no_terminal_reads_it(bridge: Bridge, reply: str) -> None:
    lines = bridge("map", "leadbyte-to-leadsquared", reply).stdout.splitlines()
    titles = [lines[0].index(title) for title in ("field", "rule", "input", "output")]
    phone = next(line for line in lines if line.startswith("Phone "))
    cells = [phone[start:end].strip() for start, end in zip(titles, [*titles[1:], None], strict=True)]
    assert cells == ["Phone", "lead.phone1; type: phone; region: GB", "'+447700900456'", "'+44-7700900456'"]
    assert any("values: Approved = Sold, Sold = Sold, Rejected = Lost, " in line for line in lines)
    assert all(line == line.rstrip() for line in lines)


def test_the_preview_is_folded_to_a_terminals_width(bridge: Bridge, reply: str) -> None:
    shown = on_a_terminal(bridge, 80, "map", "leadbyte-to-leadsquared", reply)
    assert max(map(len, shown)) <= 80
    assert "─" * 70 in shown[2]
    titles = shown[1]
    rules = "".join(line[titles.index("rule") : titles.index("input")] for line in shown)
    whole = re.sub(r"\s", "", rules)
    assert "lead.email;type:email" in whole
    assert "status;values:Approved=Sold,Sold=Sold,Rejected=Lost,Invalid=Lost,Unsold=Unsold," in whole


def on_a_terminal(bridge: Bridge, width: int, *args: str) -> list[str]:
    """What a command shows on a terminal, line by line, without colours."""
    ours, theirs = os.openpty()
    environment: dict[str, Any] = bridge.environment({"COLUMNS": f"{width}", "TERM": "xterm"})
    with subprocess.Popen([*COMMAND, *args], cwd=bridge.directory, env=environment, stdout=theirs) as process:
        os.close(theirs)
        shown = b"".join(iter(lambda: _chunk(ours), b""))
        assert process.wait(PATIENCE) == 0
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()


def _chunk(terminal: int) -> bytes:
    """Linux ends a terminal that nobody writes to any more by an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def test_a_hostile_reply_moves_no_cursor(bridge: Bridge) -> None:
    path = Path(bridge.directory / "reply.json")
    path.write_text(json.dumps(REPLY).replace("Zebedee", "\\u001b[2J\\nFirstName"))
    lines = on_a_terminal(bridge, 200, "map", "leadbyte-to-leadsquared", "reply.json")
    assert sum(line.strip().startswith("FirstName") for line in lines) == 1
    assert not [line for line in lines if "\x1b" in line]
