"""What every command begins with, and how it prints."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from rich.console import Console

from bridge.errors import UsageError
from bridge.model import Json
from bridge.policy.moments import iso_epoch
from bridge.reports import one_line

if TYPE_CHECKING:
    from bridge.app import App

_SPAN: Final = re.compile(r"([0-9]{1,9})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def open_app() -> App:
    """The bridge with this process's settings; logging is on, unknown setting names are warned of.

    Raises SettingsError.
    """
    # Here and not above, as all that is heavy in the commands: who asks for help or completes a word need not wait for it.
    from bridge import settings as settings_module
    from bridge import telemetry
    from bridge.app import App

    settings = settings_module.load()
    telemetry.configure(settings.log.format, settings.log.level, settings.secrets())
    for warning in settings_module.warnings():
        say(f"warning: {warning}")
    return App(settings)


def console() -> Console:
    """Standard output, plain where it is no terminal."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def say(text: str) -> None:
    """A line for a person, beside the output. Nothing in it begins another line or moves the cursor."""
    sys.stderr.write(f"{one_line(text)}\n")


def put(*lines: str) -> None:
    """Lines of output, each given by itself. Nothing in one begins another line or moves the cursor."""
    sys.stdout.writelines(f"{one_line(line)}\n" for line in lines)


def ask(question: str) -> bool | None:
    """Whether a person says yes to this; None where nobody answers."""
    sys.stdout.write(f"{one_line(question)} [y/N] ")
    sys.stdout.flush()
    answer = sys.stdin.readline() if sys.stdin else ""
    if not answer:
        put("")
        return None
    return answer.strip().lower() in {"y", "yes"}


def agreed(question: str, verb: str) -> bool:
    """Whether a person says yes. Raises UsageError where nobody answers, with how to `verb` without being asked."""
    answer = ask(question)
    if answer is None:
        raise UsageError(
            f"nobody answered; add --yes to {verb} without being asked, or --dry-run to look only"
        )
    return answer


def put_json(value: Mapping[str, Json]) -> None:
    """JSON for a script, in letters of all kinds; what a terminal would obey or not show is escaped."""
    put(*map(_escaped, json.dumps(value, ensure_ascii=False, indent=2).split("\n")))


def json_line(value: Mapping[str, Json]) -> str:
    """The same on one line."""
    return _escaped(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _escaped(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in line)


def moment(text: str | None, option: str, now: float) -> float | None:
    """Epoch seconds from an ISO 8601 date or time (UTC where it names no zone) or a span back from now such as 90m, 36h, 7d.

    Raises UsageError naming the option.
    """
    if text is None:
        return None
    if span := _SPAN.fullmatch(text):
        return now - int(span[1]) * _SECONDS[span[2]]
    try:
        return iso_epoch(text)
    except ValueError:
        raise UsageError(
            f"{option}: not a time; write 2026-05-01, 2026-05-01T09:30, or a span back from now such as 36h or 7d"
        ) from None


def ago(seconds: float | None) -> str:
    """A span of time in words of one unit."""
    if seconds is None:
        return "-"
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f}{unit}"
    return f"{max(seconds, 0):.0f}s"


def at(seconds: float | None) -> str:
    """A moment in UTC, to the second."""
    return "-" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
