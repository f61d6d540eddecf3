"""The HTTP side of a running service: intake, health, LeadSquared's webhook."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from pydantic import SecretStr
from starlette.applications import Starlette

from bridge.leadsquared import read_webhook
from bridge.model import Json, Track
from bridge.pipeline.desk import Desk
from bridge.scheduler import Machine
from bridge.server import LocalServer, Readiness, create_app
from bridge.settings import Server

log = structlog.get_logger()

CALLER_SECONDS: Final = 10.0
"""How long a caller waits for a locked database; nobody waits for room on the disk."""


@dataclass(frozen=True, slots=True)
class Callers:
    """What callers of the HTTP side get. `track` stores queueIds by a store of its own and returns how many are new."""

    machine: Machine
    track: Callable[[Sequence[Track]], int]
    desk: Desk

    async def intake(self, tracks: Iterable[Track]) -> int:
        """How many of these queueIds are new."""
        return await self.desk.in_thread(self.track, list(tracks))

    async def status(self) -> Mapping[str, Json]:
        """Raises StoreError or Busy where the store cannot be read."""
        await self.desk(self.machine.store.checkpoint, "healthz")
        return {}

    def ready(self) -> Readiness:
        """How every side is, and whether every stage works and what it does can be stored."""
        machine = self.machine
        sides = {gate.name: str(gate.health.state) for gate in machine.gates}
        working = not machine.desk.full and all(stage.crew.trouble is None for stage in machine.stages)
        return Readiness(sides, working=working)

    async def changed(self, body: Json | None) -> None:
        """LeadSquared tells of a changed lead."""
        stage = self.machine.changes
        if stage is not None and (columns := stage.columns):
            await stage.notice(None if body is None else read_webhook(body, columns))

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
        )


@asynccontextmanager
async def listening(
    wanted: Server, machine: Machine, track: Callable[[Sequence[Track]], int]
) -> AsyncIterator[None]:
    """The HTTP side is up, unless no address is set for it. Raises Busy or SettingsError where it cannot listen."""
    if not wanted.listen:
        yield
        return
    callers = Callers(machine, track, Desk(CALLER_SECONDS, room=0.0))
    server = LocalServer(callers.application(wanted), wanted.listen)
    await server.start()
    log.info("listening", url=server.url, intake=_set(wanted.token) is not None)
    try:
        yield
    finally:
        await server.stop()


def _set(token: SecretStr) -> SecretStr | None:
    return token if token.get_secret_value() else None
