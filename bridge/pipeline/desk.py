"""The store, used from the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from math import inf
from typing import ParamSpec, TypeVar

import structlog

from bridge.errors import Busy, DiskFull

log = structlog.get_logger()

P = ParamSpec("P")
R = TypeVar("R")

LOCKED_SECONDS = 60.0
LOOK_SECONDS = 0.02
ROOM_LOOK_SECONDS = 0.5
LAST_SECONDS = 1.0
"""How long anything is waited for once the process is to end."""

TOLD_SECONDS = 60.0


class Desk:
    """Runs the store's short transactions one after another on the event loop itself.

    The loop stands still for one commit, and never while another program holds the database or the disk is full: that
    is waited for between tries, a lock for `patience` seconds in all, room on the disk for `room` seconds. Who waits
    keeps what is to be stored; a transaction that could not be made has changed nothing. `closing` is set when the
    process is to end: from then on nothing is waited for longer than `LAST_SECONDS`.
    """

    def __init__(self, patience: float = LOCKED_SECONDS, room: float = inf) -> None:
        self._patience, self._room = patience, room
        self._told_at = -inf
        self._waiting = 0
        self.closing = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether something waits for room on the disk."""
        return self._waiting > 0

    async def __call__(self, method: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What `method(*args)` returns or raises. `args` hold no iterator.

        Busy where the database stays locked, DiskFull where the disk stays full.
        """

        async def again() -> R:
            return method(*args, **kwargs)

        try:
            return method(*args, **kwargs)
        except Busy:
            return await self._locked(again)
        except DiskFull as error:
            return await self._without_room(again, error)

    async def in_thread(self, method: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The same on a thread, for a method that takes long and opens a store of its own. It may be begun anew."""
        attempt = partial(asyncio.to_thread, method, *args, **kwargs)
        try:
            return await attempt()
        except Busy:
            return await self._locked(attempt)
        except DiskFull as error:
            return await self._without_room(attempt, error)

    async def _locked(self, attempt: Callable[[], Awaitable[R]]) -> R:
        patience = _Patience(self._patience, self.closing)
        while True:
            await patience.pause(LOOK_SECONDS)
            try:
                return await attempt()
            except Busy:
                if patience.ended():
                    raise
            except DiskFull as error:
                return await self._without_room(attempt, error)

    async def _without_room(self, attempt: Callable[[], Awaitable[R]], error: DiskFull) -> R:
        patience = _Patience(self._room, self.closing)
        with self._counted():
            while True:
                self._tell(error)
                if patience.ended():
                    raise error
                await patience.pause(ROOM_LOOK_SECONDS)
                try:
                    return await attempt()
                except DiskFull as still:
                    error = still
                except Busy:
                    return await self._locked(attempt)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    def _tell(self, error: DiskFull) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._told_at + TOLD_SECONDS:
            self._told_at = now
            log.warning("waiting for room on the disk", reason=str(error))


class _Patience:
    """How long one thing is waited for: `seconds`, but `LAST_SECONDS` at most from when `closing` is set."""

    def __init__(self, seconds: float, closing: asyncio.Event) -> None:
        self._clock, self._closing = asyncio.get_running_loop().time, closing
        self._last = closing.is_set()
        self._until = self._clock() + (min(seconds, LAST_SECONDS) if self._last else seconds)

    def ended(self) -> bool:
        if self._closing.is_set() and not self._last:
            self._last, self._until = True, min(self._until, self._clock() + LAST_SECONDS)
        return self._clock() >= self._until

    async def pause(self, seconds: float) -> None:
        if self._closing.is_set():
            await asyncio.sleep(seconds)
        else:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), seconds)
