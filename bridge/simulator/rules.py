"""What becomes of a lead that goes through LeadByte's queue again: duplication, caps and sale. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple

from bridge.model import Json
from bridge.simulator.queue import SECTIONS

BUYER: Final[Mapping[str, Json]] = {"id": 33, "name": "Sunrise Solar Ltd", "revenue": "42.50"}


class Refusal(NamedTuple):
    """Why a lead is rejected: the `code`, `response` and `info` of its reply."""

    code: int
    response: str
    info: str


CAPPED: Final = Refusal(-4, "Cap reached", "daily cap of the campaign reached")
DUPLICATE: Final = Refusal(-2, "Duplicate", "already submitted")
REJECTED: Final = Refusal(-5, "Rejected", "rejected from quarantine")


@dataclass
class Rules:
    """May be changed while it is served; applied when a lead's time in the queue is over.

    `seconds`: how long a reprocess, release or reject takes. `required`: fields without which it is
    rejected. `duplicate_by`: it is rejected where another approved lead has the same value in one of these. `cap`: how
    many more leads are taken (None: any number). `buyer`: who buys it; None: nobody, it is "Unsold". `valid`: the status
    words of leads that may be updated.
    """

    seconds: float = 0.0
    required: tuple[str, ...] = ()
    duplicate_by: tuple[str, ...] = ("email",)
    cap: int | None = None
    buyer: Mapping[str, Json] | None = field(default_factory=lambda: BUYER)
    valid: frozenset[str] = frozenset({"Approved"})

    def refusal(self, data: Mapping[str, Json], others: Iterable[Mapping[str, Json]]) -> Refusal | None:
        """Why a lead with this data is rejected beside `others`, the data of all approved ones; None where it is not."""
        missing = [name for name in self.required if not _plain(data.get(name))]
        if missing:
            return Refusal(-5, "Validation failed", f"{missing[0]} is required")
        if any(_same(data, other, name) for other in others for name in self.duplicate_by):
            return DUPLICATE
        return CAPPED if self.cap is not None and self.cap <= 0 else None


def _same(data: Mapping[str, Json], other: Mapping[str, Json], name: str) -> bool:
    value = _plain(data.get(name))
    return bool(value) and value == _plain(other.get(name))


def _plain(value: Json) -> str:
    return "" if value is None else str(value).strip().casefold()


def moment(at: float) -> str:
    """A time as LeadByte's replies write it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def approved(
    reply: Mapping[str, Json], buyer: Mapping[str, Json] | None, lead_id: int, at: float
) -> dict[str, Json]:
    """The reply of a lead that is valid from now on: sold to `buyer`, or unsold."""
    response = {"code": 1, "response": "OK", "info": [], "leadId": lead_id} | (
        {"payout": "Complete"} if buyer else {}
    )
    sent = [{"id": 1053, "name": "CRM post", "status": "Success", "buyer": buyer["name"]}] if buyer else []
    return {
        **_kept(reply),
        "status": "Approved" if buyer else "Unsold",
        "processed": moment(at),
        "response": response,
        "deliveries": sent,
        "buyer": dict(buyer) if buyer else None,
    }


def rejected(reply: Mapping[str, Json], refusal: Refusal, rejection_id: int, at: float) -> dict[str, Json]:
    """The reply of a lead that is refused; it has a rejectionId and no leadId."""
    response = {
        "code": refusal.code,
        "response": refusal.response,
        "info": [refusal.info],
        "leadId": None,
        "rejectionId": rejection_id,
    }
    return {
        **_kept(reply),
        "status": "Rejected",
        "processed": moment(at),
        "response": response,
        "deliveries": [],
        "buyer": None,
    }


def _kept(reply: Mapping[str, Json]) -> dict[str, Json]:
    """What does not change when a lead is processed again: campaign, supplier, the lead's data."""
    return {name: reply[name] for name in SECTIONS if name in reply}
