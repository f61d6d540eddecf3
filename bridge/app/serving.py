"""A service of the bridge: every part that works, wired to both sides, the store and the HTTP side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

import structlog

from bridge.app.acting import Acting
from bridge.app.listening import listening
from bridge.app.machines import Machines
from bridge.app.measuring import Counting, Watch
from bridge.app.posting import posting
from bridge.app.sides import Sides
from bridge.app.stages import Mappings, Wiring
from bridge.errors import BridgeError
from bridge.files import MappingDirectory
from bridge.mapping import forward_of
from bridge.pipeline.desk import Desk
from bridge.pipeline.inbox import InboxStage
from bridge.ports import Store
from bridge.scheduler import Machine, Service

if TYPE_CHECKING:
    from bridge.app.root import App

log = structlog.get_logger()


@asynccontextmanager
async def service(app: App, *, listen: bool) -> AsyncIterator[Service]:
    """See `App.service`."""
    settings, directory = app.settings, MappingDirectory(app.settings.mappings_dir)
    async_needed = any(mapping.mode == "async" for mapping in forward_of(directory.read()))
    settings.require(leadbyte=True, leadsquared=True, async_needed=async_needed)
    with app.held() as store:
        app.inbox.mkdir(mode=0o700, exist_ok=True)
        async with app.opening.sides(async_needed=async_needed) as sides, posting(settings) as post:
            counting = Counting(app.look, app.steady)
            built = machine(app, store, sides, directory.current, Watch(counting, post))
            told = (settings.server, built, app.track, counting, for_callers(app))
            async with listening(*told) if listen else nullcontext():
                yield Service(built)


@asynccontextmanager
async def by_hand(app: App) -> AsyncIterator[Service]:
    """See `App.by_hand`."""
    app.settings.require(leadbyte=True)
    with app.held() as store:
        async with app.opening.operations() as sink:
            yield Service(_machines(app, store).by_hand(sink))


def for_callers(app: App) -> Acting:
    """What callers with the token may do, by a store that leaves it to the desk to wait."""
    return Acting(partial(app.store, create=False, wait=False), app.clock, app.deadline())


def machine(app: App, store: Store, sides: Sides, mappings: Mappings, watch: Watch | None = None) -> Machine:
    """Every stage, wired to these two sides. With `watch`, what goes wrong is told and reported at once."""
    machines = _machines(app, store)
    inbox = InboxStage(app.store, app.inbox, app.deadline(), app.clock, machines.wiring.desk)
    return machines.whole(sides, inbox, mappings, watch)


def _machines(app: App, store: Store) -> Machines:
    wiring = Wiring(app.settings, store, Desk(), app.clock, app.steady, app.rng)
    return Machines(wiring, partial(report_in_background, app))


async def report_in_background(app: App) -> None:
    """Have the reports written on a thread. One that cannot be is a line in the log."""
    try:
        await asyncio.to_thread(app.write_reports)
    except BridgeError as error:
        # The service's work is more than its report; what failed stays in the database.
        log.warning("report not written", reason=str(error))
