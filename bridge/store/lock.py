"""One process per state directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
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


def is_held(state_dir: Path) -> bool:
    """Whether some process of the bridge runs for this state directory."""
    try:
        with state_lock(state_dir):
            return False
    except Held:
        return True


def _take(descriptor: int, state_dir: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        raise Held(
            f"{state_dir}: the bridge already runs for this state directory (pid {holder}); "
            "stop it first, or leave it the work"
        ) from None
    with translated(state_dir / FILE):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
