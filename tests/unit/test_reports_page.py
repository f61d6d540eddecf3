"""The report as a page: the chart, the reasons, the table of leads, and what a browser is allowed to run."""

from __future__ import annotations

import io
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ports import Day, Failure
from bridge.reports import build, listing, listing_html, write_html, write_json
from bridge.reports.chart import FLOOR, LEAST, TOP, chart
from bridge.reports.table import MOST_ROWS
from tests.edge.nasties import peak

NOW = 1_767_323_045.9
TODAY = "2026-01-02"
STATES = (
    "failed",
    "unprocessed",
    "in_doubt",
    "expired",
    "sending",
    "pending",
    "waiting",
    "synced",
    "skipped",
)


def failure(queue_id: str = "q-1", reason: str = "no such field", **changes: Any) -> Failure:
    values = {"mapping": "main", "state": "failed", "stage": "push", "identifier": "jane@example.com"}
    return Failure(
        queue_id=queue_id,
        reason=reason,
        **{**values, "attempts": 2, "last_attempt_at": NOW, **changes},
    )


def page(*failures: Failure, account: tuple[Day, ...] = (), **options: bool) -> str:
    out = io.StringIO()
    write_html(build(failures, {"failed": len(failures)}, NOW, account=account, **options), out)
    return out.getvalue()


def drawn(*account: Day) -> ET.Element:
    markup = "".join(chart(account, TODAY))
    return ET.fromstring(markup[markup.index('<svg class="chart"') :])  # noqa: S314 - our own


def bars(svg: ET.Element, kind: str) -> list[ET.Element]:
    return [rect for rect in svg.findall("rect") if rect.get("class") == kind]


def test_each_state_of_a_day_is_a_piece_of_its_bar_as_high_as_its_count() -> None:
    svg = drawn(
        Day(TODAY, 100, 0, {"failed": 20, "unprocessed": 10, "waiting": 30, "synced": 30, "skipped": 10})
    )
    heights = {rect.get("class"): float(rect.get("height", 0)) for rect in svg.findall("rect")}
    full = FLOOR - TOP
    shares = {"failed": 0.2, "unprocessed": 0.1, "moving": 0.3, "synced": 0.4}
    assert heights == {kind: pytest.approx(full * share, abs=0.06) for kind, share in shares.items()}


def test_one_failed_lead_of_a_million_is_still_seen() -> None:
    svg = drawn(Day(TODAY, 1_000_001, 0, {"failed": 1, "synced": 1_000_000}))
    assert [float(bar.get("height", 0)) for bar in bars(svg, "failed")] == [LEAST]


def test_days_without_leads_are_empty_places_and_days_before_the_last_30_are_left_out() -> None:
    days = (Day("2025-11-01", 1, 0, {"synced": 1}), Day("2025-12-31", 1, 0, {"synced": 1}))
    (bar,) = bars(drawn(*days), "synced")
    place = float(bar.get("x", "").rstrip("%")) + float(bar.get("width", "").rstrip("%")) / 2
    assert place == pytest.approx(9 + 91 / 30 * 27.5, abs=0.02)


def test_the_chart_is_told_in_words() -> None:
    svg = drawn(
        Day("2026-01-01", 9, 0, {"failed": 2, "unprocessed": 2, "synced": 5}), Day(TODAY, 3, 0, {"synced": 3})
    )
    assert svg.get("aria-labelledby") == "chart-title chart-told"
    assert svg.findtext("title") == "Leads by day of tracking"
    assert svg.findtext("desc") == (
        "Stacked bars from 2026-01-01 to 2026-01-02 (UTC): 8 synced, or nothing to send, 0 under way, "
        "0 in doubt or expired, 2 unprocessed, 2 failed. Most failed or unprocessed: 4 on 2026-01-01. "
        "The table under Account has the numbers of each day."
    )


@given(st.lists(st.dictionaries(st.sampled_from(STATES), st.integers(1, 10**9)), min_size=1, max_size=5))
def test_no_bar_leaves_the_chart_and_no_two_pieces_overlap(days: list[dict[str, int]]) -> None:
    account = [Day(f"2025-12-{30 - at}", 0, 0, states) for at, states in enumerate(days)]
    columns: dict[str, list[tuple[float, float]]] = {}
    for rect in drawn(*account).findall("rect"):
        top, height = float(rect.get("y", 0)), float(rect.get("height", 0))
        columns.setdefault(rect.get("x", ""), []).append((top, top + height))
    for pieces in columns.values():
        assert pieces[0][1] == pytest.approx(FLOOR, abs=0.11)
        assert min(top for top, _ in pieces) >= 0
        for (upper, _), (_, lower) in pairwise(pieces):
            assert lower == pytest.approx(upper, abs=0.11)


@pytest.mark.parametrize(
    ("most", "scale"),
    [(0, "0 1 2"), (3, "0 2 4"), (99, "0 50 100"), (1001, "0 1k 2k"), (9 * 10**6, "0 5M 10M")],
)
def test_the_scale_ends_above_the_highest_day(most: int, scale: str) -> None:
    svg = drawn(Day(TODAY, most, 0, {"synced": most}))
    assert [text.text for text in svg.findall("text")][:3] == scale.split()


@pytest.mark.parametrize("account", [(), (Day("2027-01-01", 1, 0, {"synced": 1}),)])
def test_a_page_is_written_where_no_day_can_be_drawn(account: tuple[Day, ...]) -> None:
    assert ('<svg class="chart"' in page(account=account)) == bool(account)
    assert "Nothing failed." in page(account=account)


