"""The account in words: by day, adding up or not, and what an audit found."""

from __future__ import annotations

import io
import json

import pytest

from bridge.model import LEAD_STATES
from bridge.ports import Check, Day, Finding
from bridge.reports import (
    account_lines,
    build,
    total,
    write_findings,
    write_findings_json,
    write_html,
    write_json,
    write_text,
)
from bridge.reports.findings import ADVICE

GOOD = Day("2026-05-01", 1200, 2, {"failed": 98, "synced": 1100})
SHORT = Day("2026-05-02", 7, 0, {"synced": 6})
LONG = Day("2026-05-03", 7, 1, {"pending": 8})


def days(count: int) -> list[Day]:
    return [Day(f"2026-05-{n:02}", n, 0, {"synced": n}) for n in range(1, count + 1)]


@pytest.mark.parametrize(
    ("day", "adds_up", "line"),
    [
        (GOOD, True, "  2026-05-01     1,200 = 98 failed + 1,100 synced + 2 forgotten"),
        (SHORT, False, "  2026-05-02         7 ≠ 6 synced (1 missing)"),
        (LONG, False, "  2026-05-03         7 ≠ 8 pending + 1 forgotten (2 more than tracked)"),
        (Day("2026-05-04", 2, 2, {}), True, "  2026-05-04         2 = 2 forgotten"),
        (Day("2026-05-04", 2, 0, {}), False, "  2026-05-04         2 ≠ 0 (2 missing)"),
    ],
)
def test_a_day_is_what_was_tracked_against_what_is_there(day: Day, adds_up: bool, line: str) -> None:
    assert day.adds_up == adds_up
    assert list(account_lines([day]))[1] == line


@pytest.mark.parametrize(
    ("account", "words"),
    [
        ([], "0 tracked, 0 accounted for: it adds up"),
        ([GOOD], "1,200 tracked, 1,200 accounted for: it adds up"),
        (
            [GOOD, SHORT],
            "1,207 tracked, 1,206 accounted for: it does NOT add up (2026-05-02: 1 missing); "
            "`bridge audit` tells more",
        ),
        (
            [SHORT, Day("2026-05-03", 7, 0, {"pending": 8})],
            "14 tracked, 14 accounted for: it does NOT add up "
            "(2026-05-02: 1 missing; 2026-05-03: 1 more than tracked); `bridge audit` tells more",
        ),
    ],
)
def test_the_total_says_in_words_whether_every_day_adds_up(account: list[Day], words: str) -> None:
    assert total(account) == words


def test_the_total_names_few_of_many_wrong_days() -> None:
    said = total([Day(f"2026-05-{n:02}", 1, 0, {}) for n in range(1, 8)])
    assert said.count(": 1 missing") == 3
    assert "; and 4 more days)" in said


@pytest.mark.parametrize(("count", "shown"), [(14, 14), (15, 15), (31, 15)])
def test_text_keeps_to_the_last_fourteen_days_and_one_line_for_all_before(count: int, shown: int) -> None:
    title, *lines, last = account_lines(days(count))
    assert "UTC" in title
    assert len(lines) == shown
    summed = sum(range(1, count - 13))
    assert (lines[0] == f"  earlier    {summed:>9,} = {summed} synced") == (count > 14)
    assert lines[-1].startswith(f"  2026-05-{count:02} ")
    assert (
        last
        == f"  total      {sum(range(1, count + 1)):>9,} tracked, {sum(range(1, count + 1))} accounted for: it adds up"
    )


def test_earlier_days_are_summed_by_state_in_the_order_that_counts() -> None:
    early = [
        Day("2026-04-01", 3, 1, {"synced": 2}),
        Day("2026-04-02", 3, 0, {"failed": 1, "synced": 1, "skipped": 1}),
    ]
    assert list(account_lines([*early, *days(14)]))[1] == (
        "  earlier            6 = 1 failed + 3 synced + 1 skipped + 1 forgotten"
    )


