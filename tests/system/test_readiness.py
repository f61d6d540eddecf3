"""Readiness of the whole bridge: red while a side refuses its key, green again by itself."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from bridge.app import App
from bridge.errors import StoreError
from bridge.model import Track
from bridge.scheduler import Service
from bridge.settings import Settings
from bridge.settings.groups import Leadbyte, Leadsquared, Report, Server
from bridge.simulator import Limits, World, serve

BULK = """
version: 1
leadsquared: {mode: bulk, search_by: EmailAddress}
fields: {EmailAddress: {from: lead.email, type: email}, mx_Source: {value: LeadByte}}
"""
ASYNC = """
version: 1
leadsquared: {mode: async}
fields: {ProspectID: lead.prospectid, mx_Source: {value: LeadByte}}
"""
UP = dict.fromkeys(("leadbyte", "leadbyte-updates", "leadsquared", "leadsquared-async"), "up")
PATIENCE = 30.0
Found = tuple[int, Any]


class Clock:
    """The real time, put forward by `by` seconds."""

    by = 0.0

    def __call__(self) -> float:
        return time.time() + self.by


class Bridge:
    """A bridge over a simulated world, with its HTTP side."""

    def __init__(self, tmp_path: Path, mapping: str) -> None:
        self.world, self.clock = World(seed=1), Clock()
        for host in ("leadsquared", "leadsquared_async"):
            self.world.limit(host, Limits())
        self._mapping, self._path = mapping, tmp_path
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._listen = f"127.0.0.1:{free.getsockname()[1]}"

    @asynccontextmanager
    async def up(self) -> AsyncIterator[tuple[Service, httpx.AsyncClient]]:
        (self._path / "mappings").mkdir()
        (self._path / "mappings" / "leads.yaml").write_text(self._mapping)
        async with serve(self.world) as servers:
            app = App(self._settings(servers), clock=self.clock, steady=self.clock)
            async with (
                app.service(listen=True) as service,
                httpx.AsyncClient(base_url=f"http://{self._listen}") as client,
            ):
                yield service, client

    def _settings(self, servers: Any) -> Settings:
        world = self.world
        return Settings(
            state_dir=self._path / "state",
            mappings_dir=self._path / "mappings",
            server=Server(listen=self._listen),
            report=Report(jump=0),  # nobody but a scrape counts
            leadbyte=Leadbyte(
                url=servers.leadbyte, key=SecretStr(world.leadbyte_key), poll_first_seconds=0.1
            ),
            leadsquared=Leadsquared(
                url=servers.leadsquared,
                async_url=servers.leadsquared_async,
                access_key=SecretStr(world.access_key),
                secret_key=SecretStr(world.secret_key),
                async_api_key=SecretStr(world.async_api_key),
                batch_linger_seconds=0.0,
                confirm_first_seconds=0.1,
            ),
        )


async def asked(client: httpx.AsyncClient) -> Found:
    answer = await client.get("/readyz")
    return answer.status_code, answer.json()


async def until(client: httpx.AsyncClient, code: int) -> Found:
    """The first answer with this code."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await asked(client)
            if found[0] == code:
                return found


@pytest.mark.parametrize(
    ("side", "key", "mapping"),
    [
        ("leadbyte", "leadbyte_keys", BULK),
        ("leadsquared", "access_key", BULK),
        ("leadsquared-async", "async_api_key", ASYNC),
    ],
)
def test_a_refused_key_turns_readiness_red_and_a_mended_one_green(
    side: str, key: str, mapping: str, tmp_path: Path
) -> None:
    bridge = Bridge(tmp_path, mapping)
    world, clock = bridge.world, bridge.clock
    person = world.add_person({"EmailAddress": "a@example.com"})
    lead = {"email": "a@example.com", "prospectid": person}
    queue_id = world.add_lead({"status": "Approved", "processed": "2026-03-02T16:03:04Z", "lead": lead})
    right = getattr(world, key)

    async def main() -> list[Found]:
        async with bridge.up() as (service, client):
            found = [await asked(client)]
            setattr(world, key, type(right)())
            service.machine.store.track([Track(queue_id)], clock(), clock() + 86400)
            running = asyncio.create_task(service.run())
            found.append(await until(client, 503))
            setattr(world, key, right)
            clock.by = 1000.0  # the next probe is due
            found.append(await until(client, 200))
            assert (await client.get("/healthz")).status_code == 200
            service.stop.set()
            await running
            return found

    red = {"status": "not ready", "sides": {**UP, side: "denied"}}
    green = {"status": "ready", "sides": UP}
    assert asyncio.run(main()) == [(200, green), (503, red), (200, green)]


def test_a_stage_in_trouble_and_a_store_that_fails_turn_readiness_red(tmp_path: Path) -> None:
    bridge = Bridge(tmp_path, BULK)

    async def main() -> list[Found]:
        async with bridge.up() as (service, client):
            found = [await asked(client)]
            crew = service.machine.stages[-1].crew
            crew.trouble = StoreError("inside")
            found.append(await asked(client))
            crew.trouble = None
            found.append(await asked(client))
            for path in (tmp_path / "state").glob("bridge.db*"):
                path.write_bytes(b"no database" * 1000)
            found.append(await asked(client))
            assert (await client.get("/healthz")).status_code == 503
            return found

    red, green = {"status": "not ready", "sides": UP}, {"status": "ready", "sides": UP}
    assert asyncio.run(main()) == [(200, green), (503, red), (200, green), (503, red)]
