"""People's data, by command: a person is erased while the service works, copies can be restored, and nobody else can read."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest

from bridge.cli import forgetting
from bridge.errors import Busy
from bridge.files import reports_held
from bridge.model import ItemState, Move, PollRecord, State, Track
from bridge.ports import Birth
from bridge.store import open_store
from tests.contract.store_contract import call, mapped, reply
from tests.system.conftest import COMMAND, Bridge, Simulator, until

EMAIL = "plantilda@example.com"
PHONE = "+44 7700 900123"
HERS = {"firstname": "Plantilda", "lastname": "Plantagenet", "phone1": "07700 900123"}
FORMS = (b"plant", b"7700900123", b"7700 900123")
AUTOMATIONS = """\
version: 1
leadsquared: {mode: async, trigger_automation: true}
fields:
  ProspectID: lead.prospect
  mx_Outcome: {value: Sold}
"""


def hers(
    simulator: Simulator, status: str = "Approved", email: str = "Plantilda@Example.com", **more: Any
) -> str:
    return simulator.lead(email, status, lead=HERS, **more)


def held(bridge: Bridge) -> dict[str, list[bytes]]:
    """The files of the state directory whose raw bytes, or names, hold anything of her."""
    files = [path for path in bridge.state.rglob("*") if path.is_file()]
    found = {
        str(path): [form for form in FORMS if form in path.read_bytes().lower() + path.name.encode().lower()]
        for path in files
    }
    return {name: forms for name, forms in found.items() if forms}


def done_long_ago(bridge: Bridge, count: int, at: float = 1e6) -> None:
    """Leads that were synced in 1970."""
    with closing(open_store(bridge.state)) as store:
        store.track([Track(f"old-{n}") for n in range(count)], at, at + 99)
        items = store.claim_waiting(at, count)
        store.record_polls([PollRecord(one.id, ItemState.RESOLVED, at, None, reply()) for one in items], at)
        resolved = store.unmapped(count)
        people = {one.id: mapped(f"old{one.id}@example.com") for one in resolved}
        births = [
            Birth(one.id, bridge.mapping.stem, State.PENDING, people[one.id], None, at) for one in resolved
        ]
        store.record_mapped(resolved, births, at)
        while batch := store.claim_batch("bulk", at + 5, 500, 0.0, "c"):
            store.record(call("c", at), [Move(one, State.SYNCED, at + 5) for one in batch], at + 5)


def test_a_person_is_erased_everywhere_while_the_service_works(bridge: Bridge, simulator: Simulator) -> None:
    others = simulator.leads(40)
    done, waiting = hers(simulator), hers(simulator, "Queued", known=False)
    failed = simulator.lead("plantilda@example.com", known=False, lead={**HERS, "phone1": "call me"})
    unknown = hers(simulator, email="plantilda@example.com", known=False, leadId=99887766)
    bridge.track(*others[:20], done, failed, unknown)
    bridge.drain()
    bridge("resync", "--refetch", "--state", "synced", "--queue-id", done)
    refused = bridge.state / "inbox" / "refused"
    refused.mkdir(parents=True)
    (refused / "bad.csv").write_text(f"queueId,mail\nq 1,x@example.com\n{done},\nq 2,{EMAIL}\n")
    (bridge.state / "reports" / "mine.json").write_text(json.dumps({"who": EMAIL}))
    assert set(held(bridge)) >= {str(bridge.database), str(refused / "bad.csv")}
    with bridge.start("run") as service:
        service.until("started")
        bridge("enqueue", waiting, *others[20:])
        said = bridge(
            "forget", "--email", EMAIL.upper(), "--phone", PHONE, "--lead-id", waiting, "--yes", "--json"
        )
        assert said.code == 0, said.stderr
        assert not held(bridge)
        until(lambda: bridge.counts() == {"synced": 40}, "everybody else's leads are synced")
        assert service.stopped(signal.SIGTERM).code == 0
    found = said.json
    assert set(found["queue_ids"]) == {done, waiting, failed, unknown}
    assert (found["leads"], found["file_records"], found["left"]) == (4, 2, [])
    assert found["reports"] >= 2
    assert (refused / "bad.csv").read_text() == "queueId,mail\nq 1,x@example.com\n"
    assert not held(bridge)
    assert bridge("audit").code == 0
    assert bridge("forget", "--email", EMAIL, "--yes").errors == [
        "nothing of this person is held; deploy/privacy.md says where nobody looks"
    ]


def test_a_lead_that_is_being_sent_is_waited_for(bridge: Bridge, simulator: Simulator) -> None:
    queue_ids = [hers(simulator), *simulator.leads(3)]
    bridge.track(*queue_ids)
    simulator.world.answer_delay["leadsquared"] = 2.0
    with bridge.start("run") as service:
        until(lambda: bridge.counts().get("sending"), "her lead is being sent")
        said = bridge("forget", "--phone", PHONE, "--yes")
        assert said.code == 0, said.stderr
        assert "erased: 1 leads with 1 deliveries and 1 attempts" in said.stdout
        assert not held(bridge)
        service.stopped(signal.SIGTERM)
    assert bridge.counts() == {"synced": 3}


def test_what_is_in_doubt_goes_too_and_the_rest_is_settled(bridge: Bridge, simulator: Simulator) -> None:
    world = simulator.world
    bridge.mapping.write_text(AUTOMATIONS)
    people = [world.add_person({"EmailAddress": f"a{n}@example.com"}) for n in range(2)]
    world.fail_next("reset_before", at="leadsquared_async.update", times=2)
    queue_ids = [simulator.lead(None, lead={"prospect": person, **HERS}) for person in people[:1]]
    queue_ids += [simulator.lead(None, lead={"prospect": person}) for person in people[1:]]
    bridge.track(*queue_ids)
    with bridge.start("run") as service:
        until(lambda: bridge.counts() == {"in_doubt": 2}, "both are in doubt")
        assert bridge("forget", "--lead-id", people[0], "--yes").code == 0
        assert service.stopped(signal.SIGTERM).code == 0
    assert bridge.counts() == {"in_doubt": 1}
    assert not held(bridge)


def test_before_erasing_it_shows_what_and_asks(bridge: Bridge, simulator: Simulator) -> None:
    queue_id = hers(simulator)
    bridge.track(queue_id)
    bridge.drain()
    looked = bridge("forget", "--email", EMAIL, "--dry-run")
    assert looked.stdout.splitlines()[0] == "would be erased: 1 leads with 1 deliveries and 1 attempts,"
    assert queue_id in looked.stdout
    said = bridge("forget", "--email", EMAIL, input="\n")
    assert "left as they were" in said.stdout
    nobody = bridge("forget", "--email", EMAIL)
    assert (said.code, nobody.code, bridge.counts()) == (0, 2, {"synced": 1})
    assert bridge("forget", "--email", EMAIL, input="y\n").code == 0
    assert bridge.counts() == {}
    assert EMAIL not in looked.stdout + looked.stderr


def test_what_names_nobody_is_refused_without_being_quoted(bridge: Bridge) -> None:
    said = bridge("forget", "--json", "--email", "plantilda", "--phone", "12")
    assert (said.code, [line.partition(":")[0] for line in said.errors]) == (2, ["--email", "--phone"])
    assert "plantilda" not in said.stdout + said.stderr


def test_traces_that_an_earlier_release_left_are_cleared_or_told(
    bridge: Bridge, simulator: Simulator
) -> None:
    with closing(open_store(bridge.state)) as store:
        store._database.conn.execute("PRAGMA secure_delete=FAST")
        store.track(
            [Track("q1", {"who": EMAIL, "more": "x" * 90_000 + "Plantagenet"}), Track("q2")], 1e9, 9e9
        )
        store._database.conn.execute("UPDATE queue_item SET context = '{}'")
        store.track([Track("q3", {"who": EMAIL})], 1e9, 9e9)
        store.empty_log()
    assert held(bridge)
    with bridge.start("run") as service:
        service.until("started")
        said = bridge("forget", "--email", EMAIL, "--yes")
        assert (said.code, len(said.errors)) == (1, 1)
        assert "whatever else reads the database, forget them once more" in said.errors[0]
        service.stopped(signal.SIGTERM)
    said = bridge("forget", "--email", EMAIL, "--dry-run")
    assert (said.code, said.stdout.split(":")[0]) == (0, "would be cleared")
    assert said.stdout.endswith(
        "  but for remains in unused parts of the database: whose they are cannot be told\n"
    )
    assert held(bridge)
    said = bridge("forget", "--email", EMAIL, "--yes", "--json")
    assert (said.code, said.json["what"], said.json["leads"]) == (0, "cleared", 0)
    assert not held(bridge)
    assert sum(bridge.counts().values()) == 2
    assert bridge("forget", "--email", EMAIL, "--yes").code == 1


def test_what_somebody_who_reads_kept_from_being_cleared_is_cleared_by_the_same_command(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge("enqueue", "--from", "-", input=json.dumps({"queueId": "q1234567", "who": EMAIL}))
    with bridge.start("run") as service, closing(sqlite3.connect(bridge.database)) as reader:
        service.until("started")
        reader.execute("BEGIN").execute("SELECT * FROM queue_item").fetchall()
        for name, value in bridge.environment({}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(forgetting, "PATIENCE_SECONDS", 0.0)
        monkeypatch.setattr("bridge.store.database.BUSY_SECONDS", 0.1)
        with pytest.raises(forgetting.NotErased, match="forget them once more"):
            forgetting.forget([EMAIL], yes=True)
        assert held(bridge)
        reader.rollback()
        assert bridge("forget", "--email", EMAIL, "--yes").code == 0
        assert not held(bridge)
        service.stopped(signal.SIGTERM)


def test_a_report_that_is_being_written_cannot_bring_a_person_back(bridge: Bridge) -> None:
    bridge("enqueue", "--from", "-", input=json.dumps({"queueId": "q1234567", "who": EMAIL}))
    directory = bridge.state / "reports"
    with ExitStack() as writing:
        writing.enter_context(reports_held(directory))
        with bridge.start("forget", "--email", EMAIL, "--yes") as command:
            opened = Path(f"/proc/{command.process.pid}/fd")
            until(lambda: any(is_same(each, directory) for each in opened.iterdir()), "it waits its turn")
            (directory / "latest.json").write_text('{"queue_id": "q1234567"}', encoding="utf-8")
            writing.close()
            assert command.finished().code == 0
    assert "q1234567" not in "".join(path.read_text(encoding="utf-8") for path in directory.iterdir())


def is_same(descriptor: Path, directory: Path) -> bool:
    with suppress(OSError):
        return descriptor.samefile(directory)
    return False


def test_who_is_long_at_the_reports_is_told(bridge: Bridge) -> None:
    directory = bridge.state / "reports"
    with (
        reports_held(directory),
        pytest.raises(Busy, match="is at the reports"),
        reports_held(directory, 0.0),
    ):
        pass


def test_a_file_of_others_in_the_state_directory_is_told(bridge: Bridge) -> None:
    bridge.track("q1234567")
    (bridge.state / "copy.db").write_text(EMAIL)
    said = bridge("forget", "--lead-id", "q1234567", "--yes")
    assert said.code == 0
    assert "warning: copy.db: nobody looked into this file of the state directory" in said.stderr


# retention


def test_the_service_prunes_and_a_pruned_lead_can_be_shown_and_fetched_anew(
    bridge: Bridge, simulator: Simulator
) -> None:
    done_long_ago(bridge, 600)
    with bridge.start("run") as service:
        service.until("pruned")
        service.stopped(signal.SIGTERM)
    lead = bridge.lead("old-599")
    assert (lead["reply"], lead["deliveries"][0]["fields"], lead["deliveries"][0]["attempts"]) == (
        None,
        {},
        [],
    )
    assert bridge("show", "old-599").code == 0
    assert bridge("audit").code == 0
    said = bridge("resync", "--queue-id", "old-7", "--state", "synced", "--force")
    assert (said.code, said.errors) == (2, ["--state synced: such leads are done; add --refetch"])
    simulator.lead("seven@example.com", queueId="old-7")
    assert bridge("resync", "--queue-id", "old-7", "--state", "synced", "--force", "--refetch").code == 0
    assert simulator.written("seven@example.com") == 1
    assert b"old1@example.com" not in bridge.database.read_bytes()


def test_a_drain_does_not_wait_for_pruning_which_goes_on_at_the_next_start(bridge: Bridge) -> None:
    done_long_ago(bridge, 2000)
    bridge.drain()
    with closing(open_store(bridge.state)) as store:
        place = json.loads(store.checkpoint("pruned") or '{"day": null, "after": 0}')
        (kept,) = store._all("SELECT count(reply) FROM queue_item")[0]
    assert place["day"] is None
    assert kept == 2000 - place["after"]
    with bridge.start("run") as service:
        service.until("pruned")
        service.stopped(signal.SIGTERM)
    with closing(open_store(bridge.state)) as store:
        assert store._all("SELECT count(reply) FROM queue_item")[0][0] == 0


# backup


def test_a_copy_made_beside_the_service_can_be_restored_and_nothing_is_lost(
    bridge: Bridge, simulator: Simulator, tmp_path: Path
) -> None:
    before, after = simulator.leads(60, "before"), simulator.leads(5, "after")
    bridge.track(*before)
    place = tmp_path / "copies"
    place.mkdir()
    simulator.world.answer_delay["leadsquared"] = 0.5
    with bridge.start("run") as service:
        until(lambda: simulator.world.writes, "the service sends")
        said = bridge("backup", str(place), "--json")
        assert said.code == 0, said.stderr
        service.stopped(signal.SIGTERM)
    simulator.world.answer_delay.clear()
    bridge.track(*after)
    bridge.drain()
    copy = Path(said.json["path"])
    assert [path.name for path in place.iterdir()] == [copy.name]
    assert (said.json["leads"], said.json["bytes"]) == (60, copy.stat().st_size)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    for path in bridge.state.glob("bridge.db*"):
        path.unlink()
    subprocess.run(["cp", str(copy), str(bridge.database)], check=True)
    bridge.drain()
    assert bridge.counts() == {"synced": 60}
    assert bridge("enqueue", *before, *after).stdout == "5 tracked, 60 already known, 0 refused\n"
    bridge.drain()
    assert bridge.counts() == {"synced": 65}
    assert bridge("audit").code == 0
    assert simulator.world.crm.counts("mx_Outcome") == {"Sold": 65}
    assert simulator.world.doubled == 0


def test_a_file_that_is_there_is_overwritten_only_if_that_is_asked(bridge: Bridge, tmp_path: Path) -> None:
    bridge.track("q1")
    copy = tmp_path / "copy.db"
    copy.write_text("precious")
    said = bridge("backup", str(copy))
    assert (said.code, len(said.errors), copy.read_text()) == (2, 1, "precious")
    assert bridge("backup", str(copy), "--force").code == 0
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT queue_id FROM queue_item").fetchall() == [("q1",)]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["bridge.db", "."])
def test_nothing_is_copied_into_the_state_directory(bridge: Bridge, name: str) -> None:
    bridge.track("q1")
    said = bridge("backup", str(bridge.state / name), "--force")
    assert (said.code, bridge.counts()) == (2, {"waiting": 1})
    assert [path.name for path in bridge.state.iterdir()] == ["bridge.db"]
    assert said.errors[0].endswith("lies in the state directory; give a path on another disk")


@pytest.mark.parametrize("place", ["missing/copy.db", "missing/", "/dev/null"])
def test_a_path_that_cannot_be_written_is_told_in_one_line(
    bridge: Bridge, tmp_path: Path, place: str
) -> None:
    bridge.track("q1")
    said = bridge("backup", f"{tmp_path}/{place}" if place[0] != "/" else place, "--force")
    assert said.code in {1, 2}
    assert len(said.errors) == 1
    assert not (tmp_path / "missing").exists()
    assert not list(tmp_path.rglob("*.part"))


def test_without_a_database_there_is_nothing_to_copy(bridge: Bridge, tmp_path: Path) -> None:
    said = bridge("backup", str(tmp_path / "copy.db"))
    assert (said.code, bridge.state.exists()) == (1, False)
    assert "there is no database yet" in said.errors[0]


def test_a_full_disk_leaves_no_part_of_a_copy(bridge: Bridge, tmp_path: Path) -> None:
    with closing(open_store(bridge.state)) as store:
        store.track([Track(f"q{n}", {"more": "x" * 1000}) for n in range(2000)], 1.0, 9e9)
        store.empty_log()
    place = tmp_path / "copies"
    place.mkdir()
    limited = subprocess.run(
        ["bash", "-c", 'ulimit -f 1000; trap "" XFSZ; exec "$@"', "-", *COMMAND, "backup", str(place)],
        env=bridge.environment({}),
        cwd=bridge.directory,
        capture_output=True,
        text=True,
        check=False,
    )
    [error] = limited.stderr.splitlines()
    assert (limited.returncode, list(place.iterdir())) == (1, [])
    assert error.startswith(f"error: {place}: no copy can be written there")


# file modes


def test_only_its_owner_can_read_what_the_bridge_writes_whatever_the_umask(
    bridge: Bridge, simulator: Simulator
) -> None:
    bridge.state.mkdir(mode=0o755)
    bridge.state.chmod(0o755)
    umask = os.umask(0)
    try:
        bridge.track(*simulator.leads(5), simulator.lead("new@example.com", known=False))
        with bridge.start("run") as service:
            service.until("started")
            drop(bridge, "good.jsonl", '{"queueId": "q-1", "who": "ann@example.com"}\n')
            drop(bridge, "bad.csv", "queueId\nno such id\nq-2\n")
            until(
                lambda: (bridge.state / "inbox" / "refused" / "bad.csv").exists(), "the bad file was refused"
            )
            bridge("report", "--output", str(bridge.state / "inbox" / "mine.part"), "--format", "csv")
            assert not loose(bridge.state)
            service.stopped(signal.SIGTERM)
    finally:
        os.umask(umask)
    assert len(list(bridge.state.rglob("*"))) > 12
    assert not loose(bridge.state)


def drop(bridge: Bridge, name: str, text: str) -> None:
    path = bridge.state / "inbox" / name
    path.with_suffix(".part").write_text(text)
    os.utime(path.with_suffix(".part"), (1e9, 1e9))
    path.with_suffix(".part").rename(path)


def loose(state: Path) -> dict[str, str]:
    """What others than the owner may do anything with."""
    modes = {str(path): stat.S_IMODE(path.stat().st_mode) for path in (state, *state.rglob("*"))}
    return {name: oct(mode) for name, mode in modes.items() if mode & 0o077}
