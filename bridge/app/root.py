"""The bridge for one set of settings."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock

import structlog

from bridge import reports, telemetry
from bridge.app.acting import Acting
from bridge.app.listening import listening
from bridge.app.machines import Machines
from bridge.app.measuring import Counting, Seen, Watch, counts, seen
from bridge.app.posting import posting
from bridge.app.sides import Opening, Sides
from bridge.app.stages import Mappings, Wiring
from bridge.errors import BridgeError
from bridge.files import MappingDirectory, write_reports
from bridge.leadbyte import LeadByteSource
from bridge.leadsquared import LeadSquaredSink
from bridge.mapping import AnyMapping, forward_of
from bridge.model import Track
from bridge.pipeline.desk import Desk
from bridge.pipeline.inbox import InboxStage
from bridge.pipeline.reporting import CHECKPOINT as REPORTED
from bridge.pipeline.reporting import text_of
from bridge.policy.rising import Written
from bridge.ports import Store
from bridge.scheduler import Machine, Service
from bridge.settings import Settings
from bridge.store import SqliteStore, open_store
from bridge.store.lock import state_lock

log = structlog.get_logger()

Clock = Callable[[], float]


def steady_clock() -> Clock:
    """A clock of epoch seconds that goes on from now, whatever the system's clock is set to later."""
    start = time.time() - time.monotonic()
    return lambda: start + time.monotonic()


@dataclass(frozen=True, slots=True)
class App:
    """The bridge for one set of settings. `clock` gives epoch seconds, `steady` the same but is never set back; `rng`
    makes jitter and call ids.
    """

    settings: Settings
    clock: Clock = time.time
    steady: Clock = field(default_factory=steady_clock)
    rng: random.Random = field(default_factory=random.Random)
    _writing: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    @property
    def inbox(self) -> Path:
        """Where files of queueIds are dropped."""
        return self.settings.state_dir / "inbox"

    @property
    def redact(self) -> telemetry.Redactor:
        """Takes every configured secret out of a text."""
        return self._opening.redact

    @property
    def _opening(self) -> Opening:
        return Opening(self.settings, self.clock)

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

    def source(self) -> AbstractAsyncContextManager[LeadByteSource]:
        """An open source. Raises SettingsError where its settings are missing."""
        return self._opening.source()

    def sink(self, *, async_needed: bool) -> AbstractAsyncContextManager[LeadSquaredSink]:
        """An open sink. Raises SettingsError where its settings are missing."""
        return self._opening.sink(async_needed=async_needed)

    @asynccontextmanager
    async def service(self, *, listen: bool = False) -> AsyncIterator[Service]:
        """A service that holds the state directory, ready to run; with `listen` its HTTP side is up.

        Raises MappingError, SettingsError, StoreError, or Busy where another process holds the directory.
        """
        directory = MappingDirectory(self.settings.mappings_dir)
        async_needed = any(mapping.mode == "async" for mapping in forward_of(directory.read()))
        self.settings.require(leadbyte=True, leadsquared=True, async_needed=async_needed)
        with self._held() as store:
            self.inbox.mkdir(mode=0o700, exist_ok=True)
            async with (
                self._opening.sides(async_needed=async_needed) as sides,
                posting(self.settings) as post,
            ):
                counting = Counting(self._look, self.steady)
                machine = self.machine(store, sides, directory.current, Watch(counting, post))
                acting = Acting(partial(self.store, create=False), self.clock, self.deadline())
                told = (self.settings.server, machine, self._track, counting, acting)
                async with listening(*told) if listen else nullcontext():
                    yield Service(machine)

    @asynccontextmanager
    async def by_hand(self) -> AsyncIterator[Service]:
        """A service that holds the state directory and does nothing but carry out operations in LeadByte.

        Raises SettingsError, StoreError, or Held where another process holds the directory.
        """
        self.settings.require(leadbyte=True)
        with self._held() as store:
            async with self._opening.operations() as sink:
                yield Service(self._machines(store).by_hand(sink))

    def machine(self, store: Store, sides: Sides, mappings: Mappings, watch: Watch | None = None) -> Machine:
        """Every stage, wired to these two sides. With `watch`, what goes wrong is told and reported at once."""
        machines = self._machines(store)
        desk = machines.wiring.desk
        inbox = InboxStage(self.store, self.inbox, self.deadline(), self.clock, desk)
        return machines.whole(sides, inbox, mappings, watch)

    def _machines(self, store: Store) -> Machines:
        wiring = Wiring(self.settings, store, Desk(), self.clock, self.steady, self.rng)
        return Machines(wiring, self._report_in_background)

    @contextmanager
    def _held(self) -> Iterator[SqliteStore]:
        """The store, for the one process that works it."""
        with state_lock(self.settings.state_dir), self.store() as store:
            store.verify()
            store.recover(self.clock())
            store.never_wait()
            yield store

    def _track(self, tracks: Sequence[Track]) -> int:
        now = self.clock()
        with self.store() as store:
            return store.track(tracks, now, now + self.deadline())

    def _look(self) -> Seen:
        with self.store(create=False) as store:
            return self._seen(store)

    def _seen(self, store: Store) -> Seen:
        now = self.clock()
        return seen(store.status(now=now), now, self.settings.state_dir)

    async def _report_in_background(self) -> None:
        try:
            await asyncio.to_thread(self.write_reports)
        except BridgeError as error:
            # The service's work is more than its report; what failed stays in the database.
            log.warning("report not written", reason=str(error))

    def write_reports(self) -> None:
        """Write the failure report to `state/reports/`, and note how much is on it; one at a time. Raises StoreError where
        that cannot be written.
        """

        def made() -> reports.Report:
            status = store.status()
            return reports.build(store.failures(), status.leads, self.clock(), account=status.account)

        with self._writing, self.store() as store:
            before = counts(self._seen(store)).failures
            write_reports(made, self.settings.state_dir / "reports", self.clock())
            now = self.clock()
            store.set_checkpoint(REPORTED, text_of(Written(before, now)), now)
