"""The status page and its numbers over real HTTP: what is shown, to whom, and what a browser is allowed."""

from __future__ import annotations

import asyncio
import random
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from bridge.app.seeing import Seen
from bridge.app.watching import side, slips
from bridge.errors import CallError, Denied, ServerFault, StoreError, Unreachable
from bridge.leadbyte import verdict as leadbyte
from bridge.leadsquared import verdict as leadsquared
from bridge.pipeline.gate import Gate
from bridge.policy.rating import Rate
from bridge.policy.window import Limit
from bridge.ports import Day, Status
from bridge.reports.hints import hint
from bridge.reports.ours import UNSAID, WAITING, side_words
from bridge.server import Calls, Overview, Readiness, Side, Slip, create_app
from bridge.server.board import board
from bridge.server.overview import values
from tests.contract.serving import client_of
from tests.contract.test_server_metrics import COUNTED, MEASURED, nothing

NOW = 1_767_323_045.9
EVIL = "</code><script>alert('evil')</script>"
SEEN = Overview(
    now=NOW,
    measured=replace(MEASURED, counted=replace(COUNTED, at=NOW - 5, leads_per_minute=12.34)),
    sides={
        "leadbyte": Side("up", asked=True),
        "leadbyte-updates": Side("up", asked=False),
        "leadsquared": Side("denied", asked=True, since=NOW - 60, reason="LeadSquared denied the keys"),
        "leadsquared-async": Side("down", asked=True, since=NOW - 70, reason="LeadSquared failed with HTTP 502"),
    },
    slips=(Slip(NOW - 9, "q-1", "push", "LeadSquared failed with HTTP 502", 3),),
    account=(Day("2026-01-02", 9, 0, {"failed": 2, "synced": 7}),),
    pruned_on="2026-01-01",
)  # fmt: skip
WELL = replace(
    SEEN, sides={"leadbyte": Side("up", asked=True)}, measured=replace(SEEN.measured, ready=Readiness())
)
Use = Callable[[httpx.AsyncClient], Awaitable[None]]


def served(use: Use, seen: Overview | Exception = SEEN, **more: Any) -> None:
    async def look() -> Overview:
        if isinstance(seen, Exception):
            raise seen
        return seen

    async def run() -> None:
        app = create_app(intake=nothing, status=nothing, token=SecretStr("t0ken$"), look=look, **more)
        async with client_of(app, timeout=20) as client:
            await use(client)

    asyncio.run(run())


def got(path: str, seen: Overview | Exception = SEEN, **headers: str) -> httpx.Response:
    found = []

    async def use(client: httpx.AsyncClient) -> None:
        found.append(await client.get(path, headers=headers))

    served(use, seen)
    return found[0]


def page(seen: Overview = SEEN) -> str:
    """The page without its style and script."""
    return re.sub(r"<(style|script)>.*?</\1>", "", "".join(board(seen)), flags=re.DOTALL)


def words(seen: Overview = SEEN) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page(seen).partition("<body>")[2]).split())


def test_a_browser_runs_this_page_s_script_and_nothing_else() -> None:
    answer = got("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.text == "".join(board(SEEN))
    allowed = answer.headers["content-security-policy"].split("; ")
    for kind, tag in (("style-src", "style"), ("script-src", "script")):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", answer.text, re.DOTALL)
        assert f"{kind} 'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" in allowed
    rest = {one for one in allowed if "sha256" not in one}
    assert rest == {
        "default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'",
    }  # fmt: skip
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert not re.search(r"(?:src|href)=\"(?!#)|url\((?!#)|<link|style=", page())


def test_one_look_says_what_is_wrong_and_since_when() -> None:
    both = "LeadSquared updates: denied since 2026-01-02 03:03:05 UTC . LeadSquared async updates: down since"
    assert both in words()
    assert "Mend the key or its permission, then restart" in words()
    assert "LeadByte operations not asked yet Shares the window of LeadByte results." in words()
    assert "<title>Bridge: not well, 2 failed</title>" in page()
    assert "Everything works. 2 leads and 1 operation need a person." in words(WELL)
    assert "<title>Bridge: all well, 2 failed</title>" in page(WELL)


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (replace(MEASURED, disk_full=True, ready=Readiness(working=False)), "The disk is full: make room, nothing is lost."),
        (replace(MEASURED, ready=Readiness(working=False)), "A stage has failed; the log says why."),
        (replace(MEASURED, counted=None), "The database could not be read; the log says why."),
    ],
)  # fmt: skip
def test_what_keeps_the_bridge_itself_from_working_is_said(measured: Any, said: str) -> None:
    shown = words(replace(WELL, measured=measured))
    assert said in shown
    assert "Everything works." not in shown


