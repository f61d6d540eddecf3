"""The bridge for one set of settings."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from bridge import http, reports, telemetry
from bridge.app.stages import Mappings, Sides, Wiring
from bridge.errors import BridgeError
from bridge.files import MappingDirectory, write_reports
from bridge.leadbyte import LeadByteSink, LeadByteSource
from bridge.leadsquared import LeadSquaredSink, LeadSquaredSource, read_webhook
from bridge.mapping import AnyMapping, forward_of
from bridge.model import Json, Track
from bridge.pipeline.changes import ChangeStage
from bridge.pipeline.desk import Desk
from bridge.pipeline.gate import Gate
from bridge.pipeline.inbox import InboxStage
from bridge.ports import Store
from bridge.scheduler import Machine, Service, Stage
from bridge.server import LocalServer, Readiness, create_app
from bridge.settings import Settings
from bridge.store import SqliteStore, open_store
from bridge.store.lock import state_lock

log = structlog.get_logger()

Clock = Callable[[], float]


def steady_clock() -> Clock:
    """A clock of epoch seconds that goes on from now, whatever the system's clock is set to later."""
    start = time.time() - time.monotonic()
    return lambda: start + time.monotonic()


LEADSQUARED_CALLS = 50
"""Most at one time."""

CALLER_SECONDS = 10.0
"""How long a caller of the HTTP side waits for a locked database; nobody waits for room on the disk."""
MOST_CHANGES = 64 * 1024 * 1024
"""Bytes of one page of changed leads."""

MOST_QUEUE_REPLY = 1024 * 1024
"""Bytes of one queue result: it is kept, and a chunk of them is mapped at once."""


