"""The service killed at each step that it takes, and started again: nothing is lost, nothing is doubled."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from bridge.simulator import Limits
from tests.crash.cast import Cast
from tests.crash.conftest import KILLED, Ward
from tests.crash.invariants import whole_reports
from tests.system.conftest import Simulator, until

Holds = Callable[[], None]

WORKING = [
    ("store.recover commit", 1),
    ("store.track commit", 1),
    ("os.remove dropped.jsonl", 1),
    ("store.claim_waiting after", 1),
    ("source.poll after", 3),
    ("store.record_polls commit", 1),
    ("store.record_polls after", 1),
    ("store.record_mapped commit", 1),
    ("store.record_mapped after", 1),
    ("store.claim_batch commit", 2),
    ("sink.push before", 4),
    ("sink.push after", 1),
    ("sink.push after", 4),
    ("store.record commit", 1),
    ("store.record commit", 5),
    ("store.record after", 2),
    ("store.claim_submitted commit", 1),
    ("sink.confirm after", 2),
    ("store.recover after", 2),
    ("store.failures item", 1),
]


@pytest.mark.parametrize(("at", "nth"), WORKING)
def test_killed_at_work(ward: Ward, cast: Cast, holds: Holds, at: str, nth: int) -> None:
    ward.track(*cast.newcomers(6), *cast.newcomers(1, known=False))
    cast.drop(cast.newcomers(2))
    assert ward.does("run", "--drain", at=at, nth=nth).code == KILLED
    ward.track(cast.result(cast.people[0]))
    ward.drained()
    ward.mend(cast)
    holds()


HANGING = [
    ("leadbyte", "apiqueue", "hang"),
    ("leadsquared", "bulk_update", "hang_after"),
    ("leadsquared_async", "update", "hang_after"),
    ("leadsquared_async", "status", "hang"),
]


@pytest.mark.parametrize(("host", "endpoint", "kind"), HANGING)
def test_killed_while_a_call_that_was_carried_out_has_no_answer(
    ward: Ward, simulator: Simulator, cast: Cast, holds: Holds, host: str, endpoint: str, kind: str
) -> None:
    world = simulator.world
    world.fail_next(kind, 100, at=f"{host}.{endpoint}")
    ward.track(*cast.newcomers(6))
    service = ward.begin("run", env={"BRIDGE_HTTP__TIMEOUT_SECONDS": "60"})
    until(lambda: world.called(host, endpoint=endpoint), "a call is in flight")
    service.signal(signal.SIGKILL)
    assert service.ended().code == KILLED
    world.faults._orders.clear()
    ward.drained()
    ward.mend(cast)
    holds()


DOUBTFUL = [
    ("store.claim_in_doubt commit", "reset_after"),
    ("sink.read_back before", "reset_after"),
    ("sink.read_back after", "reset_after"),
    ("store.postpone commit", "reset_before"),
    ("store.postpone after", "reset_before"),
]


@pytest.mark.parametrize(("at", "kind"), DOUBTFUL)
def test_killed_while_a_doubt_is_settled(
    ward: Ward, simulator: Simulator, cast: Cast, holds: Holds, at: str, kind: str
) -> None:
    simulator.world.fail_next(kind, 2, at="leadsquared_async.update")
    ward.track(*cast.newcomers(4))
    assert ward.does("run", "--drain", at=at).code == KILLED
    ward.drained()
    assert len(ward.doubts()) == (2 if kind == "reset_before" else 0)
    ward.mend(cast)
    holds()


@pytest.mark.parametrize(
    "at",
    [
        "store.resync commit",
        "store.resync after",
        "store.reopened after",
        "store.record_remapped commit",
        "store.record_remapped after",
    ],
)
def test_killed_in_a_resync(ward: Ward, cast: Cast, holds: Holds, at: str) -> None:
    ward.track(*cast.newcomers(3, known=False))
    ward.drained()
    for person in cast.people:
        cast.meet(person)
    assert ward.does("resync", at=at).code == KILLED
    ward.drained()
    ward.mend(cast)
    holds()


@pytest.mark.parametrize("when", ["before", "commit", "after"])
def test_killed_while_a_learned_limit_is_kept(
    ward: Ward, simulator: Simulator, cast: Cast, holds: Holds, when: str
) -> None:
    simulator.world.limit("leadsquared", Limits(calls=0, seconds=0.2))
    simulator.world.fail_next("throttle", at="leadsquared.bulk_update")
    ward.track(*cast.newcomers(3))
    assert ward.does("run", "--drain", at=f"store.set_checkpoint {when}").code == KILLED
    ward.drained()
    ward.mend(cast)
    holds()


@pytest.mark.parametrize(
    ("at", "nth"),
    [
        ("store.release_waiting commit", 1),
        ("store.release_waiting after", 1),
        ("store.recover commit", 2),
        ("store.failures before", 1),
    ],
)
def test_killed_while_it_stops(
    ward: Ward, simulator: Simulator, cast: Cast, holds: Holds, at: str, nth: int
) -> None:
    world = simulator.world
    world.fail_next("hang", 100, at="leadbyte")
    ward.track(*cast.newcomers(8))
    few = {"BRIDGE_LEADBYTE__CONCURRENCY": "2", "BRIDGE_HTTP__TIMEOUT_SECONDS": "60"}
    service = ward.begin("run", env=few, at=at, nth=nth, grace=0.1)
    until(lambda: world.called("leadbyte") == 2, "both polls hang")
    service.signal(signal.SIGTERM)
    assert service.ended().code == KILLED
    world.faults._orders.clear()
    ward.drained()
    holds()


WRITING = [
    ("store.failures item", 35),
    ("store.failures item", 75),
    ("os.rename latest.json", 1),
    ("shutil.copyfile", 1),
    ("os.rename latest.html", 1),
    ("os.rename 2", 3),
]


@pytest.mark.parametrize(("at", "nth"), WRITING)
def test_killed_while_reports_are_written(ward: Ward, cast: Cast, at: str, nth: int) -> None:
    ward.track(*cast.newcomers(20, known=False))
    ward.drained()
    before = whole_reports(ward.state / "reports")
    assert len(before) == 6
    assert ward.does("run", "--drain", at=at, nth=nth).code == KILLED
    after = whole_reports(ward.state / "reports")
    assert after.keys() == before.keys()
    assert [len(after[name]) for name in after] == [len(before[name]) for name in after]
    ward.drained()
    assert [path.name for path in (ward.state / "reports").glob(".*")] == []


@pytest.mark.parametrize("at", ["store.track commit", "store.track after", "os.rename bad.jsonl"])
def test_killed_while_an_inbox_file_with_a_bad_line_is_set_aside(
    ward: Ward, cast: Cast, holds: Holds, at: str
) -> None:
    bad = [*cast.newcomers(2), ""]
    cast.drop(bad, "bad.jsonl")
    assert ward.does("run", "--drain", at=at).code == KILLED
    ward.drained()
    refused = {path.name for path in (ward.state / "inbox" / "refused").iterdir()}
    assert any(name.startswith("bad.jsonl") and not name.endswith(".refused") for name in refused)
    assert not (ward.state / "inbox" / "bad.jsonl").exists()
    holds()
