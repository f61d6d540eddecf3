"""People are told: a whole service against both simulated APIs, and a webhook's receiver on loopback."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from bridge import scheduler
from bridge.app import App
from bridge.cli import telling
from bridge.errors import SettingsError
from bridge.model import HOSTS, ItemState, PollRecord, Track
from bridge.policy.health import SideState
from bridge.scheduler import Service
from bridge.settings import Leadbyte, Leadsquared, Settings
from bridge.settings.groups import Notify, Report
from bridge.simulator import Limits, World, serve
from bridge.store import open_store
from tests.receiver import HANG, Receiver, receiving
from tests.system.conftest import Bridge

PATIENCE = 30.0
MAPPING = """
version: 1
leadsquared: {mode: bulk, search_by: EmailAddress}
fields: {EmailAddress: {from: lead.email, type: email}, mx_Source: {value: LeadByte}}
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@dataclass
class Running:
    """A service at work, in a time that `told` puts forward."""

    path: Path
    url: str
    by: float = 0.0

    def __post_init__(self) -> None:
        self.world = World(seed=1)
        self.world.limit("leadsquared", Limits())

    def clock(self) -> float:
        return time.time() + self.by

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Service]:
        (self.path / "mappings").mkdir(exist_ok=True)
        (self.path / "mappings" / "leads.yaml").write_text(MAPPING)
        async with serve(self.world) as servers:
            app = App(self._settings(servers), clock=self.clock, steady=self.clock)
            async with app.service() as service:
                yield service

    def _settings(self, servers: Any) -> Settings:
        world = self.world
        return Settings(
            state_dir=self.path / "state",
            mappings_dir=self.path / "mappings",
            account="acme",
            leadbyte=Leadbyte(
                url=servers.leadbyte, key=SecretStr(world.leadbyte_key), poll_first_seconds=0.1
            ),
            leadsquared=Leadsquared(
                url=servers.leadsquared,
                access_key=SecretStr(world.access_key),
                secret_key=SecretStr(world.secret_key),
                batch_linger_seconds=0.0,
            ),
            notify=Notify(url=SecretStr(self.url), failures=3, down_seconds=60.0),
            report=Report(jump=3),
        )

    def track(self, service: Service, *, known: bool, count: int = 3) -> None:
        """So many leads more."""
        emails = [f"{'known' if known else 'unknown'}{number}@example.com" for number in range(count)]
        for email in emails if known else ():
            self.world.add_person({"EmailAddress": email})
        more = {"status": "Approved", "processed": "2026-03-02T16:03:04Z"}
        ids = [self.world.add_lead({**more, "lead": {"email": email}}) for email in emails]
        service.machine.store.track(map(Track, ids), self.clock(), self.clock() + 86400)

    async def told(self, receiver: Receiver) -> list[str]:
        """What is told next, however long that takes by the service's time."""
        async with asyncio.timeout(PATIENCE):
            while not receiver.heard:
                self.by += 31
                await asyncio.sleep(0.05)
        return receiver.take()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - it is others who bring it about
            await asyncio.sleep(0.01)


def ran(running: Running, use: Callable[[Service], Awaitable[None]]) -> None:
    async def main() -> None:
        async with running.service() as service:
            work = asyncio.create_task(service.run())
            try:
                await use(service)
            finally:
                service.stop.set()
                await work

    asyncio.run(main())


def test_a_side_that_goes_down_and_comes_back_and_failures_are_told(
    tmp_path: Path, receiver: Receiver
) -> None:
    running = Running(tmp_path, receiver.url)
    latest = tmp_path / "state" / "reports" / "latest.json"

    async def use(service: Service) -> None:
        (bulk,) = [gate for gate in service.machine.gates if gate.name == HOSTS["bulk"]]
        running.world.faults.rates["leadsquared"] = {"error_500": 1.0}
        running.track(service, known=True)
        await until(lambda: bulk.health.state is SideState.DOWN)
        (down,) = await running.told(receiver)
        assert down.startswith("leadsquared is down since ")
        assert ": LeadSquared answered HTTP 500 with broken JSON. Leads wait" in down
        running.world.faults.rates.clear()
        assert await running.told(receiver) == ["Over: leadsquared answers again."]
        await until(service.machine.store.idle)
        assert not latest.exists()
        running.track(service, known=False)
        await until(lambda: service.machine.store.status().leads["unprocessed"] == 3)
        (failing,) = await running.told(receiver)
        assert failing.startswith("3 leads are on the failure report (told from 3 on).")
        await until(latest.exists)
        assert len(json.loads(latest.read_text())["leads"]) == 3

    ran(running, use)


