"""One entry of a mapping file's `fields`, checked and compiled to a path and what is made of what it finds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from bridge.mapping.convert import CONTROL, UnreadableError, clean
from bridge.mapping.document import Ledger, Node, Scalar, Table
from bridge.mapping.kinds import KINDS, OWNERS, converter
from bridge.mapping.making import Shape, Words, from_list, from_one, from_word
from bridge.mapping.names import NAMES, PathError
from bridge.mapping.paths import Path, compile_path
from bridge.mapping.spec import Spec

if TYPE_CHECKING:
    from collections.abc import Collection

    from bridge.mapping.convert import Convert
    from bridge.mapping.making import Make
    from bridge.mapping.paths import Find

    _Parts: TypeAlias = tuple[Find, Make, list[tuple[str, int]], frozenset[str]]

KEYS: Final = ("from", "value", "type", "default", "values", "otherwise", "max_length", "empty", *OWNERS)
ONLY_WITH_FROM: Final = ("from", "default", "values", "otherwise", "join")
OTHERWISE: Final = ("keep", "omit", "error")
EMPTY: Final = ("skip", "send")


@dataclass(frozen=True, slots=True)
class Place:
    """What may stand in a rule. `names`: what its path may begin with, None for any LeadSquared column. `fixed`: a path may
    also read nothing of the lead."""

    names: Collection[str] | None
    keys: Collection[str] = KEYS
    kinds: Collection[str] = KINDS
    fixed: bool = True


FORWARD: Final = Place(NAMES)


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """How one field gets its value.

    `make(find(view))` is the text to send, or None to send nothing; both raise UnreadableError.
    `text`: the rule as a person reads it. `constants`: what it may send in the file's own words, each with its line.
    `reads`: the names that it looks up in the view.
    """

    name: str
    line: int
    text: str
    find: Find
    make: Make
    constants: tuple[tuple[str, int], ...]
    max_length: int | None
    reads: frozenset[str]


def build(ledger: Ledger, name: str, node: Node, line: int, place: Place = FORWARD) -> Rule | None:
    """The rule that `node` writes for the field `name`. Every problem is noted; None or a useless rule is then given."""
    if isinstance(node, Scalar):
        node = Table(line, {"from": node}, {"from": line})
    spec = Spec.of(ledger, node, f"in field {name}", line)
    if spec is None:
        return None
    spec.only(place.keys)
    _combinations(spec)
    sort = spec.choice("type", place.kinds, "text")
    convert = converter(spec, sort)
    shape = _shape(spec)
    if "value" in spec:
        find, make, constants, reads = _constant(spec, sort, convert, shape)
    else:
        path = path_at(spec, "from", place.names)
        if path and not path.names and not place.fixed:
            spec.problem("from", "reads nothing of the lead; name the column that holds it")
        find, make, constants, reads = _found(spec, path or compile_path("@"), sort, convert, shape)
    return Rule(name, line, _described(spec), find, make, tuple(constants), shape.max_length, reads)


def path_at(spec: Spec, key: str, names: Collection[str] | None) -> Path | None:
    """The expression under a key; None where there is none, or none that can be used, which is then noted."""
    written = spec.text(key)
    if written is None:
        return None
    try:
        return compile_path(written, names)
    except PathError as error:
        spec.problem(key, f"can't be used: {error}")
        return None


def _combinations(spec: Spec) -> None:
    if "value" in spec:
        for key in ONLY_WITH_FROM:
            if key in spec:
                spec.problem(key, "means nothing beside value; remove one of the two")
    elif "from" not in spec:
        spec.ledger.add(spec.at, f"nothing is read {spec.where}; add from: (a path) or value: (a text)")
    if "otherwise" in spec and "values" not in spec:
        spec.problem("otherwise", "means nothing without values; add values, or remove it")


def _shape(spec: Spec) -> Shape:
    blank = "" if spec.choice("empty", EMPTY, "skip") == "send" else None
    return Shape(None, blank, spec.count("max_length"))


def _constant(spec: Spec, sort: str, convert: Convert, shape: Shape) -> _Parts:
    output = ""
    try:
        output = shape.cut(convert(spec.raw("value")))
    except UnreadableError as error:
        spec.problem("value", f"is {error} (type: {sort}); mend it, or leave type out")
    else:
        if not output and shape.blank is None and isinstance(spec.table.entries["value"], Scalar):
            spec.problem("value", "is empty; write a text, or add empty: send")
    constants = [(output, spec.line("value"))] if output else []
    return lambda _: output, lambda found: found, constants, frozenset()


def _found(spec: Spec, path: Path, sort: str, convert: Convert, shape: Shape) -> _Parts:
    targets = _targets(spec)
    otherwise = spec.choice("otherwise", OTHERWISE, "keep")
    constants = [(shape.cut(output), line) for output, line in targets.values() if output]
    if "default" in spec:
        shape = replace(shape, default=_default(spec, clean if targets else convert, shape))
        constants.append((shape.default or "", spec.line("default")))
    table = {word: output for word, (output, _) in targets.items()}
    words = Words(table, otherwise, convert, showable=path.impersonal) if table else None
    separator = _separator(spec)
    if sort == "list":
        separator = ", " if separator is None else separator
        return path.find, from_list(words, separator, shape), constants, path.names
    make = from_word(words, shape) if words else from_one(convert, shape)
    return path.find, make, constants, path.names


def _separator(spec: Spec) -> str | None:
    written = spec.raw("join")
    if written is not None and CONTROL.search(written):
        spec.problem("join", "holds a control character; write text, a tab or a line break")
    return written


def _targets(spec: Spec) -> dict[str, tuple[str, int]]:
    """`values` as casefolded word -> (output, line)."""
    values = spec.inner("values", f"under values {spec.where}")
    if values is None:
        return {}
    if not values.table.entries:
        spec.problem("values", "is empty; add word: text lines, or remove it")
    found: dict[str, tuple[str, int]] = {}
    for word in values.table.entries:
        key = word.strip().casefold()
        if not key:
            values.ledger.add(
                values.line(word), f"an empty word {values.where}; use default for what is not there"
            )
        if key in found:
            values.problem(word, "is there twice (capitals don't count); remove one")
        found[key] = (clean(values.raw(word) or ""), values.line(word))
    return found


def _default(spec: Spec, convert: Convert, shape: Shape) -> str:
    """As its type makes it, or as written where the type can't read it (`default: none` for a phone)."""
    written = spec.text("default") or ""
    try:
        return shape.cut(convert(written))
    except UnreadableError:
        return shape.cut(clean(written))


def _described(spec: Spec) -> str:
    """The rule in one line: the path or the text, then the keys as written."""
    entries = spec.table.entries
    source = next((key for key in ("value", "from") if key in entries), "")
    rest = [f"{key}: {_flat(node)}" for key, node in entries.items() if key != source]
    return "; ".join(
        [f"always {_flat(entries[source])}" if source == "value" else _flat(entries.get(source)), *rest]
    )


def _flat(node: Node | None) -> str:
    if isinstance(node, Scalar):
        return node.text
    words = node.entries.items() if isinstance(node, Table) else ()
    return ", ".join(f"{word} = {_flat(output)}" for word, output in words)