@dataclass(frozen=True, slots=True)
class App:
    """The bridge for one set of settings. `clock` gives epoch seconds, `steady` the same but is never set back; `rng`
    makes jitter and call ids.
    """

    settings: Settings
    clock: Clock = time.time
    steady: Clock = field(default_factory=steady_clock)
    rng: random.Random = field(default_factory=random.Random)

    @property
    def inbox(self) -> Path:
        """Where files of queueIds are dropped."""
        return self.settings.state_dir / "inbox"

    @property
    def redact(self) -> telemetry.Redactor:
        """Takes every configured secret out of a text."""
        return telemetry.Redactor(self.settings.secrets())

    @contextmanager
    def store(self, *, create: bool = True) -> Iterator[SqliteStore]:
        """The open store. Raises StoreError or Busy."""
        store = open_store(self.settings.state_dir, self.settings.account, create=create)
        try:
            yield store
        finally:
            store.close()

    def mappings(self) -> Sequence[AnyMapping]:
        """Every mapping file, checked. Raises MappingError with all problems of all files."""
        return MappingDirectory(self.settings.mappings_dir).read()

    def deadline(self) -> float:
        """How long a queueId is polled, in seconds."""
        return self.settings.leadbyte.poll_deadline_seconds

    @asynccontextmanager
    async def source(self) -> AsyncIterator[LeadByteSource]:
        """An open source. Raises SettingsError where its settings are missing."""
        wanted = self.settings.leadbyte
        self.settings.require(leadbyte=True)
        async with self._client(wanted.concurrency, MOST_QUEUE_REPLY) as client:
            yield LeadByteSource(client, statuses=wanted.statuses, **self._leadbyte())

    @asynccontextmanager
    async def operations(self) -> AsyncIterator[LeadByteSink]:
        """An open sink of operations. Raises SettingsError where its settings are missing."""
        self.settings.require(leadbyte=True)
        async with self._client(self.settings.leadbyte.concurrency, http.MAX_REPLY_BYTES) as client:
            yield LeadByteSink(client, **self._leadbyte())

    @asynccontextmanager
    async def changes(self) -> AsyncIterator[LeadSquaredSource]:
        """An open source of changes. Raises SettingsError where its settings are missing."""
        self.settings.require(leadsquared=True)
        async with self._client(2, MOST_CHANGES) as client:
            yield LeadSquaredSource(client, **self._leadsquared())

    def _leadbyte(self) -> dict[str, Any]:
        wanted = self.settings.leadbyte
        return {
            "url": wanted.url,
            "key": wanted.key.get_secret_value(),
            "key_header": wanted.key_header,
            "queue_key_in": wanted.queue_key_in,
            "redact": self.redact,
            "clock": self.clock,
        }

    def _leadsquared(self) -> dict[str, Any]:
        wanted = self.settings.leadsquared
        return {
            "url": wanted.url,
            "access_key": wanted.access_key.get_secret_value(),
            "secret_key": wanted.secret_key.get_secret_value(),
            "keys_in": wanted.keys_in,
            "redact": self.redact,
            "clock": self.clock,
        }

    @asynccontextmanager
    async def sink(self, *, async_needed: bool) -> AsyncIterator[LeadSquaredSink]:
        """An open sink. Raises SettingsError where its settings are missing."""
        wanted = self.settings.leadsquared
        self.settings.require(leadsquared=True, async_needed=async_needed)
        async with self._client(LEADSQUARED_CALLS, http.MAX_REPLY_BYTES) as client:
            yield LeadSquaredSink(
                client,
                async_url=wanted.async_url,
                async_api_key=wanted.async_api_key.get_secret_value(),
                status_path=wanted.status_path,
                metrics_path=wanted.metrics_path,
                **self._leadsquared(),
            )

    def _client(self, connections: int, most: int) -> http.Client:
        seconds = self.settings.http.timeout_seconds
        return http.open_client(timeout=seconds, connections=connections, max_reply_bytes=most)

    @asynccontextmanager
    async def service(self, *, listen: bool = False) -> AsyncIterator[Service]:
        """A service that holds the state directory, ready to run; with `listen` its HTTP side is up.

        Raises MappingError, SettingsError, StoreError, or Busy where another process holds the directory.
        """
        directory = MappingDirectory(self.settings.mappings_dir)
        mappings = directory.read()
        async_needed = any(mapping.mode == "async" for mapping in forward_of(mappings))
        self.settings.require(leadbyte=True, leadsquared=True, async_needed=async_needed)
        with self._held() as store:
            self.inbox.mkdir(mode=0o700, exist_ok=True)
            async with self._sides(async_needed=async_needed) as sides:
                machine = self.machine(store, sides, directory.current)
                async with self._listening(machine) if listen else nullcontext():
                    yield Service(machine)

    @asynccontextmanager
    async def _sides(self, *, async_needed: bool) -> AsyncIterator[Sides]:
        async with (
            self.source() as source,
            self.operations() as operations,
            self.changes() as changes,
            self.sink(async_needed=async_needed) as sink,
        ):
            metrics = partial(_metrics, sink) if async_needed else None
            yield Sides(source, sink, changes, operations, metrics)

    @asynccontextmanager
    async def _listening(self, machine: Machine) -> AsyncIterator[None]:
        desk = Desk(CALLER_SECONDS, room=0.0)

        def track(tracks: Sequence[Track]) -> int:
            now = self.clock()
            with self.store() as store:
                return store.track(tracks, now, now + self.deadline())

        async def intake(tracks: Iterable[Track]) -> int:
            return await desk.in_thread(track, list(tracks))

        async def status() -> Mapping[str, Json]:
            await desk(machine.store.checkpoint, "healthz")
            return {}

        def ready() -> Readiness:
            sides = {gate.name: str(gate.health.state) for gate in machine.gates}
            return Readiness(sides, working=_working(machine))

        async def changed(body: Json | None) -> None:
            stage = machine.changes
            if stage is not None and (columns := stage.columns):
                await stage.notice(None if body is None else read_webhook(body, columns))

        wanted = self.settings.server
        if not wanted.listen:
            yield
            return
        token = wanted.token if wanted.token.get_secret_value() else None
        webhook = wanted.webhook_token if wanted.webhook_token.get_secret_value() else token
        app = create_app(
            intake=intake, status=status, ready=ready, token=token, changed=changed, webhook_token=webhook
        )
        server = LocalServer(app, wanted.listen)
        await server.start()
        log.info("listening", url=server.url, intake=token is not None)
        try:
            yield
        finally:
            await server.stop()

    def machine(self, store: Store, sides: Sides, mappings: Mappings) -> Machine:
        """Every stage, wired to these two sides."""
        wiring = self._wiring(store)
        gates = wiring.gates()
        inbox = InboxStage(self.store, self.inbox, self.deadline(), self.clock, wiring.desk)
        stages: list[Stage] = [inbox, *wiring.forward(sides, gates, mappings), wiring.pruning()]
        changes = None
        if sides.changes and sides.operations:
            changes = wiring.changes(sides.changes, sides.sink, gates, mappings)
            stages += [changes, wiring.operations(sides.operations, gates.updates)]
        if sides.metrics:
            stages.append(wiring.metrics(sides.metrics, gates.asynchronous))

        def finished() -> bool:
            return inbox.empty() and (changes is None or changes.done)

        every = (gates.poll, gates.updates, gates.bulk, gates.asynchronous)
        return self._machine(wiring, stages, every, finished, changes)

    def _wiring(self, store: Store) -> Wiring:
        return Wiring(self.settings, store, Desk(), self.clock, self.steady, self.rng)

    def _machine(
        self,
        wiring: Wiring,
        stages: Sequence[Stage],
        gates: Sequence[Gate],
        finished: Callable[[], bool] = lambda: True,
        changes: ChangeStage | None = None,
    ) -> Machine:
        told = (self._report_in_background, self.clock, self.steady)
        return Machine(wiring.store, wiring.desk, stages, finished, gates, *told, changes)

    @asynccontextmanager
    async def by_hand(self) -> AsyncIterator[Service]:
        """A service that holds the state directory and does nothing but carry out operations in LeadByte.

        Raises SettingsError, StoreError, or Held where another process holds the directory.
        """
        self.settings.require(leadbyte=True)
        with self._held() as store:
            async with self.operations() as sink:
                wiring = self._wiring(store)
                gate = wiring.gates().updates
                yield Service(self._machine(wiring, [wiring.operations(sink, gate)], [gate]))

    @contextmanager
    def _held(self) -> Iterator[SqliteStore]:
        """The store, for the one process that works it."""
        with state_lock(self.settings.state_dir), self.store() as store:
            store.verify()
            store.recover(self.clock())
            store.never_wait()
            yield store

    async def _report_in_background(self) -> None:
        try:
            await asyncio.to_thread(self.write_reports)
        except BridgeError as error:
            # The service's work is more than its report; what failed stays in the database.
            log.warning("report not written", reason=str(error))

    def write_reports(self) -> None:
        """Write the failure report to `state/reports/`. Raises StoreError where that cannot be written."""

        def made() -> reports.Report:
            status = store.status()
            return reports.build(store.failures(), status.leads, self.clock(), account=status.account)

        with self.store() as store:
            write_reports(made, self.settings.state_dir / "reports", self.clock())


async def _metrics(sink: LeadSquaredSink) -> Mapping[str, Json]:
    told = await sink.metrics()
    return {
        "pending": told.pending,
        "delay_seconds": told.max_delay_seconds,
        "rate_per_minute": told.per_minute,
    }


def _working(machine: Machine) -> bool:
    """Whether every stage works, and what it does can be stored."""
    return not machine.desk.full and all(stage.crew.trouble is None for stage in machine.stages)
