"""No key and no person in anything the bridge puts out: real processes through every kind of failure, each output searched.

Keys and people are marked. A marker survives every escaping (its letters and digits stay), so that one search finds it
in any form; what is wrapped over lines, or in base64, is searched as well.
"""

from __future__ import annotations

import html
import json
import re
import sqlite3
import subprocess
import threading
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, unquote

import pytest

from bridge.simulator.crm import Refusal
from tests.system.conftest import COMMAND, PATIENCE, Bridge, Simulator, simulated, until

KEYS = {
    "leadbyte_key": "zq\"7'LBMARK1/+<a>&b%41$;=~^`",
    "access_key": "zq\"7'AKMARK2/+<a>&b%42$;=~^`",
    "secret_key": "zq\"7'SKMARK3/+<a>&b%43$;=~^`",
    "async_api_key": "zq\"7'AAMARK4/+<a>&b%44$;=~^`",
    "token": "zq\"7'TKMARK5/+<a>&b%45$;=~^`",
    "wrong_key": "zq\"7'WKMARK6/+<a>&b%46$;=~^`",
    "webhook": "zq\"7'HKMARK7/+<a>&b%47$;=~^`",
}
EMAIL, FIRST, LAST, PHONE, POSTCODE = (
    "p9mailmark@example.com",
    "Xanthippemark",
    "Quillfeathermark",
    "07700 900417",
    "ZX87 6QW",
)
PEOPLE = {
    "email": "p9mailmark",
    "first name": "xanthippemark",
    "last name": "quillfeathermark",
    "postcode": "zx876qw",
    "context": "ownermark",
}
DIGITS = "7700900417"
MARKERS = (
    {name: re.findall("[A-Z]+MARK[0-9]", key)[0].lower() for name, key in KEYS.items()}
    | PEOPLE
    | {"phone": DIGITS}
)
QUOTED = (
    f"{EMAIL} p9mailmark%40example.com p9mailmark&#64;example.com P9MAILMARK\uff20EXAMPLE.COM"
    f" {PHONE} +44 (0)7700-900417 %2B447700900417"
)
NAMED = f"{FIRST} {LAST} {FIRST.upper()} of {POSTCODE}"

SECRET = frozenset(KEYS)
IMPERSONAL = SECRET | PEOPLE.keys() | {"phone"}
MASKED = IMPERSONAL - {"first name", "last name", "postcode"}
"""What a command says of many leads at once it masks by looks alone: addresses and numbers."""

SURFACES: Mapping[str, frozenset[str]] = {
    "log, json, every fault of the CRM": IMPERSONAL,
    "log, json, a batch refused as a whole": IMPERSONAL,
    "log, console, LeadByte quotes all it is given": IMPERSONAL,
    "log, console, LeadSquared quotes all it is given": IMPERSONAL,
    "log, development mode, LeadSquared quotes all it is given": IMPERSONAL,
    "log of a service with its HTTP side": IMPERSONAL,
    "a crash in a stage": IMPERSONAL,
    "a fatal signal": IMPERSONAL,
    "process title and command line": IMPERSONAL,
    "HTTP answers": IMPERSONAL,
    "notify --test": SECRET,
    "enqueue": IMPERSONAL,
    "check": IMPERSONAL,
    "check, LeadSquared quotes all it is given": MASKED,
    "wrong words on the command line": SECRET,
    "resync": MASKED,
    "resync --dry-run": MASKED,
    "status": IMPERSONAL,
    "status --json": IMPERSONAL,
    "report --format text": IMPERSONAL,
    "report --format json": IMPERSONAL,
    "report --format csv": IMPERSONAL,
    "report --format html": IMPERSONAL,
    "state/reports": IMPERSONAL,
    "database": SECRET,
    "every other file": SECRET,
}


def shows(data: str, marker: str) -> bool:
    """Whether a text holds a marker in any form: escaped, wrapped over lines, in other capitals, in base64."""
    if marker == DIGITS:
        return any(DIGITS in re.sub(r"\D", "", _unescaped(line)) for line in data.split("\n"))
    if any(marker in re.sub(r"[\W_]+", "", form).lower() for form in (data, _unescaped(data))):
        return True
    original = next((key for key in KEYS.values() if marker in key.lower()), marker)
    return any(_inner(original, shift) in data for shift in range(3))


def _unescaped(line: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "", html.unescape(unquote(unquote(line))))


def _inner(text: str, shift: int) -> str:
    """The part of a text's base64 that does not depend on what stands before and after it."""
    return b64encode(b"\0" * shift + text.encode())[4:-4].decode()


