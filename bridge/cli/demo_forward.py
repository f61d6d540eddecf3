"""The first half of `bridge demo`: the whole bridge against both simulated APIs, over real HTTP and a real SQLite file."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import SecretStr
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bridge import reports
from bridge.app import App
from bridge.cli.base import console, put
from bridge.cli.demo_back import round_trip
from bridge.cli.progress import PATIENCE_SECONDS, Work, told
from bridge.intake import BadLine, read_tracks
from bridge.model import LEAD_STATES
from bridge.ports import Selection, Status, Store
from bridge.scheduler import Service
from bridge.settings import Leadbyte, Leadsquared, Settings
from bridge.simulator import Mix, Servers, World, populate, serve

LOOK_SECONDS = 0.25
MOVING = ("waiting", "pending", "sending", "submitted")
MIX = Mix(unknown=0.1, anonymous=0.02, queued_polls=1)
BAR = 40
SHOWN = 3
MEANINGS = (
    "skipped: nothing to send, the mapping's `when` leaves such leads out",
    "superseded: a newer result for the same person took its place",
)


async def show(directory: Path, leads: int, mappings: Path, seed: int) -> None:
    """Everything, told on standard output; files go to `directory`."""
    world = World(seed=seed)
    queue_ids = populate(world, leads, seed=seed, mix=MIX)
    async with serve(world) as servers:
        app = App(_settings(world, servers, directory / "state", mappings))
        _say(f"1. LeadByte has taken {leads} leads and queued them; their queueIds go to the bridge.")
        _track(app, queue_ids)
        _say("2. The bridge polls LeadByte, maps each result and updates LeadSquared in batches.")
        await _work(app, reopen=False)
        for meaning in MEANINGS:
            put(f"   {meaning}")
        _say("3. What could not be done is on the failure report.")
        _report(app)
        unprocessed = _unprocessed(app)
        created = world.create_unknown()
        _say(f"4. LeadSquared did not know {created} people; {unprocessed} of their leads are unprocessed.")
        put("   Their other leads could not be mapped, or had nothing to send.")
        put("   The sales team creates these people in LeadSquared; then: bridge resync --state unprocessed")
        await _work(app, reopen=True)
        _say("5. What LeadSquared holds now.")
        _holdings(world)
        await round_trip(app, world, directory / "both-ways")
    _say("next: README.md, Set it up with your accounts")


def _settings(world: World, servers: Servers, state: Path, mappings: Path) -> Settings:
    return Settings(
        state_dir=state,
        mappings_dir=mappings,
        leadbyte=Leadbyte(url=servers.leadbyte, key=SecretStr(world.leadbyte_key), poll_first_seconds=0.5),
        leadsquared=Leadsquared(
            url=servers.leadsquared,
            access_key=SecretStr(world.access_key),
            secret_key=SecretStr(world.secret_key),
            async_url=servers.leadsquared_async,
            async_api_key=SecretStr(world.async_api_key),
        ),
    )


def _track(app: App, queue_ids: Sequence[str]) -> None:
    """Hand the queueIds over as LeadByte's own submit replies, the way a submitting script would keep them."""
    replies = (
        json.dumps(
            {"status": "Success", "code": 1, "results": [{"queueId": one, "status": "Queued"}]}
        ).encode()
        for one in queue_ids
    )
    now = app.clock()
    with app.store() as store:
        good = (one for one in read_tracks(replies, "submitted") if not isinstance(one, BadLine))
        put(f"   {store.track(good, now, now + app.deadline())} tracked")


async def _work(app: App, *, reopen: bool) -> None:
    async with app.service() as service:
        machine = service.machine
        if reopen:
            await machine.desk(_reopen, machine.store, app)
        with Live(console=console(), refresh_per_second=8, transient=True) as live:
            watching = asyncio.create_task(_watch(service, live))
            await service.run(drain=True)
            watching.cancel()
        console().print(_picture(machine.store.status()))


def _reopen(store: Store, app: App) -> int:
    now = app.clock()
    chosen = Selection(states=("unprocessed",))
    return store.resync(chosen, now, refetch=False, force=False, deadline_at=now + app.deadline())


async def _watch(service: Service, live: Live) -> None:
    machine, work, loop = service.machine, Work("   so far", "leads"), asyncio.get_running_loop()
    began = loop.time()
    while live.console.is_terminal:
        status = await machine.desk(machine.store.status)
        work.left(sum(status.leads[state] for state in MOVING))
        spent = loop.time() - began
        line = [told(work, work.done / spent, spent)] if spent >= PATIENCE_SECONDS else []
        live.update(Group(_picture(status), *line))
        await asyncio.sleep(LOOK_SECONDS)


def _picture(status: Status) -> Group:
    tracked = sum(status.leads.values())
    table = Table.grid(padding=(0, 2))
    for state in LEAD_STATES:
        if n := status.leads[state]:
            table.add_row(f"   {state}", Text(str(n), justify="right"), ProgressBar(tracked, n, width=BAR))
    table.add_row("   tracked", Text(str(tracked), justify="right"))
    return Group(table)


def _report(app: App) -> None:
    with app.store() as store:
        status = store.status()
        made = reports.build(store.failures(), status.leads, app.clock(), account=status.account)
        reports.write_text(made, sys.stdout, shown=SHOWN)


def _unprocessed(app: App) -> int:
    with app.store() as store:
        return store.status().leads["unprocessed"]


def _holdings(world: World) -> None:
    summary = world.summary()
    for field in ("mx_Outcome", "mx_Buyer"):
        counts = ", ".join(f"{n} {value or 'not updated'}" for value, n in summary[field].items())
        put(f"   {summary['leads']['total']} leads by {field}: {counts}")
    polls = world.called("leadbyte")
    updates, refused = world.called("leadsquared"), world.called("leadsquared", "throttled")
    put(
        f"   {polls} polls, {updates} calls to LeadSquared for {len(world.writes)} updates, {refused} refused calls"
    )
    twice = world.doubled + world.tasks.overlaps
    put(f"   {twice} leads doubled in a call or in flight")


def _say(text: str) -> None:
    put("", text)
