"""What LeadSquared says of leads that changed: pages of RecentlyModified. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from bridge.exchange import folded, text_of
from bridge.leadsquared.facts import number
from bridge.leadsquared.leads import listed, named, text
from bridge.leadsquared.requests import PAGE_SIZE
from bridge.model import Change, Json


@dataclass(frozen=True, slots=True)
class Changes:
    """The leads of one page, each once. `last`: no page follows. `nameless`: how many had no id, and are left out.

    `total`: how many all pages hold by `RecordCount`; None where it tells none, or fewer than there are up to this page.
    """

    changes: Sequence[Change]
    last: bool
    nameless: int
    total: int | None = None


def read_changes(body: Json, columns: Sequence[str], page: int, at: float) -> Changes:
    """A page that RecentlyModified gave. `at`: when a lead was modified that does not tell it (epoch seconds).

    `Leads` is missing where there are none. A lead is an object, or a list of attributes and values; of attributes only
    those asked for are kept (so neither `Total` nor `CanUpdate`), by the names they were asked by. Of a lead that is
    listed twice the newer look is kept. A page is the last where fewer rows came than fit, unless `RecordCount` says
    that more follow. Raises ServerFault for another shape.
    """
    rows = listed(body)
    found = [change for row in rows if (change := _change(named(row), columns, at))]
    told = int(number(folded(body).get("recordcount")) or 0)
    last = not rows or (len(rows) < PAGE_SIZE and page * PAGE_SIZE >= told)
    believed = told > 0 and (not rows or told >= (page - 1) * PAGE_SIZE + len(rows))
    return Changes(_newest(found), last, len(rows) - len(found), told if believed else None)


def _change(names: Mapping[str, Json], columns: Sequence[str], at: float) -> Change | None:
    prospect_id = text_of(names.get("prospectid"))
    if prospect_id is None:
        return None
    modified = _moment(text(names.get("modifiedon")))
    values = {column: text(names.get(column.lower())) for column in columns}
    return Change(prospect_id, at if modified is None else modified, values)


def _newest(changes: Iterable[Change]) -> Sequence[Change]:
    kept: dict[str, Change] = {}
    for change in changes:
        before = kept.setdefault(change.prospect_id.lower(), change)
        if change.modified_at > before.modified_at:
            kept[change.prospect_id.lower()] = change
    return tuple(kept.values())


def _moment(told: str) -> float | None:
    """Epoch seconds of `YYYY-MM-DD HH:MM:SS[.fff]`, which is UTC. A day alone, or one before 1970, tells no moment."""
    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        return None
    at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return at if ":" in told and at > 0 else None


def answered_at(headers: Mapping[str, str]) -> float | None:
    """LeadSquared's clock as it answered (epoch seconds), by the header `Date`; None without a readable one."""
    try:
        moment = parsedate_to_datetime(headers.get("date", ""))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
