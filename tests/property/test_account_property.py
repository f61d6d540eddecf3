"""Whatever is done to leads by the store's own methods, in any order: every day adds up, and an audit finds nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import Conflict
from bridge.model import Call, ItemState, Lane, Mapped, Move, PollRecord, Stage, State, Track
from bridge.ports import Birth, Cutoffs, Selection, Store, Theirs
from bridge.store import open_store
from tests.contract.store_contract import call, reply

LANES = (Lane("bulk", "EmailAddress", "unprocessed"), Lane("async", "", "automations"))
LATER = 4e9
"""After any upgrade: nothing is believed for being old."""
NEVER = 9e9
ENDS = (State.SYNCED, State.SUBMITTED, State.PENDING, State.UNPROCESSED, State.FAILED)


class Life:
    """A store and a clock that goes on, or back. Each step takes a number that decides what it cannot see itself."""

    def __init__(self, store: Store) -> None:
        self.store, self.now, self.calls = store, LATER, 0

    def step(self, name: str, number: int) -> None:
        self.now += 40_000.0 if number % 7 else -30_000.0
        steps: dict[str, Callable[[int], None]] = {
            "track": self.track,
            "poll": self.poll,
            "map": self.map,
            "push": self.push,
            "confirm": self.confirm,
            "doubt": self.doubt,
            "crash": lambda _: self._recover(),
            "resync": self.resync,
            "resolve": self.resolve,
            "forget": self.forget,
            "prune": self.prune,
        }
        steps[name](number)

    def track(self, number: int) -> None:
        self.store.track([Track(f"q{number}"), Track(f"q{number % 3}")], self.now, self.now + 1e6)

    def poll(self, number: int) -> None:
        state = ItemState.EXPIRED if number % 4 == 0 else ItemState.RESOLVED
        items = self.store.claim_waiting(NEVER, 10)
        records = [PollRecord(item.id, state, self.now, "why", reply()) for item in items]
        if records:
            self.store.record_polls(records, self.now)

    def map(self, number: int) -> None:
        items = self.store.unmapped(10)
        births = [self._birth(item.id, number + n, m) for n, item in enumerate(items) for m in ("one", "two")]
        if items:
            self.store.record_mapped(items, births, self.now)
        for reopened in self.store.reopened(10):
            born = self._birth(reopened.item.id, number, reopened.mapping)
            self.store.record_remapped(reopened, born, self.now)

    def push(self, number: int) -> None:
        for mode in ("bulk", "async"):
            self.calls += 1
            call_id = f"c{self.calls}"
            batch = self.store.claim_batch(mode, NEVER, 10, 0.0, call_id)
            if batch and number % 5:
                ends = [self._end(delivery.lane, number + n) for n, delivery in enumerate(batch)]
                moves = [
                    Move(d, end, self.now, "why", attempt=True, request_id="r")
                    for d, end in zip(batch, ends, strict=True)
                ]
                self.store.record(call(call_id, self.now), moves, self.now)

    def confirm(self, number: int) -> None:
        for delivery in self.store.claim_submitted(NEVER, 10):
            if number % 3 == 0:
                self.store.postpone(self._question(), delivery, self.now, None)
            else:
                end = (State.SYNCED, State.PENDING, State.FAILED)[number % 3]
                self.store.record(self._question(), [Move(delivery, end, self.now, "why")], self.now)

    def doubt(self, number: int) -> None:
        """A person may have settled it while it was asked."""
        for delivery in self.store.claim_in_doubt(NEVER, 10):
            if number % 2:
                self.store.resolve(delivery.queue_id, done=number % 4 == 1, now=self.now)
            try:
                if number % 3:
                    end = State.SYNCED if number % 3 == 1 else State.FAILED
                    self.store.record(self._question(), [Move(delivery, end, self.now, "why")], self.now)
            except Conflict:
                pass
            self.store.postpone(self._question(), delivery, self.now, None)

    def resync(self, number: int) -> None:
        states = ("failed", "unprocessed", "expired", "synced")[: 1 + number % 4]
        refetch = number % 2 == 0
        self.store.resync(
            Selection(states), self.now, refetch=refetch, force=number % 3 == 0, deadline_at=NEVER
        )

    def resolve(self, number: int) -> None:
        self.store.resolve(f"q{number}", done=number % 2 == 0, now=self.now)

    def forget(self, number: int) -> None:
        queue_id = f"q{number % 3}"
        lead = self.store.lead(queue_id)
        if lead is not None:
            self.store.erase(Theirs({lead["id"]: queue_id}), self.now, running=True)

    def prune(self, number: int) -> None:
        before = self.now - 50_000.0 * (number % 3)
        self.store.prune_leads(0, 1000, Cutoffs(before, before, before), self.now)

    def _recover(self) -> None:
        self.store.recover(self.now)

    def _question(self) -> Call:
        self.calls += 1
        return call(f"c{self.calls}", self.now, Stage.CONFIRM)

    def _birth(self, item: int, number: int, mapping: str) -> Birth:
        if number % 6 == 0:
            return Birth(item, mapping, State.FAILED, None, "no phone", self.now)
        if number % 6 == 1:
            return Birth(item, mapping, State.SKIPPED, None, "when", self.now)
        lane = LANES[number % 2]
        key = lane.search_by or "ProspectID"
        fields = {key: f"person{number % 3}", f"Field{number % 2}": f"value {number % 4}"}
        return Birth(item, mapping, State.PENDING, Mapped(fields, [key], lane), None, self.now)

    def _end(self, lane: Lane, number: int) -> State:
        return State.IN_DOUBT if not lane.repeatable and number % 2 else ENDS[number % len(ENDS)]


NAMES = ("track", "poll", "map", "push", "confirm", "doubt", "crash", "resync", "resolve", "forget", "prune")


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 60)), min_size=5, max_size=40))
def test_every_lead_is_accounted_for_after_any_steps(steps: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as directory, closing(open_store(Path(directory))) as store:
        life = Life(store)
        for name, number in (("track", 1), ("poll", 1), ("map", 2), *steps):
            life.step(name, number)
        account = store.account()
        assert all(day.adds_up for day in account)
        there = sum(day.tracked - day.forgotten for day in account)
        assert there == sum(store.status().leads.values())
        assert list(store.audit(running=True)) == []
        store.recover(life.now)
        assert list(store.audit(running=False)) == []
