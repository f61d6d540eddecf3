"""What nobody should send, by name: texts, JSON, tables, YAML, paths, names of files; and ways to spoil what is sound.

Each is small or made when asked for. Whoever adds a fault of the world here has it tried everywhere.
"""

from __future__ import annotations

import json
import signal
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from hypothesis import strategies as st

MEGA: Final = 1_000_000

TEXTS: Final[Mapping[str, str]] = {
    "nul": "a\0b",
    "escape": "\x1b[2J\x1b[31mred",
    "title": "\x1b]0;pwned\x07",
    "hyperlink": "\x1b]8;;http://evil.example\x1b\\here\x1b]8;;\x1b\\",
    "c1 escape": "\x9b31m\x90q\x9c",
    "backspaces": "good\b\b\b\bevil",
    "delete": "a\x7fb",
    "return": "good\rerror: forged",
    "line feed": "a\nerror: forged\n{",
    "next line": "a\x85b",
    "line separator": "a\u2028b\u2029c",
    "vertical": "a\x0bb\x0cc\x1cd\x1ee",
    "right to left": "\u202egnp.exe\u202c",
    "isolate": "\u2066a\u2069\u200f\u061c",
    "zero width": "a\u200bb\u200d\u2060c\ufeff",
    "tags": "a\U000e0041\U000e007f",
    "half pair": "a\ud800b\udfff",
    "undecodable byte": "a\udcff",
    "noncharacter": "\uffff\U0010ffff",
    "combining": "a" + "\u0301" * 500,
    "wide": "\uff1d\uff0b\uff20",
    "formula": "=cmd|'/C calc'!A0",
    "formula after blanks": " \t=1+1",
    "formula after semicolon": "x;=1+1",
    "wide formula": "\uff1dHYPERLINK(1)",
    "markup": "<script>alert(1)</script>",
    "attribute": "\"' onload=x autofocus>",
    "entity": "&lt;&#0;&amp",
    "rich markup": "[red]x[/red][link=file:///]",
    "shell": "$(reboot) `id` ; rm -rf / #",
    "sql": "'); DROP TABLE queue_item;--",
    "format": "%s%n{0.__class__}{}",
    "template": "${jndi:ldap://x}{{7*7}}",
    "path": "../../../../etc/passwd",
    "long": "x" * 5000,
    "digits": "9" * 5000,
    "blank": "\u00a0\u3000\u2003",
    "empty": "",
}
"""Texts that somebody else's words may hold."""

NUMBERS: Final[Mapping[str, str]] = {
    "not a number": "NaN",
    "infinity": "-Infinity",
    "too large": "1e999",
    "largest": "1.7976931348623157e308",
    "smallest": "5e-324",
    "minus zero": "-0",
    "minus zero fraction": "-0.0",
    "beyond 64 bits": "18446744073709551616",
    "4000 digits": "9" * 4000,
    "5000 digits": "9" * 5000,
    "infinity in words": '"Infinity"',
    "not a number in words": '"nan"',
    "with underscores": '"1_000"',
    "other digits": '"\u0661\u0662"',
}
"""Numbers as JSON text, and texts that Python would take for numbers."""

DOCUMENTS: Final[Mapping[str, bytes]] = {
    **{f"text {name}": json.dumps({"status": text}).encode() for name, text in TEXTS.items()},
    **{f"key {name}": json.dumps({text: {text: [text]}}).encode() for name, text in TEXTS.items()},
    **{f"number {name}": f'{{"status": {number}}}'.encode() for name, number in NUMBERS.items()},
    "nothing": b"",
    "blanks": b" \t\r\n",
    "null": b"null",
    "nested": b"[" * 100_000,
    "nested and closed": b"[" * 100_000 + b"]" * 100_000,
    "nested objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "nested to the limit": b"[" * 99 + b"]" * 99,
    "twice": b'{"status":"Approved","status":"Rejected","queueId":"a","queueId":"b"}',
    "cut off": b'{"status":"Approved","records":[{"queueId"',
    "cut off in a letter": '{"status":"Zo\xeb'.encode()[:-1],
    "trailing": b'{"status":"Approved"}{"status":"Rejected"}',
    "page": b"<html><h1>502 Bad Gateway</h1></html>",
    "byte order mark": b'\xef\xbb\xbf{"status":"Approved"}',
    "two byte order marks": b'\xef\xbb\xbf\xef\xbb\xbf{"status":"Approved"}',
    "byte order mark within": '{"\ufeffstatus":"\ufeffApproved"}'.encode(),
    "utf-16": '{"status":"Approved"}'.encode("utf-16"),
    "utf-32": '{"status":"Approved"}'.encode("utf-32"),
    "latin-1": '{"status":"Zo\xeb"}'.encode("latin-1"),
    "half pair": b'{"status":"\\ud800","\\udfff":"\\ud83d\\ude00"}',
    "half pair in bytes": b'{"status":"\xed\xa0\x80"}',
    "overlong": b'{"status":"\xc0\xaf"}',
    "control": b'{"status":"a\x1bb\nc"}',
    "wrapped": json.dumps(json.dumps(json.dumps(json.dumps({"Status": "Success"})))).encode(),
}
"""What may come where JSON is expected."""