def test_numbers_ages_windows_and_the_moments_they_are_of() -> None:
    shown = words()
    for told in (
        "9 tracked in all, counted at 2026-01-02 03:04:00 UTC",
        "12 leads a minute of the last 5 minutes",
        "0 waiting for LeadByte",
        "0 under way to LeadSquared oldest 1.0 min",
        "2 failed",
        "7 synced",
        "3 of 25 calls in 5 s",
        "No limit of calls; 2 under way or just made.",
        "Operations in LeadByte 1 in doubt",
        "LeadSquared's async queue 4 pending, 2.5 s delay seen at 1970-01-01 00:16:20 UTC",
        "Changes in LeadSquared read up to 1970-01-01 00:16:30 UTC",
        "Old data pruned on 2026-01-01",
        "3 leads; bridge status names the words",
        "LeadSquared failed with HTTP 502 2026-01-02 03:03:56 UTC at push, q-1 and 2 more like it",
        "The account of each day adds up",
        "9 tracked, 9 accounted for: it adds up",
    ):
        assert told in shown.replace("&#x27;", "'"), told


def test_a_fresh_bridge_says_what_to_do_and_has_no_empty_chart() -> None:
    fresh = replace(
        WELL, account=(), slips=(), measured=replace(WELL.measured, counted=replace(COUNTED, leads={}))
    )
    assert "No lead is tracked yet: bridge enqueue --help says how they come in." in words(fresh)
    assert "Last errors None." in words(fresh)
    assert '<svg class="chart"' not in page(fresh)


def test_no_text_of_others_is_markup() -> None:
    evil = replace(
        SEEN,
        sides={EVIL: Side(EVIL, asked=True, since=NOW, reason=EVIL)},
        slips=(Slip(NOW, EVIL, EVIL, EVIL, 1),),
        account=(Day("2026-01-02", 1, 0, {EVIL: 1}),),
        pruned_on=EVIL,
        measured=replace(SEEN.measured, version=EVIL, windows={EVIL: Calls(1, 2, 3.0)}),
    )  # fmt: skip
    assert "".join(board(evil)).count("<script") == 1
    assert values(evil)["counted"]["last_errors"][0]["reason"] == EVIL


def test_without_a_token_set_the_page_says_how_failures_could_be_shown() -> None:
    assert "once BRIDGE_SERVER__TOKEN is set" in words()
    assert "<form" not in page()
    assert '<form id="opening" hidden>' in page(replace(SEEN, acting=True))


def test_the_numbers_as_json() -> None:
    answer = got("/v1/status")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    told = answer.json()
    assert told["sides"]["leadsquared"] == {
        "state": "denied", "asked": True, "since": "2026-01-02T03:03:05Z", "reason": "LeadSquared denied the keys",
    }  # fmt: skip
    assert told["windows"]["leadbyte"] == {"used": 2, "limit": None, "seconds": 1.0}
    assert {name: told[name] for name in ("version", "now", "ready", "working", "disk_full")} == {
        "version": "1.2.3", "now": "2026-01-02T03:04:05Z", "ready": False, "working": True, "disk_full": False,
    }  # fmt: skip
    assert told["counted"] == {
        "at": "2026-01-02T03:04:00Z",
        "leads": {"synced": 7, "failed": 2},
        "tracked": 9,
        "leads_per_minute": 12.3,
        "lag": {"oldest_waiting_seconds": 0.0, "oldest_pending_seconds": 61.5},
        "feedback": {"in_doubt": 1},
        "unknown_words": 3,
        "disk_free_bytes": 2**40,
        "async_queue": {"pending": 4.0, "delay_seconds": 2.5, "at": 980.0},
        "checkpoints": {"changes_read_up_to": "1970-01-01T00:16:30Z", "pruned_on": "2026-01-01"},
        "last_errors": [
            {"at": "2026-01-02T03:03:56Z", "queue_id": "q-1", "stage": "push",
             "reason": "LeadSquared failed with HTTP 502", "n": 3}
        ],
        "account": [
            {"day": "2026-01-02", "tracked": 9, "forgotten": 0, "states": {"failed": 2, "synced": 7}, "adds_up": True}
        ],
    }  # fmt: skip
    assert (
        got("/v1/status", replace(SEEN, measured=replace(SEEN.measured, counted=None))).json()["counted"]
        is None
    )


