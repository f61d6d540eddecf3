"""Waiting for permission to call, with a clock of the test's own."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable

import pytest

from bridge.errors import CallError, Denied, LostAnswer, Refused, ServerFault, Throttled, Unreachable
from bridge.pipeline.gate import Gate
from bridge.policy.health import SOME, SideState
from bridge.policy.window import PROBING, Limit

START = 1_700_000_000.0
SHORT = Limit(1, 0.002)


class Clock:
    """Epoch seconds that move only when they are told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class Even(random.Random):
    """No jitter."""

    def random(self) -> float:
        return 0.0


def gate(clock: Clock, limit: Limit = Limit(25, 5.0)) -> Gate:  # noqa: B008 - a frozen value
    return Gate("leadsquared", limit, clock, Even())


async def settled(seconds: float = 0.0) -> None:
    """Let whoever waits for at most so many seconds have its turn."""
    await asyncio.sleep(seconds)
    for _ in range(10):
        await asyncio.sleep(0)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(5):
            await test()

    asyncio.run(bounded())


def test_a_permit_takes_a_place() -> None:
    async def test() -> None:
        one = gate(Clock())
        assert await one.permit()
        assert one.window.in_flight == 1
        one.give_back()
        assert (one.window.in_flight, one.window.used(START)) == (0, 0)

    run(test)


def test_a_permit_waits_until_the_window_has_room() -> None:
    async def test() -> None:
        clock = Clock()
        one = gate(clock, SHORT)
        assert await one.permit()
        one.answered()
        waiter = asyncio.create_task(one.permit())
        await settled(0.005)
        assert not waiter.done(), "the gate goes by its clock"
        clock.now += 0.002
        assert await waiter
        assert one.window.used(clock.now) == 1

    run(test)


@pytest.mark.parametrize("ending", ["answered", "give_back", "failed"])
def test_the_end_of_a_call_wakes_who_waits_for_it(ending: str) -> None:
    async def test() -> None:
        one = gate(Clock())
        for _ in range(PROBING):
            assert await one.permit()
        waiters = [asyncio.create_task(one.permit()) for _ in range(2)]
        await settled()
        assert not any(waiter.done() for waiter in waiters)
        if ending == "failed":
            one.failed(LostAnswer("timed out"))
        else:
            getattr(one, ending)()
        await settled()
        assert sorted(waiter.done() for waiter in waiters) == [False, True]
        assert one.window.in_flight == PROBING
        one.close()
        await asyncio.gather(*waiters)

    run(test)


def test_a_closed_gate_lets_nobody_through() -> None:
    async def test() -> None:
        one = gate(Clock(), Limit(1, 5.0))
        assert await one.permit()
        waiter = asyncio.create_task(one.permit())
        await settled()
        one.close()
        assert not await waiter
        one.give_back()
        assert not await one.permit(), "not even where there is room"
        assert one.window.in_flight == 0

    run(test)


def test_a_throttle_holds_everybody_for_a_window_and_tells_when_to_go_on() -> None:
    async def test() -> None:
        clock = Clock()
        one = gate(clock, Limit(25, 0.004))
        assert await one.permit()
        assert one.failed(Throttled("too many calls")) == 1.0
        assert not one.changed, "nothing was learned"
        clock.now += 0.996
        waiter = asyncio.create_task(one.permit())
        await settled(0.006)
        assert not waiter.done()
        clock.now = START + 1.0
        assert await waiter

    run(test)


def test_retry_after_is_honoured() -> None:
    async def test() -> None:
        one = gate(Clock())
        assert await one.permit()
        assert one.failed(Throttled("too many calls", retry_after=17.0)) == 17.0

    run(test)


def test_a_learned_limit_outlives_the_process() -> None:
    async def test() -> None:
        clock = Clock()
        one = gate(clock)
        assert await one.permit()
        assert one.failed(Throttled("too many calls", limit=(2, 5.0))) == 5.0
        assert one.changed
        clock.now += 60
        other = gate(clock)
        other.restore(one.state())
        assert other.window.limit(clock.now) == Limit(2, 5.0)
        assert await other.permit()
        assert await other.permit()
        assert other._wait() is None
        clock.now += 86_400
        assert other._wait() == 0, "a day later upwards again"
        assert (other.window.learned, json.loads(other.state())["learned"]) == (None, None)

    run(test)


