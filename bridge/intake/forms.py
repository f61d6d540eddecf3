"""The form of lines that say what is to be told to LeadByte: which names mean what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from bridge.errors import UsageError
from bridge.intake.records import TWICE
from bridge.intake.tracks import folded
from bridge.model import Json
from bridge.operation import Operation

LEAD: Final = "leadid"
QUARANTINE: Final = "quarantineid"
TRIGGERS: Final = ("trigger", "triggerdeliveries", "triggerdeliveryid", "triggerdeliveryids")
BESIDES: Final = frozenset({"update", "action", *TRIGGERS})
"""What a line of JSON may say besides the fields of an update."""
BOTH: Final = frozenset({LEAD, QUARANTINE})


@dataclass(frozen=True, slots=True)
class Given:
    """What the command says for every lead that does not say otherwise. `action`: a name in ACTIONS."""

    update: Mapping[str, str] = field(default_factory=dict, repr=False)
    action: str = ""
    trigger: tuple[str, ...] = ()
    payout: str | None = None
    revenue: str | None = None
    buyer: str | None = None


Make: TypeAlias = Callable[[Mapping[str, Json], Given], Operation]


@dataclass(frozen=True, slots=True)
class Form:
    """What the lines of one command say. `ids`: what the lead may be named by, folded; `words`: what else has a meaning.

    `fields`: whether every other name is a field of LeadByte's.
    """

    ids: tuple[str, ...]
    words: frozenset[str]
    make: Make
    fields: bool = False

    def heading(self, names: Sequence[str]) -> str | None:
        """What is wrong with these headings, by their places: a file without a header has people's data there."""
        short = [folded(name) if self._means(name) else name for name in names]
        if not set(short) & set(self.ids):
            return (
                f"no column {' or '.join(map(spelt, self.ids))} in the first line; name the column of ids so"
            )
        if twice(filter(None, short)):
            return TWICE
        strange = [place for place, name in enumerate(short, 1) if name and not self._column(name)]
        return _strange(strange, fields=self.fields) if strange else None

    def names(self, name: str) -> bool:
        """Whether this spelling is that of the lead's id."""
        return folded(name) in self.ids

    def split(self, values: Mapping[str, Json]) -> tuple[dict[str, Json], dict[str, Json]]:
        """What has a meaning, by its folded name and without nulls; the rest as it is. Raises UsageError for a name twice."""
        told = [(folded(name), value) for name, value in values.items() if self._means(name)]
        if len(dict(told)) < len(told):
            raise UsageError("the same thing is said twice, in two spellings; say it once")
        rest = {name: value for name, value in values.items() if not self._means(name) and value is not None}
        return {name: value for name, value in told if value is not None}, rest

    def _means(self, name: str) -> bool:
        return folded(name) in self.words or folded(name) in self.ids or folded(name) in BOTH

    def _column(self, name: str) -> bool:
        if self.fields:
            return name not in BESIDES
        return name in self.words or name in self.ids


def _strange(places: Sequence[int], *, fields: bool) -> str:
    which = ", ".join(map(str, places[:5]))
    if fields:
        return (
            f"column {which}: its name may be a field's or an order (update, action, trigger); "
            "take the option of the command, or JSON lines with the fields in `update`"
        )
    return f"column {which}: means nothing to this command; leave it out"


def spelling(name: str) -> str:
    """The one spelling of a LeadByte field's name, to compare by: two that differ in case alone are the same field."""
    return name.strip().casefold()


def twice(names: Iterable[str]) -> bool:
    """Whether any field stands there twice."""
    found = list(map(spelling, names))
    return len(set(found)) < len(found)


def spelt(name: str) -> str:
    return {LEAD: "leadId", QUARANTINE: "quarantineId"}[name]
