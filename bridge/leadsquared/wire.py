"""LeadSquared's API v2 as values: all that builds requests and reads answers, under one name. Pure.

What became of single leads is read here; requests are built in `requests`, failures of whole calls judged in
`verdict`, what LeadSquared tells about itself read in `facts`, and what changed there in `changes`.
Pages: "Update Leads in Bulk v2", "Update a Lead (Async)".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bridge.errors import ServerFault
from bridge.exchange import folded, lenient, one_line, text_of
from bridge.leadsquared.changes import answered_at, read_changes
from bridge.leadsquared.facts import FieldInfo, Metrics, read_lead, read_leads, read_metadata, read_metrics
from bridge.leadsquared.requests import (
    PAGE_SIZE,
    Keys,
    async_request,
    base_url,
    bulk_request,
    changes_request,
    key_of,
    metadata_request,
    metrics_request,
    read_back_request,
    status_request,
    whoami_request,
)
from bridge.leadsquared.verdict import NO_LEAD, WHO, says_no_lead, verdict
from bridge.model import Delivery, Json, Kind, Outcome, State

__all__ = [
    "NO_LEAD",
    "PAGE_SIZE",
    "WHO",
    "BulkAnswer",
    "FieldInfo",
    "Keys",
    "Metrics",
    "answered_at",
    "async_request",
    "base_url",
    "bulk_request",
    "changes_request",
    "is_forgotten",
    "key_of",
    "metadata_request",
    "metrics_request",
    "read_async",
    "read_back_request",
    "read_bulk",
    "read_changes",
    "read_lead",
    "read_leads",
    "read_metadata",
    "read_metrics",
    "read_status",
    "says_no_lead",
    "status_request",
    "verdict",
    "whoami_request",
]

_LISTS: Final = ("failedleads", "unprocessedleads", "successfulleads")
_COUNTS: Final = {
    "failedleads": "failurecount",
    "unprocessedleads": "unprocessedcount",
    "successfulleads": "successcount",
}
MOST_DIGITS: Final = 10
ABOUT_THE_CALLER: Final = frozenset({401, 403, 429})
"""HTTP statuses that speak of keys and limits, whatever the body says of a request."""

_FORGOTTEN = re.compile(
    r"request\s*id\b.{0,60}(?:not found|does ?n[o']t exist|invalid|expired|unknown|not valid)"
    r"|(?:no|invalid|unknown|expired)\s+(?:such\s+)?request\s*id|no (?:record|task|request)s? found",
    re.IGNORECASE | re.DOTALL,
)
_FAILED_WORDS: Final = frozenset({"failure", "failed", "fail", "error"})


@dataclass(frozen=True, slots=True)
class BulkAnswer:
    """An outcome for each lead of a batch, in its order. `warning`: how counts and lists disagree, or None."""

    outcomes: Sequence[Outcome]
    warning: str | None = None


def read_bulk(body: Json, batch: Sequence[Delivery]) -> BulkAnswer:
    """What became of each lead of a batch, by the lists; values are compared trimmed and in any case.

    A lead in two lists is not taken for updated, nor is one in no list, nor any listed success where the answer counts
    fewer successes than it lists. Raises ServerFault for another shape.
    """
    if not isinstance(body, dict):
        raise ServerFault(f"{WHO} answered a bulk update with something else than an object")
    status, details = folded(folded(body).get("status")), folded(folded(body).get("details"))
    lists = {name: _listed(details.get(name)) for name in _LISTS}
    warning = _mismatch(status, lists, len(batch))
    successes = _count(status.get("successcount"))
    if successes is not None and successes < len(lists["successfulleads"]):
        lists["successfulleads"] = {}
    unlisted = Outcome(Kind.UNLISTED, _unlisted(status))
    return BulkAnswer([_outcome(lists, _fold(one.lookup)) or unlisted for one in batch], warning)


def _listed(entries: Json) -> dict[str, str]:
    """Reasons by folded identifier value; the first of a value listed twice."""
    found: dict[str, str] = {}
    for entry in entries if isinstance(entries, list) else ():
        names = folded(entry)
        value = text_of(names.get("identifiervalue"))
        if value:
            found.setdefault(_fold(value), one_line(text_of(names.get("reason")) or ""))
    return found


def _outcome(lists: Mapping[str, Mapping[str, str]], value: str) -> Outcome | None:
    failed = lists["failedleads"].get(value)
    if failed is not None:
        kind = Kind.UNKNOWN_LEAD if NO_LEAD.search(failed) else Kind.REJECTED
        return Outcome(kind, failed or f"{WHO} gave no reason", listed=State.FAILED)
    unknown = lists["unprocessedleads"].get(value)
    if unknown is not None:
        return Outcome(Kind.UNKNOWN_LEAD, unknown or f"{WHO} gave no reason", listed=State.UNPROCESSED)
    return Outcome(Kind.SYNCED) if value in lists["successfulleads"] else None


def _unlisted(status: Mapping[str, Json]) -> str:
    words = one_line(text_of(status.get("message")) or "")
    return f"{WHO}'s answer does not name this lead" + (f" ({words})" if words else "")


def _mismatch(status: Mapping[str, Json], lists: Mapping[str, Mapping[str, str]], sent: int) -> str | None:
    told = {name: _count(status.get(count)) for name, count in _COUNTS.items()}
    wrong = [
        f"{count} is {told[name]}, {len(lists[name])} listed"
        for name, count in _COUNTS.items()
        if told[name] is not None and told[name] != len(lists[name])
    ]
    listed = sum(map(len, lists.values()))
    if listed != sent:
        wrong.append(f"{sent} sent, {listed} listed")
    return "; ".join(wrong) or None


def _count(value: Json) -> int | None:
    text = text_of(value) or ""
    return int(text) if text.isdecimal() and len(text) < MOST_DIGITS else None


def _fold(value: str) -> str:
    return value.strip().casefold()


def read_async(body: Json) -> Outcome:
    """SUBMITTED with the RequestID of an accepted update. Raises ServerFault where there is none."""
    request_id = text_of(folded(body).get("requestid"))
    if not request_id:
        raise ServerFault(f"{WHO} answered an async update without a RequestID")
    return Outcome(Kind.SUBMITTED, request_id=request_id)


def is_forgotten(text: str) -> bool:
    """Whether the status API's answer, of a status not in ABOUT_THE_CALLER, says that it does not know the RequestID."""
    body = folded(lenient(text))
    said = " ".join(
        text_of(value) or "" for name, value in body.items() if name not in {"requestid", "taskstatus"}
    )
    return bool(_FORGOTTEN.search(said)) and not body.get("taskstatus")


