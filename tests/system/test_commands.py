"""Each command as a person uses it, on the outcome of real runs."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import socket
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from bridge.model import LEAD_STATES
from tests.system.conftest import (
    PLANTED,
    TOKEN,
    Bridge,
    Simulator,
    bridged,
    simulated,
    until,
)

UNKNOWN = "Lead does not exist in the system or You do not have permission to update the lead"
TOO_LONG = "MXInvalidInputException: FirstName exceeds the maximum length of 50 characters"
NO_EMAIL = "no value for EmailAddress, by which LeadSquared finds the lead"
PEOPLE = ("ann@example.com", "bob.unknown@example.com", "dan@example.com", "eve@example.com", "07700 900123")


# enqueue


def test_enqueue_takes_the_good_lines_and_names_the_bad_ones(bridge: Bridge) -> None:
    lines = '{"queueId": "j1", "shop": "north"}\n\n{"queueId": ""}\nplain-1\n{"queueId": "j2"\n{"shop": 1}\n'
    (bridge.directory / "leads.jsonl").write_text(lines)
    said = bridge("enqueue", "a1", "a 2", "--from", "leads.jsonl", "--json")
    assert said.code == 1
    assert (said.json["tracked"], said.json["known"], said.json["refused"]) == (3, 0, 4)
    assert [(bad["name"], bad["line"]) for bad in said.json["problems"]] == [
        ("argument", 2),
        ("leads.jsonl", 3),
        ("leads.jsonl", 5),
        ("leads.jsonl", 6),
    ]
    assert [line.split(": ")[0] for line in said.errors] == [
        "argument:2",
        "leads.jsonl:3",
        "leads.jsonl:5",
        "leads.jsonl:6",
    ]
    again = bridge("enqueue", "a1", "plain-1")
    assert (again.code, again.stdout) == (0, "0 tracked, 2 already known, 0 refused\n")
    assert bridge.counts() == {"waiting": 3}
    assert bridge.lead("j1")["context"] == {"shop": "north"}


def test_enqueue_reads_csv_from_standard_input(bridge: Bridge) -> None:
    said = bridge("enqueue", "--from", "-", input='shop;queueId;note\nsouth;c1;"A; B"\nwest;c2;\n')
    assert (said.code, said.stdout) == (0, "2 tracked, 0 already known, 0 refused\n")
    assert bridge.lead("c1")["context"] == {"shop": "south", "note": "A; B"}
    assert '\n  context: {"shop": "south", "note": "A; B"}\n' in bridge("show", "c1").stdout


def test_enqueue_takes_every_file(bridge: Bridge) -> None:
    (bridge.directory / "a.txt").write_text("a1\n")
    (bridge.directory / "b.csv").write_text("Queue ID,shop\nb1,north\n")
    files = ("--from", "a.txt", "--from", "-", "--from", "b.csv")
    said = bridge("enqueue", *files, input="c1\nc2\n")
    assert (said.code, said.stdout) == (0, "4 tracked, 0 already known, 0 refused\n")
    assert bridge.lead("b1")["context"] == {"shop": "north"}
    twice = bridge("enqueue", "d1", "--from", "-", "--from", "-", input="d2\n")
    assert (twice.code, len(twice.errors)) == (2, 1)
    missing = bridge("enqueue", "--from", "a.txt", "d3", "--from", "none.txt")
    assert missing.code == 2
    assert missing.errors[0].startswith("none.txt: ")
    assert bridge.counts() == {"waiting": 4}


def test_enqueue_refuses_a_file_that_is_given_as_an_id(bridge: Bridge) -> None:
    (bridge.directory / "leads.csv").write_text("queueId\na1\n")
    said = bridge("enqueue", "a1", "leads.csv", "x" * 300)
    assert (said.code, said.stdout) == (1, "1 tracked, 0 already known, 2 refused\n")
    assert said.errors[0] == "argument:2: is a file; did you mean --from FILE?"


def test_the_version(bridge: Bridge) -> None:
    assert re.fullmatch(r"bridge \d+\.\d+\.\d+\n", bridge("--version").stdout)


def test_enqueue_reads_leadbytes_own_submit_reply(bridge: Bridge) -> None:
    results = [{"queueId": "r1", "status": "Queued", "code": 1}, {"queueRef": "r2", "status": "Queued"}]
    reply = {"status": "Success", "code": 1, "message": "", "results": results}
    (bridge.directory / "reply.json").write_text(json.dumps(reply, indent=2))
    assert bridge("enqueue", "--from", "reply.json").stdout == "2 tracked, 0 already known, 0 refused\n"
    assert bridge.lead("r1")["state"] == bridge.lead("r2")["state"] == "waiting"


def test_inbox_files_are_taken_by_a_drain(bridge: Bridge, simulator: Simulator) -> None:
    good, other = simulator.leads(2)
    inbox = bridge.state / "inbox"
    inbox.mkdir(parents=True)
    (inbox / "good.csv").write_text(f"queueId,shop\n{good},north\n")
    (inbox / "mixed.jsonl").write_text(json.dumps({"queueId": other}) + "\n{}\n")
    (inbox / "unfinished.part").write_text("never-taken\n")
    for path in inbox.iterdir():
        os.utime(path, (0, 0))
    bridge.drain()
    assert bridge.counts() == {"synced": 2}
    left = sorted(str(path.relative_to(inbox)) for path in inbox.rglob("*") if path.is_file())
    assert left == ["refused/mixed.jsonl", "refused/mixed.jsonl.refused", "unfinished.part"]
    assert (inbox / "refused/mixed.jsonl.refused").read_text().startswith("line 2: ")


# the service, used from all sides


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def post(port: int, token: str, body: Any) -> tuple[int, Any]:
    """POST /v1/leads."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/leads",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - likewise
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_running_service_is_fed_and_asked_from_outside(bridge: Bridge, simulator: Simulator) -> None:
    posted, queued, dropped = simulator.leads(3)
    unknown = simulator.lead("new@example.com", known=False)
    bridge.track(unknown)
    port = free_port()
    listening = {"BRIDGE_SERVER__LISTEN": f"127.0.0.1:{port}", "BRIDGE_SERVER__TOKEN": TOKEN}
    with bridge.start("run", env=listening) as service:
        service.until("started")
        assert post(port, TOKEN, {"queueId": posted}) == (202, {"accepted": 1, "known": 0, "refused": []})
        assert post(port, "PLANTED-other", {"queueId": "x"})[0] == 401
        assert bridge("enqueue", queued).code == 0
        (bridge.state / "inbox").mkdir(exist_ok=True)
        (bridge.state / "inbox" / ".new.txt").write_text(dropped)
        (bridge.state / "inbox" / ".new.txt").rename(bridge.state / "inbox" / "new.txt")
        second = bridge("run")
        assert second.code == 75
        assert len(second.errors) == 1
        assert f"pid {service.process.pid}" in second.errors[0]
        until(lambda: bridge.counts() == {"synced": 3, "unprocessed": 1}, "everything is done")
        simulator.world.add_person({"EmailAddress": "new@example.com"})
        followed = bridge("resync", "--json")
        assert followed.json["reopened"] == 1
        assert bridge.counts() == {"synced": 4}
        assert "is running and does the work" in followed.stderr
        assert service.process.poll() is None
    assert simulator.written("new@example.com") == 1