class Echo(BaseHTTPRequestHandler):
    """A vendor that quotes everything it was given, and the lead, in answers of every kind; at last it denies the key."""

    protocol_version = "HTTP/1.1"
    sequence: ClassVar[Iterator[int]]
    last: ClassVar[int]

    def do_GET(self) -> None:
        given = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        turn = min(next(self.sequence), self.last)
        status, kind, body, more = ANSWERS[turn](self._quote(given, turn))
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the name that the server looks for

    def _quote(self, given: str, turn: int) -> str:
        """What was sent, raw and escaped: what comes first differs, for the bridge quotes only so many characters."""
        keys = [value for name, value in self.headers.items() if "key" in name.lower()]
        keys += [unquote(part.partition("=")[2]) for part in self.path.partition("?")[2].split("&")]
        escaped = [form(key) for key in keys for form in (str, quote, html.escape, repr)]
        people = QUOTED if turn >= self.last else f"{NAMED} {QUOTED}"
        parts = [people, *escaped, self.path, given if turn < self.last else ""]
        return " ".join(parts[turn % 2 :] + parts[: turn % 2])

    def log_message(self, *_: Any) -> None:
        """Nothing: it is the bridge's output that counts."""


def _json(status: int, **words: str) -> tuple[int, str, bytes, dict[str, str]]:
    return status, "application/json", json.dumps(words).encode(), {}


ANSWERS = (
    lambda said: _json(400, Status="Error", ExceptionType="MXInvalidInputException", ExceptionMessage=said),
    lambda said: _json(500, message=said),
    lambda said: _json(404, error=said, ExceptionType=said, ExceptionMessage=said),
    lambda said: (502, "text/html", f"<html>{html.escape(said)}</html>".encode(), {}),
    lambda said: _json(200, Status="Error", Message=said),
    lambda said: (302, "text/plain", b"", {"Location": f"http://127.0.0.1:9/?{quote(said)}"}),
    lambda said: _json(409, message=said, reason=said),
    lambda said: (200, "application/json", json.dumps([said, {"Status": said}]).encode(), {}),
    lambda said: _json(400, response=said),
    lambda said: _json(401, message=f"Invalid key {said}"),
)


@contextmanager
def echoing(last: int = len(ANSWERS) - 1, first: int = 0) -> Iterator[str]:
    """An echo of its own turns, from `first` on; the last answer stays. Yields its URL."""
    handler = type("Turns", (Echo,), {"sequence": count(first), "last": last})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


ASYNC = """
version: 1
leadsquared: {mode: async}
fields: {ProspectID: lead.prospectid, LastName: lead.lastname, EmailAddress: lead.email}
"""
WRONG_MAPPING = """
version: 1
leadsquared: {search_by: EmailAddress}
fields: {EmailAddress: lead.email, mx_NoSuchThing: lead.lastname, LastName: {value: %s}}
"""
CONSOLE = {"BRIDGE_LOG__FORMAT": "console"}
ASYNCIO = {"PYTHONDEVMODE": "1", "PYTHONASYNCIODEBUG": "1"}
IN_QUERY = {"BRIDGE_LEADSQUARED__KEYS_IN": "query"}


