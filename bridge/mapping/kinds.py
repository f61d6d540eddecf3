"""The types a field may have, and the keys that tune them."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, available_timezones

from phonenumbers import SUPPORTED_REGIONS

from bridge.mapping.convert import boolean, email, number, phone, text
from bridge.mapping.document import nearest, shown
from bridge.mapping.times import day, layout_fault, moment

if TYPE_CHECKING:
    from bridge.mapping.convert import Convert
    from bridge.mapping.spec import Spec

_SIMPLE: Final = {"text": text, "number": number, "boolean": boolean, "email": email, "list": text}
KINDS: Final = (*_SIMPLE, "phone", "datetime", "date")
OWNERS: Final = {
    "region": ("phone",),
    "format": ("datetime", "date"),
    "timezone": ("datetime", "date"),
    "join": ("list",),
}
"""Keys that mean something for some types only."""
_OTHER_REGIONS: Final = {"UK": "GB", "USA": "US"}
_REGION_ADVICE: Final = "write two capital letters such as GB or US"


def converter(spec: Spec, sort: str) -> Convert:
    """What makes one value (of a list: one item) into text of this type; problems of the tuning keys are noted."""
    for key, sorts in OWNERS.items():
        if key in spec and sort not in sorts:
            spec.problem(key, f"means nothing for type {sort}; it is for type {' or '.join(sorts)}")
    region, layout, zone = _region(spec), _layout(spec), _zone(spec)
    if sort == "phone":
        return phone(region)
    if sort == "datetime":
        return moment(zone, layout)
    return day(zone, layout) if sort == "date" else _SIMPLE[sort]


def _region(spec: Spec) -> str | None:
    region = spec.text("region")
    if region is None or region in SUPPORTED_REGIONS:
        return region
    meant = _OTHER_REGIONS.get(region.upper(), region.upper())
    advice = f"did you mean {meant}?" if meant in SUPPORTED_REGIONS else _REGION_ADVICE
    spec.problem("region", f"can't be {shown(region)}; {advice}")
    return None


def _layout(spec: Spec) -> str | None:
    layout = spec.text("format")
    fault = layout_fault(layout) if layout else None
    if fault:
        spec.problem("format", f"is no use: {fault}")
    return None if fault else layout


def _zone(spec: Spec) -> tzinfo:
    name = spec.text("timezone")
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        spec.problem("timezone", f"can't be {shown(name)}; {_nearest_zone(name)}")
        return UTC


def _nearest_zone(name: str) -> str:
    place = name.partition("/")[0]
    zones = sorted(available_timezones(), key=lambda zone: (zone.partition("/")[0] != place, zone))
    hint = nearest(name, zones)
    return hint if hint.startswith("did") else "write a name such as Europe/London"
