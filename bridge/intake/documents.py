"""Lines that are queueIds as they stand, or JSON: a value on each line, or values that span lines."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from bridge.errors import UsageError
from bridge.intake.lines import Line, Lines
from bridge.intake.tracks import Bad, is_deeper, track_of, tracks_in
from bridge.model import Json, Track

MOST_JSON: Final = 16 * 2**20
"""Characters of the longest JSON value that may span lines."""

MOST_VALUES: Final = 2_000_000
"""Values that JSON may hold. Millions of empty objects would take up many times the length of their text."""

MOST_NESTED: Final = 64
TOKENS: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}\[\]"]')
LIKE_JSON: Final = tuple('{}[]"')
NEVER_CLOSED: Final = "the JSON value that begins here is cut off, or longer than 16 MiB"


def from_lines(lines: Lines, *, plain: bool) -> Iterator[Track | Bad]:
    """A track or a reason for each value. `plain`: a line that does not look like JSON is a queueId as it stands.

    After the first value that never closes each line stands alone: else every cut-off line would cost a long search.
    """
    spanning = True
    for line in lines:
        text = line.text.strip()
        if line.problem:
            yield Bad(line.number, line.problem)
        elif plain and text and not text.startswith(LIKE_JSON):
            yield _plain(line.number, text)
        elif text:
            try:
                yield from _tracks(line.number, parsed(text))
            except UsageError as error:
                if spanning and (_depth(text) or 0) > 0:
                    whole = _gathered(lines, line)
                    spanning = whole is not None
                    yield from _in_document(line.number, whole)
                else:
                    yield Bad(line.number, str(error))


def parsed(text: str) -> Json:
    """The value of strict JSON: no NaN, no name twice in an object. Raises UsageError, quoting nothing of the text."""
    if len(text) > MOST_VALUES and sum(map(text.count, "[{,")) > MOST_VALUES:
        raise UsageError(f"the JSON holds more than {MOST_VALUES} values; send several")
    try:
        value = DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"not valid JSON at line {error.lineno}, column {error.colno} of it") from None
    except RecursionError:
        raise UsageError("the JSON nests too deep") from None
    except ValueError:
        raise UsageError("the JSON holds a number that is too long") from None
    if text.count("[") + text.count("{") > MOST_NESTED and is_deeper(value, MOST_NESTED):
        raise UsageError("the JSON nests too deep")
    return value


def _plain(number: int, text: str) -> Track | Bad:
    if any(mark in text for mark in ",;\t"):
        return Bad(
            number, "more than a queueId; the first line of a CSV names its columns, one of them queueId"
        )
    try:
        return track_of(text)
    except UsageError as error:
        return Bad(number, str(error))


def _tracks(number: int, value: Json) -> Iterator[Track | Bad]:
    return (Bad(number, found) if isinstance(found, str) else found for found in tracks_in(value))


def _in_document(number: int, whole: str | None) -> Iterator[Track | Bad]:
    if whole is None:
        return iter((Bad(number, NEVER_CLOSED),))
    try:
        return _tracks(number, parsed(whole))
    except UsageError as error:
        return iter((Bad(number, str(error)),))


def _gathered(lines: Lines, first: Line) -> str | None:
    """The text of the value that begins in `first` and ends in a later line.

    None: it never ends. Then reading goes on at the first line after `first` that is a JSON value of its own.
    """
    taken, size, depth = [first], len(first.text), _depth(first.text) or 0
    for line in lines:
        taken.append(line)
        size += len(line.text)
        step = _depth(line.text)
        if line.problem or size > MOST_JSON or step is None:
            break
        depth += step
        if depth <= 0:
            return "".join(each.text for each in taken)
    _resume(lines, taken)
    return None


def _resume(lines: Lines, taken: list[Line]) -> None:
    for position, line in enumerate(taken[1:], 1):
        if line.problem or _stands_alone(line.text):
            lines.put_back(taken[position:])
            return
    deque(lines, maxlen=0)


def _stands_alone(text: str) -> bool:
    if not text.startswith(("{", "[")):
        return False
    try:
        parsed(text)
    except UsageError:
        return False
    return True


def _depth(text: str) -> int | None:
    """How many more brackets open than close outside strings; None: a string is cut off, which no later line mends."""
    depth = 0
    for found in TOKENS.finditer(text):
        mark = found[0]
        if mark == '"':
            return None
        depth += STEPS.get(mark, 0)
    return depth


STEPS: Final = {"{": 1, "[": 1, "}": -1, "]": -1}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise UsageError("the JSON names a key twice in one object")
    return found


def _no_constant(_: str) -> NoReturn:
    raise UsageError("the JSON holds NaN or Infinity, which JSON does not have")


DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