class Tour:
    """Everything the bridge can be made to say, by surface."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        self.directory = directory
        self.said: dict[str, str] = {}
        self.codes: dict[str, int] = {}
        self._stack = stack

    def run(self) -> None:
        """Each journey in a directory of its own, two at a time."""
        journeys = (self.faults, self.leadbyte, self.leadsquared, self.service, self.set_up)
        with ThreadPoolExecutor(3) as pool:
            for journey in [pool.submit(journey) for journey in journeys]:
                journey.result()
        self.files()

    def world(self, name: str) -> tuple[Simulator, Bridge]:
        """A simulator with marked keys, and a bridge for it."""
        simulator = self._stack.enter_context(simulated())
        world = simulator.world
        for key in KEYS.keys() - {"token", "wrong_key", "webhook"}:
            setattr(world, key, KEYS[key])
        world.leadbyte_keys = dict.fromkeys([world.leadbyte_key], *world.leadbyte_keys.values())
        simulator = Simulator(world, simulator.urls)
        told = f"{self._stack.enter_context(echoing())}/hooks/?key={quote(KEYS['webhook'], safe='')}"
        settings = {**simulator.environment, "BRIDGE_SERVER__TOKEN": KEYS["token"]}
        settings |= {"BRIDGE_NOTIFY__URL": told, "BRIDGE_NOTIFY__FAILURES": "1"}
        return simulator, Bridge(self.directory / name, settings)

    def lead(self, simulator: Simulator, number: int = 0, **more: Any) -> str:
        """A lead that is all marks. `number` tells people apart."""
        email = EMAIL.replace("@", f"{number}@")
        person = {"firstname": FIRST, "lastname": LAST, "phone1": PHONE, "postcode": POSTCODE}
        person["prospectid"] = f"5f0c0000-0000-4000-8000-{number:012d}"
        return simulator.lead(more.pop("email", email), lead={**person, **more.pop("lead", {})}, **more)

    def tell(self, surface: str, bridge: Bridge, *args: str, input: str = "", **env: str) -> int:  # noqa: A002
        """Run a command; what it says is added to the surface."""
        done = subprocess.run(
            [*COMMAND, *args],
            cwd=bridge.directory,
            env=bridge.environment(env),
            input=input.encode(),
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        self.said[surface] = self.said.get(surface, "") + (done.stdout + done.stderr).decode()
        self.codes[surface] = done.returncode
        return done.returncode

    def faults(self) -> None:
        """Leads refused, unknown, unmappable, undecided, kept from a batch; then all that people ask about them."""
        simulator, bridge = self.world("faults")
        ids = [self.lead(simulator, number) for number in range(3)]
        ids.append(self.lead(simulator, 3, known=False))
        ids.append(self.lead(simulator, 4, email=None))
        ids.append(self.lead(simulator, 5, lead={"phone1": f"{PHONE} no {EMAIL}"}))
        undecided = [self.lead(simulator, 6, status=f"Vetted by {EMAIL}, {PHONE}")]
        simulator.world.write = lambda *_, **__: Refusal("MXCustomException", f"{QUOTED} {NAMED}")  # type: ignore[method-assign]
        simulator.world.fail_next("throttle", at="leadbyte")
        for fault in ("reset_after", "truncated", "throttle"):
            simulator.world.fail_next(fault, at="leadsquared.bulk_update")
        bridge.track(*ids)
        bridge.track(*undecided, seconds=1)
        bad = f'{{"queueId": "x y", "owner": "{EMAIL} ownermark {KEYS["token"]}"}}\n{EMAIL} {PHONE} {NAMED}\n'
        lines = self.directory / "lines.jsonl"
        lines.write_text(f'{bad}{{"queueId": "{ids[0]}", "owner": "ownermark {EMAIL}"}}\n', encoding="utf-8")
        assert self.tell("enqueue", bridge, "enqueue", "--from", str(lines), f"{EMAIL} {PHONE}") == 1
        (bridge.state / "inbox").mkdir(exist_ok=True)
        (bridge.state / "inbox" / f"of {EMAIL} {PHONE}.txt").write_text(bad)
        assert self.tell("log, json, every fault of the CRM", bridge, "run", "--drain") == 0
        surface = "log, json, a batch refused as a whole"
        simulator.world.faults.mx_message = f"{NAMED} {QUOTED} {KEYS['access_key']}"
        simulator.world.fail_next("mx_error", times=9, at="leadsquared.bulk_update")
        bridge.track(*(self.lead(simulator, number) for number in (7, 8)))
        assert self.tell(surface, bridge, "run", "--drain") == 0
        self._ask(bridge)
        assert self.tell("resync", bridge, "resync") == 0
        self._damage(bridge)
        assert self.tell("a crash in a stage", bridge, "run", "--drain") != 0

    def _ask(self, bridge: Bridge) -> None:
        """All questions about what is there, side by side."""
        questions = ["status", "status --json", "resync --dry-run"]
        questions += [f"report --format {form}" for form in ("text", "json", "csv", "html")]
        with ThreadPoolExecutor(2) as pool:
            codes = list(pool.map(lambda words: self.tell(words, bridge, *words.split()), questions))
        assert codes == [0] * len(questions)

    @staticmethod
    def _damage(bridge: Bridge) -> None:
        """Break a row in the middle of somebody's data, as a torn page would."""
        with closing(sqlite3.connect(bridge.database)) as connection, connection:
            connection.execute(
                "UPDATE queue_item SET mapped = 0, context = ? WHERE state = 'resolved'",
                (f'{{"owner": "{EMAIL}',),
            )

    def leadbyte(self) -> None:
        """LeadByte answers in every wrong way."""
        simulator, bridge = self.world("leadbyte")
        bridge.track(*(self.lead(simulator, number) for number in range(2)))
        with echoing() as url:
            surface = "log, console, LeadByte quotes all it is given"
            assert self.tell(surface, bridge, "run", "--drain", BRIDGE_LEADBYTE__URL=url, **CONSOLE) == 1

    def leadsquared(self) -> None:
        """LeadSquared answers in every wrong way, in bulk and async mode."""
        for name, more in (("console", CONSOLE), ("development mode", {**ASYNCIO, **IN_QUERY})):
            simulator, bridge = self.world(name)
            (bridge.mappings / "async.yaml").write_text(ASYNC)
            bridge.track(*(self.lead(simulator, number) for number in range(3)))
            surface = f"log, {name}, LeadSquared quotes all it is given"
            with echoing() as url, echoing() as async_url:
                hosts = {"BRIDGE_LEADSQUARED__URL": url, "BRIDGE_LEADSQUARED__ASYNC_URL": async_url}
                assert self.tell(surface, bridge, "run", "--drain", **hosts, **more) == 1

    def service(self) -> None:
        """The service is asked over HTTP, looked at, and shot."""
        simulator, bridge = self.world("service")
        with echoing(0, 0) as url, bridge.start("run", env=self._listening(url)) as running:
            until(lambda: '"event": "listening"' in running.stderr.read_text(), "it listens")
            (line,) = re.findall(r"http://127\.0\.0\.1:\d+", running.stderr.read_text())[:1]
            self.said["HTTP answers"] = "".join(self._requests(line, self.lead(simulator)))
            process = Path(f"/proc/{running.process.pid}")
            self.said["process title and command line"] = "".join(
                (process / name).read_text() for name in ("cmdline", "comm")
            )
            assert "bridge" in self.said["process title and command line"]
            running.until("poll failed")
            before = running.stderr.read_text()
            running.process.send_signal(6)
            running.process.wait(PATIENCE)
            self.said["log of a service with its HTTP side"] = before
            self.said["a fatal signal"] = running.stderr.read_text()[len(before) :]
            assert "Fatal Python error" in self.said["a fatal signal"]

    @staticmethod
    def _listening(url: str) -> dict[str, str | None]:
        return {"BRIDGE_SERVER__LISTEN": "127.0.0.1:0", "BRIDGE_LEADBYTE__URL": url, **ASYNCIO}

    @staticmethod
    def _requests(url: str, queue_id: str) -> Iterator[str]:
        person = f'"owner": "ownermark {EMAIL} {PHONE}"'
        bodies = (
            f'{{"queueId": "{queue_id}", {person}}}',
            f"{{{person}}}",
            f"{NAMED} {EMAIL}",
            '{"queueId": "x y"}',
        )
        for token in (KEYS["wrong_key"], KEYS["token"], ""):
            for body in bodies:
                headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
                yield _answer(urllib.request.Request(f"{url}/v1/leads", body.encode(), headers))  # noqa: S310
        for path in (
            "healthz",
            "readyz",
            "",
            "v1/status",
            quote(f"{EMAIL}/{KEYS['token']}"),
            f"v1/leads?token={quote(KEYS['token'])}",
        ):
            yield _answer(urllib.request.Request(f"{url}/{path}"))  # noqa: S310
        for accept in ("application/json", "text/html"):
            headers = {"Authorization": f"Bearer {KEYS['token']}", "Accept": accept}
            yield _answer(urllib.request.Request(f"{url}/v1/failures", headers=headers))  # noqa: S310

    def set_up(self) -> None:
        """Checks of what is right and wrong, and keys where none belong."""
        simulator, bridge = self.world("set-up")
        wrong = KEYS["wrong_key"]
        assert self.tell("check", bridge, "check") == 0
        self._from_a_file(bridge)
        for _ in ANSWERS[:2]:
            assert self.tell("notify --test", bridge, "notify", "--test") == 1
        assert (
            self.tell(
                "check", bridge, "check", BRIDGE_LEADSQUARED__SECRET_KEY=wrong, BRIDGE_LEADBYTE__KEY=wrong
            )
            == 1
        )
        simulator.world.region_host = "api-us11.leadsquared.com"
        assert self.tell("check", bridge, "check", **IN_QUERY) == 1
        (bridge.mappings / "wrong.yaml").write_text(WRONG_MAPPING % json.dumps(KEYS["leadbyte_key"]))
        self.tell("check", bridge, "check", "--json")
        with echoing(len(ANSWERS) - 1, len(ANSWERS) - 1) as url:
            hosts = {"BRIDGE_LEADSQUARED__URL": url, "BRIDGE_LEADBYTE__URL": url}
            assert self.tell("check, LeadSquared quotes all it is given", bridge, "check", **hosts) in (1, 2)
        for words in (
            ("run", f"--leadbyte-key={KEYS['leadbyte_key']}"),
            (KEYS["access_key"],),
            ("report", "--format", KEYS["async_api_key"]),
            ("resync", "--state", KEYS["token"]),
        ):
            assert self.tell("wrong words on the command line", bridge, *words) == 2

    def _from_a_file(self, bridge: Bridge) -> None:
        """A key from a file that everybody can read: it works, and is warned of."""
        file = bridge.directory / ".env"
        file.write_text(
            f"BRIDGE_LEADBYTE__KEY='{KEYS['leadbyte_key'].replace(chr(39), chr(92) + chr(39))}'\n"
        )
        file.chmod(0o644)
        assert self.tell("check", bridge, "check", "--json", BRIDGE_LEADBYTE__KEY="") == 0
        assert "warning: .env: everybody on this machine can read it" in self.said["check"]
        file.unlink()

    def files(self) -> None:
        """What lies in the directories at the end."""
        found = [path for path in self.directory.rglob("*") if path.is_file() and path.name != "lines.jsonl"]
        found = [path for path in found if "mappings" not in path.parts and "refused" not in path.parts]
        databases = [path for path in found if path.name.startswith("bridge.db")]
        reports = [path for path in found if path.parent.name == "reports"]
        assert len(databases) > 3
        assert len(reports) > 3
        others = [path for path in found if path not in databases and path not in reports]
        for surface, paths in (
            ("database", databases),
            ("state/reports", reports),
            ("every other file", others),
        ):
            self.said[surface] = "\n".join(path.read_bytes().decode("latin-1") for path in paths)


