"""Logs: one line per event on stderr, without secrets, without forged lines, without a lead's data."""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections.abc import Collection, Mapping, MutableMapping
from hashlib import blake2b
from typing import Any, Final, Literal, TypeAlias

import structlog
from structlog.typing import ExcInfo, Processor

Format: TypeAlias = Literal["auto", "json", "console"]

HIDDEN: Final = "***"

_QUIET: Final = ("httpx", "httpcore", "aiohttp", "apscheduler")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_PLAIN: Final = re.compile(r"[0-9A-Za-z]+")
_MARGIN: Final = "  | "


class Redactor:
    """`redactor(text)`: the text with every secret replaced by `***`.

    A secret is found as it is, percent-encoded (once or oftener, hex in either case, `+` for a space) and escaped as in
    JSON, also where only some of its characters are.
    """

    def __init__(self, secrets: Collection[str]) -> None:
        forms = [_pattern(secret) for secret in sorted(filter(None, secrets), key=len, reverse=True)]
        self._found = re.compile("|".join(forms)) if forms else None
        # No form changes letters and digits: a text without a secret's longest run of them does not hold the secret.
        self._marks = [max(_PLAIN.findall(secret), key=len, default="") for secret in filter(None, secrets)]

    def __call__(self, text: str) -> str:
        if self._found is None or not any(mark in text for mark in self._marks):
            return text
        return self._found.sub(HIDDEN, text)


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
    forms = [percent, escapes, python]
    forms += [r"\\+" + re.escape(json.dumps(one)[2:-1])] if one in "\b\f\n\r\t" else []
    forms += [r"\+"] if one == " " else []
    forms += [rf"\\*{re.escape(one)}"]
    return f"(?:{'|'.join(forms)})"


def _hex(digits: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)


def digest(text: str) -> str:
    """A short name for a person in logs: the same for the same text, and not readable back."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def configure(format: Format, level: str, secrets: Collection[str]) -> None:  # noqa: A002 - the setting's name
    """Send everything logged by structlog or `logging` to stderr, from `level` (`debug` … `critical`) on.

    `auto` is `console` on a terminal, else `json`. May be called again; the last call counts.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    console = format == "console" or (format == "auto" and sys.stderr.isatty())
    shared = _processors(Redactor(secrets), console=console)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    _route(_formatter(shared, console=console), threshold)


def _processors(redactor: Redactor, *, console: bool) -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(_traceback),
        _Cleaner(redactor, console=console),
    ]


def _formatter(shared: list[Processor], *, console: bool) -> logging.Formatter:
    render: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if console:
        render = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    return structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        foreign_pre_chain=shared,
    )


def _route(formatter: logging.Formatter, threshold: int) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.set_name("bridge")
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [other for other in root.handlers if other.get_name() != "bridge"] + [handler]
    root.setLevel(threshold)
    # A line that cannot be written is lost; else logging would print its raw arguments.
    logging.raiseExceptions = False
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))


def _traceback(exc_info: ExcInfo) -> str:
    """Where it happened, without the values of locals."""
    return "".join(traceback.format_exception(*exc_info)).rstrip()


class _Cleaner:
    """The last processor before rendering: no secret and no control character leaves in any value, name or event."""

    def __init__(self, redactor: Redactor, *, console: bool) -> None:
        self._redactor = redactor
        self._console = console

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:  # noqa: ANN401, ARG002
        """As structlog calls it. What it was given stays as it was."""
        hidden = {name: event[name] for name in ("_record", "_from_structlog") if name in event}
        report = event.pop("exception", None)
        cleaned = {
            self._text(str(name)): self.value(inner) for name, inner in event.items() if name not in hidden
        }
        if report is not None:
            cleaned["exception"] = self._report(str(report))
        return cleaned | hidden

    def value(self, value: Any) -> Any:  # noqa: ANN401
        """The same value, clean: JSON's own types stay what they are, everything else becomes its repr."""
        if isinstance(value, Mapping):
            return {self._text(str(name)): self.value(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(inner) for inner in value]
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return value if self._redactor(str(value)) == str(value) else HIDDEN
        return self._text(value if isinstance(value, str) else repr(value))

    def _text(self, text: str) -> str:
        return _CONTROL.sub(_escape, self._redactor(text))

    def _report(self, text: str) -> str:
        """A traceback. On a console every line of it has a margin, so that none can pass for an event."""
        lines = [_CONTROL.sub(_escape, line) for line in self._redactor(text).split("\n")]
        return "\n".join(_MARGIN + line if self._console else line for line in lines)


def _escape(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
