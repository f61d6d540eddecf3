"""What every store must keep of the account and its audit. A store's own test module inherits `AccountContract`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bridge.model import ItemState, Move, PollRecord, Stage, State, Track
from bridge.ports import Birth, Check, Day, Selection, Store
from tests.contract.store_contract import AUTOMATED, StoreContract, call, mapped, reply

DAY = 86_400.0
STEPS = StoreContract()
"""Its helpers, not its tests."""


def audited(store: Store, *, running: bool = True) -> list[tuple[Check, str | None]]:
    return [(finding.check, finding.queue_id) for finding in store.audit(running=running)]


def moved(to: State, **move: object) -> Callable[[Store], None]:
    def steps(store: Store) -> None:
        STEPS.bear(store, "q", mapped())
        STEPS.finish(store, to, **move)

    return steps


def waiting(store: Store) -> None:
    store.track([Track("q")], 1.0, 99.0)


def expired(store: Store) -> None:
    store.track([Track("q")], 1.0, 2.0)
    [item] = store.claim_waiting(1.0, 1)
    store.record_polls([PollRecord(item.id, ItemState.EXPIRED, 3.0, "no final result")], 3.0)


def unmapped(store: Store) -> None:
    STEPS.resolve(store, "q")


def skipped_at_birth(store: Store) -> None:
    STEPS.bear(store, "q", None, state=State.SKIPPED, reason="when")


def failed_at_birth(store: Store) -> None:
    STEPS.bear(store, "q", None, state=State.FAILED, reason="no phone")


def in_doubt(store: Store) -> None:
    STEPS.bear(store, "q", mapped("id-1", AUTOMATED))
    STEPS.claim(store, mode="async")
    store.recover(90.0)


def asked_in_vain(store: Store) -> None:
    in_doubt(store)
    [doubted] = store.claim_in_doubt(92.0, 1)
    store.postpone(call("c2", 92.0, Stage.CONFIRM), doubted, 99.0, None)


def settled(store: Store, *, done: bool) -> None:
    asked_in_vain(store)
    store.resolve("q", done=done, now=93.0)


def settled_while_it_was_asked(store: Store, *, done: bool) -> None:
    in_doubt(store)
    [doubted] = store.claim_in_doubt(92.0, 1)
    store.resolve("q", done=done, now=93.0)
    store.postpone(call("c2", 94.0, Stage.CONFIRM), doubted, 99.0, None)


def resynced(store: Store, *, refetch: bool) -> None:
    moved(State.FAILED, reason="bad")(store)
    store.resync(Selection(), 70.0, refetch=refetch, force=False, deadline_at=999.0)


def mapped_anew(store: Store) -> None:
    resynced(store, refetch=False)
    [reopened] = store.reopened(1)
    born = Birth(reopened.item.id, "m", State.PENDING, mapped(Stage="Good"), None, 10.0)
    store.record_remapped(reopened, born, 71.0)


def sent_anew(store: Store) -> None:
    mapped_anew(store)
    STEPS.claim(store, "c2", 80.0)


def mapped_anew_in_vain(store: Store) -> None:
    resynced(store, refetch=False)
    [reopened] = store.reopened(1)
    store.record_remapped(reopened, Birth(reopened.item.id, "m", State.FAILED, None, "no", 10.0), 71.0)


def replaced(store: Store) -> None:
    moved(State.FAILED, reason="bad")(store)
    STEPS.bear(store, "q2", mapped(Stage="Sold"), at=20.0)


def equal_to_what_is_there(store: Store) -> None:
    moved(State.SYNCED)(store)
    store.resync(Selection(("synced",), ("q",)), 70.0, refetch=True, force=False, deadline_at=999.0)
    [item] = store.claim_waiting(70.0, 1)
    store.record_polls([PollRecord(item.id, ItemState.RESOLVED, 71.0, None, reply())], 71.0)
    STEPS.map(store, "q", mapped(), 72.0)
    STEPS.claim(store, "c2", 80.0)


def confirmed(store: Store) -> None:
    moved(State.SUBMITTED, request_id="r1")(store)
    [asked] = store.claim_submitted(99.0, 1)
    store.postpone(call("c2", 99.0, Stage.CONFIRM), asked, 100.0, None)
    [asked] = store.claim_submitted(100.0, 1)
    store.record(call("c3", 101.0, Stage.CONFIRM), [Move(asked, State.SYNCED, 101.0)], 101.0)


LIVES: dict[str, tuple[Callable[[Store], None], dict[str, int]]] = {
    "waiting": (waiting, {"waiting": 1}),
    "expired": (expired, {"expired": 1}),
    "unmapped": (unmapped, {"pending": 1}),
    "skipped at birth": (skipped_at_birth, {"skipped": 1}),
    "failed at birth": (failed_at_birth, {"failed": 1}),
    "to be tried again": (moved(State.PENDING, attempt=True), {"pending": 1}),
    "synced": (moved(State.SYNCED), {"synced": 1}),
    "failed": (moved(State.FAILED, reason="bad"), {"failed": 1}),
    "unprocessed": (moved(State.UNPROCESSED, reason="unknown"), {"unprocessed": 1}),
    "submitted": (moved(State.SUBMITTED, request_id="r1"), {"submitted": 1}),
    "confirmed": (confirmed, {"synced": 1}),
    "in doubt": (in_doubt, {"in_doubt": 1}),
    "in doubt, asked": (asked_in_vain, {"in_doubt": 1}),
    "done, a person says": (lambda store: settled(store, done=True), {"synced": 1}),
    "not done, a person says": (lambda store: settled(store, done=False), {"failed": 1}),
    "done, while asked": (lambda store: settled_while_it_was_asked(store, done=True), {"synced": 1}),
    "not done, while asked": (lambda store: settled_while_it_was_asked(store, done=False), {"failed": 1}),
    "re-opened": (lambda store: resynced(store, refetch=False), {"pending": 1}),
    "to be fetched anew": (lambda store: resynced(store, refetch=True), {"failed": 1}),
    "mapped anew": (mapped_anew, {"pending": 1}),
    "sent anew": (sent_anew, {"sending": 1}),
    "mapped anew in vain": (mapped_anew_in_vain, {"failed": 1}),
    "replaced": (replaced, {"superseded": 1, "pending": 1}),
    "equal to what is there": (equal_to_what_is_there, {"synced": 1}),
}


class AccountContract:
    """`store` is opened empty by the inheriting class."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    def test_nothing_tracked_adds_up(self, store: Store) -> None:
        assert store.account() == []
        assert audited(store, running=False) == []

    def test_who_counts_hears_how_far_it_has_come(self, store: Store) -> None:
        heard: list[tuple[int, int]] = []
        store.account(lambda done, total: heard.append((done, total)))
        assert heard == []
        store.track([Track("q1"), Track("q2")], 10.0, 99.0)
        store.status(lambda done, total: heard.append((done, total)))
        assert heard == [(2, 2)]

    def test_each_check_of_an_audit_is_told_once(self, store: Store) -> None:
        begun: list[Check] = []
        assert list(store.audit(running=False, begun=begun.append)) == []
        assert len(begun) == len(set(begun)) == len(Check)

    def test_days_are_those_of_tracking_in_utc_and_each_queue_id_counts_once(self, store: Store) -> None:
        store.track([Track("q1"), Track("q2")], 1.5 * DAY, 9e9)
        store.track([Track("q2"), Track("q3")], 2 * DAY - 1, 9e9)
        store.track([Track("q3"), Track("q4")], 2 * DAY, 9e9)
        assert store.account() == [
            Day("1970-01-02", 3, 0, {"waiting": 3}),
            Day("1970-01-03", 1, 0, {"waiting": 1}),
        ]
        store.track([Track("q4")], 3 * DAY, 9e9)
        assert [day.day for day in store.account()] == ["1970-01-02", "1970-01-03"]

    @pytest.mark.parametrize("life", LIVES)
    def test_whatever_happens_to_a_lead_it_is_accounted_for(self, store: Store, life: str) -> None:
        lived, states = LIVES[life]
        lived(store)
        [day] = store.account()
        assert (day.tracked, day.accounted) == (sum(states.values()),) * 2
        assert day.states == states
        assert {state: n for state, n in store.status().leads.items() if n} == states
        assert store.status().account == [day]
        assert audited(store) == []

    def test_a_lead_with_several_deliveries_counts_once(self, store: Store) -> None:
        STEPS.resolve(store, "q")
        [item] = store.unmapped(1)
        births = [
            Birth(item.id, "one", State.SKIPPED, None, "when"),
            Birth(item.id, "two", State.FAILED, None, "no phone"),
            Birth(item.id, "three", State.PENDING, mapped(), None, 10.0),
        ]
        store.record_mapped([item], births, 10.0)
        assert [day.states for day in store.account()] == [{"failed": 1}]
        assert store.account()[0].adds_up

    def test_states_come_in_the_order_that_counts(self, store: Store) -> None:
        store.track([Track("q0")], 1.0, 99.0)
        moved(State.SYNCED)(store)
        STEPS.bear(store, "q2", None, state=State.FAILED, reason="no phone")
        assert [list(day.states) for day in store.account()] == [["failed", "waiting", "synced"]]

    def test_sending_is_right_only_while_a_process_runs(self, store: Store) -> None:
        STEPS.bear(store, "q", mapped())
        STEPS.claim(store)
        assert audited(store, running=True) == []
        assert audited(store, running=False) == [(Check.SENDING, "q")]
        store.recover(90.0)
        assert audited(store, running=False) == []

    def test_a_mapped_item_without_a_delivery_is_told(self, store: Store) -> None:
        STEPS.resolve(store, "q")
        store.record_mapped(store.unmapped(1), [], 10.0)
        assert audited(store) == [(Check.UNMAPPED, "q")]

    def test_a_submitted_delivery_without_a_request_id_is_told(self, store: Store) -> None:
        moved(State.SUBMITTED)(store)
        assert audited(store) == [(Check.REQUEST, "q")]

    @pytest.mark.parametrize(
        ("done", "state", "reason"), [(True, "synced", None), (False, "failed", "person")]
    )
    def test_a_persons_word_is_among_the_attempts_but_is_no_call(
        self, store: Store, done: bool, state: str, reason: str | None
    ) -> None:
        settled(store, done=done)
        [delivery] = (store.lead("q") or {})["deliveries"]
        word = delivery["attempts"][-1]
        assert (word["stage"], word["result"], word["state"]) == ("person", "resolved", state)
        assert (reason or "") in (word["reason"] or "")
        assert (word["started_at"], word["answered_at"]) == (93.0, 93.0)
        assert delivery["stage"] != "person"
        for failure in store.failures():
            assert (failure.attempts, failure.last_attempt_at) == (2, 92.0)

    def test_no_word_is_kept_where_nothing_is_in_doubt(self, store: Store) -> None:
        moved(State.FAILED, reason="bad")(store)
        assert store.resolve("q", done=True, now=91.0) == 0
        assert len((store.lead("q") or {})["deliveries"][0]["attempts"]) == 1

    def test_snapshots_may_lie_in_one_another(self, store: Store) -> None:
        store.track([Track("q")], 1.0, 99.0)
        with store.snapshot(), store.snapshot():
            assert audited(store) == []
        assert store.track([Track("q2")], 1.0, 99.0) == 1
