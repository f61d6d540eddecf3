"""The bridge for one set of settings."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bridge import reports, telemetry
from bridge.app.seeing import Seen, counts, seen
from bridge.files import MappingDirectory, reports_held, write_reports
from bridge.mapping import AnyMapping
from bridge.model import Track
from bridge.pipeline.remembered import WRITTEN, text_of
from bridge.policy.rising import Written
from bridge.settings import Settings
from bridge.store import SqliteStore, open_store
from bridge.store.lock import state_lock

if TYPE_CHECKING:
    # Clients, stages and the server take half of a second's import, and most commands only read the store.
    from bridge.app.sides import Opening
    from bridge.leadbyte import LeadByteSource
    from bridge.leadsquared import LeadSquaredSink
    from bridge.scheduler import Service

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

    @property
    def inbox(self) -> Path:
        """Where files of queueIds are dropped."""
        return self.settings.state_dir / "inbox"

    @property
    def reports(self) -> Path:
        """Where the failure report is written."""
        return self.settings.state_dir / "reports"

    @property
    def redact(self) -> telemetry.Redactor:
        """Takes every configured secret out of a text."""
        return telemetry.Redactor(self.settings.secrets())

    @contextmanager
    def store(self, *, create: bool = True, wait: bool = True) -> Iterator[SqliteStore]:
        """The open store. Raises StoreError or Busy: at once, unless it is to `wait` for who keeps it locked."""
        store = open_store(self.settings.state_dir, self.settings.account, create=create)
        try:
            if not wait:
                store.never_wait()
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
        return self.opening.source()

    def sink(self, *, async_needed: bool) -> AbstractAsyncContextManager[LeadSquaredSink]:
        """An open sink. Raises SettingsError where its settings are missing."""
        return self.opening.sink(async_needed=async_needed)

    @property
    def opening(self) -> Opening:
        """What opens clients of both vendors."""
        from bridge.app.sides import Opening

        return Opening(self.settings, self.clock)

    def service(self, *, listen: bool = False) -> AbstractAsyncContextManager[Service]:
        """A service that holds the state directory, ready to run; with `listen` its HTTP side is up.

        Raises MappingError, SettingsError, StoreError, or Busy where another process holds the directory.
        """
        from bridge.app.serving import service

        return service(self, listen=listen)

    def by_hand(self) -> AbstractAsyncContextManager[Service]:
        """A service that holds the state directory and does nothing but carry out operations in LeadByte.

        Raises SettingsError, StoreError, or Held where another process holds the directory.
        """
        from bridge.app.serving import by_hand

        return by_hand(self)

    @contextmanager
    def held(self) -> Iterator[SqliteStore]:
        """The store, for the one process that works it. Raises StoreError, or Held where there is another."""
        with state_lock(self.settings.state_dir), self.store() as store:
            store.verify()
            store.recover(self.clock())
            store.never_wait()
            yield store

    def track(self, tracks: Sequence[Track]) -> int:
        """Begin to track queueIds, by a store of its own. Returns how many are new."""
        now = self.clock()
        with self.store() as store:
            return store.track(tracks, now, now + self.deadline())

    def look(self) -> Seen:
        """The store as it is now, by one of its own."""
        with self.store(create=False) as store:
            now = self.clock()
            return seen(store.status(now=now), now, self.settings.state_dir)

    def write_reports(self) -> None:
        """Write the failure report to `state/reports/`, every format as of one moment, and note how much is on it; one at a
        time. Raises StoreError where that cannot be written, Busy where another process is long at the reports.
        """
        with reports_held(self.reports), self.store() as store:
            now = self.clock()
            with store.snapshot():
                status = store.status()

                def made() -> reports.Report:
                    return reports.build(store.failures(), status.leads, now, account=status.account)

                write_reports(made, self.reports, now)
            written = Written(counts(status).failures, self.clock())
            store.set_checkpoint(WRITTEN, text_of(written), written.at)
