"""One element of `leads` in PUT /leads: read from the request, and answered. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from bridge.model import Json
from bridge.simulator.journal import Kind

ACTIONS: Final[Mapping[str, Mapping[str, Kind]]] = {
    "id": {"reprocess": "reprocess"},
    "quarantineId": {"process": "release", "reject": "reject"},
}
"""The actions of valid and of quarantined leads, and what they are called here."""


class EntryError(Exception):
    """One lead is refused; the text says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is asked for one lead. `sent`: its id as it was sent, a text or a number."""

    name: Literal["id", "quarantineId"]
    sent: str | int
    update: Mapping[str, Json]
    action: Kind | None
    triggers: tuple[str, ...]

    @property
    def lead(self) -> str:
        return str(self.sent)

    def orders(self) -> list[tuple[Kind, Mapping[str, Json]]]:
        """What acts once more each time it is sent, with what tells one order from another."""
        triggers: list[tuple[Kind, Mapping[str, Json]]] = [
            ("trigger", {**self.update, "triggerDeliveryId": delivery}) for delivery in self.triggers
        ]
        return [*triggers, (self.action, self.update)] if self.action else triggers


def read_entry(value: Json) -> Entry:
    """Raises EntryError where it is not one of the forms that the pages print."""
    if not isinstance(value, dict):
        raise EntryError("A lead must be an object")
    name = _name(value)
    entry = Entry(name, read_id(value[name], name), _update(value), _action(value, name), _triggers(value))
    if entry.triggers and name == "quarantineId":
        raise EntryError("Deliveries can only be triggered for valid leads")
    if not (entry.update or entry.orders()):
        raise EntryError("There is nothing to update")
    return entry


def read_id(value: Json, name: str) -> str | int:
    """An id as it was sent. Raises EntryError where it is neither a text nor a number."""
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise EntryError(f"Invalid {name}")
    return value


def _name(value: Mapping[str, Json]) -> Literal["id", "quarantineId"]:
    if ("id" in value) == ("quarantineId" in value):
        raise EntryError("Either id or quarantineId is required")
    return "id" if "id" in value else "quarantineId"


def _update(value: Mapping[str, Json]) -> dict[str, Json]:
    update = value.get("update") or {}
    if not isinstance(update, dict):
        raise EntryError("update must be an object")
    for name, text in update.items():
        if isinstance(text, (dict, list)):
            raise EntryError(f"Invalid value for field '{name}'")
    return update


def _action(value: Mapping[str, Json], name: str) -> Kind | None:
    action = value.get("action")
    if action is None:
        return None
    kind = ACTIONS[name].get(action) if isinstance(action, str) else None
    if kind is None:
        raise EntryError("Invalid action")
    return kind


def _triggers(value: Mapping[str, Json]) -> tuple[str, ...]:
    several = value.get("triggerDeliveryIds", [])
    if not isinstance(several, list):
        raise EntryError("triggerDeliveryIds must be an array")
    single = [value["triggerDeliveryId"]] if "triggerDeliveryId" in value else []
    return tuple(str(read_id(delivery, "triggerDeliveryId")) for delivery in (*single, *several))


def updated(entry: Entry, warnings: list[str]) -> dict[str, Json]:
    """The answer as printed; the one for quarantined leads shows no warnings, so it has them only where there are some."""
    if entry.name == "id":
        return {
            "id": entry.sent,
            "success": True,
            "message": "Lead updated",
            "warnings": warnings,
            "errors": [],
        }
    shown: dict[str, Json] = {
        "quarantineId": entry.sent,
        "success": True,
        "message": "Quarantine lead updated",
    }
    return {**shown, "warnings": warnings} if warnings else shown


def refused(value: Json, reason: str) -> dict[str, Json]:
    """The answer for a lead that is refused, in the form of the one for success: for a quarantined lead that has no
    `errors`, so the message says why."""
    if isinstance(value, dict) and "quarantineId" in value:
        return {"quarantineId": value["quarantineId"], "success": False, "message": reason}
    shown = {"id": value["id"]} if isinstance(value, dict) and "id" in value else {}
    return {**shown, "success": False, "message": "Lead not updated", "warnings": [], "errors": [reason]}
