"""Whatever happens: no condition has two alerts within an hour, none is over that was not told, what lasts is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.alerting import CALM, HOUR, Arrival, Condition, Memory, due

START = 1_700_000_000.0
NAMES = ("failures", "leadsquared")
HOLDS = st.tuples(st.sampled_from([True, True, False, False, False, None]), st.integers(0, 60), st.booleans())
GAPS = st.sampled_from([0.0, 30.0, 30.0, 61.0, CALM - 1, CALM, HOUR - 1, HOUR, 3 * HOUR, 30 * HOUR])
BACK = st.sampled_from([0.0, 0.0, 0.0, 0.0, 45.0, 2 * HOUR, START / 2])
FATES = st.sampled_from([*Arrival, None])
"""What becomes of a message; None: the process was killed after it was recorded, before it was sent."""

State: TypeAlias = tuple[bool | None, int, bool]
Step: TypeAlias = tuple[float, float, tuple[State, ...], Arrival | None]
STEPS = st.lists(st.tuples(GAPS, BACK, st.tuples(*[HOLDS] * len(NAMES)), FATES), min_size=12, max_size=24)
"""Long ones: what goes wrong takes an alert, its end and another alert, each with its fate."""


@dataclass
class World:
    """The stage without a store: `told` is every message by its true time, whatever became of it."""

    true: float = START
    shown: float = START
    memory: Memory = field(default_factory=Memory)
    told: list[tuple[float, str, bool, Arrival | None]] = field(default_factory=list)
    held: dict[str, float] = field(default_factory=dict)
    calm: list[float] = field(default_factory=list)

    def look(self, step: Step) -> None:
        gap, back, states, fate = step
        self.true, self.shown = self.true + gap, self.shown + gap - back
        pairs = zip(NAMES, states, strict=True)
        seen = [
            Condition(one, holds, "!", "over", n, begun=holds is None and begun)
            for one, (holds, n, begun) in pairs
        ]
        for one in seen:
            if one.holds or one.begun:
                self.held[one.name] = self.true
        found = due(self.memory, seen, self.shown)
        self.memory = found.after
        for name, text in found.texts.items():
            self.told.append((self.true, name, text == "over", fate))
            if text == "over":
                self.calm.append(self.true - self.held[name])
        if found.texts and fate:
            self.memory = found.noted(fate, self.shown)

    def of(self, name: str) -> list[tuple[float, bool, Arrival | None]]:
        return [(at, over, fate) for at, one, over, fate in self.told if one == name]


def went(steps: Sequence[Step]) -> World:
    world = World()
    for step in steps:
        world.look(step)
    return world


@given(STEPS)
def test_no_condition_has_two_alerts_within_an_hour(steps: list[Step]) -> None:
    world = went(steps)
    for name in NAMES:
        alerts = [
            at for at, over, fate in world.of(name) if not over and fate in (Arrival.ARRIVED, Arrival.UNSURE)
        ]
        assert all(after - before >= HOUR for before, after in pairwise(alerts))


@given(STEPS)
def test_only_what_was_told_is_over_and_that_is_told_once_or_twice_where_it_may_have_been_lost(
    steps: list[Step],
) -> None:
    world = went(steps)
    for name in NAMES:
        overs = 2
        for _, over, fate in world.of(name):
            if fate is not Arrival.FAILED:
                overs = overs + 1 if over else 0
                assert overs <= 2
                overs = 2 if over and fate is Arrival.ARRIVED else overs


@given(STEPS, st.tuples(*[st.booleans()] * len(NAMES)))
def test_what_lasts_is_told_and_what_was_told_is_over_in_the_end(
    steps: list[Step], lasts: tuple[bool, ...]
) -> None:
    world = went(steps)
    states = tuple((holds, 1, False) for holds in lasts)
    for _ in range(2 * 120 + 2):
        world.look((30.0, 0.0, states, Arrival.ARRIVED))
    for name, holds in zip(NAMES, lasts, strict=True):
        sent = [(over, fate) for _, over, fate in world.of(name) if fate is not Arrival.FAILED]
        arrived = [over for over, fate in sent if fate is Arrival.ARRIVED]
        lost_twice = [over for over, _ in sent[-2:]] == [True, True]
        assert (arrived[-1:] == [False]) is holds or (lost_twice and not holds)


@given(STEPS)
def test_nothing_is_over_before_it_has_been_so_for_five_minutes(steps: list[Step]) -> None:
    assert all(calm >= CALM for calm in went(steps).calm)


@given(STEPS)
def test_what_lasts_is_told_as_soon_as_the_hour_since_its_alert_is_up(steps: list[Step]) -> None:
    """Where it was told to be over before, and messages arrive."""
    world = went([(gap, 0.0, states, Arrival.ARRIVED) for gap, _, states, _ in steps])
    before = {name: world.of(name)[-2:] for name in NAMES}
    begun = world.true
    for _ in range(120 + 1):
        world.look((30.0, 0.0, ((True, 1, False),) * len(NAMES), Arrival.ARRIVED))
    for name in NAMES:
        told = [at for at, over, _ in world.of(name) if not over]
        if not before[name]:
            assert begun + 30.0 in told
        elif before[name][-1][1]:
            alerted = before[name][0][0]
            assert any(0 <= at - max(alerted + HOUR, begun + 30.0) < 30.0 for at in told)