def test_a_group_says_when_it_was_first_and_last_seen() -> None:
    times = (NOW - 5, None, NOW - 86400, NOW)
    failures = [failure(f"q{n}", last_attempt_at=at) for n, at in enumerate(times)]
    out = io.StringIO()
    write_json(build(failures, {}, NOW, account=()), out)
    (group,) = json.loads(out.getvalue())["groups"]
    assert (group["first_seen"], group["last_seen"]) == ("2026-01-01T03:04:05Z", "2026-01-02T03:04:05Z")
    said = re.sub("<[^>]+>", " ", page(*failures))
    assert re.search(r"First seen +2026-01-01 03:04:05 UTC +Last seen +2026-01-02 03:04:05 UTC", said)
    unmapped = failure(last_attempt_at=None, at=NOW - 5)
    assert "2026-01-02 03:04:00 UTC" in re.sub("<[^>]+>", " ", page(unmapped))
    assert "First seen  not known" in re.sub("<[^>]+>", " ", page(failure(last_attempt_at=None)))


@pytest.mark.parametrize(
    ("state", "words", "command"),
    [
        (
            "failed",
            "This tries them again:",
            "bridge resync --state failed --reason &#x27;no such field&#x27;",
        ),
        ("expired", "This polls them again:", "bridge resync --refetch --state expired"),
        ("in_doubt", "for each of them:", "bridge resolve QUEUE_ID --as done|not-done"),
    ],
)
def test_a_reason_comes_with_its_count_its_advice_and_its_command(
    state: str, words: str, command: str
) -> None:
    said = page(failure(state=state), failure("q-2", state=state))
    assert f"<h3>1. 2 {state.replace('_', ' ')} at push: no such field</h3>" in said
    assert f"{words}</p>\n<pre><code>{command}</code></pre>" in said


def test_reasons_are_ranked_and_rows_know_theirs() -> None:
    said = page(failure("rare", "rare"), failure("often-1", "often"), failure("often-2", "often"))
    assert said.index("<h3>1. 2 failed at push: often") < said.index("<h3>2. 1 failed at push: rare")
    assert re.findall(r'data-reason="(\d)">([^<]+)', said) == [
        ("2", "rare"),
        ("1", "often-1"),
        ("1", "often-2"),
    ]


def many(count: int) -> Iterator[Failure]:
    yield from (failure(f"q-{n}") for n in range(count))
    yield from (failure(f"late-{n}", "a reason that came late") for n in range(9))


def test_a_table_of_very_many_leads_is_cut_and_says_so_and_no_reason_is_left_without_leads() -> None:
    said = page(*many(MOST_ROWS + 500))
    assert said.count('<th scope="row" data-reason="1">') == MOST_ROWS
    assert said.count('<th scope="row" data-reason="2">') == 3
    assert "The first 2,000 of 2,509 leads are here, and at least 3 of each reason." in said
    assert "<code>bridge report --format csv</code>" in said
    assert "The first" not in page(*many(50))


def test_a_page_of_ever_more_leads_takes_no_more_memory() -> None:
    class Nowhere(io.StringIO):
        def write(self, text: str) -> int:
            return len(text)

    def writing(count: int) -> int:
        return peak(lambda: write_html(build(many(count), {}, NOW, account=()), Nowhere()))

    writing(MOST_ROWS)
    assert writing(4 * MOST_ROWS) < 1.1 * writing(MOST_ROWS)


def test_a_browser_runs_the_pages_own_script_and_style_and_nothing_else() -> None:
    said = page(failure("<script>alert(1)</script>"))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', said)
    assert policy
    told = dict(part.strip().split(" ", 1) for part in policy[1].split(";"))
    for name, tag in (("script-src", "script"), ("style-src", "style")):
        (body,) = re.findall(f"<{tag}>(.*?)</{tag}>", said, re.DOTALL)
        assert told.pop(name) == f"'sha256-{b64encode(sha256(body.encode()).digest()).decode()}'"
    assert told == {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'"}
    assert "://" not in said
    assert "@import" not in said


def test_a_page_that_shows_people_says_so() -> None:
    assert "People are masked." in page(failure())
    shown = page(failure(), unmasked=True)
    assert "People are masked." not in shown
    assert "People are shown in full" in shown


def test_what_is_no_failure_has_no_table_of_leads() -> None:
    assert 'id="leads"' not in page()
    assert 'href="#all-leads"' not in page()


def test_headline_numbers_tell_synced_failed_and_unprocessed_even_where_there_are_none() -> None:
    said = page()
    for state in ("synced", "failed", "unprocessed"):
        assert f"<li><strong>0</strong> {state}</li>" in said
    assert "in doubt</li>" not in said


def test_a_listing_reads_its_share_and_has_a_row_for_each_reason_and_each_doubt() -> None:
    many = [
        *(failure(f"q-{n}", "too long") for n in range(20)),
        *(failure(f"d-{n}", "the answer was lost", state="in_doubt", delivery_id=n) for n in range(9)),
        *(failure(f"x-{n}", f"other {n}") for n in range(2)),
    ]
    found = listing(99, many, NOW, 5)
    assert (found.count, found.read, len(found.rows)) == (99, 31, 5 + 9 + 2)
    told = "".join(listing_html(found))
    assert "99 deliveries need a person" in told
    assert "the newest 31 of them are here" in told
    assert "16 of 99 are in this table" in told
    assert "".join(listing_html(listing(0, [], NOW, 5))).startswith("<p>Nothing needs a person. Read at ")


def test_a_report_has_no_buttons_of_the_status_page() -> None:
    told = page(failure(), failure("d", "lost", state="in_doubt", delivery_id=3))
    assert "<button" not in told.replace('<button type="button" id="all">', "")
