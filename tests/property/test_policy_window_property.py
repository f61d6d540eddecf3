"""Whatever happens, in whatever order: no span of the window's length holds more calls than are allowed."""

from dataclasses import dataclass, field
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.window import RETRY_UPWARDS_SECONDS, Limit, Window

LIMITS = st.tuples(st.integers(1, 30), st.sampled_from([0.25, 1.0, 2.5, 5.0, 12.0, 60.0])).map(
    lambda told: Limit(*told)
)
# Moments are multiples of 1/8 s, so that sums of them are exact and half-open spans mean what they say.
GAPS = st.one_of(st.just(0.0), st.integers(1, 80), st.integers(0, 4000)).map(lambda eighths: eighths / 8)
STEPS = st.one_of(
    st.tuples(st.just("go"), st.integers(1, 40)),
    st.tuples(st.just("answer"), st.integers(1, 40)),
    st.tuples(st.just("give_back"), st.just(1)),
    st.tuples(st.just("throttle"), st.tuples(st.none() | LIMITS, st.none() | st.sampled_from([0.5, 5.0]))),
    st.tuples(st.just("wait"), GAPS),
    st.tuples(st.just("patience"), st.none()),
    st.tuples(st.just("day"), st.none()),
)


@dataclass
class Driver:
    """Obeys `wait` and keeps its own record of when each call left and ended."""

    window: Window
    now: float = 1_700_000_000.0
    under_way: list[int] = field(default_factory=list)
    calls: list[list[float]] = field(default_factory=list)
    learned: list[tuple[float, Limit]] = field(default_factory=list)

    def step(self, what: str, much: object) -> None:
        getattr(self, what)(much)
        wait = self.window.wait(self.now)
        assert wait is None or wait >= 0
        assert wait is not None or self.under_way, "None with nothing in flight would wait for ever"
        assert self.window.in_flight == len(self.under_way)
        assert self.window.used(self.now) >= len(self.under_way)

    def go(self, most: int) -> None:
        while most and self.window.wait(self.now) == 0:
            self.window.take()
            self.under_way.append(len(self.calls))
            self.calls.append([self.now, inf])
            most -= 1

    def answer(self, most: int) -> None:
        for call in self.under_way[:most]:
            self.calls[call][1] = self.now
            self.window.answered(self.now)
        del self.under_way[:most]

    def give_back(self, _: object) -> None:
        if self.under_way:
            self.calls[self.under_way.pop()] = [-inf, -inf]
            self.window.give_back()

    def throttle(self, how: tuple[Limit | None, float | None]) -> None:
        if not self.under_way:
            return
        told, retry_after = how
        self.calls[self.under_way.pop(0)][1] = self.now
        if self.window.throttled(self.now, (told.calls, told.seconds) if told else None, retry_after):
            assert told is not None
            self.learned.append((self.now, told, len(self.calls)))
        assert (self.window.wait(self.now) or 0) > 0

    def wait(self, gap: float) -> None:
        self.now += gap

    def patience(self, _: object) -> None:
        self.now += self.window.wait(self.now) or 0.0

    def day(self, _: object) -> None:
        self.now += RETRY_UPWARDS_SECONDS


def most_in_a_span(calls: list[list[float]], seconds: float, since: float, until: float) -> int:
    """The most calls that a server can have counted in a half-open span of so many seconds that begins after `since`
    and ends before `until`, whenever between its leaving and its end it counted each."""
    starts = {since, *(end for _, end in calls if since <= end < until)}
    return max(sum(left < min(at + seconds, until) and end >= at for left, end in calls) for at in starts)


@given(LIMITS, st.lists(STEPS, max_size=40))
def test_no_span_ever_holds_more_calls_than_are_allowed(
    configured: Limit, steps: list[tuple[str, object]]
) -> None:
    driver = Driver(Window(configured))
    for what, much in steps:
        driver.step(what, much)
    calls = driver.calls
    assert most_in_a_span(calls, configured.seconds, 0.0, inf) <= configured.calls
    ends = [*(at for at, _, _ in driver.learned), inf]
    for (since, told, already), until in zip(driver.learned, ends[1:], strict=True):
        # Calls that were under way when the limit was told left under the limit before.
        later = calls[already:]
        until = min(until, since + RETRY_UPWARDS_SECONDS)
        assert most_in_a_span(later, told.seconds, since, until) <= told.calls


@given(LIMITS, LIMITS, st.floats(0, 2 * RETRY_UPWARDS_SECONDS))
def test_a_learned_limit_never_allows_more_than_the_configured_one(
    configured: Limit, told: Limit, later: float
) -> None:
    window = Window(configured)
    window.take()
    kept = window.throttled(0.0, (told.calls, told.seconds), None)
    limit = window.limit(later)
    assert limit.calls / limit.seconds <= configured.calls / configured.seconds
    assert kept or limit == configured
    if later >= RETRY_UPWARDS_SECONDS:
        assert limit == configured


@given(LIMITS, st.lists(GAPS, max_size=60))
def test_a_restart_forgets_no_call(limit: Limit, gaps: list[float]) -> None:
    first, now, answers = Window(limit), 1_700_000_000.0, []
    for gap in gaps:
        now += gap
        if first.wait(now) == 0:
            first.take()
            first.answered(now)
            answers.append(now)
    second = Window(limit)
    second.remember(answers[::-1])
    assert (second.used(now), second.wait(now)) == (first.used(now), first.wait(now))