def read_status(body: Json) -> Outcome:
    """What the status API says of an async update: SYNCED, REJECTED, or QUEUED for every word it is not known to end with.

    `Message` may be an object, text, JSON in text, or null; a success whose message tells of an error, or of no
    affected row, is none.
    """
    task = _opened(folded(body).get("taskstatus", body))
    names = folded(task)
    word = (text_of(names.get("status") if names else task) or "").lower()
    inner = _opened(names.get("message"))
    if word in _FAILED_WORDS or (word == "success" and _tells_of_error(inner)):
        return Outcome(Kind.REJECTED, _reason(names, inner))
    if word != "success":
        return Outcome(Kind.QUEUED, one_line(word))
    if _affected_rows(inner) == "0":
        return Outcome(Kind.REJECTED, f"{WHO} reports success, but changed no lead (AffectedRows 0)")
    return Outcome(Kind.SYNCED)


def _opened(value: Json) -> Json:
    """The value inside JSON in text, however often it was wrapped."""
    while isinstance(value, str):
        inner = lenient(value)
        if not isinstance(inner, dict | list | str) or inner == value:
            break
        value = inner
    return value


def _tells_of_error(inner: Json) -> bool:
    names = folded(inner)
    word = (text_of(names.get("status")) or "").lower()
    return bool(names.get("exceptiontype")) or word in _FAILED_WORDS


def _affected_rows(inner: Json) -> str | None:
    names = folded(inner)
    return text_of({**names, **folded(_opened(names.get("message")))}.get("affectedrows"))


def _reason(names: Mapping[str, Json], inner: Json) -> str:
    """LeadSquared's own words for why an async update failed."""
    told = folded(inner)
    message = _opened(told.get("message"))
    reason = names.get("statusreason")
    for said in (told.get("exceptionmessage"), message, inner, reason, told.get("exceptiontype")):
        words = one_line(text_of(said) or "")
        if words:
            return words
    return f"{WHO} gave no reason"
