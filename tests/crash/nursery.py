"""A process that has imported the whole bridge and starts each command as a fork of itself, within milliseconds.

It is driven over standard input by JSON lines, apart from the tests' own process with its threads:
`{"start": ORDER}` answers `{"pid": …}`, `{"look": PID}` answers `{"code": …}`, null while that child lives.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from typing import Any

import bridge.cli
from tests.crash import rig


def main() -> None:
    """Obey until standard input ends; then nothing that was started lives on."""
    children: set[int] = set()
    for line in sys.stdin:
        order = json.loads(line)
        if "start" in order:
            pid = os.fork()
            if not pid:
                _live(order["start"])
            children.add(pid)
            _answer(pid=pid)
        else:
            pid, status = os.waitpid(order["look"], os.WNOHANG)
            children.discard(pid)
            _answer(code=os.waitstatus_to_exitcode(status) if pid else None)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _answer(**said: int | None) -> None:
    os.write(1, f"{json.dumps(said)}\n".encode())


def _live(order: dict[str, Any]) -> None:
    """Be the command, with its own files, directory and environment, rigged as told."""
    code = 70
    try:
        for number, name, flags in (
            (0, os.devnull, os.O_RDONLY),
            (1, order["stdout"], os.O_WRONLY | os.O_CREAT),
            (2, order["stderr"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
        ):
            os.dup2(os.open(name, flags, 0o600), number)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as a process of its own has
        sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115 - likewise
        os.environ.clear()
        os.environ.update(order["env"])
        os.chdir(order["cwd"])
        sys.argv[1:] = order["args"]
        rig.apply(order["rig"])
        try:
            bridge.cli.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 - a fork that fails must not go on as the nursery
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
