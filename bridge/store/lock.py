"""One process per state directory."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bridge.errors import Held
from bridge.store.database import translated

FILE = "bridge.lock"


@contextmanager
def state_lock(state_dir: Path) -> Iterator[None]:
    """Hold the state directory; the system lets go of it when the process dies.

    Raises Held, naming the holder's pid, where another process holds it; StoreError where it cannot be written.
    """
    path = state_dir / FILE
    with translated(path):
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(descriptor, state_dir)
        yield
    finally:
        os.close(descriptor)


def holder(state_dir: Path) -> int | None:
    """The pid of the process of the bridge that runs for this state directory; None for no such process.

    Looks without taking the lock away from a process that starts at this moment.
    """
    try:
        descriptor = os.open(state_dir / FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        told = _told(descriptor)
        return int(told) if told.isdecimal() else 0
    finally:
        os.close(descriptor)
    return None


def is_held(state_dir: Path) -> bool:
    """Whether some process of the bridge runs for this state directory."""
    return holder(state_dir) is not None


def _told(descriptor: int) -> str:
    return os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()


def _locked(descriptor: int) -> bool:
    """Whether the lock could be had; who only looks whether it is held lets go of it at once."""
    for pause in (0.0, 0.05, 0.2):
        time.sleep(pause)
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False


def _take(descriptor: int, state_dir: Path) -> None:
    if not _locked(descriptor):
        raise Held(
            f"{state_dir}: the bridge already runs for this state directory (pid {_told(descriptor) or 'unknown'}); "
            "stop it first, or leave it the work"
        )
    with translated(state_dir / FILE):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
