"""What a valid queueId is, and where one stands in a JSON value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bridge.errors import UsageError
from bridge.model import Json, Track

MOST_ID: Final = 200
MOST_DEPTH: Final = 32
ID_NAMES: Final = ("queueId", "queueRef")
"""What a queueId is called. Capitals, spaces and underscores do not count: `queue_id` and `Queue ID` are meant too."""

REPLY_LISTS: Final = ("results", "records")
REPLY_WORDS: Final = frozenset({"status", "code", "message", "processed", "response"})


_BY_FOLDED: Final = {name.casefold(): name for name in ID_NAMES}


def folded(name: str) -> str:
    """A name of a column or a key without capitals, spaces and underscores."""
    return name.replace("_", "").replace(" ", "").strip().casefold()


def id_name(name: str) -> str | None:
    """Which of `ID_NAMES` this spelling means; None: neither."""
    return _BY_FOLDED.get(folded(name))


@dataclass(frozen=True, slots=True)
class Bad:
    """What could not be taken from the source that is being read."""

    line: int
    reason: str


def track_of(queue_id: Json, context: Mapping[str, Json] | None = None) -> Track:
    """A track of checked values. A queueId is opaque text of 1 to 200 visible characters; a number is taken as text.

    Raises UsageError, whose one line quotes nothing.
    """
    if isinstance(queue_id, int) and not isinstance(queue_id, bool):
        queue_id = str(queue_id)
    if not isinstance(queue_id, str):
        raise UsageError("the queueId is neither text nor a whole number")
    if not 1 <= len(queue_id) <= MOST_ID:
        raise UsageError(f"the queueId must have 1 to {MOST_ID} characters")
    if not queue_id.isprintable() or " " in queue_id:
        raise UsageError("the queueId holds a space or a character that cannot be seen")
    return Track(queue_id, _kept(context) if context else {})


def tracks_in(value: Json) -> Iterator[Track | str]:
    """The tracks that a decoded JSON value holds; for what is none, the reason in words."""
    if isinstance(value, list):
        yield from _each(value)
    elif isinstance(value, dict) and not any(id_name(name) for name in value):
        yield from _in_reply(value)
    else:
        yield _one(value)


def _each(values: list[Json]) -> Iterator[Track | str]:
    if not values:
        yield "the list is empty"
    for position, value in enumerate(values, 1):
        found = ("is a list within a list",) if isinstance(value, list) else tracks_in(value)
        for each in found:
            yield f"entry {position}: {each}" if isinstance(each, str) else each


def _in_reply(reply: dict[str, Json]) -> Iterator[Track | str]:
    listed = [each for name in REPLY_LISTS if isinstance(reply.get(name), list) for each in reply[name]]
    if not listed:
        yield _why_empty(reply)
    for position, entry in enumerate(listed, 1):
        found = _one(_without_reply_words(entry))
        if _is_error(entry):
            found = "LeadByte's reply has status Error for this lead"
        yield f"lead {position}: {found}" if isinstance(found, str) else found


def _why_empty(reply: dict[str, Json]) -> str:
    if _is_error(reply):
        return "LeadByte's reply has status Error: it queued no lead"
    if any(name in reply for name in REPLY_LISTS):
        return "LeadByte's reply lists no lead"
    return "there is no queueId in it"


def _is_error(entry: Json) -> bool:
    status = entry.get("status") if isinstance(entry, dict) else None
    return isinstance(status, str) and status.strip().casefold() == "error"


def _without_reply_words(entry: Json) -> Json:
    """What LeadByte said when it took the lead is overtaken by what the poll says; only the caller's own words stay."""
    if not isinstance(entry, dict):
        return entry
    return {name: value for name, value in entry.items() if name not in REPLY_WORDS}


def _one(value: Json) -> Track | str:
    queue_id, context = value, None
    if isinstance(value, dict):
        names = sorted((name for name in value if id_name(name) and value[name] not in (None, "")), key=_rank)
        if not names:
            return "there is no queueId in it"
        queue_id = value[names[0]]
        context = {key: each for key, each in value.items() if not id_name(key) or _differs(each, queue_id)}
    try:
        return track_of(queue_id, context)
    except UsageError as error:
        return str(error)


def _rank(name: str) -> tuple[int, bool]:
    """QueueId counts before queueRef, and LeadByte's own spelling before others."""
    return ID_NAMES.index(id_name(name) or name), name not in ID_NAMES


def _differs(other: Json, queue_id: Json) -> bool:
    return other not in (None, "", queue_id)


def _kept(context: Mapping[str, Json]) -> Mapping[str, Json]:
    if is_deeper(context, MOST_DEPTH):
        raise UsageError(f"the values beside the queueId nest more than {MOST_DEPTH} deep")
    try:
        json.dumps(context, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError):
        raise UsageError("a value beside the queueId is none that JSON in UTF-8 can hold") from None
    return context


def is_deeper(value: Json, levels: int) -> bool:
    """Whether lists and objects lie more than so many levels within each other."""
    if isinstance(value, Mapping):
        value = list(value.values())
    elif not isinstance(value, list):
        return False
    return levels == 0 or any(is_deeper(each, levels - 1) for each in value)
