"""Dates and times as LeadByte and its suppliers write them, to the UTC text that LeadSquared keeps."""

from __future__ import annotations

import re
import warnings
from datetime import UTC, datetime, tzinfo
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from bridge.mapping.convert import UnreadableError, text

if TYPE_CHECKING:
    from bridge.mapping.convert import Convert
    from bridge.model import Json

_ISO: Final = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8})"
    r"(?:(?:T|\s+)(?P<time>[0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2}(?:[.,][0-9]+)?)?)?)"
    r"\s*(?P<zone>Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)?)?",
    re.IGNORECASE,
)
_UNIX: Final = re.compile(r"(?P<seconds>[0-9]{9,11}(?:\.[0-9]+)?)|(?P<milliseconds>[0-9]{12,13})")
_RFC_2822: Final = re.compile(
    r"(?:[a-z]{3,9},?\s+)?[0-9]{1,2}\s+[a-z]{3,9},?\s+[0-9]{4}\s+[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?"
    r"(?:\s*(?:[+-][0-9]{4}|UT|UTC|GMT|[ECMP][SD]T))?",
    re.IGNORECASE,
)
_YEARS: Final = range(3, 9998)
"""Years that stay years in every timezone: datetime ends at 1 and 9999."""
MAX_LAYOUT: Final = 100
MAX_REMEMBERED: Final = 64
"""Characters: of longer texts, which may be of any length, none is kept."""
_PROBE: Final = datetime(2000, 12, 31, 23, 59, 58, tzinfo=UTC)


def parse(value: Json, zone: tzinfo = UTC, layout: str | None = None) -> datetime | None:
    """The moment that `value` names, with its offset; None where there is no value. Raises UnreadableError.

    Read are ISO 8601 (T or a blank, any fraction, Z or an offset), Unix seconds and milliseconds (from 1973 on, so that
    neither a small number nor a year is taken for a time) and RFC 2822. With `layout` (strptime) only that is read.
    A value without an offset is local time in `zone`.
    """
    written = text(value)
    read = _moment_again if len(written) <= MAX_REMEMBERED else _moment
    return read(written, zone, layout) if written else None


def _moment(written: str, zone: tzinfo, layout: str | None) -> datetime:
    try:
        found = datetime.strptime(written, layout) if layout else _known(written)  # noqa: DTZ007
        if found is not None and found.year in _YEARS:
            return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except ValueError:
        pass
    raise UnreadableError(f"not in the format {layout}" if layout else "not a date and time that can be read")


# The time of a result is asked for by each rule that names it, and to tell how new the result is.
_moment_again: Final = lru_cache(256)(_moment)


def _known(written: str) -> datetime | None:
    if match := _ISO.fullmatch(written):
        return datetime.fromisoformat(_iso(match))
    if match := _UNIX.fullmatch(written):
        seconds = match["seconds"]
        return datetime.fromtimestamp(float(seconds) if seconds else int(match["milliseconds"]) / 1000, UTC)
    if _RFC_2822.fullmatch(written):
        return parsedate_to_datetime(written)
    return None


def _iso(match: re.Match[str]) -> str:
    if not match["time"]:
        return match["date"]
    zone = match["zone"] or ""
    return f"{match['date']}T{match['time']}{'+00:00' if zone.isalpha() else zone}"


def moment(zone: tzinfo, layout: str | None) -> Convert:
    """UTC `YYYY-MM-DD HH:MM:SS`; fractions of a second are dropped."""

    def convert(value: Json) -> str:
        found = parse(value, zone, layout)
        return found.replace(tzinfo=None).isoformat(" ", "seconds") if found else ""

    return convert


def day(zone: tzinfo, layout: str | None) -> Convert:
    """`YYYY-MM-DD`: the calendar day in `zone`, so a value without an offset keeps the day it is written with."""

    def convert(value: Json) -> str:
        found = parse(value, zone, layout)
        return found.astimezone(zone).date().isoformat() if found else ""

    return convert


def epoch(value: str | float | None) -> float | None:
    """Epoch seconds of a time in any form that `parse` reads; None where it is none."""
    try:
        found = parse(value)
    except UnreadableError:
        return None
    return found.timestamp() if found else None


def layout_fault(layout: str) -> str | None:
    """What is wrong with a strptime format, or None: it must hold a whole date, and mean the same on every machine."""
    if len(layout) > MAX_LAYOUT or not layout.isprintable():
        return f"it is longer than {MAX_LAYOUT} characters, or holds some that are not seen"
    if "%Z" in layout:
        return "%Z depends on the machine; use %z, or name a timezone"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            read = datetime.strptime(_PROBE.strftime(layout), layout)  # noqa: DTZ007
    except (ValueError, re.error):  # the latter for a directive that is there twice
        return "it is not a strptime format; write one like %d/%m/%Y %H:%M"
    return None if read.date() == _PROBE.date() else "it does not hold a whole date; add %d, %m and %Y"
