"""How many calls an account allows: places, pauses, and limits learned from throttles."""

from collections.abc import Callable
from heapq import heappop, heappush

import pytest

from bridge.policy.window import (
    LONGEST_PAUSE_SECONDS,
    LONGEST_WINDOW_SECONDS,
    PROBING,
    RETRY_UPWARDS_SECONDS,
    Learned,
    Limit,
    Window,
)

PRINTED = Limit(25, 5.0)
DAY = RETRY_UPWARDS_SECONDS


def used_up(window: Window, now: float) -> int:
    """Make calls that are answered at once until the window lets none through; how many went."""
    made = 0
    while window.wait(now) == 0:
        window.take()
        window.answered(now)
        made += 1
    return made


def refuse(window: Window, now: float, told: tuple[int, float] | None = None) -> bool:
    window.take()
    return window.throttled(now, told, None)


def test_a_call_holds_its_place_until_one_window_after_its_answer() -> None:
    window = Window(Limit(1, 5.0))
    assert window.wait(100.0) == 0
    window.take()
    assert window.wait(100.0) is None
    window.answered(103.0)
    assert window.wait(103.0) == 5.0
    assert window.wait(107.5) == 0.5
    assert window.wait(108.0) == 0


def test_room_comes_with_the_oldest_answer_that_matters() -> None:
    window = Window(Limit(3, 5.0))
    for at in (100.0, 101.0, 102.0):
        window.take()
        window.answered(at)
    assert window.wait(103.0) == 2.0
    window.remember([104.5])
    assert window.wait(104.5) == 1.5, "a fourth call had been made: two answers must leave"


def test_no_limit_lets_everything_through() -> None:
    window = Window(Limit(0, 1.0))
    for _ in range(1000):
        assert window.wait(50.0) == 0
        window.take()
    assert (window.in_flight, window.used(50.0)) == (1000, 1000)
    window.answered(50.0)
    assert window.used(50.0) == 999, "nothing is counted that no limit asks for"


def test_a_call_that_did_not_go_holds_no_place() -> None:
    window = Window(Limit(1, 5.0))
    window.take()
    window.give_back()
    assert (window.wait(10.0), window.used(10.0)) == (0, 0)


def test_used_counts_what_is_in_flight_and_what_was_answered_within_the_window() -> None:
    window = Window(PRINTED)
    window.take()
    window.take()
    window.answered(10.0)
    assert (window.in_flight, window.used(12.0)) == (1, 2)
    assert window.used(15.0) == 1


def test_calls_of_an_earlier_process_are_counted() -> None:
    window = Window(Limit(2, 5.0))
    window.remember([98.0, 96.0, 80.0])
    assert window.wait(99.0) == 2.0
    assert window.used(99.0) == 2


def test_only_a_few_calls_are_under_way_until_they_went_well() -> None:
    window = Window(PRINTED)
    for _ in range(PROBING):
        assert window.wait(1.0) == 0
        window.take()
    assert window.wait(1.0) is None
    window.answered(1.0)
    assert window.wait(1.0) == 0


def flood(window: Window, start: float, calls: int, latency: float) -> int:
    """Make `calls` calls as fast as the window allows; the most that were in flight at once."""
    now, most = start, 0
    under_way: list[float] = []
    while calls or under_way:
        wait = window.wait(now) if calls else None
        if wait == 0:
            window.take()
            under_way.append(now + latency)
            calls, most = calls - 1, max(most, window.in_flight)
            continue
        now = min([*under_way[:1], *([] if wait is None else [now + wait])])
        if under_way[:1] == [now]:
            window.answered(under_way.pop(0))
    return most


def test_more_are_under_way_once_each_windows_worth_has_gone_well() -> None:
    assert flood(Window(PRINTED), 0.0, 24, 2.0) == PROBING
    assert flood(Window(PRINTED), 0.0, 25 + PROBING + 1, 2.0) == PROBING + 1
    window = Window(PRINTED)
    flood(window, 0.0, 2000, 20.0)
    assert flood(window, 1e6, 50, 20.0) == PRINTED.calls


def test_a_trickle_proves_nothing_of_a_burst() -> None:
    window = Window(PRINTED)
    for minute in range(1000):
        window.take()
        window.answered(60.0 * minute)
    assert flood(window, 60_000.0, 20, 0.5) == PROBING


def test_a_throttle_pauses_for_one_whole_window() -> None:
    window = Window(PRINTED)
    refuse(window, 100.0)
    assert window.wait(100.0) == 5.0
    assert window.wait(104.0) == 1.0
    assert window.wait(105.0) == 0


