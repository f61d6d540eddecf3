"""What needs a person at this moment, for the status page: bounded, masked, with what a person may do about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bridge.model import Json
from bridge.ports import Failure
from bridge.reports.data import group_values, lead_values
from bridge.reports.groups import Group
from bridge.reports.reasons import gathered, reasons
from bridge.reports.report import Lead, build
from bridge.reports.table import leads_table
from bridge.reports.text import readable

MOST_READ: Final = 10_000
"""Leads that a listing reads, however many there are."""


@dataclass(frozen=True, slots=True)
class Listing:
    """`count` leads need a person, of which the newest `read` are in `ranked` (groups, largest first) and some in `rows`."""

    made_at: str
    count: int
    read: int
    ranked: Sequence[Group]
    rows: Sequence[tuple[Group, Lead]]


def listing(count: int, failures: Iterable[Failure], now: float, limit: int) -> Listing:
    """A listing made at `now` (epoch seconds) of these failures, with `limit` rows at least; what is in doubt has its row always.

    `failures`: the newest of `count`. People are masked.
    """
    report = build(failures, {}, now, account=())
    ranked, rows = gathered(report.leads(), limit, always="in_doubt")
    return Listing(report.made_at, count, sum(group.count for group in ranked), ranked, rows)


def listing_values(found: Listing) -> dict[str, Json]:
    """A listing as JSON values, leads and groups as in the report."""
    return {
        "generated_at": found.made_at,
        "count": found.count,
        "read": found.read,
        "leads": [lead_values(lead) for _, lead in found.rows],
        "groups": [group_values(group) for group in found.ranked],
    }


def listing_html(found: Listing) -> Iterator[str]:
    """A listing as a piece of a page, with buttons."""
    at = f'<time datetime="{found.made_at}">{readable(found.made_at)} UTC</time>'
    if not found.ranked:
        yield f"<p>Nothing needs a person. Read at {at}.</p>\n"
        return
    few = f"; the newest {found.read:,} of them are here" if found.read < found.count else ""
    yield f"<p>{_leads(found.count)} at {at}{few}. People are masked.</p>\n"
    yield from reasons(found.ranked, acting=True)
    yield from leads_table(found.ranked, found.rows, _extent(found), acting=True)


def _leads(count: int) -> str:
    return "1 delivery needs a person" if count == 1 else f"{count:,} deliveries need a person"


def _extent(found: Listing) -> str:
    shown = len(found.rows)
    if shown == found.count:
        return "All of them are in this table."
    return f"{shown:,} of {found.count:,} are in this table; <code>bridge report --format csv</code> has all."
