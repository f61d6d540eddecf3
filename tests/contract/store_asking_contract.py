"""What every store must tell of leads that need a person, and how fast leads go. A store's own tests inherit `AskingContract`."""

from __future__ import annotations

import pytest

from bridge.model import LEADBYTE, Call, Move, Stage, State, Track
from bridge.ports import Selection, Store
from tests.contract.store_account_contract import STEPS, expired, in_doubt
from tests.contract.store_contract import AUTOMATED, mapped

LISTED = ("failed", "unprocessed", "in_doubt", "expired")


def synced(store: Store, count: int, at: float, host: str = "leadsquared", first: int = 0) -> None:
    """So many leads that `host` confirmed at that moment, each by a call of its own."""
    for number in range(first, first + count):
        STEPS.bear(store, f"q{number}", mapped(f"a{number}@example.com"))
        [delivery] = STEPS.claim(store, f"c{number}", at)
        call = Call(f"c{number}", Stage.PUSH, host, at, at, "answered")
        store.record(call, [Move(delivery, State.SYNCED, at)], at)


def three_failures(store: Store) -> None:
    STEPS.bear(store, "too-long", mapped("a@example.com"), mapping="one")
    STEPS.finish(store, State.FAILED, now=60.0, reason="Too long")
    STEPS.bear(store, "unknown", mapped("b@example.com"), mapping="two")
    STEPS.finish(store, State.UNPROCESSED, "c2", now=62.0, reason="Lead does not exist")
    expired(store)


class AskingContract:
    """Named for what must hold; `store` is opened empty by the inheriting class."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    def test_leads_per_minute_are_those_confirmed_in_the_last_five(self, store: Store) -> None:
        assert store.status(now=1000.0).leads_per_minute == 0.0
        synced(store, 2, at=650.0)
        synced(store, 5, at=800.0, first=2)
        assert store.status(now=1000.0).leads_per_minute == 1.0
        assert store.status(now=1101.0).leads_per_minute == 0.0
        assert store.status().leads_per_minute == 0.0

    def test_what_leadbyte_or_a_person_said_is_no_confirmed_lead(self, store: Store) -> None:
        synced(store, 1, at=95.0, host=LEADBYTE)
        STEPS.bear(store, "doubtful", mapped("id-1", AUTOMATED))
        STEPS.claim(store, mode="async")
        store.recover(90.0)
        assert store.resolve("doubtful", done=True, now=95.0) == 1
        assert store.status(now=100.0).leads_per_minute == 0.0

    @pytest.mark.parametrize(
        ("selection", "found"),
        [
            (Selection(LISTED), ["unknown", "too-long", "q"]),
            (Selection(("failed", "expired")), ["too-long", "q"]),
            (Selection(LISTED, reason="TOO"), ["too-long"]),
            (Selection(LISTED, mapping="two"), ["unknown"]),
            (Selection(LISTED, queue_ids=("q",)), ["q"]),
            (Selection(LISTED, since=61.0), ["unknown"]),
            (Selection(LISTED, until=59.0), ["q"]),
            (Selection(()), ["unknown", "too-long", "q"]),
            (Selection(LISTED, reason="nothing"), []),
        ],
    )
    def test_matching_failures_come_newest_first(
        self, store: Store, selection: Selection, found: list[str]
    ) -> None:
        three_failures(store)
        count, failures = store.matching(selection, 100)
        assert (count, [failure.queue_id for failure in failures]) == (len(found), found)

    def test_no_more_than_the_newest_are_read_and_all_are_counted(self, store: Store) -> None:
        three_failures(store)
        count, failures = store.matching(Selection(LISTED), 2)
        assert (count, [failure.queue_id for failure in failures]) == (3, ["unknown", "too-long"])

    @pytest.mark.parametrize(
        "selection", [Selection(), Selection(LISTED), Selection(reason="too"), Selection(queue_ids=("q",))]
    )
    def test_as_many_are_counted_as_a_resync_opens(self, store: Store, selection: Selection) -> None:
        three_failures(store)
        count = store.count(selection)
        assert store.resync(selection, 70.0, refetch=False, force=False, deadline_at=999.0) == count

    def test_which_queue_ids_are_not_tracked(self, store: Store) -> None:
        store.track([Track("a"), Track("b")], 1.0, 99.0)
        assert store.untracked(["x", "a", "1", "b", "y"]) == ["x", "1", "y"]
        assert store.untracked([]) == []

    def test_a_number_settles_that_delivery_and_never_a_lead_of_that_name(self, store: Store) -> None:
        in_doubt(store)
        [delivery] = (store.lead("q") or {})["deliveries"]
        store.track([Track(str(delivery["id"] + 1))], 1.0, 99.0)
        assert store.resolve(delivery["id"] + 1, done=True, now=92.0) == 0
        assert store.resolve(delivery["id"], done=True, now=92.0) == 1
        assert STEPS.states(store) == {"synced": 1, "waiting": 1}
