"""Permission to call a host: its rate window and its health, waited for."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import structlog

from bridge.errors import CallError, Denied, Refused, Throttled
from bridge.policy.health import Health
from bridge.policy.window import Learned, Limit, Window

log = structlog.get_logger()

LONGEST_SLEEP_SECONDS = 60.0


class Gate:
    """Lets calls to one host through. Every permit ends in `give_back`, `answered`, `pinged` or `failed`.

    `clock` must never be set back: windows and pauses are measured by it. `changed` is true after something was learned
    that outlives the process, until whoever saves `state` clears it. `shares`: a gate of the same host, whose window of
    calls is this one's too, while each has a health of its own. `sharing`: all gates of the window, this one among them.
    """

    def __init__(
        self,
        name: str,
        limit: Limit,
        clock: Callable[[], float],
        rng: random.Random,
        shares: Gate | None = None,
    ) -> None:
        self.name, self.health = name, Health()
        self.window: Window = shares.window if shares else Window(limit)
        self.sharing: list[Gate] = shares.sharing if shares else []
        self.sharing.append(self)
        self._clock, self._rng = clock, rng
        self._wake, self._asking = asyncio.Event(), asyncio.Lock()
        self._closed = False
        self._calls = self._waiting = self._judged_now = 0
        self.changed = False

    @property
    def closed(self) -> bool:
        """Whether nobody is let through any more."""
        return self._closed

    @property
    def limited(self) -> bool:
        """Whether a number of calls is set or learned."""
        return self.window.limit(self._clock()).calls > 0

    async def permit(self, *, patient: bool = True) -> bool:
        """Wait until a call may go and take its place; False once the gate is closed, or unless `patient` while the
        host's health holds calls back."""
        while not self._closed and (patient or not self.health.wait(self._clock())):
            wait = self._wait() if not (patient and self._judged_now) else None
            if wait == 0:
                self._take()
                return True
            self._waiting += 1
            with suppress(TimeoutError), self._no_longer_waiting():
                await asyncio.wait_for(self._wake.wait(), wait and min(wait, LONGEST_SLEEP_SECONDS))
        return False

    def _take(self) -> None:
        self._calls += 1
        self.window.take()

    def give_back(self) -> None:
        """The call did not go: nothing was to be done."""
        self._calls -= 1
        self.window.give_back()
        self._notify()

    @contextmanager
    def given_back_on_error(self) -> Iterator[None]:
        """For what comes between a permit and its call: where that fails, the permit does not stay taken."""
        try:
            yield
        except BaseException:
            self.give_back()
            raise

    def answered(self) -> None:
        """The call was answered."""
        self._note(self.health.answered(self._ended()))
        self._notify()

    def pinged(self) -> None:
        """A question that changes nothing was answered: this says nothing of the calls that failed before it."""
        self._ended()
        self.health.pinged()
        self._notify()

    def _ended(self) -> float:
        """The place of a call is only held by the window from now on. Returns the time."""
        self._calls -= 1
        now = self._clock()
        self.window.answered(now)
        return now

    async def still_answers(self, ping: Callable[[], Awaitable[object]]) -> bool:
        """`answers`, for whoever has just failed and holds rows: one at a time, and not where the host is held back."""
        async with self._asking:
            return await self.answers(ping, patient=False)

    async def answers(self, ping: Callable[[], Awaitable[object]], *, patient: bool = True) -> bool:
        """Whether the host answers a question that changes nothing, asked under a permit of its own.

        A refusal is an answer; a throttle or a refused key tells nothing and counts as none.
        """
        if not await self.permit(patient=patient):
            return False
        try:
            with self._given_back_unless_called():
                await ping()
        except Refused:
            pass
        except CallError as error:
            self.failed(error)
            return False
        self.pinged()
        return True

    async def look(self, ping: Callable[[], Awaitable[object]]) -> None:
        """Ask a host that is not up, while there is nothing else to ask it, whether it is up again."""
        idle = self.health.one_at_a_time and not self._calls
        if idle and not self.health.wait(self._clock()) and await self.answers(ping):
            self.well()

    def well(self) -> None:
        """An answered ping must do: there is no call to try the host by."""
        self._note(self.health.answered(self._clock()))
        self._notify()

    async def denied(
        self, error: Denied, ping: Callable[[], Awaitable[object]], *, alone: bool = False
    ) -> bool:
        """The call was denied. Returns whether the keys work all the same, so that it may be about one lead: asked by a
        ping before the host is closed for it. A wrong region is never about one lead.

        `alone`: where the keys work no other call need fare so, however many are denied; it is an answer like any other.
        """
        self._ended()
        with self._judging():
            keys_work = not error.wrong_region and await self._keys_work(ping)
            if keys_work and alone:
                self._note(self.health.answered(self._clock()))
            else:
                self._note(self.health.failed(error, self._clock(), self._rng.random(), keys_work=keys_work))
        return keys_work

    async def doubted(self, error: CallError, ping: Callable[[], Awaitable[object]]) -> bool:
        """The call failed, and no other need fare so: the host is judged by a ping. Returns whether it answers that."""
        self.passed_over(error)
        return isinstance(error, Refused | Throttled) or await self.still_answers(ping)

    def passed_over(self, error: CallError) -> None:
        """The call failed, which is not to count: unless it was a throttle, the host's health stays what it is."""
        if isinstance(error, Throttled):
            self.failed(error)
        else:
            self._ended()
            self._notify()

    async def _keys_work(self, ping: Callable[[], Awaitable[object]]) -> bool:
        if self.health.one_at_a_time:
            return self.health.keys_work
        return await self.still_answers(ping)

    @contextmanager
    def _judging(self) -> Iterator[None]:
        """Nobody else is let through before it is known what a denied call means."""
        self._judged_now += 1
        try:
            yield
        finally:
            self._judged_now -= 1
            self._notify()

    def failed(self, error: CallError, *, keys_work: bool = False) -> float:
        """The call failed as a whole. Returns in how many seconds calls to this host may go on."""
        now = self._throttled(error) if isinstance(error, Throttled) else self._ended()
        self._note(self.health.failed(error, now, self._rng.random(), keys_work=keys_work))
        self._notify()
        return max(self.window.wait(now) or 0.0, self.health.wait(now))

    def _throttled(self, error: Throttled) -> float:
        self._calls -= 1
        now = self._clock()
        learned = self.window.throttled(now, error.limit, error.retry_after)
        log.warning("throttled", host=self.name, learned=error.limit if learned else None)
        for gate in self.sharing:
            gate.changed |= learned
        return now

    def close(self) -> None:
        """Let nobody through any more, and whoever waits go without."""
        self._closed = True
        self._notify()

    def state(self) -> str:
        """What outlives the process, as the text of a checkpoint."""
        learned = self.window.learned
        kept = learned and {"calls": learned.limit.calls, "seconds": learned.limit.seconds, "at": learned.at}
        side = {"state": self.health.state, "reason": self.health.reason, "since": self.health.since}
        return json.dumps({"learned": kept, "side": side})

    def restore(self, state: str) -> None:
        """Take up a limit that an earlier process learned, unless a gate of the same window brought a newer one. How the
        side was then is not believed any more."""
        kept = json.loads(state)
        if learned := kept["learned"]:
            at = min(learned["at"], self._clock())
            if self.window.learned is None or self.window.learned.at <= at:
                self.window.learned = Learned(Limit(learned["calls"], learned["seconds"]), at)
        self.changed = kept["side"]["state"] != self.health.state

    @contextmanager
    def _no_longer_waiting(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._waiting -= 1

    @contextmanager
    def _given_back_unless_called(self) -> Iterator[None]:
        """A call that is cut off, or fails for a reason of ours, does not keep its place for good."""
        try:
            yield
        except CallError:
            raise
        except BaseException:
            self.give_back()
            raise

    def _wait(self) -> float | None:
        now = self._clock()
        closed = self.health.wait(now)
        if closed > 0:
            return closed
        if self.health.one_at_a_time and self._calls:
            return None
        return self.window.wait(now)

    def _note(self, changed: bool) -> None:
        if changed:
            self.changed = True
            say = log.warning if self.health.one_at_a_time else log.info
            say("side", host=self.name, state=str(self.health.state), reason=self.health.reason or None)

    def _notify(self) -> None:
        for gate in self.sharing:
            gate.wake()

    def wake(self) -> None:
        """Whoever waits looks again whether a call may go."""
        if self._waiting:
            self._wake.set()
            self._wake = asyncio.Event()
