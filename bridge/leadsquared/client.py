"""LeadSquared as the sink of lead updates."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

import structlog

from bridge.errors import Denied
from bridge.exchange import rooted
from bridge.http import Client
from bridge.leadsquared import wire
from bridge.leadsquared.calling import Caller
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
        self._caller: Final = Caller(
            client,
            url=url,
            access_key=access_key,
            secret_key=secret_key,
            keys_in=keys_in,
            redact=redact,
            clock=clock,
        )
        self._base: Final = self._caller.base
        self._keys: Final = self._caller.keys
        self._async: Final = rooted(async_url, "")
        self._api_key: Final = async_api_key
        self._status_path: Final = status_path
        self._metrics_path: Final = metrics_path

    async def push(self, lane: Lane, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        """One call for a batch of one lane; see `ports.Sink`. Denied where an async lane has no async settings."""
        if lane.mode == "async":
            request = wire.async_request(self._async_base(), self._keys, self._api_key, lane, batch[0])
            return [wire.read_async(await self._caller.ask(request))]
        body = await self._caller.ask(wire.bulk_request(self._base, self._keys, lane, batch))
        answer = wire.read_bulk(body, batch)
        if answer.warning:
            _log.warning("LeadSquared's counts and lists disagree", detail=answer.warning)
        return answer.outcomes

    async def confirm(self, request_id: str) -> Outcome:
        """Ask once what became of an accepted async request; see `ports.Sink`."""
        request = wire.status_request(self._async_base(), self._status_path, self._api_key, request_id)
        reply = await self._caller.send(request)
        if reply.status not in wire.ABOUT_THE_CALLER and wire.is_forgotten(reply.text):
            return Outcome(Kind.FORGOTTEN, "LeadSquared does not know the RequestID any more")
        return wire.read_status(self._caller.judged(reply))

    async def read_back(self, key: str, value: str, fields: Sequence[str]) -> Mapping[str, str] | None:
        """The named fields as LeadSquared now holds them; see `ports.Sink`. Refused for keys it cannot be asked by."""
        return wire.read_lead(await self._looked_up(key, value), fields)

    async def lead(self, value: str) -> Sequence[Mapping[str, str]]:
        """All that LeadSquared holds of a lead, found by its id, its e-mail address, or else its phone.

        Every field that holds something, by LeadSquared's names. Several leads may have one phone; none is []. Raises as
        `push`.
        """
        value = value.strip()
        return wire.read_leads(await self._looked_up(wire.key_of(value), value)) if value else []

    async def _looked_up(self, key: str, value: str) -> Json:
        """LeadSquared's answer to a lookup; [] where it is an error that says there is no such lead."""
        reply = await self._caller.send(wire.read_back_request(self._base, self._keys, key, value))
        return [] if wire.says_no_lead(reply.text) else self._caller.judged(reply)

    async def ping(self, mode: str) -> None:
        """Ask who the keys belong to, or how long the async queue is; see `ports.Sink`."""
        if mode == "async":
            await self._caller.ask(
                wire.metrics_request(self._async_base(), self._metrics_path, self._api_key)
            )
        else:
            await self._caller.ask(wire.whoami_request(self._base, self._keys))

    async def whoami(self) -> Mapping[str, Json]:
        """The user behind the keys, as LeadSquared describes it. Raises as `push`."""
        body = await self._caller.ask(wire.whoami_request(self._base, self._keys))
        return body if isinstance(body, dict) else {}

    async def metadata(self) -> Sequence[wire.FieldInfo]:
        """Every lead field of the account. Raises as `push`."""
        return wire.read_metadata(await self._caller.ask(wire.metadata_request(self._base, self._keys)))

    async def metrics(self) -> wire.Metrics:
        """How long the account's async queue is. Raises as `push`."""
        request = wire.metrics_request(self._async_base(), self._metrics_path, self._api_key)
        return wire.read_metrics(await self._caller.ask(request))

    def _async_base(self) -> str:
        if not (self._async and self._api_key):
            raise Denied(
                "an async mapping needs BRIDGE_LEADSQUARED__ASYNC_URL and BRIDGE_LEADSQUARED__ASYNC_API_KEY: set both"
            )
        return self._async
