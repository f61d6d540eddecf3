"""A database of the first release is opened, accounted for and worked off by today's code; an upgrade may die half way."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bridge.store import open_store
from tests.data.first_release import MAPPINGS, PROSPECTS
from tests.system.conftest import ROOT, Bridge, Simulator

FIRST = ROOT / "tests" / "data" / "first_release.db"
DAYS = [("2026-05-01", 12), ("2026-05-02", 5), ("2026-05-03", 3)]
STATES = {
    "synced-0": "synced",
    "synced-1": "synced",
    "synced-2": "synced",
    "synced-3": "synced",
    "synced-4": "synced",
    "superseded-older": "superseded",
    "superseded-newer": "synced",
    "unprocessed": "unprocessed",
    "failed": "failed",
    "failed-unmapped": "failed",
    "skipped": "skipped",
    "expired": "expired",
    "submitted": "submitted",
    "in_doubt": "in_doubt",
    "done": "synced",
    "not_done": "failed",
    "again": "pending",
    "waiting": "waiting",
    "pending-retry": "pending",
    "pending-behind": "pending",
}
ENDED = {"failed": 4, "unprocessed": 1, "expired": 1, "synced": 12, "skipped": 1, "superseded": 1}
CHILD = """
import os, signal, sqlite3, sys
from pathlib import Path
from bridge.store import open_store

connect = sqlite3.connect

def watched(*args, **options):
    connection = connect(*args, **options)
    connection.set_trace_callback(at)
    return connection

def at(statement):
    if statement.strip().startswith(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

sqlite3.connect = watched
open_store(Path(sys.argv[1])).close()
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory as the first release left it."""
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    shutil.copy(FIRST, directory / "bridge.db")
    return directory


def rows(database: Path) -> dict[str, list[Any]]:
    """Every row of the first release's tables, with the columns that they had, read without the bridge."""
    with closing(sqlite3.connect(database)) as connection, closing(sqlite3.connect(FIRST)) as first:
        found = {}
        for name in ("queue_item", "delivery", "attempt", "agreed", "checkpoint"):
            columns = ", ".join(column for _, column, *_ in first.execute(f"PRAGMA table_info({name})"))
            found[name] = connection.execute(f"SELECT {columns} FROM {name} ORDER BY 1, 2, 3").fetchall()
        return found


def stands(directory: Path) -> dict[str, str]:
    """Where each lead stands, by the first state that counts."""
    with closing(open_store(directory)) as store:
        told = {}
        for queue_id in STATES:
            lead = store.lead(queue_id) or {}
            states = [delivery["state"] for delivery in lead["deliveries"]] or [lead["state"]]
            told[queue_id] = next((one for one in states if one != "skipped"), "skipped")
        return told


def assert_upgraded(directory: Path, before: dict[str, list[Any]]) -> None:
    """Nothing is lost or changed, and the ledger holds all that was tracked."""
    assert stands(directory) == STATES
    assert rows(directory / "bridge.db") == before
    with closing(open_store(directory)) as store:
        account = store.account()
        assert [(day.day, day.tracked) for day in account] == DAYS
        assert all(day.adds_up for day in account)
        assert list(store.audit(running=False)) == []


def test_every_lead_of_the_first_release_is_there_in_its_state(state: Path) -> None:
    before = rows(state / "bridge.db")
    assert {row[2] for row in before["queue_item"]} == set(STATES)
    assert (len(before["delivery"]), len(before["attempt"])) == (32, 17)
    assert_upgraded(state, before)


@pytest.mark.parametrize(
    "statement",
    [
        "BEGIN",
        "CREATE TABLE ledger",
        "INSERT INTO ledger",
        'INSERT INTO "_sqlite_migrations"',
        "ALTER TABLE agreed",
        "INSERT INTO agreed",
        "DROP TABLE agreed",
        "COMMIT",
    ],
)
def test_an_upgrade_that_is_killed_leaves_a_file_that_opens_well_the_next_time(
    state: Path, statement: str
) -> None:
    before = rows(state / "bridge.db")
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(state), statement], cwd=ROOT, timeout=60, check=False
    )
    assert child.returncode == -signal.SIGKILL
    with closing(sqlite3.connect(state / "bridge.db")) as connection:
        assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'ledger'").fetchall()
    assert_upgraded(state, before)


def test_a_database_of_the_first_release_is_audited_and_worked_off(
    bridge: Bridge, simulator: Simulator
) -> None:
    bridge.state.mkdir(mode=0o700)
    shutil.copy(FIRST, bridge.database)
    audit = bridge("audit")
    assert (audit.code, audit.stdout.splitlines()[-1]) == (0, "every lead is accounted for")
    bridge.mapping.unlink()
    for name, text in MAPPINGS.items():
        (bridge.mappings / f"{name}.yaml").write_text(text)
    for name, prospect in PROSPECTS.items():
        simulator.world.add_person({"EmailAddress": f"{name}@example.com", "ProspectID": prospect})
    simulator.lead("waiting@example.com", queueId="waiting")
    simulator.world.add_person({"EmailAddress": "pending-retry@example.com"})
    bridge.drain()
    assert bridge.counts() == ENDED
    assert simulator.person("again@example.com")["mx_Outcome"] == "Sold"
    told = bridge("audit", "--json")
    assert (told.code, told.json["findings"]) == (0, [])
    assert [(day["day"], day["tracked"], day["adds_up"]) for day in told.json["account"]] == [
        (*day, True) for day in DAYS
    ]
