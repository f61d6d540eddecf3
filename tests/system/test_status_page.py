"""The status page of a real service as an operator has it open: at a desk and on a phone, by keyboard, read aloud."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import httpx
import pytest

from bridge.store import open_store
from tests.contract.store_account_contract import STEPS
from tests.contract.store_contract import AUTOMATED, mapped
from tests.system.browser import CHROMIUM, Browser, browser
from tests.system.conftest import TOKEN, Bridge, Running, Simulator, bridged, simulated, until
from tests.system.test_report_page import CONTRASTS, FOCUSED

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

SCREENS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]
REFRESH = "document.dispatchEvent(new Event('visibilitychange'))"
YES = "document.getElementById('yes').click()"
ROWS = "[...document.querySelectorAll('#leads tbody tr')].filter((row) => !row.hidden)"
EVIL = "<img src=x onerror=\"document.title='owned'\">"


@dataclass
class Watched:
    """A service that runs beside the test, with leads that failed, and its page."""

    simulator: Simulator
    bridge: Bridge
    url: str
    running: Running

    def leads(self, name: str, count: int) -> list[str]:
        """Track so many leads whose people the CRM does not know; wait until they are unprocessed."""
        ids = [self.simulator.lead(f"{name}{n}@example.com", known=False) for n in range(count)]
        self.bridge.track(*ids)
        until(lambda: {self.state(one) for one in ids} == {"unprocessed"}, f"{name} are unprocessed")
        return ids

    def state(self, queue_id: str) -> str | None:
        deliveries = self.bridge.lead(queue_id)["deliveries"]
        return deliveries[0]["state"] if deliveries else None

    def create(self, *emails: str) -> None:
        """LeadSquared learns of these people."""
        for email in emails:
            self.simulator.world.add_person({"EmailAddress": email})


def doubtful(bridge: Bridge) -> None:
    """A delivery in doubt, that nobody can read back."""
    now = time.time()
    with closing(open_store(bridge.state)) as store:
        STEPS.bear(store, "doubtful", mapped("id-1", AUTOMATED), at=now)
        assert STEPS.claim(store, now=now + 1, mode="async")
        store.recover(now + 2)


@contextmanager
def serving(bridge: Bridge, port: int) -> Iterator[Running]:
    server = {
        "BRIDGE_SERVER__LISTEN": f"127.0.0.1:{port}",
        "BRIDGE_SERVER__HOSTS": "bridge.example.com",
        "BRIDGE_SERVER__TOKEN": TOKEN,
    }
    with bridge.start("run", env=server) as running:
        running.until("listening")
        yield running


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        simulated() as simulator,
        bridged(tmp_path_factory.mktemp("status") / "bridge", simulator.environment) as bridge,
    ):
        doubtful(bridge)
        with serving(bridge, port) as running:
            watched = Watched(simulator, bridge, f"http://127.0.0.1:{port}/", running)
            watched.leads("lead", 3)
            bridge.track(simulator.lead("phone@example.com", lead={"phone1": EVIL}))
            until(lambda: bridge.counts().get("failed"), "one has failed")
            yield watched


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def page(chromium: Browser, watched: Watched) -> Browser:
    chromium.look(1280)
    chromium.open(watched.url)
    return chromium


def shown(page: Browser) -> None:
    """Failures are shown, by the token."""
    page.js("token.focus()")
    page.type(TOKEN)
    page.press("Enter")
    page.until("!opened.hidden")


def refreshed(headline: str) -> str:
    """Whether the page, looking again, says so."""
    said = "document.querySelector('.headline').textContent"
    return f"({REFRESH}, {said}.includes({json.dumps(headline)}))"


def told(page: Browser, words: str) -> None:
    page.until(f"outcome.textContent.includes({json.dumps(words)})")


def tabbed(page: Browser, fits: Callable[[str], object]) -> None:
    """Press Tab until what has the focus fits."""
    for _ in range(60):
        page.press("Tab")
        if fits(str(page.js(FOCUSED))):
            return
    raise AssertionError("Tab never came there")


def test_it_asks_nobody_but_the_bridge_and_keeps_the_token_to_itself(page: Browser, watched: Watched) -> None:
    shown(page)
    page.js(REFRESH)
    page.until("performance.getEntriesByType('resource').filter((one) => one.name === location.href).length")
    assert page.asked()[0] == watched.url
    assert all(url.startswith(watched.url) for url in page.asked())
    logged = [
        one for one in page.events if one.get("method") in {"Log.entryAdded", "Runtime.exceptionThrown"}
    ]
    # Chromium remarks as info that something had the focus before it looked for what wants it first.
    assert not [one for one in logged if one["params"].get("entry", {}).get("level") != "info"]
    held = page.js(
        "[location.href, document.cookie, JSON.stringify([localStorage, sessionStorage]), token.value]"
    )
    assert held == [watched.url, "", "[{},{}]", ""]
    assert TOKEN not in page.js("document.documentElement.outerHTML")
    assert "owned" not in page.js("document.title")
    assert "lead0@" not in page.js("document.body.textContent")


def test_it_is_there_by_the_names_that_the_settings_know(watched: Watched) -> None:
    by = {"evil.example": 403, "bridge.example.com": 200, "localhost:1": 200}
    assert {host: httpx.get(watched.url, headers={"Host": host}).status_code for host in by} == by


def test_what_changes_is_shown_without_a_reload_and_the_reader_is_left_alone(
    page: Browser, watched: Watched
) -> None:
    page.js(
        "document.body.dataset.same = 'yes'; document.querySelector('details').open = true; token.focus()"
    )
    page.type("half")
    page.js("token.setSelectionRange(1, 3); scrollTo(0, 300)")
    watched.simulator.world.faults.set_rates({"leadbyte": {"error_500": 1.0}})
    watched.bridge.track(*watched.simulator.leads(3, "later"))
    page.until(refreshed("LeadByte results: down since"))
    assert page.js("document.title").startswith("Bridge: not well")
    held = page.js(
        "[document.body.dataset.same, document.querySelector('details').open, scrollY,"
        " document.activeElement.id, token.value, token.selectionStart, token.selectionEnd]"
    )
    assert held == ["yes", True, 300, "token", "half", 1, 3]
    page.js("token.blur(); getSelection().selectAllChildren(sides)")
    watched.simulator.world.faults.set_rates({})
    page.until(refreshed("Everything works."))
    assert page.js("getSelection().toString()") == "Sides"


def test_a_wrong_token_is_said_and_the_right_one_can_be_forgotten(page: Browser) -> None:
    for wrong in ("wrong", "né"):
        page.js("token.focus()")
        page.type(wrong)
        page.press("Enter")
        told(page, "That is not the token.")
        assert page.js("[document.activeElement.id, opening.hidden, listing.textContent]") == [
            "token",
            False,
            "",
        ]
        page.js("outcome.textContent = ''")
    shown(page)
    assert page.js("document.getElementById('leads') !== null")
    page.js("forget.click()")
    told(page, "The token is forgotten.")
    assert page.js("[opening.hidden, opened.hidden, listing.textContent]") == [False, True, ""]


def test_failures_are_shown_found_and_retried_until_they_are_synced(page: Browser, watched: Watched) -> None:
    watched.create(*(f"lead{n}@example.com" for n in range(3)))
    shown(page)
    first = page.js(f"{ROWS}.find((row) => row.textContent.includes('unprocessed')).cells[0].textContent")
    page.js("document.getElementById('find').focus()")
    page.type(first)
    assert page.js(f"{ROWS}.length") == 1
    assert page.js("document.getElementById('retry-shown').textContent") == "Retry the 1 lead shown"
    page.js("document.getElementById('retry-shown').click()")
    page.until("sure.open")
    assert page.js("question.textContent") == "Retry 1 lead that the table shows?"
    page.js(YES)
    told(page, "1 lead re-opened; the numbers above show what becomes of it.")
    page.js("document.querySelector('#listing button[data-state=unprocessed]').click()")
    page.until("sure.open")
    question = "Retry 2 leads of the state unprocessed whose reason holds “Lead does not exist in the system"
    assert page.js("question.textContent").startswith(question)
    page.js(YES)
    told(page, "2 leads re-opened; the numbers above show what becomes of them.")
    emails = [f"lead{n}@example.com" for n in range(3)]
    until(lambda: all(map(watched.simulator.written, emails)), "the leads are synced")
    assert page.js("document.activeElement.id") == "failures"


def test_leads_are_dismissed_with_a_reason_and_what_failed_meanwhile_is_not(
    page: Browser, watched: Watched
) -> None:
    (unwanted,) = watched.leads("unwanted", 1)
    shown(page)
    page.js("document.querySelector('#listing button[data-dismiss][data-state=unprocessed]').click()")
    page.until("sure.open")
    assert page.js("question.textContent").startswith("Dismiss 1 lead of the state unprocessed whose reason")
    (late,) = watched.leads("meanwhile", 1)
    assert page.js(FOCUSED) == "because"
    page.press("Enter")
    assert page.js("sure.open")
    page.type("typed by bots")
    page.press("Enter")
    told(page, "1 lead dismissed.")
    delivery = watched.bridge.lead(unwanted)["deliveries"][0]
    assert (delivery["state"], delivery["reason"]) == ("superseded", "dismissed: typed by bots")
    assert watched.state(late) == "unprocessed"
    page.js("document.getElementById('find').focus()")
    page.type(late)
    page.js("document.getElementById('dismiss-shown').click()")
    page.until("sure.open")
    question = "Dismiss 1 lead that the table shows, with all that they are on this list for? What"
    assert page.js("[question.textContent.slice(0, 82), because.value]") == [question, ""]
    page.press("Escape")
    page.until("!sure.open")
    assert watched.state(late) == "unprocessed"
    watched.bridge("dismiss", "--queue-id", late, "--because", "test", "--yes")


def test_what_fails_while_the_question_is_open_is_not_retried(page: Browser, watched: Watched) -> None:
    watched.leads("asked", 2)
    shown(page)
    page.js("document.querySelector('#listing button[data-state=unprocessed]').click()")
    page.until("sure.open")
    assert page.js("question.textContent").startswith("Retry 2 leads of the state unprocessed")
    late = watched.leads("late", 3)
    watched.create(*(f"{name}{n}@example.com" for name in ("asked", "late") for n in range(3)))
    page.js(YES)
    told(page, "2 leads re-opened")
    until(lambda: watched.simulator.written("asked1@example.com"), "what was asked about is synced")
    assert {watched.state(one) for one in late} == {"unprocessed"}
    watched.bridge("resync", "--state", "unprocessed")


def test_by_keyboard_alone(page: Browser, watched: Watched) -> None:
    watched.leads("key", 1)
    watched.create("key0@example.com")
    tabbed(page, lambda said: said == "token")
    page.type(TOKEN)
    page.press("Enter")
    page.until("!opened.hidden && document.activeElement.id === 'failures'")
    page.until("listing.querySelector('button[data-state=unprocessed]')")
    for last in ("Escape", "Enter"):
        while not page.js("document.activeElement.dataset.state === 'unprocessed'"):
            tabbed(page, lambda said: said.startswith("Retry th"))
        page.press("Enter")
        page.until("sure.open")
        assert page.js(FOCUSED) == "Cancel"
        tabbed(page, lambda said: said.startswith("Retry 1 lead"))
        page.press(last)
        page.until("!sure.open")
    told(page, "1 lead re-opened")
    until(lambda: watched.simulator.written("key0@example.com"), "the lead is synced")


def test_a_doubt_is_settled_after_asking(page: Browser, watched: Watched) -> None:
    shown(page)
    page.js("document.querySelector('#listing button[data-as=not-done]').click()")
    page.until("sure.open")
    assert page.js("question.textContent").endswith(
        ": it was not done? It counts as failed, and can then be retried. Nothing is sent now."
    )
    page.js(YES)
    told(page, "is settled: it was not done.")
    assert watched.state("doubtful") == "failed"
    log = watched.running.stderr.read_text(encoding="utf-8")
    assert '"event": "doubt settled by a caller"' in log
    assert '"address": "127.0.0.1"' in log


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_axe_finds_nothing_it_never_scrolls_sideways_and_can_be_read(
    page: Browser, width: int, scheme: str
) -> None:
    page.look(width, scheme=scheme)
    assert page.axe() == []
    shown(page)
    page.js("document.querySelector('details').open = true")
    assert page.axe() == []
    assert page.js("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    found = page.js(CONTRASTS)
    assert [one for one in found["texts"] if one[0] < 4.5] == []
    assert len(found["texts"]) > 80
    for button in ("[data-state]", "[data-dismiss]"):
        page.js(f"document.querySelector('#listing button{button}').click()")
        page.until("sure.open")
        assert page.axe() == []
        page.press("Escape")
        page.until("!sure.open")


def test_without_its_script_it_is_a_whole_page(chromium: Browser, watched: Watched) -> None:
    chromium("Emulation.setScriptExecutionDisabled", value=True)
    try:
        chromium.open(watched.url)
        tree = chromium.tree()
    finally:
        chromium("Emulation.setScriptExecutionDisabled", value=False)
    assert not {"button", "textbox"} & {node["role"] for node in tree}
    names = {node["name"] for node in tree}
    assert {"Sides", "Where leads stand", "Last errors", "Failures"} <= names
    assert "They are shown here where scripts run. Else: " in names


def test_a_bridge_that_stops_is_said_and_one_that_is_back_is_shown(page: Browser, watched: Watched) -> None:
    watched.running.process.send_signal(signal.SIGTERM)
    watched.running.process.wait(30)
    page.js(REFRESH)
    page.until("link.textContent.startsWith('The bridge has not answered since ')")
    assert [node["role"] for node in page.tree() if node["role"] == "alert"] == ["alert"]
    with serving(watched.bridge, int(watched.url.rsplit(":", 1)[1].strip("/"))):
        page.until(f"({REFRESH}, link.textContent === '')")
