"""How leads stand in LeadSquared's answers, whichever call gave them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

from bridge.errors import ServerFault
from bridge.exchange import folded, text_of
from bridge.leadsquared.verdict import WHO
from bridge.model import Json

_PAIR: Final = frozenset({"Attribute", "Value"})
_LEAD: Final = ("prospectid", "leadpropertylist")


def listed(body: Json) -> Sequence[Json]:
    """What `Leads` lists: it is missing or null where there are none.

    Raises ServerFault for another shape, and for an object that neither lists leads nor counts them.
    """
    names = folded(body)
    leads = names.get("leads")
    if leads is None and ("leads" in names or "recordcount" in names):
        return []
    if not isinstance(leads, list):
        raise ServerFault(f"{WHO} answered with something else than a list of leads")
    return leads


def looked_up(body: Json) -> Sequence[Json]:
    """The leads that answer a lookup: a list of them, one alone, or what `Leads` lists. Raises ServerFault as `listed`."""
    alone = any(name in folded(body) for name in _LEAD)
    leads = body if isinstance(body, list) else [body] if alone else listed(body)
    if not all(isinstance(lead, dict) for lead in leads):
        raise ServerFault(f"{WHO} answered with something else than a list of leads")
    return leads


def attributes(lead: Json) -> Iterable[tuple[str, Json]]:
    """Name and value of everything that a lead shows: as an object, or as a list of Attribute and Value."""
    pairs = lead if isinstance(lead, list) else folded(lead).get("leadpropertylist")
    if isinstance(pairs, list):
        return _paired(pairs)
    return lead.items() if isinstance(lead, dict) else ()


def _paired(pairs: Sequence[Json]) -> Iterable[tuple[str, Json]]:
    for pair in pairs:
        if isinstance(pair, dict):
            names = pair if pair.keys() >= _PAIR else folded(pair)
            name = names.get("Attribute", names.get("attribute"))
            if isinstance(name, str):
                yield name, names.get("Value", names.get("value"))


def named(lead: Json) -> dict[str, Json]:
    """What a lead shows by names in lower case. Of a name that comes in two spellings, the one that holds something."""
    found: dict[str, Json] = {}
    for name, value in attributes(lead):
        folded_name = name.lower()
        if folded_name not in found or value not in (None, ""):
            found[folded_name] = value
    return found


def text(value: Json) -> str:
    """A value as LeadSquared writes it as text, trimmed: a boolean is "1" or "0", nothing is "", the rest is JSON."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return str(int(value))
    if value and isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text_of(value) or ""
