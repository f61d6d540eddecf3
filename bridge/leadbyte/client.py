"""LeadByte as the source of queue results."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Final, Literal

from bridge.exchange import Reply
from bridge.http import Client
from bridge.leadbyte import wire
from bridge.leadbyte.host import LeadByteHost, judged_text
from bridge.model import QueueReply, Verdict

REMEMBERED: Final = 512
MOST_REMEMBERED: Final = 4096


class LeadByteSource(LeadByteHost):
    """`ports.Source` over HTTP. `statuses`: a user's words over the defaults; the rest as LeadByteHost says."""

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
        super().__init__(
            client,
            url=url,
            key=key,
            key_header=key_header,
            queue_key_in=queue_key_in,
            redact=redact,
            clock=clock,
        )
        self._statuses: Final = wire.status_table(statuses or {})
        # A reply is polled, kept, and soon after read again to be mapped.
        self._remembered: Final = lru_cache(REMEMBERED)(partial(_read, self._statuses))

    async def poll(self, queue_id: str) -> QueueReply:
        """Ask once; see `ports.Source`."""
        return await self._ask(self._poll_request(queue_id), partial(self._read, queue_id))

    async def ping(self) -> None:
        """Ask about a queueId that LeadByte cannot know; see `ports.Source`."""
        await self._ask_of_nobody()

    def reread(self, queue_id: str, raw: str) -> QueueReply:
        """What a kept reply says; see `ports.Source`. Reads by the status table of today."""
        if len(raw) > MOST_REMEMBERED:
            return wire.read_queue(raw, queue_id, self._statuses)
        return self._remembered(raw, queue_id)

    def _read(self, queue_id: str, reply: Reply, now: float) -> QueueReply:
        return self.reread(queue_id, judged_text(reply, now))


def _read(statuses: Mapping[str, Verdict], raw: str, queue_id: str) -> QueueReply:
    return wire.read_queue(raw, queue_id, statuses)
