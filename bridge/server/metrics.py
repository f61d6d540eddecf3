"""`GET /metrics`: how the bridge is, for Prometheus. Counts, sizes and moments only; every label is of a fixed set."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.model import LEAD_STATES, State
from bridge.server.answering import guarded
from bridge.server.reading import Bounds
from bridge.server.routes import Readiness

SIDE_STATES: Final = ("up", "denied")
"""Of a side that is down, both are 0."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What the store held at the moment `at` (epoch seconds). Ages in seconds, 0 where nothing waits.

    `leads` and `feedback` by state. `unknown_words`: leads whose status word at LeadByte means nothing here. `days_off`: days of
    the account that do not add up. `changes_up_to`: epoch seconds; None where no change was ever read. `free`: bytes left on the
    disk. `queue`: of LeadSquared's async queue as it was last seen, whatever it told of `pending`, `delay_seconds`,
    `rate_per_minute` and `at`. `leads_per_minute`: as `ports.Status` has it.
    """

    at: float
    leads: Mapping[str, int]
    feedback: Mapping[str, int]
    oldest_waiting: float
    oldest_pending: float
    unknown_words: int
    days_off: int
    free: int
    changes_up_to: float | None = None
    queue: Mapping[str, float] = field(default_factory=dict)
    leads_per_minute: float = 0.0


@dataclass(frozen=True, slots=True)
class Calls:
    """The window of calls over one host: `used` of `limit` in `seconds`. `limit` 0: none."""

    used: int
    limit: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Measured:
    """How the bridge is at this moment. `windows` by host. `counted`: None where the store could not be read."""

    version: str
    ready: Readiness
    disk_full: bool
    windows: Mapping[str, Calls]
    counted: Counted | None


Measure = Callable[[], Awaitable[Measured]]


def metrics_route(measure: Measure, bounds: Bounds) -> Route:
    """`GET /metrics`, in Prometheus' text format whatever the caller would rather have: a header is nothing to fail by."""

    async def metrics(_: Request) -> Response:
        async with asyncio.timeout(bounds.answer_seconds):
            measured = await measure()
        return Response(page(measured), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return Route("/metrics", guarded(metrics))


def page(measured: Measured) -> bytes:
    """The whole page, with what the library tells of the process (`process_…`)."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Bridge(measured))
    return generate_latest(registry)


@dataclass(frozen=True, eq=False)
class _Bridge(Collector):
    measured: Measured

    def collect(self) -> Iterable[Metric]:
        yield from _process(self.measured)
        yield from _sides(self.measured.ready.sides)
        yield from _windows(self.measured.windows)
        if (counted := self.measured.counted) is not None:
            yield from _leads(counted)
            yield from _lag(counted)
            yield from _queue(counted.queue)


def _process(measured: Measured) -> Iterator[Metric]:
    yield InfoMetricFamily(
        "bridge_build", "The bridge that answers, by its version.", {"version": measured.version}
    )
    working, readable = measured.ready.working, measured.counted is not None
    yield _gauge("bridge_working", "1: every stage works, and what it does can be stored.", working)
    yield _gauge("bridge_disk_full", "1: something waits for room on the disk.", measured.disk_full)
    yield _gauge("bridge_store_readable", "1: the database could be read for this page.", readable)


def _sides(sides: Mapping[str, str]) -> Iterator[Metric]:
    what = {
        "up": "1: the side answers, or nobody has asked it yet.",
        "denied": "1: the side refuses its key or a permission.",
    }
    for state in SIDE_STATES:
        values = {side: found == state for side, found in sides.items()}
        yield _gauges(f"bridge_side_{state}", what[state], "side", values)


def _windows(windows: Mapping[str, Calls]) -> Iterator[Metric]:
    by_host = partial(_gauges, label="host")
    limited = {host: calls for host, calls in windows.items() if calls.limit}
    used = {host: calls.used for host, calls in windows.items()}
    limits = {host: calls.limit for host, calls in limited.items()}
    seconds = {host: calls.seconds for host, calls in limited.items()}
    yield by_host("bridge_window_calls", "Calls that the host may still count in its window.", values=used)
    yield by_host(
        "bridge_window_limit", "Most calls in one window; not there without a limit.", values=limits
    )
    yield by_host("bridge_window_seconds", "How long the window is.", values=seconds)


def _leads(counted: Counted) -> Iterator[Metric]:
    leads = {state: counted.leads.get(state, 0) for state in LEAD_STATES}
    feedback = {str(state): counted.feedback.get(state, 0) for state in State}
    yield _gauges("bridge_leads", "Tracked leads, each in one state.", "state", leads)
    yield _gauges("bridge_deliveries_to_leadbyte", "Operations in LeadByte, by state.", "state", feedback)
    unknown = "Leads whose status word is not in BRIDGE_LEADBYTE__STATUSES."
    yield _gauge("bridge_leads_of_unknown_status", unknown, counted.unknown_words)
    yield _gauge("bridge_account_mismatches", "Days whose leads are not all accounted for.", counted.days_off)


def _lag(counted: Counted) -> Iterator[Metric]:
    waiting, pending = counted.oldest_waiting, counted.oldest_pending
    yield _gauge("bridge_oldest_waiting_seconds", "How long the oldest lead waits for LeadByte.", waiting)
    yield _gauge("bridge_oldest_pending_seconds", "How long the oldest delivery is not sent.", pending)
    if counted.changes_up_to is not None:
        what = "Unix time up to which changes in LeadSquared were read; the last change, where nothing changed since."
        yield _gauge("bridge_changes_read_up_to_timestamp_seconds", what, counted.changes_up_to)
    what = "Unix time at which the database was read for this page."
    yield _gauge("bridge_counted_timestamp_seconds", what, counted.at)
    yield _gauge("bridge_state_disk_free_bytes", "Room on the disk of the state directory.", counted.free)


QUEUE: Final = (
    ("pending", "bridge_async_queue_pending", "Updates in LeadSquared's async queue, when last seen."),
    ("delay_seconds", "bridge_async_queue_delay_seconds", "How long they take there, when last seen."),
    ("at", "bridge_async_queue_seen_timestamp_seconds", "Unix time at which that queue was last seen."),
)


def _queue(queue: Mapping[str, float]) -> Iterator[Metric]:
    for key, name, what in QUEUE:
        if key in queue:
            yield _gauge(name, what, queue[key])


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value)


def _gauges(name: str, what: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, what, labels=(label,))
    for one, value in values.items():
        family.add_metric([one], value)
    return family