@pytest.mark.parametrize("path", ["/", "/v1/status"])
def test_head_is_fine_other_methods_and_web_pages_are_not(path: str) -> None:
    async def use(client: httpx.AsyncClient) -> None:
        head = await client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert (await client.post(path)).status_code == 405
        for origin in ("http://evil", f"{client.base_url}".rstrip("/")):
            assert (await client.get(path, headers={"Origin": origin})).status_code == 403
        answers = [await client.get(path) for _ in range(5)]
        assert answers[-1].status_code == 429
        assert (await client.get("/healthz")).status_code == 200

    served(use, requests=Rate(6, 0.001))


@pytest.mark.parametrize(("error", "code"), [(StoreError("inside"), 503), (KeyError("inside"), 500)])
def test_a_page_that_cannot_be_made_shows_nothing_of_the_inside(error: Exception, code: int) -> None:
    answer = got("/", error)
    assert (answer.status_code, list(answer.json())) == (code, ["error"])
    assert "inside" not in answer.text


AWAY = "cannot reach https://acme.example"
FAILED = "LeadSquared failed with HTTP 502"
REFUSED = "LeadSquared refused the call"
LOOK = hint("failed", "push", "")
TWICE = hint("failed", "push", "(MXDuplicateEntryException)").rstrip(".")


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("failed", f"gave up after 8 attempts: {FAILED}: Jane", f"gave up after 8 attempts: {FAILED}"),
        ("failed", f"{REFUSED}: Jane (MXInvalidInputException)", f"{REFUSED} (MXInvalidInputException)"),
        ("failed", f"{REFUSED} (MXJaneDoeException)", REFUSED),
        ("failed", f"{FAILED} (Jane Doe)", FAILED),
        ("waiting", f"{AWAY}: no route to Jane", "cannot reach the other side"),
        (
            "failed",
            "https://acme.example gave no whole answer in 30 s",
            "the other side gave no whole answer in 30 s",
        ),
        (
            "failed",
            "Jane already exists (MXDuplicateEntryException)",
            f"{TWICE} (MXDuplicateEntryException).",
        ),
        ("waiting", "LeadByte's status 'Jane' is not in BRIDGE_LEADBYTE__STATUSES", WAITING),
        ("failed", "Jane: no such option", LOOK),
        ("failed", None, LOOK),
    ],
)
def test_of_an_error_only_our_own_words_are_open(state: str, reason: str | None, words: str) -> None:
    assert slip_of(state, reason) == Slip(5.0, "j…@x.example", "push", words, 2)


def slip_of(state: str, reason: str | None, target: str = "leadsquared", stage: str = "push") -> Slip:
    error = {"queue_id": "jane@x.example", "stage": stage, "reason": reason, "at": 5.0, "n": 2}
    told = {**error, "state": state, "target": target, "quoted": ["Jane"]}
    (slip,) = slips(Seen(Status({}, None, None, {}, [told], {}), 9.0, 1))
    return slip


