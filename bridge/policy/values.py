"""Comparing values across the two sides, and remembering them without keeping them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Final, TypeAlias

from bridge.model import Stamp

Agreed: TypeAlias = Mapping[str, tuple[str, Stamp]]
"""What both sides last agreed on for one identity: field → (digest of its value, how new that value is)."""

_TRUTH: Final = {"true": "1", "false": "0"}
_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:Z|\+00:00)?)?", re.ASCII)
_MILLISECONDS: Final = re.compile(r"(\d\d:\d\d:\d\d)\.0+$")
_PHONE: Final = re.compile(r"\+[\d\s().-]{6,}")
_LOCAL_PHONE: Final = re.compile(r"[0-9 ()-]{10,32}")
_DAY: Final = re.compile(
    r"(?<!\d)(?:\d{1,2}[ -]+\d{1,2}[ -]+\d{4}|(?:19|20)\d\d[ -]+\d{1,2}[ -]+\d{1,2})(?!\d)", re.ASCII
)
_NOT_DIGITS: Final = re.compile(r"\D")
_LOCAL_DIGITS: Final = range(9, 16)
"""How many a phone number without its country has."""


def same(ours: str, theirs: str) -> bool:
    """Whether LeadSquared would read both as one value."""
    return normal(ours) == normal(theirs)


def normal(value: str) -> str:
    """The one spelling of a value, to compare by: what LeadSquared gives back may be spelt otherwise than it was sent.

    It adds `.000` to dates, and midnight to days, is free with spaces and hyphens in phone numbers, and has "1" and "0"
    for what others call true and false. Without a country, only what can be nothing but a phone number is read as one:
    it begins with `0` or `(`. In a number of any other kind the hyphens may be what tells it from another.
    """
    trimmed = value.strip()
    spelt = _SPELLINGS.get(trimmed[:1])  # by the first character, so that most values cost no more than this
    return spelt(trimmed) if spelt else trimmed


def _truth(text: str) -> str:
    return _TRUTH.get(text.lower(), text) if len(text) <= len("false") else text


def _phone(text: str) -> str:
    return "+" + _NOT_DIGITS.sub("", text) if _PHONE.fullmatch(text) else text


def _figures(text: str) -> str:
    if text.isdecimal():
        return text
    moment = _MOMENT.fullmatch(text) if text[4:5] == "-" else None
    if moment:
        return _moment(*moment.groups())
    return _MILLISECONDS.sub(r"\1", text) if ":" in text else text


def _local(text: str) -> str:
    if text.isdecimal() or not _LOCAL_PHONE.fullmatch(text) or _DAY.search(text):
        return _figures(text)
    digits = _NOT_DIGITS.sub("", text)
    return digits if len(digits) in _LOCAL_DIGITS else _figures(text)


def _moment(day: str, time: str | None, fraction: str | None) -> str:
    part = (fraction or "").rstrip("0")
    return f"{day} {time or '00:00:00'}" + (f".{part}" if part else "")


_SPELLINGS: Final[Mapping[str, Callable[[str], str]]] = {
    **dict.fromkeys("tTfF", _truth),
    **dict.fromkeys("123456789", _figures),
    **dict.fromkeys("0(", _local),
    "+": _phone,
}


def digest(value: str) -> str:
    """A short digest of a field's value, enough to see a change by."""
    return blake2b(normal(value).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
