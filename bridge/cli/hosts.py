"""The hosts that are called: their limits, and how they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bridge.cli.base import at
from bridge.model import HOSTS, LEADBYTE, UPDATES, Json

if TYPE_CHECKING:
    from bridge.settings import Settings


def limits(settings: Settings) -> dict[str, Json]:
    """The limit of calls that is set for each host; None for none."""
    source, sink = settings.leadbyte, settings.leadsquared
    told = {LEADBYTE: (source.rate_calls, source.rate_seconds)}
    told |= {host: (sink.rate_calls, sink.rate_seconds) for mode, host in HOSTS.items() if mode != LEADBYTE}
    return {
        name: {"calls": calls, "seconds": seconds} if calls else None
        for name, (calls, seconds) in told.items()
    }


def host_values(limits: Mapping[str, Json], checkpoints: Mapping[str, str]) -> dict[str, Json]:
    """Each host's limit, what was learned of it, and how it is.

    `learned` and `side` are None where nothing ever went wrong. Operations in LeadByte, which share its limit and may be
    denied while polls are not, are there once anything is known of them.
    """
    shared = {UPDATES: limits[LEADBYTE]} if LEADBYTE in limits and f"host:{UPDATES}" in checkpoints else {}
    return {
        name: {
            "limit": limit,
            "learned": None,
            "side": None,
            **json.loads(checkpoints.get(f"host:{name}", "{}")),
        }
        for name, limit in {**limits, **shared}.items()
    }


def host_line(name: str, host: Mapping[str, Json], *, since: bool = False) -> str:
    """A host in a line. `since`: also when its limit was learned."""
    said = [f"limit {_limit(host['limit'])}" if host["limit"] else "no limit set"]
    if learned := host["learned"]:
        said.append(f"learned {_limit(learned)}" + (f" since {at(learned['at'])}" if since else ""))
    side = host["side"]
    if side and side["reason"]:
        said.append(f"{side['state']} since {at(side['since'])}: {side['reason']}")
    elif since:
        said.append(side["state"] if side else "nothing went wrong so far")
    return f"{name}: {', '.join(said)}"


def _limit(limit: Mapping[str, Json]) -> str:
    return f"{limit['calls']} calls in {limit['seconds']:g} s"
