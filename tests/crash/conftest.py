"""Runs the bridge as forks of a nursery, each of which may be rigged to die at a step."""

from __future__ import annotations

import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.crash.cast import Cast
from tests.crash.invariants import hold
from tests.crash.sales import Sales
from tests.system.conftest import PATIENCE, ROOT, Bridge, Result, Simulator, checked, simulated, until

DOUBTS = """
SELECT i.queue_id, d.fields FROM delivery d JOIN queue_item i ON i.id = d.item_id WHERE d.state = 'in_doubt'
"""
KILLED = -signal.SIGKILL
QUICK = {
    "BRIDGE_LEADBYTE__POLL_FIRST_SECONDS": "0.05",
    "BRIDGE_LEADBYTE__POLL_MAX_SECONDS": "0.1",
    "BRIDGE_LEADBYTE__BATCH_LINGER_SECONDS": "0.01",
    "BRIDGE_LEADSQUARED__BATCH_LINGER_SECONDS": "0.01",
    "BRIDGE_LEADSQUARED__CHANGES_SECONDS": "0.1",
    "BRIDGE_LEADSQUARED__CONFIRM_FIRST_SECONDS": "0.05",
    "BRIDGE_LEADSQUARED__CONFIRM_MAX_SECONDS": "0.2",
    "BRIDGE_LEADSQUARED__RATE_SECONDS": "0.2",
    "BRIDGE_RETRY__FIRST_SECONDS": "0.02",
    "BRIDGE_RETRY__MAX_SECONDS": "0.1",
    "BRIDGE_HTTP__TIMEOUT_SECONDS": "1",
}


class Nursery:
    """The process that commands are forks of."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.nursery"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, **order: Any) -> dict[str, Any]:
        """One order and its answer."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{json.dumps(order)}\n".encode())
        stdin.flush()
        assert select.select([stdout], [], [], PATIENCE)[0], f"no answer to {order}"
        answer: dict[str, Any] = json.loads(stdout.readline())
        return answer

    def close(self) -> None:
        """End it, and all that it started."""
        self._process.communicate(timeout=PATIENCE)


class Log:
    """What a command says on stderr, by a pipe with a name: it can be written to where files cannot grow."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path, 0o600)
        self.path, self._said = path, b""
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def read(self) -> str:
        """All of it until now."""
        while select.select([self._pipe], [], [], 0)[0]:
            self._said += os.read(self._pipe, 65536)
        return self._said.decode("utf-8")

    def close(self) -> None:
        os.close(self._pipe)


@dataclass
class Child:
    """A command under way."""

    nursery: Nursery
    pid: int
    stdout: Path
    log: Log
    _code: int | None = None

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        if self._code is None:
            self._code = self.nursery.ask(look=self.pid)["code"]
        return self._code is not None

    def signal(self, number: int) -> None:
        """Send it a signal. It cannot have been replaced by another process: nobody has waited for it yet."""
        os.kill(self.pid, number)

    def ended(self) -> Result:
        """Wait for its end, and hold it to what every run must keep. Killed: code -9."""
        until(
            lambda: self.log.read() is not None and self.over, f"its end; it said {self.log.read()[-2000:]}"
        )
        code = self._code
        assert code is not None
        result = Result(code, self.stdout.read_text("utf-8"), self.log.read())
        self.log.close()
        if code >= 0:
            return checked(result)
        assert "Traceback" not in result.stderr, result.stderr
        return result

    def says(self, *events: str) -> None:
        """Wait for one of these events in its log."""
        said = [f'"event": "{event}"' for event in events]
        until(lambda: any(one in self.log.read() for one in said) or self.over, events[0])
        assert any(one in self.log.read() for one in said), self.log.read()


@dataclass
class Ward(Bridge):
    """A bridge whose commands are forks of the nursery."""

    nursery: Nursery = field(kw_only=True)
    _number: Iterator[int] = field(default_factory=count, init=False)

    def begin(self, *args: str, env: Mapping[str, str | None] | None = None, **rig: Any) -> Child:
        """Start a command; what it is rigged with is `rig.apply`'s."""
        number = next(self._number)
        stdout, log = self.directory / f"run-{number}.out", Log(self.directory / f"run-{number}.err")
        order = {
            "args": args,
            "env": self.environment({**QUICK, **(env or {})}),
            "cwd": str(self.directory),
            "stdout": str(stdout),
            "stderr": str(log.path),
            "rig": rig,
        }
        return Child(self.nursery, self.nursery.ask(start=order)["pid"], stdout, log)

    def does(self, *args: str, env: Mapping[str, str | None] | None = None, **rig: Any) -> Result:
        """Run a command to its end."""
        return self.begin(*args, env=env, **rig).ended()

    def drained(self) -> Result:
        """Work everything off, undisturbed."""
        result = self.does("run", "--drain")
        assert result.code == 0, result.stderr
        return result

    def doubts(self) -> list[tuple[str, str]]:
        """The queueIds in doubt, each with the mark that may have been written."""
        with closing(sqlite3.connect(self.database)) as database:
            rows = database.execute(DOUBTS).fetchall()
        return [(queue_id, json.loads(fields)["mx_Buyer"]) for queue_id, fields in rows]

    def mend(self, cast: Cast) -> None:
        """What a person does afterwards: settle each doubt by looking at the CRM, and try again what failed."""
        doubts = self.doubts()
        for queue_id, mark in doubts:
            # An update may be applied after the bridge looked, and a drain does not wait for its next look.
            word = "done" if (cast.results[queue_id].prospect, mark) in cast.fired() else "not-done"
            assert self.does("resolve", queue_id, "--as", word).code == 0
        states = self.counts()
        if doubts or {"failed", "unprocessed", "expired"} & states.keys():
            assert (
                self.does("resync", "--state", "failed", "--state", "unprocessed", "--state", "expired").code
                == 0
            )


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with simulated() as simulator:
        simulator.world.tasks.options.delay = 0.05
        yield simulator


@pytest.fixture
def ward(nursery: Nursery, simulator: Simulator, tmp_path: Path) -> Iterator[Ward]:
    ward = Ward(tmp_path / "bridge", simulator.environment, nursery=nursery)
    yield ward
    assert not ward.leaks()


@pytest.fixture
def cast(ward: Ward, simulator: Simulator) -> Cast:
    return Cast(ward, simulator)


@pytest.fixture
def sales(ward: Ward, simulator: Simulator) -> Sales:
    return Sales(ward, simulator)


@pytest.fixture
def holds(ward: Ward, simulator: Simulator, cast: Cast) -> Callable[[], None]:
    """Checks every invariant of a bridge that has nothing left to do."""
    return lambda: hold(ward, simulator, cast)