def _answer(request: urllib.request.Request) -> str:
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:  # noqa: S310
            return f"{reply.status}\n{reply.headers}\n{reply.read().decode()}\n"
    except urllib.error.HTTPError as error:
        return f"{error.code}\n{error.headers}\n{error.read().decode()}\n"


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tour]:
    with ExitStack() as stack:
        tour = Tour(stack, tmp_path_factory.mktemp("leaks"))
        tour.run()
        yield tour


@pytest.mark.parametrize(
    ("surface", "marker"),
    [(surface, marker) for surface, markers in SURFACES.items() for marker in MARKERS if marker in markers],
)
def test_nothing_marked_is_put_out(tour: Tour, surface: str, marker: str) -> None:
    said = tour.said[surface]
    if shows(said, MARKERS[marker]):
        lines = [line for line in said.split("\n") if shows(line, MARKERS[marker])] or [said]
        pytest.fail(f"{surface} shows the {marker}: {lines[0][:2000]}")


def test_every_surface_said_something(tour: Tour) -> None:
    assert tour.said.keys() == SURFACES.keys()
    assert [surface for surface, said in tour.said.items() if len(said) < 20] == []


def test_no_command_ends_in_a_traceback(tour: Tour) -> None:
    assert [surface for surface, said in tour.said.items() if "Traceback" in said] == []


