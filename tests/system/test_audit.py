"""`bridge audit` and the account, as people run them: damage done by hand is told, work in progress is none."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path

import pytest

from bridge.store import open_store
from bridge.store.lock import state_lock
from tests.system.conftest import ROOT, Bridge, Result, Simulator, bridged

FIRST = ROOT / "tests" / "data" / "first_release.db"
TOTAL = "20 tracked, 20 accounted for: it adds up"
SHORT = "20 tracked, 19 accounted for: it does NOT add up (2026-05-01: 1 missing); `bridge audit` tells more"


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Bridge]:
    """A bridge whose database has leads in every state, and no other side."""
    with bridged(tmp_path / "bridge", {}) as bridge:
        bridge.state.mkdir(mode=0o700)
        shutil.copy(FIRST, bridge.database)
        open_store(bridge.state).close()
        yield bridge


def damage(bridge: Bridge, script: str) -> None:
    """What a person may do with a SQL tool."""
    with closing(sqlite3.connect(bridge.database)) as connection:
        connection.executescript(script)


def delivery(queue_id: str, change: str) -> str:
    """SQL that changes what was made of one lead past the guards of the database."""
    chosen = f"(SELECT id FROM queue_item WHERE queue_id = '{queue_id}')"
    changed = f"UPDATE delivery SET {change} WHERE state <> 'skipped' AND item_id = {chosen}"
    return f"DROP TRIGGER IF EXISTS delivery_transition; {changed}"


DAMAGE = {
    "DELETE FROM queue_item WHERE queue_id = 'expired'": ["2026-05-01: 12 tracked, 10 accounted for"],
    "DELETE FROM queue_item WHERE queue_id = 'failed'": ["row 9 of delivery belongs to no row of queue_item"],
    "INSERT INTO queue_item (account, queue_id, due_at, deadline_at, tracked_at, updated_at) "
    "SELECT account, 'new', due_at, deadline_at, tracked_at, updated_at FROM queue_item WHERE queue_id = 'waiting'": [
        "2026-05-03: 3 tracked, 4 accounted for"
    ],
    "DELETE FROM delivery WHERE identity = 'emailaddress=synced-1@example.com'": [
        "row 2 of attempt belongs to no row of delivery",
        "synced-1: mapped, but there is no delivery of it",
    ],
    "DELETE FROM attempt WHERE delivery_id = (SELECT id FROM delivery WHERE identity LIKE '%synced-2@example.com')": [
        "synced-2: bulk is synced at stage push, but the last attempt says: none"
    ],
    delivery("unprocessed", "state = 'synced'"): [
        "unprocessed: bulk is synced at stage push, but the last attempt says: unprocessed"
    ],
    delivery("synced-3", "state = 'failed'"): [
        "synced-3: bulk is failed at stage push, but the last attempt says: synced"
    ],
    delivery("synced-4", "state = 'pending'"): [
        "synced-4: bulk is pending at stage push, but the last attempt says: synced"
    ],
    delivery("pending-retry", "state = 'sending'"): [
        "pending-retry: bulk is sending, but no process of the bridge runs"
    ],
    delivery("done", "state = 'sent'"): ["done: there is no such state: 'sent'"],
    delivery("submitted", "request_id = NULL"): ["submitted: quiet is submitted without a RequestID"],
    "DROP INDEX delivery_identity_in_flight;"
    "UPDATE delivery SET identity = (SELECT identity FROM delivery WHERE state = 'in_doubt') WHERE state = 'submitted'": [
        "submitted: quiet is in flight twice for one person",
        "in_doubt: firing is in flight twice for one person",
    ],
}


def findings(said: Result) -> list[str]:
    """The lines below the account."""
    lines = said.stdout.splitlines()
    total = next(n for n, line in enumerate(lines) if line.startswith("  total "))
    return [line for line in lines[total + 1 :] if not line.startswith("  ")]


def test_each_thing_that_was_damaged_by_hand_is_told_with_what_to_do(kept: Bridge) -> None:
    damage(kept, ";".join(DAMAGE))
    said = kept("audit")
    assert said.code == 1
    told = findings(said)
    assert sorted(line.partition("; ")[0] for line in told) == sorted(chain.from_iterable(DAMAGE.values()))
    assert all(line.partition("; ")[2] for line in told)
    assert said.errors == [f"{len(told)} findings: see above what does not fit, and what to do"]


def test_a_damaged_file_is_told(kept: Bridge) -> None:
    retyped = "replace(sql, 'generation INTEGER', 'generation TEXT')"
    damage(
        kept,
        f"PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = {retyped} WHERE name = 'queue_item'",
    )
    said = kept("audit")
    assert said.code == 1
    assert findings(said)[0].startswith("the database file is damaged: ")


def test_the_audit_as_json(kept: Bridge) -> None:
    assert kept("audit", "--json").json["findings"] == []
    damage(kept, "DELETE FROM queue_item WHERE queue_id = 'expired'")
    said = kept("audit", "--json")
    assert said.code == 1
    assert [(day["day"], day["adds_up"]) for day in said.json["account"]] == [
        ("2026-05-01", False),
        ("2026-05-02", True),
        ("2026-05-03", True),
    ]
    [finding] = said.json["findings"]
    assert (finding["check"], finding["queue_id"]) == ("day", None)
    assert "`bridge enqueue`" in finding["advice"]


def test_the_audit_changes_nothing(kept: Bridge) -> None:
    with closing(sqlite3.connect(kept.database)) as connection:
        before = list(connection.iterdump())
        kept("audit")
        kept("status")
        assert list(connection.iterdump()) == before


def test_sending_is_right_while_a_process_of_the_bridge_runs(kept: Bridge) -> None:
    damage(kept, delivery("pending-retry", "state = 'sending'"))
    with state_lock(kept.state):
        assert kept("audit").code == 0
    assert kept("audit").code == 1


def test_status_and_report_end_with_the_account(kept: Bridge) -> None:
    damage(kept, "DELETE FROM queue_item WHERE queue_id = 'expired'")
    for command in ("status", "report"):
        lines = kept(command).stdout.splitlines()
        account = lines[lines.index("account, by day of tracking (UTC)") :]
        assert " ".join(" ".join(account[4:]).split()) == f"total {SHORT}"
        assert account[2] == (
            "  2026-05-02         5 = 1 failed + 1 in_doubt + 1 submitted + 1 pending + 1 synced"
        )
    as_json = kept("report", "--format", "json").json
    assert as_json["account"] == kept("status", "--json").json["account"]
    assert sum(day["tracked"] for day in as_json["account"]) == 20
    assert [day["adds_up"] for day in as_json["account"]] == [False, True, True]
    page = kept("report", "--format", "html").stdout
    quoted = SHORT.replace("`bridge audit`", "“bridge audit”")
    assert f"<h2>Account</h2>\n<p>{quoted}</p>" in page


def test_the_rows_of_the_csv_report_stay_leads_and_the_total_is_said_beside_them(kept: Bridge) -> None:
    said = kept("report", "--format", "csv")
    assert {row["state"] for row in csv.DictReader(io.StringIO(said.stdout))} == {
        "failed",
        "unprocessed",
        "in_doubt",
        "expired",
    }
    assert said.stderr == f"account: {TOTAL}\n"


def test_a_service_at_work_is_accounted_for_at_every_moment(bridge: Bridge, simulator: Simulator) -> None:
    simulator.world.faults.set_rates({"leadsquared.bulk_update": {"reset_after": 0.3, "error_500": 0.2}})
    simulator.world.answer_delay["leadsquared"] = 0.2
    ids = [simulator.lead(f"lead{n}@example.com", known=n % 5 > 0) for n in range(100)]
    with bridge.start("run", env={"BRIDGE_LEADSQUARED__BATCH_SIZE": "2"}) as service:
        service.until("started")
        bridge.track(*ids)
        service.until("pushed")
        for _ in range(3):
            told = bridge("audit", "--json")
            assert (told.code, told.json["findings"]) == (0, [])
        service.process.terminate()
        service.process.wait()
    assert bridge("audit").code == 0
    latest = json.loads((bridge.state / "reports" / "latest.json").read_text())
    assert [(day["tracked"], day["adds_up"]) for day in latest["account"]] == [(100, True)]
    page = (bridge.state / "reports" / "latest.html").read_text()
    assert "100 tracked, 100 accounted for: it adds up" in page


@pytest.mark.parametrize(
    "command", [("audit",), ("backup", "copy.db"), ("forget", "--lead-id", "123456", "--yes")]
)
def test_a_state_directory_without_a_database_is_told_and_none_is_made(
    bridge: Bridge, command: tuple[str, ...]
) -> None:
    result = bridge(*command)
    assert (result.code, len(result.errors)) == (1, 1)
    assert "there is no" in result.errors[0]
    assert "database" in result.errors[0]
    assert not (bridge.state / "bridge.db").exists()
