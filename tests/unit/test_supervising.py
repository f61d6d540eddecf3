"""What the service tells its supervisor (systemd's protocol), heard by a real datagram socket."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge.cli.supervising import PERIOD_SECONDS, Supervisor, kept_told, supervisor

PATIENCE = 20.0
READY = ["READY=1", "STATUS=working"]
PULSE = ["WATCHDOG=1", "STATUS=working"]
HURRIED = 0.02
"""A watchdog that must hear something every 10 ms."""


class Ear:
    """A socket as systemd has one, and what came in by it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.setblocking(False)

    def heard(self) -> list[str] | None:
        """The lines of the next message that is there."""
        try:
            return self._socket.recv(4096).decode().split("\n")
        except BlockingIOError:
            return None

    def all_heard(self) -> list[list[str]]:
        return list(iter(self.heard, None))

    async def hears(self) -> list[str]:
        """The lines of the next message, waited for."""
        async with asyncio.timeout(PATIENCE):
            message = await asyncio.get_running_loop().sock_recv(self._socket, 4096)
        return message.decode().split("\n")

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def ear(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ear]:
    names = {"path": str(tmp_path / "notify"), "abstract": f"@bridge-test-{os.getpid()}"}
    ear = Ear(names[request.param])
    yield ear
    ear.close()


def always() -> bool:
    return True


def working() -> str:
    return "working"


def test_a_message_arrives_whole_at_either_kind_of_address(ear: Ear) -> None:
    Supervisor(ear.address).tell("READY=1", "STATUS=working")
    assert ear.all_heard() == [READY]


def test_a_status_cannot_forge_another_line(ear: Ear) -> None:
    Supervisor(ear.address).tell("STATUS=up\nSTOPPING=1")
    assert ear.all_heard() == [["STATUS=up STOPPING=1"]]


@pytest.mark.parametrize(
    ("watchdog", "works", "told"),
    [
        (60.0, True, PULSE),
        (60.0, False, ["STATUS=working"]),
        (0.0, True, ["STATUS=working"]),
    ],
)
def test_the_watchdog_hears_only_of_a_process_that_works(
    ear: Ear, watchdog: float, works: bool, told: list[str]
) -> None:
    Supervisor(ear.address, watchdog).alive("working", working=works)
    assert ear.all_heard() == [told]


@pytest.mark.parametrize("address", ["", "/nowhere/notify"])
def test_nobody_who_listens_stops_nothing(address: str) -> None:
    Supervisor(address).tell("READY=1")


def test_a_supervisor_that_does_not_read_stops_nothing(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.cli.supervising.PATIENCE_SECONDS", 0.001)
    for _ in range(2000):
        Supervisor(ear.address).tell("STATUS=working")
    assert 0 < len(ear.all_heard()) < 2000


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, Supervisor()),
        ({"NOTIFY_SOCKET": "/run/n"}, Supervisor("/run/n")),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "60000000"}, Supervisor("@n", 60.0)),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, Supervisor("@n", 60.0)),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, Supervisor("@n")),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "soon"}, Supervisor("@n")),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "0"}, Supervisor("@n")),
        ({"NOTIFY_SOCKET": "vsock:2:1234"}, Supervisor()),
        ({"NOTIFY_SOCKET": "relative"}, Supervisor()),
    ],
)  # fmt: skip
def test_the_supervisor_is_who_the_environment_names(given: dict[str, str], found: Supervisor) -> None:
    assert supervisor(given) == found


@pytest.mark.parametrize(
    ("watchdog", "period"), [(60.0, PERIOD_SECONDS), (10.0, 5.0), (1.0, 0.5), (0.0, PERIOD_SECONDS)]
)
def test_it_is_told_at_half_of_what_the_watchdog_allows_or_more_often(watchdog: float, period: float) -> None:
    assert Supervisor("@n", watchdog).period == period


def told(
    ear: Ear, talk: Callable[[asyncio.Event], object], works: Callable[[], bool] = always
) -> list[list[str]]:
    """What is heard while `talk` goes on, messages that repeat left out."""

    async def main() -> list[list[str]]:
        stop = asyncio.Event()
        with kept_told(Supervisor(ear.address, HURRIED), stop, works, working):
            await talk(stop)  # type: ignore[misc]
        return ear.all_heard()

    return asyncio.run(main())


def test_a_service_is_ready_then_alive_then_stopping(ear: Ear) -> None:
    async def talk(stop: asyncio.Event) -> None:
        assert [await ear.hears() for _ in range(4)] == [READY, PULSE, PULSE, PULSE]
        stop.set()
        assert ["STOPPING=1", "STATUS=working"] in [await ear.hears() for _ in range(4)]
        assert await ear.hears() == PULSE, "what is in flight is finished under the watchdog"

    told(ear, talk)


def test_a_service_that_does_not_work_is_silent_to_the_watchdog(ear: Ear) -> None:
    broken = iter([True, True])

    async def talk(stop: asyncio.Event) -> None:
        assert [await ear.hears() for _ in range(5)] == [
            READY,
            PULSE,
            PULSE,
            ["STATUS=working"],
            ["STATUS=working"],
        ]

    told(ear, talk, works=lambda: next(broken, False))


def test_nothing_goes_on_once_it_has_ended(ear: Ear) -> None:
    async def main() -> set[asyncio.Task[None]]:
        with kept_told(Supervisor(ear.address, HURRIED), asyncio.Event(), always, working):
            assert len(asyncio.all_tasks()) == 3
        await asyncio.sleep(0)
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(main()) == set()
