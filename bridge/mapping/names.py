"""What a JMESPath expression looks up in the view itself: the names of LeadByte's reply, or LeadSquared's columns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias

from jmespath.functions import Functions

from bridge.mapping.document import nearest, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from bridge.model import Json

    Ast: TypeAlias = Mapping[str, Json]

NAMES: Final = (
    "queueId",
    "status",
    "processed",
    "code",
    "response",
    "info",
    "leadId",
    "rejectionId",
    "quarantineId",
    "deliveries",
    "campaign",
    "supplier",
    "buyer",
    "lead",
    "context",
    "raw",
)
"""The names a path may begin with: what a LeadByte reply is read into, and what came beside the queueId."""

_ELEMENTWISE: Final = frozenset({"projection", "value_projection", "filter_projection"})
_SEQUENCES: Final = frozenset({"subexpression", "index_expression", "pipe"})
_ITSELF: Final = frozenset({"current", "identity"})
_WHOLE: Final = None
"""Among the names an expression reads: the view itself."""

_COLUMN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class PathError(ValueError):
    """An expression can't be used; the text says why and what to do."""


def names_read(node: Ast) -> Iterator[str | None]:
    """What the expression looks up in the view itself, not inside what it has already found: names, or _WHOLE."""
    _functions(node)
    children = [child for child in node["children"] if isinstance(child, dict)]
    if node["type"] == "field":
        yield node["value"]
    elif node["type"] in _ITSELF:
        yield _WHOLE
    elif node["type"] in _SEQUENCES:
        yield from _sequence(children)
    elif node["type"] in _ELEMENTWISE:
        yield from names_read(children[0])
        for child in children[1:]:
            tuple(names_read(child))
    elif node["type"] == "expref":
        tuple(names_read(children[0]))
    else:
        for child in children:
            yield from names_read(child)


def _sequence(children: Sequence[Ast]) -> Iterator[str | None]:
    """Steps one after another: each sees what the one before found, so only those up to the first real step count."""
    at_root = True
    for child in children:
        names = tuple(names_read(child))
        passed_on = child["type"] in _ITSELF
        if at_root and not passed_on:
            yield from names
        at_root = at_root and passed_on
    if at_root:
        yield _WHOLE


def _functions(node: Ast) -> None:
    """JMESPath looks functions up only when it runs: a misspelt one is told now."""
    if node["type"] != "function_expression":
        return
    name, given = node["value"], len(node["children"])
    spec = Functions.FUNCTION_TABLE.get(name)
    if spec is None:
        raise PathError(
            f"JMESPath has no function {name}(); {nearest(name, sorted(Functions.FUNCTION_TABLE))}"
        )
    needed = spec["signature"]
    enough = given >= len(needed) if needed[-1:] and needed[-1].get("variadic") else given == len(needed)
    if not enough:
        raise PathError(f"{name}() takes {len(needed)} argument(s), not {given}; mend the path")


def check(found: Collection[str | None], known: Collection[str] | None, text: str) -> frozenset[str]:
    """The names among what an expression looks up. Raises PathError where one is none of `known` (None: no column)."""
    for name in found:
        if known is None:
            _column(name, text)
        elif name is not _WHOLE and name not in known:
            _unknown(name, known, text)
    return frozenset(name for name in found if name is not _WHOLE)


def _column(name: str | None, text: str) -> None:
    if name is _WHOLE:
        raise PathError(
            f"{shown(text)} reads the whole lead (@ or *); write the names of the columns it needs"
        )
    if not _COLUMN.fullmatch(name):
        raise PathError(f"{shown(name)} is no schema name; write LeadSquared's own, of letters, digits and _")


def _unknown(name: str, known: Collection[str], text: str) -> NoReturn:
    advice = nearest(name, known)
    if text != name and f"{name}." not in text and not advice.startswith("did"):
        advice = f"if it is a word to compare with, write it in single quotes: {shown(name)}"
    raise PathError(f"a path can't begin with {shown(name)}; {advice}")
