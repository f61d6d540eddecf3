"""Logs: one line per event on stderr, without secrets, without forged lines, without people.

What a line says is safe by where it comes from, whoever logs it and at whatever level:

- The event is a text of ours; of a library's record only the text in its source is kept, without the values.
- `queue_id` names the lead. `person` (whatever identifies one) goes out as a digest. `address` is a caller's, of the network.
- Of an error only our own words are kept, and an exception's type that LeadSquared names: not what it quotes.
- A traceback says where it happened and what kind of errors they were, without their texts and without locals.
- Warnings, and errors that nobody can catch, go the same way. Over all lies the search for secrets, email addresses
  and phone numbers.
- `run` is the same in all events of a process, of whatever thread or task, and another one in the next process.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
import traceback
import warnings
from collections.abc import Collection, Iterator, Mapping, MutableMapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, TextIO, TypeAlias

import structlog
from structlog.typing import ExcInfo, Processor

from bridge.masking import HIDDEN, Redactor, personal_id, replaced

__all__ = ["HIDDEN", "RUN", "Redactor", "coloured", "configure", "digest", "digest_key"]

Format: TypeAlias = Literal["auto", "json", "console"]

RUN: Final = os.urandom(4).hex()
"""Tells the events of this process from those of others in one journal."""

_QUIET: Final = ("httpx", "httpcore", "aiohttp", "apscheduler")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_MARGIN: Final = "  | "
_QUOTED: Final = re.compile(r"(\b(?:LeadByte|LeadSquared)\b.*?): (.*)", re.DOTALL)
_MX_TYPE: Final = re.compile(r"\bMX[A-Za-z]{1,60}Exception\b")
_UNTOUCHED: Final = frozenset({"timestamp", "level"})


def coloured(out: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether colours are wanted on `out`: on a terminal that has any, unless NO_COLOR says no (https://no-color.org)."""
    return out.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") not in {"dumb", "unknown"}


def digest(text: str, key: bytes) -> str:
    """A short name for a person in logs: the same for the same text and key, and not to be guessed without the key."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6, key=key).hexdigest()


def digest_key(secrets: Collection[str]) -> bytes:
    """The key of digests: made from all secrets, so that whoever has the logs alone cannot try out addresses.

    It holds over restarts and changes with any secret. Without secrets it is random, and holds for this process.
    """
    if not secrets:
        return os.urandom(32)
    whole = json.dumps(sorted(secrets)).encode()
    return blake2b(whole, digest_size=32, person=b"digests in logs").digest()


def configure(format: Format, level: str, secrets: Collection[str]) -> None:  # noqa: A002 - the setting's name
    """Send everything logged by structlog or `logging` to stderr, from `level` (`debug` … `critical`) on.

    Warnings and errors that nobody can catch become events too. `auto` is `console` on a terminal, else `json`. May be
    called again; the last call counts.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    console = format == "console" or (format == "auto" and sys.stderr.isatty())
    shared = _processors(_Cleaner(Redactor(secrets), digest_key(secrets), console=console))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    _route(_formatter(shared, console=console), threshold)
    _catch_the_rest()


def _processors(cleaner: Processor) -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(_traceback),
        cleaner,
        _stamped,
    ]


def _stamped(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401, ARG001
    """After the cleaner, to which eight digits may look like a phone number; whatever an event called by that name is gone."""
    event["run"] = RUN
    return event


def _formatter(shared: list[Processor], *, console: bool) -> logging.Formatter:
    render: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if console:
        render = structlog.dev.ConsoleRenderer(colors=coloured(sys.stderr, os.environ))
    return structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        foreign_pre_chain=[_without_values, *shared],
        use_get_message=False,
    )


