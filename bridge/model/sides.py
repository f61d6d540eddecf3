"""The two sides and their hosts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

Json: TypeAlias = Any
"""A decoded JSON value: None, bool, int, float, str, list or dict of these."""

LEADBYTE: Final = "leadbyte"
LEADSQUARED: Final = "leadsquared"
"""The two sides, as sources of items and targets of deliveries. The first is also the mode of lanes to LeadByte."""

MAPPING_BY_HAND: Final = "by hand"
"""What stands in the place of a mapping's name where a person decided."""

BY_HAND: Final = "hand"
"""The source of an item that a person made by a command."""

HOSTS: Final[Mapping[str, str]] = MappingProxyType(
    {"bulk": "leadsquared", "async": "leadsquared-async", LEADBYTE: "leadbyte"}
)
"""Which host a lane's mode calls: each has a window of calls of its own."""

UPDATES: Final = "leadbyte-updates"
"""The gate of what is written to LeadByte: a missing permission there says nothing of polls. They share one window."""

NOT_REPEATABLE: Final = ("automations", "once")
"""Options of lanes whose calls may not be repeated after a lost answer."""
