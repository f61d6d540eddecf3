"""The composition root: the one place that reads settings and wires the parts together."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from bridge import http, reports, telemetry
from bridge.errors import BridgeError
from bridge.files import MappingDirectory, write_reports
from bridge.leadbyte import LeadByteSource
from bridge.leadsquared import LeadSquaredSink
from bridge.mapping import MappingFile
from bridge.model import HOSTS, Json, Track
from bridge.pipeline.confirming import AskingStage, ConfirmStage, DoubtStage
from bridge.pipeline.desk import Desk
from bridge.pipeline.gate import Gate
from bridge.pipeline.inbox import InboxStage
from bridge.pipeline.mapping import MapStage
from bridge.pipeline.polling import PollStage
from bridge.pipeline.pruning import PruneStage, Retention
from bridge.pipeline.pushing import Batching, PushStage
from bridge.policy.backoff import Backoff
from bridge.policy.delivering import Delivering
from bridge.policy.polling import Polling
from bridge.policy.window import Limit
from bridge.ports import Sink, Source, Store
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


MOST_CONFIRMATIONS = 25
CALLER_SECONDS = 10.0
"""How long a caller of the HTTP side waits for a locked database; nobody waits for room on the disk."""
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

    def mappings(self) -> Sequence[MappingFile]:
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
            yield LeadByteSource(
                client,
                url=wanted.url,
                key=wanted.key.get_secret_value(),
                key_header=wanted.key_header,
                queue_key_in=wanted.queue_key_in,
                statuses=wanted.statuses,
                redact=self.redact,
                clock=self.clock,
            )

    @asynccontextmanager
    async def sink(self, *, async_needed: bool) -> AsyncIterator[LeadSquaredSink]:
        """An open sink. Raises SettingsError where its settings are missing."""
        wanted = self.settings.leadsquared
        self.settings.require(leadsquared=True, async_needed=async_needed)
        async with self._client(MOST_CONFIRMATIONS * 2, http.MAX_REPLY_BYTES) as client:
            yield LeadSquaredSink(
                client,
                url=wanted.url,
                access_key=wanted.access_key.get_secret_value(),
                secret_key=wanted.secret_key.get_secret_value(),
                async_url=wanted.async_url,
                async_api_key=wanted.async_api_key.get_secret_value(),
                keys_in=wanted.keys_in,
                status_path=wanted.status_path,
                metrics_path=wanted.metrics_path,
                redact=self.redact,
                clock=self.clock,
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
        async_needed = any(mapping.mode == "async" for mapping in mappings)
        with state_lock(self.settings.state_dir), self.store() as store:
            self.settings.require(leadbyte=True, leadsquared=True, async_needed=async_needed)
            self.inbox.mkdir(mode=0o700, exist_ok=True)
            store.verify()
            store.recover(self.clock())
            store.never_wait()
            async with (
                self.source() as source,
                self.sink(async_needed=async_needed) as sink,
            ):
                machine = self.machine(store, source, sink, directory.current)
                async with self._listening(machine) if listen else nullcontext():
                    yield Service(machine)

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

        wanted = self.settings.server
        if not wanted.listen:
            yield
            return
        token = wanted.token if wanted.token.get_secret_value() else None
        app = create_app(intake=intake, status=status, ready=ready, token=token)
        server = LocalServer(app, wanted.listen)
        await server.start()
        log.info("listening", url=server.url, intake=token is not None)
        try:
            yield
        finally:
            await server.stop()

    def machine(
        self, store: Store, source: Source, sink: Sink, mappings: Callable[[], Sequence[MappingFile]]
    ) -> Machine:
        """Every stage, wired to these two sides."""
        desk = Desk()
        poll_gate, bulk_gate, async_gate = self._gates(store)
        inbox = InboxStage(self.store, self.inbox, self.deadline(), self.clock, desk)
        stages: list[Stage] = [
            inbox,
            self._poll_stage(store, desk, source, poll_gate),
            MapStage(store, desk, source, mappings, self.clock),
            self._push_stage(store, desk, sink, bulk_gate, "bulk"),
            self._push_stage(store, desk, sink, async_gate, "async"),
            self._asking_stage(ConfirmStage, store, desk, sink, async_gate),
            self._asking_stage(DoubtStage, store, desk, sink, bulk_gate),
            self._prune_stage(store, desk),
        ]
        gates = [poll_gate, bulk_gate, async_gate]
        return Machine(store, desk, stages, inbox, gates, self._report_in_background, self.clock, self.steady)

    def _gates(self, store: Store) -> tuple[Gate, Gate, Gate]:
        source, sink = self.settings.leadbyte, self.settings.leadsquared
        told = (
            ("leadbyte", Limit(source.rate_calls, source.rate_seconds)),
            (HOSTS["bulk"], Limit(sink.rate_calls, sink.rate_seconds)),
            (HOSTS["async"], Limit(sink.rate_calls, sink.rate_seconds)),
        )
        first, second, third = (self._gate(store, name, limit) for name, limit in told)
        return first, second, third

    def _gate(self, store: Store, name: str, limit: Limit) -> Gate:
        gate = Gate(name, limit, self.steady, self.rng)
        now = self.steady()
        if (kept := store.checkpoint(f"host:{name}")) is not None:
            gate.restore(kept)
        since = now - gate.window.limit(now).seconds
        # What a clock that was wrong put into the future counts as just answered.
        gate.window.remember(min(answered, now) for answered in store.calls_since(name, since))
        return gate

    def _poll_stage(self, store: Store, desk: Desk, source: Source, gate: Gate) -> PollStage:
        wanted = self.settings.leadbyte
        polling = Polling(Backoff(wanted.poll_first_seconds, wanted.poll_max_seconds))
        return PollStage(store, desk, source, gate, polling, wanted.concurrency, self.clock, self.rng)

    def _push_stage(self, store: Store, desk: Desk, sink: Sink, gate: Gate, mode: str) -> PushStage:
        wanted = self.settings.leadsquared
        bulk = mode == "bulk"
        batching = Batching(
            mode, wanted.batch_size if bulk else 1, wanted.batch_linger_seconds if bulk else 0.0
        )
        width = wanted.rate_calls or MOST_CONFIRMATIONS
        return PushStage(store, desk, sink, gate, self._delivering(), batching, width, self.clock, self.rng)

    def _asking_stage(
        self, kind: type[AskingStage], store: Store, desk: Desk, sink: Sink, gate: Gate
    ) -> AskingStage:
        return kind(store, desk, sink, gate, self._delivering(), MOST_CONFIRMATIONS, self.clock, self.rng)

    def _prune_stage(self, store: Store, desk: Desk) -> PruneStage:
        wanted = self.settings.retention
        kept = Retention(wanted.replies_days, wanted.payloads_days, wanted.attempts_days)
        return PruneStage(store, desk, kept, self.clock)

    def _delivering(self) -> Delivering:
        wanted = self.settings.leadsquared
        return Delivering(
            attempts=self.settings.retry.attempts,
            retry=Backoff(self.settings.retry.first_seconds, self.settings.retry.max_seconds),
            confirm=Backoff(wanted.confirm_first_seconds, wanted.confirm_max_seconds),
            confirm_deadline=wanted.confirm_deadline_seconds,
        )

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


def _working(machine: Machine) -> bool:
    """Whether every stage works, and what it does can be stored."""
    return not machine.desk.full and all(stage.crew.trouble is None for stage in machine.stages)
