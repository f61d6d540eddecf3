"""The report as one HTML page that needs nothing else: no script, no address, light and dark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final, TextIO

from bridge.ports import Day
from bridge.reports.account import folded, summands, total
from bridge.reports.cells import one_line
from bridge.reports.groups import Group, Groups
from bridge.reports.report import Report
from bridge.reports.text import readable

HEAD: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Failure report</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
ul { display: flex; flex-wrap: wrap; gap: .5rem 2rem; list-style: none; padding: 0; }
strong { font-size: 1.5rem; }
code, td { overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; }
th, td { border-bottom: 1px solid color-mix(in srgb, currentcolor 25%, transparent); padding: .25rem .5rem; text-align: left; }
</style>
</head>
<body>
<main>
"""
FOOT: Final = "</main>\n</body>\n</html>\n"
TITLES: Final = ("QueueId", "Mapping", "Identifier", "Attempts", "Last attempt (UTC)", "Reason")
DAY_TITLES: Final = ("Day", "Tracked", "Where they stand", "Adds up")


def write_html(report: Report, out: TextIO) -> None:
    """Headline counts, each group with its advice, its command and its first leads, the account."""
    groups = Groups()
    for lead in report.leads():
        groups.add(lead)
    out.write(HEAD)
    out.write(f"<h1>Failure report</h1>\n<p>{_text(readable(report.made_at))} UTC</p>\n<ul>\n")
    out.write(f"<li><strong>{report.tracked:,}</strong> tracked</li>\n")
    out.writelines(
        f"<li><strong>{n:,}</strong> {_text(state)}</li>\n" for state, n in report.states.items() if n
    )
    out.write("</ul>\n" if groups else "</ul>\n<p>Nothing failed.</p>\n")
    for group in groups.largest_first():
        out.writelines(_section(group))
    out.writelines(_account(report.account))
    out.write(FOOT)


def _section(group: Group) -> Iterator[str]:
    yield f"<h2>{group.count:,} {_text(group.state)} at {_text(group.stage)}: {_text(group.reason)}</h2>\n"
    yield f"<p>{_text(group.hint)}</p>\n<p><code>{_text(group.resync)}</code></p>\n"
    more = group.count - len(group.leads)
    shown = f"The first {len(group.leads)}; {more:,} more are in the CSV report" if more else "All of them"
    yield f"<table>\n<caption>{shown}</caption>\n<thead><tr>"
    numbered = group.state == "in_doubt"
    titles = (*TITLES, "Delivery") if numbered else TITLES
    yield "".join(f'<th scope="col">{title}</th>' for title in titles)
    yield "</tr></thead>\n<tbody>\n"
    for lead in group.leads:
        last = readable(lead.last_attempt_at) if lead.last_attempt_at else "never"
        rest = (lead.mapping or "", lead.identifier or "", str(lead.attempts), last, lead.reason)
        number = ("" if lead.delivery is None else str(lead.delivery),) if numbered else ()
        cells = "".join(f"<td>{_text(cell)}</td>" for cell in (*rest, *number))
        yield f'<tr><th scope="row">{_text(lead.queue_id)}</th>{cells}</tr>\n'
    yield "</tbody>\n</table>\n"


def _account(account: Sequence[Day]) -> Iterator[str]:
    yield f"<h2>Account</h2>\n<p>{_text(total(account))}</p>\n"
    yield "<table>\n<caption>By day of tracking (UTC)</caption>\n<thead><tr>"
    yield "".join(f'<th scope="col">{title}</th>' for title in DAY_TITLES)
    yield "</tr></thead>\n<tbody>\n"
    for day in folded(account):
        cells = (f"{day.tracked:,}", summands(day), "yes" if day.adds_up else "NO")
        rest = "".join(f"<td>{_text(cell)}</td>" for cell in cells)
        yield f'<tr><th scope="row">{_text(day.day)}</th>{rest}</tr>\n'
    yield "</tbody>\n</table>\n"


def _text(text: str) -> str:
    return escape(one_line(text))