# what is told of leads that came to rest


@dataclass(frozen=True)
class Rest:
    """A bridge after a drain with a lead in each state that a drain ends in; nobody changes it."""

    bridge: Bridge
    ids: Mapping[str, str]


@pytest.fixture(scope="module")
def rest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rest]:
    with (
        simulated() as simulator,
        bridged(tmp_path_factory.mktemp("rest") / "bridge", simulator.environment) as bridge,
    ):
        ids = {
            "synced": simulator.lead("ann@example.com"),
            "unprocessed": simulator.lead("bob.unknown@example.com", known=False),
            "unmapped": simulator.lead(None, lead={"phone1": "07700 900123"}),
            "skipped": simulator.lead("dan@example.com", "Duplicate"),
            "failed": simulator.lead("eve@example.com", lead={"firstname": "E" * 60}),
            "expired": simulator.lead("fay@example.com", "Vetted"),
        }
        bridge.track(*(queue_id for state, queue_id in ids.items() if state != "expired"))
        bridge.track(ids["expired"], seconds=0.001)
        assert bridge.drain().stdout == ""
        yield Rest(bridge, ids)


def test_status_counts_every_lead_once(rest: Rest) -> None:
    status = rest.bridge("status", "--json").json
    assert set(status["leads"]) == set(LEAD_STATES)
    assert len(status["leads"]) == 11
    at_rest = {"failed": 2, "unprocessed": 1, "expired": 1, "synced": 1, "skipped": 1}
    assert status["leads"] == {**dict.fromkeys(LEAD_STATES, 0), **at_rest}
    assert status["tracked"] == sum(status["leads"].values()) == 6
    assert isinstance(status["leads_per_minute"], float)
    assert status["unknown_words"] == {"Vetted": 1}
    assert status["hosts"]["leadsquared-async"]["limit"] is None
    assert {error["stage"] for error in status["last_errors"]} == {"poll", "map", "push"}


