"""The report for a terminal: 100 columns wide, wider only where people are shown and their identifiers need it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final, TextIO

from rich.cells import cell_len

from bridge.reports.account import account_lines
from bridge.reports.cells import fitted, one_line
from bridge.reports.groups import MOST_LEADS, Group, Groups
from bridge.reports.report import Lead, Report

WIDTH: Final = 100
TITLES: Final = ("QUEUE ID", "MAPPING", "IDENTIFIER", "TRIES", "LAST (UTC)")
NUMBER: Final = "NO."
"""Of the delivery: `bridge resolve` takes it, so leads in doubt are shown with it."""
SHARED: Final = 33
"""Cells that the mapping and the identifier have between them."""
MOST_IDENTIFIER: Final = 21


def write_text(report: Report, out: TextIO, *, shown: int = MOST_LEADS) -> None:
    """Counts, then each group with its advice, its command and its first leads, at most `shown`; then the account."""
    groups = Groups()
    for lead in report.leads():
        groups.add(lead)
    out.writelines(line.rstrip() + "\n" for line in _lines(report, groups.largest_first(), shown))


def _lines(report: Report, groups: list[Group], shown: int) -> Iterator[str]:
    yield f"Failure report of {readable(report.made_at)} UTC"
    counts = ", ".join(f"{n:,} {state}" for state, n in report.states.items() if n) or "none"
    yield from _wrapped(f"{report.tracked:,} leads tracked: {counts}", "")
    if not groups:
        yield nothing_failed(report)
    for group in groups:
        yield ""
        yield from _group(group, group.leads[:shown], unmasked=report.unmasked)
    if groups:
        yield from ("", "What nobody wants to be retried goes off this report: bridge dismiss --help")
    yield ""
    yield from account_lines(report.account)


def _group(group: Group, leads: list[Lead], *, unmasked: bool) -> Iterator[str]:
    yield from _wrapped(f"{group.count:,} {group.state} at {group.stage}: {one_line(group.reason)}", "  ")
    yield from _wrapped(group.hint, "  ", "  ")
    yield f"  {one_line(group.resync)}"
    numbered = group.state == "in_doubt"
    rows = [_titles(numbered=numbered), *(_cells(lead, numbered=numbered) for lead in leads)]
    widths = _widths(rows, unmasked=unmasked)
    for row in rows:
        yield "  " + " ".join(fitted(cell, width) for cell, width in zip(row, widths, strict=True))
    if group.count > len(leads):
        yield f"  … and {group.count - len(leads):,} more: --format csv"


def _widths(rows: list[tuple[str, ...]], *, unmasked: bool) -> tuple[int, ...]:
    """The mapping's column is as wide as its longest name where there is room; who asked for people sees them whole."""
    mapping, identifier = (max(cell_len(one_line(row[column])) for row in rows) for column in (1, 2))
    if not unmasked:
        identifier = min(identifier, MOST_IDENTIFIER)
    numbered = [max(len(row[5]) for row in rows)] if len(rows[0]) > len(TITLES) else []
    shared = SHARED - sum(width + 1 for width in numbered)
    return 40, min(mapping, max(shared - identifier, shared - MOST_IDENTIFIER)), identifier, 5, 16, *numbered


def _titles(*, numbered: bool) -> tuple[str, ...]:
    return (*TITLES, NUMBER) if numbered else TITLES


def _cells(lead: Lead, *, numbered: bool) -> tuple[str, ...]:
    last = readable(lead.last_attempt_at)[:16] if lead.last_attempt_at else "never"
    told = (lead.queue_id, lead.mapping or "-", lead.identifier or "-", f"{lead.attempts:>5}", last)
    return (*told, "-" if lead.delivery is None else str(lead.delivery)) if numbered else told


def nothing_failed(report: Report) -> str:
    """What is said of a report without leads: of the time that it is about."""
    return f"Nothing failed since {readable(report.since)} UTC." if report.since else "Nothing failed."


def readable(iso: str) -> str:
    """`2026-01-02 03:04:05` of `2026-01-02T03:04:05Z`."""
    return iso.replace("T", " ").removesuffix("Z")


def _wrapped(text: str, later: str, first: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=later, break_on_hyphens=False)
