"""`bridge resync`: re-open leads and see them through."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.base import open_app, put, put_json, say
from bridge.cli.choosing import (
    OfMapping,
    QueueIds,
    Reason,
    Since,
    Until,
    put_counts,
    refuse_unknown,
    selection,
)
from bridge.cli.completing import states
from bridge.cli.following import rarely
from bridge.cli.progress import LOOK_SECONDS, progress
from bridge.cli.running import stop_on_signals
from bridge.errors import BridgeError, Held, UsageError
from bridge.policy.selecting import states_meant, wrong_states
from bridge.ports import Selection, Store
from bridge.store.lock import is_held

if TYPE_CHECKING:
    from bridge.app import App
    from bridge.scheduler import Service


class Interrupted(BridgeError):
    """The command was told to stop before its work was done. Nothing is lost."""


def resync(
    state: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATE",
            autocompletion=states,
            help="State to re-open; repeatable. Default: failed and unprocessed.",
        ),
    ] = None,
    queue_id: QueueIds = None,
    since: Since = None,
    until: Until = None,
    reason: Reason = None,
    mapping: OfMapping = None,
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
    if problems := list(wrong_states(state or (), refetch=refetch, again="--refetch")):
        raise UsageError(*(f"--state {problem}" for problem in problems))
    meant = states_meant(state or (), named=bool(queue_id), refetch=refetch)
    chosen = selection(meant, queue_id, (since, until), reason, mapping, now=now)
    with app.store() as store:
        refuse_unknown(store, chosen)
    if dry_run:
        with app.store() as store, progress("resync, counting"):
            counts, leads = store.count_by_reason(chosen), store.count(chosen)
        put_counts(counts, leads, "would be re-opened", as_json=as_json)
    else:
        asyncio.run(_resync(app, chosen, refetch=refetch, force=force, as_json=as_json))


async def _resync(app: App, chosen: Selection, *, refetch: bool, force: bool, as_json: bool) -> None:
    now = app.clock()

    def reopen(store: Store) -> int:
        return store.resync(chosen, now, refetch=refetch, force=force, deadline_at=now + app.deadline())

    opened, left = None, 0
    while opened is None or left:
        try:
            async with app.service() as service:
                stop_on_signals(service)
                desk, store = service.machine.desk, service.machine.store
                opened = await desk(reopen, store) if opened is None else opened
                left = await _see_through(service, now, opened)
                break
        except Held:
            with app.store() as store:
                if opened is None:
                    say("another process of the bridge is running and does the work; following it")
                    opened = reopen(store)
                left = await _follow(app, store, now, opened)
    with app.store() as store:
        leads = store.reopened_leads(now)
    if left:
        raise Interrupted(
            f"{opened} leads re-opened, {left} are not done; `bridge run --drain` goes on with them"
        )
    _tell(opened, leads, as_json=as_json)


async def _see_through(service: Service, resynced_at: float, opened: int) -> int:
    """Run the service until the re-opened leads are done; how many are left when it was stopped before."""
    desk, store = service.machine.desk, service.machine.store
    left = opened
    with progress("resync", "leads", opened) as work:

        async def done() -> bool:
            nonlocal left
            left = await desk(store.still_moving, resynced_at)
            work.left(left)
            return left == 0

        await service.run(until=rarely(done, LOOK_SECONDS))
    return left


async def _follow(app: App, store: Store, resynced_at: float, opened: int) -> int:
    """Watch another process at the re-opened leads; how many are left when it is done with them, or gone."""
    with progress("resync", "leads", opened) as work:
        while (left := store.still_moving(resynced_at)) and is_held(app.settings.state_dir):
            work.left(left)
            await asyncio.sleep(LOOK_SECONDS)
    return left


def _tell(opened: int, leads: Mapping[str, int], *, as_json: bool) -> None:
    counted = {state: n for state, n in leads.items() if n}
    again = opened - sum(counted.values())
    if as_json:
        put_json({"reopened": opened, "leads": counted, "reopened_again": again})
        return
    now = ", ".join(f"{n} {state}" for state, n in counted.items())
    put(f"{opened} leads re-opened{': now ' if now else ''}{now}")
    if again:
        put(
            f"{again} of them were re-opened again by somebody else, or forgotten; `bridge status` counts them"
        )