def test_a_state_without_a_learned_limit_is_taken_up_too() -> None:
    one = gate(Clock())
    side = {"state": "up", "reason": "", "since": 0.0}
    assert json.loads(one.state()) == {"learned": None, "side": side}
    one.restore(one.state())
    assert one.window.learned is None


@pytest.mark.parametrize(("calls", "limited"), [(25, True), (0, False)])
def test_whether_a_number_of_calls_is_set_or_learned(calls: int, limited: bool) -> None:
    one = gate(Clock(), Limit(calls, 5.0))
    assert one.limited is limited
    one.window.take()
    one.failed(Throttled("too many calls", limit=(2, 5.0)))
    assert one.limited


@pytest.mark.parametrize(
    "error", [Unreachable("no route"), LostAnswer("timed out"), ServerFault("broken JSON")]
)
def test_a_side_that_is_down_is_probed_by_one_call_at_a_time(error: CallError) -> None:
    async def test() -> None:
        clock = Clock()
        one = gate(clock, Limit(0, 1.0))
        for _ in range(SOME):
            assert await one.permit()
        resumes = [one.failed(error) for _ in range(SOME)]
        assert resumes == [0.0, 0.0, 0.5]
        assert (one.changed, one.health.state) == (True, SideState.DOWN)
        clock.now = START + 0.499
        waiters = [asyncio.create_task(one.permit()) for _ in range(5)]
        await settled(0.003)
        assert one.window.in_flight == 0
        clock.now = START + 0.5
        await settled(0.003)
        assert one.window.in_flight == 1
        one.changed = False
        one.answered()
        assert await asyncio.gather(*waiters) == [True] * 5
        assert (one.changed, one.health.state, one.window.in_flight) == (True, SideState.UP, 4)

    run(test)


def test_a_refused_key_closes_the_gate_for_a_while() -> None:
    async def test() -> None:
        one = gate(Clock())
        assert await one.permit()
        assert one.failed(Denied("the key is wrong")) == 30.0
        side = json.loads(one.state())["side"]
        assert side == {"state": "denied", "reason": "the key is wrong", "since": START}
        assert one.changed

    run(test)


@pytest.mark.parametrize(
    ("error", "answers", "state"),
    [
        (None, True, SideState.DOWN),
        (Refused("no such page"), True, SideState.DOWN),
        (LostAnswer("timed out"), False, SideState.DOWN),
        (ServerFault("broken JSON"), False, SideState.DOWN),
        (Throttled("too many calls"), False, SideState.UP),
        (Denied("the key is wrong"), False, SideState.DENIED),
    ],
)
def test_a_ping_tells_whether_a_side_answers_and_does_not_vouch_for_the_calls_that_failed(
    error: CallError | None, answers: bool, state: SideState
) -> None:
    async def test() -> None:
        clock = Clock()
        one = gate(clock)
        for _ in range(SOME):
            assert await one.permit()
            one.failed(ServerFault("HTML"))
        clock.now += 0.5

        async def ping() -> None:
            assert one.window.in_flight == 1, "it is a call like any other"
            if error:
                raise error

        assert await one.answers(ping) is answers
        assert (one.health.state, one.window.in_flight) == (state, 0)

    run(test)


def test_a_ping_that_is_cut_off_takes_no_place() -> None:
    async def test() -> None:
        one = gate(Clock())

        async def ping() -> None:
            raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await one.answers(ping)
        assert one.window.in_flight == 0
        one.close()
        assert not await one.answers(ping), "a closed gate asks nobody"

    run(test)


def test_a_refusal_of_what_a_call_says_is_an_answer() -> None:
    async def test() -> None:
        one = gate(Clock())
        for _ in range(2 * SOME):
            assert await one.permit()
            assert one.failed(Refused("no such field")) == 0.0
        assert (one.health.state, one.health.reached, one.changed) == (SideState.UP, True, False)

    run(test)


