"""The failure report as people read it: in a browser, at a desk and on a phone, by keyboard, read aloud, printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bridge.files import write_reports
from bridge.ports import Day, Failure
from bridge.reports import Report, build
from tests.system.browser import CHROMIUM, Browser, browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

NOW = 1_767_323_045.9
STATES = {"failed": 8, "unprocessed": 3, "in_doubt": 1, "expired": 1, "waiting": 7, "synced": 180}
ACCOUNT = tuple(Day(f"2025-12-{n:02}", 200, 0, STATES) for n in range(1, 32))
SCREENS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]
HOSTILE = (
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "</select></table><style>@import url(http://127.0.0.1:9/)</style>",
)
FAILURES = (
    *(("failed", f"ac1e0206-6d6fd2fa-62ce91e7-ba33-{n:08}", "Attribute does not exist - mx_A" + "_long" * 30, n)
      for n in (9, 10, 2)),
    *(("unprocessed", f"lead-{n}", "Lead does not exist or you do not have permission", n) for n in (3, 30, 1)),
    ("expired", "late", "", 5),
    ("in_doubt", "doubtful", "the answer was lost", 1),
    *(("failed", reason, reason, 7) for reason in HOSTILE),
)  # fmt: skip

CONTRASTS = """(() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (text) => channels(text).slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (node) => {
    const own = getComputedStyle(node).backgroundColor;
    return channels(own)[3] === 0 ? behind(node.parentElement) : own;
  };
  const ratio = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const texts = [...document.body.querySelectorAll("*")].filter((node) => !node.closest("script, title, desc") &&
    [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()));
  const inked = (node) => getComputedStyle(node)[node.closest("svg") ? "fill" : "color"];
  const fills = [...document.querySelectorAll("rect")].map((node) => getComputedStyle(node).fill)
    .filter((fill) => fill.startsWith("rgb"));
  return {
    texts: texts.map((node) => [ratio(inked(node), behind(node)), node.outerHTML.slice(0, 80)]),
    fills: fills.map((fill) => [ratio(fill, behind(document.body.firstElementChild)), fill]),
  };
})()"""
SHOWN = "[...document.querySelectorAll('#leads tbody tr')].filter((row) => !row.hidden)"
FOCUSED = "(document.activeElement.textContent || document.activeElement.id).trim()"


def failures() -> Iterator[Failure]:
    for number, (state, queue_id, reason, attempts) in enumerate(FAILURES):
        stage = "poll" if state == "expired" else "push"
        at = NOW - attempts
        yield Failure(
            queue_id, "main", state, stage, reason, f"a{number}@example.com", attempts, at, (), number
        )


def made() -> Report:
    return build(failures(), {}, NOW, account=ACCOUNT)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("reports")
    write_reports(made, directory, NOW)
    assert (directory / "2026-01-02.html").read_bytes() == (directory / "latest.html").read_bytes()
    return directory / "latest.html"


@pytest.fixture
def page(chromium: Browser, file: Path) -> Browser:
    chromium.look(1280)
    chromium.open(file)
    return chromium


def texts(page: Browser, column: int) -> list[str]:
    found: list[str] = page.js(f"{SHOWN}.map((row) => row.cells[{column}].textContent)")
    return found


def tabbed(page: Browser, until: Callable[[str], object]) -> str:
    """Press Tab until what has the focus fits; what it says."""
    for _ in range(40):
        page.press("Tab")
        if until(said := page.js(FOCUSED)):
            return str(said)
    raise AssertionError("Tab never came there")


def test_it_asks_nobody_for_anything_and_runs_nothing_of_what_leads_say(page: Browser, file: Path) -> None:
    assert page.asked() == [file.as_uri()]
    assert not [
        one for one in page.events if one.get("method") in {"Log.entryAdded", "Runtime.exceptionThrown"}
    ]
    assert page.js("document.title") == "Failure report"
    assert set(HOSTILE) <= set(texts(page, 7))


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_it_never_scrolls_sideways_and_everything_can_be_read(page: Browser, width: int, scheme: str) -> None:
    page.look(width, scheme=scheme)
    assert page.js("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    told = page.js(CONTRASTS)
    assert [found for found in told["texts"] if found[0] < 4.5] == []
    assert [found for found in told["fills"] if found[0] < 3] == []
    assert len(told["texts"]) > 100
    assert len(told["fills"]) > 50


def test_light_and_dark_are_two_schemes(page: Browser) -> None:
    grounds = set()
    for scheme in ("light", "dark"):
        page.look(1280, scheme=scheme)
        grounds.add(page.js("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2


def test_the_table_is_sorted_by_keyboard_and_says_so(page: Browser) -> None:
    page.js("document.getElementById('find').focus()")
    tabbed(page, lambda said: said == "Attempts")
    for order in ("ascending", "descending"):
        page.press("Enter")
        attempts = [int(text) for text in texts(page, 5)]
        assert attempts == sorted(attempts, reverse=order == "descending")
        assert page.js("[...document.querySelectorAll('[aria-sort]')].map((head) => head.ariaSort)") == [
            order
        ]
        assert page.js("told.textContent").endswith(f"sorted by Attempts, {order}.")


def test_leads_are_found_by_words_by_state_and_by_reason(page: Browser) -> None:
    page.js("document.getElementById('find').focus()")
    page.type("PERMISSION lead-3")
    assert texts(page, 0) == ["lead-3", "lead-30"]
    assert page.js("told.textContent") == "Showing 2 of the 11 leads in the table."
    tabbed(page, lambda said: said.startswith("all states"))
    page.press("ArrowDown")
    assert page.js("state.value") == "failed"
    assert page.js("told.textContent") == "Showing 0 of the 11 leads in the table."
    tabbed(page, lambda said: said == "Show all")
    page.press("Enter")
    assert page.js("told.textContent") == "Showing 11 of the 11 leads in the table."
    page.js("reason.value = '1'; reason.dispatchEvent(new Event('input'))")
    assert set(texts(page, 7)) == {FAILURES[0][2]}


def test_what_has_the_focus_is_seen_and_can_be_left_again(page: Browser) -> None:
    seen = []
    for _ in range(30):
        page.press("Tab")
        style = "getComputedStyle(document.activeElement)"
        if page.js("document.activeElement === document.body"):
            break
        assert page.js(f"{style}.outlineStyle") == "solid"
        assert page.js(f"parseFloat({style}.outlineWidth)") >= 2
        seen.append(page.js(FOCUSED))
    assert {"Reasons", "find", "Show all", "QueueId"} <= set(seen)
    assert page.js("document.activeElement === document.body")


def test_a_screen_reader_is_told_the_name_of_everything(page: Browser) -> None:
    tree = page.tree()
    named = {
        "button",
        "searchbox",
        "combobox",
        "link",
        "image",
        "region",
        "search",
        "table",
        "navigation",
        "heading",
    }
    assert [node for node in tree if node["role"] in named and not node["name"].strip()] == []
    assert named <= {node["role"] for node in tree}
    assert {"main", "banner", "status"} <= {node["role"] for node in tree}
    levels = [node["level"] for node in tree if node["role"] == "heading"]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - level <= 1 for level, later in pairwise(levels))
    assert page.js("document.documentElement.lang") == "en"
    assert page.js("[...document.querySelectorAll('th')].every((head) => head.scope)")
    assert page.js("new Set([...document.querySelectorAll('[id]')].map((one) => one.id)).size") == page.js(
        "document.querySelectorAll('[id]').length"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_against_it(page: Browser, scheme: str) -> None:
    page.look(1280, scheme=scheme)
    assert page.axe() == []


def test_the_chart_has_its_words_and_its_numbers_in_a_table(page: Browser) -> None:
    (image,) = [node for node in page.tree() if node["role"] == "image"]
    assert image["name"].startswith(
        "Leads by day of tracking Stacked bars from 2025-12-04 to 2026-01-02 (UTC): "
    )
    days = page.js("[...document.querySelectorAll('.account tbody th')].map((head) => head.textContent)")
    assert days[-28:] == [f"2025-12-{n:02}" for n in range(4, 32)]


def test_without_its_script_it_is_a_whole_page_without_controls(chromium: Browser, file: Path) -> None:
    chromium("Emulation.setScriptExecutionDisabled", value=True)
    try:
        chromium.open(file)
        tree = chromium.tree()
    finally:
        chromium("Emulation.setScriptExecutionDisabled", value=False)
    assert not {"button", "searchbox", "combobox"} & {node["role"] for node in tree}
    heads = [node["name"] for node in tree if node["role"] == "rowheader"]
    assert {queue_id for _, queue_id, *_ in FAILURES} <= set(heads)


def test_it_is_printed_dark_on_light_whole_and_without_controls(page: Browser) -> None:
    page.look(1280, scheme="dark")
    page(
        "Emulation.setEmulatedMedia",
        media="print",
        features=[{"name": "prefers-color-scheme", "value": "dark"}],
    )
    assert page.js("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    shown: dict[str, Any] = page.js(
        "Object.fromEntries(['.controls', 'nav', '#leads', '.chart'].map((one) =>"
        " [one, document.querySelector(one).getClientRects().length > 0]))"
    )
    page("Emulation.setEmulatedMedia", media="")
    assert shown == {".controls": False, "nav": False, "#leads": True, ".chart": True}
    pages = page.printed()
    assert pages.startswith(b"%PDF-")
    assert b"/Count" in pages