def test_a_wrong_day_shows_in_what_is_summed_up() -> None:
    lines = list(account_lines([SHORT, *days(14)]))
    assert lines[1] == "  earlier            7 ≠ 6 synced (1 missing)"
    assert "it does NOT add up" in " ".join(lines[-2:])


def test_text_fits_100_columns() -> None:
    every = Day("2026-05-01", 11_000_001, 1, dict.fromkeys(LEAD_STATES, 1_000_000))
    lines = list(account_lines([every]))
    assert all(len(line) <= 100 for line in lines)
    assert " ".join(lines).count(" 1,000,000 ") == len(LEAD_STATES)


def report(account: list[Day], write: object) -> str:
    out = io.StringIO()
    write(build([], {"synced": 1106}, 0.0, account=account), out)  # type: ignore[operator]
    return out.getvalue()


def test_a_text_report_ends_with_the_account() -> None:
    lines = report([GOOD], write_text).splitlines()
    assert lines[-3:] == list(account_lines([GOOD]))


def test_a_json_report_ends_with_the_account() -> None:
    told = json.loads(report([GOOD, SHORT], write_json))
    assert list(told) == ["generated_at", "tracked", "states", "leads", "groups", "account"]
    assert told["account"] == [
        {
            "day": "2026-05-01",
            "tracked": 1200,
            "forgotten": 2,
            "states": {"failed": 98, "synced": 1100},
            "adds_up": True,
        },
        {"day": "2026-05-02", "tracked": 7, "forgotten": 0, "states": {"synced": 6}, "adds_up": False},
    ]


def test_an_html_report_ends_with_the_account() -> None:
    page = report([GOOD, SHORT], write_html)
    account = page[page.index("<h2>Account</h2>") :]
    assert "does NOT add up (2026-05-02: 1 missing)" in account
    assert (
        '<th scope="row">2026-05-01</th><td>1,200</td><td>98 failed + 1,100 synced + 2 forgotten</td><td>yes</td>'
        in account
    )
    assert "<td>6 synced (1 missing)</td><td>NO</td>" in account
    assert "</table>\n</section>\n</main>\n<script>" in account


FINDINGS = [
    Finding(Check.DAY, None, "2026-05-02: 7 tracked, 6 accounted for"),
    Finding(Check.CALLS, "q\x1b[2J\n1", "m is synced at stage push, but the last attempt says: none"),
]


def test_findings_are_a_line_each_after_the_account_safe_for_a_terminal() -> None:
    out = io.StringIO()
    assert write_findings([SHORT], iter(FINDINGS), out) == 2
    lines = out.getvalue().splitlines()
    assert lines[:-2] == list(account_lines([SHORT]))
    assert lines[-2] == f"2026-05-02: 7 tracked, 6 accounted for; {ADVICE[Check.DAY]}"
    assert lines[-1].startswith(
        "q\N{REPLACEMENT CHARACTER}[2J 1: m is synced at stage push, but the last attempt says: none; "
    )
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("findings", [[], FINDINGS])
def test_findings_as_json(findings: list[Finding]) -> None:
    out = io.StringIO()
    assert write_findings_json([SHORT], iter(findings), out) == len(findings)
    told = json.loads(out.getvalue())
    assert list(told) == ["account", "findings"]
    assert told["account"][0]["adds_up"] is False
    assert told["findings"] == [
        {"check": f.check, "queue_id": f.queue_id, "finding": f.what, "advice": ADVICE[f.check]}
        for f in findings
    ]


def test_findings_are_written_as_they_come() -> None:
    out = io.StringIO()

    def coming() -> object:
        for n in range(3):
            assert out.getvalue().count("tracked, 6") == n + 1
            yield FINDINGS[0]

    assert write_findings([SHORT], coming(), out) == 3  # type: ignore[arg-type]


def test_every_finding_comes_with_advice() -> None:
    assert set(ADVICE) == set(Check)
