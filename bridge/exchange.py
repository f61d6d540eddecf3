"""What both APIs' wire modules and the transport share: requests and replies as values, and how replies are read. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import orjson

from bridge.errors import ServerFault
from bridge.masking import replaced
from bridge.model import Json

MAX_DEPTH: Final = 100
"""How deep a reply may nest. A deeper one would exhaust the stack of whoever walks through it later."""

MOST_VALUES: Final = 500_000
"""How many values a reply may hold. A few megabytes of empty objects would take up many times their length."""

_DIGITS: Final = bytes(48 if 48 <= byte < 58 else 32 for byte in range(256))
"""For bytes.translate: every digit a 0, all else a space."""

_LONG: Final = b"0" * 19
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_HIDDEN: Final[Mapping[str, str]] = {"email": "<email>", "phone": "<number>"}


@dataclass(frozen=True, slots=True)
class Request:
    """One call to make. `url` without a query; `params` are percent-encoded by the transport. Its repr shows no values."""

    method: str
    url: str = field(repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """One whole answer. `headers` finds names in lower case (`httpx.Headers` finds them in any)."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def content_type(self) -> str:
        """The media type without its parameters, in lower case; "" where the answer named none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as text: UTF-8, without a byte order mark; what is no UTF-8 becomes U+FFFD."""
        return self.body.decode("utf-8-sig", "replace")


def rooted(url: str, path: str) -> str:
    """The base of all calls: `url` as it is where it has a path, else with `path` added. No slash at the end."""
    bare = url.strip().rstrip("/")
    return bare if urlsplit(bare).path else bare + path


def decode(text: str, who: str, status: int = 200) -> Json:
    """The JSON that `text` is. Repeated names are tolerated (the last wins); lone surrogates become `?`.

    Raises ServerFault, with `who` and `status` in words, for HTML, nothing, broken or too deeply nested JSON, more than
    MOST_VALUES values, NaN, Infinity and numbers that are none.
    """
    if len(text) > MOST_VALUES and sum(map(text.count, "[{,")) > MOST_VALUES:
        raise ServerFault(f"{who} answered HTTP {status} with more than {MOST_VALUES} JSON values")
    try:
        value = _decoded(text)
        if text.count("[") + text.count("{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
            raise RecursionError
    except RecursionError:
        raise ServerFault(f"{who} answered HTTP {status} with JSON nested too deeply") from None
    except ValueError:
        raise ServerFault(f"{who} answered HTTP {status} with {_nature(text)}") from None
    return value


def _decoded(text: str) -> Json:
    """By orjson, which is three times as fast, but for what it refuses or reads otherwise: whole numbers beyond 64 bits."""
    with suppress(ValueError):
        raw = text.encode()
        if _LONG not in raw.translate(_DIGITS):
            return orjson.loads(raw)
    value = _DECODER.decode(_without_halves(text))
    # Half of a surrogate pair can be escaped in JSON, but neither stored nor sent on as UTF-8.
    if "\\u" in text and "\\ud" in text.lower():
        value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    return value


def _without_halves(text: str) -> str:
    """With `?` for each half of a surrogate pair. To encode is the quickest way to see that there is none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("?", text)
    return text


def _no_number(word: str) -> Json:
    raise ValueError(word)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(digits)
    return number


_DECODER: Final = json.JSONDecoder(parse_constant=_no_number, parse_float=_finite)


def _depth(value: Json) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [inner for outer in level for inner in _inner(outer)]
    return depth


def _inner(value: Json) -> Iterable[Json]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _nature(text: str) -> str:
    start = text.lstrip()[:1]
    if not start:
        return "an empty reply"
    return "HTML instead of JSON" if start == "<" else "broken JSON"


def lenient(text: str) -> Json:
    """The JSON that `text` is, or None where it is none: for looking into answers that are errors anyway."""
    try:
        return decode(text, "")
    except ServerFault:
        return None


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait from `now` by a Retry-After header in seconds or as an HTTP date; None without a readable one."""
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def one_line(text: str, limit: int = 200) -> str:
    """Somebody else's words, fit for one line: at most `limit` characters, single spaces, nothing that is not seen.

    Control characters, marks of direction, joiners and halves of surrogate pairs become spaces.
    """
    seen = text[: 100 * limit]
    if not seen.isprintable():
        seen = "".join(each if each.isprintable() else " " for each in seen)
    words = " ".join(seen.split())
    return words if len(words) <= limit else words[: limit - 1] + "…"


def masked(text: str, limit: int = 200) -> str:
    """`one_line` without e-mail addresses and long numbers: for errors and logs, which never show a lead's data."""
    most = 4 * limit
    # What parts a number or an address unseen must be gone before they are looked for.
    words = replaced(one_line(text[:most], most), lambda kind, _: _HIDDEN[kind])
    if len(text) > most and len(words) < limit:
        words = f"{words.rpartition(' ')[0]} …"  # the last word was cut, and may have become an address
    return one_line(words, limit)


def text_of(value: Json) -> str | None:
    """An id or word that may come as text or as a number, as trimmed text; None for nothing, "" and anything else."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return str(value)


def folded(value: Json) -> dict[str, Json]:
    """An object with its names in lower case; anything else as an empty one."""
    return {name.lower(): inner for name, inner in value.items()} if isinstance(value, dict) else {}
