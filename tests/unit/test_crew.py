"""Workers of one stage, and the thread that the store is used on."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bridge.errors import Busy, Conflict, StoreError
from bridge.pipeline.crew import Crew
from bridge.pipeline.desk import Desk


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(5):
            await test()

    asyncio.run(bounded())


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class Bench:
    """Steps that find work as long as there are pieces, and hold each until they are let go."""

    def __init__(self, pieces: int, *, held: bool = False) -> None:
        self.pieces, self.done, self.busy, self.most = pieces, 0, 0, 0
        self.go = asyncio.Event()
        self.crew = Crew("bench", 3, self.step)
        if not held:
            self.go.set()

    async def step(self) -> bool:
        if not self.pieces:
            return False
        self.pieces, self.busy = self.pieces - 1, self.busy + 1
        self.most = max(self.most, self.busy)
        self.crew.tick()
        try:
            await self.go.wait()
        finally:
            self.busy -= 1
        self.done += 1
        return True


def test_a_worker_repeats_its_step_until_nothing_is_left() -> None:
    async def test() -> None:
        bench = Bench(100)
        assert bench.crew.idle
        bench.crew.tick()
        assert not bench.crew.idle
        while not bench.crew.idle:
            await settled()
        assert (bench.done, bench.crew.trouble) == (100, None)

    run(test)


def test_a_step_that_found_work_calls_for_help_up_to_the_width() -> None:
    async def test() -> None:
        bench = Bench(10, held=True)
        bench.crew.tick()
        await settled()
        for _ in range(5):
            bench.crew.tick()
        await settled()
        assert (bench.busy, bench.most) == (3, 3)
        bench.go.set()
        await bench.crew.stop(1.0)
        assert bench.most == 3

    run(test)


def test_stopping_lets_each_worker_finish_the_step_it_is_in() -> None:
    async def test() -> None:
        bench = Bench(10, held=True)
        bench.crew.tick()
        await settled()
        stopping = asyncio.create_task(bench.crew.stop(1.0))
        await settled()
        assert not stopping.done()
        bench.go.set()
        await stopping
        assert (bench.done, bench.pieces, bench.crew.idle) == (3, 7, True)
        bench.crew.tick()
        assert bench.crew.idle, "a stopped crew stays stopped"

    run(test)


def test_who_is_late_is_cut_off() -> None:
    async def test() -> None:
        bench = Bench(10, held=True)
        bench.crew.tick()
        await settled()
        await bench.crew.stop(0.002)
        assert (bench.busy, bench.done, bench.crew.idle) == (0, 0, True)
        assert bench.crew.trouble is None

    run(test)


def test_an_idle_crew_stops_at_once() -> None:
    async def test() -> None:
        crew = Bench(0).crew
        await crew.stop(0.0)
        crew.tick()
        assert crew.idle

    run(test)


def test_a_conflict_is_decided_anew_by_the_next_tick() -> None:
    async def test() -> None:
        said = [Conflict("the row was changed"), True, False]

        async def step() -> bool:
            word = said.pop(0)
            if isinstance(word, Conflict):
                raise word
            return bool(word)

        crew = Crew("anew", 1, step)
        crew.tick()
        await settled()
        assert (crew.idle, crew.trouble, len(said)) == (True, None, 2)
        crew.tick()
        await settled()
        assert (crew.idle, said) == (True, [])

    run(test)


def test_a_step_that_raises_ends_the_crew() -> None:
    async def test() -> None:
        steps, go = 0, asyncio.Event()

        async def step() -> bool:
            nonlocal steps
            steps += 1
            if steps > 1:
                raise StoreError(f"the disk is full at step {steps}")
            await go.wait()
            return True

        crew = Crew("doomed", 3, step)
        for _ in range(3):
            crew.tick()
        await settled()
        assert str(crew.trouble) == "the disk is full at step 2", "the first exception is kept"
        crew.tick()
        go.set()
        await settled()
        assert (steps, crew.idle) == (3, True), "the other finished its step and began no new one"
        await crew.stop(0.0)

    run(test)


def test_the_desk_gives_what_the_store_gives() -> None:
    async def test() -> None:
        desk = Desk()
        assert [await desk(int, "11", base=base) for base in (10, 2)] == [11, 3]

    run(test)


def test_the_desk_raises_what_the_store_raises() -> None:
    async def test() -> None:
        def full() -> None:
            raise StoreError("the disk is full")

        with pytest.raises(StoreError, match="the disk is full"):
            await Desk()(full)

    run(test)


def test_the_desk_waits_for_a_locked_database_without_holding_up_the_loop() -> None:
    async def test() -> None:
        tries: list[int] = []
        free = asyncio.Event()

        def locked() -> str:
            tries.append(1)
            if not free.is_set():
                raise Busy("locked")
            return "done"

        waiting = asyncio.create_task(Desk()(locked))
        while len(tries) < 2:  # noqa: ASYNC110 - the store is asked again by nobody but the desk
            await asyncio.sleep(0)
        free.set()
        assert await waiting == "done"

    run(test)


def test_the_desk_gives_up_on_a_database_that_stays_locked() -> None:
    async def test() -> None:
        def locked() -> None:
            raise Busy("locked")

        with pytest.raises(Busy, match="locked"):
            await Desk(patience=0.03)(locked)

    run(test)
