"""The SQLite store keeps the contract of the way back; and what is SQLite's own."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Migrations

from bridge.errors import Conflict
from bridge.model import ItemState, PollRecord
from bridge.operation import Learned
from bridge.policy.values import digest
from bridge.ports import Selection
from bridge.store import SqliteStore, open_store
from bridge.store.database import connect
from bridge.store.schema import migrations
from tests.contract.store_contract import mapped, reply
from tests.contract.store_feedback_contract import (
    P1,
    P2,
    STEPS,
    FeedbackContract,
    change,
    financials,
    left,
    process,
    update,
    wanted,
)


class TestSqliteFeedback(FeedbackContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SqliteStore]:
        with closing(open_store(tmp_path)) as store:
            with closing(sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)) as connection:
                connection.execute("UPDATE _sqlite_migrations SET applied_at = '1970-01-01 00:00:00+00:00'")
            yield store
            assert list(store.audit(running=True)) == []


def execute(state: Path, *statements: str) -> None:
    with closing(sqlite3.connect(state / "bridge.db", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(open_store(tmp_path)) as store:
        yield store


@pytest.mark.parametrize("table", ["queue_item", "checkpoint"])
def test_a_look_that_breaks_off_leaves_rows_and_checkpoint_as_they_were(
    store: SqliteStore, tmp_path: Path, table: str
) -> None:
    store.observe([change(10.0, P1, Stage="New")], 10.0, ("seen", "1"))
    broken = f"CREATE TRIGGER broken AFTER UPDATE ON {table} BEGIN SELECT RAISE(ABORT, 'broken'); END"
    execute(tmp_path, broken)
    with pytest.raises(Conflict):
        store.observe([change(20.0, P2), change(20.0, P1, Stage="Sold")], 20.0, ("seen", "2"))
    execute(tmp_path, "DROP TRIGGER broken")
    assert store.checkpoint("seen") == "1"
    assert [item.reply for item in store.unmapped(10)] == ['{"Stage": "New"}']


def test_a_link_holds_no_name_of_a_person(store: SqliteStore, tmp_path: Path) -> None:
    FeedbackContract().forward(store, "q1", Learned("7"), email="ann@example.com")
    with closing(sqlite3.connect(tmp_path / "bridge.db")) as connection:
        [(who,)] = connection.execute("SELECT who FROM link").fetchall()
    assert who == digest("emailaddress=ann@example.com")
    assert "ann" not in who


def test_a_database_of_the_release_before_is_brought_up_to_the_way_back(tmp_path: Path) -> None:
    """With its rows: they are of queueIds, and go to LeadSquared."""
    database = connect(tmp_path / "bridge.db")
    earlier = Migrations("bridge")
    for migration in migrations.pending(database):
        if migration.name != "m003_feedback":
            earlier(name=migration.name)(migration.fn)
    earlier.apply(database)
    database.conn.execute(
        "INSERT INTO queue_item (account, queue_id, state, mapped, reply, due_at, deadline_at, tracked_at, resolved_at,"
        " updated_at) VALUES ('default', 'q1', 'resolved', 1, '{\"status\": \"Approved\"}', 1, 9, 1, 1, 1)"
    )
    database.conn.execute(
        "INSERT INTO delivery (account, item_id, mapping, identity, lookup, lane, keys, fields, as_of, state, stage, due_at,"
        " created_at, updated_at) VALUES ('default', 1, 'm', 'emailaddress=a@example.com', 'emailaddress=a@example.com',"
        " 'bulk|EmailAddress|unprocessed|', '[\"EmailAddress\"]', '{\"EmailAddress\": \"a@example.com\"}', 1, 'pending',"
        " 'map', 1, 1, 1)"
    )
    database.conn.execute("INSERT INTO ledger VALUES ('default', '1970-01-01', 1, 0)")
    database.conn.close()
    with closing(open_store(tmp_path)) as store:
        assert store.status().leads["pending"] == 1
        assert list(store.audit(running=False)) == []
        assert store.learned(["emailaddress=a@example.com"]) == Learned()
        assert [one.queue_id for one in STEPS.claim(store)] == ["q1"]
        store.resync(Selection(("pending", "sending")), 70.0, refetch=True, force=False, deadline_at=99.0)
        [item] = store.claim_waiting(70.0, 1)
        store.record_polls([PollRecord(item.id, ItemState.RESOLVED, 71.0, None, reply())], 71.0)
        STEPS.map(store, "q1", mapped(), 72.0, learned=Learned("7"))
        assert store.learned(["emailaddress=a@example.com"]) == Learned("7")


def plans(store: SqliteStore, run: Callable[[], object]) -> list[str]:
    """How SQLite goes about the statements of a call: a line for each table that is looked at."""
    connection = store._database.conn
    told: list[str] = []
    connection.set_trace_callback(told.append)
    run()
    connection.set_trace_callback(None)
    found = []
    for statement in dict.fromkeys(told):
        if (
            statement.lstrip().startswith(("SELECT", "UPDATE", "INSERT", "DELETE", "WITH"))
            and "IN ()" not in statement
        ):
            rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
            found += [row["detail"] for row in rows]
    return found


def crowded(store: SqliteStore) -> None:
    """Enough rows, and counted, so that the planner knows that a scan is dear."""
    contract = FeedbackContract()
    for n in range(30):
        contract.forward(store, f"q{n}", Learned(str(n), f"9{n}"), email=f"{n}@example.com")
    store.operate([update(str(n), "reprocess") for n in range(30)], 10.0)
    contract.decide(store, wanted(update("7")), wanted(financials()))
    contract.finish(store, now=20.0)


def sent(store: SqliteStore) -> None:
    assert FeedbackContract().finish(store, now=30.0)


HOT: dict[str, Callable[[SqliteStore], object]] = {
    "observe": lambda store: store.observe([change(50.0, P1, Stage="x"), change(50.0, P2)], 50.0, ("a", "1")),
    "names": lambda store: store.names(31),
    "learned": lambda store: store.learned(["emailaddress=1@example.com", "phone=1"]),
    "written": lambda store: store.written(["emailaddress=1@example.com", "phone=1"]),
    "record_decided": lambda store: FeedbackContract().decide(store, wanted(update()), left("financials"), at=60.0),
    "claim and record": sent,
    "ready": lambda store: store.ready("leadbyte", 60.0, 25, 0.0),
    "operate": lambda store: store.operate([process(), update()], 60.0),
    "operated": lambda store: store.operated([31, 32]),
    "unmapped": lambda store: store.unmapped(10),
    "reopened": lambda store: store.reopened(10),
    "claim_submitted": lambda store: store.claim_submitted(60.0, 10),
    "still_moving": lambda store: store.still_moving(70.0),
    "claim_in_doubt": lambda store: store.claim_in_doubt(60.0, 10),
    "idle": lambda store: store.idle(),
    "map": lambda store: FeedbackContract().forward(store, "new", Learned("1"), at=60.0),
    "lead": lambda store: store.lead("31"),
}  # fmt: skip
SMALL = re.compile(r"SCAN (\(subquery|\(SELECT|lanes|polled|moved|(\d+ )?CONSTANT ROW)")
"""Of the statement's own rows. An index that holds only what is open is short too."""
SHORT = (
    "queue_item_unmapped",
    "delivery_stale",
    "delivery_due",
    "delivery_awaited",
    "in_flight",
    "queue_item_due",
)
BY_ID = ("SEARCH f", "SEARCH d")
"""The first of all rows by id that fits: every row, where none does."""


@pytest.mark.parametrize("path", HOT)
def test_no_statement_on_a_hot_path_looks_through_a_whole_table(store: SqliteStore, path: str) -> None:
    crowded(store)
    found = plans(store, lambda: HOT[path](store))
    assert found
    scans = [one for one in found if one.startswith("SCAN") or one in BY_ID]
    long = [one for one in scans if not any(word in one for word in SHORT)]
    assert [one for one in long if not SMALL.match(one)] == []
