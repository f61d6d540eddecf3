"""Whatever a lead goes through, what may not be repeated is not done twice in a row, and its last values get through."""

from __future__ import annotations

import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from bridge.model import Call, Move, Stage, State
from bridge.ports import Decision
from bridge.store import SqliteStore, open_store
from tests.contract.store_feedback_contract import ANN, P1, change, echo, left, unmappable, update, wanted

DECISIONS = ("A", "B", "leave", "broken", "echo")
ENDS = ("done", "refused", "lost", "down")
STEPS = st.lists(st.sampled_from([*DECISIONS, *ENDS, "crash", "it was done", "it was not"]), max_size=9)


@dataclass
class Story:
    """One lead, one mapping that reprocesses, and a LeadByte that does as it is told by the step."""

    store: SqliteStore
    now: float = 100.0
    wants: str | None = None
    done: list[str] = field(default_factory=list)
    """What was carried out."""

    def step(self, name: str) -> None:
        self.now += 1.0
        if name in DECISIONS:
            self.decide(name)
        elif name in ENDS:
            self.send(name)
        elif name == "crash":
            self.claim()
            self.store.recover(self.now)
        else:
            self.settle(done=name == "it was done")

    def decide(self, name: str) -> None:
        self.store.observe([change(self.now, P1, ANN, Stage=str(self.now))], self.now)
        [item] = self.store.unmapped(10)
        self.store.record_decided(item, [self.decision(name)], self.now)
        self.wants = name if name in ("A", "B") else None

    def decision(self, name: str) -> Decision:
        if name == "leave":
            return left()
        if name == "broken":
            return unmappable()
        made = update(postcode=name, action="reprocess")
        return echo(made) if name == "echo" else wanted(made)

    def claim(self) -> list[str]:
        self.batch = self.store.claim_batch("leadbyte", self.now, 25, 0.0, f"c{self.now}")
        return [one.fields["update.postcode"] for one in self.batch]

    def send(self, end: str) -> None:
        names = self.claim()
        to = {"done": State.SYNCED, "refused": State.FAILED, "lost": State.IN_DOUBT}.get(end, State.PENDING)
        if names:
            call = Call(f"c{self.now}", Stage.PUSH, "leadbyte", self.now, self.now, "answered")
            moves = [Move(one, to, self.now, maybe=end == "lost") for one in self.batch]
            self.store.record(call, moves, self.now)
        if end == "done":
            self.done += names

    def settle(self, *, done: bool) -> None:
        lead = self.store.lead(P1)
        doubted = [one for one in (lead or {"deliveries": []})["deliveries"] if one["state"] == "in_doubt"]
        assert self.store.resolve(P1, done=done, now=self.now) == len(doubted) <= 1
        if done:
            self.done += [one["fields"]["update.postcode"] for one in doubted]


@given(STEPS)
@example(["A", "done", "B", "A", "done"])
@example(["A", "done", "B", "leave", "A", "done"])
@example(["A", "done", "B", "refused", "A", "done"])
@example(["A", "done", "echo", "A", "done"])
@example(["A", "done", "B", "crash", "A", "it was not", "done"])
@example(["A", "done", "broken", "A", "done"])
def test_nothing_is_done_twice_in_a_row_and_the_last_values_get_through(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as state, closing(open_store(Path(state))) as store:
        store._database.conn.execute("PRAGMA synchronous = OFF")
        story = Story(store)
        for name in [*steps, "it was done", "done", "done"]:
            story.step(name)
        assert all(one != other for one, other in pairwise(story.done))
        failed = any(failure.state == "failed" for failure in store.failures())
        if story.wants and not failed:
            assert story.done[-1] == story.wants
        assert store.idle()
        assert [one for one in store.audit(running=False) if one.check != "calls"] == []
