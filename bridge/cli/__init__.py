"""The commands. `main` is the console script `bridge`."""

from __future__ import annotations

import io
import os
import sys
import traceback
from pathlib import Path
from typing import TextIO

from typer import TyperException

from bridge.cli.base import say
from bridge.cli.commands import cli
from bridge.errors import BridgeError, SettingsError
from bridge.masking import Redactor
from bridge.reports import one_line

__all__ = ["cli", "main"]

USAGE = 2


def main() -> None:
    """Run one command; whatever goes wrong is told in a line on stderr, and exits with the code the design gives it."""
    sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code = _run(sys.argv[1:])
    try:
        sys.stderr.flush()
    except OSError:
        _give_up(sys.stderr)
    sys.exit(code)


def _nowhere() -> TextIO:
    """In place of an output that was closed before the start. It takes that number, so that no file of ours does."""
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - open until the process ends


def _run(args: list[str]) -> int:
    """The exit code of one command. Without any, the help is shown."""
    try:
        code = cli(args or ["--help"], prog_name="bridge", standalone_mode=False)
        sys.stdout.flush()
    except BridgeError as error:
        _tell(*getattr(error, "problems", [str(error)]))
        return error.exit_code
    except TyperException as error:
        _tell(_usage(error))
        return USAGE
    except BrokenPipeError:
        _give_up_output()
        return 1
    except OSError as error:
        _give_up_output()
        _tell(f"{error.filename or 'standard output'}: {error.strerror}; mend that and try again")
        return 1
    except Exception as error:  # noqa: BLE001 - any other way out of here is a traceback
        _tell(f"the bridge failed for a reason of its own ({_place(error)}); tell those who maintain it")
        return 1
    return int(code or 0) if args else USAGE


def _tell(*lines: str) -> None:
    redact = _redactor()
    for line in lines:
        say(f"error: {redact(line)}")


def _redactor() -> Redactor:
    """Errors show no key, also where somebody typed one into the command or into a file that is quoted."""
    from bridge.settings import load

    try:
        return Redactor(load().secrets())
    except SettingsError:
        return Redactor(())


def _usage(error: TyperException) -> str:
    """What is wrong with the command's words, on one line."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "bridge"
    said = one_line(error.format_message()).replace("Value error, ", "").rstrip(".")
    return f"{said}; see `{command} --help`"


def _place(error: BaseException) -> str:
    """What kind of error it is and where it came from, without what it says: that may hold a lead's data."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(frame.filename).name}:{frame.lineno}"


def _give_up_output() -> None:
    """Nobody reads standard output any more."""
    _give_up(sys.stdout)


def _give_up(stream: TextIO) -> None:
    """What is left of an output must not fail once more as the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
