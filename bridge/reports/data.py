"""The report for machines: JSON as the design prints it, and CSV for a spreadsheet."""

from __future__ import annotations

import csv
import json
import re
from typing import Final, TextIO
from unicodedata import normalize

from bridge.model import Json
from bridge.reports.account import account_values
from bridge.reports.cells import one_line
from bridge.reports.groups import Group, Groups
from bridge.reports.report import COLUMNS, Lead, Report

FORMULA: Final = ("=", "+", "-", "@", "|", "%")
WITHIN: Final = re.compile(r"(;\s*)(?=[-=+@|%\uff0b\uff05\uff0d\uff1d\uff20\uff5c])")
"""Where a cell would begin for a spreadsheet that takes the semicolon for the delimiter."""


def write_json(report: Report, out: TextIO) -> None:
    """One JSON object: generated_at, tracked, states, leads, groups, account. ASCII only."""
    head = {"generated_at": report.made_at, "tracked": report.tracked, "states": dict(report.states)}
    out.write(json.dumps(head, indent=2)[:-2] + ',\n  "leads": [')
    groups, separator = Groups(), "\n    "
    for lead in report.leads():
        groups.add(lead)
        out.write(separator + json.dumps(lead_values(lead)))
        separator = ",\n    "
    told = [group_values(group) for group in groups.largest_first()]
    account = json.dumps(account_values(report.account), indent=2)
    out.write(f'\n  ],\n  "groups": {json.dumps(told, indent=2)},\n  "account": {account}\n}}\n')


def lead_values(lead: Lead) -> dict[str, Json]:
    """A lead as JSON values."""
    return {name: getattr(lead, name) for name in COLUMNS}


def group_values(group: Group) -> dict[str, Json]:
    """A group as JSON values."""
    return {
        "reason": group.reason,
        "state": group.state,
        "stage": group.stage,
        "count": group.count,
        "hint": group.hint,
        "resync": group.resync,
        "first_seen": group.first_seen,
        "last_seen": group.last_seen,
    }


def write_csv(report: Report, out: TextIO) -> None:
    """A row for each lead, the columns as in JSON. No cell is a formula to a spreadsheet."""
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows([_cell(lead, name) for name in COLUMNS] for lead in report.leads())


def _cell(lead: Lead, name: str) -> str | int:
    value = getattr(lead, name)
    if not isinstance(value, str):
        return "" if value is None else int(value)
    told = WITHIN.sub(r"\1'", one_line(value))
    first = normalize("NFKC", told.lstrip()[:1])  # wide signs count as theirs
    return f"'{told}" if first.startswith(FORMULA) or value.startswith(("\t", "\r")) else told
