"""`bridge leadbyte …` and `bridge leadsquared …` as people use them: what is sent, what is not, and what is said."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bridge.model import Change, ItemState, Lane, Mapped, PollRecord, QueueReply, State, Track, Verdict
from bridge.operation import LeadUpdate, QuarantineProcess, carried
from bridge.ports import Birth, Decision, Store
from bridge.store import open_store
from tests.system.conftest import COMMAND, PATIENCE, Bridge, Simulator, bridged

WRONG_KEY = {"BRIDGE_LEADBYTE__KEY": "wrong"}
NO_KEY: dict[str, str | None] = {"BRIDGE_LEADBYTE__KEY": None, "BRIDGE_LEADBYTE__URL": None}


@dataclass
class Leads:
    """Leads in the simulated LeadByte: valid ones by leadId, others held in quarantine."""

    simulator: Simulator
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(9_100_001, 9_200_000)))

    def approved(self, status: str = "Approved") -> str:
        number = next(self.numbers)
        response = {"code": 1, "response": "OK", "info": [], "leadId": number}
        reply = {"queueId": f"q-{number}", "status": status, "response": response}
        self.simulator.world.add_lead({**reply, "lead": {"email": "ann@example.com", "postcode": "A1 1AA"}})
        return str(number)

    def held(self) -> str:
        queue_id = self.simulator.world.add_lead(
            {"status": "Quarantined", "lead": {"email": "bob@example.com"}}, quarantined_for=1e6
        )
        return str(self.simulator.world.queue[queue_id].quarantine_id)

    @property
    def done(self) -> list[tuple[str, str, dict[str, Any]]]:
        """What was carried out in LeadByte, in order."""
        return [(one.kind, one.id, dict(one.values)) for one in self.simulator.world.operations]


@pytest.fixture
def bridge(simulator: Simulator, tmp_path: Path) -> Iterator[Bridge]:
    quick = {"BRIDGE_LEADBYTE__BATCH_LINGER_SECONDS": "0.05"}
    with bridged(tmp_path / "bridge", {**simulator.environment, **quick}) as bridge:
        yield bridge


def feedback(bridge: Bridge) -> dict[str, int]:
    """Deliveries to LeadByte by state, without a command."""
    with closing(open_store(bridge.state)) as store:
        return dict(store.status().feedback)


@pytest.fixture
def leads(simulator: Simulator) -> Leads:
    return Leads(simulator)


# carrying out


def test_queue_polls_once_and_tracks_nothing(bridge: Bridge, leads: Leads) -> None:
    number = leads.approved()
    told = bridge("leadbyte", "queue", f"q-{number}", "--json").json
    assert (told["status"], told["verdict"], told["lead_id"]) == ("Approved", "final", number)
    said = bridge("leadbyte", "queue", f"q-{number}").stdout
    assert f"lead_id        {number}\n" in said
    assert "quarantine_id  -\n" in said
    assert leads.simulator.world.called("leadbyte") == 2
    assert bridge.counts() == {}


def test_an_update_is_carried_out_recorded_and_shown(bridge: Bridge, leads: Leads) -> None:
    number = leads.approved()
    said = bridge("leadbyte", "update", number, "--set", "postcode=SW1A 1AA", "--json")
    assert said.code == 0
    (told,) = said.json["operations"]
    assert told == {
        "delivery": told["delivery"],
        "lead_id": number,
        "operation": "update",
        "state": "synced",
        "reason": None,
    }
    assert leads.done == [("update", number, {"postcode": "SW1A 1AA"})]
    shown = bridge("show", str(told["delivery"])).stdout
    assert (
        f"by hand, delivery {told['delivery']} to LeadByte (update): synced at stage push, 1 calls" in shown
    )
    assert "    update.postcode = SW1A 1AA\n" in shown
    assert "LeadByte's status" not in shown
    assert bridge("leadbyte", "update", number, "--set", "postcode=SW1A 1AA").code == 0
    assert len(leads.done) == 2
    assert feedback(bridge) == {"synced": 2}


def test_the_status_tells_what_goes_back_to_leadbyte(bridge: Bridge) -> None:
    queue = {"pending": 12, "delay_seconds": 3.5, "rate_per_minute": 100, "at": time.time()}
    up_to = "2026-01-02T03:04:05Z"
    with closing(open_store(bridge.state)) as store:
        store.set_checkpoint("leadsquared:changes", up_to, time.time())
        store.set_checkpoint("leadsquared-async:metrics", json.dumps(queue), time.time())
        store.operate([carried(LeadUpdate("7", {"c1": "x"}))], time.time())
    status = bridge("status", "--json").json
    assert (status["feedback"], status["tracked"]) == ({"pending": 1}, 0)
    assert (status["changes"], status["async_queue"]) == ({"up_to": up_to}, queue)
    said = bridge("status").stdout
    assert "to LeadByte: 1 pending\n" in said
    assert re.search(rf"changes in LeadSquared read up to {up_to} \([\d.]+d ago\)\n", said)
    assert "async queue: 12 pending, delay 3.5 s, rate 100 a minute (seen " in said


def test_an_update_is_followed_by_what_is_asked(bridge: Bridge, leads: Leads) -> None:
    options = ("--reprocess", "--trigger", "1053", "--trigger", "1054")
    assert bridge("leadbyte", "update", leads.approved(), "--set", "c1=x", *options, "--yes").code == 0
    assert sorted(kind for kind, _, _ in leads.done) == ["reprocess", "trigger", "trigger", "update"]


def test_a_quarantined_lead_is_updated_and_released(bridge: Bridge, leads: Leads) -> None:
    number = leads.held()
    said = bridge("leadbyte", "update", "--quarantine", number, "--set", "c1=x", "--release", "--yes")
    assert said.code == 0
    assert [one[:2] for one in leads.done] == [("quarantine_update", number), ("release", number)]
    assert f"quarantined {number}" in said.stdout


def test_many_quarantined_leads_at_once(bridge: Bridge, leads: Leads) -> None:
    numbers = [leads.held() for _ in range(3)]
    said = bridge("leadbyte", "reject", *numbers, "--yes", "--json")
    assert [one["quarantine_id"] for one in said.json["operations"]] == numbers
    assert {one["state"] for one in said.json["operations"]} == {"synced"}
    assert sorted(one[:2] for one in leads.done) == sorted(("reject", number) for number in numbers)


def test_financials_from_a_table_are_exact_and_options_fill_the_gaps(bridge: Bridge, leads: Leads) -> None:
    first, second = leads.approved(), leads.approved()
    table = f"Lead ID;payout;buyer\n{first};80.10;\n{second};;44\n"
    words = ("leadbyte", "financials", "--payout", "0.30", "--revenue", "120", "--buyer", "33")
    assert bridge(*words, "--from", "-", "--yes", input=table).code == 0
    booked = {lead: {name: str(value) for name, value in values.items()} for _, lead, values in leads.done}
    assert booked == {
        first: {"newPayout": "80.10", "newRevenue": "120.00", "BID": "33"},
        second: {"newPayout": "0.30", "newRevenue": "120.00", "BID": "44"},
    }


def test_updates_from_json_lines(bridge: Bridge, leads: Leads) -> None:
    first, second, held = leads.approved(), leads.approved(), leads.held()
    lines = [
        {"leadId": int(first), "update": {"c1": 1.50, "c2": None}, "trigger": ["1053"]},
        {"lead_id": second, "c1": "flat"},
        {"quarantineId": held, "update": {"c1": ""}, "action": "reject"},
    ]
    text = "\n".join(map(json.dumps, lines)).replace("1.5,", "1.50,")
    (bridge.directory / "ops.jsonl").write_text(text)
    said = bridge("leadbyte", "update", "--from", "ops.jsonl", "--set", "c3=all", "--yes")
    assert said.code == 0
    assert {(kind, lead): values for kind, lead, values in leads.done if "update" in kind} == {
        ("update", first): {"c1": "1.50", "c3": "all"},
        ("update", second): {"c1": "flat", "c3": "all"},
        ("quarantine_update", held): {"c1": "", "c3": "all"},
    }
    assert leads.simulator.world.called("leadbyte", endpoint="leads") == 3


# not sending


def test_a_dry_run_needs_no_key_and_leaves_nothing(bridge: Bridge, leads: Leads) -> None:
    said = bridge("leadbyte", "release", "8419715", "--dry-run", env=NO_KEY)
    assert said.code == 0
    assert said.stdout.startswith("POST /restapi/v1.3/quarantine/process\n")
    assert not bridge.database.exists()
    assert leads.simulator.world.called("leadbyte") == 0


def test_one_bad_line_keeps_all_from_being_sent(bridge: Bridge, leads: Leads) -> None:
    table = f"leadId,payout\n{leads.approved()},80.00\n7,-1\nx,1\n"
    said = bridge("leadbyte", "financials", "--from", "-", "--yes", input=table)
    assert said.code == 2
    assert [line.split(": ")[0] for line in said.errors[:-1]] == ["-:3", "-:4"]
    assert said.errors[-1].startswith("nothing was sent, not even for the other leads")
    assert leads.done == []
    assert not bridge.database.exists()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (
            ("update", "1", "--set", "a=b", "--set", "A=c"),
            "--set 2: the same field is set twice; set it once",
        ),
        (
            ("financials", "01", "1", "--payout", "80.00"),
            "argument:2: argument:1 has this lead already; name each lead once",
        ),
        (
            ("release", "0", "00", "--yes"),
            "argument:2: argument:1 has this lead already; name each lead once",
        ),
    ],
)
def test_a_lead_or_a_field_that_is_named_twice_is_refused_however_it_is_spelt(
    bridge: Bridge, leads: Leads, words: tuple[str, ...], problem: str
) -> None:
    said = bridge("leadbyte", *words)
    assert (said.code, said.errors[0]) == (2, problem)
    assert leads.simulator.world.called("leadbyte") == 0
    assert not bridge.database.exists()


def test_the_help_says_who_sees_what_is_set(bridge: Bridge) -> None:
    told = " ".join(bridge("leadbyte", "update", "--help").stdout.split())
    assert (
        "Seen in the shell's history and the list of processes: give people's data with --from - instead."
        in told
    )


# asking


def test_what_cannot_be_undone_needs_a_yes(bridge: Bridge, leads: Leads) -> None:
    said = bridge("leadbyte", "release", "7", "8", "9")
    asked = "Release 3 quarantined leads: nobody can be asked; look with --dry-run, then add --yes"
    assert (said.code, said.errors) == (2, [asked])
    assert leads.simulator.world.called("leadbyte") == 0
    assert not bridge.database.exists()


@pytest.mark.parametrize(("answer", "done"), [("y\n", 1), ("\n", 0)])
def test_a_person_at_a_terminal_is_asked(bridge: Bridge, leads: Leads, answer: str, done: int) -> None:
    number = leads.held()
    mine, theirs = pty.openpty()
    try:
        os.write(mine, answer.encode())
        said = subprocess.run(
            [*COMMAND, "leadbyte", "release", number],
            cwd=bridge.directory,
            env=bridge.environment({}),
            stdin=theirs,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=False,
        )
    finally:
        os.close(mine)
        os.close(theirs)
    assert said.returncode == 0
    assert said.stdout.startswith("Release 1 quarantined lead? [y/N] ")
    assert ("nothing was sent" in said.stdout) == (done == 0)
    assert len(leads.done) == done


# what goes wrong


def test_each_refusal_is_that_leads_own(bridge: Bridge, leads: Leads) -> None:
    good, rejected = leads.approved(), leads.approved("Rejected")
    table = f"leadId,c1\n{good},x\n{rejected},y\n5,z\n"
    said = bridge("leadbyte", "update", "--from", "-", "--json", input=table)
    assert said.code == 1
    assert [(one["state"], one["lead_id"]) for one in said.json["operations"]] == [
        ("synced", good),
        ("failed", rejected),
        ("failed", "5"),
    ]
    assert "Lead is not valid" in said.json["operations"][1]["reason"]
    assert said.errors == [
        "2 of 3 operations were not carried out; mend what is said of each, then ask again; "
        "they are on `bridge report`, and `bridge resync --mapping 'by hand'` sends them once more"
    ]
    report = bridge("report", "--format", "json").json
    assert {lead["mapping"] for lead in report["leads"]} == {"by hand"}
    assert {lead["delivery"] for lead in report["leads"]} == {
        one["delivery"] for one in said.json["operations"] if one["state"] == "failed"
    }


def test_a_lost_answer_is_in_doubt_until_a_person_says_what_it_was(bridge: Bridge, leads: Leads) -> None:
    number = leads.held()
    world = leads.simulator.world
    world.fail_next("reset_after", at="leadbyte.quarantine")
    said = bridge("leadbyte", "release", number, "--yes", "--json")
    assert said.code == 1
    (told,) = said.json["operations"]
    doubted = told["delivery"]
    assert told["state"] == "in_doubt"
    assert f"`bridge resolve {doubted} --as done|not-done`" in said.errors[0]
    blocked = bridge("leadbyte", "reject", number, "--yes", "--json")
    assert blocked.code == 1
    (waits,) = blocked.json["operations"]
    assert (waits["state"], waits["reason"]) == (
        "pending",
        f"waits for delivery {doubted}, which is in doubt",
    )
    assert f"`bridge resolve {doubted} --as done|not-done`" in blocked.errors[0]
    report = bridge("report", "--format", "json").json
    (row,) = [lead for lead in report["leads"] if lead["state"] == "in_doubt"]
    assert (row["delivery"], row["resync"]) == (doubted, f"bridge resolve {doubted} --as done|not-done")
    assert bridge("resolve", str(doubted), "--as", "done").stdout == "1 settled as done\n"
    assert [kind for kind, _, _ in leads.done] == ["release"]
    assert world.repeated == 0


FIRING = Lane("async", "", "automations")
BOTH_WAYS = {
    "leadbyte": [
        carried(LeadUpdate("7", {"postcode": "N1"}, "reprocess")),
        carried(QuarantineProcess("5", "process")),
    ],
    "leadsquared": [
        Mapped({"EmailAddress": "ann@example.com", "mx_Status": "Sold"}, ("EmailAddress",), FIRING),
        Mapped({"Phone": "+44-7700900123", "mx_Buyer": "Bob"}, ("Phone",), FIRING),
    ],
}
TOLD = {
    "leadbyte": ["to LeadByte: update, reprocess", "to LeadByte: release"],
    "leadsquared": ["to LeadSquared: EmailAddress, mx_Status", "to LeadSquared: Phone, mx_Buyer"],
}


def doubted(bridge: Bridge, target: str, count: int) -> None:
    """A lead `one` of which so many deliveries were being sent as the process died."""
    with closing(open_store(bridge.state)) as store:
        (store_changed if target == "leadbyte" else store_result)(store)
        (item,) = store.unmapped(1)
        made = {f"m{number}": mapped for number, mapped in enumerate(BOTH_WAYS[target][:count])}
        if target == "leadbyte":
            decided = [Decision(name, State.PENDING, one.lane.kind, one) for name, one in made.items()]
            store.record_decided(item, decided, 3.0)
        else:
            births = [Birth(item.id, name, State.PENDING, one, at=2.0) for name, one in made.items()]
            store.record_mapped([item], births, 3.0)
        mode = "async" if target == "leadsquared" else target
        claimed = [len(store.claim_batch(mode, 1e9, 25, 0.0, f"c{n}")) for n in range(count)]
        assert (sum(claimed), store.recover(4.0)) == (count, count)


def store_changed(store: Store) -> None:
    store.observe([Change("one", 2.0, {"mx_Status": "Sold"})], 2.0)


def store_result(store: Store) -> None:
    store.track([Track("one")], 1.0, 9.0)
    (item,) = store.claim_waiting(1.0, 1)
    reply = QueueReply(Verdict.FINAL, "Approved", None, {}, "{}")
    store.record_polls([PollRecord(item.id, ItemState.RESOLVED, 2.0, None, reply)], 2.0)


def states(bridge: Bridge) -> list[str]:
    return [delivery["state"] for delivery in bridge.lead("one")["deliveries"]]


@pytest.mark.parametrize("target", sorted(BOTH_WAYS))
def test_one_word_settles_one_doubt_and_several_are_told_apart(bridge: Bridge, target: str) -> None:
    doubted(bridge, target, 2)
    said = bridge("resolve", "one", "--as", "done")
    assert (said.code, said.stdout) == (2, "")
    ids = [delivery["id"] for delivery in bridge.lead("one")["deliveries"]]
    assert said.errors == [
        "one: 2 deliveries of it are in doubt, and nothing was settled; look at each on the other side, then name one "
        "by its number",
        *(
            f"delivery {id_}: m{number}, {what}; `bridge resolve {id_} --as done|not-done`"
            for number, (id_, what) in enumerate(zip(ids, TOLD[target], strict=True))
        ),
    ]
    assert states(bridge) == ["in_doubt", "in_doubt"]
    assert bridge("resolve", str(ids[1]), "--as", "not-done").stdout == "1 settled as not-done\n"
    assert states(bridge) == ["in_doubt", "failed"]
    assert bridge("resolve", "one", "--as", "done").stdout == "1 settled as done\n"
    assert states(bridge) == ["synced", "failed"]


def test_a_refused_key_ends_the_command_and_says_what_stays(bridge: Bridge, leads: Leads) -> None:
    number, other = leads.held(), leads.approved()
    said = bridge("leadbyte", "release", number, "--yes", env=WRONG_KEY)
    assert said.code == 1
    (line,) = said.errors
    assert line.startswith("1 of 1 operations are stored and stay pending; ")
    assert ": leadbyte-updates: LeadByte denied the key" in line
    assert leads.done == []
    assert feedback(bridge) == {"pending": 1}
    assert bridge("leadbyte", "update", other, "--set", "c1=x").code == 0
    bridge.drain()
    assert feedback(bridge) == {"synced": 2}
    assert [one[0] for one in leads.done if one[1] == number] == ["release"]


def test_without_a_key_nothing_is_stored(bridge: Bridge) -> None:
    said = bridge("leadbyte", "release", "7", "--yes", env=NO_KEY)
    assert said.code == 2
    assert any("BRIDGE_LEADBYTE__KEY" in line for line in said.errors)
    assert feedback(bridge) == {}


def test_ctrl_c_leaves_what_was_not_sent_and_says_so(bridge: Bridge, leads: Leads) -> None:
    number = leads.held()
    gone = {"BRIDGE_LEADBYTE__URL": "http://127.0.0.1:9"}
    with bridge.start("leadbyte", "release", number, "--yes", env=gone) as command:
        command.until("side")
        said = command.stopped(signal.SIGINT)
    assert said.code == 1
    assert said.errors[0].endswith("sends them: the command was told to stop")
    assert feedback(bridge) == {"pending": 1}


def test_a_running_service_does_the_work(bridge: Bridge, leads: Leads) -> None:
    number = leads.held()
    with bridge.start("run") as service:
        service.until("started")
        said = bridge("leadbyte", "release", number, "--yes")
        assert said.code == 0
        assert "another process of the bridge is running and does the work; following it" in said.stderr
        assert [kind for kind, _, _ in leads.done] == ["release"]
        assert service.stopped(signal.SIGTERM).code == 0


def test_a_running_service_that_cannot_reach_leadbyte_is_not_followed_for_ever(
    bridge: Bridge, leads: Leads
) -> None:
    number = leads.held()
    with bridge.start("run", env=WRONG_KEY) as service:
        service.until("started")
        said = bridge("leadbyte", "release", number, "--yes")
        assert said.code == 1
        assert "stay pending" in said.errors[0]
        assert ": leadbyte-updates: LeadByte denied the key" in said.errors[0]
        assert service.stopped(signal.SIGTERM).code == 0


# LeadSquared


def test_a_lead_is_found_by_id_email_and_phone(bridge: Bridge, simulator: Simulator) -> None:
    values = {"EmailAddress": "ann@example.com", "FirstName": "Zoë", "Phone": "+44-7700900123"}
    person = simulator.world.add_person(values)
    (found,) = bridge("leadsquared", "lead", person, "--json").json["leads"]
    assert (found["EmailAddress"], found["FirstName"]) == ("ann@example.com", "Zoë")
    assert f"ProspectID = {person}\n" in bridge("leadsquared", "lead", "ann@example.com").stdout
    assert f"ProspectID = {person}\n" in bridge("leadsquared", "lead", "+44-7700900123").stdout
    none = bridge("leadsquared", "lead", "nobody@example.com")
    assert none.code == 1
    assert "nobody" not in none.stderr


def test_metrics_of_the_async_queue(bridge: Bridge) -> None:
    told = bridge("leadsquared", "metrics", "--json").json
    assert set(told) == {"pending", "delay_seconds", "rate_per_minute"}
    assert told["pending"] == 0


def test_limits_are_told_as_set_and_as_learned(bridge: Bridge) -> None:
    env: dict[str, str | None] = {"BRIDGE_LEADSQUARED__RATE_CALLS": None}
    before = bridge("leadsquared", "limits", env=env).stdout
    assert before.startswith("leadsquared: limit 25 calls in 5 s, nothing went wrong so far\n")
    learned = {"calls": 10, "seconds": 5.0, "at": 1_767_323_045.0}
    side = {"state": "up", "reason": "", "since": 0.0}
    with closing(open_store(bridge.state)) as store:
        store.set_checkpoint("host:leadsquared", json.dumps({"learned": learned, "side": side}), time.time())
    told = bridge("leadsquared", "limits", "--json", env=env).json["hosts"]
    limit = {"calls": 25, "seconds": 5.0}
    assert told == {
        "leadsquared": {"limit": limit, "learned": learned, "side": side},
        "leadsquared-async": {"limit": limit, "learned": None, "side": None},
    }
    said = bridge("leadsquared", "limits").stdout
    assert "no limit set, learned 10 calls in 5 s since 2026-01-02 03:04:05, up\n" in said
