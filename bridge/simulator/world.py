"""Everything the simulated vendors know, and a record of all that was asked of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any, Final, Literal

from bridge.simulator.campaign import Campaign
from bridge.simulator.crm import Crm, Refusal, unknown_attributes
from bridge.simulator.faults import Faults
from bridge.simulator.journal import Operation
from bridge.simulator.limits import Limiter, Limits
from bridge.simulator.queue import Profile, QueueLead
from bridge.simulator.records import HOSTS, Records
from bridge.simulator.schema import SCHEMA, Field
from bridge.simulator.tasks import Tasks
from bridge.simulator.webhooks import WebhookCall, Webhooks
from bridge.simulator.writes import BulkOptions, Edit, Write

PERMISSIONS: Final = frozenset(
    {"API queue", "Leads > Submit", "Leads > Update", "Update Payout/Revenue", "Quarantine > Process"}
)
PRINTED: Final = Limits(calls=25, seconds=5.0)
"""What both LeadSquared pages print: "API calls exceeded the limit of 25 in 5 second(s)"."""


class World(Records):
    """State and settings of both simulated accounts; every part may be read or changed while they are served.

    `campaign`: what LeadByte's write operations go by and have done; `operations`, `repeated`: a record of them.

    `writes`: every update by API that was accepted, in order; `edits`: every one by the sales team. `hooks`: LeadSquared's
    webhooks. `unknown`: queueId → the CRM lead that is yet to be created. `unwritable`: ProspectIDs that the user of the
    key may not update. `region_host`: the host the account really lives on, where the calls go to a wrong one.
    `answer_delay`: host → seconds before each answer. `people`: how many people `populate` has made up. `elsewhere`: the
    URL that redirects lead to. `disorder`: what the order of unsorted rows is drawn from.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        clock: Callable[[], float] = time.time,
        profile: Profile | None = None,
        schema: Iterable[Field] = SCHEMA,
    ) -> None:
        super().__init__()
        self.rng = Random(seed)
        self.disorder = Random(seed)
        self.clock = clock
        self.profile = profile or Profile()
        self.queue: dict[str, QueueLead] = {}
        self.campaign = Campaign(self.queue)
        self.people = 0
        self.crm = Crm(self.rng, schema)
        self.tasks = Tasks(self.rng)
        self.bulk = BulkOptions()
        self.hooks = Webhooks(Random(seed))
        self.writes: list[Write] = []
        self.edits: list[Edit] = []
        self.faults = Faults()
        self.unknown: dict[str, dict[str, str]] = {}
        self.unwritable: set[str] = set()
        self.region_host: str | None = None
        self.answer_delay: dict[str, float] = {}
        self.elsewhere = ""
        self._limiters = {name: Limiter() for name in HOSTS}
        self._make_keys()

    def _make_keys(self) -> None:
        def token(bits: int) -> str:
            return f"{self.rng.getrandbits(bits):0{bits // 4}x}"

        self.leadbyte_key = token(128)
        self.leadbyte_keys: dict[str, frozenset[str]] = {self.leadbyte_key: PERMISSIONS}
        self.access_key = f"u$r{token(128)}"
        self.secret_key = f"{token(64)}$cr{token(64)}"
        self.async_api_key = f"{token(80)}$k{token(80)}"
        self.limit("leadsquared", PRINTED)
        self.limit("leadsquared_async", PRINTED)

    # setting up
    def limit(self, host: str, limits: Limits) -> None:
        """Put a limit on a host; its window begins empty."""
        self._limiters[host] = Limiter(limits)

    def limiter(self, host: str) -> Limiter:
        return self._limiters[host]

    def fail_next(self, kind: str, times: int = 1, at: str = "") -> None:
        """The next `times` calls at `at` (host, or host.endpoint, or anywhere) go wrong; see `faults.KINDS`."""
        self.faults.fail_next(kind, times, at)

    def add_lead(
        self,
        reply: Mapping[str, Any],
        *,
        ready_after: float = 0.0,
        queued_polls: int = 0,
        quarantined_for: float = 0.0,
        profile: Profile | None = None,
    ) -> str:
        """Put a submitted lead into LeadByte's queue; returns its queueId (`reply["queueId"]` or a new one).

        `reply` holds status, processed, response and sections by their usual names, whatever shape they are shown in.
        It is queued for `ready_after` seconds and for `queued_polls` polls, then quarantined for `quarantined_for`.
        """
        now = self.clock()
        queue_id = str(reply.get("queueId") or self.new_queue_id(now))
        ready_at = now + ready_after
        lead = self.queue[queue_id] = QueueLead(
            queue_id,
            {name: value for name, value in reply.items() if name != "queueId"},
            ready_at,
            queued_polls,
            ready_at + quarantined_for if quarantined_for else 0.0,
            profile,
        )
        self.campaign.enter(lead)
        return queue_id

    def new_queue_id(self, now: float) -> str:
        """In LeadByte's form: 8-8-8-4-8 hex digits, the third group being the time."""
        bits = self.rng.getrandbits(112)
        return f"{bits >> 80:08x}-{bits >> 48 & 0xFFFFFFFF:08x}-{int(now):08x}-{bits >> 32 & 0xFFFF:04x}-{bits & 0xFFFFFFFF:08x}"

    def add_person(self, values: Mapping[str, str]) -> str:
        """Create a lead in the CRM; returns its ProspectID. Raises ValueError where a value is not acceptable."""
        return self.crm.create(values, self.clock())

    def create_unknown(self) -> int:
        """Create the leads in the CRM that it did not know; returns how many. People with several queueIds count once."""
        now = self.clock()
        people = {values["ProspectID"]: values for values in self.unknown.values()}
        for values in people.values():
            self.crm.create(values, now)
        self.unknown.clear()
        return len(people)

    # while serving
    def settle(self, now: float) -> None:
        """Apply the async updates whose time has come, and judge the LeadByte leads that were queued again."""
        self.campaign.settle(now)
        for task in self.tasks.due(now):
            if task.refusal:
                continue
            prospect = self.crm.find("ProspectID", task.prospect)
            if prospect is None or prospect in self.unwritable:
                task.refusal = Refusal("MXInvalidEntityException", "Lead does not exist in the system")
                continue
            unknown = self.crm.unknown_names(task.fields)
            if unknown:
                task.refusal = unknown_attributes(unknown)
                continue
            task.refusal = self.write("async", prospect, task.fields, task.due_at, fired=task.fires)

    def write(
        self,
        via: Literal["bulk", "async"],
        prospect: str,
        fields: Mapping[str, str],
        now: float,
        *,
        fired: bool = False,
    ) -> Refusal | None:
        """Update a lead and log it, or say why not. All attributes must be known."""
        refusal = self._update(prospect, fields, now, fires=fired or via == "bulk")
        if refusal is None:
            self.writes.append(Write(len(self.writes) + 1, now, via, prospect, fields, fired))
        return refusal

    def _update(self, prospect: str, fields: Mapping[str, str], now: float, *, fires: bool) -> Refusal | None:
        if not (fires and self.hooks.urls):
            return self.crm.update(prospect, fields, now)
        before = self.crm.flat(prospect)
        refusal = self.crm.update(prospect, fields, now)
        if refusal is None:
            self.hooks.changed(prospect, before, self.crm.flat(prospect))
        return refusal

    # the sales team
    def edit(self, prospect: str, values: Mapping[str, str]) -> None:
        """Somebody changes a lead by its ProspectID; webhooks are told. Raises ValueError where there is no such lead, or a
        value is not acceptable: then nothing is written."""
        now = self.clock()
        self.settle(now)
        if prospect not in self.crm.leads:
            raise ValueError("there is no lead with this ProspectID")
        unknown = self.crm.unknown_names(values)
        refusal = unknown_attributes(unknown) if unknown else self._update(prospect, values, now, fires=True)
        if refusal:
            raise ValueError(str(refusal))
        self.edits.append(Edit(len(self.edits) + 1, now, prospect, dict(values)))

    def touch(self, prospect: str) -> None:
        """Somebody adds an activity to a lead: it counts as modified, and nothing of it changes."""
        self.crm.touch(prospect, self.clock())

    @property
    def webhooks(self) -> list[str]:
        """The URLs that are told of every lead that is updated; may be added to."""
        return self.hooks.urls

    @property
    def webhook_log(self) -> list[WebhookCall]:
        """Every call of a webhook, in order."""
        return self.hooks.log

    # looking back
    @property
    def operations(self) -> list[Operation]:
        """What LeadByte was told to do to its leads and did, in order."""
        return self.campaign.journal.operations

    @property
    def repeated(self) -> int:
        """How often a trigger, reprocess, release or reject came again for one lead with the same values."""
        return self.campaign.journal.repeated

    def summary(self) -> dict[str, dict[str, int]]:
        """What the CRM now holds: how many leads in all, and by value of the fields that the bridge fills ("": empty)."""
        self.settle(self.clock())
        names = ("mx_Outcome", "mx_Buyer", "mx_Source", "ProspectStage")
        return {"leads": {"total": len(self.crm.leads)}} | {name: self.crm.counts(name) for name in names}

    def stats(self) -> dict[str, Any]:
        """Counters for people and other processes."""
        faults = {f"{place} {kind}": number for (place, kind), number in sorted(self.faults.happened.items())}
        return {
            "calls": self.called_by_name(),
            "busiest": dict(self.busiest),
            "faults": faults,
            "queued": len(self.queue),
            "writes": len(self.writes),
            "edits": len(self.edits),
            "webhooks": len(self.hooks.log),
            "operations": dict(self.campaign.journal.counts()),
            "repeated": self.repeated,
            "doubled": self.doubled,
            "overlaps": self.tasks.overlaps,
            "strays": dict(self.strays),
            "unknown": len(self.unknown),
            "summary": self.summary(),
        }
