"""`GET /metrics` over real HTTP: what is on the page, what it costs, and who asks for it wrongly."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from structlog.testing import capture_logs

from bridge.app.measuring import Counting, counted
from bridge.app.seeing import Seen, seen
from bridge.errors import Busy, StoreError
from bridge.model import LEAD_STATES, Json, State
from bridge.policy.rating import Rate
from bridge.ports import Day, Status
from bridge.server import Calls, Counted, Measured, Readiness, create_app
from tests.contract.serving import client_of

COUNTED = Counted(
    at=1000.0,
    leads={"synced": 7, "failed": 2},
    feedback={"in_doubt": 1},
    oldest_waiting=0.0,
    oldest_pending=61.5,
    unknown_words=3,
    days_off=0,
    free=2**40,
    changes_up_to=990.0,
    queue={"pending": 4.0, "delay_seconds": 2.5, "at": 980.0},
)
MEASURED = Measured(
    version="1.2.3",
    ready=Readiness({"leadbyte": "up", "leadsquared": "denied", "leadsquared-async": "down"}),
    disk_full=False,
    windows={"leadbyte": Calls(2, 0, 1.0), "leadsquared": Calls(3, 25, 5.0)},
    counted=COUNTED,
)
Sample = tuple[str, str]
Use = Callable[[httpx.AsyncClient], Awaitable[None]]


def samples(text: str) -> dict[Sample, float]:
    """Every value by its name and label; each metric is there once."""
    families = list(text_string_to_metric_families(text))
    found = [
        ((one.name, "".join(one.labels.values())), one.value) for each in families for one in each.samples
    ]
    assert len(found) == len(dict(found))
    assert all(family.documentation for family in families)
    return dict(found)


async def nothing(*_: object) -> Any:
    """What else the application wants."""
    return {}


def served(use: Use, measure: Callable[[], Awaitable[Measured]] | None, **more: Any) -> None:
    async def run() -> None:
        app = create_app(intake=nothing, status=nothing, token=SecretStr("t0ken$"), measure=measure, **more)
        async with client_of(app, timeout=20) as client:
            await use(client)

    asyncio.run(run())


async def as_it_is() -> Measured:
    return MEASURED


def page(measured: Measured = MEASURED) -> str:
    found = []

    async def measure() -> Measured:
        return measured

    async def use(client: httpx.AsyncClient) -> None:
        answer = await client.get("/metrics")
        assert (answer.status_code, answer.headers["content-type"]) == (
            200,
            "text/plain; version=0.0.4; charset=utf-8",
        )
        found.append(answer.text)

    served(use, measure)
    return found[0]


WANTED = {
    ("bridge_build_info", "1.2.3"): 1,
    ("bridge_working", ""): 1,
    ("bridge_disk_full", ""): 0,
    ("bridge_store_readable", ""): 1,
    ("bridge_side_up", "leadbyte"): 1,
    ("bridge_side_up", "leadsquared"): 0,
    ("bridge_side_up", "leadsquared-async"): 0,
    ("bridge_side_denied", "leadbyte"): 0,
    ("bridge_side_denied", "leadsquared"): 1,
    ("bridge_side_denied", "leadsquared-async"): 0,
    ("bridge_window_calls", "leadbyte"): 2,
    ("bridge_window_calls", "leadsquared"): 3,
    ("bridge_window_limit", "leadsquared"): 25,
    ("bridge_window_seconds", "leadsquared"): 5,
    **{("bridge_leads", state): {"synced": 7, "failed": 2}.get(state, 0) for state in LEAD_STATES},
    **{("bridge_deliveries_to_leadbyte", state): int(state == "in_doubt") for state in map(str, State)},
    ("bridge_leads_of_unknown_status", ""): 3,
    ("bridge_account_mismatches", ""): 0,
    ("bridge_oldest_waiting_seconds", ""): 0,
    ("bridge_oldest_pending_seconds", ""): 61.5,
    ("bridge_changes_read_up_to_timestamp_seconds", ""): 990,
    ("bridge_counted_timestamp_seconds", ""): 1000,
    ("bridge_state_disk_free_bytes", ""): 2**40,
    ("bridge_async_queue_pending", ""): 4,
    ("bridge_async_queue_delay_seconds", ""): 2.5,
    ("bridge_async_queue_seen_timestamp_seconds", ""): 980,
}
OF_THE_STORE = [
    key
    for key in WANTED
    if list(WANTED).index(key) > list(WANTED).index(("bridge_window_seconds", "leadsquared"))
]


def of_the_bridge(text: str) -> dict[Sample, float]:
    return {key: value for key, value in samples(text).items() if key[0].startswith("bridge_")}


def test_the_page_holds_every_metric_with_every_state() -> None:
    text = page()
    assert of_the_bridge(text) == WANTED
    assert samples(text)[("process_resident_memory_bytes", "")] > 0


def test_what_is_not_known_is_left_out() -> None:
    less = page(replace(MEASURED, counted=replace(COUNTED, changes_up_to=None, queue={"pending": 1.0})))
    gone = {name for name, _ in WANTED} - {name for name, _ in of_the_bridge(less)}
    assert gone == {
        "bridge_changes_read_up_to_timestamp_seconds",
        "bridge_async_queue_delay_seconds",
        "bridge_async_queue_seen_timestamp_seconds",
    }


def test_without_the_store_the_rest_of_the_page_is_there() -> None:
    wanted = {key: value for key, value in WANTED.items() if key not in OF_THE_STORE}
    assert of_the_bridge(page(replace(MEASURED, counted=None))) == wanted | {("bridge_store_readable", ""): 0}


def test_a_label_is_never_what_somebody_else_said() -> None:
    odd = replace(COUNTED, leads={'evil"\n': 1}, feedback={"evil": 1}, queue={"evil": 1.0})
    assert "evil" not in page(replace(MEASURED, counted=odd))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed here")
@pytest.mark.parametrize("measured", [MEASURED, replace(MEASURED, counted=None)])
def test_promtool_finds_no_fault_with_the_page(measured: Measured) -> None:
    told = subprocess.run(
        ["promtool", "check", "metrics"], input=page(measured), capture_output=True, text=True, timeout=60
    )
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


def test_nothing_is_registered_for_the_whole_process() -> None:
    page()
    assert b"bridge_" not in prometheus_client.generate_latest()


# who asks wrongly


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        *((method, "/metrics", 405) for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "EVIL")),
        *(
            ("GET", path, 404)
            for path in ("/metrics/", "/METRICS", "/metrics/..", "/metrics%00", "//metrics", "/metrics/evil")
        ),
        ("HEAD", "/metrics", 200),
        ("GET", "/metrics?name[]=evil&format=json", 200),
    ],
)  # fmt: skip
def test_another_method_or_path_gets_a_short_answer(method: str, path: str, code: int) -> None:
    async def use(client: httpx.AsyncClient) -> None:
        answer = await client.send(httpx.Request(method, f"{client.base_url}".rstrip("/") + path))
        assert answer.status_code == code
        assert code == 200 or len(answer.content) < 100
        assert "evil" not in answer.text

    with capture_logs() as logs:
        served(use, as_it_is)
    assert logs == []


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text; version=1.0.0",
        "application/openmetrics-text; version=evil; escaping=evil",
        "text/plain; version=...",
        "text/plain;;;=",
        "application/json",
        ",".join(["text/plain;version=9"] * 500),
    ],
)
def test_whatever_format_is_asked_for_the_page_is_the_same(accept: str) -> None:
    async def use(client: httpx.AsyncClient) -> None:
        answer = await client.get("/metrics", headers={"Accept": accept, "Accept-Encoding": "gzip"})
        assert (answer.status_code, answer.headers["content-type"]) == (
            200,
            "text/plain; version=0.0.4; charset=utf-8",
        )
        assert "content-encoding" not in answer.headers
        assert of_the_bridge(answer.text) == WANTED

    served(use, as_it_is)


def test_no_web_page_reads_it_and_a_flood_of_scrapes_leaves_the_health_check_alone() -> None:
    async def use(client: httpx.AsyncClient) -> None:
        assert (await client.get("/metrics", headers={"Origin": "http://evil"})).status_code == 403
        codes = [(await client.get("/metrics")).status_code for _ in range(3)]
        assert codes == [200, 200, 429]
        assert (await client.get("/healthz")).status_code == 200

    served(use, as_it_is, requests=Rate(3, 0.001))


@pytest.mark.parametrize(
    ("error", "code"), [(StoreError("x"), 503), (TimeoutError(), 503), (KeyError("x"), 500)]
)
def test_a_page_that_cannot_be_made_shows_nothing_of_the_inside(error: Exception, code: int) -> None:
    async def measure() -> Measured:
        raise error

    async def use(client: httpx.AsyncClient) -> None:
        answer = await client.get("/metrics")
        assert (answer.status_code, list(answer.json())) == (code, ["error"])

    served(use, measure)


def test_without_something_to_measure_there_is_no_page() -> None:
    async def use(client: httpx.AsyncClient) -> None:
        assert (await client.get("/metrics")).status_code == 404

    served(use, None)


# what a scrape costs


class Reader:
    """Counts how often it is asked. While `held`, it does not answer; each answer takes `seconds` by its own clock."""

    def __init__(self) -> None:
        self.asked, self.now, self.seconds = 0, 100.0, 0.0
        self.begun, self.free = threading.Event(), threading.Event()
        self.free.set()
        self.error: Exception | None = None

    def steady(self) -> float:
        return self.now

    def __call__(self) -> Seen:
        self.asked += 1
        asked = self.asked
        self.begun.set()
        assert self.free.wait(20)
        self.now += self.seconds
        if self.error:
            raise self.error
        return Seen(status(), float(asked), 7)


def scraped(use: Callable[[httpx.AsyncClient, Reader], Awaitable[None]], wait: float = 20.0) -> None:
    reader = Reader()
    counting = Counting(reader, reader.steady, wait)

    async def measure() -> Measured:
        found = await counting()
        return replace(MEASURED, counted=found and counted(found))

    async def using(client: httpx.AsyncClient) -> None:
        try:
            await use(client, reader)
        finally:
            reader.free.set()

    served(using, measure)


async def count_on(client: httpx.AsyncClient) -> float | None:
    """Which count the page shows; None for none."""
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    return samples(answer.text).get(("bridge_counted_timestamp_seconds", ""))


def test_two_scrapes_at_once_cost_one_count() -> None:
    async def use(client: httpx.AsyncClient, reader: Reader) -> None:
        reader.free.clear()
        scrapes = [asyncio.create_task(count_on(client)) for _ in range(5)]
        assert await asyncio.to_thread(reader.begun.wait, 20)
        for _ in range(20):
            assert (await client.get("/healthz")).status_code == 200, "the event loop goes on meanwhile"
        assert not any(scrape.done() for scrape in scrapes)
        reader.free.set()
        assert await asyncio.gather(*scrapes) == [1.0] * 5
        assert reader.asked == 1

    scraped(use)


@pytest.mark.parametrize(
    ("seconds", "kept"), [(0.0, 15.0), (0.5, 15.0), (3.0, 60.0), (10.0, 200.0), (60.0, 300.0)]
)
def test_a_count_is_kept_the_longer_the_longer_it_took(seconds: float, kept: float) -> None:
    async def use(client: httpx.AsyncClient, reader: Reader) -> None:
        reader.seconds = seconds
        assert await count_on(client) == 1.0
        reader.now += kept - 0.01
        assert [await count_on(client) for _ in range(3)] == [1.0] * 3
        reader.now += 0.01
        assert await count_on(client) == 2.0

    scraped(use)


def test_a_count_that_takes_too_long_leaves_the_one_before_and_is_shown_later() -> None:
    async def use(client: httpx.AsyncClient, reader: Reader) -> None:
        assert await count_on(client) == 1.0
        reader.now += 15.0
        reader.free.clear()
        assert [await count_on(client) for _ in range(3)] == [1.0] * 3
        assert reader.asked == 2
        reader.free.set()
        while await count_on(client) != 2.0:
            pass
        assert reader.asked == 2

    scraped(use, wait=0.3)


@pytest.mark.parametrize(
    ("error", "told"),
    [(Busy("locked"), "locked"), (StoreError("damaged"), "damaged"), (OSError("ann@x.example"), "OSError")],
)
def test_a_store_that_cannot_be_read_is_told_once_and_asked_again_later(error: Exception, told: str) -> None:
    async def use(client: httpx.AsyncClient, reader: Reader) -> None:
        assert await count_on(client) == 1.0
        reader.now, reader.error = reader.now + 15.0, error
        with capture_logs() as logs:
            assert [await count_on(client) for _ in range(3)] == [None] * 3
        assert [(each["event"], each["reason"]) for each in logs] == [("leads not counted", told)]
        reader.now, reader.error = reader.now + 15.0, None
        assert await count_on(client) == 3.0

    scraped(use)


# what is taken of a status


def status(**more: Any) -> Status:
    usual: Mapping[str, Any] = {
        "leads": {"synced": 1},
        "oldest_waiting_at": None,
        "oldest_pending_at": None,
        "unknown_words": {},
        "last_errors": [{"reason": "ann@x.example is no e-mail", "queue_id": "q-1"}],
        "checkpoints": {},
    }
    return Status(**{**usual, **more})


@pytest.mark.parametrize(
    ("more", "name", "value"),
    [
        ({}, "leads", {"synced": 1}),
        ({"feedback": {"failed": 2}}, "feedback", {"failed": 2}),
        ({}, "oldest_waiting", 0.0),
        ({"oldest_waiting_at": 40.0}, "oldest_waiting", 60.0),
        ({"oldest_pending_at": 99.5}, "oldest_pending", 0.5),
        ({"oldest_pending_at": 101.0}, "oldest_pending", 0.0),
        ({"unknown_words": {"Vetted by ann@x.example": 2, "Held": 3}}, "unknown_words", 5),
        ({"account": [Day("a", 3, 1, {"synced": 2}), Day("b", 3, 1, {"synced": 1})]}, "days_off", 1),
        ({}, "changes_up_to", None),
        ({"checkpoints": {"leadsquared:changes": "1970-01-01T00:01:30+00:00"}}, "changes_up_to", 90.0),
        ({}, "queue", {}),
        (
            {"checkpoints": {"leadsquared-async:metrics": '{"pending": 3, "delay_seconds": null, "at": 9.5, "x": true}'}},
            "queue",
            {"pending": 3, "at": 9.5},
        ),
    ],
)  # fmt: skip
def test_of_a_status_only_numbers_are_taken(
    more: Mapping[str, Json], name: str, value: object, tmp_path: Path
) -> None:
    found = counted(seen(status(**more), 100.0, tmp_path))
    assert getattr(found, name) == value
    assert found.free > 0
    assert "ann" not in repr(found)
    assert "q-1" not in repr(found)
