"""The report for a terminal, 100 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final, TextIO

from bridge.reports.cells import fitted, one_line
from bridge.reports.groups import Group, Groups
from bridge.reports.report import Lead, Report

WIDTH: Final = 100
TABLE: Final = (("QUEUE ID", 40), ("MAPPING", 12), ("IDENTIFIER", 21), ("TRIES", 5), ("LAST (UTC)", 16))


def write_text(report: Report, out: TextIO) -> None:
    """Counts, then each group with its advice, its command and its first leads."""
    groups = Groups()
    for lead in report.leads():
        groups.add(lead)
    out.writelines(line.rstrip() + "\n" for line in _lines(report, groups.largest_first()))


def _lines(report: Report, groups: list[Group]) -> Iterator[str]:
    yield f"Failure report of {readable(report.made_at)} UTC"
    counts = ", ".join(f"{n:,} {state}" for state, n in report.states.items() if n) or "none"
    yield from _wrapped(f"{report.tracked:,} leads tracked: {counts}", "")
    if not groups:
        yield "Nothing failed."
    for group in groups:
        yield ""
        yield from _group(group)


def _group(group: Group) -> Iterator[str]:
    yield from _wrapped(f"{group.count:,} {group.state} at {group.stage}: {one_line(group.reason)}", "  ")
    yield from _wrapped(group.hint, "  ", "  ")
    yield f"  {one_line(group.resync)}"
    yield "  " + " ".join(fitted(title, width) for title, width in TABLE)
    for lead in group.leads:
        yield "  " + " ".join(
            fitted(cell, width) for cell, (_, width) in zip(_cells(lead), TABLE, strict=True)
        )
    if group.count > len(group.leads):
        yield f"  … and {group.count - len(group.leads):,} more: --format csv"


def _cells(lead: Lead) -> tuple[str, ...]:
    last = readable(lead.last_attempt_at)[:16] if lead.last_attempt_at else "never"
    return lead.queue_id, lead.mapping or "-", lead.identifier or "-", f"{lead.attempts:>5}", last


def readable(iso: str) -> str:
    """`2026-01-02 03:04:05` of `2026-01-02T03:04:05Z`."""
    return iso.replace("T", " ").removesuffix("Z")


def _wrapped(text: str, later: str, first: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=later, break_on_hyphens=False)
