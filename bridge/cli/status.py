"""`bridge status`: where everything stands."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bridge.cli.base import ago, at, json_line, open_app, put, put_json
from bridge.cli.hosts import host_line, host_values, limits
from bridge.cli.progress import progress
from bridge.cli.watching import screen, watch
from bridge.model import Json
from bridge.policy.moments import iso_epoch
from bridge.ports import Day, Hearer, Status, nobody
from bridge.reports import account_lines, account_values, mask, mask_reason
from bridge.store.lock import holder

if TYPE_CHECKING:
    from bridge.app import App

CHANGES: Final = "leadsquared:changes"
METRICS: Final = "leadsquared-async:metrics"
"""Checkpoints: up to which moment changed leads were read, and the async queue as it was last seen."""


def status(
    again: Annotated[
        bool, typer.Option("--watch", help="Again every 2 seconds or so, until Ctrl-C.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print it as JSON; with --watch an object on each line.")
    ] = False,
) -> None:
    """Counts, lag, both sides, limits, the last errors, and the account by day.

    Example: bridge status --watch
    """
    app = open_app()
    if again:
        with screen("status", as_json=as_json) as shown:
            watch(lambda: _look(app, as_json=as_json), shown, app.clock)
        return
    with progress("status, counting", "leads") as work:
        found, account = _seen(app, work.reached)
    if as_json:
        put_json(found)
    else:
        put(*_lines(found, app.clock()), *account_lines(account))


def _look(app: App, *, as_json: bool) -> Sequence[str]:
    found, account = _seen(app)
    return [json_line(found)] if as_json else [*_lines(found, app.clock()), *account_lines(account)]


def _seen(app: App, heard: Hearer = nobody) -> tuple[dict[str, Json], Sequence[Day]]:
    """What the store holds at this moment, and who works on it; the account of it."""
    with app.store() as store:
        now = store.status(heard, now=app.clock())
    pid = holder(app.settings.state_dir)
    service = {"running": pid is not None, "pid": pid, "state_dir": str(app.settings.state_dir.resolve())}
    return {"service": service, **as_values(now, app.clock(), limits(app.settings))}, now.account


def as_values(status: Status, now: float, limits: Mapping[str, Json]) -> dict[str, Json]:
    """The status as JSON values; people in reasons are masked.

    A host's `side` is what was last learned of it, None where nothing ever went wrong.
    """
    return {
        "leads": dict(status.leads),
        "tracked": sum(status.leads.values()),
        "leads_per_minute": round(status.leads_per_minute, 1),
        "lag": {
            "oldest_waiting_seconds": _age(status.oldest_waiting_at, now),
            "oldest_pending_seconds": _age(status.oldest_pending_at, now),
        },
        "hosts": host_values(limits, status.checkpoints),
        "feedback": dict(status.feedback),
        "changes": {"up_to": status.checkpoints.get(CHANGES)},
        "async_queue": _async_queue(status.checkpoints),
        "unknown_words": _masked(status.unknown_words),
        "checkpoints": {
            name: value for name, value in status.checkpoints.items() if not name.startswith("host:")
        },
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


def _lines(found: Mapping[str, Json], now: float) -> Iterator[str]:
    pid = found["service"]["pid"]
    where = found["service"]["state_dir"]
    yield f"service: not running for {where}" if pid is None else f"service: running (pid {pid or 'unknown'})"
    yield "leads"
    yield from (f"  {state:<12} {n:>9}" for state, n in found["leads"].items() if n)
    yield f"  {'tracked':<12} {found['tracked']:>9}"
    lag = found["lag"]
    yield f"oldest waiting {ago(lag['oldest_waiting_seconds'])}, oldest pending {ago(lag['oldest_pending_seconds'])}"
    yield f"synced per minute: {found['leads_per_minute']:g}, over the last 5 minutes"
    for name, host in found["hosts"].items():
        yield host_line(name, host)
    yield from _feedback(found, now)
    for word, n in found["unknown_words"].items():
        yield f"unknown LeadByte status {word!r}: {n} leads; add it to BRIDGE_LEADBYTE__STATUSES"
    yield from _errors(found["last_errors"])


def _errors(last: Sequence[Mapping[str, Json]]) -> Iterator[str]:
    """A line for each kind of error, at its latest."""
    for error in last:
        more = f" (and {error['n'] - 1} more like it)" if error["n"] > 1 else ""
        yield f"{at(error['at'])}  {error['queue_id']}  {error['stage']}: {error['reason']}{more}"


def _feedback(found: Mapping[str, Json], now: float) -> Iterator[str]:
    """What goes back to LeadByte, as far as there is any."""
    if found["feedback"]:
        yield f"to LeadByte: {', '.join(f'{n} {state}' for state, n in found['feedback'].items() if n)}"
    if up_to := found["changes"]["up_to"]:
        yield f"changes in LeadSquared read up to {up_to} ({ago(now - epoch(up_to))} ago)"
    if queue := found["async_queue"]:
        seen = f" (seen {ago(now - epoch(queue['at']))} ago)" if queue.get("at") is not None else ""
        yield f"LeadSquared's async queue: {async_words(queue)}{seen}"


def async_words(queue: Mapping[str, Json]) -> str:
    """The async queue's metrics in words; `-` for what LeadSquared did not tell."""
    pending, delay, rate = (
        "-" if (value := queue.get(name)) is None else f"{value:g}"
        for name in ("pending", "delay_seconds", "rate_per_minute")
    )
    return f"{pending} pending, delay {delay} s, rate {rate} a minute"


def epoch(moment: Json) -> float:
    """Epoch seconds of a moment that is kept as such, or in ISO 8601 (UTC where it names no zone)."""
    if isinstance(moment, int | float):
        return float(moment)
    return iso_epoch(moment)


def _async_queue(checkpoints: Mapping[str, str]) -> Json:
    kept = checkpoints.get(METRICS)
    return json.loads(kept) if kept else None
