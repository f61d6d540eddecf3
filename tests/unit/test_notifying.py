"""The stage that tells people: a real store, a real receiver on loopback, a clock as a value."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bridge import http
from bridge.app.measuring import Counting, Watch
from bridge.app.posting import Webhook
from bridge.app.seeing import Seen, counts
from bridge.errors import Denied, Unreachable
from bridge.pipeline.desk import Desk
from bridge.pipeline.gate import Gate
from bridge.pipeline.notifying import LOOK_SECONDS, NotifyStage, Outlook
from bridge.pipeline.remembered import TOLD, remembered
from bridge.policy.alerting import CALM, HOUR, Memory
from bridge.policy.conditions import Counts
from bridge.policy.health import SOME
from bridge.policy.window import Limit
from bridge.ports import Status
from bridge.store import SqliteStore, open_store
from bridge.telemetry import Redactor
from tests.receiver import HANG, Receiver, receiving

START = 1_700_000_000.0
FAILING = "{} leads are on the failure report (told from 25 on). `bridge report` says why; mend that, then `bridge resync`."
FINE = "Over: {} leads are on the failure report now, fewer than 25."


@dataclass
class Bridge:
    """How a bridge is, and the time; `told` runs the stage of one process after another against it."""

    store: SqliteStore
    receiver: Receiver
    url: str
    now: float = START
    patience: float = 20.0
    counts: Counts | None = field(default_factory=lambda: Counts(0, 0))
    end: Counts | None = None
    stage: NotifyStage | None = None

    def __post_init__(self) -> None:
        self.gate = Gate("leadsquared", Limit(25, 5.0), self.clock, random.Random(1))  # noqa: S311 - no secret

    def clock(self) -> float:
        return self.now

    async def look(self) -> Counts | None:
        return self.counts

    async def anew(self) -> Counts | None:
        return self.end or self.counts

    def restart(self) -> None:
        """Another process on the same store."""
        self.stage = None
        self.gate = Gate("leadsquared", Limit(25, 5.0), self.clock, random.Random(1))  # noqa: S311 - no secret

    def told(self, failures: int | None = None, after: float = LOOK_SECONDS) -> list[str]:
        """What the receiver hears at the next look."""
        self.now += after
        if failures is not None:
            self.counts = Counts(failures, 0)
        asyncio.run(self._looked())
        return self.receiver.take()

    def ended(self, counts: Counts, *, dry: bool = True) -> list[str]:
        """What the receiver hears at the end of a process."""
        self.end = counts
        asyncio.run(self._left(dry=dry))
        return self.receiver.take()

    async def _left(self, *, dry: bool) -> None:
        async with self._client() as client:
            await self.made(client).last(dry)

    def over(self, failures: int | None = None) -> list[str]:
        """What the receiver hears once it has been over for long enough."""
        assert self.told(failures) == []
        return self.told(after=CALM)

    async def _looked(self) -> None:
        async with self._client() as client:
            stage = self.made(client)
            assert await stage._step() is False

    def _client(self) -> http.Client:
        return http.open_client(timeout=self.patience, connections=1)

    def made(self, client: http.Client) -> NotifyStage:
        """The stage, which keeps what it knows as long as the process lives."""
        post = Webhook(client, self.url, Redactor([self.url, "a-key-of-ours"]))
        outlook = Outlook(self.look, self.anew, [self.gate], 25, 300.0, self.clock, self.clock)
        if self.stage is None:
            told = (outlook, post, "Bridge acme on host:", self.clock, self.clock)
            self.stage = NotifyStage(self.store, Desk(), *told)
        self.stage._post = post
        return self.stage

    async def cut_off(self) -> None:
        """The stage is stopped while its message is under way."""
        async with self._client() as client:
            stage = self.made(client)
            stage.crew.tick()
            assert await asyncio.to_thread(self.receiver.reached.wait, 20)
            await stage.stop(8.0)
            assert stage.crew.idle
            assert stage.crew.trouble is None


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def bridge(tmp_path: Path, receiver: Receiver) -> Iterator[Bridge]:
    with closing(open_store(tmp_path)) as store:
        yield Bridge(store, receiver, receiver.url)


def test_failures_past_the_threshold_are_told_once_and_so_is_their_end(bridge: Bridge) -> None:
    assert bridge.told(24) == []
    assert bridge.told(25) == [FAILING.format(25)]
    assert bridge.told(30) == []
    assert bridge.over(3) == [FINE.format(3)]
    assert bridge.told() == []


def test_leads_that_fail_again_after_a_resync_were_not_over(bridge: Bridge) -> None:
    assert bridge.told(30) == [FAILING.format(30)]
    assert bridge.told(0) == []
    assert bridge.told(30) == []
    assert bridge.told(after=HOUR) == []
    assert bridge.over(0) == [FINE.format(0)]


def test_it_looks_every_thirty_seconds(bridge: Bridge) -> None:
    bridge.told(0)
    assert bridge.told(25, after=LOOK_SECONDS - 1) == []
    assert bridge.told(25, after=1) == [FAILING.format(25)]


def test_a_message_says_which_bridge_it_is_to_the_whole_address(bridge: Bridge, receiver: Receiver) -> None:
    bridge.counts, bridge.now = Counts(99, 0), bridge.now + 30
    asyncio.run(bridge._looked())
    assert receiver.heard == ["Bridge acme on host:\n" + FAILING.format(99)]
    assert receiver.url.endswith(receiver.paths[0])


def test_another_process_tells_nothing_twice(bridge: Bridge) -> None:
    assert bridge.told(25) == [FAILING.format(25)]
    bridge.restart()
    assert bridge.told(25) == []
    bridge.restart()
    assert bridge.told(0) == []
    bridge.restart()
    assert bridge.told(after=CALM) == [FINE.format(0)], "it is known since when"
    bridge.restart()
    assert bridge.told(25) == [], "an hour has not passed"
    bridge.restart()
    assert bridge.told(25, after=HOUR) == [FAILING.format(25)]


def test_a_side_that_stays_down_is_told_and_once_it_answers_that_it_is_over(bridge: Bridge) -> None:
    for _ in range(SOME):
        bridge.gate._calls += 1
        bridge.gate.failed(Unreachable("cannot reach https://x: Ann & Bob"))
    assert bridge.told() == []
    bridge.gate.failed(Denied("LeadSquared denied the key <1>: Ann"))
    (text,) = bridge.told(after=300)
    assert text.startswith(
        "leadsquared refuses its key or a permission since 2023-11-14 22:13 UTC: LeadSquared denied the key &lt;1&gt;."
    )
    assert "Ann" not in text
    bridge.restart()
    assert bridge.told() == [], "nobody has asked it yet"
    bridge.gate._calls += 1
    bridge.gate.answered()
    assert bridge.over() == ["Over: leadsquared takes its key again."]


def test_a_side_that_answers_once_and_goes_down_again_was_not_over(bridge: Bridge) -> None:
    down = (Unreachable("no"),) * SOME
    for error in down:
        bridge.gate._calls += 1
        bridge.gate.failed(error)
    assert len(bridge.told(after=300)) == 1
    bridge.gate._calls += 1
    bridge.gate.answered()
    assert bridge.told() == []
    for error in down:
        bridge.gate._calls += 1
        bridge.gate.failed(error)
    assert bridge.told(after=CALM - 1) == []
    bridge.gate._calls += 1
    bridge.gate.answered()
    assert bridge.told() == []
    assert bridge.told(after=CALM) == ["Over: leadsquared answers again."]


def test_a_side_that_is_down_and_denied_in_turn_is_not_up_all_the_while(bridge: Bridge) -> None:
    for error in (Unreachable("no"),) * SOME + (Denied("no"),):
        bridge.gate._calls += 1
        bridge.gate.failed(error)
    bridge.now += 299
    bridge.gate._calls += 1
    bridge.gate.failed(Unreachable("no"))
    assert len(bridge.told(after=1)) == 1


def test_what_stays_in_doubt_is_told(bridge: Bridge) -> None:
    bridge.counts = Counts(0, 2)
    assert bridge.told() == []
    bridge.counts = None
    assert bridge.told() == []
    bridge.counts = Counts(0, 2)
    (text,) = bridge.told()
    assert text.startswith("2 leads are in doubt")
    bridge.counts = Counts(0, 0)
    assert bridge.over() == ["Over: nothing is in doubt any more."]
    bridge.counts = Counts(0, 1)
    assert bridge.told(after=HOUR) == [], "it counts anew"


def test_all_that_is_due_is_one_message(bridge: Bridge, receiver: Receiver) -> None:
    bridge.counts = Counts(0, 1)
    bridge.told()
    bridge.counts = Counts(25, 1)
    (text,) = bridge.told(after=60)
    assert [line.split(" ")[0] for line in text.split("\n")] == ["1", "25"]


def test_a_store_that_cannot_be_counted_says_nothing(bridge: Bridge) -> None:
    bridge.told(25)
    bridge.counts = None
    assert bridge.told() == []
    assert bridge.over(0) == [FINE.format(0)]


@pytest.mark.parametrize("code", [400, 404, 429])
def test_a_message_that_was_refused_is_tried_again(bridge: Bridge, receiver: Receiver, code: int) -> None:
    receiver.answers = [code, code]
    with capture_logs() as logged:
        assert bridge.told(25) == [FAILING.format(25)]
        assert bridge.told() == []
        bridge.restart()
        assert bridge.told() == [FAILING.format(25)]
        assert bridge.told(after=119) == []
        assert bridge.told() == [FAILING.format(25)]
    warned = {
        "event": "notification",
        "log_level": "warning",
        "about": ["failures"],
        "arrival": "failed",
        "answer": f"HTTP {code}",
    }
    assert [line["log_level"] for line in logged] == ["warning", "warning", "info"]
    assert logged[0] == warned


@pytest.mark.parametrize("code", [HANG, 500, 503, 599])
def test_a_message_whose_answer_is_lost_counts_as_told(bridge: Bridge, receiver: Receiver, code: int) -> None:
    receiver.answers, bridge.patience = [code], 0.3 if code == HANG else 20.0
    assert bridge.told(25) == [FAILING.format(25)]
    bridge.patience = 20.0
    bridge.restart()
    assert bridge.told() == []
    assert bridge.told(after=HOUR) == ["Still so: " + FAILING.format(25)]
    assert bridge.told(after=HOUR) == []


def test_where_nobody_listens_the_log_says_so_without_the_address(bridge: Bridge) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    bridge.url = bridge.url.replace(bridge.url.split("/")[2], f"127.0.0.1:{port}")
    with capture_logs() as logged:
        assert bridge.told(25) == []
    (line,) = logged
    assert (line["arrival"], line["answer"]) == ("failed", "cannot reach the webhook: connection refused")
    assert "HOOKMARK7" not in repr(line)
    bridge.url = bridge.receiver.url
    assert bridge.told(after=60) == [FAILING.format(25)]


def test_stopping_waits_for_no_receiver_and_what_was_cut_off_is_not_told_twice_in_an_hour(
    bridge: Bridge, receiver: Receiver
) -> None:
    receiver.answers = [HANG]
    bridge.counts = Counts(25, 0)
    asyncio.run(bridge.cut_off())
    assert receiver.take() == [FAILING.format(25)]
    bridge.restart()
    assert bridge.told() == []
    assert bridge.told(after=HOUR) == ["Still so: " + FAILING.format(25)]


def test_what_came_about_since_the_newest_look_is_told_at_the_end(bridge: Bridge) -> None:
    assert bridge.told(0) == []
    assert bridge.ended(Counts(24, 0)) == []
    assert bridge.ended(Counts(25, 0), dry=False) == [FAILING.format(25)]
    assert bridge.ended(Counts(25, 0)) == []


@pytest.mark.parametrize("dry", [True, False])
def test_a_doubt_at_the_end_is_told_where_nobody_goes_on(bridge: Bridge, *, dry: bool) -> None:
    told = bridge.ended(Counts(0, 1), dry=dry)
    assert [text.partition(":")[0] for text in told] == ["1 lead is in doubt"] * dry


def test_the_end_waits_for_a_receiver_no_longer_than_for_a_message_and_raises_nothing(
    bridge: Bridge, receiver: Receiver
) -> None:
    receiver.answers, bridge.patience = [HANG], 0.1
    assert bridge.ended(Counts(25, 0)) == [FAILING.format(25)]
    bridge.store.close()
    with capture_logs() as logged:
        assert bridge.ended(Counts(0, 1)) == []
    assert [line["event"] for line in logged] == ["look failed"]


def test_killed_between_the_record_and_the_message(bridge: Bridge, receiver: Receiver) -> None:
    class Killed(BaseException):
        """As SIGKILL: nothing after it is done."""

    async def killed(_: str) -> Any:
        raise Killed

    async def main() -> None:
        async with bridge._client() as client:
            stage = bridge.made(client)
            stage._post = killed
            await stage._step()

    bridge.counts = Counts(25, 0)
    with pytest.raises(Killed):
        asyncio.run(main())
    bridge.restart()
    assert bridge.told() == []
    assert bridge.told(after=HOUR) == ["Still so: " + FAILING.format(25)]


def test_what_is_kept_is_read_back_and_what_is_none_of_ours_is_nothing(bridge: Bridge) -> None:
    bridge.told(25)
    kept = remembered(Memory, bridge.store.checkpoint(TOLD))
    assert (kept.told["failures"].at, kept.told["failures"].size) == (bridge.now, 25)
    for text in (None, "[]", "{", '{"told": {"failures": {"when": 1}}}', '{"told": []}', '{"more": 1}'):
        assert remembered(Memory, text) == Memory()


@pytest.mark.parametrize("one", [{"at": None}, {"at": "2026-11-30"}, {"at": True}, {"at": 1, "size": 2.5}])
@pytest.mark.parametrize("more", [{}, {"next_at": None}])
def test_a_memory_of_wrong_types_counts_as_nothing_told(
    bridge: Bridge, one: dict[str, Any], more: dict[str, Any]
) -> None:
    text = json.dumps({"told": {"failures": one, "in doubt": {"at": START}}, **more})
    assert remembered(Memory, text) == Memory()
    bridge.store.set_checkpoint(TOLD, text, START)
    assert bridge.told(25) == [FAILING.format(25)]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_a_moment_that_is_no_number_counts_as_nothing_told(number: str) -> None:
    for text in ('{"told": {"failures": {"at": %s}}}', '{"next_at": %s}'):
        assert remembered(Memory, text % number) == Memory()


def test_whatever_goes_wrong_at_a_look_is_a_line_in_the_log(bridge: Bridge) -> None:
    async def broken() -> Any:
        raise RuntimeError("Ann of https://hooks/HOOKMARK7")

    bridge.look, usual = broken, bridge.look  # type: ignore[method-assign]
    with capture_logs() as logged:
        assert bridge.told(25) == []
    assert logged == [
        {"event": "look failed", "log_level": "warning", "stage": "notify", "error": "RuntimeError"}
    ]
    bridge.stage._outlook.look = usual  # type: ignore[union-attr]
    assert bridge.told() == [FAILING.format(25)]


def test_an_address_that_no_client_takes_is_told_and_not_raised(bridge: Bridge) -> None:
    bridge.url = "https://[::1/HOOKMARK7"
    with capture_logs() as logged:
        assert bridge.told(25) == []
    assert [(line["event"], line["arrival"]) for line in logged] == [("notification", "failed")]
    assert "HOOKMARK7" not in repr(logged)


def test_a_message_that_cannot_be_posted_for_any_other_reason_is_told_and_not_raised(bridge: Bridge) -> None:
    bridge.url = None  # type: ignore[assignment]
    with capture_logs() as logged:
        assert bridge.told(25) == []
    assert (logged[0]["event"], logged[0]["arrival"]) == ("notification", "unsure")
    assert logged[0]["answer"].startswith("cannot post: ")


def test_no_secret_leaves_by_a_message(bridge: Bridge, receiver: Receiver) -> None:
    async def main() -> None:
        async with bridge._client() as client:
            await Webhook(client, bridge.url, Redactor(["a-key-of-ours"]))("it is a-key-of-ours <&>")

    asyncio.run(main())
    assert receiver.heard == ["it is *** &lt;&amp;&gt;"]


def test_what_is_on_the_report_is_counted_with_what_goes_to_leadbyte() -> None:
    leads = {"failed": 1, "unprocessed": 2, "expired": 4, "in_doubt": 8, "synced": 99}
    operations = {"failed": 16, "in_doubt": 32, "pending": 99}
    status = Status(leads, None, None, {}, [], {}, (), operations)
    assert counts(status) == Counts(23, 40)


def test_the_look_is_shared_with_whoever_else_asks() -> None:
    looks = []

    def look() -> Seen:
        looks.append(1)
        return Seen(Status({"failed": 7}, None, None, {}, [], {}), START, 0)

    async def main() -> None:
        counting = Counting(look, lambda: START)
        watch = Watch(counting)
        assert await watch.look() == await watch.look() == Counts(7, 0)
        assert await counting() is not None

    asyncio.run(main())
    assert looks == [1]


def test_the_end_counts_anew_however_new_the_last_count_is() -> None:
    failed, go = [7], threading.Event()

    def look() -> Seen:
        go.wait(20)
        return Seen(Status({"failed": failed[0]}, None, None, {}, [], {}), START, 0)

    async def main() -> None:
        watch = Watch(Counting(look, lambda: START, wait=0.01))
        assert await watch.look() is None
        assert await watch.anew() is None, "one that takes long is not waited for"
        go.set()
        watch.counting._wait = 20.0
        assert await watch.anew() == Counts(7, 0)
        failed[0] = 8
        assert await watch.look() == Counts(7, 0)
        assert await watch.anew() == Counts(8, 0)

    asyncio.run(main())