def test_a_waiter_that_is_cancelled_takes_no_place() -> None:
    async def test() -> None:
        one = gate(Clock(), Limit(1, 5.0))
        assert await one.permit()
        waiter = asyncio.create_task(one.permit())
        await settled()
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        one.give_back()
        assert one.window.in_flight == 0
        assert await one.permit()

    run(test)


def test_what_was_said_of_a_side_before_the_restart_is_said_anew() -> None:
    before, after = gate(Clock()), gate(Clock())
    before.failed(Denied("the key is wrong"))
    after.restore(before.state())
    assert after.changed
    assert json.loads(after.state())["side"]["state"] == "up"


def pair(clock: Clock, limit: Limit = Limit(25, 5.0)) -> tuple[Gate, Gate]:  # noqa: B008 - a frozen value
    """Two gates of one host."""
    one = gate(clock, limit)
    return one, Gate("updates", limit, clock, Even(), shares=one)


def test_gates_that_share_a_window_take_its_places_together() -> None:
    async def test() -> None:
        clock = Clock()
        one, other = pair(clock, Limit(2, 5.0))
        assert await one.permit()
        assert await other.permit()
        waiters = [asyncio.create_task(gate.permit()) for gate in (one, other)]
        await settled()
        assert [waiter.done() for waiter in waiters] == [False, False]
        one.give_back()
        await settled()
        assert sum(waiter.done() for waiter in waiters) == 1, "a place that was given back is anybody's"
        assert one.window.used(clock.now) == 2
        one.close()
        other.close()
        await asyncio.gather(*waiters)

    run(test)


@pytest.mark.parametrize("ending", ["answered", "pinged", "give_back", "failed", "passed_over"])
@pytest.mark.parametrize("swapped", [False, True])
def test_who_waits_at_one_gate_is_woken_by_the_end_of_a_call_of_the_other(ending: str, swapped: bool) -> None:
    async def test() -> None:
        one, other = pair(Clock())
        if swapped:
            one, other = other, one
        for _ in range(PROBING):
            assert await one.permit()
        waiter = asyncio.create_task(other.permit())
        await settled()
        assert not waiter.done()
        if ending in {"failed", "passed_over"}:
            getattr(one, ending)(LostAnswer("timed out"))
        else:
            getattr(one, ending)()
        assert await asyncio.wait_for(waiter, 1.0)

    run(test)


def test_three_gates_of_one_window_all_wake_each_other() -> None:
    async def test() -> None:
        one, other = pair(Clock())
        third = Gate("third", Limit(25, 5.0), Clock(), Even(), shares=one)
        for _ in range(PROBING):
            assert await third.permit()
        waiter = asyncio.create_task(other.permit())
        await settled()
        third.answered()
        assert await asyncio.wait_for(waiter, 1.0)

    run(test)


def test_each_gate_of_a_window_has_a_health_of_its_own() -> None:
    async def test() -> None:
        one, other = pair(Clock())
        assert await other.permit()
        other.failed(Denied("no permission"))
        assert (one.health.state, other.health.state) == (SideState.UP, SideState.DENIED)
        assert (one.changed, other.changed) == (False, True)
        assert await one.permit()
        one.answered()
        assert other.health.state is SideState.DENIED

    run(test)


def test_a_throttle_and_the_limit_it_names_are_for_all_gates_of_a_window() -> None:
    async def test() -> None:
        clock = Clock()
        one, other = pair(clock)
        assert await other.permit()
        other.failed(Throttled("too many calls", limit=(2, 5.0)))
        assert (one.window.limit(clock.now), one.limited) == (Limit(2, 5.0), True)
        assert (one.changed, other.changed) == (True, True), "each checkpoint tells of it"
        assert one._wait() == 5.0

    run(test)


