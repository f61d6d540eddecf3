"""The failure report: which leads failed, are unprocessed, in doubt or expired, why, and what to do about it."""

from bridge.reports.account import account_lines, account_values, total
from bridge.reports.cells import one_line
from bridge.reports.data import write_csv, write_json
from bridge.reports.findings import write_findings, write_findings_json
from bridge.reports.groups import Group
from bridge.reports.listing import MOST_READ, Listing, listing, listing_html, listing_values
from bridge.reports.masking import mask, mask_reason
from bridge.reports.operations import operation_words
from bridge.reports.ours import own_words, side_words
from bridge.reports.page import write_html
from bridge.reports.report import Lead, Report, build, iso
from bridge.reports.text import write_text

__all__ = [
    "MOST_READ",
    "Group",
    "Lead",
    "Listing",
    "Report",
    "account_lines",
    "account_values",
    "build",
    "iso",
    "listing",
    "listing_html",
    "listing_values",
    "mask",
    "mask_reason",
    "one_line",
    "operation_words",
    "own_words",
    "side_words",
    "total",
    "write_csv",
    "write_findings",
    "write_findings_json",
    "write_html",
    "write_json",
    "write_text",
]
