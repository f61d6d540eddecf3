"""`bridge status`: where everything stands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated

import typer

from bridge.cli.base import ago, at, open_app, put, put_json
from bridge.model import Json
from bridge.ports import Status
from bridge.reports import mask


def status(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """Counts, lag, both sides, limits and the last errors."""
    app = open_app()
    with app.store() as store:
        found = as_values(store.status(), app.clock())
    if as_json:
        put_json(found)
    else:
        put("\n".join(_lines(found)))


def as_values(status: Status, now: float) -> dict[str, Json]:
    """The status as JSON values; people in reasons are masked."""
    hosts = {name: value for name, value in status.checkpoints.items() if name.startswith("host:")}
    return {
        "leads": dict(status.leads),
        "tracked": sum(status.leads.values()),
        "lag": {
            "oldest_waiting_seconds": _age(status.oldest_waiting_at, now),
            "oldest_pending_seconds": _age(status.oldest_pending_at, now),
        },
        "hosts": {name.removeprefix("host:"): json.loads(value) for name, value in hosts.items()},
        "unknown_words": dict(status.unknown_words),
        "checkpoints": {name: value for name, value in status.checkpoints.items() if name not in hosts},
        "last_errors": [{**error, "reason": mask(str(error["reason"]))} for error in status.last_errors],
    }


def _age(moment: float | None, now: float) -> float | None:
    return None if moment is None else round(now - moment, 1)


def _lines(found: Mapping[str, Json]) -> Iterator[str]:
    yield "leads"
    yield from (f"  {state:<12} {n:>9}" for state, n in found["leads"].items() if n)
    yield f"  {'tracked':<12} {found['tracked']:>9}"
    lag = found["lag"]
    yield f"oldest waiting {ago(lag['oldest_waiting_seconds'])}, oldest pending {ago(lag['oldest_pending_seconds'])}"
    for name, host in found["hosts"].items():
        yield _host(name, host)
    for word, n in found["unknown_words"].items():
        yield f"unknown LeadByte status {word!r}: {n} leads; add it to BRIDGE_LEADBYTE__STATUSES"
    for error in found["last_errors"]:
        yield f"{at(error['at'])}  {error['queue_id']}  {error['stage']}: {error['reason']}"


def _host(name: str, host: Mapping[str, Json]) -> str:
    side, learned = host["side"], host["learned"]
    limit = f", learned limit {learned['calls']} calls in {learned['seconds']:g} s" if learned else ""
    reason = f" since {at(side['since'])}: {side['reason']}" if side["reason"] else ""
    return f"{name}: {side['state']}{reason}{limit}"
