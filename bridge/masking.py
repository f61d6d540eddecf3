"""Secrets and people in texts, found however they are escaped: keys, email addresses, phone numbers, known values. Pure."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from html.entities import codepoint2name
from itertools import pairwise
from typing import Final
from urllib.parse import unquote

HOLE: Final = "…"
HIDDEN: Final = "***"
LEAST_LETTERS: Final = 3
"""A shorter value is in too many words to be told from them. Two letters are a name where a script has no alphabet."""

_AND: Final = r"&(?:amp;)*"
_AT: Final = rf"(?:[@\uff20\ufe6b]|%(?:25)*40|{_AND}(?:#0*64|#x0*40|commat);|\\+(?:u00|x)40)"
_APART: Final = r"\s@\uff20\ufe6b<>\"'(),;:=|"
_PART: Final = rf"(?:{_AND}\#?\w{{1,8}};|[^{_APART}])"
_LOCAL: Final = rf"(?:(?<![^{_APART}]){_PART}{{1,320}}|\"[^\"\n]{{1,64}}\")"
_EMAIL: Final = (
    rf"{_LOCAL}(?:{_AT}{_PART}{{0,255}}[^{_APART}.]|\s{{0,3}}{_AT}\s{{0,3}}{_PART}{{1,255}}\.\w{{2,63}})"
)
_DAY: Final = r"\d{4}-\d\d-\d\d"
_TIME: Final = rf"\b{_DAY}(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?)?\b"
_ID: Final = r"\b[0-9a-f]{8}(?:-[0-9a-f]{4,8}){3}-[0-9a-f]{8,12}\b"
_HOST: Final = r"(?<=//)\d{1,3}(?:\.\d{1,3}){3}\b"
_ESCAPED: Final = rf"%(?:25)*[0-9a-f]{{2}}|{_AND}(?:nbsp|\#\d{{1,7}}|\#x[0-9a-f]{{1,6}});|\\+u[0-9a-f]{{4}}|\\+x[0-9a-f]{{2}}"
_BLANK: Final = rf"(?:[\s)./_+\-\uff3f]|[^\w\x00-\x7f]|\((?=\d{{1,6}}\))|{_ESCAPED})"
_PHONE: Final = rf"(?<!\d)[+\uff0b]?\(?\d(?:\d|{_BLANK}{{1,4}}(?!{_DAY})\d){{6,60}}(?!\d)"

FOUND: Final = re.compile(
    f"(?P<email>{_EMAIL})|(?P<time>{_TIME})|(?P<id>{_ID})|(?P<host>{_HOST})|(?P<phone>{_PHONE})",
    re.IGNORECASE,
)
"""What looks like somebody or something: `lastgroup` is email, time, id, host (a numeric one in a URL) or phone."""

PEOPLE: Final = frozenset({"email", "phone"})
"""The groups of FOUND that are people."""

_PLAIN: Final = re.compile(r"[0-9A-Za-z]+")
_ESCAPING: Final = frozenset("%&\\")
_PIECE: Final = re.compile(
    rf"(?:%(?:25)*[0-9a-f]{{2}})+|{_AND}(?:#\d{{1,7}}|#x[0-9a-f]{{1,6}}|\w{{1,8}});|\\+u[0-9a-f]{{4}}|\\+x[0-9a-f]{{2}}|.",
    re.IGNORECASE | re.DOTALL,
)


def replaced(text: str, by: Callable[[str, str], str]) -> str:
    """The text with `by(group, words)` for every email address and phone number in it; ids, times and hosts stay."""

    def one(found: re.Match[str]) -> str:
        kind = found.lastgroup or ""
        return by(kind, found[0]) if kind in PEOPLE else found[0]

    return FOUND.sub(one, text)


def mask(text: str) -> str:
    """The text with email addresses as `j…@example.com` and phone numbers as `…0123`; ids and times stay."""
    return replaced(text, masked_person)


def masked_person(kind: str, words: str) -> str:
    """One email address or phone number, masked."""
    if kind == "email":
        local, _, domain = _parted(words)
        return f"{local.lstrip(chr(34))[:1]}{HOLE}@{domain}"
    return HOLE + "".join(each for each in words if each.isdecimal())[-4:]


def _parted(words: str) -> tuple[str, str, str]:
    """An address in front of its last at sign, that sign, and what follows it."""
    *_, last = re.finditer(_AT, words, re.IGNORECASE)
    return words[: last.start()], last[0], words[last.end() :].strip()


def quoted(text: str, value: str, by: Callable[[str], str]) -> str:
    """The text with `by(words)` wherever it quotes `value`, but not within longer words.

    Found in any case and width, escaped as in URLs, HTML or JSON, and with blanks or marks between its letters.
    """
    wanted = letters(value)[0]
    if len(wanted) < (LEAST_LETTERS if wanted.isascii() else LEAST_LETTERS - 1):
        return text
    mark = value.strip()[:1]
    spots = [0]
    for start, end in _spots(text, wanted):
        spots += (start - (not mark.isalnum() and text[start - 1 : start] == mark), end)
    parts = [text[start:end] for start, end in pairwise([*spots, len(text)])]
    return "".join(by(part) if position % 2 else part for position, part in enumerate(parts))


def _spots(text: str, wanted: str) -> Iterator[tuple[int, int]]:
    folded, spans = letters(text)
    at, free = folded.find(wanted), 0
    while at >= 0:
        end = at + len(wanted)
        start, stop = spans[at][0], spans[end - 1][1]
        glued = (at and spans[at - 1][1] == start) or (end < len(spans) and spans[end][0] == stop)
        if not glued and start >= free:
            yield start, stop
            free = stop
        at = folded.find(wanted, at + 1)


@lru_cache(1024)
def letters(text: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """A text's letters and digits, unescaped and folded, and where in the text each of them stands."""
    if text.isascii() and not _ESCAPING.intersection(text):
        plain = [(each, (at, at + 1)) for at, each in enumerate(text.lower()) if each.isalnum()]
        return "".join(each for each, _ in plain), tuple(span for _, span in plain)
    found = [
        (each, piece.span())
        for piece in _PIECE.finditer(text)
        for each in unicodedata.normalize("NFKC", _meant(piece[0])).casefold()
        if each.isalnum()
    ]
    return "".join(each for each, _ in found), tuple(span for _, span in found)


