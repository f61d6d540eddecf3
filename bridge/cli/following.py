"""Seeing work through: watching it here, or another process of the bridge at it."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from bridge.cli.progress import LOOK_SECONDS, progress
from bridge.model import UPDATES
from bridge.policy.health import SideState
from bridge.ports import Store
from bridge.store.lock import is_held

STOPPED: Final = "the command was told to stop"

Left = Callable[[], int]
"""How many are not done."""


def on_signals(stop: asyncio.Event) -> None:
    """SIGTERM, SIGINT and SIGHUP set `stop`, so that what is in flight is finished first. What is ignored (nohup) stays so."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stop.set)


def rarely(look: Callable[[], Awaitable[bool]], pause: float = 0.0) -> Callable[[], Awaitable[bool]]:
    """The same question, asked so seldom that answering it takes a tenth of the time at most; False in between.

    `pause`: seconds between two answers at the least.
    """
    loop = asyncio.get_running_loop()
    next_look = 0.0

    async def ask() -> bool:
        nonlocal next_look
        began = loop.time()
        if began < next_look:
            return False
        answer = await look()
        next_look = loop.time() + max(pause, 10 * (loop.time() - began))
        return answer

    return ask


async def follow(state_dir: Path, store: Store, left: Left, what: str) -> str | None:
    """Watch another process at work for LeadByte until nothing is left.

    Gives why it ended: "" where all is done, None where the other process is gone, else in words why there is nothing
    to wait for.
    """
    stop = asyncio.Event()
    on_signals(stop)
    with progress(what, "leads") as work:
        while count := left():
            work.left(count)
            if stop.is_set():
                return STOPPED
            if not is_held(state_dir):
                return None
            if trouble := leadbyte_trouble(store):
                return trouble
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_SECONDS)
    return ""


def leadbyte_trouble(store: Store) -> str:
    """What the running service last noted of a LeadByte that lets nothing through; "" where it is well."""
    kept = store.checkpoint(f"host:{UPDATES}")
    side = json.loads(kept)["side"] if kept else None
    return "" if not side or side["state"] == SideState.UP else f"{UPDATES}: {side['reason']}"
