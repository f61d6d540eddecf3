"""LeadByte as the source of queue results."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Final, Literal

from bridge.errors import CallError
from bridge.exchange import Request
from bridge.http import Client, call, text_of_reply
from bridge.leadbyte import wire
from bridge.model import QueueReply, Verdict

REMEMBERED: Final = 1024
MOST_REMEMBERED: Final = 4096

NOBODY: Final = "00000000-00000000-00000000-0000-00000000"
"""A queueId that LeadByte does not know: any answer about it shows that the key may ask."""


class LeadByteSource:
    """`ports.Source` over HTTP. Keeps nothing but the open client.

    `url`: scheme and host; with a path it is the whole base. `queue_key_in`: `query` as the page shows, or `header`
    (then in `key_header`). `statuses`: a user's words over the defaults. `redact`: for error texts.
    """

    def __init__(
        self,
        client: Client,
        *,
        url: str,
        key: str,
        key_header: str = "X_KEY",
        queue_key_in: Literal["query", "header"] = "query",
        statuses: Mapping[str, str] | None = None,
        redact: Callable[[str], str] = str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client: Final = client
        self._base: Final = wire.base_url(url)
        self._key: Final = key
        self._header: Final = key_header if queue_key_in == "header" else ""
        self._statuses: Final = wire.status_table(statuses or {})
        # A reply is polled, kept, and soon after read again to be mapped.
        self._read: Final = lru_cache(REMEMBERED)(partial(_read, self._statuses))
        self._redact: Final = redact
        self._clock: Final = clock

    async def poll(self, queue_id: str) -> QueueReply:
        """Ask once; see `ports.Source`."""
        reply = await call(self._client, self._request(queue_id), redact=self._redact)
        try:
            wire.classify(reply.status, reply.headers, reply.text, self._clock())
            return self.reread(queue_id, text_of_reply(reply, wire.WHO))
        except CallError as error:
            # LeadByte may quote the key it was given.
            error.args = (self._redact(str(error)),)
            raise

    async def ping(self) -> None:
        """Ask about a queueId that LeadByte cannot know; see `ports.Source`. That it says so is an answer."""
        await self.poll(NOBODY)

    def _request(self, queue_id: str) -> Request:
        return wire.poll_request(self._base, queue_id, self._key, self._header)

    def reread(self, queue_id: str, raw: str) -> QueueReply:
        """What a kept reply says; see `ports.Source`. Reads by the status table of today."""
        if len(raw) > MOST_REMEMBERED:
            return wire.read_queue(raw, queue_id, self._statuses)
        return self._read(raw, queue_id)


def _read(statuses: Mapping[str, Verdict], raw: str, queue_id: str) -> QueueReply:
    return wire.read_queue(raw, queue_id, statuses)
