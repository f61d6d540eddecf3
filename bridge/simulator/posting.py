"""Calls the webhooks while the simulator is served."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Final, Literal

import aiohttp

from bridge.simulator.webhooks import Notice, WebhookCall, check
from bridge.simulator.world import World

_JSON: Final = {"Content-Type": "application/json"}
_SUCCESS: Final = "success"


@asynccontextmanager
async def posting(world: World) -> AsyncIterator[None]:
    """Webhooks are called until the block ends, one call after another. What is still to be called then is kept."""
    hooks, loop, new = world.hooks, asyncio.get_running_loop(), asyncio.Event()
    new.set()
    hooks.wake = lambda: loop.call_soon_threadsafe(new.set)
    task = asyncio.create_task(_Poster(world, new).run())
    try:
        yield
    finally:
        hooks.wake = None
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        task.result()


class _Poster:
    def __init__(self, world: World, new: asyncio.Event) -> None:
        self._world = world
        self._hooks = world.hooks
        self._new = new

    async def run(self) -> None:
        while not self._hooks.pending:
            await self._more(None)
        async with aiohttp.ClientSession(headers=_JSON) as session:
            while True:
                await self._work(session)
                await self._more(self._hooks.options.overtaken_seconds if self._hooks.held else None)

    async def _more(self, seconds: float | None) -> None:
        """Until there is something new to call, or what is held back has been for so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._new.wait()
        if not self._new.is_set():
            self._let_go()
        self._new.clear()

    def _let_go(self) -> None:
        """What is held back is the next to be called."""
        if self._hooks.held:
            self._hooks.waiting.appendleft(replace(self._hooks.held, overtaken=False))
            self._hooks.held = None

    async def _work(self, session: aiohttp.ClientSession) -> None:
        waiting = self._hooks.waiting
        while waiting:
            notice = waiting[0]
            if notice.overtaken and self._hooks.held is None:
                self._hooks.held = waiting.popleft()
                continue
            await self._tell(session, notice)
            waiting.popleft()
            if notice.prospect:
                self._let_go()

    async def _tell(self, session: aiohttp.ClientSession, notice: Notice) -> None:
        hooks = self._hooks
        if notice.url not in hooks.greeted:
            hooks.greeted.add(notice.url)
            await self._call(session, "HEAD", notice, 0)
        if not notice.prospect or notice.url in hooks.disabled:
            return
        call = await self._call(session, "POST", notice, 1)
        for attempt in range(2, hooks.options.tries + 1):
            if not _succeeded(call):
                await asyncio.sleep(hooks.options.retry_seconds)
                call = await self._call(session, "POST", notice, attempt)
        if call.status is not None and not _succeeded(call):
            hooks.disabled.add(notice.url)

    async def _call(
        self, session: aiohttp.ClientSession, method: Literal["HEAD", "POST"], notice: Notice, attempt: int
    ) -> WebhookCall:
        try:
            status, body = await self._ask(session, method, notice)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            status, body = None, ""
        now = self._world.clock()
        call = WebhookCall(now, method, notice.url, notice.prospect, attempt, status, body)
        self._hooks.log.append(call)
        return call

    async def _ask(self, session: aiohttp.ClientSession, method: str, notice: Notice) -> tuple[int, str]:
        check(notice.url)
        limit = aiohttp.ClientTimeout(self._hooks.options.timeout_seconds)
        data = notice.body if method == "POST" else None
        async with session.request(
            method, notice.url, data=data, timeout=limit, allow_redirects=False
        ) as answer:
            return answer.status, (await answer.read()).decode(errors="replace")


def _succeeded(call: WebhookCall) -> bool:
    """HTTP 200, and the body that LeadSquared asks for: `{"Status": "Success", "StatusReason": …}`."""
    try:
        body = json.loads(call.body)
    except ValueError:
        return False
    status = body.get("Status") if isinstance(body, dict) else None
    return call.status == 200 and isinstance(status, str) and status.lower() == _SUCCESS
