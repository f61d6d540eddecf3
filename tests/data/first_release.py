"""Makes first_release.db. To be run with the code of the first release on PYTHONPATH; it needs nothing else."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bridge.app import App
from bridge.model import Track
from bridge.ports import Selection
from bridge.settings import Leadbyte, Leadsquared, Settings
from bridge.simulator import Limits, Servers, World, serve

DAY = 86_400.0
FIRST = 1_777_600_000.0
SECOND = FIRST + 1.6 * DAY
THIRD = SECOND + 0.45 * DAY
"""Days of May 2026, long ago for whoever opens the file. LeadSquared is asked for half a day what became of an update."""

MAPPINGS = {
    "bulk": """
version: 1
leadsquared: {search_by: EmailAddress, missing_leads: unprocessed}
when: "status != 'Duplicate' && !(context.prospect)"
fields: {EmailAddress: {from: lead.email, type: email}, FirstName: lead.firstname, mx_Outcome: {value: Sold}}
""",
    "quiet": """
version: 1
leadsquared: {mode: async}
when: "context.prospect && !(context.fires)"
fields: {ProspectID: context.prospect, FirstName: lead.firstname, mx_Outcome: {value: Sold}}
""",
    "firing": """
version: 1
leadsquared: {mode: async, trigger_automation: true}
when: "context.prospect && context.fires"
fields: {ProspectID: context.prospect, FirstName: lead.firstname, mx_Outcome: {value: Sold}}
""",
}
PROSPECTS = {
    name: f"00000000-0000-4000-8000-{number:012d}"
    for number, name in enumerate(("submitted", "in_doubt", "done", "not_done", "again"))
}


def main(target: Path) -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(_made(Path(directory)))
        with closing(sqlite3.connect(Path(directory) / "state" / "bridge.db")) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        target.write_bytes((Path(directory) / "state" / "bridge.db").read_bytes())


async def _made(directory: Path) -> None:
    world = World(seed=1)
    for host in ("leadsquared", "leadsquared_async"):
        world.limit(host, Limits())
    world.tasks.options.delay = 1e9
    (directory / "mappings").mkdir()
    async with serve(world) as servers:
        maker = _Maker(world, _settings(world, servers, directory), directory)
        await maker.first_day()
        await maker.second_day()
        await maker.third_day()


def _settings(world: World, servers: Servers, directory: Path) -> Settings:
    return Settings(
        state_dir=directory / "state",
        mappings_dir=directory / "mappings",
        leadbyte=Leadbyte(url=servers.leadbyte, key=SecretStr(world.leadbyte_key), poll_first_seconds=0.2),
        leadsquared=Leadsquared(
            url=servers.leadsquared,
            access_key=SecretStr(world.access_key),
            secret_key=SecretStr(world.secret_key),
            async_url=servers.leadsquared_async,
            async_api_key=SecretStr(world.async_api_key),
        ),
    )


class _Maker:
    def __init__(self, world: World, settings: Settings, directory: Path) -> None:
        self.world, self.settings, self.directory = world, settings, directory

    async def first_day(self) -> None:
        """Everything that comes to rest at once. One mapping only, so that a lead may be superseded as a whole."""
        self.map("bulk")
        for number in range(5):
            self.person(f"synced-{number}")
        for name in ("superseded-older", "superseded-newer"):
            self.lead(name, email="one.person@example.com", processed=name == "superseded-newer")
        self.world.add_person({"EmailAddress": "one.person@example.com"})
        self.lead("unprocessed")
        self.person("failed", firstname="E" * 300)
        self.lead("failed-unmapped", email=None)
        self.lead("skipped", status="Duplicate")
        self.lead("expired", status="Vetted")
        app = self.app(FIRST)
        self.track(app, [one for one in self.world.queue if one != "expired"])
        self.track(app, ["expired"], seconds=0.5)
        await self.work(app, {"expired": 1, "failed": 2, "synced": 6, "unprocessed": 1})

    async def second_day(self) -> None:
        """What LeadSquared took and said nothing of, what a person settled, what was tried again in vain."""
        self.map("quiet", "firing")
        app = self.app(SECOND)
        with app.store() as store:
            store.resync(
                Selection(states=("unprocessed",)), app.clock(), refetch=False, force=False, deadline_at=0.0
            )
        self.prospect("submitted")
        await self.work(app, {"submitted": 1, "unprocessed": 1})
        for name in ("in_doubt", "done", "not_done", "again"):
            self.world.fail_next("reset_after", at="leadsquared_async.update")
            self.prospect(name, fires=True)
        await self.work(app, {"in_doubt": 4})
        with app.store() as store:
            for name in ("done", "not_done", "again"):
                store.resolve(name, done=name == "done", now=app.clock())

    async def third_day(self) -> None:
        """What waits still: for LeadByte, for another try, behind a doubt, for the map stage."""
        app = self.app(THIRD)
        self.person("waiting", queued_polls=10**9)
        self.lead("pending-behind", prospect="in_doubt", fires=True)
        self.person("pending-retry")
        self.world.faults.happened.clear()
        self.world.faults.set_rates({"leadsquared.bulk_update": {"error_500": 1.0}})
        self.track(app, ["waiting", "pending-retry"])
        self.track(app, ["pending-behind"], context={"prospect": PROSPECTS["in_doubt"], "fires": True})
        tried = self.world.faults.happened
        await self.work(app, {"pending": 2, "waiting": 1}, lambda: bool(tried))
        with app.store() as store:
            chosen = Selection(queue_ids=("again",))
            store.resync(chosen, app.clock(), refetch=False, force=False, deadline_at=0.0)

    def map(self, *names: str) -> None:
        for name in names:
            (self.directory / "mappings" / f"{name}.yaml").write_text(MAPPINGS[name])

    def app(self, at: float) -> App:
        start = time.time()
        return App(self.settings, clock=lambda: at + time.time() - start)

    def person(self, name: str, **more: Any) -> None:
        self.world.add_person({"EmailAddress": f"{name}@example.com"})
        self.lead(name, **more)

    def prospect(self, name: str, *, fires: bool = False) -> None:
        self.world.add_person({"EmailAddress": f"{name}@example.com", "ProspectID": PROSPECTS[name]})
        self.lead(name)
        self.track(self.app(SECOND), [name], context={"prospect": PROSPECTS[name], "fires": fires})

    def lead(self, name: str, *, status: str = "Approved", processed: bool = True, **more: Any) -> None:
        kept = {"firstname": more.get("firstname", "Ann"), "email": more.get("email", f"{name}@example.com")}
        at = "2026-05-01T01:46:40Z" if processed else "2026-05-01T01:46:30Z"
        reply = {"queueId": name, "status": status, "processed": at, "lead": kept}
        self.world.add_lead(reply, queued_polls=more.get("queued_polls", 0))

    def track(
        self, app: App, names: list[str], seconds: float = DAY, context: Mapping[str, Any] | None = None
    ) -> None:
        with app.store() as store:
            now = app.clock()
            store.track([Track(name, context or {}) for name in names], now, now + seconds)

    async def work(
        self, app: App, wanted: Mapping[str, int], also: Callable[[], bool] = lambda: True
    ) -> None:
        """Run until at least that many leads are in each of these states, and something besides holds."""
        async with app.service() as service:
            machine = service.machine

            async def reached() -> bool:
                leads = (await machine.desk(machine.store.status)).leads
                return also() and all(leads[state] >= n for state, n in wanted.items())

            await asyncio.wait_for(service.run(until=reached), 60)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