HOSTILE = (
    "LeadSquared failed to assign Jane Doe (jane@doe.example, 12 High Street) to Bob",
    "LeadSquared denied Jane Doe", "LeadByte refused Jane Doe", "LeadSquared says Jane", "LeadByte gave Jane Doe up",
    "LeadSquared no longer knows Jane", "LeadSquared accepted Jane Doe", "LeadByte did not like Jane",
    "LeadSquared answered Jane", "https://jane-doe-cv.example/07700900123 is not a valid website of Jane Doe, 12 High Street",
    "https://jane.example answered HTTP 200 in a compression nobody asked for",
    "https://jane.example gave no whole answer in 7700900123 s", "cannot reach https://jane.example",
    "https://x.example says Jane", "LeadSquared failed with HTTP 7700900123", "LeadSquared failed with HTTP 502 and Jane",
    "LeadSquared failed with HTTP \u0667\u0667\u0667", "LeadSquared failed\nJane", "LeadSquared denied the keys of Jane",
    "LeadSquared denied the key (HTTP 7700900123)", "LeadSquared denied the keys: Jane",
    "gave up after 7700900123 attempts: LeadSquared failed", "the answer was lost: Jane", "the answer was lost and Jane",
    "LeadSquared failed with HTTP 502 (Jane)", "LeadSquared refused the call (MXJaneException)", "Jane (MXJaneException)",
    "LeadSquared says too many calls (HTTP 429): its limit is 7700900123 calls in 1 s",
    "an async mapping needs Jane", "LeadSquared refused the call: MX7700900123Exception", "Jane", "",
)  # fmt: skip
PRIVATE = re.compile(r"jane|\bdoe\b|\bbob\b|high street|770|\u0667", re.IGNORECASE)
BEFORE = (
    "",
    "gave up after 8 attempts: ",
    "the answer was lost: ",
    "could not be confirmed before the deadline: ",
)


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("before", BEFORE)
def test_nothing_that_the_other_side_said_is_open_whatever_it_looks_like(before: str, hostile: str) -> None:
    places = [
        (state, "push") for state in ("failed", "unprocessed", "in_doubt", "expired", "waiting", "pending")
    ]
    for state, stage in [*places, ("failed", "map")]:
        for target in ("leadsquared", "leadbyte"):
            shown = slip_of(state, before + hostile, target, stage).words
            assert shown
            assert not PRIVATE.search(shown), shown


def side_of(*errors: CallError) -> Side:
    gate = Gate("leadsquared", Limit(0, 1.0), lambda: 1.0, random.Random(1))  # noqa: S311 - no secret
    for error in errors:
        gate.health.failed(error, 100.0, 0.0)
    return side(gate)


def test_of_a_side_s_reason_only_our_own_words_are_open() -> None:
    assert side_of() == Side("up", asked=False)
    for error, words in (
        (Denied("LeadSquared denied the keys: Jane (MXUnAuthorizedAccessException); check them"), "LeadSquared denied the keys"),
        (Denied("LeadByte denied the key (HTTP 403): Jane: check the key"), "LeadByte denied the key (HTTP 403)"),
        (ServerFault(f"{FAILED}: Jane"), FAILED),
        (ServerFault(f"{FAILED} (Jane Doe)"), FAILED),
        (Unreachable(f"{AWAY}: Jane"), AWAY),
        (Unreachable("Jane"), UNSAID),
    ):  # fmt: skip
        assert side_of(*[error] * 3).reason == words


def test_every_error_that_the_bridge_words_about_a_call_is_known() -> None:
    answers = [(status, text) for status in (200, 204, 302, 400, 401, 403, 404, 408, 413, 429, 500, 503)
               for text in ("", "<p>", "{", "[" * 200, '{"Status": "Error", "message": "Jane", "ExceptionType": "Jane"}',
                            '{"ExceptionType": "MXUnAuthorizedAccessException", "ExceptionMessage": "Jane"}',
                            '{"message": "invalid key of Jane"}', '{"message": "too many requests of Jane"}')]  # fmt: skip
    told = set()
    for status, text in answers:
        for judged in (leadsquared.verdict, leadbyte.classify):
            try:
                judged(status, {}, text, NOW)
            except CallError as error:
                told.add(side_words(str(error)))
    assert len(told) > 30
    assert UNSAID not in told
    assert not PRIVATE.search(" ".join(told))
