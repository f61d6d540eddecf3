"""The machine fails: no room on the disk, files damaged, gone or locked, signals, outputs that nobody reads."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from bridge.errors import DiskFull
from bridge.model import Track
from bridge.pipeline.desk import LAST_SECONDS
from bridge.scheduler import GRACE_SECONDS
from bridge.store import open_store
from tests.crash.cast import Cast
from tests.crash.conftest import Child, Ward
from tests.crash.invariants import whole_reports
from tests.system.conftest import COMMAND, PATIENCE, Result, Simulator, checked, until

Holds = Callable[[], None]
WAITING = "waiting for room on the disk"
WAY_OUT = ("backup", "bridge enqueue")


def refused(said: Result, *words: str) -> bool:
    """One error line with these words, and exit code 1."""
    return said.code == 1 and len(said.errors) == 1 and all(word in said.errors[0] for word in words)


# no room on the disk


def room_is_made(child: Child) -> None:
    """The files of that process may grow again."""
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(child.pid, resource.RLIMIT_FSIZE, unlimited)


FULL = [
    ("store.track before", 1),
    ("store.claim_waiting before", 1),
    ("store.record_polls before", 1),
    ("store.record_mapped before", 1),
    ("store.claim_batch before", 3),
    ("sink.push before", 1),
    ("sink.push after", 3),
    ("store.claim_submitted before", 1),
    ("sink.confirm after", 1),
]


@pytest.mark.parametrize(("at", "nth"), FULL)
def test_a_service_waits_for_room_on_the_disk_and_keeps_what_was_answered(
    ward: Ward, simulator: Simulator, cast: Cast, holds: Holds, at: str, nth: int
) -> None:
    ward.track(*cast.newcomers(4))
    cast.drop(cast.newcomers(2))
    service = ward.begin("run", at=at, nth=nth, how="full")
    service.says(WAITING)
    assert service.log.read().count(WAITING) == 1
    assert str(ward.database) in service.log.read()
    room_is_made(service)
    until(lambda: ward.counts() == {"synced": 6}, "all are done")
    service.signal(signal.SIGTERM)
    assert service.ended().code == 0
    assert len(simulator.world.writes) == 12, "no call was made twice"
    holds()


@pytest.mark.parametrize("command", ["enqueue q1", "resync", "run --drain", "resolve q1 --as done"])
def test_a_command_on_a_full_disk_fails_at_once(ward: Ward, cast: Cast, command: str) -> None:
    ward.track(*cast.newcomers(3))
    assert refused(ward.does(*command.split(), full=True), str(ward.state), "make room")
    assert ward.counts() == {"waiting": 3}


def test_a_database_that_may_not_grow_changes_nothing_until_it_may(tmp_path: Path) -> None:
    with closing(open_store(tmp_path)) as store:
        connection = store._database.conn
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        many = [Track(f"q{number}", {"note": "x" * 500}) for number in range(500)]
        with pytest.raises(DiskFull, match="database or disk is full"):
            store.track(many, 1.0, 2.0)
        assert store.status().leads["waiting"] == 0
        connection.execute("PRAGMA max_page_count = 100000")
        assert store.track(many, 1.0, 2.0) == 500


@contextmanager
def small_disk(at: Path) -> Iterator[None]:
    """A file system of some megabytes. Skips the test where none may be mounted."""
    at.mkdir(mode=0o700)
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=16m,mode=700", "none", at], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a file system cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", at], check=True)


def test_a_disk_that_is_really_full(ward: Ward, simulator: Simulator, cast: Cast, holds: Holds) -> None:
    with small_disk(ward.state):
        ward.track(*cast.newcomers(6))
        service = ward.begin("run")
        until(lambda: ward.counts() == {"synced": 6}, "all are done")
        filler = ward.state / "filler"
        with filler.open("wb", buffering=0) as out, suppress(OSError):
            while out.write(b"x" * 4096):
                pass
        queue_ids = cast.newcomers(6)
        said = ward.does("enqueue", *queue_ids)
        if said.code:
            assert refused(said, "make room")
        filler.unlink()
        ward.does("enqueue", *queue_ids)
        until(lambda: ward.counts() == {"synced": 12}, "all are done")
        service.signal(signal.SIGTERM)
        assert service.ended().code == 0
        assert len(simulator.world.writes) == 24
        holds()


# files that may not be written, are damaged or gone


def powerless(bridge: Ward, *args: str) -> Result:
    """A command that may write only where its user may: root gives that up."""
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("root may write anywhere")
    lesser = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    ended = subprocess.run(
        [*lesser, *COMMAND, *args],
        cwd=bridge.directory,
        env=bridge.environment({}),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )
    return checked(Result(ended.returncode, ended.stdout, ended.stderr))


@pytest.mark.parametrize("command", ["enqueue q1", "run --drain"])
def test_a_state_directory_that_is_read_only(ward: Ward, cast: Cast, command: str) -> None:
    ward.track(*cast.newcomers(2))
    before = files(ward.state)
    ward.state.chmod(0o500)
    for path in ward.state.iterdir():
        path.chmod(0o400)
    try:
        assert refused(powerless(ward, *command.split()), str(ward.state), "writable")
        assert files(ward.state) == before
    finally:
        ward.state.chmod(0o700)
        for path in ward.state.iterdir():
            path.chmod(0o600)


def files(state: Path) -> dict[str, bytes]:
    """The database's files and what they hold."""
    paths = (state / f"bridge.db{ending}" for ending in ("", "-wal"))
    return {path.name: path.read_bytes() for path in paths if path.exists()}


