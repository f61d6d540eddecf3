"""LeadByte's side of the write operations: which lead an id means, what state it is in, and what is done to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from bridge.model import Json
from bridge.simulator.journal import Journal
from bridge.simulator.queue import QueueLead
from bridge.simulator.rules import REJECTED, Refusal, Rules, approved, moment, rejected

FIELDS: Final = frozenset(
    [
        "title",
        "firstname",
        "lastname",
        "email",
        "phone1",
        "phone2",
        "phone3",
        "street1",
        "street2",
        "towncity",
        "county",
        "postcode",
        "dob",
        "gender",
        "ipaddress",
        "source",
        "ssid",
        "c1",
        "c2",
        "c3",
        "optin",
        "optinurl",
        "comments",
    ]
)
"""A campaign's lead fields besides those that the lead itself was submitted with."""

IdName: TypeAlias = Literal["leadId", "quarantineId", "rejectionId"]
_IDS: Final[Mapping[IdName, int]] = {
    "leadId": 9_000_001,
    "quarantineId": 8_419_715,
    "rejectionId": 9_000_001,
}
"""The first number of each kind; the quarantineId is the one of the quarantine page's samples."""


@dataclass(frozen=True, slots=True)
class Booking:
    """A lead's money as it was last set, exactly as sent; None: never set. `buyer`: the BID."""

    payout: Decimal | None = None
    revenue: Decimal | None = None
    buyer: str | None = None


class _Again(NamedTuple):
    due_at: float
    order: int
    action: Literal["reprocess", "release", "reject"]
    lead: QueueLead


class Campaign:
    """Leads by the ids that polls show of them; every part may be read or changed while it is served.

    `fields`: names an update may set besides those of the lead's own data. `manual`: deliveries set to "manually via the
    REST API", id → name. `booked`: leadId → the money that was set by financials.
    """

    def __init__(self, queue: Mapping[str, QueueLead]) -> None:
        self.rules = Rules()
        self.journal = Journal()
        self.fields = set(FIELDS)
        self.manual = {"1053": "CRM post", "1054": "E-mail"}
        self.booked: dict[str, Booking] = {}
        self._queue = queue
        self._ids: dict[tuple[IdName, str], str] = {}
        self._free = {name: count(first) for name, first in _IDS.items()}
        self._again: list[_Again] = []
        self._order = 0

    # ids
    def enter(self, lead: QueueLead) -> None:
        """Make a lead of the queue known by its leadId and quarantineId."""
        if lead.quarantined_until:
            lead.quarantine_id = lead.quarantine_id or self.new_id("quarantineId")
            self._ids["quarantineId", str(lead.quarantine_id)] = lead.queue_id
        for name in _IDS:
            value = _response(lead.reply).get(name)
            if value is not None:
                self._ids[name, str(value)] = lead.queue_id

    def new_id(self, name: IdName) -> int:
        """The next id that no lead of the queue has."""
        number = next(number for number in self._free[name] if (name, str(number)) not in self._ids)
        self._ids[name, str(number)] = ""
        return number

    def lead(self, lead_id: str) -> QueueLead | None:
        """The lead that has or had this leadId."""
        return self._queue.get(self._ids.get(("leadId", lead_id), ""))

    def held(self, quarantine_id: str, now: float) -> QueueLead | None:
        """The lead with this quarantineId, where it is quarantined now."""
        lead = self._queue.get(self._ids.get(("quarantineId", quarantine_id), ""))
        return lead if lead and status(lead, now) == "Quarantined" else None

    # what is done to leads
    def set_fields(self, lead: QueueLead, values: Mapping[str, Json]) -> None:
        lead.reply = {**lead.reply, "lead": {**data(lead), **values}}

    def trigger(self, lead: QueueLead, delivery: str) -> None:
        """Send a lead to a delivery that is triggered by hand; the poll shows it among the deliveries."""
        number = int(delivery) if delivery.isdecimal() else delivery
        sent = {"id": number, "name": self.manual[delivery], "status": "Success"}
        lead.reply = {**lead.reply, "deliveries": [*(lead.reply.get("deliveries") or ()), sent]}

    def queue_again(
        self, lead: QueueLead, action: Literal["reprocess", "release", "reject"], now: float
    ) -> None:
        """The lead is in process until `rules.seconds` later, and then judged by the rules."""
        self._order += 1
        lead.process(now)
        self._again.append(_Again(now + self.rules.seconds, self._order, action, lead))

    def book(self, lead_id: str, booking: Booking) -> None:
        """Set a lead's money; what the booking leaves out stays as it was."""
        old = self.booked.get(lead_id, Booking())
        self.booked[lead_id] = Booking(
            old.payout if booking.payout is None else booking.payout,
            old.revenue if booking.revenue is None else booking.revenue,
            old.buyer if booking.buyer is None else booking.buyer,
        )

    def settle(self, now: float) -> None:
        """Judge the leads whose time in the queue is over, in its order."""
        due = sorted(again for again in self._again if again.due_at <= now)
        self._again = [again for again in self._again if again.due_at > now]
        for again in due:
            self._judge(again)

    def _judge(self, again: _Again) -> None:
        lead = again.lead
        refusal = REJECTED if again.action == "reject" else self._refusal(lead, again.due_at)
        lead.judged(self._reply(lead, refusal, again.due_at))
        self.enter(lead)

    def _refusal(self, lead: QueueLead, at: float) -> Refusal | None:
        refusal = self.rules.refusal(data(lead), self._others(at))
        if refusal is None and self.rules.cap is not None:
            self.rules.cap -= 1
        return refusal

    def _others(self, at: float) -> Iterator[Mapping[str, Json]]:
        """The data of all approved leads; the one that is being judged is still in the queue."""
        return (data(lead) for lead in self._queue.values() if status(lead, at) == "Approved")

    def _reply(self, lead: QueueLead, refusal: Refusal | None, at: float) -> Mapping[str, Json]:
        """A lead that comes with a reply of its own for later keeps that one, as of now."""
        if refusal:
            return rejected(lead.reply, refusal, self.new_id("rejectionId"), at)
        if lead.reply.get("status") == "Quarantined":
            return approved(lead.reply, self.rules.buyer, self.new_id("leadId"), at)
        return {**lead.reply, "processed": moment(at)}


def status(lead: QueueLead, now: float) -> str | None:
    """The lead's status word; None while it is queued or in process."""
    shown = lead.peek(now)
    return None if shown is None else str(shown.get("status"))


def data(lead: QueueLead) -> Mapping[str, Json]:
    """The lead's fields."""
    fields = lead.reply.get("lead")
    return fields if isinstance(fields, dict) else {}


def _response(reply: Mapping[str, Json]) -> dict[str, Any]:
    response = reply.get("response")
    return response if isinstance(response, dict) else {}
