"""What LeadByte can be told to do to a lead, as values. Pure.

Pages: "Update Leads via REST API", "Update and processing quarantine leads via REST API". The requests that say it are
made in `leadbyte.operations`, from deliveries by way of `carried`. A value that exists is fit to be sent: making one raises
LeadUnmappable, with a reason that holds none of the values, for what no request may say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from bridge.errors import LeadUnmappable
from bridge.model import Json

LEADS_UPDATE: Final = "Leads > Update"
QUARANTINE_PROCESS: Final = "Quarantine > Process"
FINANCIALS: Final = "Update Payout/Revenue"

_ID: Final = re.compile(r"(?=.*[0-9])[A-Za-z0-9_-]{1,64}")
_DELIVERY: Final = re.compile(r"[0-9]{1,20}")
_AMOUNT: Final = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")
_PENNY: Final = Decimal("0.01")
_TOO_MUCH: Final = Decimal(10**12)


@dataclass(frozen=True, slots=True)
class LeadUpdate:
    """Set fields of a valid lead, and then `reprocess` it or trigger deliveries, or both.

    `fields`: LeadByte field to text, never empty (no page shows an update without one). `trigger`: ids of deliveries that
    are set to be triggered by the REST API.
    """

    lead_id: str
    fields: Mapping[str, str] = field(repr=False)
    action: Literal["", "reprocess"] = ""
    trigger: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_ids("lead_id", (self.lead_id,), _ID)
        _check_action(self.action, ("", "reprocess"))
        _check_fields(self.fields)
        _check_ids("trigger_deliveries", self.trigger, _DELIVERY)

    @property
    def repeatable(self) -> bool:
        """Whether a lost answer may be followed by the same call."""
        return not self.action and not self.trigger

    @property
    def needs(self) -> tuple[str, ...]:
        """The permissions that the key must have, in LeadByte's words."""
        return (LEADS_UPDATE,)

    @property
    def key(self) -> tuple[str, str]:
        """What its record in an answer is known by: the member, in lower case, and its value."""
        return ("id", self.lead_id)

    def body(self) -> dict[str, Json]:
        """Its entry in `leads`."""
        trigger: dict[str, Json] = {"triggerDeliveryIds": list(self.trigger)} if self.trigger else {}
        if len(self.trigger) == 1:
            trigger = {"triggerDeliveryId": self.trigger[0]}
        action = {"action": self.action} if self.action else {}
        return {"id": self.lead_id, **action, **trigger, "update": dict(self.fields)}


@dataclass(frozen=True, slots=True)
class QuarantineUpdate:
    """Set fields of a quarantined lead, and then release (`process`) or `reject` it. `fields`: as of LeadUpdate."""

    quarantine_id: str
    fields: Mapping[str, str] = field(repr=False)
    action: Literal["", "process", "reject"] = ""

    def __post_init__(self) -> None:
        _check_ids("quarantine_id", (self.quarantine_id,), _ID)
        _check_action(self.action, ("", "process", "reject"))
        _check_fields(self.fields)

    @property
    def repeatable(self) -> bool:
        """Whether a lost answer may be followed by the same call."""
        return not self.action

    @property
    def needs(self) -> tuple[str, ...]:
        """The permissions that the key must have: for an action in the same request, both."""
        return (LEADS_UPDATE, QUARANTINE_PROCESS) if self.action else (LEADS_UPDATE,)

    @property
    def key(self) -> tuple[str, str]:
        """What its record in an answer is known by: the member, in lower case, and its value."""
        return ("quarantineid", self.quarantine_id)

    def body(self) -> dict[str, Json]:
        """Its entry in `leads`."""
        action = {"action": self.action} if self.action else {}
        return {"quarantineId": self.quarantine_id, "update": dict(self.fields), **action}


@dataclass(frozen=True, slots=True)
class QuarantineProcess:
    """Release (`process`) or `reject` a quarantined lead as it is."""

    quarantine_id: str
    action: Literal["process", "reject"]

    def __post_init__(self) -> None:
        _check_ids("quarantine_id", (self.quarantine_id,), _ID)
        _check_action(self.action, ("process", "reject"))

    @property
    def repeatable(self) -> bool:
        """Never: a second release would process the lead again."""
        return False

    @property
    def needs(self) -> tuple[str, ...]:
        """The permissions that the key must have, in LeadByte's words."""
        return (QUARANTINE_PROCESS,)


@dataclass(frozen=True, slots=True)
class Financials:
    """Set the payout and the revenue, or one of them, of Approved leads.

    Amounts are whole pennies, not negative, below 10**12. `buyer`: the BID; "" leaves it as it is.
    """

    lead_ids: tuple[str, ...]
    payout: Decimal | None = None
    revenue: Decimal | None = None
    buyer: str = ""

    def __post_init__(self) -> None:
        _check_ids("lead_id", self.lead_ids or ("",), _ID)
        _check_amount("payout", self.payout)
        _check_amount("revenue", self.revenue)
        if self.payout is None and self.revenue is None:
            raise LeadUnmappable("financials: neither a payout nor a revenue to set")
        _check_ids("buyer", (self.buyer,) if self.buyer else (), _ID)

    @property
    def repeatable(self) -> bool:
        """Always: the same amounts set twice are the same amounts."""
        return True

    @property
    def needs(self) -> tuple[str, ...]:
        """The permissions that the key must have, in LeadByte's words."""
        return (FINANCIALS,)


Update: TypeAlias = LeadUpdate | QuarantineUpdate
Operation: TypeAlias = Update | QuarantineProcess | Financials


def amount(name: str, text: str) -> Decimal:
    """The amount that a text like `80.00` says, for Financials. `name`: what it is, for the reason.

    Plain digits with a point: a currency, separators of thousands and exponents raise LeadUnmappable.
    """
    if not _AMOUNT.fullmatch(text):
        raise LeadUnmappable(f"{name}: not an amount like 80.00")
    return Decimal(text)


def _check_action(action: str, allowed: Sequence[str]) -> None:
    if action not in allowed:
        raise LeadUnmappable(f"action: is {'none for such a lead' if action else 'missing'}")


def _check_amount(name: str, value: Decimal | None) -> None:
    if value is None:
        return
    if not value.is_finite():
        raise LeadUnmappable(f"{name}: not an amount like 80.00")
    if value < 0:
        raise LeadUnmappable(f"{name}: is negative")
    if value >= _TOO_MUCH:
        raise LeadUnmappable(f"{name}: has more than 12 digits before the point")
    if value != value.quantize(_PENNY):
        raise LeadUnmappable(f"{name}: has more than two decimals; amounts are never rounded")


def _check_ids(name: str, ids: Sequence[str], shape: re.Pattern[str]) -> None:
    allowed = "digits" if shape is _DELIVERY else "digits (letters, - and _ beside them at most)"
    if not all(map(shape.fullmatch, ids)):
        raise LeadUnmappable(f"{name}: is {'no id of ' + allowed if all(ids) else 'missing'}")
    if len(set(ids)) < len(ids):
        raise LeadUnmappable(f"{name}: the same id stands there twice")


def _check_fields(fields: Mapping[str, str]) -> None:
    if not fields:
        raise LeadUnmappable("update: no field to set; LeadByte's page shows no update without one")
    if not all(name.strip() and name.isprintable() for name in fields):
        raise LeadUnmappable("update: the name of a field is empty, or not printable")
