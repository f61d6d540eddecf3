"""The commands as people run them: real processes against both simulated APIs, served by the test process."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from bridge.model import Track
from bridge.simulator import Limits, World, serve
from bridge.store import open_store

ROOT = Path(__file__).resolve().parents[2]
MAPPING = ROOT / "mappings" / "leadbyte-to-leadsquared.yaml"
COMMAND = (sys.executable, "-c", "from bridge.cli import main; main()")
PLANTED = {
    "leadbyte_key": "PLANTED-lb/7+q=Zk&x%41~w",
    "access_key": "u$rPLANTED-ak/9+v=Qm&y%42~w",
    "secret_key": "PLANTED$cr-sk/5+t=Rn&z%43~w",
    "async_api_key": "PLANTED-aa/3+r=Sp&w%44$k",
}
TOKEN = "PLANTED-tk/1+p=Tq&v%45~w"
QUICK = {
    "BRIDGE_LEADBYTE__POLL_FIRST_SECONDS": "0.2",
    "BRIDGE_LEADBYTE__POLL_MAX_SECONDS": "0.4",
    "BRIDGE_LEADSQUARED__BATCH_LINGER_SECONDS": "0.1",
    "BRIDGE_LEADSQUARED__CONFIRM_FIRST_SECONDS": "0.2",
    "BRIDGE_LEADSQUARED__RATE_CALLS": "0",
    "BRIDGE_RETRY__FIRST_SECONDS": "0.1",
    "BRIDGE_SERVER__LISTEN": "",
    "BRIDGE_LOG__LEVEL": "debug",
}
PATIENCE = 60.0
LINES = ("{", "error: ", "warning: ", "written to ", "draft: ", "account: ", "another process of the bridge")
"""How a line on stderr may begin: a log event as JSON, or one of the words for people."""


def forms(secret: str) -> set[str]:
    """A secret as it may look in a text: as it is, in a URL (also twice over), in JSON."""
    once, plus = quote(secret, safe=""), quote_plus(secret)
    return {secret, once, plus, once.lower(), quote(secret), quote(once, safe=""), json.dumps(secret)[1:-1]}


NEVER_SHOWN = {form.encode() for secret in (*PLANTED.values(), TOKEN) for form in forms(secret)}


def leaks(data: bytes) -> list[bytes]:
    """The planted keys that a text holds in any form, or in part."""
    return [form for form in (*NEVER_SHOWN, b"PLANTED") if form in data]


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str

    @property
    def errors(self) -> list[str]:
        """The error lines, without their first word."""
        return [
            line.removeprefix("error: ") for line in self.stderr.splitlines() if line.startswith("error: ")
        ]

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


@dataclass
class Simulator:
    """Both vendors on loopback, with planted keys, and the environment that points the bridge at them."""

    world: World
    urls: Mapping[str, str]
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        world = self.world
        self.environment = {
            "BRIDGE_LEADBYTE__URL": self.urls["leadbyte"],
            "BRIDGE_LEADBYTE__KEY": world.leadbyte_key,
            "BRIDGE_LEADSQUARED__URL": self.urls["leadsquared"],
            "BRIDGE_LEADSQUARED__ACCESS_KEY": world.access_key,
            "BRIDGE_LEADSQUARED__SECRET_KEY": world.secret_key,
            "BRIDGE_LEADSQUARED__ASYNC_URL": self.urls["leadsquared_async"],
            "BRIDGE_LEADSQUARED__ASYNC_API_KEY": world.async_api_key,
        }

    def lead(self, email: str | None, status: str = "Approved", *, known: bool = True, **more: Any) -> str:
        """Submit a lead to LeadByte, its person known to the CRM or not; returns its queueId. `more`: the reply's own."""
        data = {
            "firstname": "Zoë",
            "lastname": "Marsh",
            "email": email,
            "phone1": None,
            **more.pop("lead", {}),
        }
        if known and email is not None:
            self.world.add_person({"EmailAddress": email})
        return self.world.add_lead(
            {"status": status, "processed": "2026-03-02T16:03:04Z", "lead": data, **more}
        )

    def leads(self, count: int, name: str = "lead") -> list[str]:
        """That many approved leads that the CRM knows."""
        return [self.lead(f"{name}{number}@example.com") for number in range(count)]

    def person(self, email: str) -> dict[str, str]:
        """What the CRM holds of one person."""
        prospect = self.world.crm.find("EmailAddress", email)
        assert prospect is not None, email
        return self.world.crm.leads[prospect]

    def written(self, email: str) -> int:
        """How often a person was updated."""
        return sum(write.prospect == self.person(email)["ProspectID"] for write in self.world.writes)


@contextmanager
def simulated() -> Iterator[Simulator]:
    """A simulator in a thread of this process, without limits of calls."""
    world = World(seed=1)
    for name, value in PLANTED.items():
        setattr(world, name, value)
    world.leadbyte_keys = dict.fromkeys([world.leadbyte_key], *world.leadbyte_keys.values())
    for host in ("leadsquared", "leadsquared_async"):
        world.limit(host, Limits())
    loop, ready, urls = asyncio.new_event_loop(), threading.Event(), {}

    async def serving() -> None:
        async with serve(world) as servers:
            urls.update({name: getattr(servers, name) for name in servers.__slots__})
            urls["stop"] = stop = asyncio.Event()  # type: ignore[assignment]
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serving()), name="simulator")
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield Simulator(world, urls)
    finally:
        loop.call_soon_threadsafe(urls["stop"].set)  # type: ignore[attr-defined]
        thread.join()
        loop.close()