def test_status_as_text_shows_the_limits_and_the_last_errors(rest: Rest) -> None:
    said = rest.bridge("status", env={"BRIDGE_LEADSQUARED__RATE_CALLS": None}).stdout
    assert re.search(r"^  failed +2$", said, re.MULTILINE)
    assert re.search(r"^  tracked +6$", said, re.MULTILINE)
    assert "leadsquared: limit 25 calls in 5 s\n" in said
    assert "unknown LeadByte status 'Vetted'" in said
    assert f"{rest.ids['failed']}  push: {TOO_LONG}" in said
    assert "leadbyte: no limit set\n" in said
    assert re.search(r"^synced per minute: [\d.]+, over the last 5 minutes$", said, re.MULTILINE)


def test_status_tells_equal_errors_once(bridge: Bridge, simulator: Simulator) -> None:
    bridge.track(simulator.lead(None), simulator.lead(None), simulator.lead("new@example.com", known=False))
    bridge.drain()
    said = bridge("status").stdout
    assert said.count(NO_EMAIL) == 1
    assert f"map: {NO_EMAIL} (and 1 more like it)\n" in said
    assert f"push: {UNKNOWN}\n" in said


FIELDS = (
    "queue_id",
    "mapping",
    "state",
    "stage",
    "reason",
    "identifier",
    "attempts",
    "last_attempt_at",
    "resync",
    "delivery",
)


def test_the_report_as_json_has_every_failure_with_its_reason(rest: Rest) -> None:
    report = rest.bridge("report", "--format", "json").json
    leads = {lead["queue_id"]: lead for lead in report["leads"]}
    assert set(leads) == {rest.ids[name] for name in ("unprocessed", "unmapped", "failed", "expired")}
    assert all(tuple(lead) == FIELDS for lead in leads.values())
    told = {name: leads[rest.ids[name]] for name in ("unprocessed", "unmapped", "failed")}
    assert {name: lead["reason"] for name, lead in told.items()} == {
        "unprocessed": UNKNOWN,
        "unmapped": NO_EMAIL,
        "failed": TOO_LONG,
    }
    assert {name: lead["stage"] for name, lead in told.items()} == {
        "unprocessed": "push",
        "unmapped": "map",
        "failed": "push",
    }
    assert told["failed"]["mapping"] == "leadbyte-to-leadsquared"
    assert told["failed"]["identifier"] == "e…@example.com"
    assert told["failed"]["attempts"] == 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["failed"]["last_attempt_at"])
    group = next(group for group in report["groups"] if group["reason"] == TOO_LONG)
    counted = rest.bridge(*shlex.split(group["resync"])[1:], "--dry-run", "--json").json
    assert counted == {"leads": 1, "reasons": [{"state": "failed", "reason": TOO_LONG, "leads": 1}]}
    assert told["failed"]["resync"] == f"bridge resync --queue-id {rest.ids['failed']}"
    assert "'Vetted'" in leads[rest.ids["expired"]]["reason"]
    assert [group["count"] for group in report["groups"]] == [1, 1, 1, 1]
    assert all(group["hint"] and group["resync"].startswith("bridge resync ") for group in report["groups"])


@pytest.mark.parametrize("form", ["text", "csv"])
def test_the_report_for_people_masks_them(rest: Rest, form: str) -> None:
    said = rest.bridge("report", "--format", form).stdout
    assert not [person for person in PEOPLE if person in said]
    assert all(rest.ids[name] in said for name in ("unprocessed", "unmapped", "failed", "expired"))
    for words in ("e…@example.com", "FirstName exceeds the maximum length", "no value for EmailAddress"):
        assert words in said
    assert (
        f"bridge resync --queue-id {rest.ids['failed']}" in said
        or "bridge resync --refetch --state failed" in said
    )
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(said)))
        assert len(rows) == 4
        assert tuple(rows[0]) == FIELDS


