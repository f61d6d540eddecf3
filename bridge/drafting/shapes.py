"""What a value looks like, whether a LeadSquared field takes it, and made-up values of the same looks."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import count, islice
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING, Final

import phonenumbers
from phonenumbers import NumberParseException

from bridge.mapping.convert import UnreadableError, boolean, email, number, text
from bridge.mapping.times import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.model import Json

_PHONE: Final = re.compile(r"\+?[0-9(][0-9()\s./-]{5,24}")
_FEWEST_DIGITS: Final = 7
_SLASHED: Final = re.compile(
    r"([0-9]{1,2})([/.-])([0-9]{1,2})\2[0-9]{4}(?: [0-9]{2}:[0-9]{2}(:[0-9]{2})?)?", re.ASCII
)
_DAYS: Final = 12
"""A number over it is no month."""

_DAY: Final = re.compile(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}")
_MOMENT: Final = datetime(2026, 2, 13, 4, 5, 6, tzinfo=UTC)
_SIGNS: Final = "£€"
_LONGEST: Final = 40
_PLAIN_NUMBER: Final = re.compile(r"[£$€+-]*[0-9][0-9.,]{0,19}")
_NO_REGION: Final = "GB"
_NOBODYS: Final = "+44 7700 900123"


def _phone(value: Json) -> object:
    written = text(value)
    digits = sum(each.isdigit() for each in written)
    if not _PHONE.fullmatch(written) or digits < _FEWEST_DIGITS:
        raise UnreadableError("not a phone number")
    return digits


def _date(value: Json) -> object:
    layout = layout_of(value)[0]
    return parse(value, UTC, layout or None)


_READERS: Final[Mapping[str, Callable[[Json], object]]] = {
    "email": email,
    "phone": _phone,
    "number": number,
    "date": _date,
    "datetime": _date,
    "boolean": boolean,
}


def is_shaped(data_type: str, value: Json) -> bool:
    """Whether a field of this DataType takes such a value."""
    reader = _READERS.get(data_type.casefold())
    try:
        return not text(value) or reader is None or bool(reader(value))
    except UnreadableError:
        return False


def layout_of(value: Json) -> tuple[str, bool]:
    """The strptime format of a date with the year at its end, "" for any other; and whether day and month could be either."""
    written = value.strip() if isinstance(value, str) else ""
    match = _SLASHED.fullmatch(written)
    if not match:
        return "", False
    first, between, second = int(match[1]), match[2], int(match[3])
    order = ("%m", "%d") if second > _DAYS else ("%d", "%m")
    clock = (" %H:%M" if " " in written else "") + (":%S" if match[4] else "")
    return f"{between.join((*order, '%Y'))}{clock}", max(first, second) <= _DAYS


def is_day(value: Json) -> bool:
    """Whether it is a date without a time."""
    layout = layout_of(value)[0]
    return isinstance(value, str) and (layout.endswith("%Y") or bool(_DAY.fullmatch(value.strip())))


def region_of(value: Json) -> str:
    """The country that a phone number with + belongs to; "" where it is written without, or none is known."""
    written = value.strip() if isinstance(value, str) else ""
    if not written.startswith("+"):
        return ""
    try:
        number = phonenumbers.parse(written)
    except NumberParseException:
        return ""
    known = phonenumbers.region_code_for_number(number)
    found = known or phonenumbers.region_code_for_country_code(number.country_code or 0)
    return found if found in phonenumbers.SUPPORTED_REGIONS else ""


def made_up(sort: str, value: Json, layout: str = "") -> Json:
    """A value that the type `sort` reads, which looks like `value` and is nobody's."""
    if sort == "email":
        return "ann.example@example.com"
    if sort == "phone":
        return _made_up_phone(region_of(value))
    if sort in {"date", "datetime"}:
        return _made_up_time(value, layout)
    if sort == "boolean":
        return "yes" if isinstance(value, str) and value.strip().isalpha() else True
    if sort == "list":
        return _made_up_list(value)
    return _made_up_number(value) if sort == "number" else _made_up_text(value)


def _made_up_phone(region: str) -> str:
    example = phonenumbers.example_number(region or _NO_REGION)
    written = phonenumbers.PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(example, written) if example else _NOBODYS


def _made_up_list(value: Json) -> Json:
    items = [_made_up_text(one) for one in islice(value, 3)] if isinstance(value, list) else []
    return items or ["Outside the area", "Too young"]


def _made_up_time(value: Json, layout: str) -> Json:
    if layout:
        return _MOMENT.strftime(layout)
    if isinstance(value, int | float):
        return int(_MOMENT.timestamp())
    return _MOMENT.strftime("%Y-%m-%d" if is_day(value) else "%Y-%m-%dT%H:%M:%SZ")


def _made_up_text(value: Json) -> Json:
    if isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        return 1234567 if isinstance(value, int) else 1234.5
    written = text(value)[:_LONGEST].strip() if isinstance(value, str) else ""
    return disguised(written) if any(each.isalnum() for each in written) else "Example"


def _made_up_number(value: Json) -> Json:
    written = text(value) if isinstance(value, str) else ""
    if not _PLAIN_NUMBER.fullmatch(written):
        return 1234.5 if isinstance(value, float) else 12345
    return disguised(written)


def disguised(written: str) -> str:
    """A capital for a capital, a letter for a letter, a digit for a digit; plain signs stay. Never the same text."""
    shifted = (_shifted(written, shift) for shift in count())
    return next(other for other in shifted if other.casefold() != written.casefold())


def _shifted(written: str, shift: int) -> str:
    return "".join(_instead(each, place + shift) for place, each in enumerate(written))


def _instead(each: str, place: int) -> str:
    if each.isdigit():
        return str((place + 1) % 10)
    if each.isalpha():
        return (ascii_uppercase if each.isupper() else ascii_lowercase)[place % 26]
    return each if each in _SIGNS or (each.isascii() and each.isprintable()) else " "
