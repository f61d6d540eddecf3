"""Webhooks of LeadSquared ("Lead Update"): who is to be told of which change. `posting` tells them."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from random import Random
from typing import Literal
from urllib.parse import urlsplit


@dataclass
class WebhookOptions:
    """How webhooks are called; may be changed while it runs.

    `tries`: how often a call is made that is not answered as it should be, `retry_seconds` apart. `timeout_seconds`: how
    long an answer may take. Shares of the calls, counted in `mishaps`: `lost` ones are never made, `doubled` ones are made
    twice, `overtaken` ones come after the next one, or after `overtaken_seconds` where there is none.
    """

    tries: int = 3
    retry_seconds: float = 0.05
    timeout_seconds: float = 5.0
    lost: float = 0.0
    doubled: float = 0.0
    overtaken: float = 0.0
    overtaken_seconds: float = 1.0
    mishaps: int = 0


@dataclass(frozen=True, slots=True)
class WebhookCall:
    """One call of a webhook, the `attempt`-th for its change (0: the HEAD of its registration). `prospect`: whose change
    it tells of. `status` and `body`: the answer; None and "" where there was none."""

    at: float
    method: Literal["HEAD", "POST"]
    url: str
    prospect: str
    attempt: int
    status: int | None
    body: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What a webhook is to be told. Without a `prospect` it is only registered."""

    url: str
    prospect: str = ""
    body: bytes = b""
    overtaken: bool = False


@dataclass
class Webhooks:
    """`urls`: the webhooks, in order; `disabled`: those that are called no more; `greeted`: those that had their HEAD. `log`:
    every call. `waiting`: what is still to be told, the first being told now; `held`: what is to be overtaken. `wake` is
    called for each new one, from any thread."""

    rng: Random
    urls: list[str] = field(default_factory=list)
    disabled: set[str] = field(default_factory=set)
    log: list[WebhookCall] = field(default_factory=list)
    options: WebhookOptions = field(default_factory=WebhookOptions)
    waiting: deque[Notice] = field(default_factory=deque)
    held: Notice | None = None
    greeted: set[str] = field(default_factory=set)
    wake: Callable[[], object] | None = None

    @property
    def pending(self) -> int:
        """How much is still to be told."""
        return len(self.waiting) + (self.held is not None)

    def register(self, url: str) -> None:
        """Add a webhook, or one that was disabled again; it is greeted with HEAD. Raises ValueError where the URL does not
        lead to this machine."""
        check(url)
        if url not in self.urls:
            self.urls.append(url)
        self.disabled.discard(url)
        self.greeted.discard(url)
        self._enter(Notice(url))

    def changed(
        self, prospect: str, before: Mapping[str, str | None], after: Mapping[str, str | None]
    ) -> None:
        """A lead was updated: tell all webhooks that are not disabled."""
        body = json.dumps({"Before": before, "After": after}, ensure_ascii=False).encode()
        for url in self.urls:
            if url not in self.disabled and not self._happens(self.options.lost):
                notice = Notice(url, prospect, body, self._happens(self.options.overtaken))
                for _ in range(1 + self._happens(self.options.doubled)):
                    self._enter(notice)

    def _happens(self, share: float) -> bool:
        happens = share > 0 and self.rng.random() < share
        self.options.mishaps += happens
        return happens

    def _enter(self, notice: Notice) -> None:
        self.waiting.append(notice)
        if self.wake:
            self.wake()


def check(url: str) -> None:
    """Raises ValueError where the URL does not lead to this machine by its number."""
    parts = urlsplit(url)
    try:
        loopback = parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
    except ValueError:
        loopback = False
    if parts.scheme != "http" or not loopback:
        raise ValueError("a webhook must be an http URL on this machine, like http://127.0.0.1:8437/...")
