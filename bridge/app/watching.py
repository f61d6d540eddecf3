"""What the status page shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.app.measuring import Measuring
from bridge.app.seeing import Seen
from bridge.masking import mask, personal_id
from bridge.model import LEADBYTE, Json
from bridge.pipeline.gate import Gate
from bridge.pipeline.pruning import CHECKPOINT as PRUNED
from bridge.policy.health import SideState
from bridge.reports import own_words, side_words
from bridge.server import Overview, Side, Slip


@dataclass(frozen=True, slots=True)
class Watching:
    """Looks at a running machine for the status page. `acting`: whether its reader may do anything."""

    measuring: Measuring
    acting: bool

    async def __call__(self) -> Overview:
        """Raises nothing: what cannot be found is left out."""
        looked = await self.measuring.counting()
        machine = self.measuring.machine
        return Overview(
            now=machine.clock(),
            measured=self.measuring.measured(looked),
            sides={gate.name: side(gate) for gate in machine.gates},
            slips=slips(looked) if looked else (),
            account=looked.status.account if looked else (),
            pruned_on=_pruned_on(looked) if looked else None,
            acting=self.acting,
        )


def side(gate: Gate) -> Side:
    """How a gate's host is; its reason in our own words."""
    health = gate.health
    reason = "" if health.state is SideState.UP else side_words(health.reason)
    return Side(str(health.state), health.reached, health.since or None, reason)


def slips(looked: Seen) -> tuple[Slip, ...]:
    """The last errors, in our own words."""
    return tuple(_slip(error) for error in looked.status.last_errors)


def _slip(error: Mapping[str, Json]) -> Slip:
    to_leadbyte = error["target"] == LEADBYTE
    words = own_words(error["state"], error["stage"], error["reason"] or "", to_leadbyte=to_leadbyte)
    queue_id = error["queue_id"]
    shown = mask(queue_id) if personal_id(queue_id) else queue_id
    return Slip(error["at"], shown, error["stage"], words, error["n"])


def _pruned_on(looked: Seen) -> str | None:
    kept = looked.status.checkpoints.get(PRUNED)
    day: str | None = json.loads(kept)["day"] if kept else None
    return day
