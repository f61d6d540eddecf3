"""One call to LeadSquared, and what its answer means as a whole: what sink and source share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Literal

from bridge.errors import CallError
from bridge.exchange import Reply, Request
from bridge.http import Client, call, json_of
from bridge.leadsquared import wire
from bridge.model import Json


class Caller:
    """The account behind a pair of keys. Keeps nothing but the open client.

    `base`: of all calls to the sync host (`url` with a path is the whole base). `keys_in`: where that host gets the
    keys. `redact`: for error texts.
    """

    def __init__(
        self,
        client: Client,
        *,
        url: str,
        access_key: str,
        secret_key: str,
        keys_in: Literal["header", "query"] = "header",
        redact: Callable[[str], str] = str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.base: Final = wire.base_url(url)
        self.keys: Final = wire.Keys(access_key, secret_key, keys_in)
        self.clock: Final = clock
        self._client: Final = client
        self._redact: Final = redact

    async def ask(self, request: Request) -> Json:
        """The JSON that answers a request. Raises as `send` and `judged`."""
        return self.judged(await self.send(request))

    async def send(self, request: Request) -> Reply:
        """The answer, whatever it says. Raises as `http.call`."""
        return await call(self._client, request, redact=self._redact)

    def judged(self, reply: Reply) -> Json:
        """The JSON of an answer. Raises what is wrong with the whole call, as `wire.verdict`, and ServerFault for no JSON."""
        try:
            wire.verdict(reply.status, reply.headers, reply.text, self.clock())
            return json_of(reply, wire.WHO)
        except CallError as error:
            # LeadSquared may quote the keys it was given.
            error.args = (self._redact(str(error)),)
            raise
