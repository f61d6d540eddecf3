"""The stage that has the report written where failures jump: a real store, real files, a clock as a value."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.app import App
from bridge.app.serving import report_in_background
from bridge.model import ItemState, PollRecord, Track
from bridge.pipeline.desk import Desk
from bridge.pipeline.notifying import LOOK_SECONDS
from bridge.pipeline.remembered import WRITTEN, remembered, text_of
from bridge.pipeline.reporting import ReportStage
from bridge.policy.conditions import Counts
from bridge.policy.rising import PAUSE_SECONDS, Written
from bridge.settings import Settings
from bridge.store import SqliteStore, open_store

START = 1_700_000_000.0


@dataclass
class Bridge:
    """How many leads are on the report, and the time; reports are written by the app itself."""

    store: SqliteStore
    state: Path
    now: float = START
    counts: Counts | None = None

    def __post_init__(self) -> None:
        self.app = App(Settings(state_dir=self.state), clock=self.clock, steady=self.clock)
        self.restart()

    def restart(self) -> None:
        """Another process on the same store."""
        told = (self.look, partial(report_in_background, self.app), 2, self.clock, self.clock)
        self.stage = ReportStage(self.store, Desk(), *told)

    def clock(self) -> float:
        return self.now

    async def look(self) -> Counts | None:
        return self.counts

    def expire(self, *queue_ids: str) -> None:
        """So many more leads are on the report."""
        self.store.track(map(Track, queue_ids), self.now, self.now)
        late = [
            PollRecord(item.id, ItemState.EXPIRED, self.now, "late")
            for item in self.store.claim_waiting(self.now, 9)
        ]
        self.store.record_polls(late, self.now)
        self.counts = Counts(self.store.status().leads["expired"], 0)

    def look_only(self, times: int) -> None:
        """Nobody looks for the report."""
        for _ in range(times):
            self.now += LOOK_SECONDS
            assert asyncio.run(self.stage._step()) is False

    def written(self, after: float = LOOK_SECONDS) -> int | None:
        """How many leads are on a report that is written at the next look; None where none is."""
        latest = self.state / "reports" / "latest.json"
        latest.unlink(missing_ok=True)
        self.now += after - LOOK_SECONDS
        self.look_only(1)
        return len(json.loads(latest.read_text())["leads"]) if latest.exists() else None


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[Bridge]:
    with closing(open_store(tmp_path)) as store:
        yield Bridge(store, tmp_path)


def test_the_report_is_written_once_failures_jumped(bridge: Bridge) -> None:
    bridge.expire("a")
    assert bridge.written() is None
    bridge.expire("b")
    assert bridge.written() == 2
    assert remembered(Written, bridge.store.checkpoint(WRITTEN)) == Written(2, bridge.now)
    bridge.expire("c", "d")
    assert bridge.written() is None, "five minutes have not passed"
    assert bridge.written(after=PAUSE_SECONDS) == 4
    assert bridge.written(after=PAUSE_SECONDS) is None


def test_another_process_compares_with_the_report_of_the_one_before(bridge: Bridge) -> None:
    bridge.expire("a", "b")
    assert bridge.written() == 2
    bridge.restart()
    assert bridge.written(after=PAUSE_SECONDS) is None
    bridge.expire("c", "d")
    bridge.restart()
    assert bridge.written() == 4


def test_a_report_of_the_night_counts_too(bridge: Bridge) -> None:
    bridge.expire("a", "b")
    bridge.app.write_reports()
    assert bridge.written(after=PAUSE_SECONDS) is None


def test_it_looks_every_thirty_seconds_and_nothing_is_written_where_nobody_can_count(bridge: Bridge) -> None:
    assert bridge.written() is None
    bridge.expire("a", "b")
    assert bridge.written(after=LOOK_SECONDS - 1) is None
    assert bridge.written(after=1) == 2


def test_a_directory_that_cannot_be_written_is_tried_again_after_a_pause(bridge: Bridge) -> None:
    (bridge.state / "reports").write_text("no directory")
    bridge.expire("a", "b")
    with capture_logs() as logged:
        bridge.look_only(times=10)
    assert [line["event"] for line in logged] == ["failures jumped", "report not written"]
    (bridge.state / "reports").unlink()
    assert bridge.written() == 2


def test_what_is_kept_is_read_back_and_what_is_none_of_ours_is_as_before_any() -> None:
    assert remembered(Written, text_of(Written(3, START))) == Written(3, START)
    for text in (None, "[]", "{", '{"when": 1}'):
        assert remembered(Written, text) == Written()


@pytest.mark.parametrize(
    "wrong", ['"failures": null', '"failures": "3"', '"failures": 2.5', '"at": null', '"at": NaN']
)
def test_what_is_kept_with_wrong_types_is_as_before_any(bridge: Bridge, wrong: str) -> None:
    text = f'{{"failures": 2, "at": 1.0, {wrong}}}'
    assert remembered(Written, text) == Written()
    bridge.store.set_checkpoint(WRITTEN, text, START)
    bridge.expire("a", "b")
    assert bridge.written() == 2


def test_whatever_goes_wrong_at_a_look_is_a_line_in_the_log(bridge: Bridge) -> None:
    async def broken() -> None:
        raise RuntimeError("Ann")

    bridge.stage._report, usual = broken, bridge.stage._report
    bridge.expire("a", "b")
    with capture_logs() as logged:
        assert bridge.written() is None
    assert logged[1:] == [
        {"event": "look failed", "log_level": "warning", "stage": "report", "error": "RuntimeError"}
    ]
    bridge.stage._report = usual
    assert bridge.written(after=PAUSE_SECONDS) == 2
