"""Every stage, wired to the two sides by the settings."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bridge.app.measuring import Watch
from bridge.app.posting import head
from bridge.app.sides import Sides
from bridge.mapping import AnyMapping
from bridge.model import HOSTS, LEADBYTE, UPDATES
from bridge.pipeline.changes import ChangeStage, Looking
from bridge.pipeline.confirming import AskingStage, ConfirmStage, DoubtStage
from bridge.pipeline.desk import Desk
from bridge.pipeline.gate import Gate
from bridge.pipeline.mapping import MapStage
from bridge.pipeline.metrics import MetricsStage
from bridge.pipeline.notifying import NotifyStage, Outlook
from bridge.pipeline.polling import PollStage
from bridge.pipeline.pruning import PruneStage, Retention
from bridge.pipeline.pushing import Batching, PushStage
from bridge.pipeline.reporting import ReportStage
from bridge.policy.backoff import Backoff
from bridge.policy.delivering import Delivering
from bridge.policy.polling import Polling
from bridge.policy.window import Limit
from bridge.ports import ReadableSink, Sink, Source, Store
from bridge.scheduler import Stage
from bridge.settings import Settings

Clock = Callable[[], float]
Mappings = Callable[[], Sequence[AnyMapping]]

MOST_CONFIRMATIONS = 25


@dataclass(frozen=True, slots=True)
class Gates:
    """One for each thing that a host may let through or hold back. The first two share a window of calls."""

    poll: Gate
    updates: Gate
    bulk: Gate
    asynchronous: Gate


@dataclass(frozen=True, slots=True)
class Wiring:
    """Makes stages. `clock` gives epoch seconds, `steady` the same but is never set back."""

    settings: Settings
    store: Store
    desk: Desk
    clock: Clock
    steady: Clock
    rng: random.Random

    def gates(self) -> Gates:
        """With the limits learned and the calls made before this process."""
        here, there = self.settings.leadbyte, self.settings.leadsquared
        poll = self._gate(LEADBYTE, Limit(here.rate_calls, here.rate_seconds))
        limit = Limit(there.rate_calls, there.rate_seconds)
        return Gates(
            poll=poll,
            updates=self._gate(UPDATES, Limit(here.rate_calls, here.rate_seconds), shares=poll),
            bulk=self._gate(HOSTS["bulk"], limit),
            asynchronous=self._gate(HOSTS["async"], limit),
        )

    def _gate(self, name: str, limit: Limit, shares: Gate | None = None) -> Gate:
        gate = Gate(name, limit, self.steady, self.rng, shares)
        now = self.steady()
        if (kept := self.store.checkpoint(f"host:{name}")) is not None:
            gate.restore(kept)
        if shares is None:
            since = now - gate.window.limit(now).seconds
            # What a clock that was wrong put into the future counts as just answered.
            gate.window.remember(min(answered, now) for answered in self.store.calls_since(name, since))
        return gate

    def forward(self, sides: Sides, gates: Gates, mappings: Mappings) -> Sequence[Stage]:
        """From LeadByte's queue results to confirmed updates in LeadSquared."""
        mapping = MapStage(self.store, self.desk, sides.source, mappings, self.clock)
        return [
            self._polling(sides.source, gates.poll, mapping.crew.tick),
            mapping,
            self._pushing(sides.sink, gates.bulk, "bulk"),
            self._pushing(sides.sink, gates.asynchronous, "async"),
            self._asking(ConfirmStage, sides.sink, gates.asynchronous),
            self._asking(DoubtStage, sides.sink, gates.bulk),
        ]

    def back(self, sides: Sides, gates: Gates) -> Sequence[Stage]:
        """To LeadByte; and what shows how far the way forward has come."""
        operations = [self.operations(sides.operations, gates.updates)] if sides.operations else []
        return [*operations, *self._metrics(sides, gates.asynchronous)]

    def changes(self, sides: Sides, gates: Gates, mappings: Mappings) -> ChangeStage | None:
        """What people change in LeadSquared; None where nobody can be told of it."""
        if sides.changes is None or sides.operations is None:
            return None
        wanted, sink = self.settings.leadsquared, sides.sink
        looking = Looking(wanted.changes_seconds, wanted.changes_first_seconds, lambda: sink.ping("bulk"))
        told = (self.store, self.desk, sides.changes, gates.bulk, mappings, looking)
        return ChangeStage(*told, self.clock, self.steady)

    def operations(self, sink: Sink, gate: Gate) -> PushStage:
        """What LeadByte is told."""
        wanted = self.settings.leadbyte
        batching = Batching(LEADBYTE, wanted.batch_size, wanted.batch_linger_seconds)
        told = (self._delivering(denied_fails=True), batching, wanted.concurrency)
        return PushStage(self.store, self.desk, sink, gate, *told, self.clock, self.rng)

    def pruning(self) -> PruneStage:
        """What is no longer to be kept."""
        wanted = self.settings.retention
        kept = Retention(wanted.replies_days, wanted.payloads_days, wanted.attempts_days)
        return PruneStage(self.store, self.desk, kept, self.clock)

    def notifying(self, watch: Watch, gates: Sequence[Gate]) -> Sequence[NotifyStage]:
        """Who tells people of what goes wrong, where anybody is to be told."""
        if watch.post is None:
            return []
        wanted, post = self.settings.notify, watch.post
        limits = (wanted.failures, wanted.down_seconds)
        outlook = Outlook(watch.look, watch.anew, gates, *limits, self.clock, self.steady)
        told = (outlook, post, head(self.settings), self.clock, self.steady)
        return [NotifyStage(self.store, self.desk, *told)]

    def reporting(self, watch: Watch, report: Callable[[], Awaitable[None]]) -> Sequence[Stage]:
        """Who has the failure report written where failures jump, unless that is switched off."""
        jump = self.settings.report.jump
        told = (watch.look, report, jump, self.clock, self.steady)
        return [ReportStage(self.store, self.desk, *told)] if jump else []

    def _metrics(self, sides: Sides, gate: Gate) -> Sequence[Stage]:
        interval = self.settings.leadsquared.metrics_seconds
        told = (gate, interval, self.clock, self.steady)
        return [MetricsStage(self.store, self.desk, sides.metrics, *told)] if sides.metrics else []

    def _polling(self, source: Source, gate: Gate, stored: Callable[[], None]) -> PollStage:
        wanted = self.settings.leadbyte
        polling = Polling(Backoff(wanted.poll_first_seconds, wanted.poll_max_seconds))
        told = (gate, polling, wanted.concurrency)
        return PollStage(self.store, self.desk, source, *told, self.clock, self.rng, stored)

    def _pushing(self, sink: Sink, gate: Gate, mode: str) -> PushStage:
        wanted = self.settings.leadsquared
        bulk = mode == "bulk"
        batching = Batching(
            mode, wanted.batch_size if bulk else 1, wanted.batch_linger_seconds if bulk else 0.0
        )
        told = (self._delivering(), batching, wanted.rate_calls or MOST_CONFIRMATIONS)
        return PushStage(self.store, self.desk, sink, gate, *told, self.clock, self.rng)

    def _asking(self, kind: type[AskingStage], sink: ReadableSink, gate: Gate) -> AskingStage:
        told = (self._delivering(), MOST_CONFIRMATIONS)
        return kind(self.store, self.desk, sink, gate, *told, self.clock, self.rng)

    def _delivering(self, *, denied_fails: bool = False) -> Delivering:
        wanted = self.settings.leadsquared
        return Delivering(
            attempts=self.settings.retry.attempts,
            retry=Backoff(self.settings.retry.first_seconds, self.settings.retry.max_seconds),
            confirm=Backoff(wanted.confirm_first_seconds, wanted.confirm_max_seconds),
            confirm_deadline=wanted.confirm_deadline_seconds,
            denied_fails=denied_fails,
        )