def ten_megabytes() -> Iterator[tuple[str, bytes]]:
    """Documents that are large in every way, each made when it is asked for."""
    yield "one text", b'{"status":"' + b"x" * (10 * MEGA) + b'"}'
    yield "quotes", b'{"status":' + b'\\"' * (5 * MEGA)
    yield "empty objects", b"[" + b"{}," * (3 * MEGA) + b"{}]"
    yield "keys", ("{" + ",".join(f'"k{n}":1' for n in range(MEGA)) + "}").encode()
    yield "digits", b'{"status":' + b"9" * (10 * MEGA) + b"}"
    yield "blanks", b" " * (10 * MEGA)
    yield "escapes", b'{"status":"' + b"\\u0000" * (10 * MEGA // 6) + b'"}'


TABLES: Final[Mapping[str, bytes]] = {
    "quote never closed": b'queueId,x\nq1,"open\nq2,b\n',
    "quote within": b'queueId,x\nq1,"a"b\nq2,b\n',
    "nul": b"queueId,x\nq1,\0\nq2,b\n",
    "returns only": b"queueId,x\rq1,a\rq2,b\r",
    "mixed ends": b"queueId,x\r\nq1,a\nq2,b\r\n",
    "mark within": b"queueId,x\n\xef\xbb\xbfq1,a\nq2,b\n",
    "a million columns": b"queueId" + b"," * MEGA + b"\nq1\nq2\n",
    "a million cells": b"queueId,x\nq1" + b"," * MEGA + b"\nq2\n",
    "formulas": b"queueId,=1+1\nq1,=cmd|x\nq2,@SUM(A1)\n",
    "header twice": b"queueId,x,x\nq1,a,b\n",
    "two ids": b"queueId,queue_id\nq1,q2\n",
    "latin-1": "queueId,x\nq1,Zo\xeb\nq2,b\n".encode("latin-1"),
    "next lines": "queueId,x\u2028q1,a\x85q2,b\n".encode(),
}
"""What may come where CSV is expected."""

FILE_NAMES: Final[Mapping[str, bytes]] = {
    "escape": b"\x1b[2Jq.csv",
    "line feed": b'q\n{"event": "forged"}.csv',
    "return": b"q\rforged.csv",
    "not utf-8": b"q\xff\xfe.csv",
    "right to left": "q\u202evsc.txt".encode(),
    "255 bytes": b"q" * 255,
    "255 bytes in letters": "\u00e9".encode() * 127 + b"x",
    "blank": b" ",
    "dash": b"--from",
    "dots": b"q...csv",
    "shell": b"$(reboot);`id`.csv",
    "percent": b"%2e%2e%2fq.csv",
    "backslashes": b"q..\\..\\q.csv",
}
"""Names that a file may have."""

MAPPING_HEAD: Final = "version: 1\nfields:\n  ProspectID: leadId\n"

MAPPINGS: Final[Mapping[str, str]] = {
    "laughs": "a0: &a0 lol\n"
    + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)),
    "a million aliases": "a: &a x\nb: [" + "*a," * 300_000 + "]\n",
    "huge anchor": f"a: &{'a' * 900_000} x\n",
    "python tag": MAPPING_HEAD + "when: !!python/object/apply:os.system [ls]\n",
    "binary tag": MAPPING_HEAD + "when: !!binary aGk=\n",
    "own tag": "%TAG ! tag:evil.example,2000:\n---\nversion: !x 1\n",
    "merge key": MAPPING_HEAD + "<<: {fields: {A: leadId}}\n",
    "tabs": "version: 1\n\tfields:\n\t\tA: leadId\n",
    "huge version": f"%YAML {'9' * 5000}.1\n---\nversion: 1\n",
    "nested lists": MAPPING_HEAD + "when: " + "[" * 100_000,
    "nested tables": MAPPING_HEAD + "when: " + "{a: " * 100_000,
    "nested blocks": "".join(f"{' ' * n}a:\n" for n in range(1000)),
    "half a character": MAPPING_HEAD + '  mx_X: {from: lead.x, type: list, join: "\\ud800"}\n',
    "control in join": MAPPING_HEAD + '  mx_X: {from: lead.x, type: list, join: "\\e["}\n',
    "control in format": MAPPING_HEAD + '  mx_X: {from: processed, type: date, format: "%d %m %Y\\n\\e"}\n',
    "directive twice": MAPPING_HEAD + "  mx_X: {from: processed, type: date, format: '%d %d %m %Y'}\n",
    "long format": MAPPING_HEAD
    + f"  mx_X: {{from: processed, type: date, format: '%Y%m%d{'x' * 900_000}'}}\n",
    "many problems": MAPPING_HEAD + "".join(f"  mx_{n}: {{type: bad{n}}}\n" for n in range(20_000)),
    "names nobody has": MAPPING_HEAD
    + "".join(f"  mx_{n}: leadId\n" for n in range(12_000))
    + "tests:\n  - given: {}\n    expect:\n"
    + "".join(f"      my_{n}: x\n" for n in range(10_000)),
    "a million values": MAPPING_HEAD + "when: [" + "a," * 480_000 + "]\n",
    "long word": MAPPING_HEAD + f"{'k' * 900_000}: x\n",
    "utf-16": "version: 1\n".encode("utf-16").decode("utf-8", "surrogateescape"),
    "mark within": MAPPING_HEAD + "\ufeffwhen: status\n",
    "next line": MAPPING_HEAD + "when: a\x85b\n",
    "nul": MAPPING_HEAD + "when: a\0b\n",
    "two documents": MAPPING_HEAD + "---\n" + MAPPING_HEAD,
    "zone": MAPPING_HEAD + "  mx_X: {from: processed, type: date, timezone: ../../etc/passwd}\n",
    "long zone": MAPPING_HEAD + f"  mx_X: {{from: processed, type: date, timezone: {'Z' * 5000}}}\n",
}
"""Mapping files, none of which may be taken."""