@pytest.mark.parametrize("order", [(5, 2), (2, 5)])
def test_of_two_learned_limits_of_a_window_the_newer_is_taken_up(order: tuple[int, int]) -> None:
    clock = Clock()

    def state(calls: int, at: float) -> str:
        learned = {"calls": calls, "seconds": 5.0, "at": at}
        return json.dumps({"learned": learned, "side": {"state": "up", "reason": "", "since": 0.0}})

    one, other = pair(clock)
    told = {5: state(5, START - 60), 2: state(2, START - 5)}
    one.restore(told[order[0]])
    other.restore(told[order[1]])
    assert one.window.limit(clock.now) == Limit(2, 5.0)


def test_closing_one_gate_of_a_window_leaves_the_other_open() -> None:
    async def test() -> None:
        one, other = pair(Clock())
        one.close()
        assert (one.closed, other.closed) == (True, False)
        assert not await one.permit()
        assert await other.permit()

    run(test)


def test_a_gate_that_is_not_up_is_probed_while_the_other_has_calls_under_way() -> None:
    async def test() -> None:
        clock = Clock()
        one, other = pair(clock)
        assert await other.permit()
        other.failed(Denied("no permission"))
        clock.now += 30.0
        assert await one.permit(), "it is never idle for long"
        pings = 0

        async def ping() -> None:
            nonlocal pings
            pings += 1
            assert other._wait() is None, "one at a time"

        await asyncio.wait_for(other.look(ping), 1.0)
        assert (pings, other.health.state, one.window.in_flight) == (1, SideState.UP, 1)

    run(test)


def test_a_probe_gets_its_permit_while_the_other_gate_has_calls_under_way() -> None:
    async def test() -> None:
        clock = Clock()
        one, other = pair(clock)
        assert await one.permit()
        for _ in range(SOME):
            assert await other.permit()
            other.failed(ServerFault("HTML"))
        assert other.health.state is SideState.DOWN
        clock.now += 0.5
        assert await asyncio.wait_for(other.permit(), 1.0)

    run(test)


def answering(error: CallError | None = None) -> Callable[[], Awaitable[None]]:
    """A ping that is answered, or fails."""

    async def ping() -> None:
        if error:
            raise error

    return ping


def test_calls_that_are_denied_alone_close_no_gate_however_many_they_are() -> None:
    async def test() -> None:
        clock = Clock()
        one = gate(clock)
        for _ in range(5 * SOME):
            clock.now += 5.0
            assert await one.permit(patient=False)
            assert await one.denied(Denied("no permission"), answering(), alone=True)
        assert (one.health.state, one.changed, one.window.in_flight) == (SideState.UP, False, 0)
        assert await one.permit()
        assert not await one.denied(
            Denied("no permission"), answering(Denied("the key is wrong")), alone=True
        )
        assert one.health.state is SideState.DENIED, "but the keys must work"

    run(test)


@pytest.mark.parametrize("error", [LostAnswer("timed out"), ServerFault("HTML"), Denied("no permission")])
@pytest.mark.parametrize("answers", [True, False])
def test_a_doubted_call_leaves_it_to_a_ping_how_the_host_is(error: CallError, answers: bool) -> None:
    async def test() -> None:
        clock = Clock()
        one = gate(clock)
        ping = answering(None if answers else Unreachable("no route"))
        for _ in range(2 * SOME):
            clock.now += 60.0
            assert await one.permit()
            assert await one.doubted(error, ping) is answers
        assert one.health.state is (SideState.UP if answers else SideState.DOWN)
        assert one.window.in_flight == 0

    run(test)


@pytest.mark.parametrize("error", [LostAnswer("timed out"), Denied("no permission"), Refused("no such path")])
def test_a_call_that_is_passed_over_changes_nothing_but_the_window(error: CallError) -> None:
    async def test() -> None:
        clock = Clock()
        one = gate(clock)
        for _ in range(2 * SOME):
            assert await one.permit()
            one.passed_over(error)
        assert (one.health.state, one.changed) == (SideState.UP, False)
        assert (one.window.in_flight, one.window.used(clock.now)) == (0, 2 * SOME)

    run(test)


def test_a_throttle_is_never_passed_over() -> None:
    async def test() -> None:
        one = gate(Clock())
        assert await one.permit()
        one.passed_over(Throttled("too many calls", retry_after=17.0))
        assert one._wait() == 17.0
        assert one.window.in_flight == 0

    run(test)