def truncated(state: Path) -> None:
    os.truncate(state / "bridge.db", 3 * 4096)


def headless(state: Path) -> None:
    with (state / "bridge.db").open("rb+") as database:
        database.write(bytes(4096))


def text(state: Path) -> None:
    (state / "bridge.db").write_text("dear diary, " * 2000)


def emptied(state: Path) -> None:
    (state / "bridge.db").write_bytes(b"")


def vanished(state: Path) -> None:
    (state / "bridge.db").unlink()


def garbled_log(state: Path) -> None:
    with (state / "bridge.db-wal").open("rb+") as log:
        log.write(b"\xa5" * 4096)


DAMAGES = [
    (truncated, False),
    (headless, False),
    (text, False),
    (emptied, True),
    (vanished, True),
    (garbled_log, True),
]


@pytest.mark.parametrize("command", ["run --drain", "resync"])
def test_a_damaged_page_in_the_middle_is_found_before_anything_is_done(
    ward: Ward, simulator: Simulator, cast: Cast, command: str
) -> None:
    ward.track(*cast.newcomers(300))
    size = ward.database.stat().st_size
    with ward.database.open("rb+") as database:
        database.seek(size // 4096 // 2 * 4096)
        database.write(b"\xa5" * 4096)
    before = files(ward.state)
    assert refused(ward.does(*command.split()), str(ward.database), "damaged", *WAY_OUT)
    assert files(ward.state) == before
    assert simulator.world.called("leadbyte") == 0


def test_a_service_told_to_stop_on_a_full_disk_stops_and_says_so(
    ward: Ward, simulator: Simulator, cast: Cast, holds: Holds
) -> None:
    ward.track(*cast.newcomers(6))
    service = ward.begin("run", at="sink.push after", nth=2, how="full")
    service.says(WAITING)
    service.signal(signal.SIGTERM)
    assert refused(service.ended(), str(ward.database), "make room")
    ward.drained()
    ward.mend(cast)
    holds()


@pytest.mark.parametrize("command", ["enqueue q1", "run --drain"])
@pytest.mark.parametrize(("damage", "with_log"), DAMAGES)
def test_a_damaged_database_is_refused_and_left_as_it_is(
    ward: Ward, simulator: Simulator, cast: Cast, damage: Callable[[Path], None], with_log: bool, command: str
) -> None:
    made = ward.directory / "made"
    with closing(open_store(made)) as store:
        store.track((Track(queue_id) for queue_id in cast.newcomers(200)), 1.0, 2e9)
        if with_log:
            shutil.copytree(made, ward.state)
    if not with_log:
        shutil.copytree(made, ward.state)
    assert (ward.state / "bridge.db-wal").exists() == with_log
    damage(ward.state)
    before = files(ward.state)
    assert refused(ward.does(*command.split()), str(ward.database), *WAY_OUT)
    assert files(ward.state) == before
    assert simulator.world.called("leadbyte") == 0


def test_a_state_directory_that_is_deleted_while_it_runs(ward: Ward, cast: Cast) -> None:
    ward.track(*cast.newcomers(2))
    service = ward.begin("run")
    until(lambda: ward.counts() == {"synced": 2}, "all are done")
    shutil.rmtree(ward.state)
    assert refused(service.ended(), str(ward.database), "was deleted or replaced", *WAY_OUT)
    assert not ward.database.exists(), "none is made in its place"


def test_a_database_that_is_put_in_place_of_another_while_it_runs(ward: Ward, cast: Cast) -> None:
    ward.track(*cast.newcomers(2))
    service = ward.begin("run")
    until(lambda: ward.counts() == {"synced": 2}, "all are done")
    with (
        closing(sqlite3.connect(ward.database)) as old,
        closing(sqlite3.connect(ward.state / "new.db")) as new,
    ):
        old.backup(new)
    (ward.state / "new.db").replace(ward.database)
    before = ward.database.read_bytes()
    assert refused(service.ended(), str(ward.database), "was deleted or replaced")
    assert ward.database.read_bytes() == before


# others at the same files


def test_a_database_that_stays_locked_ends_the_service_naming_the_file(
    ward: Ward, simulator: Simulator, cast: Cast, holds: Holds
) -> None:
    queue_ids = cast.newcomers(3)
    replies = {one: simulator.world.queue.pop(one) for one in queue_ids}
    simulator.world.profile = type(simulator.world.profile)(unknown_id="queued")
    ward.track(*queue_ids)
    service = ward.begin("run", patience=0.2)
    until(lambda: simulator.world.called("leadbyte") > 3, "it polls")
    with closing(sqlite3.connect(ward.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        said = service.ended()
        other.execute("ROLLBACK")
    assert said.code == 75
    assert len(said.errors) == 1
    assert f"{ward.database}: another program keeps the database locked" in said.errors[0]
    simulator.world.queue.update(replies)
    ward.drained()
    holds()


def test_a_second_service_is_refused_while_the_first_goes_on(ward: Ward, cast: Cast, holds: Holds) -> None:
    ward.track(*cast.newcomers(3))
    service = ward.begin("run")
    service.says("started")
    second = ward.does("run")
    assert second.code == 75
    assert f"(pid {service.pid})" in second.errors[0]
    until(lambda: ward.counts() == {"synced": 3}, "all are done")
    service.signal(signal.SIGINT)
    assert service.ended().code == 0
    holds()


# signals


def under_load(ward: Ward, simulator: Simulator, cast: Cast, **rig: float) -> Child:
    """A service with calls in flight that LeadSquared carried out and does not answer."""
    world = simulator.world
    world.tasks.options.delay = 0.0
    ward.track(*cast.newcomers(20))
    patient = {"BRIDGE_HTTP__TIMEOUT_SECONDS": "60"}
    world.answer_delay.update(leadsquared=60.0, leadsquared_async=60.0)
    service = ward.begin("run", env=patient, **rig)
    until(lambda: world.called("leadsquared") and world.called("leadsquared_async"), "calls are in flight")
    return service


def finish(ward: Ward, simulator: Simulator, cast: Cast) -> None:
    simulator.world.answer_delay.clear()
    ward.drained()
    ward.mend(cast)


def test_a_service_whose_calls_hang_ends_by_its_own_grace(
    ward: Ward, simulator: Simulator, cast: Cast, holds: Holds
) -> None:
    assert GRACE_SECONDS + 2 * LAST_SECONDS <= 10
    service = under_load(ward, simulator, cast)
    service.signal(signal.SIGTERM)
    said = service.ended()
    assert said.code == 0
    for event in ("calls cut off", "stopped"):
        assert f'"event": "{event}"' in said.stderr
    finish(ward, simulator, cast)
    holds()


@pytest.mark.parametrize("more", [(signal.SIGTERM,), (signal.SIGINT, signal.SIGTERM, signal.SIGINT)])
def test_told_to_stop_again_it_stops_as_before(
    ward: Ward, simulator: Simulator, cast: Cast, holds: Holds, more: tuple[int, ...]
) -> None:
    service = under_load(ward, simulator, cast, grace=0.5)
    for number in (signal.SIGTERM, *more):
        service.signal(number)
    said = service.ended()
    assert said.code == 0
    assert '"event": "stopped"' in said.stderr
    finish(ward, simulator, cast)
    holds()


def test_a_hangup_loses_nothing(ward: Ward, simulator: Simulator, cast: Cast, holds: Holds) -> None:
    service = under_load(ward, simulator, cast, grace=0.5)
    service.signal(signal.SIGHUP)
    assert service.ended().code == 0
    finish(ward, simulator, cast)
    holds()


# reports and outputs


def without(reports: Path) -> None:
    shutil.rmtree(reports, ignore_errors=True)


def file_instead(reports: Path) -> None:
    without(reports)
    reports.write_text("no directory")


@pytest.mark.parametrize("spoil", [without, file_instead])
def test_reports_that_cannot_be_written_do_not_stop_the_service(
    ward: Ward, cast: Cast, spoil: Callable[[Path], None]
) -> None:
    ward.track(*cast.newcomers(2))
    service = ward.begin("run")
    until(lambda: ward.counts() == {"synced": 2}, "all are done")
    spoil(ward.state / "reports")
    service.signal(signal.SIGTERM)
    said = service.ended()
    assert said.code == 0
    warned = [json.loads(line) for line in said.stderr.splitlines() if "report not written" in line]
    assert len(warned) == (spoil is file_instead)
    assert (ward.state / "reports").is_dir() == (spoil is without)


def test_a_report_that_finds_no_room_leaves_the_earlier_one(ward: Ward, cast: Cast) -> None:
    ward.track(*cast.newcomers(3, known=False))
    ward.drained()
    before = whole_reports(ward.state / "reports")
    said = ward.does("run", "--drain", at="store.failures before", how="full")
    assert said.code == 0
    assert "report not written" in said.stderr
    assert whole_reports(ward.state / "reports") == before
    assert list((ward.state / "reports").glob(".*")) == []


@pytest.mark.parametrize("output", ["closed", "unread", "/dev/full"])
def test_a_log_that_nobody_can_read_does_not_stop_the_service(
    ward: Ward, cast: Cast, holds: Holds, output: str
) -> None:
    ward.track(*cast.newcomers(3))
    if output == "/dev/full" and not Path(output).exists():
        pytest.skip("this system has no /dev/full")
    read, write = os.pipe()
    if output == "/dev/full":
        os.dup2(os.open(output, os.O_WRONLY), write)
    os.close(read)
    ended = subprocess.run(
        [sys.executable, "-c", CLOSED] if output == "closed" else [*COMMAND, "run", "--drain"],
        cwd=ward.directory,
        env=ward.environment({}),
        stdin=subprocess.DEVNULL,
        stdout=write,
        stderr=write,
        timeout=PATIENCE,
        check=False,
    )
    os.close(write)
    assert ward.counts() == {"synced": 3}
    assert ended.returncode == 0
    holds()


CLOSED = f"""
import os, sys
os.close(1), os.close(2)
os.execv(sys.executable, [sys.executable, "-c", {COMMAND[2]!r}, "run", "--drain"])
"""
