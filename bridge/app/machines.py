"""Machines for the service: the whole bridge, or what carries out operations alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from bridge.app.measuring import Watch
from bridge.app.sides import Sides
from bridge.app.stages import Mappings, Wiring
from bridge.pipeline.changes import ChangeStage
from bridge.pipeline.gate import Gate
from bridge.pipeline.inbox import InboxStage
from bridge.ports import Sink
from bridge.scheduler import Machine, Stage


@dataclass(frozen=True, slots=True)
class Machines:
    """Makes machines of wired stages. `report` is called once a day, where failures jump, and at the end."""

    wiring: Wiring
    report: Callable[[], Awaitable[None]]

    def whole(
        self, sides: Sides, inbox: InboxStage, mappings: Mappings, watch: Watch | None = None
    ) -> Machine:
        """Both ways. With `watch`, what goes wrong is told and reported at once."""
        wiring = self.wiring
        gates = wiring.gates()
        changes = wiring.changes(sides, gates, mappings)
        stages = [inbox, *wiring.forward(sides, gates, mappings), wiring.pruning()]
        stages += [*wiring.back(sides, gates), *([changes] if changes else [])]
        every = (gates.poll, gates.updates, gates.bulk, gates.asynchronous)
        tellers = wiring.notifying(watch, every) if watch else []
        stages += [*tellers, *wiring.reporting(watch, self.report)] if watch else []

        def finished() -> bool:
            return inbox.empty() and (changes is None or changes.done())

        built = self._machine(stages, every, finished, changes)
        return replace(built, last=[teller.last for teller in tellers])

    def by_hand(self, sink: Sink) -> Machine:
        """Operations in LeadByte, and nothing else."""
        gate = self.wiring.gates().updates
        return self._machine([self.wiring.operations(sink, gate)], [gate])

    def _machine(
        self,
        stages: Sequence[Stage],
        gates: Sequence[Gate],
        finished: Callable[[], bool] = lambda: True,
        changes: ChangeStage | None = None,
    ) -> Machine:
        wiring = self.wiring
        told = (self.report, wiring.clock, wiring.steady)
        return Machine(wiring.store, wiring.desk, stages, finished, gates, *told, changes)
