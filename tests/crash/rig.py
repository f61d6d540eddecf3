"""What makes a bridge die at a chosen step: the composition root's own objects, each in a wrapper that counts its calls.

A step is named `store.record before`, `sink.push after`, `store.record commit` (all is written but for the commit) or
`store.failures item` (a row of it was read); what is about LeadByte's side `operations.push after` or
`store.record leadbyte commit`, changed leads `changes.changes after`. Steps of the system are `os.rename`, `os.remove`
and the like, with the end of the path. Nothing of the bridge knows of this.
"""

from __future__ import annotations

import inspect
import os
import resource
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bridge.app
import bridge.pipeline.desk
import bridge.scheduler
from bridge.app import App
from bridge.app.sides import Opening
from bridge.model import LEADBYTE, Call

SYSTEM = {"os.rename": 1, "os.remove": 0, "shutil.copyfile": 1}
"""Audit events that are steps, and which of their arguments is the path that changes."""


@dataclass
class Death:
    """Strikes at a step: the `nth` time that it begins with `at`, whatever the step where `at` is empty.

    `how` kill: SIGKILL. `how` full: from now on no file can grow, as on a disk that is full.
    """

    at: str | None = None
    nth: int = 1
    how: str = "kill"
    counted: int = field(default=0, init=False)
    _here: threading.local = field(default_factory=threading.local, init=False)

    def step(self, name: str) -> None:
        if self.at is not None and name.startswith(self.at):
            self.counted += 1
            if self.counted == self.nth:
                strike(self.how)

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """While a method of the store runs on this thread."""
        before, self._here.name = getattr(self._here, "name", ""), name
        try:
            yield
        finally:
            self._here.name = before

    def commits(self, statement: str) -> None:
        """SQLite is about to carry this statement out."""
        if statement == "COMMIT":
            self.step(f"{getattr(self._here, 'name', '')} commit")

    def system(self, event: str, args: tuple[Any, ...]) -> None:
        """An audit event of the interpreter."""
        if self.at is not None and event in SYSTEM:
            self.step(f"{event} {Path(str(args[SYSTEM[event]])).name}")


def strike(how: str) -> None:
    """Do to this process what is meant to happen."""
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


class Watched:
    """An object whose methods are counted, otherwise as it is."""

    def __init__(self, name: str, inner: Any, death: Death) -> None:
        self._name, self._inner, self._death = name, inner, death

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name.startswith("_") or not callable(found):
            return found
        watch = _asynchronous if inspect.iscoroutinefunction(found) else _synchronous
        return watch(f"{self._name}.{name}", found, self._death)


def _asynchronous(name: str, method: Callable[..., Any], death: Death) -> Callable[..., Any]:
    async def watched(*args: Any, **kwargs: Any) -> Any:
        death.step(f"{name} before")
        try:
            return await method(*args, **kwargs)
        finally:
            death.step(f"{name} after")

    return watched


def _synchronous(name: str, method: Callable[..., Any], death: Death) -> Callable[..., Any]:
    def watched(*args: Any, **kwargs: Any) -> Any:
        step = f"{name} leadbyte" if LEADBYTE in map(_side, args[:1]) else name
        death.step(f"{step} before")
        with death.inside(step):
            result = method(*args, **kwargs)
        death.step(f"{step} after")
        return _rows(step, result, death) if inspect.isgenerator(result) else result

    return watched


def _side(argument: Any) -> Any:
    """Which host a batch is claimed for, or a call was made to."""
    return argument.host if isinstance(argument, Call) else argument


def _rows(name: str, rows: Iterator[Any], death: Death) -> Iterator[Any]:
    for row in rows:
        death.step(f"{name} item")
        yield row


class RiggedOpening(Opening):
    """Both vendors, watched."""

    @asynccontextmanager
    async def source(self) -> AsyncIterator[Any]:
        async with super().source() as source:
            yield Watched("source", source, Rigged.death)

    @asynccontextmanager
    async def operations(self) -> AsyncIterator[Any]:
        async with super().operations() as operations:
            yield Watched("operations", operations, Rigged.death)

    @asynccontextmanager
    async def changes(self) -> AsyncIterator[Any]:
        async with super().changes() as changes:
            yield Watched("changes", changes, Rigged.death)

    @asynccontextmanager
    async def sink(self, *, async_needed: bool) -> AsyncIterator[Any]:
        async with super().sink(async_needed=async_needed) as sink:
            yield Watched("sink", sink, Rigged.death)


class Rigged(App):
    """The composition root, its parts watched."""

    death = Death()

    @property
    def opening(self) -> Opening:
        return RiggedOpening(self.settings, self.clock)

    @contextmanager
    def store(self, *, create: bool = True) -> Iterator[Any]:
        with super().store(create=create) as store:
            store._database.conn.set_trace_callback(self.death.commits)
            yield Watched("store", store, self.death)


def apply(order: dict[str, Any]) -> None:
    """Rig this process. `tick`, `grace`, `patience`: seconds in place of the bridge's own; `at`, `nth`, `how`: see Death.

    `full`: no room from the beginning.
    """
    bridge.scheduler.TICK_SECONDS = order.get("tick", 0.02)
    bridge.scheduler.GRACE_SECONDS = order.get("grace", bridge.scheduler.GRACE_SECONDS)
    bridge.pipeline.desk.Desk.__init__.__defaults__ = (order.get("patience", 60.0), float("inf"))
    Rigged.death = Death(order.get("at"), order.get("nth", 1), order.get("how", "kill"))
    bridge.app.App = Rigged  # type: ignore[misc]
    sys.addaudithook(Rigged.death.system)
    if order.get("full"):
        strike("full")
