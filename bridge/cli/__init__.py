"""The commands. `main` is the console script `bridge`."""

from __future__ import annotations

import os
import sys

from bridge.cli.commands import cli
from bridge.errors import BridgeError

__all__ = ["cli", "main"]


def main() -> None:
    """Run one command; whatever goes wrong is told in a line on stderr, and exits with the code the design gives it."""
    try:
        cli()
    except BridgeError as error:
        _tell(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _tell(text: str) -> None:
    for line in text.splitlines() or [""]:
        sys.stderr.write(f"error: {line}\n")
