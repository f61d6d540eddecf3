"""LeadSquared as the sink of lead updates."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

import structlog

from bridge.errors import CallError, Denied
from bridge.exchange import Reply, Request, rooted
from bridge.http import Client, call, json_of
from bridge.leadsquared import wire
from bridge.model import Delivery, Json, Kind, Lane, Outcome

_log = structlog.get_logger(__name__)


class LeadSquaredSink:
    """`ports.Sink` over HTTP. Keeps nothing but the open client.

    `url`: scheme and host of the sync side (with a path it is the whole base); `async_url` and `async_api_key` may be
    empty while no mapping is async. `keys_in`: where the sync host gets the keys. `redact`: for error texts.
    """

    def __init__(
        self,
        client: Client,
        *,
        url: str,
        access_key: str,
        secret_key: str,
        async_url: str = "",
        async_api_key: str = "",
        keys_in: Literal["header", "query"] = "header",
        status_path: str = "/lead/update/status",
        metrics_path: str = "/lead/update/metrics",
        redact: Callable[[str], str] = str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client: Final = client
        self._base: Final = wire.base_url(url)
        self._async: Final = rooted(async_url, "")
        self._keys: Final = wire.Keys(access_key, secret_key, keys_in)
        self._api_key: Final = async_api_key
        self._status_path: Final = status_path
        self._metrics_path: Final = metrics_path
        self._redact: Final = redact
        self._clock: Final = clock

    async def push(self, lane: Lane, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        """One call for a batch of one lane; see `ports.Sink`. Denied where an async lane has no async settings."""
        if lane.mode == "async":
            request = wire.async_request(self._async_base(), self._keys, self._api_key, lane, batch[0])
            return [wire.read_async(await self._ask(request))]
        body = await self._ask(wire.bulk_request(self._base, self._keys, lane, batch))
        answer = wire.read_bulk(body, batch)
        if answer.warning:
            _log.warning("LeadSquared's counts and lists disagree", detail=answer.warning)
        return answer.outcomes

    async def confirm(self, request_id: str) -> Outcome:
        """Ask once what became of an accepted async request; see `ports.Sink`."""
        request = wire.status_request(self._async_base(), self._status_path, self._api_key, request_id)
        reply = await self._send(request)
        if reply.status not in wire.ABOUT_THE_CALLER and wire.is_forgotten(reply.text):
            return Outcome(Kind.FORGOTTEN, "LeadSquared does not know the RequestID any more")
        return wire.read_status(self._judged(reply))

    async def read_back(self, key: str, value: str, fields: Sequence[str]) -> Mapping[str, str] | None:
        """The named fields as LeadSquared now holds them; see `ports.Sink`. Refused for keys it cannot be asked by."""
        reply = await self._send(wire.read_back_request(self._base, self._keys, key, value))
        if wire.says_no_lead(reply.text):
            return None
        return wire.read_lead(self._judged(reply), fields)

    async def ping(self, mode: str) -> None:
        """Ask who the keys belong to, or how long the async queue is; see `ports.Sink`."""
        if mode == "async":
            await self._ask(wire.metrics_request(self._async_base(), self._metrics_path, self._api_key))
        else:
            await self._ask(wire.whoami_request(self._base, self._keys))

    async def whoami(self) -> Mapping[str, Json]:
        """The user behind the keys, as LeadSquared describes it. Raises as `push`."""
        body = await self._ask(wire.whoami_request(self._base, self._keys))
        return body if isinstance(body, dict) else {}

    async def metadata(self) -> Sequence[wire.FieldInfo]:
        """Every lead field of the account. Raises as `push`."""
        return wire.read_metadata(await self._ask(wire.metadata_request(self._base, self._keys)))

    async def metrics(self) -> wire.Metrics:
        """How long the account's async queue is. Raises as `push`."""
        request = wire.metrics_request(self._async_base(), self._metrics_path, self._api_key)
        return wire.read_metrics(await self._ask(request))

    def _async_base(self) -> str:
        if not (self._async and self._api_key):
            raise Denied(
                "an async mapping needs BRIDGE_LEADSQUARED__ASYNC_URL and BRIDGE_LEADSQUARED__ASYNC_API_KEY: set both"
            )
        return self._async

    async def _ask(self, request: Request) -> Json:
        return self._judged(await self._send(request))

    async def _send(self, request: Request) -> Reply:
        return await call(self._client, request, redact=self._redact)

    def _judged(self, reply: Reply) -> Json:
        try:
            wire.verdict(reply.status, reply.headers, reply.text, self._clock())
            return json_of(reply, wire.WHO)
        except CallError as error:
            # LeadSquared may quote the keys it was given.
            error.args = (self._redact(str(error)),)
            raise
