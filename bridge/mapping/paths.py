"""JMESPath expressions, compiled and checked once when a file is loaded.

Plain paths such as `lead.email` are walked directly, which gives what JMESPath's interpreter gives at a fraction of its
cost; a property test holds the two equal.
"""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import jmespath
from jmespath.exceptions import (
    JMESPathError,
    JMESPathTypeError,
    LexerError,
    ParseError,
)
from jmespath.functions import Functions, signature
from jmespath.visitor import TreeInterpreter

from bridge.mapping.convert import UnreadableError
from bridge.mapping.document import shown, visible
from bridge.mapping.names import NAMES, PathError, check, names_read

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from bridge.model import Json

    Find: TypeAlias = Callable[[Mapping[str, Json]], Json]
    Ast: TypeAlias = Mapping[str, Json]

MAX_PATH: Final = 2000
MAX_GROWTH: Final = 500
MAX_TEXT: Final = 10_000_000
_QUOTED: Final = re.compile("|".join(rf"{quote}(?:\\.|[^{quote}\\])*{quote}" for quote in "'\"`"))
_IMPERSONAL: Final = frozenset({"status", "code", "response"})
_FAULTS: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_NARROW: Final = frozenset(
    {"field", "subexpression", "index_expression", "index", "literal", "or_expression"}
)
_CHOICES: Final = frozenset({"or_expression", "and_expression", "not_expression", "comparator"})
_SELECTIONS: Final = frozenset({"multi_select_list", "multi_select_dict", "function_expression"})


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """A compiled expression.

    `find(view)` gives what it finds, None where it finds nothing; it raises UnreadableError (without the lead's values)
    where the expression doesn't suit this lead. `impersonal`: it reads nothing but LeadByte's status, code and response.
    `names`: the names that it looks up in the view itself.
    """

    text: str
    find: Find
    impersonal: bool
    names: frozenset[str]

    def holds(self, view: Mapping[str, Json]) -> bool:
        """Whether the result is true in JMESPath's sense: not false, null, "", [] or {}. Zero is true."""
        found = self.find(view)
        return bool(found) or (isinstance(found, int | float) and found is not False)


def compile_path(text: str, known: Collection[str] | None = NAMES) -> Path:
    """`known`: the names that a view has. None: it has any LeadSquared columns, and the expression must name those it reads.

    Raises PathError: not JMESPath, a function that doesn't exist, or a first name that no view has.
    """
    if len(text) > MAX_PATH:
        raise PathError(f"the path is longer than {MAX_PATH} characters; write it shorter")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            compiled = jmespath.compile(text)
        found = tuple(names_read(compiled.parsed))
        growth = _growth(compiled.parsed)
    except _FAULTS as error:
        if isinstance(error, PathError):
            raise
        raise PathError(f"{shown(text)} is not a JMESPath: {_fault(error, text)}") from None
    if growth > MAX_GROWTH:
        raise PathError(f"{shown(text)} makes too much of what it finds, over and over; write it simpler")
    names = check(found, known, text)
    impersonal = known is not None and names <= _IMPERSONAL and _narrow(compiled.parsed)
    steps = _steps(compiled.parsed)
    find = _walk(steps) if steps else _interpret(compiled.parsed)
    return Path(text, find, impersonal, names)


def _growth(node: Ast) -> int:
    """At most how many times larger than what it is given the result may be.

    Each `[@, @][]` doubles it, so that one line of them could fill any memory.
    """
    if node["type"] == "literal":
        return 1 + len(str(node["value"])) // 16
    grown = [_growth(child) for child in node["children"] if isinstance(child, dict)]
    if node["type"] in _CHOICES:
        return max(grown)
    if node["type"] not in _SELECTIONS or any(child["type"] == "expref" for child in node["children"]):
        return math.prod(grown)
    return sum(grown, start=1) if node.get("value") == "to_string" else max(sum(grown), 1)


def _narrow(node: Ast) -> bool:
    """Whether the expression reads only what its names say: `@` and `*` reach everything, so they are not allowed."""
    return node["type"] in _NARROW and all(_narrow(child) for child in node["children"])


def _fault(error: Exception, text: str) -> str:
    if isinstance(error, LexerError):
        return f"{visible(error.message)}; mend it at character {error.lexer_position + 1}"
    if opened := _left_open(text):
        return f"a bracket is missing: {opened} is not closed"
    if isinstance(error, ParseError):
        if not error.token_value:
            return "it ends too early; finish it"
        return f"{shown(str(error.token_value))} can't stand at character {error.lex_position + 1}; mend it"
    return "it can't be read; write it simpler"


def _left_open(text: str) -> str:
    """The first bracket that is opened more often than closed, those in quotes left out; or nothing."""
    bare = _QUOTED.sub("", text)
    return next((pair[0] for pair in ("()", "[]", "{}") if bare.count(pair[0]) > bare.count(pair[1])), "")


def _steps(node: Ast) -> tuple[str, ...]:
    """The names of a plain path, or () where the expression is more than that."""
    if node["type"] == "field":
        return (node["value"],)
    if node["type"] != "subexpression":
        return ()
    parts = [_steps(child) for child in node["children"]]
    return tuple(name for part in parts for name in part) if all(parts) else ()


def _walk(steps: tuple[str, ...]) -> Find:
    first, rest = steps[0], steps[1:]

    def find(view: Mapping[str, Json]) -> Json:
        found = view.get(first)
        for name in rest:
            if not isinstance(found, dict):
                return None
            found = found.get(name)
        return found

    return find


class _Functions(Functions):
    """JMESPath's own, where the one that can make gigabytes of a lead's texts has a bound."""

    @signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_join(self, separator: str, array: Sequence[str]) -> str:
        if len(separator) * len(array) + sum(map(len, array)) > MAX_TEXT:
            raise ValueError(MAX_TEXT)
        return separator.join(array)


def _interpret(parsed: Json) -> Find:
    # One interpreter for all leads: it learns where each kind of node is handled, and holds nothing of a lead.
    interpreter = TreeInterpreter(jmespath.Options(custom_functions=_Functions()))

    def find(view: Mapping[str, Json]) -> Json:
        try:
            return interpreter.visit(parsed, view)
        except JMESPathTypeError as error:
            needs = " or ".join(error.expected_types)
            raise UnreadableError(
                f"{error.function_name}() was given {error.actual_type}, it needs {needs}"
            ) from None
        except (JMESPathError, *_FAULTS):
            raise UnreadableError("the path can't be used on what this lead holds") from None

    return find
