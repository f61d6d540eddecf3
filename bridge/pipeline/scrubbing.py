"""Taking one person's records out of the lines of a file of queueIds. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final, TypeAlias

from bridge.intake.tracks import REPLY_LISTS, id_name
from bridge.model import Json

Theirs: TypeAlias = Callable[[str], bool]
"""Whether a text speaks of the person."""

MOST: Final = 16 * 2**20
"""Characters of the longest record that spans lines."""

MOST_ROW_LINES: Final = 100
TOKENS: Final = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|$)|[{}\[\]]')
"""A string that is cut off reaches to the end of its line: else each quote within it would be searched from anew."""

STEPS: Final = {"{": 1, "[": 1, "}": -1, "]": -1}
BLANKS: Final = "\ufeff \t"


def scrubbed(lines: Iterable[str], is_theirs: Theirs) -> Iterator[tuple[str, int]]:
    """Each record as it is to stand in the file from now on, and how many leads of this person went out of it.

    A record is a line, a JSON value, or a CSV row, which may span lines. Of LeadByte's reply to several leads, and of a
    list, only the entries that are theirs go. What is not theirs stays as it is, character by character.
    """
    stream = iter(lines)
    for line in stream:
        taken = _record(line, stream)
        text = "".join(taken)
        yield _scrubbed(text, taken, is_theirs) if is_theirs(text) else (text, 0)


def _scrubbed(text: str, taken: list[str], is_theirs: Theirs) -> tuple[str, int]:
    value = _json(text)
    if value is not None:
        kept, gone = _without(value, is_theirs)
        return (f"{json.dumps(kept, ensure_ascii=False)}\n" if kept else "", gone)
    if len(taken) == 1 or (not _like_json(text) and text.count('"') % 2 == 0):
        return "", 1
    return _one_by_one(taken, is_theirs)


def _record(line: str, stream: Iterator[str]) -> list[str]:
    """The lines of the record that begins here; where its end is not found, as many as may belong to it."""
    taken, size = [line], len(line)
    goes_on = _json_goes_on(line) if _like_json(line) else _row_goes_on(line)
    for another in stream if goes_on(None) else ():
        taken.append(another)
        size += len(another)
        if not goes_on(another) or size > MOST:
            break
    return taken


def _like_json(text: str) -> bool:
    return text.lstrip(BLANKS).startswith(("{", "["))


def _json_goes_on(first: str) -> Callable[[str | None], bool]:
    """Told each later line (None: before the first of them): whether more brackets are open than closed."""
    depth = _depth(first)

    def goes_on(line: str | None) -> bool:
        nonlocal depth
        depth += _depth(line or "")
        return depth > 0

    return goes_on


def _row_goes_on(first: str) -> Callable[[str | None], bool]:
    """The same for a CSV row: whether a quote is open. One that is never closed is given up."""
    quotes, lines = first.count('"'), 0

    def goes_on(line: str | None) -> bool:
        nonlocal quotes, lines
        quotes, lines = quotes + (line or "").count('"'), lines + 1
        return quotes % 2 == 1 and lines <= MOST_ROW_LINES

    return goes_on


def _depth(line: str) -> int:
    return sum(STEPS.get(mark, 0) for mark in TOKENS.findall(line))


def _one_by_one(taken: list[str], is_theirs: Theirs) -> tuple[str, int]:
    """Lines that make no whole record: each stands alone. Where only all of them together speak of the person, all go."""
    kept = [line for line in taken if not is_theirs(line)]
    gone = len(taken) - len(kept)
    return ("".join(kept), gone) if gone else ("", 1)


def _json(text: str) -> Json:
    try:
        return json.loads(text.lstrip(BLANKS))
    except (ValueError, RecursionError):
        return None


def _without(value: Json, is_theirs: Theirs) -> tuple[Json, int]:
    """What is left of a value (None: nothing), and how many leads went."""
    if not is_theirs(_text(value)):
        return value, 0
    if isinstance(value, list):
        found = [_without(each, is_theirs) for each in value]
        return [kept for kept, _ in found if kept is not None] or None, sum(gone for _, gone in found)
    if isinstance(value, dict) and not any(map(id_name, value)):
        return _without_entries(value, is_theirs)
    return None, 1


def _without_entries(reply: dict[str, Json], is_theirs: Theirs) -> tuple[Json, int]:
    names = [name for name in REPLY_LISTS if isinstance(reply.get(name), list)]
    found = {name: _without(reply[name], is_theirs) for name in names}
    left = {**reply, **{name: kept or [] for name, (kept, _) in found.items()}}
    gone = sum(count for _, count in found.values())
    nothing = not any(chain.from_iterable(left[name] for name in names))
    return (None, gone or 1) if nothing or is_theirs(_text(left)) else (left, gone)


def _text(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