def test_the_report_shows_people_only_when_asked_and_into_a_private_file(rest: Rest) -> None:
    said = rest.bridge("report", "--unmasked", "--format", "json", "--output", "report.json")
    assert (said.code, said.stdout, said.stderr) == (0, "", "written to report.json\n")
    path = rest.bridge.directory / "report.json"
    shown = {lead["identifier"] for lead in json.loads(path.read_text())["leads"]}
    assert shown == {"bob.unknown@example.com", "eve@example.com", None}
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_report_of_a_time_leaves_out_what_came_to_rest_before(rest: Rest) -> None:
    said = rest.bridge("report", "--format", "json", "--since", "2999-01-01").json
    assert (said["leads"], said["groups"], said["tracked"]) == ([], [], 6)


def test_a_drain_writes_the_reports(rest: Rest) -> None:
    directory = rest.bridge.state / "reports"
    written = {path.name for path in directory.iterdir()}
    assert {"latest.json", "latest.csv", "latest.html"} <= written
    assert len(written) == 6
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}
    texts = {path.name: path.read_text() for path in directory.iterdir()}
    assert all(
        rest.ids["failed"] in text and "e…@" in text.replace("\\u2026", "…") for text in texts.values()
    )
    text = "".join(texts.values())
    assert not [person for person in PEOPLE if person in text]


def test_show_tells_all_of_one_lead(rest: Rest) -> None:
    said = rest.bridge("show", rest.ids["failed"]).stdout
    for words in (
        '"firstname": "' + "E" * 60,
        ": failed at stage push, 1 calls, ",
        "mx_Outcome = Sold",
        f"reason: {TOO_LONG}",
        "push answered → failed",
    ):
        assert words in said


def test_a_lead_that_is_not_tracked_is_a_usage_error(rest: Rest) -> None:
    said = rest.bridge("show", "q-unknown", "--json")
    assert (said.code, said.stdout, len(said.errors)) == (2, "", 1)
    assert said.errors[0].startswith("q-unknown: ")


def test_resolve_settles_only_what_is_in_doubt(rest: Rest) -> None:
    said = rest.bridge("resolve", rest.ids["failed"], "--as", "not-done")
    assert said.code == 2
    assert "nothing of this queueId is in doubt" in said.errors[0]
    assert rest.bridge.lead(rest.ids["failed"])["deliveries"][0]["state"] == "failed"


def test_a_dry_run_only_counts_by_reason(rest: Rest) -> None:
    said = rest.bridge("resync", "--dry-run", "--json").json
    assert said["leads"] == 3
    assert {(row["state"], row["reason"], row["leads"]) for row in said["reasons"]} == {
        ("unprocessed", UNKNOWN, 1),
        ("failed", TOO_LONG, 1),
        ("failed", NO_EMAIL, 1),
    }
    assert rest.bridge.counts()["failed"] == 2


@pytest.mark.parametrize(
    ("chosen", "leads"),
    [
        ("--reason DOES.NOT.EXIST", "unprocessed"),
        ("--queue-id {failed} --queue-id {expired} --queue-id {synced}", "failed expired"),
        ("--since 1h --state failed --until 2999-01-01 --mapping leadbyte-to-leadsquared", "failed unmapped"),
    ],
)
def test_a_resync_means_only_the_selected_leads(rest: Rest, chosen: str, leads: str) -> None:
    words = [word.replace(".", " ") for word in chosen.format(**rest.ids).split()]
    counted = rest.bridge("resync", "--dry-run", *words).stdout
    expected = {"unprocessed": UNKNOWN, "failed": TOO_LONG, "unmapped": NO_EMAIL, "expired": "'Vetted'"}
    told = {name for name, reason in expected.items() if reason in counted}
    assert told == set(leads.split())
    assert counted.endswith(f"{len(told)}  would be re-opened\n")


def test_a_resync_of_states_that_cannot_be_is_refused(rest: Rest) -> None:
    said = rest.bridge("resync", "--state", "weird", "--state", "synced", "--dry-run")
    assert said.code == 2
    assert [line.split(":")[0] for line in said.errors] == ["--state weird", "--state synced"]
    assert "--refetch" in said.errors[1]


# resync


