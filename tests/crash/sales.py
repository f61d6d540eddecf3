"""A sales team at work: people with a lead in LeadByte, and edits in the CRM that ask for operations there."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final
from urllib.parse import quote

from tests.system.conftest import TOKEN, Bridge, Simulator

FORWARD: Final = """\
version: 1
leadsquared: {mode: bulk, search_by: EmailAddress}
fields:
  EmailAddress: lead.email
  mx_LeadByte_Id: leadId
  mx_Outcome: {from: status, values: {Approved: Sold, Rejected: Lost}}
"""
BACK: Final = {
    "release": """\
when: "ProspectStage == 'Qualified' && mx_Outcome == 'Quarantined'"
quarantine_id: learned
update: {postcode: mx_Postcode}
action: release
""",
    "reject": """\
when: "ProspectStage == 'Unqualified' && mx_Outcome == 'Quarantined'"
quarantine_id: learned
action: reject
""",
    "reprocess": """\
when: "ProspectStage == 'Opportunity'"
lead_id: mx_LeadByte_Id
update: {postcode: mx_Postcode}
action: reprocess
""",
    "trigger": """\
when: "ProspectStage == 'Sold'"
lead_id: mx_LeadByte_Id
update: {postcode: mx_Postcode}
trigger_deliveries: ["1053"]
""",
    "city": """\
lead_id: mx_LeadByte_Id
update: {towncity: mx_City}
""",
    "money": """\
lead_id: mx_LeadByte_Id
financials: {payout: mx_Payout, revenue: mx_Revenue, buyer: "33"}
""",
}
"""One file for each use. The first four act once more each time they are sent."""

STAGES: Final = {
    "release": "Qualified",
    "reject": "Unqualified",
    "reprocess": "Opportunity",
    "trigger": "Sold",
}
"""Which stage in the CRM asks for what."""

ENDPOINTS: Final = {"release": "leads", "reject": "quarantine", "reprocess": "leads", "trigger": "leads"}
ONCE: Final = frozenset(STAGES)
SENT: Final = """
SELECT i.queue_id, d.id, d.mapping, d.state, d.stage, coalesce(d.reason, '') AS reason, d.lane, d.fields
FROM delivery d JOIN queue_item i ON i.id = d.item_id WHERE d.target = 'leadbyte' ORDER BY d.id
"""

Done = tuple[str, str, str]
"""What was done to which lead with which values."""


@dataclass(frozen=True)
class Party:
    """Somebody with a lead in LeadByte that is valid, or held in quarantine."""

    prospect: str
    queue_id: str
    held: bool


@dataclass(frozen=True)
class Sent:
    """A delivery to LeadByte. `told`: what it does there once more each time it is sent."""

    queue_id: str
    id: int
    mapping: str
    state: str
    stage: str
    reason: str
    told: tuple[Done, ...]


@dataclass
class Sales:
    """Both directions at work: queue results come to the CRM, and what the sales team says there goes to LeadByte."""

    bridge: Bridge
    simulator: Simulator
    parties: list[Party] = field(default_factory=list)
    marks: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.simulator.world.campaign.rules.duplicate_by = ()
        self.bridge.mapping.unlink()
        (self.bridge.mappings / "forward.yaml").write_text(FORWARD)
        for name, text in BACK.items():
            (self.bridge.mappings / f"{name}.yaml").write_text(f"version: 1\ndirection: feedback\n{text}")

    def meet(self, number: int, *, held: bool) -> list[Party]:
        """That many more people; their leads are tracked."""
        return [self._meet(held=held) for _ in range(number)]

    def _meet(self, *, held: bool) -> Party:
        number, world = len(self.parties), self.simulator.world
        email = f"p{number}@example.com"
        lead: dict[str, Any] = {"processed": "2026-03-02T16:03:04Z", "lead": {"email": email}}
        if held:
            queue_id = world.add_lead({"status": "Quarantined", **lead}, quarantined_for=1e6)
        else:
            response = {"code": 1, "response": "OK", "info": [], "leadId": 7_000_000 + number}
            queue_id = world.add_lead({"status": "Approved", "response": response, **lead})
        party = Party(world.add_person({"EmailAddress": email}), queue_id, held)
        self.parties.append(party)
        self.bridge.track(queue_id)
        return party

    def lead_id(self, party: Party) -> str:
        """The id by which LeadByte finds somebody's lead now: of a quarantined one, its quarantineId."""
        lead = self.simulator.world.queue[party.queue_id]
        return str(lead.quarantine_id if party.held else lead.reply["response"]["leadId"])

    def mark(self) -> str:
        """A value that was never there before."""
        return f"M{next(self.marks)}"

    def asks(self, party: Party, what: str) -> None:
        """The sales team moves a lead to the stage that asks for this, with a postcode that is new."""
        self.simulator.world.edit(party.prospect, {"ProspectStage": STAGES[what], "mx_Postcode": self.mark()})

    def did(self) -> Counter[Done]:
        """How often LeadByte did what acts once more each time it is sent."""
        operations = self.simulator.world.operations
        return Counter((one.kind, one.id, values_of(one.values)) for one in operations if one.kind in ONCE)

    def sent(self, *states: str) -> list[Sent]:
        """The deliveries to LeadByte, those in these states where any are named."""
        with closing(sqlite3.connect(self.bridge.database)) as database:
            database.row_factory = sqlite3.Row
            rows = [_sent(row) for row in database.execute(SENT)]
        return [one for one in rows if not states or one.state in states]

    def done(self, one: Sent) -> bool:
        """Whether LeadByte did all of it, as a person sees it there."""
        did = self.did()
        return all(did[told] for told in one.told)

    @property
    def calls(self) -> int:
        """How many calls LeadByte had that change something."""
        world = self.simulator.world
        return sum(world.called("leadbyte", endpoint=name) for name in ("leads", "quarantine", "financials"))


def _sent(row: sqlite3.Row) -> Sent:
    told = tuple(_told(row["lane"] or "", json.loads(row["fields"])))
    return Sent(*(row[name] for name in ("queue_id", "id", "mapping", "state", "stage", "reason")), told)


def _told(lane: str, fields: Mapping[str, str]) -> Iterator[Done]:
    """As the pages name it, not as the bridge does."""
    if "|once|" not in lane:
        return
    id_ = fields.get("lead_id") or fields["quarantine_id"]
    update = {
        name.removeprefix("update."): text for name, text in fields.items() if name.startswith("update.")
    }
    for delivery in filter(None, fields.get("trigger_deliveries", "").split(",")):
        yield "trigger", id_, values_of({**update, "triggerDeliveryId": delivery})
    if "action" in fields:
        words = {"process": "release"}
        yield words.get(fields["action"], fields["action"]), id_, values_of(update)


def values_of(values: Mapping[str, Any]) -> str:
    """The spelling by which values are compared."""
    return json.dumps(dict(values), sort_keys=True)


def free_port() -> int:
    """One that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listening(port: int) -> dict[str, str]:
    """The settings of a bridge that LeadSquared's webhook reaches."""
    return {"BRIDGE_SERVER__LISTEN": f"127.0.0.1:{port}", "BRIDGE_SERVER__WEBHOOK_TOKEN": TOKEN}


def webhook(port: int) -> str:
    """Where it reaches it."""
    return f"http://127.0.0.1:{port}/v1/webhooks/leadsquared/{quote(TOKEN, safe='')}"
