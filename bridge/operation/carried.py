"""An operation as a delivery carries it: a lane, and texts by name. Pure.

The names are those of a feedback mapping: `lead_id` or `quarantine_id` (the key), `update.FIELD`, `action`,
`trigger_deliveries` (ids joined by commas), `financials.payout`, `.revenue`, `.buyer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal, cast

from bridge.errors import LeadUnmappable
from bridge.model import LEADBYTE, Lane, Mapped
from bridge.operation.values import (
    Financials,
    LeadUpdate,
    Operation,
    QuarantineProcess,
    QuarantineUpdate,
    amount,
)

LEAD_ID: Final = "lead_id"
QUARANTINE_ID: Final = "quarantine_id"
UPDATE: Final = "update."
ACTION: Final = "action"
TRIGGER: Final = "trigger_deliveries"
FINANCIALS_KEYS: Final = ("payout", "revenue", "buyer")
RELEASE: Final = "release"
PROCESS: Final = "process"
"""LeadByte's own word for a release."""

Release = Literal["process", "reject"]


def carried(operation: Operation) -> Mapped:
    """The lane, the key and the texts of an operation on one lead. Every text says something: none is empty but values
    of `update.`, which may blank a field."""
    kind, fields = _told(operation)
    lane = Lane(LEADBYTE, kind, "set" if operation.repeatable else "once")
    return Mapped(fields, (next(iter(fields)),), lane)


def _told(operation: Operation) -> tuple[str, dict[str, str]]:
    """The kind of an operation and its texts, the key first."""
    if isinstance(operation, Financials):
        (lead_id,) = operation.lead_ids
        return "financials", {LEAD_ID: lead_id, **_money(operation)}
    if isinstance(operation, LeadUpdate):
        triggered = {TRIGGER: ",".join(operation.trigger)} if operation.trigger else {}
        own = {LEAD_ID: operation.lead_id, **_update(operation.fields)}
        return "lead", {**own, **_acted(operation.action), **triggered}
    own = {QUARANTINE_ID: operation.quarantine_id}
    if isinstance(operation, QuarantineUpdate):
        return "quarantine", {**own, **_update(operation.fields), **_acted(operation.action)}
    return "process", {**own, **_acted(operation.action)}


def restored(lane: Lane, fields: Mapping[str, str]) -> Operation:
    """The operation that a delivery carries. Raises LeadUnmappable where it is not fit to be sent: also where not all of
    its texts would be, or where it acts each time and its lane lets it be sent twice.
    """
    operation = _operation(lane.search_by, fields)
    if carried(operation).fields.keys() != fields.keys():
        raise LeadUnmappable("the delivery carries what is no part of its operation: nothing of it was sent")
    if lane.repeatable and not operation.repeatable:
        raise LeadUnmappable(
            "the operation acts each time it is sent, but its delivery may be sent twice: not sent"
        )
    return operation


def _operation(kind: str, fields: Mapping[str, str]) -> Operation:
    action = fields.get(ACTION, "")
    if kind == "financials":
        return _financials(fields)
    update = {name.removeprefix(UPDATE): text for name, text in fields.items() if name.startswith(UPDATE)}
    if kind == "lead":
        trigger = tuple(fields[TRIGGER].split(",")) if fields.get(TRIGGER) else ()
        return LeadUpdate(fields.get(LEAD_ID, ""), update, cast("Literal['', 'reprocess']", action), trigger)
    release = cast("Release", PROCESS if action == RELEASE else action)
    quarantine_id = fields.get(QUARANTINE_ID, "")
    if update:
        return QuarantineUpdate(quarantine_id, update, release)
    return QuarantineProcess(quarantine_id, release)


def _update(fields: Mapping[str, str]) -> dict[str, str]:
    return {f"{UPDATE}{name}": text for name, text in fields.items()}


def _acted(action: str) -> dict[str, str]:
    return {ACTION: RELEASE if action == PROCESS else action} if action else {}


def _money(operation: Financials) -> dict[str, str]:
    amounts = {"payout": operation.payout, "revenue": operation.revenue}
    told = {name: f"{value.copy_abs():.2f}" for name, value in amounts.items() if value is not None}
    told |= {"buyer": operation.buyer} if operation.buyer else {}
    return {f"financials.{name}": text for name, text in told.items()}


def _financials(fields: Mapping[str, str]) -> Financials:
    payout, revenue = (_amount(fields, name) for name in ("payout", "revenue"))
    lead_ids = (fields.get(LEAD_ID, ""),)
    return Financials(lead_ids, payout, revenue, fields.get("financials.buyer", ""))


def _amount(fields: Mapping[str, str], name: str) -> Decimal | None:
    text = fields.get(f"financials.{name}")
    return None if text is None else amount(name, text)
