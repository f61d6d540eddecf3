"""`bridge resync`: re-open leads and see them through."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bridge.app import App
from bridge.cli.base import moment, open_app, put, put_json, say
from bridge.errors import Busy, UsageError
from bridge.ports import Selection, Store
from bridge.reports import mask
from bridge.scheduler import Service

DEFAULT = ("failed", "unprocessed")
OPENABLE = (*DEFAULT, "expired")
FINAL = ("synced", "skipped", "superseded")
LOOK_SECONDS = 0.5


def resync(
    state: Annotated[
        list[str] | None, typer.Option(help="State to re-open; repeatable. Default: failed and unprocessed.")
    ] = None,
    queue_id: Annotated[list[str] | None, typer.Option(help="Only this queueId; repeatable.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Only leads that came to rest since then (UTC, or 36h).")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only leads that came to rest until then.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only leads whose reason holds this text.")] = None,
    mapping: Annotated[str | None, typer.Option(help="Only leads of this mapping file.")] = None,
    refetch: Annotated[bool, typer.Option("--refetch", help="Ask LeadByte again first.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Send even what has not changed.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count, by reason.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Re-open leads that failed or were unprocessed, by today's mapping files, and wait until they are done.

    Example: bridge resync --reason "does not exist" --since 7d
    """
    app = open_app()
    now = app.clock()
    selection = Selection(
        states=_states(state, queue_id, refetch=refetch),
        queue_ids=tuple(queue_id or ()),
        since=moment(since, "--since", now),
        until=moment(until, "--until", now),
        reason=reason,
        mapping=mapping,
    )
    if dry_run:
        _count(app, selection, as_json=as_json)
    else:
        asyncio.run(_resync(app, selection, refetch=refetch, force=force, as_json=as_json))


def _states(state: list[str] | None, queue_id: list[str] | None, *, refetch: bool) -> tuple[str, ...]:
    """The states meant. Leads named by queueId are meant in whatever state they can be re-opened from."""
    if not state:
        openable = OPENABLE + (FINAL if refetch else ())
        return openable if queue_id else DEFAULT
    known = (*OPENABLE, *FINAL)
    problems = [
        f"--state {one}: no such state; take one of {', '.join(known)}" for one in state if one not in known
    ]
    if not refetch:
        problems += [f"--state {one}: such leads are done; add --refetch" for one in state if one in FINAL]
    if problems:
        raise UsageError(*problems)
    return tuple(state)


def _count(app: App, selection: Selection, *, as_json: bool) -> None:
    with app.store() as store:
        counts = store.count_by_reason(selection)
    rows = [{"state": state, "reason": mask(reason), "leads": n} for (state, reason), n in counts.items()]
    if as_json:
        put_json({"leads": sum(counts.values()), "reasons": rows})
        return
    for row in rows:
        put(f"{row['leads']:>8}  {row['state']:<12} {row['reason']}")
    put(f"{sum(counts.values()):>8}  would be re-opened")


async def _resync(app: App, selection: Selection, *, refetch: bool, force: bool, as_json: bool) -> None:
    def reopen(store: Store) -> int:
        now = app.clock()
        return store.resync(selection, now, refetch=refetch, force=force, deadline_at=now + app.deadline())

    try:
        async with app.service() as service:
            opened = await service.machine.desk(reopen, service.machine.store)
            await drain_with_progress(service)
            leads = await service.machine.desk(lambda: service.machine.store.status().leads)
    except Busy:
        with app.store() as store:
            opened = reopen(store)
            say("the service is running and does the work; following it")
            await progress(_on_this_thread(store), None)
            leads = store.status().leads
    _tell(opened, leads, as_json=as_json)


def _tell(opened: int, leads: Mapping[str, int], *, as_json: bool) -> None:
    counted = {state: n for state, n in leads.items() if n}
    if as_json:
        put_json({"reopened": opened, "leads": counted})
    else:
        put(f"{opened} leads re-opened; now {', '.join(f'{n} {state}' for state, n in counted.items())}")


async def drain_with_progress(service: Service) -> None:
    """Run a service until it is dry, showing how far it is."""
    machine = service.machine
    watching = asyncio.create_task(progress(lambda: machine.desk(machine.store.moving), service.stop))
    try:
        await service.run(drain=True)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def progress(moving: Callable[[], Awaitable[Mapping[str, int]]], stop: asyncio.Event | None) -> None:
    """Show a bar until nothing moves any more."""
    columns = (TextColumn("resync"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[what]}"))
    shown = Console(stderr=True)
    with Progress(
        *columns, TimeRemainingColumn(), console=shown, transient=True, disable=not shown.is_terminal
    ) as bar:
        task = bar.add_task("resync", total=None, what="")
        most = 0
        while left := {what: n for what, n in (await moving()).items() if what != "in_doubt"}:
            most = max(most, sum(left.values()))
            what = ", ".join(f"{n} {name}" for name, n in left.items())
            bar.update(task, total=most, completed=most - sum(left.values()), what=what)
            await asyncio.sleep(LOOK_SECONDS)
            if stop is not None and stop.is_set():
                return


def _on_this_thread(store: Store) -> Callable[[], Awaitable[Mapping[str, int]]]:
    async def moving() -> Mapping[str, int]:
        return store.moving()

    return moving
