"""The SQLite store keeps the contract of the account; and damage to the file is told."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bridge.model import State, Track
from bridge.ports import Check, Day
from bridge.store import SqliteStore, open_store
from bridge.store.account import CHUNK
from tests.contract.store_account_contract import LIVES, STEPS, AccountContract, audited, moved
from tests.contract.store_contract import mapped

LATER = 4e9
"""After any upgrade."""

ALWAYS = "UPDATE _sqlite_migrations SET applied_at = '1970-01-01 00:00:00+00:00'"
"""No upgrade: nothing is believed for being older than one."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(open_store(tmp_path)) as store:
        yield store


class TestSqliteStore(AccountContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SqliteStore]:
        with closing(open_store(tmp_path)) as store:
            execute(tmp_path, ALWAYS)
            yield store


def execute(tmp_path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def damage(tmp_path: Path, *statements: str) -> None:
    """Past the guards."""
    guards = ("delivery_transition", "queue_item_transition")
    execute(tmp_path, *(f"DROP TRIGGER IF EXISTS {guard}" for guard in guards), *statements)


def test_more_leads_than_one_piece_holds_are_all_counted(store: SqliteStore) -> None:
    first, second = CHUNK + 5, CHUNK // 2
    store.track((Track(f"a{n}") for n in range(first)), 1.0, 9e9)
    store.track((Track(f"b{n}") for n in range(second)), 86_401.0, 9e9)
    assert store.account() == [
        Day("1970-01-01", first, 0, {"waiting": first}),
        Day("1970-01-02", second, 0, {"waiting": second}),
    ]


def test_what_others_write_meanwhile_is_not_seen(store: SqliteStore, tmp_path: Path) -> None:
    store.track([Track("q1")], 1.0, 99.0)
    with closing(open_store(tmp_path)) as other, store.snapshot():
        before = store.account()
        findings = store.audit(running=False)
        other.track([Track("q2")], 1.0, 99.0)
        STEPS.bear(other, "q3", mapped())
        STEPS.claim(other)
        assert list(findings) == []
        assert store.account() == before
    assert [day.tracked for day in store.account()] == [3]


def test_an_audit_that_is_left_early_lets_go_of_the_database(store: SqliteStore, tmp_path: Path) -> None:
    STEPS.bear(store, "q", mapped())
    STEPS.claim(store)
    findings = store.audit(running=False)
    assert next(findings).check is Check.SENDING
    findings.close()
    assert store.track([Track("q2")], 1.0, 99.0) == 1


@pytest.mark.parametrize(
    ("statement", "day"),
    [
        ("DELETE FROM queue_item WHERE queue_id = 'q1'", Day("1970-01-01", 2, 0, {"waiting": 1})),
        ("DELETE FROM queue_item", Day("1970-01-01", 2, 0, {})),
        ("UPDATE ledger SET tracked = 1", Day("1970-01-01", 1, 0, {"waiting": 2})),
        ("UPDATE ledger SET forgotten = 1", Day("1970-01-01", 2, 1, {"waiting": 2})),
        ("DELETE FROM ledger", Day("1970-01-01", 0, 0, {"waiting": 2})),
    ],
)
def test_rows_and_ledger_are_counted_apart(
    store: SqliteStore, tmp_path: Path, statement: str, day: Day
) -> None:
    store.track([Track("q1"), Track("q2")], 1.0, 99.0)
    damage(tmp_path, statement)
    assert store.account() == [day]
    assert not day.adds_up
    assert audited(store) == [(Check.DAY, None)]


def test_forgotten_leads_are_accounted_for(store: SqliteStore, tmp_path: Path) -> None:
    store.track([Track("q1"), Track("q2")], 1.0, 99.0)
    damage(tmp_path, "DELETE FROM queue_item WHERE queue_id = 'q1'", "UPDATE ledger SET forgotten = 1")
    assert store.account() == [Day("1970-01-01", 2, 1, {"waiting": 1})]
    assert audited(store) == []


def agrees(last: str, state: State) -> bool:
    """Whether a delivery may be in this state after a push that ended in `last`, as far as rows tell."""
    if state in (State.PENDING, State.SENDING, State.SKIPPED):
        return last == "pending"
    if state is State.SUPERSEDED:
        return last in ("pending", "failed", "unprocessed")
    return last == state


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("last", ["pending", "submitted", "in_doubt", "synced", "failed", "unprocessed"])
def test_the_last_attempt_agrees_with_the_state(
    store: SqliteStore, tmp_path: Path, last: str, state: State
) -> None:
    STEPS.bear(store, "q", mapped(), at=LATER)
    STEPS.finish(store, State(last), now=LATER + 1, request_id="r1")
    damage(tmp_path, f"UPDATE delivery SET state = '{state}'")
    assert audited(store) == ([] if agrees(last, state) else [(Check.CALLS, "q")])


@pytest.mark.parametrize("state", ["synced", "failed", "unprocessed", "submitted", "in_doubt"])
def test_attempts_that_are_gone_are_missed_unless_they_were_pruned(
    store: SqliteStore, tmp_path: Path, state: str
) -> None:
    moved(State(state), request_id="r1")(store)
    damage(tmp_path, "DELETE FROM attempt")
    assert audited(store) == [(Check.CALLS, "q")]
    store.set_checkpoint("pruned:attempts", "60.0", 99.0)
    assert audited(store) == [(Check.CALLS, "q")]
    store.set_checkpoint("pruned:attempts", "60.5", 99.0)
    assert audited(store) == []


def test_a_failure_is_open_again_only_by_a_resync(store: SqliteStore, tmp_path: Path) -> None:
    moved(State.FAILED, reason="bad")(store)
    damage(tmp_path, "UPDATE delivery SET state = 'pending'")
    assert audited(store) == [(Check.CALLS, "q")]
    damage(tmp_path, "UPDATE queue_item SET resync = 70.0")
    assert audited(store) == []


def test_the_word_of_a_person_to_the_first_release_is_believed_but_no_later_one(
    store: SqliteStore, tmp_path: Path
) -> None:
    LIVES["done, a person says"][0](store)
    damage(tmp_path, "DELETE FROM attempt WHERE stage = 'person'")
    assert audited(store) == []
    damage(tmp_path, "UPDATE _sqlite_migrations SET applied_at = '1970-01-01 00:01:29.5+00:00'")
    assert audited(store) == [(Check.CALLS, "q")]


@pytest.mark.parametrize(
    ("statements", "finding"),
    [
        (["UPDATE delivery SET state = 'lost'"], (Check.STATE, "q")),
        (["UPDATE queue_item SET state = 'lost'"], (Check.STATE, "q")),
        (["DELETE FROM delivery"], (Check.UNMAPPED, "q")),
        (["PRAGMA foreign_keys = OFF", "UPDATE attempt SET delivery_id = 99"], (Check.REFERENCE, None)),
        (["PRAGMA ignore_check_constraints = ON", "PRAGMA writable_schema = ON",
          "UPDATE sqlite_master SET sql = replace(sql, 'polls INTEGER', 'polls TEXT') WHERE name = 'queue_item'"],
         (Check.FILE, None)),
    ],
)  # fmt: skip
def test_other_damage_is_told(
    tmp_path: Path, statements: list[str], finding: tuple[Check, str | None]
) -> None:
    with closing(open_store(tmp_path)) as store:
        moved(State.SYNCED)(store)
    damage(tmp_path, "DROP TRIGGER attempt_is_append_only", *statements)
    with closing(open_store(tmp_path)) as store:
        assert finding in audited(store)


def test_two_deliveries_in_flight_for_one_person_are_told(store: SqliteStore, tmp_path: Path) -> None:
    STEPS.bear(store, "q1", mapped())
    STEPS.bear(store, "q2", mapped("b@example.com"))
    STEPS.finish(store, State.SUBMITTED, request_id="r1")
    damage(
        tmp_path,
        "DROP INDEX delivery_identity_in_flight",
        "UPDATE delivery SET identity = 'emailaddress=a@example.com'",
    )
    assert audited(store) == [(Check.TWICE, "q1"), (Check.TWICE, "q2")]
