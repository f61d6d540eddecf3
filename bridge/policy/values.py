"""Comparing values across the two sides, and remembering them without keeping them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final, TypeAlias

from bridge.model import Stamp

Agreed: TypeAlias = Mapping[str, tuple[str, Stamp]]
"""What both sides last agreed on for one identity: field → (digest of its value, how new that value is)."""

_MILLISECONDS: Final = re.compile(r"(\d\d:\d\d:\d\d)\.0+$")
_PHONE: Final = re.compile(r"^\+[\d\s().-]{6,}$")
_NOT_DIGITS: Final = re.compile(r"\D")


def same(ours: str, theirs: str) -> bool:
    """Whether LeadSquared would read both as one value."""
    return normal(ours) == normal(theirs)


def normal(value: str) -> str:
    """The one spelling of a value: LeadSquared adds `.000` to dates and is free with spaces in phone numbers."""
    trimmed = value.strip()
    if trimmed.startswith("+") and _PHONE.match(trimmed):
        return "+" + _NOT_DIGITS.sub("", trimmed)
    return _MILLISECONDS.sub(r"\1", trimmed) if ":" in trimmed else trimmed


def digest(value: str) -> str:
    """A short digest of a field's value, enough to see a change by."""
    return blake2b(normal(value).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
