"""The report as one HTML page that needs nothing else: no address, no network; light, dark, printed, and read aloud."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TextIO

from bridge.ports import Day
from bridge.reports.account import folded, summands, total
from bridge.reports.chart import MOST_DAYS, chart
from bridge.reports.frame import FOOT, HEAD, safe, sentence, words
from bridge.reports.reasons import gathered, reasons
from bridge.reports.report import Report
from bridge.reports.table import LEAST_ROWS, MOST_ROWS, leads_table
from bridge.reports.text import nothing_failed, readable

ALWAYS: Final = frozenset({"synced", "failed", "unprocessed"})
DAY_TITLES: Final = ("Day", "Tracked", "Where they stand", "Adds up")
MASKED: Final = "People are masked."
UNMASKED: Final = "People are shown in full on this page: pass it on to nobody who may not see them."


def write_html(report: Report, out: TextIO) -> None:
    """Headline numbers, the chart, each reason with its advice and its command, the leads, the account.

    However many leads there are, no more of them are held than the table shows.
    """
    ranked, rows = gathered(report.leads(), MOST_ROWS)
    out.write(HEAD)
    out.writelines(_opening(report, failed=bool(ranked)))
    if report.account:
        out.writelines(_figure(report))
    if ranked:
        out.writelines(reasons(ranked))
        out.writelines(leads_table(ranked, rows, _extent(sum(group.count for group in ranked), len(rows))))
    out.writelines(account_table(report.account))
    out.write(FOOT)


def _opening(report: Report, *, failed: bool) -> Iterator[str]:
    at = f'<time datetime="{report.made_at}">{readable(report.made_at)} UTC</time>'
    yield f'<header>\n<h1>Failure report</h1>\n<p class="soft">{at}</p>\n'
    yield f'<p class="warning">{UNMASKED}</p>\n' if report.unmasked else f'<p class="soft">{MASKED}</p>\n'
    if failed:
        yield '<nav aria-label="On this page"><a href="#reasons">Reasons</a><a href="#all-leads">Leads</a>'
        yield '<a href="#account">Account</a></nav>\n'
    yield f'</header>\n<main>\n<ul class="numbers">\n<li><strong>{report.tracked:,}</strong> tracked</li>\n'
    for state, n in report.states.items():
        if n or state in ALWAYS:
            yield f"<li><strong>{n:,}</strong> {words(state)}</li>\n"
    yield "</ul>\n" if failed else f"</ul>\n<p>{nothing_failed(report)}</p>\n"


def _figure(report: Report) -> Iterator[str]:
    yield '<h2 id="days">By day of tracking (UTC)</h2>\n<figure>\n'
    yield from chart(report.account, report.made_at[:10])
    yield "</figure>\n"


def _extent(count: int, shown: int) -> str:
    where = "in the CSV report (<code>latest.csv</code> beside this page, or <code>bridge report --format csv</code>)"
    if shown == count:
        return f"Each lead's own command is {where}."
    first = f"The first {MOST_ROWS:,} of {count:,} leads are here"
    return f"{first}, and at least {LEAST_ROWS} of each reason. All of them are {where}."


def account_table(account: Sequence[Day]) -> Iterator[str]:
    """The account of the last 30 days, in words and as a table."""
    yield f'<section id="account">\n<h2>Account</h2>\n<p>{sentence(total(account))}</p>\n'
    yield '<table class="account">\n<caption>By day of tracking (UTC)</caption>\n<thead><tr>'
    yield "".join(f'<th scope="col">{title}</th>' for title in DAY_TITLES)
    yield "</tr></thead>\n<tbody>\n"
    for day in folded(account, MOST_DAYS):
        cells = (f"{day.tracked:,}", summands(day), "yes" if day.adds_up else "NO")
        rest = "".join(f"<td>{safe(cell)}</td>" for cell in cells)
        yield f'<tr><th scope="row">{safe(day.day)}</th>{rest}</tr>\n'
    yield "</tbody>\n</table>\n</section>\n"
