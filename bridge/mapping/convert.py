"""From a JSON value to the text LeadSquared is given, one function per `type` of a mapping field.

Each takes what a path found and returns text, "" where there is nothing to send. Each raises UnreadableError with a reason
that never holds the value itself: reasons end up in logs and reports.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeAlias

import phonenumbers
from phonenumbers import NumberParseException, ValidationResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.model import Json

    Convert: TypeAlias = Callable[[Json], str]

CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_NUMBER: Final = re.compile(
    r"(?P<sign>[+-]?)\s*[£$€]?\s*(?P<sign2>[+-]?)"
    r"(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+|[0-9]*)(?P<fraction>\.[0-9]+)?(?P<exponent>[eE][+-]?[0-9]{1,3})?"
)
_BOOLEANS: Final = dict.fromkeys(("true", "yes", "y", "on", "1", "t"), "1") | dict.fromkeys(
    ("false", "no", "n", "off", "0", "f"), "0"
)
_WHOLE_AS_WRITTEN: Final = 10**18


class UnreadableError(Exception):
    """A value can't be made into what the mapping asks for; the text says why, without the value."""


def text(value: Json) -> str:
    """Trimmed, without control characters; inner line breaks stay. Numbers in shortest decimal form, true and false."""
    if isinstance(value, str):
        return clean(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number_text(value)
    return _container(value)


def clean(value: str) -> str:
    """Trimmed; control characters removed, halves of surrogate pairs replaced by U+FFFD."""
    if value.isprintable():
        return value.strip()
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    return CONTROL.sub("", _SURROGATE.sub("\ufffd", value)).strip()


def _container(value: Json) -> str:
    if not value:
        return ""  # PHP writes an empty object as [] and LeadByte's `info` is [] where there is none
    if isinstance(value, list):
        raise UnreadableError("is a list; use type: list, or a path to one of its items")
    raise UnreadableError("is an object; use a path to one of its values")


def _number_text(value: float) -> str:
    if isinstance(value, int):
        return str(value) if abs(value) < _WHOLE_AS_WRITTEN else format(Decimal(value), "f")
    if not math.isfinite(value):
        raise UnreadableError("is not a finite number")
    if not value:
        return "0"
    return format(Decimal(repr(value)), "f").removesuffix(".0")


def number(value: Json) -> str:
    """Plain decimal text: `£1,234.50` gives 1234.50. Digits are kept as they are written, never rounded."""
    written = text(value)
    if not written:
        return ""
    match = _NUMBER.fullmatch(written)
    if not match or not (match["whole"] or match["fraction"]) or (match["sign"] and match["sign2"]):
        raise UnreadableError("not a number")
    whole = match["whole"].replace(",", "")
    plain = f"{match['sign']}{match['sign2']}{whole}{match['fraction'] or ''}{match['exponent'] or ''}"
    amount = Decimal(plain)
    return format(amount or abs(amount), "f")


def boolean(value: Json) -> str:
    """ "1" or "0", as LeadSquared keeps them; from true, yes, y, on, t, 1 and their opposites in any case."""
    written = text(value)
    if not written:
        return ""
    found = _BOOLEANS.get(written.casefold())
    if found is None:
        raise UnreadableError("not a yes or a no")
    return found


def email(value: Json) -> str:
    """Trimmed, lower case, and of the shape of an address: one @, a dot in the domain, no blanks."""
    address = text(value).lower()
    if address and not (_EMAIL.fullmatch(address) and address.isprintable()):
        raise UnreadableError("not an email address")
    return address


def phone(region: str | None) -> Convert:
    """`+CC-NNN` (country code, hyphen, national number), as LeadSquared keeps phones. An extension is dropped.

    Numbers that are written without + are read as dialled in `region`; without a region they are refused. A number of a
    possible length is taken even if nobody has it.
    """
    place = f"in region {region}" if region else "that begins with + (the mapping names no region)"

    def convert(value: Json) -> str:
        written = text(value)
        if not written:
            return ""
        try:
            parsed = phonenumbers.parse(written, region)
        except NumberParseException:
            raise UnreadableError(f"not a phone number {place}") from None
        if phonenumbers.is_possible_number_with_reason(parsed) != ValidationResult.IS_POSSIBLE:
            raise UnreadableError(f"not a phone number {place}")
        return f"+{parsed.country_code}-{phonenumbers.national_significant_number(parsed)}"

    return convert


def items(value: Json) -> list[str]:
    """The texts of a list, without the empty ones; a single value is a list of one."""
    if not isinstance(value, list):
        value = [value]
    return [written for item in value if (written := text(item))]
