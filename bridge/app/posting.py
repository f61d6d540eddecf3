"""Messages to the people who watch the bridge, by a webhook that takes Slack's JSON."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from bridge import http, telemetry
from bridge.errors import CallError, Unreachable
from bridge.exchange import Reply, Request
from bridge.pipeline.notifying import Posted
from bridge.policy.alerting import Arrival
from bridge.settings import Settings

TIMEOUT_SECONDS: Final = 5.0
MOST_REPLY: Final = 64 * 1024
MOST_SHOWN: Final = 200
BROKEN: Final = 500
"""Whoever answers so, or above, may have shown the message before it broke."""

_ESCAPED: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where messages are posted. Nothing that it tells or raises holds the address, nor its host."""

    client: http.Client
    url: str
    redact: telemetry.Redactor

    async def __call__(self, text: str) -> Posted:
        """Post one message, once. Raises nothing: what failed is told."""
        body = json.dumps({"text": self.redact(text).translate(_ESCAPED)}).encode()
        request = Request("POST", self.url, headers={"Content-Type": "application/json"}, body=body)
        try:
            return _answered(await http.call(self.client, request, redact=self._hidden))
        except Unreachable as error:
            return Posted(Arrival.FAILED, str(error))
        except CallError as error:
            return Posted(Arrival.UNSURE, str(error))
        except Exception as error:  # noqa: BLE001 - nothing that posts a message is worth an end of the service
            return Posted(Arrival.UNSURE, f"cannot post: {type(error).__name__}")

    def _hidden(self, text: str) -> str:
        return self.redact(text.replace(http.origin(self.url), "the webhook"))


def _answered(reply: Reply) -> Posted:
    said = reply.text[:MOST_SHOWN].strip()
    if 200 <= reply.status < 300:
        return Posted(Arrival.ARRIVED, f"HTTP {reply.status}", said)
    arrival = Arrival.UNSURE if reply.status >= BROKEN else Arrival.FAILED
    return Posted(arrival, f"HTTP {reply.status}", said)


@asynccontextmanager
async def posting(settings: Settings) -> AsyncIterator[Webhook | None]:
    """The webhook, by a client of its own; None where no address is set."""
    url = settings.notify.url.get_secret_value()
    if not url:
        yield None
        return
    async with http.open_client(timeout=TIMEOUT_SECONDS, connections=1, max_reply_bytes=MOST_REPLY) as client:
        yield Webhook(client, url, telemetry.Redactor(settings.secrets()))


def head(settings: Settings) -> str:
    """The first words of every message: which bridge it is."""
    return f"Bridge {settings.account} on {socket.gethostname()}:"
