"""Which calls go wrong, and how: by rate or to order. Deciding only; `misbehave` does it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from random import Random
from typing import Final

BEFORE: Final = frozenset(
    {
        "reset_before",
        "close",
        "refuse",
        "hang",
        "error_500",
        "html_502",
        "html_200",
        "mx_error",
        "mx_error_200",
        "throttle",
        "denied",
        "wrong_region",
        "redirect",
    }
)
"""Faults of calls that are not carried out."""

AFTER: Final = frozenset(
    {
        "reset_after",
        "hang_after",
        "error_500_after",
        "trickle",
        "half_headers",
        "cut",
        "truncated",
        "empty",
        "huge",
        "deep",
        "gzip",
        "latin1",
        "wrong_charset",
        "wrong_type",
    }
)
"""Faults of calls that are carried out and whose answer is lost or spoiled."""

KINDS: Final = BEFORE | AFTER
"""reset_*: the connection is reset · close: it is closed without a byte · refuse: it is reset, and the host refuses
connections for `refuse_seconds` · hang*: no answer for `hang_seconds`, then a reset · error_500*: plain text ·
html_502, html_200: an HTML page · mx_error: the vendor's own error for the whole call; mx_error_200: with HTTP 200 ·
throttle: a rate limit refusal although there is room · denied: the vendor's answer to a wrong key · wrong_region: its
answer at a wrong host, naming the right one · redirect: a 302 to another port, which counts what comes there ·
trickle: the answer a byte at a time, over `hang_seconds` · half_headers: closed in the middle of the headers ·
cut: reset in the middle of the answer · truncated: half the JSON as a whole answer · empty: HTTP 200 without a body ·
huge: `huge_bytes` of JSON · deep: JSON nested `deep_levels` deep · gzip: compressed though nobody asked · latin1: the
right JSON and a letter in ISO-8859-1, said to be UTF-8 · wrong_charset: the right JSON in UTF-8, said to be ISO-8859-1 ·
wrong_type: the right JSON sent as text/html."""

HARMLESS: Final = frozenset({"wrong_charset", "wrong_type"})
"""Faults that leave the answer readable: JSON is UTF-8 whatever its headers say."""

ENDPOINTS: Final[Mapping[str, tuple[str, ...]]] = {
    "leadbyte": ("apiqueue", "leads", "quarantine", "financials"),
    "leadsquared": (
        "bulk_update",
        "metadata",
        "by_ids",
        "by_email",
        "by_phone",
        "by_id",
        "recently_modified",
        "user",
    ),
    "leadsquared_async": ("update", "status", "metrics"),
}
PLACES: Final = frozenset(
    {"", *ENDPOINTS, *(f"{host}.{name}" for host, names in ENDPOINTS.items() for name in names)}
)
"""Where calls can go wrong: everywhere, at a host, at one of its endpoints."""


@dataclass(slots=True)
class _Order:
    kind: str
    times: int
    at: str


@dataclass
class Faults:
    """Faults by place. A place is a host (`leadbyte`, `leadsquared`, `leadsquared_async`), an endpoint of one
    (`leadsquared.bulk_update`), or "" for everywhere; for rates the narrowest place that is given counts alone.

    `rates`: place → kind → share of calls (0..1, together at most 1). `at_most` bounds the faults by rate in all.
    `mx_type`, `mx_message`: what an `mx_error` says. `region`: the host that a `wrong_region` names. `happened` counts
    (place, kind).
    """

    rates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    at_most: int | None = None
    hang_seconds: float = 60.0
    refuse_seconds: float = 0.5
    huge_bytes: int = 50_000_000
    deep_levels: int = 100_000
    mx_type: str = "MXInvalidInputException"
    mx_message: str = "Invalid input"
    region: str = "api-us11.leadsquared.com"
    happened: Counter[tuple[str, str]] = field(default_factory=Counter)
    _orders: list[_Order] = field(default_factory=list)
    _by_rate: int = 0

    def __post_init__(self) -> None:
        self.set_rates(self.rates)

    def set_rates(self, rates: Mapping[str, Mapping[str, float]]) -> None:
        """Replace all rates. Raises ValueError for an unknown place or kind, or shares that cannot be."""
        for place, shares in rates.items():
            _known("place", place, PLACES)
            for kind in shares:
                _known("fault", kind, KINDS)
            if min(shares.values(), default=0) < 0 or sum(shares.values()) > 1:
                raise ValueError(
                    f"the shares at {place or 'everywhere'} must be from 0 to 1, together at most 1"
                )
        self.rates = rates

    def fail_next(self, kind: str, times: int = 1, at: str = "") -> None:
        """The next `times` calls at that place go wrong; orders of one place are served in turn.

        Raises ValueError for an unknown place or kind.
        """
        known_fault(kind, at)
        self._orders.append(_Order(kind, times, at))

    def pick(self, rng: Random, place: str) -> str | None:
        """The fault of the call that has just arrived at `place` (`host.endpoint`), or None."""
        kind = self._ordered(place) or self._drawn(rng, place)
        if kind:
            self.happened[place, kind] += 1
        return kind

    def _ordered(self, place: str) -> str | None:
        for order in self._orders:
            if order.times > 0 and order.at in ("", place, place.partition(".")[0]):
                order.times -= 1
                if not order.times:
                    self._orders.remove(order)
                return order.kind
        return None

    def _drawn(self, rng: Random, place: str) -> str | None:
        shares = self._shares(place)
        if not shares or (self.at_most is not None and self._by_rate >= self.at_most):
            return None
        roll = rng.random()
        for kind, share in shares.items():
            roll -= share
            if roll < 0:
                self._by_rate += 1
                return kind
        return None

    def _shares(self, place: str) -> Mapping[str, float]:
        for key in (place, place.partition(".")[0], ""):
            if key in self.rates:
                return self.rates[key]
        return {}


def known_fault(kind: str, at: str) -> None:
    """Raises ValueError for an unknown kind or place, naming the nearest known one."""
    _known("fault", kind, KINDS)
    _known("place", at, PLACES)


def _known(what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        names = sorted(filter(None, known))
        (nearest,) = get_close_matches(name, names, 1, 0.0)
        raise ValueError(f"no such {what}: {name}; the nearest is {nearest}; known are {', '.join(names)}")
