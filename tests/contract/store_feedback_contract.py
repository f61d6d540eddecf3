"""What every store must keep of the way back. A store's own test module inherits `FeedbackContract`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from bridge.model import (
    LEADSQUARED,
    Call,
    Change,
    Delivery,
    ItemState,
    Mapped,
    Move,
    PollRecord,
    ResolvedItem,
    Stage,
    State,
    Track,
)
from bridge.operation import (
    Financials,
    LeadUpdate,
    Learned,
    QuarantineProcess,
    QuarantineUpdate,
    carried,
)
from bridge.policy.feedback import fingerprint
from bridge.policy.people import person
from bridge.policy.values import digest
from bridge.ports import Birth, Cutoffs, Decision, Dismissed, Names, Reopened, Selection, Store
from tests.contract.store_contract import AUTOMATED, StoreContract, mapped, reply

P1, P2 = "5c3f7a1e-0001", "5c3f7a1e-0002"
ANN = "emailaddress=a@example.com"
STEPS = StoreContract()
"""Its helpers, not its tests."""


def update(lead_id: str = "7", action: Any = "", trigger: tuple[str, ...] = (), **fields: str) -> Mapped:
    return carried(LeadUpdate(lead_id, fields or {"postcode": "N1"}, action, trigger))


def financials(payout: str = "80", lead_id: str = "7") -> Mapped:
    return carried(Financials((lead_id,), Decimal(payout)))


def process(action: Any = "process", quarantine_id: str = "5") -> Mapped:
    return carried(QuarantineProcess(quarantine_id, action))


def change(at: float = 10.0, prospect_id: str = P1, *known_as: str, **values: str) -> Change:
    return Change(prospect_id, at, values or {"Stage": "New"}, known_as)


def wanted(made: Mapped, mapping: str = "back", **more: Any) -> Decision:
    told = {"state": State.PENDING, "acted": fingerprint(made), **more}
    return Decision(mapping, kind=made.lane.kind, mapped=made, **told)


def echo(made: Mapped) -> Decision:
    return wanted(made, state=State.SKIPPED, agreed=True)


def left(kind: str = "", mapping: str = "back") -> Decision:
    return Decision(mapping, State.SKIPPED, kind, left=True)


def unmappable(reason: str = "payout: is negative") -> Decision:
    return Decision("back", State.FAILED, reason=reason)


def to_leadbyte(call_id: str, at: float) -> Call:
    return Call(call_id, Stage.PUSH, "leadbyte", at, at, "answered")


class FeedbackContract:
    """Named for what must hold; `store` is opened empty by the inheriting class, which audits it at the end."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    # helpers

    def look(self, store: Store, at: float = 10.0, *known_as: str, **values: str) -> ResolvedItem:
        """A look that is news, as the item that is to be mapped."""
        assert store.observe([change(at, P1, *known_as, **values)], at) == 1
        [item] = [one for one in store.unmapped(100) if one.queue_id == P1]
        return item

    def decide(self, store: Store, *decisions: Decision, at: float = 10.0, **values: str) -> int:
        item = self.look(store, at, ANN, **(values or {"Stage": f"at {at}"}))
        return store.record_decided(item, decisions, at)

    def claim(self, store: Store, now: float = 50.0, size: int = 25) -> Sequence[Delivery]:
        return store.claim_batch("leadbyte", now, size, 0.0, f"c{now}")

    def finish(
        self, store: Store, to: State = State.SYNCED, now: float = 50.0, **move: Any
    ) -> list[Delivery]:
        """Send what is due in one lane."""
        batch = list(self.claim(store, now))
        if batch:
            store.record(to_leadbyte(f"c{now}", now), [Move(one, to, now, **move) for one in batch], now)
        return batch

    def rows(self, store: Store, queue_id: str = P1) -> list[tuple[str, str]]:
        """State and kind of each delivery."""
        lead = store.lead(queue_id)
        assert lead
        return [(one["state"], (one["lane"] or "||").split("|")[1]) for one in lead["deliveries"]]

    def forward(
        self, store: Store, queue_id: str, learned: Learned, at: float = 10.0, email: str = "a@example.com"
    ) -> int:
        """A queueId that is resolved and mapped. Its item."""
        id_ = STEPS.resolve(store, queue_id, at)
        STEPS.map(store, queue_id, mapped(email), at, learned=learned)
        return id_

    def resync(self, store: Store, at: float = 70.0, *, refetch: bool = False, **chosen: Any) -> int:
        told = Selection(**chosen)
        return store.resync(told, at, refetch=refetch, force=False, deadline_at=at + 900)

    def overtaken(self, store: Store) -> None:
        """A payout of 50 has failed after one of 80 was decided, which is still to be sent."""
        self.decide(store, wanted(financials("50")))
        under_way = self.claim(store)
        self.decide(store, wanted(financials("80")), at=51.0)
        failed = [Move(one, State.FAILED, 52.0, reason="not Approved") for one in under_way]
        store.record(to_leadbyte("c50.0", 52.0), failed, 52.0)

    # observe

    def test_a_lead_seen_for_the_first_time_is_to_be_mapped(self, store: Store) -> None:
        item = self.look(store, 10.0, ANN, Stage="New")
        assert (item.source, item.resolved_at, item.generation) == (LEADSQUARED, 10.0, 0)
        assert item.reply == '{"Stage": "New"}'

    @pytest.mark.parametrize(
        ("before", "after"),
        [("New", "New"), ("+44-7700900123", "+44 7700 900123"), ("1", "true"), ("2026-01-02", "2026-01-02 00:00:00.000")],
    )  # fmt: skip
    def test_a_lead_that_looks_the_same_is_not_mapped_again(
        self, store: Store, before: str, after: str
    ) -> None:
        self.decide(store, Field=before)
        assert store.observe([change(20.0, Field=after)], 20.0) == 0
        assert store.unmapped(10) == []

    def test_an_empty_column_is_as_good_as_none(self, store: Store) -> None:
        self.decide(store, Stage="New", City="")
        assert store.observe([change(20.0, Stage="New", Zip="")], 20.0) == 0

    @pytest.mark.parametrize("values", [{"Stage": "Sold"}, {"Stage": ""}, {"Stage": "New", "City": "Leeds"}])
    def test_a_lead_that_looks_otherwise_is_mapped_again(
        self, store: Store, values: Mapping[str, str]
    ) -> None:
        self.decide(store, Stage="New")
        item = self.look(store, 20.0, **values)
        assert (item.generation, item.resolved_at) == (1, 20.0)

    def test_an_older_look_changes_nothing(self, store: Store) -> None:
        self.decide(store, at=20.0, Stage="Sold")
        assert store.observe([change(19.0, Stage="New")], 30.0) == 0
        assert (store.lead(P1) or {})["reply"] == '{"Stage": "Sold"}'

    def test_a_look_from_before_the_last_one_that_was_equal_changes_nothing(self, store: Store) -> None:
        self.decide(store, at=10.0, Stage="Sold")
        assert store.observe([change(30.0, Stage="Sold")], 30.0) == 0
        assert store.observe([change(20.0, Stage="New")], 31.0) == 0
        assert store.unmapped(10) == []

    def test_another_look_of_the_same_second_counts(self, store: Store) -> None:
        self.decide(store, at=20.0, Stage="New")
        assert store.observe([change(20.0, Stage="Sold")], 30.0) == 1

    def test_of_one_lead_seen_twice_at_once_the_newer_look_counts(self, store: Store) -> None:
        looks = [change(20.0, Stage="Sold"), change(10.0, Stage="New")]
        assert store.observe(looks, 30.0) == 1
        assert store.unmapped(10)[0].reply == '{"Stage": "Sold"}'

    def test_a_checkpoint_moves_with_its_rows(self, store: Store) -> None:
        assert store.observe([], 10.0, ("seen", "1")) == 0
        assert store.observe([change()], 10.0, ("seen", "2")) == 1
        assert store.checkpoint("seen") == "2"

    def test_more_leads_than_one_statement_takes_are_kept(self, store: Store) -> None:
        looks = [change(10.0, f"p{n}", Stage="New") for n in range(1203)]
        assert store.observe(looks, 10.0) == 1203
        assert store.observe([*looks[:1200], change(11.0, "p1202", Stage="Sold")], 11.0) == 1

    def test_a_queue_id_of_the_same_text_is_left_alone(self, store: Store) -> None:
        store.track([Track(P1)], 1.0, 99.0)
        before = store.lead(P1)
        assert store.observe([change()], 10.0) == 0
        assert store.lead(P1) == before

    def test_a_result_that_the_bridge_brought_about_tells_only_what_it_changed(self, store: Store) -> None:
        STEPS.resolve(store, "q1", 10.0)
        STEPS.map(store, "q1", mapped("a@example.com", FirstName="Ann"), 10.0, learned=Learned("7"))
        [sent] = store.claim_batch("bulk", 20.0, 25, 0.0, "c20")
        store.record(to_leadbyte("c20", 20.0), [Move(sent, State.SYNCED, 20.0)], 20.0)
        store.operate([update(action="reprocess")], 30.0)
        self.finish(store)
        [again] = store.claim_waiting(60.0, 1)
        store.record_polls([PollRecord(again.id, ItemState.RESOLVED, 60.0, None, reply())], 60.0)
        [item] = store.unmapped(1)
        changed = mapped("a@example.com", FirstName="Ann", mx_New="1")
        birth = Birth(item.id, "leads", State.PENDING, changed, None, 60.0, learned=Learned("7"))
        store.record_mapped([item], [birth], 60.0)
        [news] = store.claim_batch("bulk", 70.0, 25, 0.0, "c70")
        assert set(sent.fields) == {"EmailAddress", "FirstName"}
        assert set(news.fields) == {"EmailAddress", "mx_New"}

    def test_what_was_asked_for_by_hand_for_a_person_goes_with_them(self, store: Store) -> None:
        self.forward(store, "q1", Learned("7"))
        store.operate([update(lastname="Featherstone"), financials(), update("8", c1="x")], 20.0)
        self.finish(store)
        self.finish(store, now=60.0)
        found = store.theirs(person(["a@example.com"], [], []))
        assert len(found.leads) == 3
        store.erase(found, 70.0, running=False)
        assert [one for one in (store.lead(f"hand-{n}") for n in range(9)) if one] == [store.lead("hand-4")]

    def test_every_name_that_a_lead_has_had_is_known(self, store: Store) -> None:
        self.look(store, 10.0, "a=1", "b=1", Key="1")
        item = self.look(store, 20.0, "a=2", "b=1", Key="2")
        assert store.names(item.id) == Names((), ("a=2", "b=1"), ("a=1",))
        assert store.names(item.id + 1) == Names()

    def test_only_so_many_names_are_known_and_the_present_ones_always(self, store: Store) -> None:
        for n in range(30):
            item = self.look(store, 10.0 + n, f"a={n}", Key=str(n))
        assert store.names(item.id) == Names((), ("a=29",), tuple(f"a={28 - n}" for n in range(20)))

    def test_a_lead_whose_values_were_pruned_is_mapped_when_it_is_seen_again(self, store: Store) -> None:
        self.decide(store, Stage="New")
        assert store.prune_leads(0, 100, Cutoffs(replies=1e6), 1e6) == (None, 1)
        item = self.look(store, 20.0, ANN, Stage="New")
        assert store.names(item.id).known_as == (ANN,)

    # learned

    def test_what_leadbyte_showed_is_known_by_every_name_of_the_lead(self, store: Store) -> None:
        STEPS.resolve(store, "q1")
        both = Mapped(
            {"EmailAddress": "A@example.com", "Phone": "1"}, ["EmailAddress", "Phone"], mapped().lane
        )
        STEPS.map(store, "q1", both, 10.0, learned=Learned("7", "5"))
        for names in ([ANN], ["phone=1"], ["nobody=1", ANN]):
            assert store.learned(names) == Learned("7", "5")
        assert store.learned(["phone=2"]) == store.learned([]) == Learned()

    @pytest.mark.parametrize("arrival", [("old", "new"), ("new", "old")])
    def test_the_newest_id_wins(self, store: Store, arrival: Sequence[str]) -> None:
        for one in arrival:
            self.forward(store, one, Learned(one), at={"old": 10.0, "new": 20.0}[one])
        assert store.learned([ANN]) == Learned("new")

    def test_the_newest_id_wins_among_a_leads_names_too(self, store: Store) -> None:
        self.forward(store, "q1", Learned("new"), at=20.0)
        self.forward(store, "q2", Learned("old"), at=10.0, email="b@example.com")
        assert store.learned(["emailaddress=b@example.com", ANN]) == Learned("new")

    def test_the_quarantine_id_stays_when_the_lead_id_comes(self, store: Store) -> None:
        self.forward(store, "q1", Learned(None, "5"))
        self.resync(store, refetch=True, states=("pending",))
        [item] = store.claim_waiting(70.0, 1)
        store.record_polls([PollRecord(item.id, ItemState.RESOLVED, 71.0, None, reply())], 71.0)
        STEPS.map(store, "q1", mapped(), 72.0, learned=Learned("7"))
        assert store.learned([ANN]) == Learned("7", "5")

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_ids_are_learned_though_another_mapping_leaves_the_lead_out(
        self, store: Store, order: Sequence[int]
    ) -> None:
        STEPS.resolve(store, "q1")
        [item] = store.unmapped(1)
        births = [
            Birth(item.id, "one", State.PENDING, mapped(), None, 10.0, learned=Learned("7")),
            Birth(item.id, "two", State.SKIPPED, None, "when", 10.0),
        ]
        store.record_mapped([item], [births[n] for n in order], 10.0)
        assert store.learned([ANN]) == Learned("7")

    def test_ids_are_learned_from_a_lead_that_could_be_mapped_only_later(self, store: Store) -> None:
        STEPS.bear(store, "q1", None, state=State.FAILED, reason="no phone")
        self.resync(store)
        [reopened] = store.reopened(1)
        told = (reopened.item.id, "m", State.PENDING, mapped(), None, 10.0)
        store.record_remapped(reopened, Birth(*told, learned=Learned("7", "5")), 71.0)
        assert store.learned([ANN]) == Learned("7", "5")

    def test_a_forgotten_lead_is_not_known_any_more(self, store: Store) -> None:
        self.forward(store, "q1", Learned("7"))
        store.erase(store.theirs(person(emails=["a@example.com"])), 90.0, running=False)
        assert store.learned([ANN]) == Learned()

    # written

    @pytest.mark.parametrize("state", [State.PENDING, State.SENDING, State.SUBMITTED, State.SYNCED])
    def test_what_leadsquared_holds_or_is_about_to_is_written(self, store: Store, state: State) -> None:
        STEPS.bear(store, "q1", mapped(mx_Stage="Sold"))
        if state is State.SENDING:
            STEPS.claim(store)
        elif state is not State.PENDING:
            STEPS.finish(store, state, request_id="r1")
        assert store.written(["phone=1", ANN])["mx_stage"] == {digest("Sold")}
        assert store.written(["phone=1"]) == {}

    def test_what_may_have_been_written_is_written(self, store: Store) -> None:
        STEPS.bear(store, "q1", mapped("id-1", AUTOMATED, Stage="Sold"))
        STEPS.claim(store, mode="async")
        store.recover(90.0)
        assert digest("Sold") in store.written(["prospectid=id-1"])["stage"]

    @pytest.mark.parametrize("state", [State.FAILED, State.UNPROCESSED])
    def test_what_was_refused_is_not_written(self, store: Store, state: State) -> None:
        STEPS.bear(store, "q1", mapped(Stage="Sold"))
        STEPS.finish(store, state, reason="no", unknown=True)
        assert digest("Sold") not in store.written([ANN]).get("stage", ())

    def test_a_value_under_way_is_written_beside_the_one_that_is_there(self, store: Store) -> None:
        STEPS.bear(store, "q1", mapped(Stage="New"), at=10.0)
        STEPS.finish(store, State.SYNCED)
        STEPS.bear(store, "q2", mapped(Stage="Sold"), at=70.0)
        assert store.written([ANN])["stage"] == {digest("New"), digest("Sold")}

    def test_what_goes_to_leadbyte_is_not_written_to_leadsquared(self, store: Store) -> None:
        self.decide(store, wanted(update(Stage="x")))
        self.finish(store)
        assert store.written(["lead_id=7"]) == {}

    # decided

    def test_a_decision_becomes_a_delivery_to_leadbyte(self, store: Store) -> None:
        assert self.decide(store, wanted(update(postcode="N1"))) == 1
        assert store.unmapped(10) == []
        assert STEPS.claim(store) == STEPS.claim(store, mode="async") == []
        [sent] = self.claim(store)
        assert (sent.queue_id, sent.mapping, sent.lookup) == (P1, "back", "7")
        assert sent.fields == {"lead_id": "7", "update.postcode": "N1"}

    def test_a_rule_acts_once_on_one_set_of_values(self, store: Store) -> None:
        assert [self.decide(store, wanted(update()), at=at) for at in (10.0, 20.0)] == [1, 0]
        self.finish(store)
        assert self.decide(store, wanted(update()), at=60.0) == 0
        assert self.rows(store) == [("synced", "lead")]

    def test_mappings_and_kinds_of_operation_act_apart(self, store: Store) -> None:
        told = (wanted(update()), wanted(update(), "other"), wanted(financials()))
        assert self.decide(store, *told) == 3

    def test_other_values_act_again_and_so_do_the_first_after_them(self, store: Store) -> None:
        sent = []
        for n, postcode in enumerate(("N1", "N2", "N1")):
            self.decide(store, wanted(update(postcode=postcode, action="reprocess")), at=10.0 + 20 * n)
            sent += [one.fields["update.postcode"] for one in self.finish(store, now=20.0 + 20 * n)]
        assert sent == ["N1", "N2", "N1"]

    def test_values_that_came_back_before_others_were_sent_are_not_sent_twice(self, store: Store) -> None:
        self.decide(store, wanted(update(action="reprocess")))
        self.finish(store)
        self.decide(store, wanted(update(postcode="N2", action="reprocess")), at=60.0)
        self.decide(store, wanted(update(action="reprocess")), at=61.0)
        assert self.finish(store, now=70.0) == []
        assert [state for state, _ in self.rows(store)] == ["synced", "superseded", "skipped"]

    def test_what_was_done_is_not_done_again_though_other_values_were_taken_back(self, store: Store) -> None:
        self.decide(store, wanted(update(action="reprocess")))
        self.finish(store)
        self.decide(store, wanted(update(postcode="N2", action="reprocess")), at=60.0)
        self.decide(store, left(), at=61.0)
        self.decide(store, wanted(update(action="reprocess")), at=62.0)
        assert self.finish(store, now=63.0) == []
        self.decide(store, wanted(update(postcode="N2", action="reprocess")), at=64.0)
        assert len(self.finish(store, now=65.0)) == 1

    @pytest.mark.parametrize("done", [True, False])
    def test_what_was_done_is_done_again_after_what_was_under_way_only_if_that_was_done(
        self, store: Store, done: bool
    ) -> None:
        for n, postcode in enumerate(("N1", "N2")):
            self.decide(store, wanted(update(postcode=postcode, action="reprocess")), at=10.0 + n)
            self.finish(store, State.SYNCED if n == 0 else State.IN_DOUBT, now=50.0 + n)
        assert self.decide(store, wanted(update(action="reprocess")), at=62.0) == 1
        store.resolve(P1, done=done, now=63.0)
        assert len(self.finish(store, now=64.0)) == done

    def test_a_lead_that_leaves_takes_back_what_is_open(self, store: Store) -> None:
        self.decide(store, wanted(update()), wanted(financials()))
        assert self.decide(store, left(), at=20.0) == 0
        assert self.rows(store) == [("superseded", "lead"), ("superseded", "financials")]
        assert self.finish(store) == []

    def test_a_lead_that_leaves_takes_back_nothing_of_other_mappings(self, store: Store) -> None:
        self.decide(store, wanted(update(), "other"))
        self.decide(store, left(), at=20.0)
        assert self.rows(store) == [("pending", "lead")]

    def test_what_was_taken_back_acts_again_and_what_was_carried_out_does_not(self, store: Store) -> None:
        both = (wanted(update(action="reprocess")), wanted(financials()))
        self.decide(store, *both)
        [first] = self.finish(store)
        assert first.lane.kind == "lead"
        self.decide(store, left(), at=60.0)
        assert self.decide(store, *both, at=70.0) == 1
        assert self.rows(store) == [
            ("synced", "lead"),
            ("superseded", "financials"),
            ("pending", "financials"),
        ]

    def test_a_lead_that_leaves_takes_a_failure_off_the_report(self, store: Store) -> None:
        self.decide(store, unmappable())
        self.decide(store, left(), at=20.0)
        assert list(store.failures()) == []

    def test_an_operation_that_is_not_wanted_any_more_is_taken_back_alone(self, store: Store) -> None:
        self.decide(store, wanted(update()), wanted(financials()))
        self.decide(store, wanted(update()), left("financials"), at=20.0)
        assert self.rows(store) == [("pending", "lead"), ("superseded", "financials")]
        assert self.decide(store, wanted(update()), wanted(financials()), at=30.0) == 1

    def test_what_is_being_sent_is_not_taken_back(self, store: Store) -> None:
        self.decide(store, wanted(update()))
        self.claim(store)
        self.decide(store, left(), at=60.0)
        assert self.rows(store) == [("sending", "lead")]

    def test_an_echo_is_noted_and_leaves_no_delivery(self, store: Store) -> None:
        assert self.decide(store, echo(update())) == 0
        assert self.rows(store) == []
        assert self.decide(store, echo(update()), at=20.0) == 0

    def test_an_echo_does_not_say_that_anything_was_done(self, store: Store) -> None:
        self.decide(store, echo(update(action="reprocess", trigger=("53",))))
        self.decide(store, wanted(update(action="reprocess", trigger=("53",)), "other"), at=20.0)
        assert len(self.finish(store)) == 1

    @pytest.mark.parametrize("action", ["", "reprocess"])
    def test_an_echo_takes_back_what_is_open(self, store: Store, action: str) -> None:
        """The lead holds again what LeadByte holds."""
        self.decide(store, wanted(update(postcode="N2", action=action)))
        self.decide(store, echo(update(postcode="N1", action=action)), at=20.0)
        assert self.finish(store) == []
        assert self.rows(store) == [("superseded", "lead")]

    def test_a_value_that_was_set_back_before_it_was_sent_does_not_travel_with_the_next(
        self, store: Store
    ) -> None:
        self.decide(store, wanted(update(city="York", postcode="N1")))
        self.decide(store, wanted(update(postcode="N2")), at=20.0)
        [sent] = self.finish(store)
        assert sent.fields == {"lead_id": "7", "update.postcode": "N2"}

    def test_what_was_taken_over_from_another_lead_is_still_sent(self, store: Store) -> None:
        store.observe([change(10.0, P2)], 10.0)
        [other] = store.unmapped(1)
        store.record_decided(other, [wanted(update(city="York"))], 10.0)
        self.decide(store, wanted(update(postcode="N1")), at=20.0)
        self.decide(store, wanted(update(postcode="N2")), at=30.0)
        [sent] = self.finish(store)
        assert sent.fields == {"lead_id": "7", "update.postcode": "N2", "update.city": "York"}

    def test_a_dry_run_is_recorded_once_and_sent_never(self, store: Store) -> None:
        dry = wanted(update(), state=State.SKIPPED, reason="dry run")
        assert [self.decide(store, dry, at=at) for at in (10.0, 20.0)] == [1, 0]
        [row] = (store.lead(P1) or {})["deliveries"]
        assert (row["state"], row["reason"]) == ("skipped", "dry run")
        assert row["fields"] == {"lead_id": "7", "update.postcode": "N1"}
        assert self.finish(store) == []

    def test_a_rule_has_not_acted_on_what_was_only_recorded(self, store: Store) -> None:
        self.decide(store, wanted(update(), state=State.SKIPPED, reason="dry run"))
        assert self.decide(store, wanted(update()), at=20.0) == 1
        assert len(self.finish(store)) == 1

    def test_a_failure_is_replaced_when_the_lead_is_mended(self, store: Store) -> None:
        self.decide(store, unmappable())
        assert [failure.reason for failure in store.failures()] == ["payout: is negative"]
        self.decide(store, unmappable("payout: not an amount"), at=15.0)
        assert [failure.reason for failure in store.failures()] == ["payout: not an amount"]
        self.decide(store, wanted(financials()), at=20.0)
        assert list(store.failures()) == []

    @pytest.mark.parametrize("mended", [wanted(update()), echo(update(postcode="N3"))])
    def test_a_failure_is_replaced_though_there_is_nothing_to_do(
        self, store: Store, mended: Decision
    ) -> None:
        self.decide(store, wanted(update()))
        self.finish(store)
        self.decide(store, unmappable(), at=60.0)
        assert self.decide(store, mended, at=70.0) == 0
        assert list(store.failures()) == []

    def test_what_leadbyte_refused_is_replaced_by_other_values(self, store: Store) -> None:
        self.decide(store, wanted(update()))
        self.finish(store, State.FAILED, reason="Invalid lead id")
        assert self.decide(store, wanted(update()), at=60.0) == 0, "it is on the report"
        self.decide(store, wanted(update(postcode="N2")), at=70.0)
        assert [state for state, _ in self.rows(store)] == ["superseded", "pending"]

    def test_of_a_lead_that_was_erased_meanwhile_nothing_is_stored(self, store: Store) -> None:
        item = self.look(store, 10.0, ANN, Email="a@example.com")
        store.erase(store.theirs(person(emails=["a@example.com"])), 11.0, running=False)
        assert store.record_decided(item, [wanted(update())], 12.0) == 0
        assert store.idle()

    def test_what_was_decided_on_an_older_look_is_dropped_and_the_newer_one_mapped(
        self, store: Store
    ) -> None:
        item = self.look(store, 10.0, Stage="Sold")
        self.look(store, 11.0, Stage="Lost")
        assert store.record_decided(item, [wanted(process())], 12.0) == 0
        assert [one.reply for one in store.unmapped(10)] == ['{"Stage": "Lost"}']
        assert self.rows(store) == []

    # claimed and recorded

    @pytest.mark.parametrize("state", [State.PENDING, State.SENDING, State.IN_DOUBT])
    def test_the_financials_of_a_mapping_wait_for_its_update(self, store: Store, state: State) -> None:
        self.decide(store, wanted(update(action="reprocess")), wanted(financials()))
        if state is State.PENDING:
            self.finish(store, State.PENDING, 50.0, reason="down")
            store.record(
                to_leadbyte("x", 51.0), [Move(self.claim(store, 51.0)[0], State.PENDING, 999.0)], 51.0
            )
        else:
            self.claim(store)
        if state is State.IN_DOUBT:
            store.recover(52.0)
        assert self.claim(store, 60.0) == []

    def test_the_financials_wait_for_an_update_that_took_the_place_of_theirs(self, store: Store) -> None:
        self.decide(store, wanted(update()), wanted(financials()), at=10.0)
        self.decide(store, wanted(update(postcode="N2")), wanted(financials()), at=11.0)
        assert self.finish(store)[0].fields["update.postcode"] == "N2"
        assert [one.lane.kind for one in self.finish(store)] == ["financials"]

    def test_what_an_operation_by_hand_says_is_hidden_in_its_reason(self, store: Store) -> None:
        store.operate([update(lastname="Featherstone")], 10.0)
        self.finish(store, State.FAILED, reason="Lead not updated; Featherstone is no name")
        [failure] = store.failures()
        assert failure.quoted == ["Featherstone"]

    @pytest.mark.parametrize("state", [State.SKIPPED, State.FAILED])
    def test_the_ids_of_a_lead_that_no_mapping_takes_are_learned_too(
        self, store: Store, state: State
    ) -> None:
        id_ = STEPS.resolve(store, "q1", 10.0)
        birth = Birth(id_, "leads", state, None, "not wanted", 10.0, learned=Learned("7"))
        [item] = store.unmapped(10)
        store.record_mapped([item], [birth], 10.0)
        store.operate([update(action="reprocess")], 20.0)
        self.finish(store)
        assert [one.queue_id for one in store.claim_waiting(60.0, 5)] == ["q1"]

    @pytest.mark.parametrize("to", [State.SYNCED, State.FAILED])
    def test_the_financials_follow_once_the_update_has_ended(self, store: Store, to: State) -> None:
        self.decide(store, wanted(update()), wanted(financials()))
        assert [one.lane.kind for one in self.finish(store, to)] == ["lead"]
        assert [one.lane.kind for one in self.finish(store, now=60.0)] == ["financials"]

    @pytest.mark.parametrize("made", [financials, process])
    def test_some_operations_travel_alone(self, store: Store, made: Any) -> None:
        told = {"lead_id": "{}"} if made is financials else {"quarantine_id": "{}"}
        name = next(iter(told))
        store.operate([made(**{name: str(n)}) for n in (1, 2, 3)], 10.0)
        assert [len(self.claim(store, 50.0 + n)) for n in range(4)] == [1, 1, 1, 0]

    def test_updates_travel_together_and_those_of_one_lead_one_after_the_other(self, store: Store) -> None:
        store.operate(
            [update("1", "reprocess"), update("2", "reprocess"), update("1", "reprocess", ("5",))], 10.0
        )
        assert [one.lookup for one in self.finish(store)] == ["1", "2"]
        assert [one.lookup for one in self.finish(store, now=60.0)] == ["1"]

    def test_what_is_done_once_goes_with_all_its_values_or_not_at_all(self, store: Store) -> None:
        self.decide(store, wanted(update(postcode="N1"), "first"), at=90.0)
        self.finish(store, now=95.0)
        store.observe([change(20.0, P2)], 99.0)
        [older] = store.unmapped(1)
        store.record_decided(older, [wanted(update(postcode="N2", city="York", action="reprocess"))], 99.0)
        [sent] = self.finish(store, now=100.0)
        assert sent.fields.keys() == {"lead_id", "update.postcode", "update.city", "action"}

    def test_what_leadbyte_holds_already_is_skipped(self, store: Store) -> None:
        self.decide(store, wanted(update()))
        self.finish(store)
        self.decide(store, wanted(update(), "other"), at=60.0)
        assert self.finish(store, now=70.0) == []
        [_, row] = (store.lead(P1) or {})["deliveries"]
        assert (row["state"], row["reason"]) == ("skipped", "equal to what LeadByte already holds")

    def test_what_leadbyte_said_besides_is_kept(self, store: Store) -> None:
        [id_] = store.operate([update()], 10.0)
        self.finish(store, reason="postcode: unknown format")
        [told] = store.operated([id_])
        assert (told.state, told.reason) == (State.SYNCED, "postcode: unknown format")

    # what an operation means for the other direction

    @pytest.mark.parametrize(
        ("made", "polled"),
        [
            (update(action="reprocess"), True),
            (update(trigger=("5",)), True),
            (process("process"), True),
            (process("reject"), True),
            (carried(QuarantineUpdate("5", {"a": "1"}, "process")), True),
            (update(), False),
            (update("8", "reprocess"), False),
            (carried(QuarantineUpdate("5", {"a": "1"})), False),
            (process(quarantine_id="6"), False),
            (financials(), False),
        ],
    )
    def test_a_lead_that_is_processed_anew_is_polled_anew(
        self, store: Store, made: Mapped, polled: bool
    ) -> None:
        self.forward(store, "q1", Learned("7", "5"))
        store.operate([made], 20.0)
        self.finish(store)
        items = store.claim_waiting(50.0, 10)
        assert [one.queue_id for one in items] == ["q1"] * polled
        for one in items:
            settles_at = 3650.0 if "action" in made.fields else 110.0
            assert (one.polls, one.settles_at, one.said) == (0, settles_at, ("Approved", None))
            assert one.deadline_at > 50.0
            said = PollRecord(one.id, ItemState.RESOLVED, 51.0, None, reply())
            store.record_polls([said], 51.0)
            assert [(i.queue_id, i.generation) for i in store.unmapped(1)] == [("q1", 1)]

    def test_a_lead_that_is_polled_just_now_goes_on_as_it_is(self, store: Store) -> None:
        self.forward(store, "q1", Learned("7"))
        self.resync(store, 20.0, refetch=True, states=("pending",))
        store.operate([update(action="reprocess")], 21.0)
        self.finish(store)
        [item] = store.claim_waiting(50.0, 10)
        assert item.settles_at is None

    def test_what_failed_or_is_in_doubt_polls_nothing(self, store: Store) -> None:
        self.forward(store, "q1", Learned("7"))
        store.operate([update(action="reprocess")], 20.0)
        self.finish(store, State.FAILED, reason="no")
        assert store.claim_waiting(60.0, 10) == []

    def test_a_lead_that_settles_does_not_keep_a_drain_for_long(self, store: Store) -> None:
        self.forward(store, "q1", Learned("7"))
        STEPS.finish(store, State.SYNCED)
        store.operate([update(action="reprocess")], 20.0)
        self.finish(store)
        for n in range(3):
            assert not store.idle()
            [item] = store.claim_waiting(60.0 + n, 1)
            store.record_polls([PollRecord(item.id, ItemState.WAITING, 60.0 + n)], 60.0 + n)
        assert store.idle()

    def test_a_lead_that_is_polled_anew_waits_since_it_was_told_to_be(self, store: Store) -> None:
        self.forward(store, "q1", Learned("7"))
        store.operate([update(action="reprocess")], 20.0)
        self.finish(store)
        assert store.status().oldest_waiting_at == 50.0
        store.track([Track("q2")], 40.0, 99.0)
        assert store.status().oldest_waiting_at == 40.0

    def test_the_way_forward_need_not_bring_back_what_leadbyte_was_told(self, store: Store) -> None:
        STEPS.bear(store, "q0", mapped(mx_ZIP="N0"), at=5.0)
        STEPS.finish(store, State.SYNCED, now=6.0)
        self.decide(store, wanted(update(), origin={"mx_Zip": "N1"}))
        self.finish(store)
        STEPS.bear(store, "q1", mapped(mx_ZIP="N1"), at=70.0)
        assert STEPS.claim(store, "c9", 80.0) == []
        assert store.written([ANN])["mx_zip"] == {digest("N1")}

    def test_a_resynced_operation_is_followed_back_to_the_lead_as_it_is_now(self, store: Store) -> None:
        self.decide(store, wanted(update(postcode="N1"), origin={"mx_Zip": "N1"}))
        self.finish(store, State.FAILED, reason="no")
        self.resync(store)
        [reopened] = store.reopened(1)
        self.remap(store, reopened, update(postcode="N2"), {"mx_Zip": "N2"})
        self.finish(store, now=80.0)
        assert store.written([ANN])["mx_zip"] == {digest("N2")}

    def remap(
        self, store: Store, reopened: Reopened, made: Mapped | None, origin: Mapping[str, str] | None = None
    ) -> None:
        state = State.PENDING if made else State.SKIPPED
        told = (reopened.item.id, reopened.mapping, state, made, None, reopened.item.resolved_at)
        birth = Birth(*told, target="leadbyte", origin=origin or {})
        store.record_remapped(reopened, birth, 75.0)

    # in doubt

    def test_after_a_crash_what_is_done_once_is_in_doubt_and_what_sets_values_is_sent_again(
        self, store: Store
    ) -> None:
        made = [update("1", "reprocess"), update("2"), process(quarantine_id="3"), financials(lead_id="4")]
        ids = store.operate(made, 10.0)
        for n in range(4):
            self.claim(store, 50.0 + n)
        assert store.recover(60.0) == 4
        states = [State.IN_DOUBT, State.PENDING, State.IN_DOUBT, State.PENDING]
        assert [one.state for one in store.operated(ids)] == states
        attempts = (store.lead(str(ids[0])) or {})["deliveries"][0]["attempts"]
        assert [(one["host"], one["state"], one["result"]) for one in attempts] == [
            ("leadbyte", "in_doubt", "lost")
        ]
        assert {one.lookup for n in range(3) for one in self.finish(store, now=70.0 + n)} == {"2", "4"}

    def doubted(self, store: Store, made: Mapped, **decision: Any) -> int:
        """The number of a delivery in doubt."""
        self.decide(store, wanted(made, **decision))
        self.claim(store)
        store.recover(55.0)
        [failure] = store.failures()
        assert failure.delivery_id
        return failure.delivery_id

    def test_a_doubt_is_nothing_to_be_read_back_nor_to_wait_for(self, store: Store) -> None:
        self.doubted(store, process())
        assert store.claim_in_doubt(1e9, 10) == []
        assert store.idle()
        store.operate([process()], 60.0)
        assert self.claim(store, 70.0) == []
        assert store.idle()

    @pytest.mark.parametrize("by", ["prospect", "number"])
    @pytest.mark.parametrize("done", [True, False])
    def test_a_person_settles_it_by_the_lead_or_the_number(self, store: Store, by: str, done: bool) -> None:
        self.forward(store, "q1", Learned("7"))
        number = self.doubted(store, update(postcode="N1", action="reprocess"), origin={"mx_Zip": "N1"})
        assert store.resolve(str(number) if by == "number" else P1, done=done, now=60.0) == 1
        [told] = store.operated([number])
        assert told.state is (State.SYNCED if done else State.FAILED)
        assert [one.queue_id for one in store.claim_waiting(60.0, 10)] == ["q1"] * done
        assert ("mx_zip" in store.written([ANN])) is True
        assert (digest("N1") in store.written([ANN])["mx_zip"]) is done

    def test_what_was_not_done_is_sent_by_a_resync(self, store: Store) -> None:
        self.doubted(store, process())
        store.resolve(P1, done=False, now=60.0)
        self.resync(store)
        [reopened] = store.reopened(1)
        assert (reopened.kind, reopened.item.source) == ("process", LEADSQUARED)
        self.remap(store, reopened, process())
        assert len(self.finish(store, now=80.0)) == 1

    # by hand

    def test_what_a_person_asks_for_is_stored_and_told_in_order(self, store: Store) -> None:
        ids = store.operate([update("1"), process(), financials()], 10.0)
        told = store.operated([ids[2], 999, ids[0], ids[1]])
        assert [(one.delivery_id, one.kind) for one in told] == [
            (ids[2], "financials"), (ids[0], "lead"), (ids[1], "process"),
        ]  # fmt: skip
        assert told[1].fields == {"lead_id": "1", "update.postcode": "N1"}
        assert {one.state for one in told} == {State.PENDING}
        assert store.operated([]) == []

    def test_many_are_told_of_at_once(self, store: Store) -> None:
        ids = store.operate([update(str(n)) for n in range(1, 1101)], 10.0)
        assert [one.delivery_id for one in store.operated(ids)] == list(ids)

    @pytest.mark.parametrize("action", ["", "reprocess"])
    def test_what_a_person_asks_for_is_sent_even_if_unchanged(self, store: Store, action: str) -> None:
        for at in (10.0, 60.0):
            store.operate([update(action=action)], at)
            assert len(self.finish(store, now=at + 1)) == 1

    def test_it_waits_behind_a_doubt_and_says_behind_which(self, store: Store) -> None:
        number = self.doubted(store, update(action="reprocess"))
        ids = store.operate([update(), update("8")], 60.0)
        assert [one.blocked_by for one in store.operated(ids)] == [number, None]
        store.resolve(P1, done=True, now=61.0)
        assert [one.blocked_by for one in store.operated(ids)] == [None, None]

    def test_what_has_ended_waits_for_nothing(self, store: Store) -> None:
        ids = store.operate([update()], 10.0)
        self.finish(store)
        store.operate([update(action="reprocess")], 60.0)
        self.finish(store, State.IN_DOUBT, 61.0)
        assert [one.blocked_by for one in store.operated(ids)] == [None]

    def test_what_is_done_once_is_not_replaced_by_something_else(self, store: Store) -> None:
        ids = store.operate([update(trigger=("5",)), update(trigger=("6",))], 10.0)
        sent = [
            one.fields["trigger_deliveries"] for n in range(2) for one in self.finish(store, now=50.0 + n)
        ]
        assert sent == ["5", "6"]
        assert {one.state for one in store.operated(ids)} == {State.SYNCED}

    def test_a_release_asked_for_twice_is_sent_once(self, store: Store) -> None:
        store.operate([process(), process()], 10.0)
        assert [len(self.finish(store, now=50.0 + n)) for n in range(2)] == [1, 0]

    def test_a_failure_by_hand_is_sent_again_as_it_was(self, store: Store) -> None:
        [id_] = store.operate([financials()], 10.0)
        self.finish(store, State.FAILED, reason="not Approved")
        [failure] = store.failures()
        assert (failure.mapping, failure.delivery_id) == ("by hand", id_)
        assert self.resync(store, queue_ids=(failure.queue_id,)) == 1
        assert store.reopened(10) == []
        [sent] = self.finish(store, now=80.0)
        assert (sent.id, sent.fields["financials.payout"]) == (id_, "80.00")

    # dismissed

    def test_what_a_person_asked_for_is_only_dismissed_by_name(self, store: Store) -> None:
        [id_] = store.operate([financials()], 10.0)
        self.finish(store, State.FAILED, reason="not Approved")
        assert store.dismiss(Selection(since=1.0), "sold elsewhere", 90.0).leads == 0
        assert store.dismiss(Selection(mapping="by hand"), "sold elsewhere", 91.0).leads == 1
        [operated] = store.operated([id_])
        assert (operated.state, operated.reason) == (State.SUPERSEDED, "dismissed: sold elsewhere")

    def test_a_rule_has_acted_on_what_was_dismissed(self, store: Store) -> None:
        self.decide(store, wanted(update(postcode="N1")))
        self.finish(store, State.FAILED, reason="no such field")
        assert store.dismiss(Selection(), "not wanted", 60.0).leads == 1
        assert self.decide(store, wanted(update(postcode="N1")), at=70.0) == 0
        assert self.decide(store, wanted(update(postcode="N2")), at=80.0) == 1

    def test_what_was_dismissed_is_acted_on_where_the_lead_leaves_and_comes_back(self, store: Store) -> None:
        self.decide(store, wanted(update(postcode="N1")))
        self.finish(store, State.FAILED, reason="no such field")
        store.dismiss(Selection(), "not wanted", 60.0)
        assert self.decide(store, left(), at=70.0) == 0
        assert self.decide(store, wanted(update(postcode="N1")), at=80.0) == 1

    def test_what_was_carried_out_since_is_not_repeated_for_that(self, store: Store) -> None:
        self.decide(store, wanted(update(postcode="N1")))
        self.finish(store, State.FAILED, reason="no such field")
        store.dismiss(Selection(), "not wanted", 60.0)
        for at, postcode in ((70.0, "N2"), (80.0, "N1")):
            assert self.decide(store, wanted(update(postcode=postcode)), at=at) == 1
            assert len(self.finish(store, now=at + 1)) == 1
        assert self.decide(store, left(), at=90.0) == 0
        assert self.decide(store, wanted(update(postcode="N1")), at=100.0) == 0

    def test_what_could_not_be_mapped_and_was_dismissed_waits_for_a_change_of_the_lead(
        self, store: Store
    ) -> None:
        other = Decision("other", State.FAILED, reason="no number")
        self.decide(store, unmappable(), other)
        assert store.dismiss(Selection(mapping="back"), "not wanted", 60.0).leads == 1
        assert self.resync(store) == 1
        [item] = store.unmapped(10)
        assert store.record_decided(item, [wanted(update(postcode="N1")), other], 70.0) == 1
        assert [failure.mapping for failure in store.failures()] == ["other"]
        assert self.decide(store, wanted(update(postcode="N1")), at=80.0) == 1

    def test_what_could_not_be_mapped_and_was_dismissed_is_decided_where_the_lead_comes_back(
        self, store: Store
    ) -> None:
        self.decide(store, unmappable(), Stage="Sold")
        store.dismiss(Selection(), "not wanted", 60.0)
        assert self.decide(store, left(), at=70.0, Stage="Lost") == 0
        assert self.decide(store, unmappable(), at=80.0, Stage="Sold") == 1

    def test_what_was_dismissed_and_comes_back_is_decided_whatever_it_was_between(self, store: Store) -> None:
        self.decide(store, unmappable(), Payout="-5")
        store.dismiss(Selection(), "not wanted", 60.0)
        self.decide(store, wanted(update(postcode="N1")), at=70.0, Payout="80")
        self.finish(store, now=71.0)
        assert self.decide(store, unmappable(), at=80.0, Payout="-5") == 1

    def test_a_change_that_was_seen_before_a_dismissal_is_decided_after_it(self, store: Store) -> None:
        self.decide(store, unmappable(), Payout="-5")
        changed = self.look(store, 50.0, ANN, Payout="80")
        assert store.dismiss(Selection(), "not wanted", 60.0).leads == 1
        assert store.record_decided(changed, [wanted(update(postcode="N1"))], 70.0) == 1

    @pytest.mark.parametrize(("people", "acts"), [("Sold", 0), ("Lost", 1)])
    def test_what_was_dismissed_comes_back_by_people_only(self, store: Store, people: str, acts: int) -> None:
        """Not by the way forward, which took the lead out of `when` and put it back."""
        held = {"values": "v", "people": "Sold"}
        self.decide(store, wanted(process("reject"), **held))
        self.finish(store, State.FAILED, reason="no")
        store.dismiss(Selection(), "not wanted", 60.0)
        self.decide(store, Decision("back", State.SKIPPED, left=True, people=people), at=70.0)
        assert self.decide(store, wanted(process("reject"), **held), at=80.0) == acts

    def test_what_a_dismissed_operation_had_taken_over_may_be_wanted_again(self, store: Store) -> None:
        for prospect_id, made in ((P1, update(postcode="N1", city="York")), (P2, update(postcode="N2"))):
            store.observe([change(10.0, prospect_id, Stage="Sold")], 10.0)
            [item] = store.unmapped(9)
            store.record_decided(item, [wanted(made)], 10.0)
        self.finish(store, State.FAILED, reason="no")
        assert store.dismiss(Selection(), "not wanted", 60.0) == Dismissed(1, [P1])
        assert self.decide(store, wanted(update(postcode="N1", city="York")), at=65.0) == 0
        assert self.decide(store, left(), at=70.0) == 0
        assert self.decide(store, wanted(update(postcode="N1", city="York")), at=80.0) == 1

    @pytest.mark.parametrize("dismissed", [False, True])
    def test_a_failure_makes_nothing_happen_twice_that_was_decided_later(
        self, store: Store, dismissed: bool
    ) -> None:
        self.overtaken(store)
        assert len(self.finish(store, now=53.0)) == 1
        if dismissed:
            assert store.dismiss(Selection(), "overtaken", 60.0).leads == 1
        assert self.decide(store, left(), at=70.0) == 0
        assert self.decide(store, wanted(financials("80")), at=80.0) == 0

    def test_what_a_resync_made_of_an_older_one_is_not_repeated_for_a_dismissed_newer_one(
        self, store: Store
    ) -> None:
        self.overtaken(store)
        self.finish(store, State.FAILED, now=53.0, reason="busy")
        assert store.dismiss(Selection(reason="busy"), "twice", 60.0).leads == 1
        self.resync(store)
        [reopened] = store.reopened(9)
        self.remap(store, reopened, financials("80"))
        assert len(self.finish(store, now=80.0)) == 1
        assert self.decide(store, left(), at=90.0) == 0
        assert self.decide(store, wanted(financials("80")), at=100.0) == 0

    def test_what_is_done_by_hand_cannot_be_fetched_anew(self, store: Store) -> None:
        store.operate([financials()], 10.0)
        self.finish(store, State.FAILED, reason="not Approved")
        store.dismiss(Selection(mapping="by hand"), "sold elsewhere", 60.0)
        assert store.count(Selection((), ("hand-1",))) == 0
        assert self.resync(store, refetch=True, states=(), queue_ids=("hand-1",)) == 0

    # resync

    @pytest.mark.parametrize("refetch", [False, True])
    def test_a_refused_operation_is_mapped_anew(self, store: Store, refetch: bool) -> None:
        self.decide(store, wanted(update(postcode="N1")))
        self.finish(store, State.FAILED, reason="no such field")
        assert self.resync(store, refetch=refetch) == 1
        [reopened] = store.reopened(10)
        assert (reopened.mapping, reopened.kind, reopened.item.queue_id) == ("back", "lead", P1)
        self.remap(store, reopened, update(city="York"))
        [sent] = self.finish(store, now=80.0)
        assert sent.fields == {"lead_id": "7", "update.city": "York"}
        assert store.claim_waiting(90.0, 10) == []

    @pytest.mark.parametrize("refetch", [False, True])
    def test_a_lead_that_could_not_be_mapped_is_decided_about_as_a_whole(
        self, store: Store, refetch: bool
    ) -> None:
        self.decide(store, unmappable())
        assert self.resync(store, refetch=refetch) == 1
        assert store.reopened(10) == []
        [item] = store.unmapped(10)
        assert store.record_decided(item, [wanted(update()), wanted(financials())], 71.0) == 2
        assert list(store.failures()) == []

    def test_a_rule_has_acted_on_what_a_resync_made(self, store: Store) -> None:
        self.decide(store, wanted(update(postcode="N1")))
        self.finish(store, State.FAILED, reason="no")
        self.resync(store)
        self.remap(store, store.reopened(1)[0], update(postcode="N2"))
        assert self.decide(store, wanted(update(postcode="N2")), at=76.0) == 0

    def test_a_rule_has_not_acted_on_what_a_resync_left_out(self, store: Store) -> None:
        self.decide(store, wanted(update()))
        self.finish(store, State.FAILED, reason="no")
        self.resync(store)
        self.remap(store, store.reopened(1)[0], None)
        assert self.rows(store)[0] == ("superseded", "lead")
        assert self.decide(store, wanted(update()), at=76.0) == 1

    # told

    def test_leads_and_account_count_queue_ids_only(self, store: Store) -> None:
        self.forward(store, "q1", Learned("7"))
        self.decide(store, wanted(update("8"), "one"), wanted(update("9", "reprocess"), "two"))
        store.operate([process()], 10.0)
        status = store.status()
        assert {state: n for state, n in status.leads.items() if n} == {"pending": 1}
        assert status.feedback == {"pending": 3}
        assert [(day.tracked, day.accounted) for day in store.account()] == [(1, 1)]
        self.finish(store)
        assert store.status().feedback == {"pending": 2, "synced": 1}

    def test_a_lead_is_shown_by_the_number_of_a_delivery_too(self, store: Store) -> None:
        [id_] = store.operate([process()], 10.0)
        lead = store.lead(str(id_))
        assert lead
        assert (lead["source"], [one["id"] for one in lead["deliveries"]]) == ("hand", [id_])
        store.track([Track(str(id_))], 10.0, 99.0)
        assert (store.lead(str(id_)) or {})["source"] == "leadbyte"

    def test_a_clock_that_was_ahead_leaves_no_lead_to_settle_for_years(self, store: Store) -> None:
        self.forward(store, "q1", Learned("7"))
        store.operate([update(action="reprocess")], 1e6)
        self.finish(store, now=1e6)
        store.recover(200.0)
        [item] = store.claim_waiting(200.0, 1)
        assert item.settles_at == 3800.0

    # people

    @pytest.mark.parametrize("where", ["column", "identity", "origin", "by hand", "id"])
    def test_a_person_is_found_and_forgotten_on_the_way_back_too(self, store: Store, where: str) -> None:
        ann = person(emails=["a@example.com"], ids=["990"])
        if where == "by hand":
            store.operate([update(email="A@example.com")], 10.0)
        elif where == "id":
            self.forward(store, "q1", Learned("990"), email="b@example.com")
        elif where == "origin":
            item = self.look(store, 10.0, Stage="New")
            store.record_decided(item, [wanted(update(), origin={"EmailAddress": "a@example.com"})], 10.0)
        else:
            names, value = ([ANN], "x") if where == "identity" else ([], "a@example.com")
            item = self.look(store, 10.0, *names, Email=value)
            store.record_decided(item, [wanted(update("55"))], 10.0)
        theirs = store.theirs(ann)
        assert len(theirs.leads) == 1
        store.track([Track("other")], 10.0, 99.0)
        store.erase(theirs, 90.0, running=False)
        assert not store.theirs(ann)
        assert store.status().feedback == {}
        assert all(day.adds_up for day in store.account())

    def test_what_was_agreed_with_either_side_goes_with_the_person(self, store: Store) -> None:
        item = self.look(store, 10.0, ANN, f"prospectid={P1}", Email="a@example.com")
        store.record_decided(item, [wanted(update(), origin={"mx_Zip": "N1"})], 10.0)
        self.finish(store)
        assert store.written([f"prospectid={P1}"])
        erased = store.erase(store.theirs(person(emails=["a@example.com"])), 90.0, running=False)
        assert (erased.leads, erased.agreed) == (1, 3)
        assert store.written([f"prospectid={P1}", ANN]) == {}
        assert store.prune_agreed("", 10, 0.0) == (None, 0)

    def test_of_a_changed_lead_nothing_is_kept_once_its_time_is_over(self, store: Store) -> None:
        self.decide(store, wanted(update(), origin={"mx_Zip": "N1"}), Email="a@example.com")
        self.finish(store)
        cutoffs = Cutoffs(replies=1e6, payloads=1e6, attempts=1e6)
        assert store.prune_leads(0, 100, cutoffs, 1e6) == (None, 3)
        lead = store.lead(P1)
        assert lead
        assert (lead["reply"], lead["context"]) == (None, {})
        [row] = lead["deliveries"]
        assert [row[name] for name in ("identity", "lookup", "fields", "origin")] == [None, None, {}, {}]
        assert store.names(lead["id"]) == Names()

    @pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
    def test_agreed_values_of_both_sides_are_pruned_page_by_page(self, store: Store, size: int) -> None:
        for n in range(2):
            STEPS.bear(store, f"q{n}", mapped(f"{n}@example.com"))
        STEPS.finish(store, State.SYNCED)
        store.operate([update("1"), update("2")], 10.0)
        self.finish(store)
        store.operate([update("9")], 60.0)
        self.finish(store, now=99.0)
        STEPS.bear(store, "young", mapped("young@example.com"))
        STEPS.finish(store, State.SYNCED, "c9", 99.0)
        after: str | None = ""
        dropped = 0
        for _ in range(20):
            if after is None:
                break
            after, some = store.prune_agreed(after, size, 90.0)
            dropped += some
        assert (after, dropped) == (None, 4)
        self.decide(store, wanted(update("9"), "other"), at=100.0)
        assert self.finish(store, now=101.0) == [], "what is younger was kept"

    def test_agreed_values_of_what_is_open_are_kept(self, store: Store) -> None:
        self.decide(store, wanted(update()))
        self.finish(store)
        self.decide(store, wanted(financials()), at=60.0)
        store.prune_agreed("", 10, 1e6)
        self.decide(store, wanted(update(), "other"), at=61.0)
        sent = [one.mapping for n in range(3) for one in self.finish(store, now=70.0 + n)]
        assert sent == ["back"]
