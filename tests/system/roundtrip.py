"""Both ways at once: both simulated APIs and a bridge that runs between them, in a time that runs faster.

Nothing happens between two calls of a RoundTrip's methods, so what a test does in between happens at one moment.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from pydantic import SecretStr

from bridge.app import App
from bridge.model import Json, Track
from bridge.ports import Failure, Selection, Store
from bridge.scheduler import Service
from bridge.settings import Http, Leadbyte, Leadsquared, Retry, Server, Settings
from bridge.simulator import Limits, Servers, World, serve
from tests.system.hurried import HOSTS, _Loop

PACE: Final = 50.0
PATIENCE_SECONDS: Final = 60.0
"""Of real time."""

TOKEN: Final = "webhook-secret"
LOOKS: Final = ("leadsquared", "accepted", "recently_modified")
WRITING: Final = {
    ("leadsquared", "bulk_update"),
    ("leadsquared_async", "update"),
    ("leadbyte", "leads"),
    ("leadbyte", "quarantine"),
    ("leadbyte", "financials"),
}
"""(host, endpoint) of the calls that change something on either side."""


@dataclass
class RoundTrip:
    """One world, one bridge, one state directory. `mappings`: name → a mapping file. `webhook`: LeadSquared tells it of
    changes besides. Enter it to start the bridge; it stops at the end."""

    directory: Path
    mappings: Mapping[str, str]
    world: World = field(default_factory=lambda: World(seed=1))
    webhook: bool = False
    leadbyte: Mapping[str, Any] = field(default_factory=dict)
    leadsquared: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._begun, self._epoch, self._ahead = time.monotonic(), time.time(), 0.0
        self._runner = asyncio.Runner(loop_factory=lambda: _Loop(PACE))
        self._stack = AsyncExitStack()
        self.world.clock = self.clock
        for host in HOSTS:
            self.world.limit(host, Limits())
        (self.directory / "mappings").mkdir(parents=True)
        for name, text in self.mappings.items():
            self.write_mapping(name, text)

    def __enter__(self) -> Self:
        self._runner.__enter__()
        self._runner.run(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._runner.run(self._stack.aclose())
        finally:
            self._runner.__exit__(kind, error, trace)

    def clock(self) -> float:
        """Epoch seconds, the same for the bridge and for both vendors."""
        return self.steady() + self._ahead

    def steady(self) -> float:
        """The same, but that `later` does not move it."""
        return self._epoch + (time.monotonic() - self._begun) * PACE

    def later(self, seconds: float = 2.0) -> None:
        """So much time has passed: LeadByte tells whole seconds only."""
        self._ahead += seconds

    def write_mapping(self, name: str, text: str) -> None:
        """Put in a mapping file, or change one while the bridge runs."""
        (self.directory / "mappings" / f"{name}.yaml").write_text(text, encoding="utf-8")

    async def _start(self) -> None:
        servers = await self._stack.enter_async_context(serve(self.world))
        port = _free_port()
        rng = random.Random(1)  # noqa: S311 - no secret
        app = App(self._settings(servers, port), clock=self.clock, steady=self.steady, rng=rng)
        self.service: Service = await self._stack.enter_async_context(app.service(listen=self.webhook))
        self._running = asyncio.ensure_future(self.service.run())
        self._stack.push_async_callback(self._stop)
        if self.webhook:
            self.world.hooks.register(f"http://127.0.0.1:{port}/v1/webhooks/leadsquared/{TOKEN}")

    async def _stop(self) -> None:
        self.service.stop.set()
        await self._running

    def _settings(self, servers: Servers, port: int) -> Settings:
        world = self.world
        return Settings(
            state_dir=self.directory / "state",
            mappings_dir=self.directory / "mappings",
            http=Http(timeout_seconds=30 * PACE),
            retry=Retry(max_seconds=4.0),
            server=Server(listen=f"127.0.0.1:{port}" if self.webhook else "", webhook_token=SecretStr(TOKEN)),
            leadbyte=Leadbyte(
                url=servers.leadbyte,
                key=SecretStr(world.leadbyte_key),
                **{"poll_first_seconds": 0.5, "poll_max_seconds": 4.0, "batch_linger_seconds": 0.5}
                | dict(self.leadbyte),
            ),
            leadsquared=Leadsquared(
                url=servers.leadsquared,
                async_url=servers.leadsquared_async,
                access_key=SecretStr(world.access_key),
                secret_key=SecretStr(world.secret_key),
                async_api_key=SecretStr(world.async_api_key),
                **{"rate_calls": 0, "changes_seconds": 0.5, "batch_linger_seconds": 0.5}
                | dict(self.leadsquared),
            ),
        )

    # what people do
    def person(self, email: str, **values: str) -> str:
        """A lead that the CRM knows; returns its ProspectID."""
        return self.world.add_person({"EmailAddress": email, **values})

    def edit(self, prospect: str, **values: str) -> None:
        """The sales team changes a lead."""
        self.world.edit(prospect, values)

    def track(self, *queue_ids: str) -> None:
        now = self.clock()
        self.store.track([Track(one) for one in queue_ids], now, now + 86_400)

    def resync(
        self, *states: str, queue_ids: Sequence[str] = (), refetch: bool = False, force: bool = False
    ) -> int:
        """`bridge resync`, beside the service. Without states: what failed, or these queueIds."""
        wanted = Selection(states or (() if queue_ids else ("failed", "unprocessed")), queue_ids)
        now = self.clock()
        return self.store.resync(wanted, now, refetch=refetch, force=force, deadline_at=now + 86_400)

    # what comes of it
    def quiet(self) -> None:
        """Until the bridge has seen all changes and nothing is left to do."""
        self._runner.run(self._quiet())

    def until(self, condition: Callable[[], object]) -> None:
        """Until the bridge has brought something about."""
        self._runner.run(self._until(condition))

    def settled(self, looks: int = 5) -> bool:
        """Whether nothing more is written, however often the bridge looks."""
        before = self.written()
        for _ in range(looks):
            self.later()
            self.quiet()
        return self.written() == before

    async def _quiet(self) -> None:
        before = None
        while before != self.written():
            before = self.written()
            await self._until(partial(self._rests_since, self.world.called(*LOOKS)))

    def _rests_since(self, looks: int) -> bool:
        """Whether it has looked for changes since there had been so many looks, and nothing is left to do."""
        stage = self.service.machine.changes
        assert stage is not None
        looked = self.world.called(*LOOKS) > looks and stage.crew.idle
        return looked and not self.world.hooks.pending and self.store.idle()

    async def _until(self, condition: Callable[[], object]) -> None:
        given_up_at = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert not self._running.done(), "the bridge has stopped"
            assert time.monotonic() < given_up_at, (self.store.status().leads, self.failures(), self.calls())
            with suppress(TimeoutError):
                await asyncio.wait_for(self.service.stop.wait(), 0.1)

    @property
    def store(self) -> Store:
        return self.service.machine.store

    def calls(self) -> Counter[tuple[str, str]]:
        """(host, endpoint) → calls that change something and were let through."""
        return Counter(
            {
                where: sum(
                    count
                    for (*at, said), count in self.world.calls.items()
                    if (*at,) == where and said == "accepted"
                )
                for where in WRITING
            }
        )

    def written(self) -> tuple[int, int, int]:
        """Writing calls, writes of CRM leads, operations of LeadByte: all so far."""
        return (self.calls().total(), len(self.world.writes), len(self.world.operations))

    def operations(self) -> list[tuple[str, str, Mapping[str, Json]]]:
        """(kind, id, values) of all that LeadByte was told and did."""
        return [(one.kind, one.id, one.values) for one in self.world.operations]

    def crm(self, prospect: str) -> dict[str, str]:
        """What the CRM holds of a lead."""
        self.world.settle(self.clock())
        return self.world.crm.leads[prospect]

    def failures(self) -> dict[str, Failure]:
        """The failure report, by queueId or ProspectID."""
        return {one.queue_id: one for one in self.store.failures()}

    def deliveries(self, name: str) -> list[Mapping[str, Json]]:
        """The deliveries of a queueId or ProspectID, oldest first."""
        return list((self.store.lead(name) or {"deliveries": []})["deliveries"])


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