@pytest.mark.parametrize("marker", MARKERS)
def test_the_search_finds_every_form(marker: str) -> None:
    whole = {**KEYS, "email": EMAIL, "phone": PHONE, "postcode": POSTCODE}.get(marker, MARKERS[marker])
    wrapped = f"{whole[:12]}\n  {whole[12:]}" if marker != "phone" else whole
    shown = (
        whole,
        quote(whole),
        quote(quote(whole)),
        html.escape(whole),
        json.dumps(whole),
        repr(whole),
        wrapped,
    )
    for form in shown:
        assert shows(f"error: <{form}> at 2026-01-02T03:04:05Z", MARKERS[marker]), form
    if marker in KEYS:
        for before in ("", "u", "us"):
            assert shows(b64encode(f"{before}{whole}:x".encode()).decode(), MARKERS[marker])
    assert not shows("error: LeadSquared failed with HTTP 502 at 2026-01-02T03:04:05Z", MARKERS[marker])


def test_the_bridge_starts_no_other_program() -> None:
    """Children would inherit the environment with the keys in it."""
    sources = (Path(__file__).parents[2] / "bridge").rglob("*.py")
    starts = re.compile(
        r"\b(?:import subprocess|os\.(?:system|popen|exec|spawn|fork)|multiprocessing|create_subprocess)"
    )
    assert [path.name for path in sources if starts.search(path.read_text(encoding="utf-8"))] == []
