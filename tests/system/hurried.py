"""A bridge over both simulated APIs, in a time that runs faster: all pauses as in production, in a fraction of the wait."""

from __future__ import annotations

import asyncio
import random
import selectors
import sqlite3
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bridge.app import App
from bridge.model import Track
from bridge.policy.health import Health
from bridge.ports import Store
from bridge.scheduler import Service
from bridge.settings import Http, Leadbyte, Leadsquared, Retry, Settings
from bridge.simulator import Limits, Servers, World, serve

HOSTS = ("leadbyte", "leadsquared", "leadsquared_async")
START = 1_780_000_000.0
PATIENCE = 3_000.0


class _Selector(selectors.DefaultSelector):
    """Waits a fraction of what it is told to."""

    pace = 1.0

    def select(self, timeout: float | None = None) -> Any:
        return super().select(timeout / self.pace if timeout else timeout)


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose seconds are shorter."""

    def __init__(self, pace: float) -> None:
        selector = _Selector()
        selector.pace = self._pace = pace
        super().__init__(selector)

    def time(self) -> float:
        return super().time() * self._pace


def hurry(main: Callable[[Callable[[], float]], Coroutine[Any, Any, Any]], pace: float) -> Any:
    """Run `main(clock)` where every second takes 1/pace of one; `clock` gives epoch seconds of that time."""
    begun = time.monotonic()
    with asyncio.Runner(loop_factory=lambda: _Loop(pace)) as runner:
        return runner.run(main(lambda: START + (time.monotonic() - begun) * pace))


MOVING = """
SELECT 1 FROM queue_item WHERE state = 'waiting' OR (state = 'resolved' AND mapped = 0)
UNION ALL SELECT 1 FROM delivery WHERE state IN ('pending', 'sending', 'submitted', 'in_doubt') LIMIT 1
"""


@dataclass
class Run:
    """One world, one bridge, one state directory. `pace`: how many seconds pass in one."""

    directory: Path
    mappings: Mapping[str, str]
    world: World
    pace: float = 30.0
    leadbyte: Mapping[str, Any] = field(default_factory=dict)
    leadsquared: Mapping[str, Any] = field(default_factory=dict)
    retry: Mapping[str, Any] = field(default_factory=dict)
    urls: Mapping[str, str] = field(default_factory=dict)
    patience: float = 0.5
    """Seconds of real time that a call may take: what comes back late because the machine is loaded is no fault of a side."""

    def __post_init__(self) -> None:
        self.state = self.directory / "state"
        folder = self.directory / "mappings"
        folder.mkdir(parents=True)
        for name, text in self.mappings.items():
            (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        for host in HOSTS:
            self.world.limit(host, Limits(100_000, 1.0))

    def until_idle(self, queue_ids: Sequence[str], meanwhile: Meanwhile | None = None) -> None:
        """Track these and run until nothing is left to do, whatever the sides are like on the way."""
        hurry(lambda clock: self.live(clock, queue_ids, meanwhile), self.pace)

    async def live(
        self, clock: Callable[[], float], queue_ids: Sequence[str], meanwhile: Meanwhile | None = None
    ) -> None:
        """The same in a loop that runs already, at this run's pace."""
        self.world.clock = clock
        async with serve(self.world) as servers:
            app = App(self._settings(servers), clock=clock, steady=clock, rng=random.Random(1))  # noqa: S311  (no secret)
            async with app.service() as service:
                store, now = service.machine.store, clock()
                store.track([Track(queue_id) for queue_id in queue_ids], now, now + 86_400)
                await self._watched(Scene(self.world, servers, service, clock), meanwhile)
                self.world.settle(clock())
                self.failures = {one.queue_id: one for one in store.failures()}
                self.leads = {queue_id: store.lead(queue_id) or {} for queue_id in queue_ids}
                self.counts = {state: n for state, n in store.status().leads.items() if n}

    async def _watched(self, scene: Scene, meanwhile: Meanwhile | None) -> None:
        running = asyncio.ensure_future(scene.service.run())
        try:
            if not meanwhile or await meanwhile(scene):
                await scene.until(lambda: not self.rows(MOVING))
        finally:
            scene.service.stop.set()
            await running

    def _settings(self, servers: Servers) -> Settings:
        world = self.world
        urls = {name: getattr(servers, name) for name in HOSTS} | dict(self.urls)
        return Settings(
            state_dir=self.state,
            mappings_dir=self.directory / "mappings",
            http=Http(timeout_seconds=self.pace * self.patience),
            retry=Retry(max_seconds=10.0, **self.retry),
            leadbyte=Leadbyte(
                url=urls["leadbyte"], key=SecretStr(world.leadbyte_key), poll_max_seconds=8.0, **self.leadbyte
            ),
            leadsquared=Leadsquared(
                url=urls["leadsquared"],
                async_url=urls["leadsquared_async"],
                access_key=SecretStr(world.access_key),
                secret_key=SecretStr(world.secret_key),
                async_api_key=SecretStr(world.async_api_key),
                **{
                    "rate_calls": 0,
                    "confirm_max_seconds": 10.0,
                    "batch_size": 5,
                    "confirm_deadline_seconds": 120.0,
                    **self.leadsquared,
                },
            ),
        )

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the database holds afterwards."""
        with closing(sqlite3.connect(self.state / "bridge.db")) as connection:
            return connection.execute(sql).fetchall()


@dataclass(frozen=True)
class Scene:
    """What a test may look at and change while the bridge runs."""

    world: World
    servers: Servers
    service: Service
    clock: Callable[[], float]

    @property
    def store(self) -> Store:
        return self.service.machine.store

    def health(self, name: str) -> Health:
        """What the bridge thinks of a host."""
        return next(gate.health for gate in self.service.machine.gates if gate.name == name)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for something that the bridge brings about."""
        given_up_at = self.clock() + PATIENCE
        while not condition():
            assert not self.service.stop.is_set()
            assert self.clock() < given_up_at, (self.store.status().leads, self.world.calls)
            await self.after(0.5)

    async def after(self, seconds: float) -> None:
        """Let time pass."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.service.stop.wait(), seconds)


Meanwhile = Callable[[Scene], Coroutine[Any, Any, bool]]
"""What happens while the bridge runs; whether it is to go on until nothing is left to do."""
