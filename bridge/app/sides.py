"""Both vendors, opened as the settings say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from bridge import http, telemetry
from bridge.leadbyte import LeadByteSink, LeadByteSource
from bridge.leadsquared import LeadSquaredSink, LeadSquaredSource
from bridge.model import Json
from bridge.ports import ChangeSource, ReadableSink, Sink, Source
from bridge.settings import Settings

LEADSQUARED_CALLS: Final = 50
"""Most at one time."""

CHANGES_CALLS: Final = 2
MOST_CHANGES: Final = 64 * 1024 * 1024
"""Bytes of one page of changed leads."""

MOST_QUEUE_REPLY: Final = 1024 * 1024
"""Bytes of one queue result: it is kept, and a chunk of them is mapped at once."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Both vendors. Without `changes` and `operations` only the way forward is worked.

    `metrics`: how long LeadSquared's async queue is; None where no mapping is async.
    """

    source: Source
    sink: ReadableSink
    changes: ChangeSource | None = None
    operations: Sink | None = None
    metrics: Callable[[], Awaitable[Mapping[str, Json]]] | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """Opens a client of a vendor. Each raises SettingsError where its settings are missing."""

    settings: Settings
    clock: Callable[[], float]

    @property
    def redact(self) -> telemetry.Redactor:
        """Takes every configured secret out of a text."""
        return telemetry.Redactor(self.settings.secrets())

    @asynccontextmanager
    async def sides(self, *, async_needed: bool) -> AsyncIterator[Sides]:
        """All of them."""
        async with (
            self.source() as source,
            self.operations() as operations,
            self.changes() as changes,
            self.sink(async_needed=async_needed) as sink,
        ):
            metrics = partial(_metrics, sink) if async_needed else None
            yield Sides(source, sink, changes, operations, metrics)

    @asynccontextmanager
    async def source(self) -> AsyncIterator[LeadByteSource]:
        """LeadByte's queue."""
        wanted = self.settings.leadbyte
        self.settings.require(leadbyte=True)
        async with self._client(wanted.concurrency, MOST_QUEUE_REPLY) as client:
            yield LeadByteSource(client, statuses=wanted.statuses, **self._leadbyte())

    @asynccontextmanager
    async def operations(self) -> AsyncIterator[LeadByteSink]:
        """What LeadByte can be told."""
        self.settings.require(leadbyte=True)
        async with self._client(self.settings.leadbyte.concurrency) as client:
            yield LeadByteSink(client, **self._leadbyte())

    @asynccontextmanager
    async def changes(self) -> AsyncIterator[LeadSquaredSource]:
        """LeadSquared's changed leads."""
        self.settings.require(leadsquared=True)
        async with self._client(CHANGES_CALLS, MOST_CHANGES) as client:
            yield LeadSquaredSource(client, **self._leadsquared())

    @asynccontextmanager
    async def sink(self, *, async_needed: bool) -> AsyncIterator[LeadSquaredSink]:
        """What LeadSquared can be told, and asked of one lead."""
        wanted = self.settings.leadsquared
        self.settings.require(leadsquared=True, async_needed=async_needed)
        async with self._client(LEADSQUARED_CALLS) as client:
            yield LeadSquaredSink(
                client,
                async_url=wanted.async_url,
                async_api_key=wanted.async_api_key.get_secret_value(),
                status_path=wanted.status_path,
                metrics_path=wanted.metrics_path,
                **self._leadsquared(),
            )

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

    def _client(
        self, connections: int, most: int = http.MAX_REPLY_BYTES
    ) -> AbstractAsyncContextManager[http.Client]:
        seconds = self.settings.http.timeout_seconds
        return http.open_client(timeout=seconds, connections=connections, max_reply_bytes=most)


async def _metrics(sink: LeadSquaredSink) -> Mapping[str, Json]:
    told = await sink.metrics()
    return {
        "pending": told.pending,
        "delay_seconds": told.max_delay_seconds,
        "rate_per_minute": told.per_minute,
    }