def test_the_end_waits_for_no_receiver(tmp_path: Path, receiver: Receiver) -> None:
    running = Running(tmp_path, "")

    async def main() -> None:
        async with running.service() as service:
            running.track(service, known=False)
            await service.run(until=asked(lambda: service.machine.store.status().leads["unprocessed"] == 3))
        receiver.answers, running.url = [HANG], receiver.url
        async with running.service() as service:
            await service.run(until=asked(lambda: receiver.heard))

    with capture_logs() as logged:
        asyncio.run(main())
    assert "notification" not in [line["event"] for line in logged], "it was cut off"
    assert len(receiver.take()) == 1


def test_a_drain_tells_of_what_failed_in_it(tmp_path: Path, receiver: Receiver) -> None:
    running = Running(tmp_path, receiver.url)

    async def drained(count: int) -> list[str]:
        async with running.service() as service:
            running.track(service, known=False, count=count)
            await service.run(drain=True)
        return receiver.take()

    assert asyncio.run(drained(0)) == []
    (failing,) = asyncio.run(drained(3))
    assert failing.startswith("3 leads are on the failure report (told from 3 on).")
    assert asyncio.run(drained(0)) == []


def test_what_is_done_last_holds_up_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "LEAVE_SECONDS", 0.05)
    running, dry = Running(tmp_path, ""), []

    async def for_good(done: bool) -> None:
        dry.append(done)
        await asyncio.Event().wait()

    async def main() -> None:
        async with running.service() as service:
            for drain in (True, False):
                again = Service(replace(service.machine, last=[for_good]))
                (again.stop.clear if drain else again.stop.set)()
                async with asyncio.timeout(PATIENCE):
                    await again.run(drain=drain)

    asyncio.run(main())
    assert dry == [True, False]


def asked(condition: Callable[[], object]) -> Callable[[], Awaitable[bool]]:
    async def so() -> bool:
        return bool(condition())

    return so


def test_a_message_is_tried_by_a_command(bridge: Bridge, receiver: Receiver) -> None:
    settings = {"BRIDGE_NOTIFY__URL": receiver.url, "BRIDGE_ACCOUNT": "acme"}
    told = bridge("notify", "--test", env=settings)
    assert (told.code, told.stdout) == (0, "the message arrived: HTTP 200: ok\n")
    assert receiver.heard[0].startswith("Bridge acme on ")
    assert receiver.heard[0].endswith("nothing is wrong.")
    receiver.answers = [404]
    refused = bridge("notify", "--test", "--json", env=settings)
    assert (refused.code, refused.json) == (1, {"arrival": "failed", "answer": "HTTP 404", "said": "no"})
    assert refused.errors == ["the message did not arrive: HTTP 404: no; check BRIDGE_NOTIFY__URL"]


def test_a_message_that_may_have_arrived_and_one_that_goes_nowhere(receiver: Receiver) -> None:
    settings = Settings(notify=Notify(url=SecretStr(receiver.url)))
    receiver.answers = [504]
    with pytest.raises(telling.NotTold, match="nobody knows whether the message arrived: HTTP 504: no; look"):
        telling._tell(asyncio.run(telling._posted(App(settings))), as_json=False)
    with pytest.raises(SettingsError, match="BRIDGE_NOTIFY__URL: is not set"):
        asyncio.run(telling._posted(App(Settings())))


def test_a_command_says_what_was_told(bridge: Bridge, receiver: Receiver) -> None:
    settings = {"BRIDGE_NOTIFY__URL": receiver.url, "BRIDGE_NOTIFY__FAILURES": "1"}
    bridge.track("late", seconds=-1.0)
    with closing(open_store(bridge.state)) as store:
        (item,) = store.claim_waiting(time.time(), 1)
        store.record_polls([PollRecord(item.id, ItemState.EXPIRED, 0.0, "too late")], time.time())
    with bridge.start("run", env=dict(settings)) as running:
        running.until("notification")
        assert running.stopped(signal.SIGTERM).code == 0
    assert "1 lead is on the failure report" in receiver.heard[0]
    of, told = bridge("notify", env=settings).stdout.splitlines()[1:]
    assert (
        of == "of: 1 or more leads on the failure report; anything in doubt; a side that is not up for 300 s"
    )
    assert told.startswith("told of failures at 20")
    found = bridge("notify", "--json").json
    assert (found["url_is_set"], list(found["told"])) == (False, ["failures"])
