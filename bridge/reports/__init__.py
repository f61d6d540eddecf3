"""The failure report: which leads failed, are unprocessed, in doubt or expired, why, and what to do about it."""

from bridge.reports.cells import one_line
from bridge.reports.data import write_csv, write_json
from bridge.reports.groups import Group
from bridge.reports.masking import mask
from bridge.reports.page import write_html
from bridge.reports.report import Lead, Report, build
from bridge.reports.text import write_text

__all__ = [
    "Group",
    "Lead",
    "Report",
    "build",
    "mask",
    "one_line",
    "write_csv",
    "write_html",
    "write_json",
    "write_text",
]
