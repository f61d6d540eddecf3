"""What LeadSquared says about itself and its leads: fields, metrics, values read back. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bridge.errors import Refused, ServerFault
from bridge.exchange import folded, text_of
from bridge.leadsquared.leads import attributes, looked_up, named, text
from bridge.leadsquared.verdict import WHO
from bridge.model import Json

_NO_FIELDS: Final = frozenset({"Total", "CanUpdate"})
"""What lookups list beside a lead's fields."""


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """One lead field of the account. `max_length` None: none is told. `options`: a picklist's values, else empty."""

    schema_name: str
    display_name: str
    data_type: str
    max_length: int | None
    options: Sequence[str]
    mandatory: bool
    locked: bool


@dataclass(frozen=True, slots=True)
class Metrics:
    """The async queue of the account. None: not told."""

    pending: int | None
    max_delay_seconds: float | None
    per_minute: float | None


def read_metadata(body: Json) -> Sequence[FieldInfo]:
    """The fields that LeadsMetaData.Get lists, in its order. Raises ServerFault for another shape."""
    if not isinstance(body, list):
        raise ServerFault(f"{WHO} answered with something else than a list of fields")
    fields = [folded(one) for one in body]
    return [_field(one) for one in fields if text_of(one.get("schemaname"))]


def _field(one: Mapping[str, Json]) -> FieldInfo:
    length = number(one.get("maxlength"))
    options = one.get("options")
    values = [text_of(folded(option).get("value")) for option in options] if isinstance(options, list) else []
    return FieldInfo(
        schema_name=text_of(one["schemaname"]) or "",
        display_name=text_of(one.get("displayname")) or "",
        data_type=text_of(one.get("datatype")) or "",
        max_length=int(length) if length and length >= 1 else None,
        options=tuple(value for value in values if value),
        mandatory=_yes(one.get("ismandatory")),
        locked=_yes(one.get("lockaftercreate")),
    )


def _yes(value: Json) -> bool:
    return value is True or (text_of(value) or "0").lower() not in {"0", "false"}


def number(value: Json) -> float | None:
    """A finite number that may come as text; None for anything else."""
    try:
        found = float(text_of(value) or "")
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def read_metrics(body: Json) -> Metrics:
    """The async queue's metrics, their names in any case. Raises ServerFault where none of them is there."""
    told = folded(body)
    pending = number(told.get("pendingmessages"))
    metrics = Metrics(
        int(pending) if pending is not None else None,
        number(told.get("maxdelayinseconds")),
        number(told.get("processingrateperminute")),
    )
    if metrics == Metrics(None, None, None):
        raise ServerFault(f"{WHO} answered without the metrics of its async queue")
    return metrics


def read_lead(body: Json, fields: Sequence[str]) -> Mapping[str, str] | None:
    """The named fields of the one lead in a read-back, "" for what it does not hold; None where there is no lead.

    Raises Refused where several leads answer to the key, ServerFault for another shape.
    """
    leads = looked_up(body)
    if len(leads) > 1:
        raise Refused(f"{WHO} holds {len(leads)} leads with this key: which one is meant cannot be told")
    if not leads:
        return None
    values = named(leads[0])
    return {name: text(values.get(name.lower())) for name in fields}


def read_leads(body: Json) -> Sequence[Mapping[str, str]]:
    """Every field that holds something, of each lead in a read-back. Raises ServerFault for another shape."""
    return [
        {name: shown for name, value in attributes(lead) if name not in _NO_FIELDS and (shown := text(value))}
        for lead in looked_up(body)
    ]
