"""Wrong input of every kind: a line for each problem, the exit code of the design, and no lead lost."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.system.conftest import COMMAND, Bridge, Result, Simulator, bridged, checked, simulated

pytest_plugins = ["tests.system.conftest"]

WRONG_KEY = "PLANTED-wrong/2+z=%5A&x"
NOWHERE = "http://127.0.0.1:9"


class Unreachable:
    """Drains that try a host where nobody listens; they take their time while other tests run."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        simulator = stack.enter_context(simulated())
        self.queue_ids = simulator.leads(3)
        self.bridges, self.running = {}, {}
        for setting in ("BRIDGE_LEADBYTE__URL", "BRIDGE_LEADSQUARED__URL"):
            bridge = stack.enter_context(bridged(directory / setting, simulator.environment))
            bridge.track(*self.queue_ids)
            self.bridges[setting] = bridge
            self.running[setting] = stack.enter_context(
                bridge.start("run", "--drain", env={setting: NOWHERE})
            )


@pytest.fixture(scope="module", autouse=True)
def unreachable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unreachable]:
    with ExitStack() as stack:
        yield Unreachable(stack, tmp_path_factory.mktemp("unreachable"))


# settings


def test_unset_settings_are_all_named_at_once(bridge: Bridge, simulator: Simulator) -> None:
    unset = dict.fromkeys(simulator.environment)
    said = bridge("run", "--drain", env={**unset, "BRIDGE_LEADBYTE__URL": ""})
    assert said.code == 2
    assert [line.partition(":")[0] for line in said.errors] == [
        "BRIDGE_LEADBYTE__URL",
        "BRIDGE_LEADBYTE__KEY",
        "BRIDGE_LEADSQUARED__URL",
        "BRIDGE_LEADSQUARED__ACCESS_KEY",
        "BRIDGE_LEADSQUARED__SECRET_KEY",
    ]


def test_settings_of_the_wrong_type_are_all_told_without_their_values(bridge: Bridge) -> None:
    wrong = {
        "BRIDGE_LEADBYTE__CONCURRENCY": "PLANTED-many",
        "BRIDGE_LEADBYTE__URL": "ftp://PLANTED.example.com",
        "BRIDGE_LEADSQUARED__BATCH_SIZE": "26",
        "BRIDGE_LEADSQUARED__SECRET_KEY": "PLANTED with spaces",
        "BRIDGE_LOG__LEVEL": "PLANTED",
    }
    said = bridge("status", env=wrong)
    assert said.code == 2
    assert sorted(line.partition(":")[0] for line in said.errors) == sorted(wrong)
    assert "BRIDGE_LEADSQUARED__BATCH_SIZE: is too large; write a whole number from 1 up to 25" in said.errors
    assert not bridge.state.exists()


def test_a_setting_that_means_nothing_is_warned_of_with_the_nearest_real_one(bridge: Bridge) -> None:
    said = bridge("status", env={"BRIDGE_LEADBYTE__POLL_FRIST_SECONDS": "9"})
    assert said.code == 0
    assert said.stderr.splitlines() == [
        "warning: BRIDGE_LEADBYTE__POLL_FRIST_SECONDS: is no setting and has no effect;"
        " did you mean BRIDGE_LEADBYTE__POLL_FIRST_SECONDS?"
    ]


# keys and hosts


def test_check_tells_every_key_that_is_refused(bridge: Bridge, simulator: Simulator) -> None:
    simulator.world.leadbyte_keys[simulator.world.leadbyte_key] = frozenset({"Leads > Submit"})
    said = bridge("check", env={"BRIDGE_LEADSQUARED__ACCESS_KEY": WRONG_KEY})
    assert said.code == 1
    leadbyte, leadsquared = said.errors
    assert '"API queue" permission' in leadbyte
    assert "Invalid AccessKey or SecretKey" in leadsquared


