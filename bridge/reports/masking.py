"""Hiding people in texts, and telling what in a reason names one lead from what it has in common with others."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

HOLE: Final = "…"
APART: Final = r"\s@<>\"'(),;:=|"
EMAIL: Final = rf"(?<![^{APART}])[^{APART}]+@[^{APART}]*[^{APART}.]"
TIME: Final = r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?)?\b"
ID: Final = r"\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4,8}){3}-[0-9A-Fa-f]{8,12}\b"
PHONE: Final = r"(?<!\d)\+?\(?\d(?:[ ().\-/]{0,3}\d){6,19}(?!\d)"
FOUND: Final = re.compile(f"(?P<email>{EMAIL})|(?P<time>{TIME})|(?P<id>{ID})|(?P<phone>{PHONE})")


def mask(text: str) -> str:
    """The text with email addresses as `j…@example.com` and phone numbers as `…0123`; ids and times stay."""
    return FOUND.sub(lambda found: _masked(found.lastgroup, found[0]), text)


def mask_identifier(identifier: str) -> str:
    """What a lead is known by, masked: also where it is neither an email address nor a phone number. Ids stay."""
    found = FOUND.fullmatch(identifier.strip())
    if found and found.lastgroup != "time":
        return _masked(found.lastgroup, found[0])
    return f"{identifier[:1]}{HOLE}" if identifier else ""


def mask_reason(reason: str, identifier: str | None) -> str:
    """A reason with the lead's identifier in it masked wherever it is quoted, and all other people too."""
    return mask(_replaced(reason, identifier, mask_identifier))


def common(reason: str, identifier: str | None) -> str:
    """What a reason has in common with those of other leads: `…` for everything that names a lead or a moment."""
    return FOUND.sub(HOLE, _replaced(reason, identifier, lambda _: HOLE))


def _masked(kind: str | None, value: str) -> str:
    match kind:
        case "email":
            name, _, domain = value.rpartition("@")
            return f"{name[:1]}{HOLE}@{domain}"
        case "phone":
            return HOLE + re.sub(r"\D", "", value)[-4:]
    return value


def _replaced(reason: str, identifier: str | None, by: Callable[[str], str]) -> str:
    value = (identifier or "").strip()
    if len(value) < 3 or value.casefold() not in reason.casefold():
        return reason
    found = FOUND.fullmatch(value)
    if found and found.lastgroup != "time":
        return reason
    whole = rf"(?<!\w){re.escape(value)}(?!\w)"
    return re.sub(whole, lambda found: by(found[0]), reason, flags=re.IGNORECASE)
