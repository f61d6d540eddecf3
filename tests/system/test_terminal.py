"""The commands on a terminal and in a shell: completion, colours, a status that is painted anew."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.system.conftest import COMMAND, PATIENCE, Bridge, bridged

COLOURS = re.compile(rb"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """Nobody is called here, and nothing is tracked."""
    with bridged(tmp_path_factory.mktemp("terminal") / "bridge", {}) as bridge:
        yield bridge


# completion


def bash(line: str) -> dict[str, str]:
    words = line.split(" ")
    return {
        "COMP_WORDS": "\n".join(words),
        "COMP_CWORD": str(len(words) - 1),
        "_BRIDGE_COMPLETE": "complete_bash",
    }


def zsh(line: str) -> dict[str, str]:
    return {"_TYPER_COMPLETE_ARGS": line, "_BRIDGE_COMPLETE": "complete_zsh"}


def fish(line: str) -> dict[str, str]:
    told = {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    return {**told, "_BRIDGE_COMPLETE": "complete_fish"}


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (bash("bridge res"), "resync\nresolve\n"),
        (bash("bridge report --format "), "text\njson\ncsv\nhtml\n"),
        (bash("bridge resolve 17 --as no"), "not-done\n"),
        (bash("bridge resync --state s"), "synced\nskipped\nsuperseded\n"),
        (bash("bridge map maps/le"), "maps/leadbyte-to-leadsquared.yaml\n"),
        (
            zsh("bridge leadbyte rel"),
            '_arguments \'*: :(("release":"Release quarantined leads as they are."))\'\n',
        ),
        (fish("bridge resync --state exp"), "expired\tLeadByte gave no final result in time\n"),
    ],
)
def test_a_shell_completes_commands_options_and_values(
    bridge: Bridge, asked: Mapping[str, str], wanted: str
) -> None:
    maps = bridge.directory / "maps"
    maps.is_dir() or shutil.copytree(bridge.mappings, maps)
    said = bridge(env={**asked, "BRIDGE_MAPPINGS_DIR": "maps"})
    assert (said.code, said.stdout, said.stderr) == (0, wanted, "")


def test_completion_loads_no_settings_no_store_and_nothing_that_calls_anybody(bridge: Bridge) -> None:
    (bridge.directory / ".env").write_text("BRIDGE_RETRY__ATTEMPTS=wrong\n")
    said = subprocess.run(
        [sys.executable, "-X", "importtime", *COMMAND[1:]],
        cwd=bridge.directory,
        env=bridge.environment(bash("bridge resync --state f")),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    (bridge.directory / ".env").unlink()
    loaded = {line.rpartition("|")[2].strip() for line in said.stderr.splitlines()}
    assert said.stdout == "failed\n"
    assert "bridge.cli.commands" in loaded
    assert not loaded & {
        "bridge.app",
        "bridge.settings",
        "bridge.http",
        "bridge.simulator",
        "aiohttp",
        "uvicorn",
    }
    assert not bridge.state.exists()


SHOW = 'eval "$(bridge --show-completion)"; '
ASKED = {
    "bash": SHOW
    + "COMP_WORDS=(bridge report --format j) COMP_CWORD=3; _bridge_completion bridge; echo $COMPREPLY",
    "zsh": "compdef() { }; _arguments() { echo $1 }; "
    + SHOW
    + "words=(bridge report --format j) CURRENT=4; _bridge_completion",
    "fish": "bridge --show-completion | source; complete --do-complete 'bridge report --format j'",
}


@pytest.mark.parametrize("shell", ASKED)
def test_each_shell_takes_the_script_that_is_shown_to_it(bridge: Bridge, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    program = bridge.directory / "bin" / "bridge"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {COMMAND[0]} -c "{COMMAND[2]}" "$@"\n')
    program.chmod(0o700)
    home = bridge.environment({"PATH": f"{program.parent}:{os.environ['PATH']}"})
    said = subprocess.run(
        [shell, "-c", ASKED[shell]], env=home, capture_output=True, text=True, timeout=PATIENCE
    )
    assert (re.findall("[a-z]+", said.stdout.replace("*", "")), said.stderr) == (["json"], ""), said


# a terminal


@dataclass
class Terminal:
    """What a command on a terminal has said, and the process."""

    process: subprocess.Popen[bytes]
    screen: int
    said: bytes = b""

    def until(self, *words: bytes) -> None:
        """Wait until all of these were said."""
        while not all(word in self.said for word in words):
            ready, _, _ = select.select([self.screen], [], [], PATIENCE)
            assert ready, self.said
            self.said += os.read(self.screen, 65536)

    def finished(self) -> bytes:
        """Wait for the end, and give all that was said."""
        try:
            while data := os.read(self.screen, 65536):
                self.said += data
        except OSError:  # how the end of a terminal looks
            pass
        self.process.wait(PATIENCE)
        return self.said


@contextmanager
def on_a_terminal(bridge: Bridge, *args: str, **env: str) -> Iterator[Terminal]:
    """A command whose standard input, output and error are a terminal."""
    ours, theirs = pty.openpty()
    environment = bridge.environment({"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40", **env})
    with subprocess.Popen(
        [*COMMAND, *args], cwd=bridge.directory, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        try:
            yield Terminal(process, ours)
        finally:
            process.kill()
            os.close(ours)


NOBODY = {
    "BRIDGE_LEADBYTE__URL": "http://127.0.0.1:9",
    "BRIDGE_LEADBYTE__KEY": "nobody-1",
    "BRIDGE_LEADSQUARED__URL": "http://127.0.0.1:9",
    "BRIDGE_LEADSQUARED__ACCESS_KEY": "nobody-2",
    "BRIDGE_LEADSQUARED__SECRET_KEY": "nobody-3",
}
"""Nobody listens there, and with nothing tracked nobody is called."""


@pytest.mark.parametrize(
    ("env", "coloured", "escaped"),
    [({}, True, True), ({"NO_COLOR": "1"}, False, False), ({"TERM": "dumb"}, False, False)],
)
def test_the_log_is_coloured_where_that_is_wanted(
    bridge: Bridge, env: dict[str, str], coloured: bool, escaped: bool
) -> None:
    with on_a_terminal(bridge, "run", "--drain", **NOBODY, **env) as terminal:
        said = terminal.finished()
    assert terminal.process.returncode == 0, said
    plain = COLOURS.sub(b"", said)
    assert b"started" in plain
    (run,) = set(re.findall(rb"run=([0-9a-f]{8})", plain))
    assert len(run) == 8
    assert bool(COLOURS.search(said)) == coloured, said
    assert (b"\x1b" in said) == escaped, said


def test_a_table_has_no_colours_then(bridge: Bridge) -> None:
    reply = {"records": [{"queueId": "x", "status": "Approved", "lead": {"email": "a@b.co"}}]}
    (bridge.directory / "reply.json").write_text(json.dumps(reply))
    with on_a_terminal(bridge, "map", "leadbyte-to-leadsquared", "reply.json", NO_COLOR="1") as terminal:
        said = terminal.finished()
    assert terminal.process.returncode == 0, said
    codes = {code for found in COLOURS.findall(said) for code in re.findall(rb"\d+", found)}
    assert not {code for code in codes if int(code) >= 30}, said


# status --watch


def test_a_watched_status_is_painted_until_ctrl_c(bridge: Bridge) -> None:
    with on_a_terminal(bridge, "status", "--watch") as terminal:
        terminal.until(b"Ctrl-C ends", b"service: not running", b"tracked")
        terminal.process.send_signal(signal.SIGINT)
        said = terminal.finished()
    assert terminal.process.returncode == 0, said
    assert b"Traceback" not in said
    assert said.count(b"\x1b[?25l") == said.count(b"\x1b[?25h") == 1, "the cursor comes back"


def test_a_watched_status_as_json_is_an_object_on_each_line(bridge: Bridge) -> None:
    with bridge.start("status", "--watch", "--json") as running:
        assert running.process.stdout
        line = running.process.stdout.readline()
        said = running.stopped(signal.SIGINT)
    assert (said.code, said.stdout, said.stderr) == (0, "", "")
    whole = bridge("status", "--json").json
    found = json.loads(line)
    assert found.keys() == whole.keys()
    assert line == json.dumps(found, separators=(",", ":")) + "\n"


def test_a_watched_status_without_a_terminal_is_printed_again(bridge: Bridge) -> None:
    with bridge.start("status", "--watch") as running:
        assert running.process.stdout
        head, *rest = (running.process.stdout.readline() for _ in range(3))
        said = running.stopped(signal.SIGTERM)
    assert re.fullmatch(r"--- \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n", head)
    assert rest == [f"service: not running for {bridge.state}\n", "leads\n"]
    assert (said.code, said.stderr) == (0, "")


# JSON


def test_a_drain_can_end_in_counts_as_json(bridge: Bridge) -> None:
    said = bridge("run", "--drain", "--json", env=NOBODY)
    assert said.code == 0, said
    assert (said.json["tracked"], said.json["leads"]["synced"]) == (0, 0)
