"""What was asked of the simulated hosts, in numbers."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, Literal

from bridge.simulator.crm import unique_key

HOSTS: Final = ("leadbyte", "leadsquared", "leadsquared_async")


class Records:
    """`calls`: (host, endpoint, accepted|throttled|denied) → count. `arrivals`: host → epoch seconds of accepted calls.
    `busiest`: host → most calls in progress at once. `batch_sizes`: leads per UpdateV2 call. `doubled`: leads named twice
    in one such call. `strays`: calls that came where redirects lead, with a key and without a key.
    """

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str, str]] = Counter()
        self.arrivals: dict[str, array[float]] = {name: array("d") for name in HOSTS}
        self.busiest: Counter[str] = Counter()
        self._inside: Counter[str] = Counter()
        self.batch_sizes: Counter[int] = Counter()
        self.doubled = 0
        self.strays: Counter[str] = Counter()

    def count(
        self, host: str, endpoint: str, result: Literal["accepted", "throttled", "denied", "unknown"]
    ) -> None:
        self.calls[host, endpoint, result] += 1

    def called(self, host: str, result: str = "accepted", endpoint: str | None = None) -> int:
        """How many calls of a host (or one endpoint of it) ended so."""
        return sum(
            number
            for (at, name, ended), number in self.calls.items()
            if at == host and ended == result and endpoint in (None, name)
        )

    def called_by_name(self) -> dict[str, dict[str, dict[str, int]]]:
        """host → endpoint → result → count."""
        named: dict[str, dict[str, dict[str, int]]] = {}
        for (host, endpoint, result), number in sorted(self.calls.items()):
            named.setdefault(host, {}).setdefault(endpoint, {})[result] = number
        return named

    @contextmanager
    def inside(self, host: str) -> Iterator[None]:
        """Counts a call in progress."""
        self._inside[host] += 1
        self.busiest[host] = max(self.busiest[host], self._inside[host])
        try:
            yield
        finally:
            self._inside[host] -= 1

    def count_batch(self, name: str, values: Iterable[str]) -> None:
        """Record the size of a bulk call and the leads that it names twice."""
        keys = [unique_key(name, value) for value in values if value]
        self.batch_sizes[len(keys)] += 1
        self.doubled += len(keys) - len(set(keys))
