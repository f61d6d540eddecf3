"""The store, used from the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from bridge.errors import Busy

P = ParamSpec("P")
R = TypeVar("R")

LOCKED_SECONDS = 60.0
LOOK_SECONDS = 0.02


class Desk:
    """Runs the store's short transactions one after another on the event loop itself.

    The loop stands still for one commit, and never while another program holds the database: that is waited for
    between tries, for `patience` seconds in all. A transaction that found it locked has changed nothing.
    """

    def __init__(self, patience: float = LOCKED_SECONDS) -> None:
        self._patience = patience

    async def __call__(self, method: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What `method(*args)` returns or raises. Busy where the database stays locked. `args` hold no iterator."""
        until = asyncio.get_running_loop().time() + self._patience
        while True:
            try:
                return method(*args, **kwargs)
            except Busy:
                if asyncio.get_running_loop().time() >= until:
                    raise
            await asyncio.sleep(LOOK_SECONDS)
