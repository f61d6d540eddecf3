"""What a running service tells the program that supervises it, by systemd's protocol (sd_notify(3))."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from bridge.reports import one_line

PERIOD_SECONDS: Final = 15.0
"""How often the status is told, where no watchdog asks for it more often."""

PATIENCE_SECONDS: Final = 1.0
"""How long a supervisor that does not read is waited for; the event loop stands still for that long."""


@dataclass(frozen=True, slots=True)
class Supervisor:
    """Whoever started this process. `address`: its socket, empty for nobody; `watchdog`: seconds within which it must
    hear of a process that works, 0.0 for no watchdog.
    """

    address: str = ""
    watchdog: float = 0.0

    @property
    def period(self) -> float:
        """Seconds between two messages: at most half of what the watchdog allows."""
        return min(PERIOD_SECONDS, self.watchdog / 2) if self.watchdog else PERIOD_SECONDS

    def tell(self, *lines: str) -> None:
        """Send one message. One that cannot be sent is dropped: the work is more than who watches it."""
        if not self.address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.settimeout(PATIENCE_SECONDS)
            out.sendto("\n".join(map(one_line, lines)).encode(), _path(self.address))

    def alive(self, status: str, *, working: bool) -> None:
        """Tell the status; the watchdog hears of it only where the process works."""
        self.tell(*(("WATCHDOG=1",) if working and self.watchdog else ()), f"STATUS={status}")


def supervisor(environ: Mapping[str, str] | None = None) -> Supervisor:
    """Who is named by NOTIFY_SOCKET, and its watchdog by WATCHDOG_USEC, if WATCHDOG_PID is this process or unset."""
    given = os.environ if environ is None else environ
    address, span = given.get("NOTIFY_SOCKET", ""), given.get("WATCHDOG_USEC", "")
    known = address if address.startswith(("/", "@")) else ""
    ours = given.get("WATCHDOG_PID", "") in {"", str(os.getpid())}
    return Supervisor(known, int(span) / 1e6 if ours and span.isdecimal() else 0.0)


@contextmanager
def kept_told(
    told: Supervisor, stop: asyncio.Event, working: Callable[[], bool], status: Callable[[], str]
) -> Iterator[None]:
    """While this lasts the supervisor hears that the service is up, how it is, and that it stops once `stop` is set."""
    told.tell("READY=1", f"STATUS={status()}")
    tasks = [
        asyncio.create_task(_pulse(told, working, status)),
        asyncio.create_task(_end(told, stop, status)),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()


async def _pulse(told: Supervisor, working: Callable[[], bool], status: Callable[[], str]) -> None:
    while True:
        told.alive(status(), working=working())
        await asyncio.sleep(told.period)


async def _end(told: Supervisor, stop: asyncio.Event, status: Callable[[], str]) -> None:
    await stop.wait()
    told.tell("STOPPING=1", f"STATUS={status()}")


def _path(address: str) -> str:
    return f"\0{address[1:]}" if address.startswith("@") else address
