"""What every store must keep of people's data: found, erased whole, pruned once its time is over, and nothing else touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from bridge.errors import Busy, Conflict
from bridge.model import (
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
from bridge.policy.people import Person, person
from bridge.ports import Birth, Cutoffs, Erased, Selection, Store
from tests.contract.store_contract import AUTOMATED, BULK, StoreContract, call, mapped, reply

ANN = person(emails=["Ann@Example.com"], phones=["+44 7700 900123"], ids=["7185867"])
DAY = 86_400.0
EVERYTHING = Cutoffs(replies=1e6, payloads=1e6, attempts=1e6)


def in_reply(store: Store, contract: PrivacyContract) -> None:
    contract.answer(store, "hers", '{"lead": {"email": "ANN\\u0040example.com"}}')


def in_id(store: Store, contract: PrivacyContract) -> None:
    contract.answer(store, "hers", '{"leadId": 7185867}')


def in_context(store: Store, contract: PrivacyContract) -> None:
    store.track([Track("hers", {"owner": "0044 7700 900 123"})], 10.0, 99.0)


def in_reason(store: Store, contract: PrivacyContract) -> None:
    store.track([Track("hers")], 10.0, 99.0)
    [item] = [one for one in store.claim_waiting(10.0, 10) if one.queue_id == "hers"]
    store.record_polls([PollRecord(item.id, ItemState.WAITING, 99.0, "no lead 'ann@example.com'")], 11.0)


def in_values(store: Store, contract: PrivacyContract) -> None:
    contract.bear(store, "hers", mapped("hers@example.com", Phone="+44-7700900123"))


def in_identity(store: Store, contract: PrivacyContract) -> None:
    contract.bear(store, "hers", mapped("ann@example.com"))
    contract.finish(store, State.SYNCED)


def in_attempt(store: Store, contract: PrivacyContract) -> None:
    contract.bear(store, "hers", mapped("hers@example.com"))
    contract.finish(store, State.PENDING, reason="a lead with Phone 07700900123 exists")
    contract.finish(store, State.SYNCED, "c2", 61.0)


def _cut_off(*_: object, **__: object) -> Erased:
    raise Busy("another program holds the database")


class PrivacyContract:
    """Named for what must hold; `store` is opened empty by the inheriting class."""

    resolve = StoreContract.resolve
    bear = StoreContract.bear
    map = StoreContract.map
    claim = StoreContract.claim
    finish = StoreContract.finish
    states = StoreContract.states

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    # helpers

    def answer(self, store: Store, queue_id: str, raw: str) -> None:
        store.track([Track(queue_id)], 10.0, 99.0)
        [item] = [one for one in store.claim_waiting(10.0, 100) if one.queue_id == queue_id]
        said = QueueReply(Verdict.FINAL, "Approved", None, {}, raw)
        store.record_polls([PollRecord(item.id, ItemState.RESOLVED, 10.0, None, said)], 10.0)

    def forget(self, store: Store, who: Person = ANN, *, running: bool = True) -> list[str]:
        theirs = store.theirs(who)
        store.erase(theirs, 90.0, running=running)
        return sorted(theirs.leads.values())

    def attempts(self, store: Store, queue_id: str) -> list[Any]:
        lead = store.lead(queue_id)
        assert lead
        return [attempt for delivery in lead["deliveries"] for attempt in delivery["attempts"]]

    def adds_up(self, store: Store) -> bool:
        return all(day.adds_up for day in store.account())

    def both_sent(self, store: Store) -> Sequence[Delivery]:
        """Two leads in one call, ann's first."""
        self.bear(store, "hers", mapped(), at=10.0)
        self.bear(store, "other", mapped("other@example.com"), at=10.0)
        batch = self.claim(store)
        assert [delivery.queue_id for delivery in batch] == ["hers", "other"]
        return batch

    # find and erase

    @pytest.mark.parametrize("put", [in_reply, in_id, in_context, in_values, in_identity])
    def test_a_person_is_found_wherever_they_are_and_nobody_else(
        self, store: Store, put: Callable[[Store, PrivacyContract], None]
    ) -> None:
        self.bear(store, "another", mapped("joann@example.com", Phone="+91-7700900123"))
        self.finish(store, State.SYNCED, "c0")
        put(store, self)
        assert self.forget(store) == ["hers"]
        assert store.lead("hers") is None
        assert self.states(store) == {"synced": 1}
        assert not store.theirs(ANN)
        assert self.adds_up(store)

    @pytest.mark.parametrize("put", [in_reason, in_attempt])
    def test_words_that_only_name_a_person_are_blanked_and_the_lead_stays(
        self, store: Store, put: Callable[[Store, PrivacyContract], None]
    ) -> None:
        """What the other side says of one lead of a call is the reason of all of them."""
        put(store, self)
        before = self.states(store)
        found = store.theirs(ANN)
        assert (found.leads, len(found.mentions) > 0) == ({}, True)
        assert store.counted(found).mentions == store.erase(found, 99.0, running=False).mentions > 0
        assert not store.theirs(ANN)
        assert self.states(store) == before
        assert self.adds_up(store)
        assert store.erase(found, 99.0, running=False).leads == 0

    def test_a_person_whose_values_another_lead_took_over_is_found_again_where_erasing_was_cut_off(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.bear(store, "hers", mapped(City="HERS"), at=10.0)
        self.bear(store, "other", mapped(Stage="Sold"), at=20.0)
        found = store.theirs(person(ids=["hers"]))
        monkeypatch.setattr(store, "_erase", _cut_off)
        with pytest.raises(Busy):
            store.erase(found, 99.0, running=False)
        monkeypatch.undo()
        store.erase(store.theirs(person(ids=["hers"])), 99.0, running=False)
        assert "HERS" not in str(store.lead("other"))

    @pytest.mark.parametrize("name", ["hers-1234", "HERS-1234"])
    def test_a_lead_is_found_by_its_queue_id(self, store: Store, name: str) -> None:
        store.track([Track("hers-1234"), Track("hers-12345")], 10.0, 99.0)
        assert self.forget(store, person(ids=[name])) == ["hers-1234"]
        assert self.states(store) == {"waiting": 1}

    def test_who_looks_for_a_person_hears_how_far_it_has_come(self, store: Store) -> None:
        store.track([Track(f"q{n}") for n in range(1200)], 10.0, 99.0)
        heard: list[tuple[int, int]] = []
        store.theirs(Person(), heard=lambda done, total: heard.append((done, total)))
        assert heard[:3] == [(500, 1200), (1000, 1200), (1200, 1200)]
        assert {total for _, total in heard} == {1200}

    def test_what_did_not_change_since_is_not_looked_through(self, store: Store) -> None:
        in_identity(store, self)
        assert store.theirs(ANN, since=60.0).leads
        assert not store.theirs(ANN, since=60.1)

    def test_agreed_values_go_with_the_lead_under_all_its_names(self, store: Store) -> None:
        keys = ["Phone", "EmailAddress", "ProspectID"]
        fields = {"EmailAddress": "a@example.com", "Phone": "+44-7700900123", "ProspectID": "p-1"}
        self.bear(store, "hers", Mapped(fields, keys, Lane("bulk", "Phone", "unprocessed")))
        for n, key in enumerate(keys):
            lane = Lane("bulk", key, "unprocessed")
            self.finish(store, State.PENDING, f"c{n}", 60.0 + n, lane=lane)
        self.finish(store, State.SYNCED, "c9", 70.0)
        self.forget(store)
        made = Mapped(
            {"EmailAddress": "a@example.com", "ProspectID": "p-1"},
            ["ProspectID"],
            Lane("bulk", "", "unprocessed"),
        )
        self.bear(store, "again", made, at=80.0)
        assert [delivery.queue_id for delivery in self.claim(store, "c10", 90.0)] == ["again"]

    def test_agreed_values_that_name_the_person_go_without_any_lead(self, store: Store) -> None:
        in_identity(store, self)
        store.prune_leads(0, 100, EVERYTHING, 90.0)
        theirs = store.theirs(ANN)
        assert (theirs.leads, list(theirs.agreed)) == ({}, ["emailaddress=ann@example.com"])
        assert store.erase(theirs, 91.0, running=True).agreed == 1
        assert not store.theirs(ANN)

    def test_the_ledger_counts_what_was_forgotten_on_its_day_of_tracking(self, store: Store) -> None:
        store.track([Track("first")], 10.0, 99.0)
        store.track([Track("hers", {"email": "ann@example.com"}), Track("last")], 10.0 + DAY, 99.0)
        self.forget(store)
        told = [(day.day, day.tracked, day.forgotten, dict(day.states)) for day in store.account()]
        assert told == [
            ("1970-01-01", 1, 0, {"waiting": 1}),
            ("1970-01-02", 2, 1, {"waiting": 1}),
        ]

    def test_what_will_be_erased_is_counted_before(self, store: Store) -> None:
        in_attempt(store, self)
        theirs = store.theirs(person(emails=["hers@example.com"]))
        counted, erased = store.counted(theirs), store.erase(theirs, 90.0, running=False)
        assert (counted.leads, counted.deliveries, counted.attempts, counted.agreed) == (1, 1, 2, 1)
        assert (erased.leads, erased.deliveries, erased.attempts, erased.agreed) == (1, 1, 2, 1)

    @pytest.mark.parametrize(("running", "left"), [(True, ["hers"]), (False, [])])
    def test_a_lead_that_is_being_sent_is_left_to_the_process_that_sends_it(
        self, store: Store, running: bool, left: list[str]
    ) -> None:
        self.bear(store, "hers", mapped(Phone="+44-7700900123"))
        self.claim(store)
        store.track([Track("waits", {"email": "ann@example.com"})], 10.0, 99.0)
        erased = store.erase(store.theirs(ANN), 60.0, running=running)
        assert sorted(erased.left.values()) == left
        assert self.states(store) == dict.fromkeys(["sending"] * len(left), 1)
        assert self.adds_up(store)

    @pytest.mark.parametrize(
        ("lane", "to"), [(BULK, State.SUBMITTED), (AUTOMATED, State.IN_DOUBT), (BULK, State.FAILED)]
    )
    def test_what_is_not_being_sent_goes_in_any_state(self, store: Store, lane: Lane, to: State) -> None:
        self.bear(store, "hers", mapped("07700900123", lane))
        batch = self.claim(store, mode=lane.mode)
        store.record(call("c"), [Move(one, to, 60.0, request_id="r") for one in batch], 60.0)
        assert self.forget(store) == ["hers"]
        assert self.states(store) == {}

    def test_values_that_another_lead_took_over_go_too(self, store: Store) -> None:
        self.bear(store, "hers", mapped("shared@example.com", Phone="+44-7700900123", City="Leeds"), at=10.0)
        self.bear(store, "other", mapped("shared@example.com", Phone="+44-7700900999", Stage="Sold"), at=20.0)
        erased = store.erase(store.theirs(ANN), 30.0, running=True)
        assert (erased.leads, erased.taken_over) == (1, 1)
        [delivery] = self.claim(store)
        assert delivery.queue_id == "other"
        assert delivery.fields == {
            "EmailAddress": "shared@example.com",
            "Phone": "+44-7700900999",
            "Stage": "Sold",
        }

    def test_tracking_the_queue_id_again_begins_anew(self, store: Store) -> None:
        in_identity(store, self)
        self.forget(store)
        assert store.track([Track("hers")], 100.0, 999.0) == 1
        assert self.states(store) == {"waiting": 1}
        assert self.adds_up(store)

    # whoever works on a lead that is gone

    def test_an_answer_for_a_lead_that_is_gone_leaves_the_others_their_outcome(self, store: Store) -> None:
        batch = self.both_sent(store)
        self.forget(store, person(emails=["a@example.com"]), running=False)
        store.record(call("c"), [Move(one, State.SYNCED, 60.0) for one in batch], 60.0)
        assert self.states(store) == {"synced": 1}
        assert len(self.attempts(store, "other")) == 1
        assert not store.theirs(person(emails=["a@example.com"]))

    def test_an_answer_for_leads_that_are_all_gone_changes_nothing(self, store: Store) -> None:
        batch = self.both_sent(store)
        self.forget(store, person(emails=["a@example.com", "other@example.com"]), running=False)
        store.record(
            call("c"), [Move(one, State.FAILED, 60.0, attempt=True, maybe=True) for one in batch], 60.0
        )
        assert self.states(store) == {}
        assert store.calls_since("leadsquared", 0.0) == []

    def test_a_lead_in_another_state_is_still_a_conflict_beside_one_that_is_gone(self, store: Store) -> None:
        batch = self.both_sent(store)
        self.forget(store, person(emails=["a@example.com"]), running=False)
        store.record(call("c"), [Move(batch[1], State.SYNCED, 60.0)], 60.0)
        with pytest.raises(Conflict):
            store.record(call("c"), [Move(one, State.FAILED, 61.0) for one in batch], 61.0)
        assert self.states(store) == {"synced": 1}

    def test_a_postponed_question_about_a_lead_that_is_gone_changes_nothing(self, store: Store) -> None:
        self.bear(store, "hers", mapped())
        self.finish(store, State.SUBMITTED, request_id="r")
        [delivery] = store.claim_submitted(60.0, 1)
        self.forget(store, person(emails=["a@example.com"]))
        store.postpone(call("c2", 61.0, Stage.CONFIRM), delivery, 70.0, None)
        assert self.states(store) == {}

    def test_a_poll_of_a_lead_that_is_gone_leaves_the_others_their_result(self, store: Store) -> None:
        store.track([Track("hers", {"email": "ann@example.com"}), Track("other")], 10.0, 99.0)
        items = store.claim_waiting(10.0, 10)
        self.forget(store)
        said = QueueReply(Verdict.FINAL, "Approved", None, {}, '{"email": "ann@example.com"}')
        store.record_polls(
            [PollRecord(one.id, ItemState.RESOLVED, 11.0, None, said) for one in items[:1]], 11.0
        )
        store.record_polls(
            [PollRecord(one.id, ItemState.RESOLVED, 11.0, None, reply()) for one in items], 11.0
        )
        store.release_waiting(items, 12.0)
        assert self.states(store) == {"pending": 1}
        assert not store.theirs(ANN)

    def test_a_lead_that_is_gone_is_not_mapped_and_the_others_are(self, store: Store) -> None:
        self.answer(store, "hers", '{"email": "ann@example.com"}')
        self.answer(store, "other", "{}")
        items = store.unmapped(10)
        self.forget(store)
        births = [
            Birth(one.id, "m", State.PENDING, mapped(f"{one.id}@example.com"), None, 10.0) for one in items
        ]
        store.record_mapped(items, births, 20.0)
        assert [delivery.queue_id for delivery in self.claim(store)] == ["other"]
        assert store.unmapped(10) == []

    def test_only_leads_that_are_gone_can_be_mapped_too(self, store: Store) -> None:
        self.answer(store, "hers", '{"email": "ann@example.com"}')
        items = store.unmapped(10)
        self.forget(store)
        store.record_mapped(items, [Birth(items[0].id, "m", State.PENDING, mapped(), None, 10.0)], 20.0)
        assert self.states(store) == {}

    @pytest.mark.parametrize("made", [mapped(Stage="Good"), None])
    def test_a_re_opened_lead_that_is_gone_is_not_mapped_anew(
        self, store: Store, made: Mapped | None
    ) -> None:
        self.bear(store, "hers", mapped(Stage="Bad"))
        self.finish(store, State.FAILED, reason="bad")
        store.resync(Selection(), 70.0, refetch=False, force=False, deadline_at=999.0)
        [reopened] = store.reopened(10)
        self.forget(store, person(emails=["a@example.com"]))
        state = State.PENDING if made else State.FAILED
        store.record_remapped(reopened, Birth(reopened.item.id, "m", state, made, None, 10.0), 71.0)
        assert self.states(store) == {}

    def test_what_is_still_on_its_way_to_a_lead_that_is_gone_does_not_reach_a_new_one(
        self, store: Store
    ) -> None:
        store.track([Track("other"), Track("hers", {"email": "ann@example.com"})], 10.0, 99.0)
        [_, gone] = store.claim_waiting(10.0, 10)
        self.forget(store)
        store.track([Track("new")], 11.0, 99.0)
        [fresh] = store.claim_waiting(11.0, 10)
        said = QueueReply(Verdict.FINAL, "Approved", None, {}, '{"email": "ann@example.com"}')
        store.record_polls([PollRecord(gone.id, ItemState.RESOLVED, 12.0, None, said)], 12.0)
        assert (fresh.queue_id, (store.lead("new") or {})["state"]) == ("new", "waiting")
        assert not store.theirs(ANN)

    def test_nor_does_an_answer(self, store: Store) -> None:
        self.bear(store, "hers", mapped())
        [gone] = self.claim(store)
        self.forget(store, person(emails=["a@example.com"]), running=False)
        self.bear(store, "new", mapped("new@example.com"), at=20.0)
        [fresh] = self.claim(store, "c2")
        store.record(call("c"), [Move(gone, State.SYNCED, 60.0)], 60.0)
        assert (fresh.queue_id, self.states(store)) == ("new", {"sending": 1})

    # prune

    def done(
        self, store: Store, queue_id: str = "q1", email: str = "a@example.com", at: float = 10.0
    ) -> None:
        self.bear(store, queue_id, mapped(email, Stage="Sold"), at=at)
        self.finish(store, State.SYNCED, f"c-{queue_id}", at + 50)

    def prune(self, store: Store, cutoffs: Cutoffs, size: int = 100) -> int:
        after: int | None = 0
        total = 0
        while after is not None:
            after, pruned = store.prune_leads(after, size, cutoffs, 1e6)
            total += pruned
        return total

    def test_a_done_lead_loses_reply_context_values_names_and_attempts(self, store: Store) -> None:
        self.done(store)
        assert self.prune(store, EVERYTHING) == 3
        lead = store.lead("q1")
        assert lead
        assert (lead["reply"], lead["context"]) == (None, {})
        [delivery] = lead["deliveries"]
        kept = [delivery[name] for name in ("fields", "older", "identity", "lookup", "attempts")]
        assert kept == [{}, {}, None, None, []]
        assert self.states(store) == {"synced": 1}
        assert self.adds_up(store)

    def test_each_kind_has_its_own_time(self, store: Store) -> None:
        self.done(store)
        assert self.prune(store, Cutoffs(replies=60.1)) == 1
        assert self.prune(store, Cutoffs(payloads=60.0, attempts=60.0)) == 0
        lead = store.lead("q1")
        assert lead
        assert lead["reply"] is None
        assert lead["deliveries"][0]["fields"]["Stage"] == "Sold"
        assert len(self.attempts(store, "q1")) == 1
        assert store.checkpoint("pruned:attempts") is None

    def test_what_was_pruned_is_not_pruned_again(self, store: Store) -> None:
        self.done(store)
        assert self.prune(store, EVERYTHING) > 0
        assert self.prune(store, EVERYTHING) == 0

    @pytest.mark.parametrize(
        "to", [State.FAILED, State.UNPROCESSED, State.PENDING, State.SUBMITTED, State.IN_DOUBT]
    )
    def test_a_lead_that_is_open_or_needs_a_person_keeps_everything(self, store: Store, to: State) -> None:
        self.bear(store, "q1", mapped())
        self.finish(store, to, request_id="r", reason="said so")
        assert self.prune(store, EVERYTHING) == 0
        assert len(self.attempts(store, "q1")) == 1

    def test_a_lead_that_is_being_sent_or_waits_keeps_everything(self, store: Store) -> None:
        self.bear(store, "q1", mapped())
        self.claim(store)
        store.track([Track("q2", {"owner": "Ann"})], 10.0, 99.0)
        self.answer(store, "q3", "{}")
        assert self.prune(store, EVERYTHING) == 0

    def test_one_delivery_that_failed_keeps_the_whole_lead(self, store: Store) -> None:
        self.resolve(store, "q1")
        [item] = store.unmapped(1)
        births = [
            Birth(item.id, "one", State.FAILED, None, "no phone"),
            Birth(item.id, "two", State.PENDING, mapped(), None, 10.0),
        ]
        store.record_mapped([item], births, 10.0)
        self.finish(store, State.SYNCED)
        assert self.prune(store, EVERYTHING) == 0

    def test_pruning_goes_on_where_it_was(self, store: Store) -> None:
        for n in range(5):
            self.done(store, f"q{n}", f"{n}@example.com")
        after, pruned = store.prune_leads(0, 2, Cutoffs(replies=1e6), 1e6)
        assert (after, pruned) == (2, 2)
        assert store.prune_leads(2, 2, Cutoffs(replies=1e6), 1e6) == (4, 2)
        assert store.prune_leads(4, 2, Cutoffs(replies=1e6), 1e6) == (None, 1)

    def test_the_moment_up_to_which_attempts_are_gone_is_noted_and_never_goes_back(
        self, store: Store
    ) -> None:
        self.done(store, "q1", at=10.0)
        self.prune(store, Cutoffs(attempts=500.5))
        assert float(store.checkpoint("pruned:attempts") or 0) == 500.5
        self.done(store, "q2", "b@example.com", at=20.0)
        self.prune(store, Cutoffs(attempts=400.0))
        assert float(store.checkpoint("pruned:attempts") or 0) == 500.5

    def test_agreed_values_that_were_not_renewed_go_and_cost_a_call(self, store: Store) -> None:
        self.done(store, "old", "a@example.com", at=10.0)
        self.done(store, "new", "b@example.com", at=100.0)
        assert store.prune_agreed("", 100, 150.0) == (None, 1)
        for n, email in enumerate(("a@example.com", "b@example.com")):
            self.bear(store, f"again{n}", mapped(email, Stage="Sold"), at=200.0)
        assert [delivery.queue_id for delivery in self.claim(store, "c9", 300.0)] == ["again0"]

    def test_agreed_values_are_gone_through_in_steps(self, store: Store) -> None:
        for n in range(3):
            self.done(store, f"q{n}", f"{n}@example.com")
        place: str | None = ""
        steps = []
        while place is not None:
            place, pruned = store.prune_agreed(place, 2, 1e6)
            steps.append(pruned)
        assert steps == [2, 1]

    def test_a_pruned_lead_can_be_fetched_anew(self, store: Store) -> None:
        self.done(store)
        self.prune(store, EVERYTHING)
        chosen = Selection(states=("synced",))
        assert store.resync(chosen, 70.0, refetch=False, force=True, deadline_at=999.0) == 1
        assert (store.reopened(10), store.unmapped(10), store.still_moving(70.0)) == ([], [], 0)
        assert store.resync(chosen, 71.0, refetch=True, force=True, deadline_at=999.0) == 1
        [item] = store.claim_waiting(71.0, 1)
        store.record_polls([PollRecord(item.id, ItemState.RESOLVED, 72.0, None, reply())], 72.0)
        self.map(store, "q1", mapped(Stage="Sold"), 73.0, force=True)
        assert [delivery.queue_id for delivery in self.claim(store, "c9", 80.0)] == ["q1"]
