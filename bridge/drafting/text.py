"""Pieces of a mapping file as text: every one of them is read back as it was meant."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from bridge.mapping.document import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bridge.model import Json

_BARE: Final = re.compile(r"[A-Za-z](?:[\w .@/-]*\w)?", re.ASCII)
_NOT_TEXT: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_MAX_COMMENT: Final = 160


def quoted(text: str) -> str:
    """A text as one value or key. Must be printable."""
    if _BARE.fullmatch(text) and text.casefold() not in _NOT_TEXT:
        return text
    return json.dumps(text, ensure_ascii=False)


def flow(value: Json) -> str:
    """A value on one line."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{quoted(key)}: {flow(inner)}' for key, inner in value.items())}}}"
    return json.dumps(value)


def block(value: Mapping[str, Json], indent: str) -> Iterator[str]:
    """A table, a line for each value."""
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield f"{indent}{quoted(key)}:"
            yield from block(inner, f"{indent}  ")
        else:
            yield f"{indent}{quoted(key)}: {flow(inner)}"


def comment(*said: str) -> str:
    """What ends a line; "" where nothing is said."""
    told = visible("; ".join(one for one in said if one)).strip()
    return f"  # {told[:_MAX_COMMENT]}" if told else ""