@dataclass(frozen=True)
class Running:
    """A command that has been started."""

    process: subprocess.Popen[str]
    stderr: Path

    def finished(self, input: str = "") -> Result:  # noqa: A002
        """Wait for its end and check what it said."""
        stdout, _ = self.process.communicate(input, timeout=PATIENCE)
        return checked(Result(self.process.returncode, stdout, self.stderr.read_text(encoding="utf-8")))

    def stopped(self, number: signal.Signals) -> Result:
        """Send a signal, then wait for the end."""
        self.process.send_signal(number)
        return self.finished()

    def until(self, event: str) -> None:
        """Wait for an event in its log."""
        said = f'"event": "{event}"'
        until(
            lambda: said in self.stderr.read_text(encoding="utf-8") or self.process.poll() is not None, event
        )
        assert said in self.stderr.read_text(encoding="utf-8")


@dataclass
class Bridge:
    """Runs commands in a directory of their own. Every run is held to what all runs must keep (see `checked`)."""

    directory: Path
    settings: Mapping[str, str]

    def __post_init__(self) -> None:
        self.state, self.mappings = self.directory / "state", self.directory / "mappings"
        self.mappings.mkdir(parents=True)
        shutil.copy(MAPPING, self.mappings)

    @property
    def mapping(self) -> Path:
        return self.mappings / MAPPING.name

    @property
    def database(self) -> Path:
        return self.state / "bridge.db"

    def environment(self, more: Mapping[str, str | None]) -> dict[str, str]:
        """Nothing of the outer environment but the path. None in `more` takes a name away."""
        own = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.directory),
            "BRIDGE_STATE_DIR": str(self.state),
            "BRIDGE_MAPPINGS_DIR": str(self.mappings),
        }
        merged: dict[str, str | None] = {**own, **QUICK, **self.settings, **more}
        return {name: value for name, value in merged.items() if value is not None}

    def __call__(
        self,
        *args: str,
        input: str = "",  # noqa: A002
        env: Mapping[str, str | None] | None = None,
    ) -> Result:
        """Run one command to its end."""
        with self.start(*args, env=env) as process:
            return process.finished(input)

    @contextmanager
    def start(self, *args: str, env: Mapping[str, str | None] | None = None) -> Iterator[Running]:
        """A command that runs beside the test; it is killed if it still runs at the end."""
        pipe = subprocess.PIPE
        with (
            tempfile.NamedTemporaryFile("w", dir=self.directory, prefix="stderr-", delete=False) as stderr,
            subprocess.Popen(
                [*COMMAND, *args],
                cwd=self.directory,
                env=self.environment(env or {}),
                stdin=pipe,
                stdout=pipe,
                stderr=stderr,
                encoding="utf-8",
            ) as process,
        ):
            try:
                yield Running(process, Path(stderr.name))
            finally:
                process.kill()

    def track(self, *queue_ids: str, seconds: float = 86400.0) -> None:
        """Begin to track queueIds that expire after `seconds`, without a command."""
        with closing(open_store(self.state)) as store:
            now = time.time()
            assert store.track(map(Track, queue_ids), now, now + seconds) == len(queue_ids)

    def drain(self, **env: str) -> Result:
        """`bridge run --drain`, which must end well."""
        result = self("run", "--drain", env=env)
        assert result.code == 0, result.stderr
        return result

    def counts(self) -> dict[str, int]:
        """The states that any leads are in, without a command."""
        with closing(open_store(self.state)) as store:
            return {state: n for state, n in store.status().leads.items() if n}

    def lead(self, queue_id: str) -> Any:
        """All that is known of one lead, without a command."""
        with closing(open_store(self.state)) as store:
            return store.lead(queue_id)

    def leaks(self) -> dict[str, list[bytes]]:
        """Files that hold a planted key."""
        files = (path for path in self.directory.rglob("*") if path.is_file())
        return {str(path): found for path in files if (found := leaks(path.read_bytes()))}


def checked(result: Result) -> Result:
    """No key, no traceback; each line on stderr of a known kind; a failure says why, a success reports no error."""
    said = result.stdout + result.stderr
    assert not leaks(said.encode()), said
    assert "Traceback" not in said, said
    strange = [line for line in result.stderr.splitlines() if not line.startswith(LINES)]
    assert not strange, strange
    assert bool(result.errors) == (result.code > 0), result
    return result


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for something that another process brings about."""
    waiting = threading.Event()
    for _ in range(int(PATIENCE / 0.02)):
        if condition():
            return
        waiting.wait(0.02)
    pytest.fail(f"it never came about: {what}")


@contextmanager
def bridged(directory: Path, settings: Mapping[str, str]) -> Iterator[Bridge]:
    """A bridge whose files are searched for planted keys at the end."""
    bridge = Bridge(directory, settings)
    yield bridge
    assert not bridge.leaks()


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with simulated() as simulator:
        yield simulator


@pytest.fixture
def bridge(simulator: Simulator, tmp_path: Path) -> Iterator[Bridge]:
    with bridged(tmp_path / "bridge", simulator.environment) as bridge:
        yield bridge
