"""The realistic leads, and the simulator as a process of its own."""

import json
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import phonenumbers
import pytest

from bridge.simulator import Mix, World, populate
from bridge.simulator.__main__ import build, parse
from bridge.simulator.control import CONTROL


class Clock:
    """Time that stands still."""

    def __call__(self) -> float:
        return 1_700_000_000.0


def leads(world: World) -> list[dict[str, Any]]:
    return [entry.reply["lead"] for entry in world.queue.values()]


def filled(count: int = 1000, **settings: Any) -> World:
    world = World(clock=Clock())
    ids = populate(world, count, seed=7, **settings)
    assert list(world.queue) == ids
    assert len(set(ids)) == count
    return world


def test_the_same_seed_makes_the_same_world() -> None:
    first, second = filled(50), filled(50)
    assert first.queue == second.queue
    assert first.crm.leads == second.crm.leads


def test_there_is_some_of_everything() -> None:
    world = filled()
    data = leads(world)
    words = Counter(entry.reply["status"] for entry in world.queue.values())
    assert words.keys() == {"Approved", "Rejected", "Duplicate", "Quarantined"}
    assert min(words.values()) >= 10
    assert any(not lead["firstname"].isascii() for lead in data)
    assert any(re.search(r"[\u0400-\u04ff\u4e00-\u9fff]", lead["firstname"]) for lead in data)
    for name in ("lastname", "email", "postcode", "county"):
        assert {None, "", ...} <= {lead.get(name, ...) for lead in data}
    assert any(entry.ready_at > world.clock() for entry in world.queue.values())


def test_addresses_are_unique_and_at_reserved_domains() -> None:
    world = filled()
    people = {lead["prospectid"]: (lead.get("email") or "").strip().casefold() for lead in leads(world)}
    emails = [email for email in people.values() if email]
    assert len(emails) == len(set(emails)) > 800
    assert {email.rpartition("@")[2] for email in emails} == {"example.com", "example.org", "example.net"}
    assert all(email.isascii() for email in emails)


def test_every_phone_can_be_read_and_is_the_one_in_the_crm() -> None:
    world = filled()
    world.create_unknown()
    countries = Counter()
    for lead in leads(world):
        if lead.get("phone1"):
            number = phonenumbers.parse(lead["phone1"], "GB")
            stored = f"+{number.country_code}-{number.national_number}"
            assert world.crm.leads[lead["prospectid"]]["Phone"] == stored
            countries[number.country_code] += 1
    assert countries.keys() == {44, 49, 353, 91}
    assert countries[44] > 800


def test_every_lead_can_be_told_by_address_or_phone_unless_it_is_anonymous() -> None:
    assert all(lead.get("email") or lead.get("phone1") for lead in leads(filled()))
    anonymous = leads(filled(200, mix=Mix(anonymous=1.0)))
    assert all(not lead.get("email") and lead["phone1"] == "n/a" for lead in anonymous)


def test_unknown_people_are_not_in_the_crm_until_they_are_created() -> None:
    world = filled(unknown_rate=0.1)
    unknown = {queue_id: world.queue[queue_id].reply["lead"]["prospectid"] for queue_id in world.unknown}
    assert 60 <= len(unknown) <= 140
    known = {lead["prospectid"] for lead in leads(world)} - set(unknown.values())
    assert world.crm.leads.keys() == known
    assert world.create_unknown() == len(set(unknown.values()))
    assert world.crm.leads.keys() == known | set(unknown.values())
    assert world.create_unknown() == 0


def test_some_people_come_twice_with_other_times() -> None:
    world = filled()
    times: dict[str, list[str]] = {}
    for entry in world.queue.values():
        times.setdefault(entry.reply["lead"]["prospectid"], []).append(entry.reply["processed"])
    twice = [moments for moments in times.values() if len(moments) > 1]
    assert len(twice) >= 20
    assert any(moments != sorted(moments) for moments in twice)


def test_the_mix_decides() -> None:
    held = filled(
        100, mix=Mix(quarantined=1.0, quarantined_seconds=9.0, duplicate=0.0, slow=0.0, ready_after=2.0)
    )
    assert {entry.reply["status"] for entry in held.queue.values()} == {"Approved"}
    assert {entry.quarantined_until for entry in held.queue.values()} == {held.clock() + 11.0}
    odd = filled(
        100, mix=Mix(odd=1.0, rejected=0.0, quarantined=0.0, duplicate=0.0, slow=1.0, queued_polls=3)
    )
    assert {entry.reply["status"] for entry in odd.queue.values()} == {"Vetted"}
    assert {(entry.ready_at, entry.queued_polls) for entry in odd.queue.values()} == {(odd.clock() + 3.0, 3)}


