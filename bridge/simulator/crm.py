"""The simulated CRM: LeadSquared's lead fields, its leads, and what an update may write."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import count
from random import Random
from typing import Any, Final
from uuid import UUID

from bridge.simulator.schema import SCHEMA, Field

UNIQUE: Final = ("EmailAddress", "Phone", "ProspectID")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()-]{3,}")
_MOMENT: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?: (\d{2}:\d{2}:\d{2})(?:\.\d{1,3})?)?")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why LeadSquared does not write a lead: the exception's type and its message."""

    kind: str
    message: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


NOT_DONE: Final = Refusal("MXOperationFailedException", "The lead could not be updated")
"""A refusal for no reason of the lead's own."""


def canonical(name: str) -> str:
    """The schema name meant by an attribute: the UpdateV2 page spells ProspectID `ProspectId`."""
    return "ProspectID" if name == "ProspectId" else name


def unique_key(name: str, value: str) -> str:
    """How a unique value is compared: trimmed, in any case; phones by their digits."""
    return re.sub(r"\D", "", value) if name == "Phone" else value.strip().casefold()


def stamp(now: float) -> str:
    """A moment as LeadSquared reads back: UTC with milliseconds."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S") + ".000"


class Crm:
    """Leads by ProspectID. Values are text; empty ones are not kept.

    `modified`: ProspectID → when the lead last changed, finer than its ModifiedOn shows; activities count too.
    """

    def __init__(self, rng: Random, schema: Iterable[Field] = SCHEMA) -> None:
        self.schema = {field.name: field for field in schema}
        self.leads: dict[str, dict[str, str]] = {}
        self.modified: dict[str, float] = {}
        self._numbers = count(1)
        self._rng = rng
        self._unique: dict[str, dict[str, str]] = {name: {} for name in UNIQUE}

    def create(self, values: Mapping[str, str], now: float) -> str:
        """Add a lead as the vendor's own screens would; a ProspectID is made up where none is given.

        Raises ValueError where a value is not acceptable or a unique one is taken.
        """
        prospect = values.get("ProspectID") or str(UUID(int=self._rng.getrandbits(128), version=4))
        refusal = self.refuses(None, {**values, "ProspectID": prospect})
        if refusal:
            raise ValueError(str(refusal))
        self.leads[prospect] = {
            "ProspectID": prospect,
            "ProspectAutoId": str(next(self._numbers)),
            "ProspectStage": "Prospect",
            "CreatedOn": stamp(now),
        }
        self._write(prospect, {**values, "ProspectID": prospect}, now)
        return prospect

    def find(self, name: str, value: str) -> str | None:
        """The ProspectID of the lead whose unique field `name` holds `value`."""
        key = unique_key(name, value)
        return self._unique[name].get(key) if key else None

    def by_phone(self, text: str) -> list[str]:
        """The ProspectIDs of the leads with this number, written with its country's code or without."""
        whole = self.find("Phone", text)
        if whole:
            return [whole]
        national = unique_key("Phone", text).lstrip("0")
        return [prospect for prospect, lead in self.leads.items() if _national(lead) == national != ""]

    def unknown_names(self, names: Iterable[str]) -> list[str]:
        """The attributes that the schema lacks, each once, in order."""
        return [name for name in dict.fromkeys(names) if canonical(name) not in self.schema]

    def update(self, prospect: str, changes: Mapping[str, str], now: float) -> Refusal | None:
        """Write all changes of one lead, or none and say why."""
        named = {canonical(name): value for name, value in changes.items()}
        refusal = self.refuses(prospect, named)
        if refusal is None:
            self._write(prospect, named, now)
        return refusal

    def refuses(self, prospect: str | None, changes: Mapping[str, str]) -> Refusal | None:
        """Why these changes of that lead (None: one to be created) are not written, or None."""
        for name, value in changes.items():
            refusal = self._refuses_value(prospect, self.schema[name], value)
            if refusal:
                return refusal
        return None

    def _refuses_value(self, prospect: str | None, field: Field, value: str) -> Refusal | None:
        text = value.strip()
        name = field.name
        if prospect and field.locked and text.casefold() != self.leads[prospect].get(name, "").casefold():
            return Refusal("MXInvalidInputException", f"{name} cannot be changed after the lead is created")
        if not text:
            return (
                Refusal("MXMandatoryAttributeMissingException", f"{name} is mandatory")
                if field.mandatory
                else None
            )
        try:
            normalised(field, text)
        except ValueError as error:
            return Refusal("MXInvalidInputException", str(error))
        if name in UNIQUE and self.find(name, text) not in (None, prospect):
            return Refusal("MXDuplicateEntryException", f"A Lead with same {field.label} already exists.")
        return None

    def _write(self, prospect: str, changes: Mapping[str, str], now: float) -> None:
        lead = self.leads[prospect]
        for name, value in changes.items():
            self._forget_unique(name, lead)
            text = value.strip()
            if text:
                lead[name] = normalised(self.schema[name], text)
            else:
                lead.pop(name, None)
            if name in UNIQUE and text:
                self._unique[name][unique_key(name, text)] = prospect
        self.touch(prospect, now)

    def touch(self, prospect: str, now: float) -> None:
        """The lead counts as modified, whatever was done to it."""
        self.leads[prospect]["ModifiedOn"] = stamp(now)
        self.modified[prospect] = now

    def _forget_unique(self, name: str, lead: Mapping[str, str]) -> None:
        if name in UNIQUE and name in lead:
            self._unique[name].pop(unique_key(name, lead[name]), None)

    def flat(self, prospect: str, columns: Iterable[str] = ()) -> dict[str, str | None]:
        """A lead as the read calls show it: every field, or the named ones and ProspectID; null where empty."""
        lead = self.leads[prospect]
        names = dict.fromkeys(("ProspectID", *columns)) if columns else self.schema
        return {name: lead.get(name) for name in names if name in self.schema}

    def metadata(self, *, options: bool) -> list[dict[str, Any]]:
        """What LeadsMetaData.Get lists."""
        return [field.metadata(options=options) for field in self.schema.values()]

    def counts(self, name: str) -> dict[str, int]:
        """How many leads hold each value of a field, most frequent first; "" for none."""
        return dict(Counter(lead.get(name, "") for lead in self.leads.values()).most_common())


