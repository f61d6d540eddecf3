"""One connection of the HTTP side: how long each part of it may take, and what is answered to what is no HTTP."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS: Final = (("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store"))


def _no_request() -> bytes:
    body = json.dumps({"error": "that is no HTTP request"}, separators=(",", ":"))
    told = (
        *HEADERS,
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
    )
    return "\r\n".join(
        ("HTTP/1.1 400 Bad Request", *(f"{name}: {value}" for name, value in told), "", body)
    ).encode()


NO_REQUEST: Final = _no_request()


@dataclass(frozen=True, slots=True)
class Patience:
    """`head_seconds`: from the connection, or the last answer, to the next request's whole head. `exchange_seconds`: from there
    until the answer is handed over. An answer must be read within `head_seconds` as well. `connections`: at once.
    """

    head_seconds: float = 10.0
    exchange_seconds: float = 60.0
    connections: int = 256


USUAL: Final = Patience()


class Connection(H11Protocol):
    """uvicorn's own protocol with an end to everything.

    At every moment of its life one timer runs, which no trickle of bytes prolongs; uvicorn itself waits for a head, for
    a body that nobody reads and for a reader of its answer as long as it takes. Whoever is late is cut off: to close in
    good order would mean to wait until the answer is read.
    """

    _timer: asyncio.TimerHandle | None = None

    def __init__(self, patience: Patience, **settings: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(**settings)
        self._patience = patience

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by asyncio. A connection too many ends at once, before it holds anything."""
        super().connection_made(transport)
        self._within(self._patience.head_seconds)
        if len(self.connections) > self._patience.connections:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        if self._timer:
            self._timer.cancel()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Called with new bytes, and after an answer for those that wait already."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._within(self._patience.exchange_seconds)

    def on_response_complete(self) -> None:
        """Called when the whole answer was handed over to the transport."""
        self._within(self._patience.head_seconds)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words are not shown
        """Called where the bytes are no HTTP. After an answer has begun there is no room for another."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.write(NO_REQUEST)
        self.transport.close()

    def _within(self, seconds: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self.transport.abort)
