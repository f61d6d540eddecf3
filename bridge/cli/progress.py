"""How far work has come that takes its time: a line on the terminal, which goes when the work is done."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Timer
from typing import Any, Final, TypeVar

from rich.console import Console, RenderableType
from rich.progress import Progress, ProgressColumn, Task
from rich.text import Text

from bridge.cli.base import ago

Answer = TypeVar("Answer")

PATIENCE_SECONDS: Final = 2.0
LOOK_SECONDS: Final = 0.5
BYTES: Final = "MB"
"""As a unit: what is counted are bytes."""


@dataclass(slots=True)
class Work:
    """Work under way, told as `what`. Whoever does it sets `done` and `total` as it goes, which costs next to nothing.

    `total`: None where nobody knows it. `look`: tells what is done instead; it is called on another thread, some times a
    second. `shown`: whether anybody sees it, so that nothing need be counted for nobody.
    """

    what: str
    unit: str = ""
    total: float | None = None
    look: Callable[[], float] | None = None
    done: float = 0.0
    shown: bool = False

    def reached(self, done: float, total: float | None = None) -> None:
        """So much is done, of so much in all."""
        self.done, self.total = done, total

    def left(self, left: float) -> None:
        """So much is left. Where there is more than ever before, the total has grown."""
        self.total = max(self.total or 0.0, left)
        self.done = self.total - left


@contextmanager
def progress(
    what: str,
    unit: str = "",
    total: float | None = None,
    look: Callable[[], float] | None = None,
    *,
    patience: float = PATIENCE_SECONDS,
) -> Iterator[Work]:
    """Show work on standard error while this lasts: on a terminal only, and once it has taken `patience` seconds.

    Standard output is not touched; who writes to it on the same terminal does so afterwards.
    """
    work, console = Work(what, unit, total, look), Console(stderr=True, highlight=False)
    if not (sys.stderr.isatty() and console.is_interactive):
        yield work
        return
    work.shown, line = True, _Line(work, console)
    timer = Timer(patience, line.start)
    timer.daemon = True
    timer.start()
    try:
        yield work
    finally:
        timer.cancel()
        timer.join()
        line.stop()


def awaited(what: str, answer: Coroutine[Any, Any, Answer]) -> Answer:
    """What comes of a call; that it is waited for is shown."""
    with progress(what):
        return asyncio.run(answer)


@contextmanager
def counted_down(work: Work, count: Callable[[], Awaitable[int]]) -> Iterator[None]:
    """While this lasts `work` is told how many are left, by a count that takes a tenth of the time at most."""
    if not work.shown:
        yield
        return
    task = asyncio.create_task(_count_down(work, count))
    task.add_done_callback(
        lambda ended: ended.cancelled() or ended.exception()
    )  # the work itself fails of that too
    try:
        yield
    finally:
        task.cancel()


async def _count_down(work: Work, count: Callable[[], Awaitable[int]]) -> None:
    while True:
        began = asyncio.get_running_loop().time()
        work.left(await count())
        took = asyncio.get_running_loop().time() - began
        await asyncio.sleep(max(LOOK_SECONDS, 10 * took))


class _Line(Progress):
    """One line, which looks at the work whenever it is drawn."""

    def __init__(self, work: Work, console: Console) -> None:
        self._work = work
        super().__init__(
            _Words(work), console=console, transient=True, refresh_per_second=4, redirect_stdout=False
        )
        self.add_task(work.what, total=None)

    def start(self) -> None:
        """The cursor stays, for whoever is killed does not bring it back."""
        super().start()
        self.console.show_cursor(True)

    def get_renderables(self) -> Iterable[RenderableType]:
        for task in self.tasks:
            with suppress(ValueError, OSError):  # what is looked at may be closed or renamed at this moment
                self._work.done = self._work.look() if self._work.look else self._work.done
            self.update(task.id, completed=self._work.done)
        return super().get_renderables()


class _Words(ProgressColumn):
    def __init__(self, work: Work) -> None:
        self._work = work
        super().__init__()

    def render(self, task: Task) -> Text:
        return Text(told(self._work, task.speed, task.elapsed or 0.0), no_wrap=True, overflow="ellipsis")


def told(work: Work, rate: float | None, spent: float) -> str:
    """Work in a line: what it is, how much of it is done, how much a second, and how long it takes still.

    `rate`: per second; None while nobody knows. `spent`: seconds so far, told where there is nothing else to tell.
    """
    parts = [_amount(work)] if work.done or work.total else []
    if rate:
        parts.append(f"{_number(rate, work.unit)} a second")
    if rate and work.total is not None and work.done < work.total:
        parts.append(f"{ago((work.total - work.done) / rate)} left")
    elif not rate:
        parts.append(f"{ago(spent)} so far")
    return f"{work.what}: {', '.join(parts)}"


def _amount(work: Work) -> str:
    done = _number(work.done, work.unit, whole=True)
    # What was counted beforehand is an estimate where others go on working.
    of = f" of {_number(work.total, work.unit, whole=True)}" if work.total and work.done <= work.total else ""
    return f"{done}{of} {work.unit}".rstrip()


def _number(amount: float, unit: str, *, whole: bool = False) -> str:
    if unit == BYTES:
        return f"{amount / 1e6:,.1f}{'' if whole else f' {BYTES}'}"
    return f"{amount:,.0f}" if whole or amount >= 10 else f"{amount:,.1f}"
