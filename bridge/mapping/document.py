"""YAML text to a tree in which everything knows its line, and the list of what is wrong with it.

Scalars keep their text as written, so `values: {Yes: "1"}` has the word "Yes" and `value: 1` is the text "1".
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentEndEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    StreamEndEvent,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bridge.model import Json

MAX_CHARS: Final = 1_000_000
MAX_DEPTH: Final = 40
MAX_NODES: Final = 50_000
MAX_PROBLEMS: Final = 100
"""Problems of one file that are told. Finding the nearest known word costs time for each."""

MAX_COMPARED: Final = 500
MAX_WORD: Final = 100
MAX_TOLD: Final = 30
_JSON_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,299})(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,2})?")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


@dataclass(frozen=True, slots=True)
class Scalar:
    """One written value. `plain`: written without quotes."""

    line: int
    text: str
    plain: bool

    @property
    def is_null(self) -> bool:
        return self.plain and self.text in _NULLS


@dataclass(frozen=True, slots=True)
class Items:
    """A YAML list."""

    line: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A YAML mapping. `lines`: where each key stands."""

    line: int
    entries: dict[str, Node]
    lines: dict[str, int]


Node: TypeAlias = Scalar | Items | Table


class TooManyProblemsError(Exception):
    """A file has so many problems that no more are looked for."""


class Ledger:
    """Collects the problems of one file; each is told as `FILE:LINE: what is wrong; what to do`."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: list[tuple[int, str]] = []

    @property
    def is_empty(self) -> bool:
        """Whether nothing was found wrong so far."""
        return not self._found

    def add(self, line: int, text: str) -> None:
        """Note a problem. Raises TooManyProblemsError instead of one more than MAX_PROBLEMS."""
        if len(self._found) >= MAX_PROBLEMS:
            self._found.append((line, f"and more problems than these {MAX_PROBLEMS}; mend them first"))
            raise TooManyProblemsError
        self._found.append((line, text))

    def lines(self) -> list[str]:
        """Every problem, in the order of the file's lines."""
        told = [f"{self.file}:{line}: {text}" for line, text in sorted(self._found, key=lambda one: one[0])]
        return [visible(line) for line in told]


class _Mark(Protocol):
    @property
    def line(self) -> int: ...


class _RefusedError(Exception):
    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line
        self.text = text


def read(text: str, ledger: Ledger) -> Node | None:
    """The one document in `text`, or None where it can't be read; `ledger` then holds why."""
    if len(text) > MAX_CHARS:
        ledger.add(1, f"the file is longer than {MAX_CHARS} characters; split it into several mappings")
        return None
    try:
        return _document(yaml.parse(text, Loader=yaml.SafeLoader), ledger)
    except _RefusedError as refused:
        ledger.add(refused.line, refused.text)
    except yaml.MarkedYAMLError as error:
        where = _line(error.problem_mark or error.context_mark)
        ledger.add(where, f"not YAML: {error.problem}; check indentation, colons and quotes there")
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        ledger.add(line, f"character {ord(text[error.position]):#06x} can't stand in a YAML file; remove it")
    except (ValueError, OverflowError):
        ledger.add(1, "not YAML: an escape like \\U… names no character; mend it")
    return None


def _document(events: Iterator[Event], ledger: Ledger) -> Node | None:
    next(events)
    if isinstance(next(events), StreamEndEvent):
        ledger.add(1, "the file is empty; begin it with version: 1, or remove it")
        return None
    root = _node(next(events), _counted(events), ledger, 1)
    end = next(event for event in events if not isinstance(event, DocumentEndEvent))
    if not isinstance(end, StreamEndEvent):
        raise _RefusedError(_line(end.start_mark), "a second document begins here; use one file per mapping")
    return root


def _counted(events: Iterator[Event]) -> Iterator[Event]:
    for number, event in enumerate(events):
        if number > MAX_NODES:
            line = _line(event.start_mark)
            raise _RefusedError(line, f"more than {MAX_NODES} values; split the file into several mappings")
        yield event


def _line(mark: _Mark | None) -> int:
    return mark.line + 1 if mark else 1


def _node(event: Event, events: Iterator[Event], ledger: Ledger, depth: int) -> Node:
    line = _line(event.start_mark)
    _guard(event, line, depth)
    if isinstance(event, ScalarEvent):
        if _SURROGATE.search(event.value):
            raise _RefusedError(line, "an escape like \\ud800 names half a character; write the character")
        return Scalar(line, event.value, plain=not event.style)
    if isinstance(event, MappingStartEvent):
        return _table(line, events, ledger, depth)
    return Items(line, tuple(_node(item, events, ledger, depth + 1) for item in _until_end(events)))


def _guard(event: Event, line: int, depth: int) -> None:
    """References are refused because a few lines of them can stand for gigabytes; tags because nothing is typed here."""
    if isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor is not None):
        raise _RefusedError(
            line,
            "YAML references (& and *) are not read here; write the value out, or quote it if it is text",
        )
    if isinstance(event, ScalarEvent | CollectionStartEvent) and event.tag is not None:
        raise _RefusedError(line, "YAML tags (!) are not read here; quote the value if it is text")
    if depth > MAX_DEPTH:
        raise _RefusedError(line, f"nested deeper than {MAX_DEPTH} levels; write it flatter")


def _until_end(events: Iterator[Event]) -> Iterator[Event]:
    while not isinstance(event := next(events), CollectionEndEvent):
        yield event


def _table(line: int, events: Iterator[Event], ledger: Ledger, depth: int) -> Table:
    table = Table(line, {}, {})
    for event in _until_end(events):
        key = _node(event, events, ledger, depth + 1)
        value = _node(next(events), events, ledger, depth + 1)
        if not isinstance(key, Scalar):
            ledger.add(key.line, "a key here is a list or a mapping; write a word")
        elif key.text in table.entries:
            ledger.add(
                key.line,
                f"{shown(key.text)} is here twice, first in line {table.lines[key.text]}; remove one",
            )
        else:
            table.entries[key.text] = value
            table.lines[key.text] = key.line
    return table


def plain(node: Node) -> Json:
    """The JSON value that a node stands for: unquoted null, true, false and numbers as such, all else text."""
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    if isinstance(node, Table):
        return {key: plain(value) for key, value in node.entries.items()}
    if node.is_null:
        return None
    if node.plain and node.text in _BOOLS:
        return _BOOLS[node.text]
    if node.plain and _JSON_NUMBER.fullmatch(node.text):
        return json.loads(node.text)
    return node.text


def visible(text: str) -> str:
    """The text with blanks for line breaks, control characters and other things that are not seen."""
    return "".join(char if char.isprintable() else " " for char in text)


def shown(text: str, limit: int = 60) -> str:
    """Text for a message: in quotes, on one line, without control characters, at most `limit` characters of it."""
    kept = visible(text[: limit + 1])
    return f"'{kept if len(kept) <= limit else kept[: limit - 1] + '…'}'"


def nearest(word: str, known: Iterable[str]) -> str:
    """What to do about a word that is none of `known`: the closest one, or all of them."""
    names = {name.casefold(): name for name in islice(known, MAX_COMPARED)}
    close = difflib.get_close_matches(word[:MAX_WORD].casefold(), names, n=1, cutoff=0.6)
    told = [*islice(names.values(), MAX_TOLD), *(["…"] if len(names) > MAX_TOLD else [])]
    return f"did you mean {names[close[0]]}?" if close else f"known here: {', '.join(told)}"
