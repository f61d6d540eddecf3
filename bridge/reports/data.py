"""The report for machines: JSON as the design prints it, and CSV for a spreadsheet."""

from __future__ import annotations

import csv
import json
from typing import TextIO

from bridge.reports.cells import one_line
from bridge.reports.groups import Group, Groups
from bridge.reports.report import COLUMNS, Lead, Report

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_json(report: Report, out: TextIO) -> None:
    """One JSON object: generated_at, tracked, states, leads, groups. ASCII only."""
    head = {"generated_at": report.made_at, "tracked": report.tracked, "states": dict(report.states)}
    out.write(json.dumps(head, indent=2)[:-2] + ',\n  "leads": [')
    groups, separator = Groups(), "\n    "
    for lead in report.leads():
        groups.add(lead)
        out.write(separator + json.dumps({name: getattr(lead, name) for name in COLUMNS}))
        separator = ",\n    "
    told = [_group(group) for group in groups.largest_first()]
    out.write(f'\n  ],\n  "groups": {json.dumps(told, indent=2)}\n}}\n')


def _group(group: Group) -> dict[str, str | int]:
    return {
        "reason": group.reason,
        "state": group.state,
        "stage": group.stage,
        "count": group.count,
        "hint": group.hint,
        "resync": group.resync,
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
    return one_line(f"'{value}" if value.startswith(FORMULA) else value)
