"""The HTTP side of a running service: intake, health, metrics, the status page, LeadSquared's webhook."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

import structlog
from pydantic import SecretStr
from starlette.applications import Starlette

from bridge.app.acting import Acting
from bridge.app.measuring import Counting, Measuring, readiness
from bridge.app.watching import Watching
from bridge.model import Json, Track
from bridge.pipeline.desk import Desk
from bridge.scheduler import Machine
from bridge.server import Acts, LocalServer, Readiness, create_app, known_hosts
from bridge.settings import Server

log = structlog.get_logger()

PACKAGE: Final = "leadbyte-leadsquared-bridge"
CALLER_SECONDS: Final = 10.0
"""How long a caller waits for a locked database; nobody waits for room on the disk."""


@dataclass(frozen=True, slots=True)
class Callers:
    """What callers of the HTTP side get. `track` stores queueIds by a store of its own and returns how many are new.
    `measure` is asked at each scrape. `acting`: what is done for whoever has the token.
    """

    machine: Machine
    track: Callable[[Sequence[Track]], int]
    desk: Desk
    measure: Measuring
    acting: Acting

    async def intake(self, tracks: Iterable[Track]) -> int:
        """How many of these queueIds are new."""
        return await self.desk.in_thread(self.track, list(tracks))

    def acts(self) -> Acts:
        """What the status page's reader may have done, each on a thread."""
        in_thread, acting = self.desk.in_thread, self.acting
        return Acts(
            failures=lambda selection, rows: in_thread(acting.failures, selection, rows),
            resync=lambda wish: in_thread(acting.resync, wish),
            dismiss=lambda wish: in_thread(acting.dismiss, wish),
            resolve=lambda word: in_thread(acting.resolve, word),
        )

    async def status(self) -> Mapping[str, Json]:
        """Raises StoreError or Busy where the store cannot be read."""
        await self.desk(self.machine.store.checkpoint, "healthz")
        return {}

    def ready(self) -> Readiness:
        """How every side is, and whether every stage works and what it does can be stored."""
        return readiness(self.machine)

    async def changed(self, _body: Json | None) -> None:
        """LeadSquared tells of a changed lead. What it tells is not believed: nothing but its address says who tells it."""
        if self.machine.changes is not None:
            self.machine.changes.notice()

    def application(self, wanted: Server) -> Starlette:
        """The webhook's token is that of the intake unless it has one of its own."""
        token, webhook = _set(wanted.token), _set(wanted.webhook_token)
        return create_app(
            intake=self.intake,
            status=self.status,
            ready=self.ready,
            token=token,
            changed=self.changed,
            webhook_token=webhook or token,
            measure=self.measure,
            look=Watching(self.measure, acting=token is not None),
            acts=self.acts(),
            known=known_hosts(wanted.listen, wanted.hosts),
        )


@asynccontextmanager
async def listening(
    wanted: Server,
    machine: Machine,
    track: Callable[[Sequence[Track]], int],
    counting: Counting,
    acting: Acting,
) -> AsyncIterator[None]:
    """The HTTP side is up, unless no address is set for it. Raises Busy or SettingsError where it cannot listen.

    `counting` says what the store holds. `track` and `acting` are called on a thread, and open a store of their own.
    """
    if not wanted.listen:
        yield
        return
    measure = Measuring(machine, counting, version(PACKAGE))
    callers = Callers(machine, track, Desk(CALLER_SECONDS, room=0.0), measure, acting)
    server = LocalServer(callers.application(wanted), wanted.listen)
    await server.start()
    log.info("listening", url=server.url, intake=_set(wanted.token) is not None)
    try:
        yield
    finally:
        await server.stop()


def _set(token: SecretStr) -> SecretStr | None:
    return token if token.get_secret_value() else None
