"""What an audit found, for people and for machines, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TextIO

from bridge.ports import Check, Day, Finding
from bridge.reports.account import account_lines, account_values
from bridge.reports.cells import one_line

LOOK: Final = (
    "look at the lead with `bridge show` and in LeadSquared; "
    "`bridge resync --refetch --force` with its queueId sends it again"
)
ADVICE: Final[Mapping[Check, str]] = MappingProxyType(
    {
        Check.FILE: "stop the service and restore a backup",
        Check.REFERENCE: "rows were deleted by hand: restore a backup",
        Check.DAY: "leads were deleted by hand: restore a backup, or hand that day's queueIds to `bridge enqueue` "
        "(those it knows change nothing)",
        Check.STATE: "the database was changed by hand: restore a backup",
        Check.UNMAPPED: "`bridge resync --refetch` with its queueId maps it again",
        Check.CALLS: LOOK,
        Check.REQUEST: LOOK,
        Check.SENDING: "start the service, or `bridge run --drain`: that puts it right",
        Check.TWICE: "an index was dropped by hand: stop the service and restore a backup",
    }
)


def write_findings(account: Sequence[Day], findings: Iterable[Finding], out: TextIO) -> int:
    """The account, then a line for each finding as it comes. Returns how many there were."""
    out.writelines(f"{line}\n" for line in account_lines(account))
    count = 0
    for finding in findings:
        count += 1
        whose = f"{finding.queue_id}: " if finding.queue_id else ""
        out.write(one_line(f"{whose}{finding.what}; {ADVICE[finding.check]}") + "\n")
    return count


def write_findings_json(account: Sequence[Day], findings: Iterable[Finding], out: TextIO) -> int:
    """One JSON object: account, findings. ASCII only. Returns how many findings there were."""
    out.write(json.dumps({"account": account_values(account)}, indent=2)[:-2] + ',\n  "findings": [')
    count, separator = 0, "\n    "
    for finding in findings:
        count += 1
        out.write(separator + json.dumps(_values(finding)))
        separator = ",\n    "
    out.write("\n  ]\n}\n")
    return count


def _values(finding: Finding) -> dict[str, str | None]:
    return {
        "check": finding.check,
        "queue_id": finding.queue_id,
        "finding": finding.what,
        "advice": ADVICE[finding.check],
    }
