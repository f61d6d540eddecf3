"""What a delivery holds and which way it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.model.sides import LEADBYTE, LEADSQUARED, NOT_REPEATABLE


@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """How new a value is: by LeadByte's `processed` (epoch seconds), then by arrival."""

    at: float
    arrival: int


@dataclass(frozen=True, slots=True)
class Lane:
    """Deliveries of one lane may share a call.

    `mode` bulk: `search_by` is the SearchByKey ("" = by ProspectId) and `option` is `unprocessed` or `failed`
    (PushNonExistentLeadsToUnProcessedList). `mode` async: `option` is `silent` or `automations` (postUpdatedLead).
    `mode` leadbyte: `search_by` is the kind of operation (`lead`, `quarantine`, `process`, `financials`), `option` is `set`
    or `once` (reprocess, trigger, release, reject).
    `part` keeps apart what must not travel with the rest: halves of a refused batch, or one lead alone.
    """

    mode: str
    search_by: str
    option: str
    part: str = ""

    @property
    def repeatable(self) -> bool:
        """Whether a lost answer may be followed by the same call."""
        return self.option not in NOT_REPEATABLE

    @property
    def target(self) -> str:
        """The side that the lane goes to: `leadsquared` or `leadbyte`."""
        return LEADBYTE if self.mode == LEADBYTE else LEADSQUARED

    @property
    def kind(self) -> str:
        """Of the operation that a lane to LeadByte carries; "" for other lanes."""
        return self.search_by if self.mode == LEADBYTE else ""

    @property
    def alone(self) -> bool:
        """Whether a call takes one delivery only, whatever the size of a batch is."""
        return self.mode == LEADBYTE and self.search_by in {"process", "financials"}

    def key(self, keys: Sequence[str]) -> str:
        """The field by which the lead of a delivery with these keys is found."""
        return self.search_by if self.search_by and self.mode != LEADBYTE else keys[0]

    def __str__(self) -> str:
        return "|".join((self.mode, self.search_by, self.option, self.part))

    @classmethod
    def parse(cls, text: str) -> Lane:
        """The lane that `str(lane)` gave."""
        return cls(*text.split("|", 3))


@dataclass(frozen=True, slots=True)
class Mapped:
    """What one mapping made of one lead: the values for the other side, text throughout.

    `keys`: the names of the search keys that this lead has, in the order they are to be tried (never empty).
    """

    fields: Mapping[str, str]
    keys: Sequence[str]
    lane: Lane

    @property
    def identity(self) -> str:
        return identity(self.keys[0], self.fields[self.keys[0]])


def identity(key: str, value: str) -> str:
    """The one spelling under which a lead is locked and remembered: names and values compare trimmed, without case.

    Not case-folded: ß and ss may be two people.
    """
    return f"{key.lower()}={value.strip().lower()}"