def unknown_attributes(names: Iterable[str]) -> Refusal:
    """LeadSquared's words for attributes that the schema lacks."""
    return Refusal("MXUnknownAttributeException", f"Attribute(s) does not exist - {', '.join(names)}")


def normalised(field: Field, text: str) -> str:
    """A value as it is stored. Raises ValueError with LeadSquared's kind of reason where it is not acceptable."""
    if field.max_length and len(text) > field.max_length:
        raise ValueError(f"{field.name} exceeds the maximum length of {field.max_length} characters")
    if field.options and text not in field.options:
        raise ValueError(f"Invalid option for {field.name}")
    if not _acceptable(field, text):
        raise ValueError(f"Invalid value for {field.name}")
    if field.kind == "Date":
        return _moment(field.name, text)
    if field.kind == "Boolean":
        return "1" if text.lower() in ("1", "true") else "0"
    return text


def _national(lead: Mapping[str, str]) -> str:
    """A stored number without its country's code: +44-7700900123."""
    return unique_key("Phone", lead.get("Phone", "").partition("-")[2])


def _acceptable(field: Field, text: str) -> bool:
    if field.kind == "Number":
        try:
            return Decimal(text).is_finite()
        except InvalidOperation:
            return False
    if field.kind == "Boolean":
        return text.lower() in ("0", "1", "true", "false")
    pattern = {"Email": _EMAIL, "Phone": _PHONE, "Date": _MOMENT}.get(field.kind)
    return pattern is None or pattern.fullmatch(text) is not None


def _moment(name: str, text: str) -> str:
    day, _, clock = text.partition(" ")
    clock = clock.partition(".")[0] or "00:00:00"
    try:
        datetime.fromisoformat(f"{day} {clock}")
    except ValueError:
        raise ValueError(f"Invalid value for {name}") from None
    return f"{day} {clock}.000"