def test_a_world_can_be_filled_twice_and_beyond_the_numbers_there_are() -> None:
    world = filled(200)
    populate(world, 25_000, seed=7, mix=Mix(duplicate=0.0, unknown=0.0))
    assert world.people == len(world.crm.leads) + len(
        {values["ProspectID"] for values in world.unknown.values()}
    )
    assert any("Phone" not in lead for lead in list(world.crm.leads.values())[-100:])


def test_the_summary_counts_what_the_crm_holds() -> None:
    world = World()
    for number in range(3):
        world.add_person(
            {"EmailAddress": f"p{number}@example.com", "mx_Outcome": "Sold" if number else "Lost"}
        )
    summary = world.summary()
    assert summary["leads"] == {"total": 3}
    assert summary["mx_Outcome"] == {"Sold": 2, "Lost": 1}


@contextmanager
def process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    command = [sys.executable, "-m", "bridge.simulator", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        try:
            yield running, json.loads(running.stdout.readline())
        finally:
            running.kill()


def test_a_process_of_its_own_is_driven_over_its_control_address() -> None:
    with process("--leads", "40", "--unknown", "0.5", "--envelope", "bare", "--slow", "0") as (running, told):
        keys = told["keys"]
        assert "$" in keys["access_key"]
        assert "$" in keys["secret_key"]
        control = told["control"]
        ids = [json.loads(line)["queueId"] for line in httpx.get(f"{control}/queue-ids").text.splitlines()]
        assert len(ids) == 40
        url = f"{told['leadbyte']}/restapi/v1.3/apiqueue/{ids[0]}"
        assert httpx.get(url, params={"key": keys["leadbyte"]}).json()["queueId"] == ids[0]
        before = httpx.get(f"{control}/stats").json()
        assert before["calls"]["leadbyte"] == {"apiqueue": {"accepted": 1}}
        created = httpx.post(f"{control}/create-unknown").json()["created"]
        assert created > 0
        crm = httpx.get(f"{control}/leads").json()
        assert len(crm) == before["summary"]["leads"]["total"] + created
        orders = {
            "fail_next": [{"kind": "html_502", "at": "leadbyte"}],
            "rates": {"leadsquared": {"cut": 0.5}},
        }
        assert httpx.post(f"{control}/faults", json=orders).json() == {"rates": orders["rates"]}
        assert httpx.get(url, params={"key": keys["leadbyte"]}).status_code == 502
        assert httpx.post(f"{control}/faults", json={"fail_next": [{"kind": "flood"}]}).status_code == 400
        assert httpx.post(f"{control}/faults", json=[]).status_code == 400
        assert httpx.get(f"{told['leadsquared']}/_sim/stats").status_code == 404
        assert running.stdin
        running.stdin.close()
        assert running.wait(10) == 0


def test_the_process_stops_on_sigterm() -> None:
    with process() as (running, _):
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 0


def test_a_port_that_is_taken_is_told_in_one_line() -> None:
    with process() as (_, told):
        port = told["leadbyte"].rpartition(":")[2]
        command = [sys.executable, "-m", "bridge.simulator", "--ports", port, "0", "0"]
        second = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert "cannot listen" in second.stderr


@pytest.mark.parametrize("wrong", [["--limit", "many"], ["--leads", "x"], ["--envelope", "none"]])
def test_wrong_options_are_usage_errors(wrong: list[str]) -> None:
    command = [sys.executable, "-m", "bridge.simulator", *wrong]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert answer.returncode == 2
    assert "Traceback" not in answer.stderr


def test_the_help_names_every_control_call(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    told = capsys.readouterr().out
    for method, path in CONTROL:
        assert re.search(rf"^  {method:<4} CONTROL{path.removeprefix('/_sim')} ", told, re.MULTILINE), path


def test_how_long_leadbyte_takes_for_a_release_is_an_option() -> None:
    assert build(parse(["--processing", "2.5"])).campaign.rules.seconds == 2.5
