"""What every store must keep. A store's own test module inherits `StoreContract` and says how one is opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from bridge.errors import Conflict
from bridge.model import (
    Call,
    Delivery,
    ItemState,
    Lane,
    Mapped,
    Move,
    PollRecord,
    QueueReply,
    Stage,
    State,
    Track,
    Verdict,
)
from bridge.ports import Birth, Selection, Store

BULK = Lane("bulk", "EmailAddress", "unprocessed")
AUTOMATED = Lane("async", "", "automations")


def reply(status: str = "Approved", processed: str | None = None) -> QueueReply:
    return QueueReply(Verdict.FINAL, status, processed, {"status": status}, f'{{"status": "{status}"}}')


def mapped(email: str = "a@example.com", lane: Lane = BULK, **fields: str) -> Mapped:
    key = lane.search_by or "ProspectID"
    return Mapped({key: email, **fields}, [key], lane)


def call(call_id: str, at: float = 100.0, stage: Stage = Stage.PUSH) -> Call:
    return Call(call_id, stage, "leadsquared", at, at, "answered")


class StoreContract:
    """Named for what must hold; `store` is opened empty by the inheriting class."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    # helpers

    def resolve(self, store: Store, queue_id: str, at: float = 10.0) -> int:
        store.track([Track(queue_id, {"source": "test"})], at, at + 1000)
        [item] = [i for i in store.claim_waiting(at, 100) if i.queue_id == queue_id]
        store.record_polls([PollRecord(item.id, ItemState.RESOLVED, at, None, reply())], at)
        return item.id

    def bear(self, store: Store, queue_id: str, made: Mapped | None, at: float = 10.0, **birth: Any) -> None:
        self.resolve(store, queue_id, at)
        self.map(store, queue_id, made, at, **birth)

    def map(self, store: Store, queue_id: str, made: Mapped | None, at: float, **birth: Any) -> None:
        [item] = [i for i in store.unmapped(100) if i.queue_id == queue_id]
        state = birth.pop("state", State.PENDING)
        born = Birth(item.id, birth.pop("mapping", "m"), state, made, birth.pop("reason", None), at, **birth)
        store.record_mapped([item], [born], at)

    def claim(
        self, store: Store, call_id: str = "c", now: float = 50.0, mode: str = "bulk"
    ) -> Sequence[Delivery]:
        return store.claim_batch(mode, now, 25, 0.0, call_id)

    def finish(self, store: Store, to: State, call_id: str = "c", now: float = 60.0, **move: Any) -> None:
        batch = self.claim(store, call_id, now)
        assert batch
        store.record(call(call_id, now), [Move(d, to, now, **move) for d in batch], now)

    def states(self, store: Store) -> dict[str, int]:
        return {state: n for state, n in store.status().leads.items() if n}

    # intake

    def test_a_queue_id_is_tracked_once(self, store: Store) -> None:
        assert store.track([Track("q1"), Track("q1"), Track("q2")], 1.0, 99.0) == 2
        assert store.track([Track("q2"), Track("q3")], 2.0, 99.0) == 1
        assert self.states(store) == {"waiting": 3}

    def test_the_context_is_kept_and_comes_back_with_the_resolved_item(self, store: Store) -> None:
        self.resolve(store, "q1")
        [item] = store.unmapped(10)
        assert item.context == {"source": "test"}

    # poll

    def test_a_claimed_item_is_not_claimed_again(self, store: Store) -> None:
        store.track([Track("q1"), Track("q2")], 1.0, 99.0)
        first = store.claim_waiting(2.0, 1)
        second = store.claim_waiting(2.0, 10)
        assert {i.queue_id for i in (*first, *second)} == {"q1", "q2"}
        assert store.claim_waiting(2.0, 10) == []

    def test_items_are_claimed_when_due_and_longest_due_first(self, store: Store) -> None:
        store.track([Track("late")], 5.0, 99.0)
        store.track([Track("early")], 1.0, 99.0)
        assert store.claim_waiting(0.5, 10) == []
        assert [i.queue_id for i in store.claim_waiting(9.0, 1)] == ["early"]

    def test_a_polled_item_comes_back_at_its_due_time_with_its_polls_counted(self, store: Store) -> None:
        store.track([Track("q1")], 1.0, 99.0)
        [item] = store.claim_waiting(1.0, 1)
        store.record_polls(
            [PollRecord(item.id, ItemState.WAITING, 7.0, "still 'Queued'", reply("Queued"))], 2.0
        )
        assert store.claim_waiting(6.9, 1) == []
        [again] = store.claim_waiting(7.0, 1)
        assert again.polls == 1
        assert (store.lead("q1") or {})["reason"] == "still 'Queued'"

    def test_a_released_lease_is_due_at_once(self, store: Store) -> None:
        store.track([Track("q1")], 1.0, 99.0)
        store.release_waiting(store.claim_waiting(1.0, 1), 2.0)
        assert [i.queue_id for i in store.claim_waiting(2.0, 1)] == ["q1"]

    def test_the_raw_reply_is_kept(self, store: Store) -> None:
        self.resolve(store, "q1")
        assert (store.lead("q1") or {})["reply"] == '{"status": "Approved"}'

    def test_an_expired_item_is_on_the_report_with_its_reason(self, store: Store) -> None:
        store.track([Track("q1")], 1.0, 2.0)
        [item] = store.claim_waiting(1.0, 1)
        store.record_polls([PollRecord(item.id, ItemState.EXPIRED, 3.0, "no final result")], 3.0)
        assert self.states(store) == {"expired": 1}
        [failure] = store.failures()
        assert (failure.queue_id, failure.state, failure.reason) == ("q1", "expired", "no final result")

    # map

    def test_an_item_is_mapped_once(self, store: Store) -> None:
        self.bear(store, "q1", mapped())
        assert store.unmapped(10) == []
        assert self.states(store) == {"pending": 1}

    def test_a_lead_that_cannot_be_mapped_is_failed_at_stage_map(self, store: Store) -> None:
        self.bear(store, "q1", None, state=State.FAILED, reason="Phone: no phone number")
        [failure] = store.failures()
        assert (failure.state, failure.stage, failure.reason) == ("failed", "map", "Phone: no phone number")
        assert (failure.last_attempt_at, failure.at) == (None, 10.0)

    def test_a_newer_result_supersedes_an_older_pending_one_and_keeps_its_other_fields(
        self, store: Store
    ) -> None:
        self.bear(store, "old", mapped(City="Leeds", Stage="New"), at=10.0)
        self.bear(store, "new", mapped(Stage="Sold"), at=20.0)
        [delivery] = self.claim(store)
        assert delivery.queue_id == "new"
        assert delivery.fields == {"EmailAddress": "a@example.com", "Stage": "Sold", "City": "Leeds"}
        assert self.states(store) == {"superseded": 1, "sending": 1}

    def test_an_older_result_that_arrives_later_fills_gaps_only(self, store: Store) -> None:
        self.bear(store, "new", mapped(Stage="Sold"), at=20.0)
        self.bear(store, "old", mapped(City="Leeds", Stage="New"), at=10.0)
        [delivery] = self.claim(store)
        assert delivery.queue_id == "new"
        assert delivery.fields == {"EmailAddress": "a@example.com", "Stage": "Sold", "City": "Leeds"}

    def test_the_identity_is_compared_without_case(self, store: Store) -> None:
        self.bear(store, "one", mapped("A@example.com", Stage="New"), at=10.0)
        self.bear(store, "two", mapped("a@EXAMPLE.com", Stage="Sold"), at=20.0)
        assert [d.queue_id for d in self.claim(store)] == ["two"]

    # push

    def test_a_batch_holds_one_lane_and_no_more_than_asked(self, store: Store) -> None:
        other = Lane("bulk", "Phone", "unprocessed")
        for n in range(4):
            self.bear(store, f"q{n}", mapped(f"{n}@example.com"))
        self.bear(store, "phone", mapped("+44-7700900123", other))
        assert len(store.claim_batch("bulk", 50.0, 3, 0.0, "c1")) == 3
        lanes = [{d.lane for d in self.claim(store, f"c{n}")} for n in (2, 3)]
        assert sorted(map(len, lanes)) == [1, 1]
        assert self.claim(store, "c4") == []

    def test_a_batch_waits_for_company_until_it_is_full_or_has_lingered(self, store: Store) -> None:
        self.bear(store, "q1", mapped(), at=10.0)
        assert not store.ready("bulk", 10.5, 2, 1.0)
        assert store.claim_batch("bulk", 10.5, 2, 1.0, "c") == []
        assert store.ready("bulk", 11.0, 2, 1.0)
        self.bear(store, "q2", mapped("b@example.com"), at=10.5)
        assert len(store.claim_batch("bulk", 10.6, 2, 1.0, "c")) == 2

    def test_modes_are_claimed_apart(self, store: Store) -> None:
        self.bear(store, "q1", mapped("id-1", Lane("async", "", "silent")))
        assert self.claim(store) == []
        assert not store.ready("bulk", 50.0, 1, 0.0)
        assert [d.queue_id for d in self.claim(store, mode="async")] == ["q1"]

    def test_an_identity_in_flight_is_not_claimed_again(self, store: Store) -> None:
        self.bear(store, "old", mapped(Stage="New"), at=10.0)
        assert self.claim(store, "c1")
        self.bear(store, "new", mapped(Stage="Sold"), at=20.0)
        assert self.claim(store, "c2") == []
        assert self.states(store) == {"sending": 1, "pending": 1}

    def test_a_batch_is_filled_past_others_of_the_same_people(self, store: Store) -> None:
        for n, (email, mapping) in enumerate((("a", "m"), ("a", "other"), ("b", "m"), ("c", "m"))):
            self.bear(store, f"q{n}", mapped(f"{email}@example.com"), mapping=mapping)
        batch = store.claim_batch("bulk", 50.0, 2, 0.0, "c1")
        assert [one.queue_id for one in batch] == ["q0", "q2"]

    def test_two_leads_never_share_a_call_by_one_lookup_value(self, store: Store) -> None:
        keys = ["EmailAddress", "Phone"]
        for n, email in enumerate(("a@example.com", "b@example.com")):
            made = Mapped({"EmailAddress": email, "Phone": "+44-7700900123"}, keys, BULK)
            self.bear(store, f"q{n}", made)
        batch = self.claim(store, "c1")
        by_phone = Lane("bulk", "Phone", "unprocessed")
        with pytest.raises(Conflict):
            self._both_in_flight(store, batch, by_phone)

    def _both_in_flight(self, store: Store, batch: Sequence[Delivery], lane: Lane) -> None:
        store.record(call("c1"), [Move(d, State.PENDING, 50.0, lane=lane) for d in batch], 50.0)
        first, second = self.claim(store, "c2"), self.claim(store, "c3")
        assert len(first) == 1
        assert second == []
        raise Conflict

    def test_values_that_are_agreed_are_skipped_without_a_call(self, store: Store) -> None:
        self.bear(store, "q1", mapped(Stage="Sold"), at=10.0)
        self.finish(store, State.SYNCED)
        self.bear(store, "q2", mapped(Stage="Sold"), at=70.0)
        assert self.claim(store, "c2", 80.0) == []
        assert self.states(store) == {"synced": 1, "skipped": 1}

    def test_force_sends_what_is_agreed(self, store: Store) -> None:
        self.bear(store, "q1", mapped(Stage="Sold"), at=10.0)
        self.finish(store, State.SYNCED)
        self.bear(store, "q2", mapped(Stage="Sold"), at=70.0, force=True)
        assert [d.queue_id for d in self.claim(store, "c2", 80.0)] == ["q2"]

    def test_an_older_value_never_follows_a_newer_one(self, store: Store) -> None:
        self.bear(store, "new", mapped(Stage="Sold"), at=20.0)
        self.finish(store, State.SYNCED)
        self.bear(store, "old", mapped(Stage="New", City="Leeds"), at=10.0)
        [delivery] = self.claim(store, "c2", 80.0)
        assert delivery.fields == {"EmailAddress": "a@example.com", "City": "Leeds"}

    def test_a_delivery_with_nothing_newer_to_say_is_superseded(self, store: Store) -> None:
        self.bear(store, "new", mapped(Stage="Sold"), at=20.0)
        self.finish(store, State.SYNCED)
        self.bear(store, "old", mapped(Stage="New"), at=10.0)
        assert self.claim(store, "c2", 80.0) == []
        assert self.states(store) == {"synced": 1, "superseded": 1}

    def test_a_skipped_result_renews_the_age_of_its_values(self, store: Store) -> None:
        self.bear(store, "first", mapped(Stage="Sold"), at=1.0)
        self.finish(store, State.SYNCED)
        self.bear(store, "same", mapped(Stage="Sold"), at=30.0)
        assert self.claim(store, "c2", 70.0) == []
        self.bear(store, "between", mapped(Stage="New"), at=20.0)
        assert self.claim(store, "c3", 80.0) == []
        assert self.states(store) == {"synced": 1, "skipped": 1, "superseded": 1}

    @pytest.mark.parametrize("attempt", [True, False], ids=["an attempt used up", "none used up"])
    def test_after_a_lost_answer_nothing_passes_for_agreed(self, store: Store, attempt: bool) -> None:
        self.bear(store, "first", mapped(Stage="Sold"), at=1.0)
        self.finish(store, State.SYNCED)
        self.bear(store, "lost", mapped(Stage="New"), at=2.0)
        self.finish(store, State.FAILED, "c2", 70.0, reason="gave up", attempt=attempt, maybe=True)
        self.bear(store, "again", mapped(Stage="Sold"), at=3.0)
        assert [d.queue_id for d in self.claim(store, "c3", 80.0)] == ["again"]

    def test_after_a_crash_nothing_passes_for_agreed(self, store: Store) -> None:
        self.bear(store, "first", mapped(Stage="Sold"), at=1.0)
        self.finish(store, State.SYNCED)
        self.bear(store, "lost", mapped(Stage="New"), at=2.0)
        assert self.claim(store, "c2", 70.0)
        store.recover(71.0)
        self.bear(store, "again", mapped(Stage="Sold"), at=3.0)
        [delivery] = self.claim(store, "c3", 80.0)
        assert (delivery.queue_id, delivery.fields["Stage"]) == ("again", "Sold")

    def test_an_older_second_search_key_does_not_follow_a_newer_one(self, store: Store) -> None:
        keys = ["EmailAddress", "Phone"]
        new = {"EmailAddress": "a@example.com", "Phone": "+44-7700900999"}
        self.bear(store, "new", Mapped(new, keys, BULK), at=20.0)
        self.finish(store, State.SYNCED)
        old = {"EmailAddress": "a@example.com", "Phone": "+44-7700900111", "City": "Leeds"}
        self.bear(store, "old", Mapped(old, keys, BULK), at=10.0)
        [delivery] = self.claim(store, "c2", 80.0)
        assert delivery.fields == {"EmailAddress": "a@example.com", "City": "Leeds"}
        assert delivery.next_key is None

    def test_deliveries_of_two_mappings_do_not_swallow_each_other(self, store: Store) -> None:
        self.resolve(store, "q1")
        [item] = store.unmapped(1)
        silent = Lane("async", "", "silent")
        births = [
            Birth(item.id, "one", State.PENDING, mapped("id-1", AUTOMATED, Stage="Sold"), None, 10.0),
            Birth(item.id, "two", State.PENDING, mapped("id-1", silent, City="Leeds"), None, 10.0),
        ]
        store.record_mapped([item], births, 10.0)
        [first] = self.claim(store, "c1", mode="async")
        assert self.claim(store, "c2", mode="async") == []
        store.record(call("c1"), [Move(first, State.SYNCED, 60.0)], 60.0)
        [second] = self.claim(store, "c3", 70.0, mode="async")
        assert {first.lane.option, second.lane.option} == {"automations", "silent"}

    def test_values_that_only_fold_alike_do_not_travel_together(self, store: Store) -> None:
        self.bear(store, "q1", mapped("weiß@example.com"))
        self.bear(store, "q2", mapped("weiss@example.com"))
        assert [len(self.claim(store, call_id)) for call_id in ("c1", "c2", "c3")] == [1, 1, 0]

    def test_an_older_result_by_another_key_does_not_overwrite(self, store: Store) -> None:
        keys = ["EmailAddress", "Phone"]
        fields = {"EmailAddress": "a@example.com", "Phone": "+44-7700900123", "Stage": "Sold"}
        self.bear(store, "new", Mapped(fields, keys, BULK), at=20.0)
        by_phone = Lane("bulk", "Phone", "unprocessed")
        self.finish(store, State.PENDING, "c1", lane=by_phone)
        self.finish(store, State.SYNCED, "c2", 61.0)
        old = Mapped({"Phone": "+44-7700900123", "Stage": "Lost"}, ["Phone"], by_phone)
        self.bear(store, "old", old, at=10.0)
        assert self.claim(store, "c3", 80.0) == []
        assert self.states(store) == {"synced": 1, "superseded": 1}

    def test_a_lead_that_became_unknown_is_not_skipped_as_equal(self, store: Store) -> None:
        self.bear(store, "first", mapped(Stage="Sold"), at=1.0)
        self.finish(store, State.SYNCED)
        self.bear(store, "gone", mapped(Stage="Lost"), at=2.0)
        self.finish(store, State.UNPROCESSED, "c2", 70.0, reason="Lead does not exist", unknown=True)
        self.bear(store, "again", mapped(Stage="Sold"), at=3.0)
        assert [d.queue_id for d in self.claim(store, "c3", 80.0)] == ["again"]

    def test_what_is_read_back_is_what_was_sent(self, store: Store) -> None:
        self.bear(store, "new", mapped("id-1", AUTOMATED, Stage="Sold"), at=20.0)
        [first] = self.claim(store, "c1", mode="async")
        store.record(call("c1"), [Move(first, State.SYNCED, 60.0)], 60.0)
        self.bear(store, "old", mapped("id-1", AUTOMATED, Stage="Lost", City="Leeds"), at=10.0)
        self.claim(store, "c2", 70.0, mode="async")
        store.recover(80.0)
        [doubted] = store.claim_in_doubt(80.0, 10)
        assert doubted.fields == {"ProspectID": "id-1", "City": "Leeds"}

    def test_an_outcome_is_recorded_with_its_attempt(self, store: Store) -> None:
        self.bear(store, "q1", mapped())
        self.finish(store, State.UNPROCESSED, reason="Lead does not exist in the system", attempt=True)
        [delivery] = (store.lead("q1") or {})["deliveries"]
        assert (delivery["state"], delivery["attempts_used"]) == ("unprocessed", 1)
        [attempt] = delivery["attempts"]
        assert (attempt["state"], attempt["reason"]) == ("unprocessed", "Lead does not exist in the system")

    def test_a_move_from_a_state_that_is_gone_changes_nothing(self, store: Store) -> None:
        self.bear(store, "q1", mapped())
        self.bear(store, "q2", mapped("b@example.com"))
        first, second = self.claim(store)
        store.record(call("c"), [Move(first, State.SYNCED, 60.0)], 60.0)
        with pytest.raises(Conflict):
            store.record(call("c"), [Move(d, State.FAILED, 61.0) for d in (second, first)], 61.0)
        assert self.states(store) == {"synced": 1, "sending": 1}

    def test_only_the_transitions_of_the_table_happen(self, store: Store) -> None:
        self.bear(store, "q1", mapped())
        [delivery] = self.claim(store)
        with pytest.raises(Conflict):
            store.record(call("c"), [Move(delivery, State.SUPERSEDED, 60.0)], 60.0)

    # confirm

    def test_a_submitted_delivery_is_leased_when_due_and_holds_its_identity(self, store: Store) -> None:
        self.bear(store, "q1", mapped())
        self.finish(store, State.SUBMITTED, request_id="r-1")
        assert store.claim_submitted(59.0, 10) == []
        [delivery] = store.claim_submitted(60.0, 10)
        assert (delivery.request_id, delivery.state) == ("r-1", State.SUBMITTED)
        assert store.claim_submitted(60.0, 10) == []
        self.bear(store, "q2", mapped(Stage="Sold"), at=70.0)
        assert self.claim(store, "c2", 80.0) == []

    def test_a_postponed_confirmation_comes_back_when_due_and_counts_its_polls(self, store: Store) -> None:
        self.bear(store, "q1", mapped())
        self.finish(store, State.SUBMITTED, request_id="r-1")
        [delivery] = store.claim_submitted(60.0, 10)
        store.postpone(call("c2", 61.0, Stage.CONFIRM), delivery, 70.0, None)
        assert store.claim_submitted(69.0, 10) == []
        assert [d.polls for d in store.claim_submitted(70.0, 10)] == [1]

    def test_a_confirmed_delivery_is_agreed(self, store: Store) -> None:
        self.bear(store, "q1", mapped(Stage="Sold"))
        self.finish(store, State.SUBMITTED, request_id="r-1")
        [delivery] = store.claim_submitted(60.0, 10)
        store.record(call("c2", 61.0, Stage.CONFIRM), [Move(delivery, State.SYNCED, 61.0)], 61.0)
        self.bear(store, "q2", mapped(Stage="Sold"), at=70.0)
        assert self.claim(store, "c3", 80.0) == []
        assert self.states(store) == {"synced": 1, "skipped": 1}

    # life

    def test_recovery_makes_what_was_being_sent_pending_and_ends_leases(self, store: Store) -> None:
        self.bear(store, "q1", mapped())
        store.track([Track("q2")], 10.0, 99.0)
        store.claim_waiting(10.0, 10)
        self.claim(store)
        assert store.recover(90.0) == 1
        assert self.states(store) == {"pending": 1, "waiting": 1}
        assert [i.queue_id for i in store.claim_waiting(90.0, 10)] == ["q2"]
        assert [d.queue_id for d in self.claim(store, "c2", 90.0)] == ["q1"]

    @pytest.mark.parametrize("how", ["gave up", "tried again", "died"])
    def test_an_older_value_never_follows_one_that_may_have_been_applied(
        self, store: Store, how: str
    ) -> None:
        self.bear(store, "newest", mapped(Stage="Sold"), at=20.0)
        [sent] = self.claim(store)
        self.bear(store, "older", mapped(Stage="New", City="Leeds"), at=10.0)
        if how == "died":
            store.recover(60.0)
        else:
            to = State.FAILED if how == "gave up" else State.PENDING
            store.record(call("c"), [Move(sent, to, 60.0, "lost", maybe=True)], 60.0)
        left = {"newest": {"Stage": "Sold"}, "older": {"City": "Leeds"}}
        for n in range(3):
            for one in self.claim(store, f"d{n}", 70.0):
                assert one.fields.items() - {("EmailAddress", "a@example.com")} <= left[one.queue_id].items()
                store.record(call(f"d{n}"), [Move(one, State.SYNCED, 71.0)], 71.0)
        expected = {"failed": 1, "synced": 1} if how == "gave up" else {"synced": 2}
        assert self.states(store) == expected

    def test_a_lead_that_was_not_known_leaves_older_values_to_be_sent(self, store: Store) -> None:
        self.bear(store, "newest", mapped(Stage="Sold"), at=20.0)
        self.finish(store, State.UNPROCESSED, reason="Lead does not exist", unknown=True)
        self.bear(store, "older", mapped(Stage="New"), at=10.0)
        [delivery] = self.claim(store, "c2", 80.0)
        assert delivery.fields["Stage"] == "New"

    def test_a_clock_that_is_set_back_makes_nothing_wait_for_it(self, store: Store) -> None:
        self.bear(store, "pending", mapped())
        self.finish(store, State.PENDING, now=5000.0)
        self.bear(store, "doubt", mapped("b@example.com"), at=5000.0)
        batch = self.claim(store, "c2", 5000.0)
        doubted = [Move(d, State.IN_DOUBT, 5300.0) for d in batch if d.queue_id == "doubt"]
        back = [Move(d, State.PENDING, 5300.0) for d in batch if d.queue_id == "pending"]
        store.record(call("c2", 5000.0), doubted + back, 5000.0)
        store.track([Track("waiting")], 5000.0, 6000.0)
        store.clock_set_back(4900.0)
        store.recover(100.0)
        [item] = store.claim_waiting(100.0, 10)
        assert (item.queue_id, item.deadline_at) == ("waiting", 1100.0)
        assert self.claim(store, "c3", 399.0) == []
        assert store.claim_in_doubt(399.0, 10) == []
        assert [d.queue_id for d in self.claim(store, "c3", 400.0)] == ["pending"]
        [doubt] = store.claim_in_doubt(400.0, 10)
        assert (doubt.queue_id, doubt.sent_at) == ("doubt", 100.0)

    def test_recovery_leaves_what_may_not_be_repeated_in_doubt(self, store: Store) -> None:
        self.bear(store, "q1", mapped("id-1", AUTOMATED))
        self.claim(store, mode="async")
        store.recover(90.0)
        assert self.states(store) == {"in_doubt": 1}
        assert self.claim(store, "c2", 99.0, mode="async") == []
        assert [d.queue_id for d in store.claim_in_doubt(90.0, 10)] == ["q1"]

    def test_calls_are_remembered_for_the_rate_window(self, store: Store) -> None:
        self.bear(store, "q1", mapped())
        self.bear(store, "q2", mapped("b@example.com"))
        self.finish(store, State.SYNCED, now=60.0)
        assert store.calls_since("leadsquared", 59.0) == [60.0]
        assert store.calls_since("leadsquared", 60.0) == []
        assert store.calls_since("leadsquared-async", 0.0) == []

    def test_a_lost_call_counts_in_the_window_too(self, store: Store) -> None:
        self.bear(store, "q1", mapped())
        self.claim(store)
        store.recover(90.0)
        assert store.calls_since("leadsquared", 89.0) == [90.0]

    def test_idle_means_nothing_waits_or_is_in_flight(self, store: Store) -> None:
        assert store.idle()
        store.track([Track("q1")], 10.0, 99.0)
        assert not store.idle()
        [item] = store.claim_waiting(10.0, 1)
        store.record_polls([PollRecord(item.id, ItemState.RESOLVED, 10.0, None, reply())], 10.0)
        assert not store.idle()
        self.map(store, "q1", mapped(), 10.0)
        assert not store.idle()
        self.finish(store, State.FAILED)
        assert store.idle()

    def test_what_keeps_a_store_from_being_idle_is_counted(self, store: Store) -> None:
        assert store.left() == 0
        store.track([Track("q1"), Track("q2"), Track("q3")], 10.0, 99.0)
        assert store.left() == 3
        items = store.claim_waiting(10.0, 2)
        store.record_polls(
            [PollRecord(one.id, ItemState.RESOLVED, 10.0, None, reply()) for one in items], 10.0
        )
        assert store.left() == 3
        self.map(store, "q1", mapped(), 10.0)
        assert store.left() == 3
        self.finish(store, State.FAILED)
        assert store.left() == 2

    def test_a_doubt_that_was_looked_at_and_what_waits_behind_it_do_not_keep_a_drain(
        self, store: Store
    ) -> None:
        self.bear(store, "q1", mapped("id-1", AUTOMATED, Stage="New"))
        self.claim(store, mode="async")
        store.recover(90.0)
        self.bear(store, "q2", mapped("id-1", AUTOMATED, Stage="Sold"), at=91.0)
        assert not store.idle()
        [doubted] = store.claim_in_doubt(92.0, 10)
        store.postpone(call("c2", 92.0, Stage.CONFIRM), doubted, 99.0, None)
        assert store.idle()

    def test_checkpoints_are_kept_and_dropped(self, store: Store) -> None:
        store.set_checkpoint("a", "1", 1.0)
        store.set_checkpoint("a", "2", 2.0)
        assert store.checkpoint("a") == "2"
        store.set_checkpoint("a", None, 3.0)
        assert store.checkpoint("a") is None

    # people

    def test_a_lead_with_several_deliveries_counts_once_where_a_person_is_needed_most(
        self, store: Store
    ) -> None:
        self.resolve(store, "q1")
        [item] = store.unmapped(1)
        births = [
            Birth(item.id, "one", State.SKIPPED, None, "when"),
            Birth(item.id, "two", State.FAILED, None, "no phone"),
            Birth(item.id, "three", State.PENDING, mapped(), None, 10.0),
        ]
        store.record_mapped([item], births, 10.0)
        assert self.states(store) == {"failed": 1}

    def test_resync_reopens_failed_and_unprocessed_leads_to_be_mapped_anew(self, store: Store) -> None:
        self.bear(store, "q1", mapped(Stage="Bad"))
        self.finish(store, State.FAILED, reason="mx_Stage: no such option", attempt=True)
        assert store.count_by_reason(Selection()) == {("failed", "mx_Stage: no such option"): 1}
        assert store.resync(Selection(), 70.0, refetch=False, force=False, deadline_at=999.0) == 1
        assert self.claim(store, "c2", 80.0) == []
        [reopened] = store.reopened(10)
        born = Birth(reopened.item.id, reopened.mapping, State.PENDING, mapped(Stage="Good"), None, 10.0)
        store.record_remapped(reopened, born, 71.0)
        [delivery] = self.claim(store, "c2", 80.0)
        assert (delivery.fields["Stage"], delivery.attempts) == ("Good", 0)

    def test_a_reopened_lead_keeps_what_it_took_over_from_another(self, store: Store) -> None:
        self.bear(store, "old", mapped(City="Leeds"), at=10.0)
        self.bear(store, "new", mapped(Stage="Bad"), at=20.0)
        self.finish(store, State.FAILED, reason="no such option")
        store.resync(Selection(), 70.0, refetch=False, force=False, deadline_at=999.0)
        [reopened] = store.reopened(10)
        born = Birth(reopened.item.id, reopened.mapping, State.PENDING, mapped(Stage="Good"), None, 20.0)
        store.record_remapped(reopened, born, 71.0)
        [delivery] = self.claim(store, "c2", 80.0)
        assert delivery.fields == {"EmailAddress": "a@example.com", "Stage": "Good", "City": "Leeds"}

    def test_a_refetched_lead_keeps_what_it_took_over_from_another(self, store: Store) -> None:
        self.bear(store, "old", mapped(City="Leeds"), at=10.0)
        self.bear(store, "new", mapped(Stage="Bad"), at=20.0)
        self.finish(store, State.FAILED, reason="no such option")
        store.resync(Selection(), 70.0, refetch=True, force=False, deadline_at=999.0)
        [item] = store.claim_waiting(70.0, 1)
        store.record_polls([PollRecord(item.id, ItemState.RESOLVED, 71.0, None, reply())], 71.0)
        self.map(store, "new", mapped(Stage="Good"), 72.0)
        [delivery] = self.claim(store, "c2", 80.0)
        assert delivery.fields == {"EmailAddress": "a@example.com", "Stage": "Good", "City": "Leeds"}

    def test_a_final_reply_is_only_replaced_by_another(self, store: Store) -> None:
        self.bear(store, "q1", mapped())
        self.finish(store, State.SYNCED)
        again = {"refetch": True, "force": False, "deadline_at": 999.0}
        assert store.resync(Selection(states=["synced"]), 70.0, **again) == 1
        for verdict, state, kept in (
            (Verdict.PENDING, ItemState.WAITING, "Approved"),
            (Verdict.FINAL, ItemState.RESOLVED, "Rejected"),
        ):
            [item] = store.claim_waiting(70.0, 1)
            said = QueueReply(verdict, "Rejected", None, {}, '{"status": "Rejected"}')
            store.record_polls([PollRecord(item.id, state, 70.0, None, said)], 70.0)
            lead = store.lead("q1")
            assert lead
            assert lead["reply"] == f'{{"status": "{kept}"}}'

    def test_a_reopened_lead_that_still_cannot_be_mapped_fails_again(self, store: Store) -> None:
        self.bear(store, "q1", None, state=State.FAILED, reason="no phone")
        store.resync(Selection(), 70.0, refetch=False, force=False, deadline_at=999.0)
        [reopened] = store.reopened(10)
        store.record_remapped(
            reopened, Birth(reopened.item.id, "m", State.FAILED, None, "still no phone", 10.0), 71.0
        )
        assert [failure.reason for failure in store.failures()] == ["still no phone"]
        assert store.idle()

    @pytest.mark.parametrize("state", [State.FAILED, State.SKIPPED])
    def test_a_reopened_lead_that_is_not_mapped_still_sends_what_it_took_over_from_another(
        self, store: Store, state: State
    ) -> None:
        self.bear(store, "old", mapped(City="Leeds"), at=10.0)
        self.bear(store, "new", mapped(Stage="Bad"), at=20.0)
        self.finish(store, State.FAILED, reason="no such option")
        store.resync(Selection(), 70.0, refetch=False, force=False, deadline_at=999.0)
        [reopened] = store.reopened(10)
        store.record_remapped(reopened, Birth(reopened.item.id, "m", state, None, "no", 20.0), 71.0)
        [delivery] = self.claim(store, "c2", 80.0)
        assert delivery.fields == {"EmailAddress": "a@example.com", "City": "Leeds"}
        store.record(call("c2"), [Move(delivery, State.SYNCED, 81.0)], 81.0)
        left = {"failed": 1} if state is State.FAILED else {"synced": 1}
        assert self.states(store) == {**left, "superseded": 1}

    def test_a_value_taken_over_is_also_what_the_lead_is_looked_up_by(self, store: Store) -> None:
        both = Mapped({"EmailAddress": "a@example.com", "Phone": "1"}, ["EmailAddress", "Phone"], BULK)
        self.bear(store, "first", both, at=10.0)
        self.bear(store, "newest", mapped(Stage="Sold"), at=30.0)
        [sent] = self.claim(store)
        by_phone = Lane("bulk", "Phone", "unprocessed")
        store.record(call("c"), [Move(sent, State.PENDING, 60.0, lane=by_phone)], 60.0)
        self.bear(store, "between", Mapped({**both.fields, "Phone": "2"}, both.keys, BULK), at=20.0)
        self.bear(store, "other", Mapped({"Phone": "2", "City": "Leeds"}, ["Phone"], by_phone), at=50.0)
        batch = self.claim(store, "c2", 80.0)
        assert [delivery.lookup for delivery in batch] == ["2"], "one person is never twice in a call"

    def test_a_forced_lead_that_a_newer_one_took_over_is_sent_even_if_unchanged(self, store: Store) -> None:
        self.bear(store, "old", mapped(Stage="Sold"), at=10.0)
        self.finish(store, State.SYNCED)
        self.bear(store, "new", mapped(), at=30.0)
        self.resolve(store, "forced", 70.0)
        [item] = store.unmapped(10)
        made = mapped(Stage="Sold")
        store.record_mapped([item], [Birth(item.id, "m", State.PENDING, made, None, 20.0, force=True)], 71.0)
        [delivery] = self.claim(store, "c2", 80.0)
        assert (delivery.queue_id, delivery.fields.get("Stage")) == ("new", "Sold")

    @pytest.mark.parametrize(
        ("selection", "found"),
        [
            (Selection(), {"failed-1", "unknown-1"}),
            (Selection(states=("failed",)), {"failed-1"}),
            (Selection(queue_ids=("unknown-1",)), {"unknown-1"}),
            (Selection(reason="DOES NOT EXIST"), {"unknown-1"}),
            (Selection(mapping="other"), set()),
            (Selection(since=61.0), {"unknown-1"}),
            (Selection(until=61.0), {"failed-1"}),
            (Selection(states=("expired",)), set()),
        ],
    )
    def test_resync_takes_what_was_selected(
        self, store: Store, selection: Selection, found: set[str]
    ) -> None:
        self.bear(store, "failed-1", mapped())
        self.finish(store, State.FAILED, now=60.0, reason="too long")
        self.bear(store, "unknown-1", mapped("b@example.com"))
        self.finish(store, State.UNPROCESSED, "c2", now=62.0, reason="Lead does not exist")
        assert sum(store.count_by_reason(selection).values()) == len(found)
        assert store.resync(selection, 70.0, refetch=False, force=False, deadline_at=999.0) == len(found)
        assert {reopened.item.queue_id for reopened in store.reopened(10)} == found

    def test_refetch_polls_again_and_the_new_result_replaces_the_failure(self, store: Store) -> None:
        self.bear(store, "q1", mapped(Stage="Bad"))
        self.finish(store, State.FAILED, reason="bad")
        assert store.resync(Selection(), 70.0, refetch=True, force=False, deadline_at=999.0) == 1
        [item] = store.claim_waiting(70.0, 1)
        assert (item.polls, item.deadline_at) == (0, 999.0)
        store.record_polls([PollRecord(item.id, ItemState.RESOLVED, 71.0, None, reply())], 71.0)
        self.map(store, "q1", mapped(Stage="Good"), 72.0)
        self.finish(store, State.SYNCED, "c2", 80.0)
        assert self.states(store) == {"synced": 1}

    def test_an_expired_lead_is_reopened_by_polling_again(self, store: Store) -> None:
        store.track([Track("q1")], 1.0, 2.0)
        [item] = store.claim_waiting(1.0, 1)
        store.record_polls([PollRecord(item.id, ItemState.EXPIRED, 3.0, "no final result")], 3.0)
        assert store.resync(Selection(), 70.0, refetch=False, force=False, deadline_at=999.0) == 0
        chosen = Selection(states=("expired",))
        assert store.resync(chosen, 70.0, refetch=False, force=False, deadline_at=999.0) == 1
        assert [i.queue_id for i in store.claim_waiting(70.0, 1)] == ["q1"]

    @pytest.mark.parametrize(("done", "state"), [(True, "synced"), (False, "failed")])
    def test_a_person_settles_a_doubt(self, store: Store, done: bool, state: str) -> None:
        self.bear(store, "q1", mapped("id-1", AUTOMATED))
        self.claim(store, mode="async")
        store.recover(90.0)
        assert store.resolve("q1", done=done, now=91.0) == 1
        assert store.resolve("q1", done=done, now=92.0) == 0
        assert self.states(store) == {state: 1}

    def test_a_doubt_settled_as_done_is_agreed(self, store: Store) -> None:
        self.bear(store, "new", mapped("id-1", AUTOMATED, Stage="Sold"), at=20.0)
        self.claim(store, mode="async")
        store.recover(90.0)
        store.resolve("new", done=True, now=91.0)
        self.bear(store, "old", mapped("id-1", AUTOMATED, Stage="Lost"), at=10.0)
        assert self.claim(store, "c2", 95.0, mode="async") == []
        assert self.states(store) == {"synced": 1, "superseded": 1}

    def test_a_resync_of_two_deliveries_of_one_lead_loses_neither(self, store: Store) -> None:
        self.resolve(store, "q1")
        [item] = store.unmapped(1)
        births = [
            Birth(item.id, "one", State.FAILED, None, "no phone", 10.0),
            Birth(item.id, "two", State.PENDING, mapped(City="Leeds"), None, 10.0),
        ]
        store.record_mapped([item], births, 10.0)
        self.finish(store, State.UNPROCESSED, reason="Lead does not exist", unknown=True)
        store.resync(Selection(), 70.0, refetch=False, force=False, deadline_at=999.0)
        for reopened in store.reopened(10):
            made = mapped(Stage="Sold") if reopened.mapping == "one" else mapped(City="Leeds")
            born = Birth(item.id, reopened.mapping, State.PENDING, made, None, 10.0)
            store.record_remapped(reopened, born, 71.0)
        sent: dict[str, str] = {}
        for n in range(2):
            for delivery in self.claim(store, f"d{n}", 80.0):
                sent |= delivery.fields
                store.record(call(f"d{n}"), [Move(delivery, State.SYNCED, 81.0)], 81.0)
        assert (sent.get("Stage"), sent.get("City")) == ("Sold", "Leeds")

    def test_a_row_that_is_no_longer_re_opened_is_not_mapped_anew(self, store: Store) -> None:
        self.bear(store, "q1", mapped(Stage="Bad"))
        self.finish(store, State.FAILED, reason="bad")
        store.resync(Selection(), 70.0, refetch=False, force=False, deadline_at=999.0)
        [reopened] = store.reopened(10)
        born = Birth(reopened.item.id, "m", State.PENDING, mapped(Stage="Good"), None, 10.0)
        store.record_remapped(reopened, born, 71.0)
        self.finish(store, State.SYNCED, "c2", 80.0)
        store.record_remapped(reopened, Birth(reopened.item.id, "m", State.FAILED, None, "no", 10.0), 90.0)
        assert self.states(store) == {"synced": 1}

    def test_values_of_another_person_do_not_follow_a_lead_whose_identity_was_mended(
        self, store: Store
    ) -> None:
        self.bear(store, "ann", mapped("all@example.com", Phone="+44-7700900111"), at=10.0)
        self.bear(store, "bob", mapped("all@example.com", Stage="Sold"), at=20.0)
        self.finish(store, State.FAILED, reason="no such lead")
        store.resync(Selection(), 70.0, refetch=False, force=False, deadline_at=999.0)
        [reopened] = store.reopened(10)
        made = mapped("bob@example.com", Stage="Sold")
        store.record_remapped(reopened, Birth(reopened.item.id, "m", State.PENDING, made, None, 20.0), 71.0)
        [delivery] = self.claim(store, "c2", 80.0)
        assert delivery.fields == {"EmailAddress": "bob@example.com", "Stage": "Sold"}

    @pytest.mark.parametrize("ahead", [3600.0, 10 * 365 * 86_400.0])
    def test_what_was_stored_by_a_clock_that_was_ahead_waits_no_longer_for_it(
        self, store: Store, ahead: float
    ) -> None:
        self.bear(store, "q2", mapped(), at=10.0)
        batch = self.claim(store, "c2", 100.0)
        store.track([Track("q1")], ahead, ahead + 1000)
        store.record(call("c2"), [Move(d, State.PENDING, ahead + 30) for d in batch], ahead)
        store.recover(200.0)
        [item] = store.claim_waiting(200.0, 10)
        assert (item.queue_id, item.deadline_at) == ("q1", 1200.0)
        assert self.claim(store, "c3", 229.0) == []
        assert [d.queue_id for d in self.claim(store, "c3", 230.0)] == ["q2"]

    def test_a_newer_result_replaces_a_failure_only_if_it_holds_all_its_fields(self, store: Store) -> None:
        self.bear(store, "q1", mapped(City="Leeds"), at=10.0)
        self.finish(store, State.FAILED, reason="bad")
        self.bear(store, "q2", mapped(Stage="Sold"), at=20.0)
        assert self.states(store) == {"failed": 1, "pending": 1}
        self.bear(store, "q3", mapped(City="York", Stage="Sold"), at=30.0)
        assert self.states(store) == {"superseded": 2, "pending": 1}

    def test_nothing_is_known_of_a_lead_that_is_not_tracked(self, store: Store) -> None:
        assert store.lead("nobody") is None