def test_resync_sends_what_a_mended_mapping_makes_of_the_kept_reply(
    bridge: Bridge, simulator: Simulator
) -> None:
    failed = simulator.lead("eve@example.com", lead={"firstname": "E" * 60})
    unmapped = simulator.lead(None)
    bridge.track(failed, unmapped)
    bridge.drain()
    text = bridge.mapping.read_text()
    bridge.mapping.write_text(
        text.replace("FirstName: lead.firstname", "FirstName: {from: lead.firstname, max_length: 50}")
    )
    polls = simulator.world.called("leadbyte")
    said = bridge("resync")
    assert said.code == 0
    assert said.stdout == "2 leads re-opened: now 1 failed, 1 synced\n"
    assert bridge.counts() == {"failed": 1, "synced": 1}
    assert simulator.person("eve@example.com")["FirstName"] == "E" * 50
    assert simulator.world.called("leadbyte") == polls
    assert bridge.lead(unmapped)["deliveries"][-1]["reason"] == NO_EMAIL


def test_resync_refetches_and_forces_only_where_asked(bridge: Bridge, simulator: Simulator) -> None:
    queue_id = simulator.lead("ann@example.com")
    bridge.track(queue_id)
    bridge.drain()
    assert bridge("resync", "--queue-id", queue_id, "--refetch").stdout.startswith("1 leads re-opened")
    assert (simulator.world.called("leadbyte"), simulator.written("ann@example.com")) == (2, 1)
    assert [delivery["state"] for delivery in bridge.lead(queue_id)["deliveries"]] == ["synced", "skipped"]
    forced = bridge("resync", "--state", "synced", "--state", "skipped", "--refetch", "--force", "--json")
    assert forced.json["reopened"] == 1
    assert bridge.counts() == {"synced": 1}
    assert (simulator.world.called("leadbyte"), simulator.written("ann@example.com")) == (3, 2)


# map and check

REPLY = {
    "records": [{"queueId": "x", "status": "Approved", "lead": {"firstname": " Ann", "email": "A@B.co "}}]
}


def test_map_previews_a_reply_and_sends_nothing(bridge: Bridge, simulator: Simulator) -> None:
    path = bridge.directory / "reply.json"
    path.write_text(json.dumps(REPLY))
    table = bridge("map", str(bridge.mapping), "reply.json").stdout
    assert re.search(r"^EmailAddress +lead\.email; type: email +'A@B\.co ' +'a@b\.co'", table, re.MULTILINE)
    said = bridge("map", "leadbyte-to-leadsquared", "reply.json", "--json").json
    assert said["keys"] == ["EmailAddress"]
    assert said["fields"] == {
        "FirstName": "Ann",
        "EmailAddress": "a@b.co",
        "mx_Outcome": "Sold",
        "mx_Buyer": "none",
        "mx_Reject_Reason": "",
        "mx_Source": "LeadByte",
    }
    path.write_text(json.dumps(REPLY).replace("A@B.co ", " "))
    unmappable = bridge("map", "leadbyte-to-leadsquared", "reply.json")
    assert (unmappable.code, unmappable.errors) == (1, [NO_EMAIL])
    assert bridge("map", "nothing", "reply.json").code == 2
    for text, why in (("{", "not JSON (line 1, column 2)"), ('{"a": 1}', "it holds no result of a lead")):
        path.write_text(text)
        wrong = bridge("map", "leadbyte-to-leadsquared", "reply.json")
        assert wrong.code == 2
        assert wrong.errors[0].startswith(f"reply.json: no reply of LeadByte's to a queue poll: {why}; ")
    assert simulator.world.calls == {}
    assert not bridge.state.exists()


METADATA = """\
version: 1
leadsquared: {search_by: EmailAddress}
fields:
  EmailAddress: lead.email
  mx_Sorce: {value: LeadByte}
  ProspectStage: {value: Solt}
  mx_City: {value: "%s"}
  mx_County: {from: lead.county, max_length: 99}
  mx_First_Source: lead.source
tests:
  - {name: nothing holds, given: {lead: {email: a@b.co}}, expect: {EmailAddress: a@b.co}}
"""


