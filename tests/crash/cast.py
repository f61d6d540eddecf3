"""Leads whose every result bears a mark, so that each value and each write in the CRM tells which result it came from."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.system.conftest import Bridge, Simulator

BULK = """\
version: 1
leadsquared: {mode: bulk, search_by: EmailAddress, missing_leads: unprocessed}
fields:
  EmailAddress: lead.email
  mx_Source: lead.mark
"""
FIRING = """\
version: 1
leadsquared: {mode: async, trigger_automation: true}
fields:
  ProspectID: lead.prospect
  mx_Buyer: lead.mark
"""


@dataclass
class Person:
    """Somebody with any number of results. `mark`: of the newest. `known`: whether the CRM has them."""

    number: int
    prospect: str
    known: bool
    mark: str = ""


@dataclass
class Cast:
    """Everybody who takes part. Every result goes to the CRM twice: in bulk, and by an update that fires automations."""

    bridge: Bridge
    simulator: Simulator
    people: list[Person] = field(default_factory=list)
    results: dict[str, Person] = field(default_factory=dict)
    _clock: count[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.bridge.mapping.unlink()
        (self.bridge.mappings / "bulk.yaml").write_text(BULK)
        (self.bridge.mappings / "firing.yaml").write_text(FIRING)

    def newcomers(self, number: int, *, known: bool = True) -> list[str]:
        """The first results of that many people; their queueIds."""
        return [self.result(self._person(known=known)) for _ in range(number)]

    def _person(self, *, known: bool) -> Person:
        number = len(self.people)
        person = Person(number, str(UUID(int=number + 1, version=4)), known)
        self.people.append(person)
        if known:
            self.meet(person)
        return person

    def meet(self, person: Person) -> None:
        """The CRM gets to know somebody."""
        person.known = True
        self.simulator.world.add_person(
            {"ProspectID": person.prospect, "EmailAddress": f"p{person.number}@example.com"}
        )

    def result(self, person: Person, queue_id: str | None = None) -> str:
        """A newer result than all before, of a new queueId or of one that is known; the queueId."""
        tick = next(self._clock)
        person.mark = f"p{person.number}-{tick}"
        reply: dict[str, Any] = {
            "status": "Approved",
            "processed": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_772_000_000 + 60 * tick)),
            "lead": {
                "email": f"p{person.number}@example.com",
                "prospect": person.prospect,
                "mark": person.mark,
            },
        }
        if queue_id:
            reply["queueId"] = queue_id
        queue_id = self.simulator.world.add_lead(reply)
        self.results[queue_id] = person
        return queue_id

    def drop(self, queue_ids: Sequence[str], name: str = "dropped.jsonl") -> Path:
        """Put a file of queueIds into the inbox, long settled."""
        inbox = self.bridge.state / "inbox"
        inbox.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = inbox / name
        partial = path.with_name(f"{name}.part")
        partial.write_text("".join(f'{{"queueId": "{queue_id}"}}\n' for queue_id in queue_ids))
        settle(partial)
        return partial.replace(path)

    def fired(self) -> Counter[tuple[str, str]]:
        """How often automations were fired, for each person and mark."""
        world = self.simulator.world
        world.settle(world.clock())
        return Counter((write.prospect, write.fields["mx_Buyer"]) for write in world.writes if write.fired)


def settle(path: Path) -> None:
    """Make a file look as if it was written some time ago."""
    os.utime(path, (time.time() - 60, time.time() - 60))
