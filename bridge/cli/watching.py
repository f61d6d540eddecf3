"""Looking again and again, until Ctrl-C: `bridge status --watch`."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, Protocol

from rich.console import Console
from rich.live import Live
from rich.text import Text

from bridge.cli.base import at, put, say
from bridge.errors import Busy
from bridge.reports import one_line

PERIOD_SECONDS: Final = 2.0
REST: Final = 10
"""After a look nothing is looked at for so many times as long as it took."""

Look = Callable[[], Sequence[str]]


class Screen(Protocol):
    """Where a look is shown, made at that moment (epoch seconds)."""

    def show(self, lines: Sequence[str], now: float) -> None: ...

    def busy(self, now: float) -> None:
        """Nothing could be seen."""
        ...


def watch(
    look: Look,
    screen: Screen,
    clock: Callable[[], float],
    steady: Callable[[], float] = time.monotonic,
    rest: Callable[[float], None] = time.sleep,
) -> None:
    """Show one look after the other until Ctrl-C, SIGTERM or SIGHUP. Whoever keeps the database busy is waited for."""
    with suppress(KeyboardInterrupt):
        while True:
            began = steady()
            try:
                screen.show(look(), clock())
            except Busy:
                screen.busy(clock())
            rest(max(PERIOD_SECONDS, REST * (steady() - began)))


@contextmanager
def screen(what: str, *, as_json: bool) -> Iterator[Screen]:
    """A terminal that is painted anew each time; without one, or for JSON, one look below the other."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    console = Console(highlight=False, markup=False, emoji=False)
    if as_json or not (sys.stdout.isatty() and console.is_interactive):
        yield Lines(headed=not as_json)
        return
    with Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
        yield Painted(what, live)


@dataclass(frozen=True, slots=True)
class Lines:
    """One look below the other. `headed`: a line with the time goes before each."""

    headed: bool

    def show(self, lines: Sequence[str], now: float) -> None:
        """Written out at once: whoever reads it waits for it."""
        put(*([f"--- {at(now)} UTC"] if self.headed else []), *lines)
        sys.stdout.flush()

    def busy(self, now: float) -> None:
        """Beside the output."""
        say(f"{at(now)} UTC: {BUSY}")


BUSY: Final = "the database is busy; looking again"


@dataclass(slots=True)
class Painted:
    """One look in the place of the other. One that is higher than the terminal is cut off."""

    what: str
    live: Live
    lines: Sequence[str] = ()

    def show(self, lines: Sequence[str], now: float) -> None:
        """What was shown before goes."""
        self.lines = lines
        self._paint(f"{self.what} at {at(now)} UTC; Ctrl-C ends")

    def busy(self, now: float) -> None:
        """What was seen last stays."""
        self._paint(f"{at(now)} UTC: {BUSY}; this is what was seen last")

    def _paint(self, head: str) -> None:
        self.live.update(Text("\n".join(map(one_line, (head, *self.lines)))), refresh=True)