def test_check_holds_the_mappings_against_the_account(bridge: Bridge, simulator: Simulator) -> None:
    fine = bridge("check")
    assert fine.code == 0
    assert len(fine.stdout.splitlines()) == 5
    assert all(line.startswith("ok: ") for line in fine.stdout.splitlines())
    (bridge.mappings / "wrong.yaml").write_text(METADATA % ("x" * 60))
    calls = simulator.world.calls.total()
    offline = bridge("check", "--offline")
    assert (offline.code, simulator.world.calls.total()) == (2, calls)
    told = [
        re.match(r".*/wrong\.yaml:11: test 'nothing holds': field (\w+)", line) for line in offline.errors
    ]
    assert [found and found[1] for found in told] == ["mx_Sorce", "ProspectStage", "mx_City"]
    online = bridge("check", "--json")
    assert online.code == 2
    assert online.errors == online.json["problems"]
    where = dict(line.removeprefix(f"{bridge.mappings}/").split(": ", 1) for line in online.errors)
    assert set(where) == {f"wrong.yaml:{line}" for line in (5, 6, 7, 8, 9, 11)}
    assert where["wrong.yaml:5"].endswith("did you mean mx_Source?")
    assert "'Solt' is no option of this picklist; did you mean 'Sold'?" in where["wrong.yaml:6"]
    assert "60 characters, LeadSquared takes 50" in where["wrong.yaml:7"]
    assert "max_length 99 is more than LeadSquared's 50" in where["wrong.yaml:8"]
    assert "locks this field" in where["wrong.yaml:9"]


# secrets


def quoted(names: Iterable[str], before: str = "") -> str:
    """Words of a vendor that quote keys, as they are and percent-encoded."""
    keys = " ".join(f"{PLANTED[name]} {quote(PLANTED[name], safe='')}" for name in names)
    return f"{before}Bad keys: {keys}"


def test_keys_that_a_vendor_quotes_appear_nowhere(bridge: Bridge, simulator: Simulator) -> None:
    simulator.world.faults.mx_message = quoted(("leadbyte_key", "secret_key"))
    simulator.world.fail_next("mx_error", at="leadbyte.apiqueue")
    simulator.world.fail_next("mx_error", at="leadsquared.bulk_update")
    bridge.track(simulator.lead("ann@example.com"))
    assert "Bad keys" not in bridge.drain().stderr, "words of others are not logged at all"
    assert bridge.counts() == {"failed": 1}
    assert "Bad keys: ***" in bridge("report", "--unmasked", "--format", "json").stdout
    assert "Bad keys: ***" in (bridge.state / "reports" / "latest.json").read_text()


def test_no_part_of_a_key_is_left_where_words_are_cut(bridge: Bridge, simulator: Simulator) -> None:
    key = ["secret_key"]
    simulator.world.faults.mx_message = quoted(key, "x" * (180 - len(quoted(key)))) + quoted(key)
    simulator.world.fail_next("mx_error", at="leadbyte.apiqueue")
    simulator.world.fail_next("mx_error", at="leadsquared.bulk_update")
    bridge.track(simulator.lead("ann@example.com"))
    bridge.drain()
    assert bridge("report", "--unmasked", "--format", "json").stdout.count("Bad keys: ***") > 0
    assert bridge.leaks() == {}


