"""`bridge status`: where everything stands."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import typer

from bridge.cli.base import ago, at, open_app, put, put_json
from bridge.model import HOSTS, Json
from bridge.ports import Status
from bridge.reports import account_lines, account_values, mask, mask_reason
from bridge.settings import Settings
from bridge.store.lock import holder


def status(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """Counts, lag, both sides, limits, the last errors, and the account by day."""
    app = open_app()
    with app.store() as store:
        now = store.status()
    pid = holder(app.settings.state_dir)
    found = {
        "service": {"running": pid is not None, "pid": pid},
        **as_values(now, app.clock(), limits(app.settings)),
    }
    if as_json:
        put_json(found)
    else:
        put(*_lines(found), *account_lines(now.account))


def limits(settings: Settings) -> dict[str, Json]:
    """The limit of calls that is set for each host; None for none."""
    source, sink = settings.leadbyte, settings.leadsquared
    told = {"leadbyte": (source.rate_calls, source.rate_seconds)}
    told |= dict.fromkeys(HOSTS.values(), (sink.rate_calls, sink.rate_seconds))
    return {
        name: {"calls": calls, "seconds": seconds} if calls else None
        for name, (calls, seconds) in told.items()
    }


def as_values(status: Status, now: float, limits: Mapping[str, Json]) -> dict[str, Json]:
    """The status as JSON values; people in reasons are masked.

    A host's `side` is what was last learned of it, None where nothing ever went wrong.
    """
    hosts = {name: value for name, value in status.checkpoints.items() if name.startswith("host:")}
    return {
        "leads": dict(status.leads),
        "tracked": sum(status.leads.values()),
        "lag": {
            "oldest_waiting_seconds": _age(status.oldest_waiting_at, now),
            "oldest_pending_seconds": _age(status.oldest_pending_at, now),
        },
        "hosts": {
            name: {
                "limit": limit,
                "learned": None,
                "side": None,
                **json.loads(hosts.get(f"host:{name}", "{}")),
            }
            for name, limit in limits.items()
        },
        "unknown_words": _masked(status.unknown_words),
        "checkpoints": {name: value for name, value in status.checkpoints.items() if name not in hosts},
        "last_errors": [_last_error(error) for error in status.last_errors],
        "account": account_values(status.account),
    }


def _last_error(error: Mapping[str, Json]) -> dict[str, Json]:
    shown = {name: value for name, value in error.items() if name != "quoted"}
    return {**shown, "reason": mask_reason(error["reason"], None, error["quoted"])}


def _masked(words: Mapping[str, int]) -> dict[str, int]:
    """LeadByte's words as they came, but for people in them."""
    counted: Counter[str] = Counter()
    for word, n in words.items():
        counted[mask(word)] += n
    return dict(counted)


def _age(moment: float | None, now: float) -> float | None:
    return None if moment is None else round(now - moment, 1)


def _lines(found: Mapping[str, Json]) -> Iterator[str]:
    pid = found["service"]["pid"]
    yield "service: not running" if pid is None else f"service: running (pid {pid or 'unknown'})"
    yield "leads"
    yield from (f"  {state:<12} {n:>9}" for state, n in found["leads"].items() if n)
    yield f"  {'tracked':<12} {found['tracked']:>9}"
    lag = found["lag"]
    yield f"oldest waiting {ago(lag['oldest_waiting_seconds'])}, oldest pending {ago(lag['oldest_pending_seconds'])}"
    for name, host in found["hosts"].items():
        yield _host(name, host)
    for word, n in found["unknown_words"].items():
        yield f"unknown LeadByte status {word!r}: {n} leads; add it to BRIDGE_LEADBYTE__STATUSES"
    yield from _errors(found["last_errors"])


def _errors(last: Sequence[Mapping[str, Json]]) -> Iterator[str]:
    """A line for each kind of error, at its latest."""
    for error in last:
        more = f" (and {error['n'] - 1} more like it)" if error["n"] > 1 else ""
        yield f"{at(error['at'])}  {error['queue_id']}  {error['stage']}: {error['reason']}{more}"


def _host(name: str, host: Mapping[str, Json]) -> str:
    said = [f"limit {_limit(host['limit'])}" if host["limit"] else "no limit set"]
    if host["learned"]:
        said.append(f"learned {_limit(host['learned'])}")
    side = host["side"]
    if side and side["reason"]:
        said.append(f"{side['state']} since {at(side['since'])}: {side['reason']}")
    return f"{name}: {', '.join(said)}"


def _limit(limit: Mapping[str, Json]) -> str:
    return f"{limit['calls']} calls in {limit['seconds']:g} s"
