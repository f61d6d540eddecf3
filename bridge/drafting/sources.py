"""What a LeadByte reply holds that a field could be filled from."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bridge.model import Json

MOST: Final = 300
"""Values of a reply that are looked at."""

_TOP: Final = ("status", "processed", "leadId", "quarantineId", "rejectionId", "queueId")
_SECTIONS: Final = ("lead", "buyer", "campaign", "supplier")
_REASONS: Final = "info.*[] || info"
"""LeadByte gives its reasons as an object, a list or one text."""

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_KEY: Final = 100
_MAX_DEPTH: Final = 4


@dataclass(frozen=True, slots=True)
class Source:
    """One value of a reply. `path`: its JMESPath. `parts`: its place in the view. `name`: what it is called."""

    path: str
    parts: tuple[str, ...]
    name: str
    value: Json

    @property
    def is_list(self) -> bool:
        """Whether it may hold several texts."""
        return isinstance(self.value, list) or self.path == _REASONS

    @property
    def is_empty(self) -> bool:
        return self.value is None or self.value in ("", [], {})


def path_of(parts: Sequence[str]) -> str:
    """The JMESPath that finds what stands under these keys."""
    return ".".join(
        part if _PLAIN.fullmatch(part) else json.dumps(part, ensure_ascii=False) for part in parts
    )


def sources(view: Mapping[str, Json]) -> Sequence[Source]:
    """Of a view as a mapping's paths see it: status and ids, the reasons, then every value of lead, buyer, campaign and
    supplier; MOST of them at most."""
    top = [Source(name, (name,), name, view.get(name)) for name in _TOP]
    reasons = Source(_REASONS, ("info",), "info", view.get("info"))
    leaves = (leaf for section in _SECTIONS for leaf in _leaves((section,), view.get(section)))
    return [*top, reasons, *islice(leaves, MOST)]


def _leaves(parts: tuple[str, ...], value: Json) -> Iterator[Source]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key.isprintable() and 0 < len(key.strip()) <= len(key) <= _MAX_KEY and len(parts) < _MAX_DEPTH:
                yield from _leaves((*parts, key), inner)
    elif len(parts) > 1:
        yield Source(path_of(parts), parts, _name(parts), value)


def _name(parts: tuple[str, ...]) -> str:
    """The keys as words; the section only where it tells whose name or id it is."""
    section, *rest = parts
    if section == "lead":
        return " ".join(rest)
    return section if rest == ["name"] else " ".join(parts)
