"""LeadByte over HTTP: what its source and its sink share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Literal, TypeVar

from bridge.errors import CallError
from bridge.exchange import Reply, Request
from bridge.http import Client, call, text_of_reply
from bridge.leadbyte import wire

NOBODY: Final = "00000000-00000000-00000000-0000-00000000"
"""A queueId that LeadByte does not know: any answer about it shows that the key may ask."""

Read = TypeVar("Read")


class LeadByteHost:
    """Makes one call at a time, and keeps nothing but the open client.

    `url`: scheme and host; with a path it is the whole base. `queue_key_in`: where polls have the key, `query` as the page
    shows, or `header` (then in `key_header`). `redact`: for all texts of LeadByte's, which may quote the key.
    """

    def __init__(
        self,
        client: Client,
        *,
        url: str,
        key: str,
        key_header: str = "X_KEY",
        queue_key_in: Literal["query", "header"] = "query",
        redact: Callable[[str], str] = str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client: Final = client
        self._base: Final = wire.base_url(url)
        self._key: Final = key
        self._header: Final = key_header
        self._queue_header: Final = key_header if queue_key_in == "header" else ""
        self._redact: Final = redact
        self._clock: Final = clock

    async def _ask(self, request: Request, read: Callable[[Reply, float], Read]) -> Read:
        """What `read(reply, now)` makes of the answer to one call. What is raised was redacted."""
        reply = await call(self._client, request, redact=self._redact)
        try:
            return read(reply, self._clock())
        except CallError as error:
            error.args = (self._redact(str(error)),)
            raise

    async def _ask_of_nobody(self) -> None:
        """Ask about a queueId that LeadByte cannot know. That it says so is an answer."""
        await self._ask(self._poll_request(NOBODY), _read_nobody)

    def _poll_request(self, queue_id: str) -> Request:
        return wire.poll_request(self._base, queue_id, self._key, self._queue_header)


def judged_text(reply: Reply, now: float) -> str:
    """The text of an answer to a poll. Raises what it means where it cannot be read as one; see `wire.classify`."""
    if reply.status >= 300:
        wire.classify(reply.status, reply.headers, reply.text, now)
    return text_of_reply(reply, wire.WHO)


def _read_nobody(reply: Reply, now: float) -> None:
    wire.read_queue(judged_text(reply, now), NOBODY)