def test_a_key_in_the_reason_of_one_lead_appears_nowhere(
    bridge: Bridge, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.simulator.bulk.NOT_THERE", quoted(["secret_key"]))
    bridge.track(simulator.lead("ann@example.com", known=False))
    bridge.drain()
    assert bridge.counts() == {"unprocessed": 1}
    assert bridge.leaks() == {}


# dismiss


def two_failures(bridge: Bridge, simulator: Simulator) -> tuple[str, str]:
    """One that LeadSquared does not know, one that cannot be mapped."""
    unknown, unmapped = simulator.lead("new@example.com", known=False), simulator.lead(None)
    bridge.track(unknown, unmapped)
    bridge.drain()
    return unknown, unmapped


def test_a_dismissed_lead_is_off_the_report_and_accounted_for(bridge: Bridge, simulator: Simulator) -> None:
    unknown, unmapped = two_failures(bridge, simulator)
    said = bridge("dismiss", "--reason", "NO VALUE", "--because", "typed by bots", "--yes")
    assert (said.code, said.stdout) == (0, "1 lead dismissed\n")
    report = bridge("report", "--format", "json").json
    assert [lead["queue_id"] for lead in report["leads"]] == [unknown]
    assert bridge.counts() == {"unprocessed": 1, "superseded": 1}
    shown = bridge("show", unmapped).stdout
    assert "reason: dismissed: typed by bots" in shown
    assert NO_EMAIL in shown
    assert bridge("audit").code == 0
    assert bridge("resync", "--json").json["reopened"] == 1
    assert bridge.lead(unmapped)["deliveries"][-1]["state"] == "superseded"


def test_nothing_is_dismissed_before_a_person_agrees(bridge: Bridge, simulator: Simulator) -> None:
    two_failures(bridge, simulator)
    which = ("dismiss", "--state", "failed", "--since", "1h")
    words = (*which, "--because", "bots")
    reasons = [{"state": "failed", "reason": NO_EMAIL, "leads": 1}]
    assert bridge(*which, "--dry-run", "--json").json == {"leads": 1, "reasons": reasons, "others": []}
    refused = bridge(*words, input="n\n")
    assert (refused.code, refused.stdout.endswith("Dismiss them? [y/N] nothing was dismissed\n")) == (0, True)
    nobody = bridge(*words, input="")
    assert (nobody.code, len(nobody.errors)) == (2, 1)
    assert bridge(*words, "--json").code == 2
    assert bridge.counts() == {"failed": 1, "unprocessed": 1}
    agreed = bridge(*words, input="y\n")
    assert agreed.stdout.endswith("[y/N] 1 lead dismissed\n")
    assert bridge.counts() == {"superseded": 1, "unprocessed": 1}
    latest = json.loads((bridge.state / "reports" / "latest.json").read_text())
    assert [lead["state"] for lead in latest["leads"]] == ["unprocessed"]
    assert bridge(*words, "--json").json == {"dismissed": 0, "others": []}
    assert bridge(*words).stdout == "0 leads dismissed: nothing of this is on the failure report\n"


def test_what_fails_while_a_person_is_asked_is_not_dismissed(bridge: Bridge, simulator: Simulator) -> None:
    two_failures(bridge, simulator)
    with bridge.start("dismiss", "--state", "failed", "--because", "bots") as asking:
        assert asking.process.stdout
        said = ""
        while not said.endswith("[y/N] "):
            said += asking.process.stdout.read(1)
        late = simulator.lead(None)
        bridge.track(late)
        bridge.drain()
        told = asking.finished("y\n")
    assert (told.code, told.stdout) == (0, "1 lead dismissed\n")
    assert bridge.lead(late)["deliveries"][0]["state"] == "failed"


def test_values_that_go_with_a_dismissed_lead_are_told_before_and_after(
    bridge: Bridge, simulator: Simulator
) -> None:
    older = simulator.lead("ann@example.com", lead={"postcode": "N1"}, processed="2026-01-01T00:00:00Z")
    lead = {"firstname": "E" * 60}
    newer = simulator.lead("ann@example.com", known=False, lead=lead, processed="2026-01-02T00:00:00Z")
    bridge.track(older, newer)
    bridge.drain()
    assert bridge.counts() == {"failed": 1, "superseded": 1}
    which = ("dismiss", "--queue-id", newer, "--because", "too long")
    line = (
        f"  with what was taken over from {older}\n"
        "  `bridge resync --refetch --queue-id ID` sends that of LeadByte's leads by itself\n"
    )
    assert line in bridge(*which, "--dry-run").stdout
    assert bridge(*which, "--yes").stdout == f"1 lead dismissed\n{line}"
    bridge("resync", "--refetch", "--queue-id", older)
    assert simulator.person("ann@example.com")["mx_Postcode"] == "N1"


def test_where_nothing_is_kept_nothing_can_be_dismissed(bridge: Bridge) -> None:
    said = bridge("dismiss", "--state", "failed", "--because", "bots", "--yes")
    assert (said.code, len(said.errors), bridge.state.exists()) == (1, 1, False)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--because bots", "say which leads: --reason, --mapping, --queue-id, --state, --since or --until"),
        ("--because . --state in_doubt", "--state in_doubt: look at the other side first"),
        ("--because . --queue-id q-unknown", "--queue-id q-unknown: this queueId is not tracked"),
        (
            f"--because {'x' * 201} --state failed",
            "--because: say why, on one line of at most 200 characters",
        ),
        ("--state failed", "--because: say why, on one line"),
        ("--because . --since yesterday", "--since: not a time"),
    ],
)
def test_a_dismissal_that_cannot_be_is_refused(rest: Rest, words: str, told: str) -> None:
    said = rest.bridge("dismiss", *words.split(), "--yes")
    assert (said.code, said.stdout) == (2, "")
    assert told in said.errors[-1]
    assert rest.bridge.counts()["failed"] == 2
