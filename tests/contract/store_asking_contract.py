"""What every store must tell of leads that need a person, and how fast leads go. A store's own tests inherit `AskingContract`."""

from __future__ import annotations

import pytest

from bridge.errors import Conflict
from bridge.model import LEADBYTE, Call, ItemState, Move, PollRecord, Stage, State, Track
from bridge.ports import Birth, Cutoffs, Dismissed, Selection, Store
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


def taken_over(store: Store) -> None:
    """The lead `new` has taken over a value of `old`, and failed."""
    STEPS.bear(store, "old", mapped(City="Leeds"), at=10.0)
    STEPS.bear(store, "new", mapped(Stage="Bad"), at=20.0)
    STEPS.finish(store, State.FAILED, reason="no such option")


def expired_anew(store: Store, queue_id: str, at: float) -> None:
    """LeadByte was asked again about this lead, and has given no result in time."""
    store.resync(Selection((), (queue_id,)), at, refetch=True, force=False, deadline_at=at + 1)
    [item] = store.claim_waiting(at, 9)
    store.record_polls([PollRecord(item.id, ItemState.EXPIRED, at + 1, "no final result")], at + 1)


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

    # dismissed

    def test_what_is_dismissed_is_off_the_report_and_still_accounted_for(self, store: Store) -> None:
        three_failures(store)
        assert store.dismiss(Selection(LISTED), "typed by bots", 90.0) == Dismissed(3, [])
        assert list(store.failures()) == []
        assert store.status().leads["superseded"] == 3
        assert all(day.adds_up for day in store.account())
        assert list(store.audit(running=True)) == []
        assert store.idle()

    def test_a_dismissed_lead_tells_why_and_what_it_was_on_the_report_for(self, store: Store) -> None:
        three_failures(store)
        store.dismiss(Selection(LISTED), "typed by bots", 90.0)
        for queue_id, was in {"too-long": "failed: Too long", "q": "expired: no final result"}.items():
            delivery = (store.lead(queue_id) or {})["deliveries"][-1]
            assert (delivery["state"], delivery["reason"]) == ("superseded", "dismissed: typed by bots")
            word = delivery["attempts"][-1]
            assert (word["stage"], word["result"], word["state"]) == ("person", "dismissed", "superseded")
            assert word["reason"] == was

    @pytest.mark.parametrize(
        ("selection", "left"),
        [
            (Selection(LISTED, reason="TOO"), {"unknown", "q"}),
            (Selection(LISTED, mapping="two"), {"too-long", "q"}),
            (Selection(("expired",)), {"too-long", "unknown"}),
            (Selection(LISTED, queue_ids=("q", "unknown")), {"too-long"}),
            (Selection(LISTED, until=61.0), {"unknown"}),
            (Selection(LISTED, reason="nothing"), {"too-long", "unknown", "q"}),
        ],
    )
    def test_only_the_selected_are_dismissed(
        self, store: Store, selection: Selection, left: set[str]
    ) -> None:
        three_failures(store)
        assert store.dismiss(selection, "not wanted", 90.0).leads == 3 - len(left)
        assert {failure.queue_id for failure in store.failures()} == left

    def test_of_two_deliveries_of_a_lead_only_the_selected_one_is_dismissed(self, store: Store) -> None:
        STEPS.resolve(store, "q")
        [item] = store.unmapped(1)
        births = [Birth(item.id, name, State.FAILED, None, f"no {name}") for name in ("phone", "email")]
        store.record_mapped([item], births, 10.0)
        assert store.dismiss(Selection(LISTED, reason="no phone"), "not wanted", 90.0).leads == 1
        assert [failure.reason for failure in store.failures()] == ["no email"]

    def test_what_moves_or_is_in_doubt_or_done_is_not_dismissed(self, store: Store) -> None:
        in_doubt(store)
        synced(store, 1, at=95.0, first=7)
        STEPS.bear(store, "moving", mapped("b@example.com"))
        store.track([Track("waiting")], 1.0, 9e9)
        before = store.status().leads
        assert store.dismiss(Selection(()), "not wanted", 99.0) == Dismissed(0, [])
        assert store.status().leads == before

    def test_values_that_a_dismissed_lead_took_over_go_with_it_and_it_is_told_whose(
        self, store: Store
    ) -> None:
        taken_over(store)
        assert store.dismiss(Selection(LISTED), "not wanted", 90.0) == Dismissed(1, ["old"])
        STEPS.bear(store, "newer", mapped(Stage="Good"), at=30.0)
        [sent] = STEPS.claim(store, "c9", 99.0)
        assert sent.fields == {"EmailAddress": "a@example.com", "Stage": "Good"}

    def test_values_of_a_lead_that_is_itself_dismissed_for_something_else_are_told_too(
        self, store: Store
    ) -> None:
        taken_over(store)
        expired_anew(store, "old", 80.0)
        assert store.dismissible(Selection(LISTED)) == Dismissed(2, ["old"])
        assert store.dismiss(Selection(LISTED), "not wanted", 90.0) == Dismissed(2, ["old"])

    def test_no_other_number_is_dismissed_than_was_counted(self, store: Store) -> None:
        three_failures(store)
        with pytest.raises(Conflict, match="2 were counted, but 3 are meant by now"):
            store.dismiss(Selection(LISTED), "not wanted", 90.0, counted=2)
        assert len(list(store.failures())) == 3
        assert store.dismiss(Selection(LISTED), "not wanted", 90.0, counted=3).leads == 3

    def test_a_lead_that_expired_as_it_was_fetched_anew_is_no_newer_for_being_dismissed(
        self, store: Store
    ) -> None:
        """When it was resolved is how old its kept reply is."""
        STEPS.resolve(store, "q")
        before = (store.lead("q") or {})["resolved_at"]
        expired_anew(store, "q", 80.0)
        store.dismiss(Selection(LISTED), "not wanted", 90.0)
        assert (store.lead("q") or {})["resolved_at"] == before

    def test_an_expired_lead_never_came_to_a_mapping(self, store: Store) -> None:
        for at in (90.0, 95.0):
            store.track([Track("q")], 1.0, 2.0)
            expired_anew(store, "q", at)
            assert store.dismiss(Selection(LISTED), f"at {at}", at + 3).leads == 1
        deliveries = (store.lead("q") or {})["deliveries"]
        assert [
            (one["mapping"], one["stage"], one["reason"], len(one["attempts"])) for one in deliveries
        ] == [
            ("not mapped", "poll", "dismissed: at 90.0", 1),
            ("not mapped", "poll", "dismissed: at 95.0", 1),
        ]

    def test_a_persons_own_words_are_kept_no_longer_than_what_they_are_about(self, store: Store) -> None:
        three_failures(store)
        store.dismiss(Selection(LISTED), "ann@example.com is a bot", 90.0)
        store.prune_leads(0, 1000, Cutoffs(payloads=90.0), 100.0)
        assert "ann@example.com" in str(store.lead("too-long"))
        store.prune_leads(0, 1000, Cutoffs(payloads=99.0), 100.0)
        for queue_id in ("too-long", "unknown", "q"):
            told = str(store.lead(queue_id))
            assert ("ann@example.com" in told, "'dismissed'" in told) == (False, True)

    @pytest.mark.parametrize("queue_id", ["too-long", "unknown", "q"])
    def test_only_to_fetch_it_anew_takes_a_dismissed_lead_up_again(self, store: Store, queue_id: str) -> None:
        three_failures(store)
        store.dismiss(Selection(LISTED), "not wanted", 90.0)
        assert store.resync(Selection(LISTED), 91.0, refetch=False, force=False, deadline_at=999.0) == 0
        chosen = Selection((), (queue_id,))
        assert store.resync(chosen, 92.0, refetch=True, force=False, deadline_at=999.0) == 1
        [item] = store.claim_waiting(92.0, 9)
        assert item.queue_id == queue_id