@pytest.mark.parametrize(
    ("setting", "side", "state"),
    [
        ("BRIDGE_LEADBYTE__KEY", "leadbyte", "waiting"),
        ("BRIDGE_LEADSQUARED__SECRET_KEY", "leadsquared", "pending"),
    ],
)
def test_a_drain_that_a_wrong_key_holds_up_ends_and_keeps_the_leads(
    bridge: Bridge, simulator: Simulator, setting: str, side: str, state: str
) -> None:
    bridge.track(*simulator.leads(3))
    said = bridge("run", "--drain", env={setting: WRONG_KEY})
    assert said.code == 1
    assert len(said.errors) == 1
    assert said.errors[0].startswith(f"{side}: ")
    assert "denied the key" in said.errors[0]
    assert bridge.counts() == {state: 3}
    assert 0 < simulator.world.called(side, "denied") <= 4


# mapping files

FIRST = """\
version: 1
leadsquared: {search_by: EmailAddress}
feelds: {}
fields:
  EmailAddress: {from: "lead..email"}
  Phone: {from: lead.phone1, type: phon}
"""
SECOND = """\
version: 1
leadsquared: {search_by: EmailAddress}
fields:
  EmailAddress: lead.email
  EmailAddress: lead.email2
  LastName: {value: x, max_length: many}
"""


def test_wrong_mappings_are_told_all_at_once_and_nothing_is_polled(
    bridge: Bridge, simulator: Simulator
) -> None:
    bridge.track(*simulator.leads(2))
    (bridge.mappings / "first.yaml").write_text(FIRST)
    (bridge.mappings / "second.yaml").write_text(SECOND)
    (bridge.mappings / "third.yaml").write_text("version: 1\nfields:\n  - [\n")
    running = bridge("run", "--drain")
    assert running.code == 2
    where = [line.removeprefix(f"{bridge.mappings}/").split(": ", 1)[0] for line in running.errors]
    assert where[:5] == ["first.yaml:3", "first.yaml:5", "first.yaml:6", "second.yaml:5", "second.yaml:6"]
    assert where[5].startswith("third.yaml:")
    words = ("'feelds'", "'lead..email'", "'phon'", "'EmailAddress' is here twice", "'many'")
    for word, line in zip(words, running.errors, strict=False):
        assert word in line
    assert simulator.world.called("leadbyte") == 0
    assert bridge.counts() == {"waiting": 2}


# replies


def test_spoiled_replies_of_leadbyte_harm_no_other_lead(bridge: Bridge, simulator: Simulator) -> None:
    for kind in ("html_200", "truncated", "huge"):
        simulator.world.fail_next(kind, at="leadbyte.apiqueue")
    queue_ids = simulator.leads(6)
    bridge.track(*queue_ids, seconds=0.001)
    bridge.drain()
    status = bridge("status", "--json").json
    assert (status["leads"]["synced"], status["leads"]["expired"], status["tracked"]) == (3, 3, 6)
    reasons = {error["queue_id"]: error["reason"] for error in status["last_errors"]}
    for words in ("HTML instead of JSON", "broken JSON", "with a reply larger than"):
        assert sum(words in reason for reason in reasons.values()) == 1
    queue_id, reason = next(iter(reasons.items()))
    assert f"reason: {reason}" in bridge("show", queue_id).stdout
    retried = bridge("resync", "--refetch", "--state", "expired")
    assert retried.stdout.startswith("3 leads re-opened: now 3 synced")
    assert bridge.counts() == {"synced": 6}


def test_spoiled_replies_of_leadsquared_are_tried_again_and_kept_on_record(
    bridge: Bridge, simulator: Simulator
) -> None:
    for kind in ("html_200", "truncated", "huge"):
        simulator.world.fail_next(kind, at="leadsquared.bulk_update")
    queue_id = simulator.lead("ann@example.com")
    bridge.track(queue_id)
    bridge.drain()
    assert bridge.counts() == {"synced": 1}
    (delivery,) = bridge.lead(queue_id)["deliveries"]
    reasons = [attempt["reason"] for attempt in delivery["attempts"]]
    words = ("HTML instead of JSON", "broken JSON", "with a reply larger than")
    assert [word in reason for word, reason in zip(words, reasons, strict=False)] == [True] * 3
    # After the third in a row the host counts as down, which is no fault of the lead.
    assert (reasons[3], delivery["attempts_used"]) == (None, 2)
    assert simulator.person("ann@example.com")["mx_Outcome"] == "Sold"


# the state directory


def refused(said: Result, *words: str) -> bool:
    """One error line with these words, and exit code 1."""
    return said.code == 1 and len(said.errors) == 1 and all(word in said.errors[0] for word in words)