def test_pauses_double_while_nothing_but_refusals_follows_and_end_at_a_minute() -> None:
    window, now, pauses = Window(PRINTED), 0.0, []
    for _ in range(6):
        refuse(window, now)
        pauses.append(window.wait(now))
        now += pauses[-1] or 0.0
    assert pauses == [5.0, 10.0, 20.0, 40.0, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]
    window.take()
    window.answered(now)
    refuse(window, now)
    assert window.wait(now) == 5.0, "an answer ends the doubling"


def test_refusals_of_calls_that_were_already_under_way_are_one_throttle() -> None:
    window = Window(PRINTED)
    for _ in range(4):
        window.take()
    for now in (100.0, 100.5, 101.0):
        window.throttled(now, None, None)
    assert window.wait(101.0) == 5.0
    window.answered(102.0)
    window.take()
    window.throttled(103.0, None, None)
    assert window.wait(103.0) == 5.0, "a late answer among them does not shorten the pause"


def test_retry_after_is_honoured_where_it_says_to_wait() -> None:
    window = Window(PRINTED)
    window.take()
    window.throttled(100.0, None, 17.0)
    assert window.wait(100.0) == 17.0
    other = Window(PRINTED)
    other.take()
    other.throttled(100.0, None, 0.0)
    assert other.wait(100.0) == 5.0


def test_a_shorter_pause_does_not_cut_a_longer_one() -> None:
    window = Window(PRINTED)
    window.take()
    window.take()
    window.throttled(100.0, None, 30.0)
    window.throttled(101.0, None, 2.0)
    assert window.wait(101.0) == 29.0


def test_without_a_limit_of_ours_a_throttle_pauses_for_at_least_a_second() -> None:
    window = Window(Limit(0, 0.25))
    refuse(window, 10.0)
    assert window.wait(10.0) == 1.0
    assert window.wait(11.0) == 0


@pytest.mark.parametrize("configured", [PRINTED, Limit(0, 1.0)])
def test_a_told_limit_is_learned_and_paused_for(configured: Limit) -> None:
    window = Window(configured)
    assert refuse(window, 100.0, (10, 30.0))
    assert window.learned == Learned(Limit(10, 30.0), 100.0)
    assert window.limit(100.0) == Limit(10, 30.0)
    assert window.wait(100.0) == 30.0, "one window of the limit that was told"
    assert used_up(window, 130.0) == 10


def test_being_told_again_keeps_the_limit_longer_and_says_so() -> None:
    window = Window(PRINTED)
    refuse(window, 100.0, (10, 5.0))
    assert refuse(window, 4000.0, (10, 5.0))
    assert window.limit(100.0 + DAY) == Limit(10, 5.0)
    assert window.limit(4000.0 + DAY) == PRINTED


@pytest.mark.parametrize(
    "told", [(25, 5.0), (30, 5.0), (50, 10.0), (25, 2.5), (0, 5.0), (10, 0.0), (-1, 5.0)]
)
def test_what_the_configured_limit_keeps_to_anyway_is_not_learned(told: tuple[int, float]) -> None:
    window = Window(PRINTED)
    assert not refuse(window, 100.0, told)
    assert (window.learned, window.limit(100.0)) == (None, PRINTED)
    assert (window.wait(100.0) or 0) > 0


@pytest.mark.parametrize("told", [(10, 1.0), (100, 60.0), (2000, 86_400.0), (24, 5.0)])
def test_a_learned_limit_binds_beside_the_configured_one_never_instead(told: tuple[int, float]) -> None:
    window = Window(PRINTED)
    assert refuse(window, 100.0, told)
    later = 100.0 + LONGEST_WINDOW_SECONDS
    assert window.wait(later) == 0
    assert used_up(window, later) == min(told[0], PRINTED.calls)


def test_a_learned_limit_does_not_lift_one_that_was_configured_lower_since() -> None:
    window = Window(Limit(5, 5.0), Learned(Limit(10, 5.0), 100.0))
    assert window.limit(101.0) == Limit(5, 5.0)
    assert used_up(window, 101.0) == 5


def test_a_quota_is_tried_again_within_the_hour() -> None:
    window = Window(PRINTED)
    refuse(window, 100.0, (2000, 86_400.0))
    assert window.wait(100.0) == LONGEST_WINDOW_SECONDS