BOMBS: Final[Mapping[str, str]] = {
    "doubled by flattening": " | ".join(["[@, @][]"] * 100),
    "doubled by joining": "lead.x | " + " | ".join(["join('', [@, @])"] * 60),
    "doubled by writing": "lead | " + " | ".join(["to_string([@])"] * 60),
    "shared and compared": " | ".join(["[@, @]"] * 60) + " | [0] == [1]",
    "shared and written": " | ".join(["{a: @, b: @}"] * 60) + " | to_string(@)",
    "mapped": "lead.list | " + " | ".join(["map(&[@, @], @) | []"] * 50),
    "merged": "lead | " + " | ".join(["merge({a: @}, {b: @})"] * 50),
    "deep": "(" * 900 + "status" + ")" * 900,
    "deep selection": "[" * 900 + "status" + "]" * 900,
    "deep not": "!" * 1900 + "status",
    "deep literal": f"`{'[' * 990}{']' * 990}`",
}
"""JMESPaths of at most 2000 characters that would take all time or memory."""

PUMPS: Final = (
    *("a", "0", "9 ", "1-", "1(", "+", ".", "-", " ", "\t", "\n", "\\", '"', "'", '\\"', "\\'", "@", "a@", "@.", "a.", "a@a."),
    *("%25", "%2525", "%40", "&amp;", "&#", "&amp;amp;", "api ", "api-", "no ", "key ", "key is ", "request id ", "request"),
    *("no such ", '"Status" ', '"Status":', "exceeded the limit of 9", "api-a", "api.leadsquared.", "2024-01-01", "[", "{"),
    *("2024-01-01 ", '"a"', "lead does not ", "dead-", "deadbeef-", "(", ")", "\u200b", "\ud800", "//1.1.1.1", "/", ";="),
    *("\u00a0", ",", ":", "<", "=", "#", "x_", "attribute", "does not "),
)  # fmt: skip
"""Pieces that make a careless pattern slow where they are said many times."""


@contextmanager
def bounded(seconds: float = 10.0) -> Iterator[None]:
    """Fails the test where this process computes for longer: what would hang must not hold up all other tests."""

    def give_up(_number: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"still computing after {seconds:g} s")

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def peak(call: Callable[[], object]) -> int:
    """Bytes that Python's objects took up at most while `call` ran."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def texts() -> st.SearchStrategy[str]:
    """Any text, often one of the nasty ones or with one in it."""
    nasty = st.sampled_from(sorted(TEXTS.values()))
    return nasty | st.text(st.characters(), max_size=20) | st.tuples(st.text(max_size=5), nasty).map("".join)


def values() -> st.SearchStrategy[Any]:
    """Any JSON value with nasty texts and numbers."""
    numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.just(10**400)
    leaves = st.none() | st.booleans() | numbers | texts()
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts(), inner, max_size=4)
    )


@st.composite
def spoiled(draw: st.DrawFn, sound: Any) -> Any:
    """A sound JSON value with one to three places in it replaced, removed, doubled or renamed."""
    value = json.loads(json.dumps(sound))
    for _ in range(draw(st.integers(1, 3))):
        value = _spoil(draw, value)
    return value


def _spoil(draw: st.DrawFn, value: Any) -> Any:
    inside = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    if not inside or draw(st.integers(0, 5)) == 0:
        return draw(st.sampled_from([value, [value], [value, value], {"Status": value}, None]) | values())
    place = draw(st.sampled_from(list(inside)))
    how = draw(st.integers(0, 9))
    if how == 0:
        del value[place]
    elif how == 1 and isinstance(value, dict):
        value[draw(texts())] = value.pop(place)
    else:
        value[place] = _spoil(draw, value[place])
    return value