def test_a_file_in_place_of_the_state_directory(bridge: Bridge) -> None:
    bridge.state.write_text("not a directory")
    assert refused(bridge("enqueue", "q1"), str(bridge.state), "BRIDGE_STATE_DIR")
    assert bridge.state.read_text() == "not a directory"


def test_a_state_directory_that_cannot_be_made(bridge: Bridge) -> None:
    said = bridge("run", "--drain", env={"BRIDGE_STATE_DIR": "/proc/bridge-state"})
    assert refused(said, "/proc/bridge-state", "BRIDGE_STATE_DIR")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_state_directory_that_cannot_be_written(bridge: Bridge) -> None:
    bridge.state.mkdir(mode=0o500)
    assert refused(bridge("enqueue", "q1"), str(bridge.state), "writable")
    assert refused(bridge("run", "--drain"), str(bridge.state), "writable")


@pytest.mark.parametrize(("sound", "command"), [(0, "status"), (4096, "run --drain")])
def test_a_damaged_database(bridge: Bridge, simulator: Simulator, sound: int, command: str) -> None:
    bridge.track(*simulator.leads(50))
    for leftover in bridge.state.glob("bridge.db-*"):
        leftover.unlink()
    data = bridge.database.read_bytes()
    assert len(data) > 2 * 4096
    bridge.database.write_bytes(data[:sound] + b"\xa5" * (len(data) - sound))
    assert refused(bridge(*command.split()), str(bridge.database), "damaged", "backup")
    assert simulator.world.called("leadbyte") == 0


def test_a_database_of_a_newer_version(bridge: Bridge, simulator: Simulator) -> None:
    bridge.track(*simulator.leads(2))
    with sqlite3.connect(bridge.database) as database:
        database.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
            "SELECT migration_set, 'm999_later', applied_at FROM _sqlite_migrations LIMIT 1"
        )
    database.close()
    assert refused(bridge("run", "--drain"), str(bridge.database), "newer version", "m999_later")
    with sqlite3.connect(bridge.database) as database:
        assert database.execute("SELECT count(*) FROM queue_item").fetchone() == (2,)
    database.close()


# the command line


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("report --format xml", "'xml' is not one of 'text', 'json', 'csv', 'html'"),
        ("resync --since yesterday", "--since: not a time"),
    ],
)
def test_wrong_words_are_told_in_one_line(bridge: Bridge, words: str, told: str) -> None:
    said = bridge(*words.split())
    assert said.code == 2
    assert said.stdout == ""
    assert len(said.errors) == 1
    assert told in said.errors[0]
    assert not bridge.state.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_that_cannot_be_written_is_told(bridge: Bridge) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        ended = subprocess.run(
            [*COMMAND, "status"],
            env=bridge.environment({}),
            cwd=bridge.directory,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    said = checked(Result(ended.returncode, "", ended.stderr.decode()))
    assert refused(said, "standard output", "No space left on device")


# hosts that are not there (last, as the fixture's drains take some seconds)


@pytest.mark.parametrize(
    ("setting", "state"), [("BRIDGE_LEADBYTE__URL", "waiting"), ("BRIDGE_LEADSQUARED__URL", "pending")]
)
def test_a_drain_that_reaches_nobody_ends_and_keeps_the_leads(
    unreachable: Unreachable, setting: str, state: str
) -> None:
    said = unreachable.running[setting].finished()
    bridge = unreachable.bridges[setting]
    assert said.code == 1
    assert len(said.errors) == 1
    assert f"cannot reach {NOWHERE}: connection refused" in said.errors[0]
    assert bridge.counts() == {state: 3}
    deliveries = [one for queue_id in unreachable.queue_ids for one in bridge.lead(queue_id)["deliveries"]]
    assert [delivery["attempts_used"] for delivery in deliveries] == [0] * (3 if state == "pending" else 0)


def test_check_tells_every_host_that_cannot_be_reached(bridge: Bridge) -> None:
    said = bridge("check", env={"BRIDGE_LEADBYTE__URL": NOWHERE, "BRIDGE_LEADSQUARED__URL": NOWHERE})
    assert said.code == 1
    assert [f"cannot reach {NOWHERE}" in line for line in said.errors] == [True, True]