def test_after_a_day_upwards_again_a_few_calls_at_a_time() -> None:
    window = Window(PRINTED)
    refuse(window, 0.0, (10, 5.0))
    assert flood(window, 5.0, 200, 0.5) > PROBING, "the learned limit was seen to hold"
    assert used_up(window, DAY - 1) == 10
    window.wait(DAY)
    assert (window.learned, window.limit(DAY)) == (None, PRINTED)
    assert used_up(window, DAY + 5) == PRINTED.calls
    assert flood(window, DAY + 10, 24, 0.5) == PROBING
    assert refuse(window, DAY + 30, (10, 5.0)), "learned anew, and to be kept anew"


class Account:
    """The other side: counts a call when it arrives, and refuses what is more than its own limit."""

    def __init__(self, calls: int, seconds: float, *, counts_refused: bool) -> None:
        self.limit, self.counts_refused = (calls, seconds), counts_refused
        self.counted: list[float] = []
        self.refused = self.served = 0

    def call(self, now: float) -> bool:
        calls, seconds = self.limit
        taken = sum(at > now - seconds for at in self.counted[-4 * calls :])
        ok = taken < calls
        if ok or self.counts_refused:
            self.counted.append(now)
        self.served, self.refused = self.served + ok, self.refused + (not ok)
        return ok


def work(
    window: Window, account: Account, start: float, seconds: float, latency: Callable[[int], float]
) -> None:
    """Call for as long as there is work: always; a call arrives half way through its latency."""
    now, made = start, 0
    events: list[tuple[float, int, str]] = []
    verdicts: dict[int, bool] = {}
    while now < start + seconds:
        wait = window.wait(now)
        if wait == 0:
            window.take()
            made += 1
            heappush(events, (now + latency(made) / 2, made, "arrives"))
            heappush(events, (now + latency(made), made, "answered"))
            continue
        if wait is not None and (not events or now + wait < events[0][0]):
            now += wait
            continue
        now, call, what = heappop(events)
        if what == "arrives":
            verdicts[call] = account.call(now)
        elif verdicts[call]:
            window.answered(now)
        else:
            window.throttled(now, account.limit, None)
    for _, _, what in events:
        if what == "answered":
            window.answered(now)


@pytest.mark.parametrize("counts_refused", [False, True])
@pytest.mark.parametrize("hidden", [1, 3, 10, 24])
@pytest.mark.parametrize("latency", [1 / 64, 1 / 8, 1 / 4])
def test_a_hidden_limit_costs_few_refusals_and_is_used_fully(
    latency: float, hidden: int, counts_refused: bool
) -> None:
    window, account = Window(PRINTED), Account(hidden, 5.0, counts_refused=counts_refused)
    work(window, account, 0.0, 600.0, lambda _: latency)
    assert 1 <= account.refused <= PROBING
    assert account.served >= 0.95 * hidden * (600 - 2 * 5) / 5
    before = account.refused
    work(window, account, DAY + 10, 600.0, lambda _: latency)
    assert 1 <= account.refused - before <= PROBING, "tried upwards once"


def test_slow_calls_and_a_hidden_limit() -> None:
    window, account = Window(PRINTED), Account(10, 5.0, counts_refused=False)
    work(window, account, 0.0, 600.0, lambda n: 2.0 + n % 5 / 8)
    assert account.refused <= PROBING + 1


def test_a_burst_after_a_trickle_meets_a_hidden_limit() -> None:
    window, account = Window(PRINTED), Account(10, 5.0, counts_refused=False)
    for minute in range(100):
        window.take()
        assert account.call(60.0 * minute)
        window.answered(60.0 * minute)
    work(window, account, 6000.0, 60.0, lambda _: 0.25)
    assert account.refused <= PROBING


@pytest.mark.parametrize("latency", [1 / 64, 1 / 8, 1 / 4])
def test_the_printed_limit_is_used_fully_without_one_refusal(latency: float) -> None:
    window, account = Window(PRINTED), Account(25, 5.0, counts_refused=True)
    work(window, account, 0.0, 600.0, lambda _: latency)
    assert account.refused == 0
    assert account.served >= 0.95 * 25 * 600 / 5


def test_slow_calls_come_to_use_the_window_fully_too() -> None:
    window, account = Window(PRINTED), Account(25, 5.0, counts_refused=True)
    work(window, account, 0.0, 60.0, lambda _: 2.0)
    before = account.served
    work(window, account, 100.0, 700.0, lambda _: 2.0)
    assert account.refused == 0
    assert account.served - before >= 0.95 * 25 * 700 / (5 + 2)


def test_no_answer_can_ask_for_more_than_an_hour() -> None:
    window = Window(Limit(25, 5.0))
    window.take()
    window.throttled(100.0, None, 999_999_999.0)
    assert window.wait(100.0) == 3600.0