def _meant(piece: str) -> str:
    """What one piece of a text stands for."""
    if len(piece) == 1:
        return piece
    if piece.startswith("%"):
        return unquote(re.sub("%(?:25)+", "%", piece), errors="ignore")
    if piece.startswith("&"):
        return html.unescape(re.sub(_AND, "&", piece, flags=re.IGNORECASE))
    return chr(int(piece.lstrip("\\")[1:], 16))


def personal_id(queue_id: str) -> bool:
    """Whether a queueId is a person's address or number: some track leads by these."""
    looks_personal = "@" in queue_id or queue_id.startswith(("+", "0"))
    return looks_personal and replaced(queue_id, lambda *_: "") != queue_id


class Redactor:
    """`redactor(text)`: the text with every secret replaced by `***`.

    A secret is found as it is, percent-encoded (once or oftener, hex in either case, `+` for a space) and escaped as in
    JSON, Python or HTML, also where only some of its characters are.
    """

    def __init__(self, secrets: Collection[str]) -> None:
        forms = [_pattern(secret) for secret in sorted(filter(None, secrets), key=len, reverse=True)]
        self._found = re.compile("|".join(forms)) if forms else None
        # No form changes letters and digits: a text without a secret's longest run of them does not hold the secret.
        self._marks = [max(_PLAIN.findall(secret), key=len, default="") for secret in filter(None, secrets)]

    def __call__(self, text: str) -> str:
        # A loop of its own: a generator would cost as much again, and every reply comes through here.
        for mark in self._marks:
            if mark in text and self._found:
                return self._found.sub(HIDDEN, text)
        return text


def _pattern(secret: str) -> str:
    return "".join(_character(one) for one in secret)


def _character(one: str) -> str:
    if one.isascii() and one.isalnum():
        return one
    percent = "".join(f"%(?:25)*{_hex(f'{byte:02x}')}" for byte in one.encode("utf-8", "surrogatepass"))
    units = one.encode("utf-16-be", "surrogatepass").hex()
    escapes = "".join(rf"\\+u{_hex(units[at : at + 4])}" for at in range(0, len(units), 4))
    python = rf"\\+(?:x{_hex(f'{ord(one):02x}')}|U{_hex(f'{ord(one):08x}')})"
    # The character itself comes last: a `%` is the beginning of its own percent form.
    forms = [percent, escapes, python, _html(one)]
    forms += [r"\\+" + re.escape(json.dumps(one)[2:-1])] if one in "\b\f\n\r\t" else []
    forms += [r"\+"] if one == " " else []
    forms += [rf"\\*{re.escape(one)}"]
    return f"(?:{'|'.join(forms)})"


def _html(one: str) -> str:
    named = {"'": "|apos"}.get(one, f"|{codepoint2name[ord(one)]}" if ord(one) in codepoint2name else "")
    return f"&(?:amp;)*(?:#0*{ord(one)}|#[xX]0*{_hex(f'{ord(one):x}')}{named});"


def _hex(digits: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)