def _without_values(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401, ARG001
    """A library's record: the first line of its text as it stands in the source. What asyncio adds below holds reprs."""
    event["event"] = str(event["event"]).partition("\n")[0]
    event["logger"] = event["_record"].name
    event.pop("stack_info", None)
    return event


class _ToStandardError(logging.StreamHandler[TextIO]):
    """To whatever that is at the moment: while progress is shown there, lines go above it."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def _route(formatter: logging.Formatter, threshold: int) -> None:
    handler = _ToStandardError()
    handler.set_name("bridge")
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [other for other in root.handlers if other.get_name() != "bridge"] + [handler]
    root.setLevel(threshold)
    # A line that cannot be written is lost; else logging would print its raw arguments.
    logging.raiseExceptions = False
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))


def _catch_the_rest() -> None:
    """What Python itself would print holds texts and reprs of anything: only kinds and places are logged."""
    log = structlog.get_logger()

    def warned(
        message: Warning | str,  # noqa: ARG001 - it may hold the repr of a request
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,  # noqa: ARG001
        line: str | None = None,  # noqa: ARG001
    ) -> None:
        log.warning("warning", kind=category.__name__, place=f"{Path(filename).name}:{lineno}")

    def lost(raised: Any) -> None:  # noqa: ANN401 - what Python gives these two hooks is alike in this only
        with suppress(Exception):
            log.error(
                "error that nobody caught", exc_info=(raised.exc_type, raised.exc_value, raised.exc_traceback)
            )

    def last(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        log.critical("error that nobody caught", exc_info=(kind, error, trace))

    warnings.showwarning = warned
    threading.excepthook = sys.unraisablehook = lost
    sys.excepthook = last


def _traceback(exc_info: ExcInfo) -> str:
    """Where it happened and what kinds of errors led to it, without their texts."""
    return "\n".join(_story(exc_info[1]))


def _story(error: BaseException) -> Iterator[str]:
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield from _story(before)
        yield "then"
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}"
    yield type(error).__name__


class _Cleaner:
    """The last that looks at what others gave: no secret, no person and no control character leaves in any part of a line."""

    def __init__(self, redactor: Redactor, key: bytes, *, console: bool) -> None:
        self._redactor, self._key = redactor, key
        self._console = console

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:  # noqa: ANN401, ARG002
        """As structlog calls it. What it was given stays as it was."""
        hidden = {name: event[name] for name in ("_record", "_from_structlog") if name in event}
        report = event.pop("exception", None)
        cleaned = {
            self._text(str(name)): self._named(name, inner)
            for name, inner in event.items()
            if name not in hidden
        }
        if report is not None:
            cleaned["exception"] = self._report(str(report))
        return cleaned | hidden

    def _named(self, name: str, value: Any) -> Any:  # noqa: ANN401
        if name == "person":
            return digest(str(value), self._key)
        if name == "queue_id":
            return self._queue_id(str(value))
        if name == "address":
            return self._visible(str(value))
        return value if name in _UNTOUCHED else self.value(value)

    def _queue_id(self, queue_id: str) -> str:
        """As it is, for people search by it; but whoever tracks addresses as queueIds does not have them logged."""
        return digest(queue_id, self._key) if personal_id(queue_id) else self._visible(queue_id)

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
        # Secrets first: a piece of one may look like a phone number, and what is left of it would not be found.
        ours = _QUOTED.sub(_ours, self._redactor(text))
        return self._visible(replaced(ours, lambda kind, _: f"<{kind}>"))

    def _visible(self, text: str) -> str:
        return _CONTROL.sub(_escape, self._redactor(text))

    def _report(self, text: str) -> str:
        """A traceback. On a console every line of it has a margin, so that none can pass for an event."""
        lines = [self._visible(line) for line in text.split("\n")]
        return "\n".join(_MARGIN + line if self._console else line for line in lines)


def _ours(found: re.Match[str]) -> str:
    """Our own words of an error of LeadByte's or LeadSquared's: what stands before the first colon, and the type it names."""
    kind = _MX_TYPE.search(found[2])
    return f"{found[1]} ({kind[0]})" if kind else found[1]


def _escape(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
