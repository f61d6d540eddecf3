"""Who a request means, by email address, phone number or id, and whether a text speaks of them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from unicodedata import normalize
from urllib.parse import unquote

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, NumberParseException

from bridge.errors import UsageError

CODES: Final = frozenset(map(str, COUNTRY_CODE_TO_REGION_CODE))
BETWEEN: Final = r"\s().\-/\u2010-\u2015"
"""What may stand between the digits of a phone number."""

FEWEST_DIGITS: Final = 6
SHORT_ID: Final = 6
"""An id of fewer characters may be any number: it counts only where its name says what it is."""

LAYERS: Final = 4
BEFORE: Final = 24
ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
PLAIN: Final = {"n": "\n", "r": "\r", "t": "\t", "b": " ", "f": " "}


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone number: its national digits without leading zeros, and its country code where that was given."""

    national: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is known by any of these. Made by `person`, which checks them; ids and addresses in lower case."""

    emails: tuple[str, ...] = ()
    phones: tuple[Phone, ...] = ()
    ids: tuple[str, ...] = ()
    _names: tuple[tuple[str, re.Pattern[str]], ...] = field(init=False, repr=False, compare=False)
    _raw: tuple[tuple[str, re.Pattern[str]], ...] = field(init=False, repr=False, compare=False)
    _numbers: tuple[tuple[Phone, re.Pattern[str]], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, after in (("_names", True), ("_raw", False)):
            emails = [(one, _email_pattern(one, bounded=after)) for one in self.emails]
            ids = [(one, _id_pattern(one, bounded=after)) for one in self.ids]
            object.__setattr__(self, name, (*emails, *ids))
        object.__setattr__(self, "_numbers", tuple((one, _phone_pattern(one)) for one in self.phones))

    def is_id(self, text: str) -> bool:
        """Whether this whole text is one of the ids."""
        return text.strip().lower() in self.ids

    def is_in(self, text: str) -> bool:
        """Whether a text speaks of this person, however it is escaped: JSON, URLs, HTML, one within the other."""
        return any(self.is_written_in(reading) for reading in _readings(text))

    def is_written_in(self, text: str) -> bool:
        """Whether a text holds one of the names as it stands, in any case and any spelling of the number."""
        text = _folded(text)
        return any(name in text and pattern.search(text) for name, pattern in self._names) or self._rings(
            text
        )

    def is_in_raw(self, text: str) -> bool:
        """The same for the pages of a database, where anything may follow a text at once: rather once too often."""
        text = text.lower().replace(r"\u0040", "@")
        return any(name in text and pattern.search(text) for name, pattern in self._raw) or self._rings(text)

    def _rings(self, text: str) -> bool:
        return any(
            _fits(text[max(0, found.start() - BEFORE) : found.start()], phone.code)
            for phone, pattern in self._numbers
            for found in pattern.finditer(text)
        )

    def known_by(self, ids: Sequence[str]) -> Person:
        """The same person, known by these ids too."""
        return Person(self.emails, self.phones, (*self.ids, *(_folded(one.strip()) for one in ids)))


def person(emails: Sequence[str] = (), phones: Sequence[str] = (), ids: Sequence[str] = ()) -> Person:
    """The person known by these. Raises UsageError with a line for each that is none; the lines quote nothing."""
    problems: list[str] = []
    if not (emails or phones or ids):
        problems.append("nobody is named; give --email, --phone or --lead-id")
    if not all(_is_email(one) for one in emails):
        problems.append("--email: not an email address; write it like ann@example.com")
    if not all(_is_id(one) for one in ids):
        problems.append("--lead-id: empty or with a space in it; give a leadId, queueId or ProspectID")
    numbers = [phone(one) for one in phones]
    if None in numbers:
        problems.append("--phone: not a phone number; write it like +44 7700 900123")
    if problems:
        raise UsageError(*problems)
    named, known = (tuple(_folded(one.strip()) for one in given) for given in (emails, ids))
    return Person(named, tuple(one for one in numbers if one), known)


def phone(written: str) -> Phone | None:
    """A number however it is written: +44-7700900123, 0044 7700 900123, 07700 900123. None: it is none.

    Without + or 00 it is taken as dialled at home: the country is open then.
    """
    text = normalize("NFKC", written).strip()
    if text.startswith("00"):
        text = f"+{text[2:]}"
    if not text.startswith("+"):
        digits = re.sub(rf"[{BETWEEN}]", "", text).lstrip("0")
        return Phone(digits) if digits.isdecimal() and len(digits) >= FEWEST_DIGITS else None
    try:
        parsed = phonenumbers.parse(text, None)
    except NumberParseException:
        return None
    national = str(parsed.national_number)
    return Phone(national, str(parsed.country_code)) if len(national) >= FEWEST_DIGITS else None


def _is_email(text: str) -> bool:
    return re.fullmatch(r"[^@\s]+@[^@\s]+", text.strip()) is not None


def _is_id(text: str) -> bool:
    return re.fullmatch(r"\S+", text.strip()) is not None


def _folded(text: str) -> str:
    """Lower case, one form of each character. Without NUL: what is read with half of its bytes as such is UTF-16."""
    if not text.isascii():
        text = normalize("NFKC", text)
    return text.replace("\0", "").lower()


def _readings(text: str) -> Iterator[str]:
    """The text as it stands, and as it reads when one layer of escapes after another is taken away."""
    for _ in range(LAYERS):
        yield text
        plain = _unescaped(text)
        if plain == text:
            return
        text = plain


def _unescaped(text: str) -> str:
    if "\\" in text:
        joined = ESCAPE.sub(_character, text).encode("utf-16-le", "surrogatepass")
        text = joined.decode("utf-16-le", "replace")
    if "%" in text:
        text = unquote(text)
    return html.unescape(text) if "&" in text else text


def _character(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else PLAIN.get(found[2], found[2])


def _email_pattern(email: str, *, bounded: bool) -> re.Pattern[str]:
    # An apostrophe within a word belongs to the address (o'ann@…); elsewhere it quotes one.
    end = r"(?![\w-]|\.\w)" if bounded else ""
    return re.compile(rf"(?<![\w.+-])(?<!\w'){re.escape(email)}{end}")


def _id_pattern(id_: str, *, bounded: bool) -> re.Pattern[str]:
    if len(id_) < SHORT_ID:
        name = r'"\w*(?:lead|queue|prospect)\w*(?:id|ref)"'
        return re.compile(rf'{name}\s*:\s*"?{re.escape(id_)}"?\s*(?=[,}}\]]|$)')
    end = r"(?![\w-]|\.\d)" if bounded else r"(?!\d)"
    return re.compile(rf"(?<![\w.-]){re.escape(id_)}{end}")


def _phone_pattern(phone: Phone) -> re.Pattern[str]:
    return re.compile(rf"[{BETWEEN}]{{0,3}}".join(phone.national) + r"(?!\d)")


def _fits(before: str, code: str | None) -> bool:
    """Whether what stands before the national digits lets them be this number: nothing, zeros, or its country code."""
    written = re.search(rf"[+\d{BETWEEN}]*$", before)
    lead_in = written[0] if written else ""
    plus = lead_in.rpartition("+")
    if plus[1] and len(digits := _digits(plus[2])) <= len("99900"):
        return _is_code(digits, code) if digits else code is None
    if (digits := _digits(lead_in)).startswith("00") and len(digits) <= len("0099900"):
        return not digits.strip("0") or _is_code(digits[2:], code)
    close = lead_in[len(lead_in.rstrip("0123456789")) :].lstrip("0")
    return not close or _is_code(close, code)


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _is_code(digits: str, code: str | None) -> bool:
    """Whether these are the country code (any, where None), maybe with the zero that is dialled at home."""
    sizes = (len(code),) if code else (1, 2, 3)
    return any(digits[:n] in ((code,) if code else CODES) and not digits[n:].strip("0") for n in sizes)
