"""POST /v2/LeadManagement.svc/Leads.RecentlyModified ("Get Leads by Date Range")."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import formatdate
from typing import Any, Final

from bridge.model import Json
from bridge.simulator.crm import Crm, canonical
from bridge.simulator.wire import BadCallError, Call, Reply, json_reply, mx_error
from bridge.simulator.world import World

MOST_ROWS: Final = 5000
_BAD_BODY: Final = mx_error(
    400, "MXInvalidInputException", "The message body is not as per API specification"
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """`start` and `end` in epoch seconds; `column`: what to sort by, "" for nothing; `page` from 1."""

    start: float
    end: float
    columns: Sequence[str]
    page: int
    size: int
    column: str
    descending: bool


def recently_modified(world: World, call: Call) -> Reply:
    """The leads whose last modification lies in a window, of which both ends belong to it.

    It is found by the moment as it is stored, to the microsecond: what was modified at 12:00:05.7 is not in a window that
    ends with 12:00:05, though 12:00:05.000 is what is shown. Rows that are equal by the column they are sorted by, and all
    without one, come in another order each time. `Leads` is absent where there are none.
    """
    asked = _asked(call.json(_BAD_BODY), world.crm)
    found = [prospect for prospect, at in world.crm.modified.items() if asked.start <= at <= asked.end]
    world.disorder.shuffle(found)
    if asked.column:
        found.sort(key=_key(world.crm, asked.column), reverse=asked.descending)
    page = found[(asked.page - 1) * asked.size : asked.page * asked.size]
    shown = [_shown(world, prospect, asked.columns, len(found)) for prospect in page]
    reply = json_reply({"RecordCount": len(found), **({"Leads": shown} if shown else {})})
    # By the world's clock, like the times in it.
    return replace(reply, headers={"Date": formatdate(world.clock(), usegmt=True)})


def _asked(body: Json, crm: Crm) -> _Asked:
    try:
        asked = _read(body)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadCallError(_BAD_BODY) from None
    if asked.page < 1 or not 1 <= asked.size <= MOST_ROWS:
        raise _invalid(f"PageIndex must be at least 1 and PageSize from 1 to {MOST_ROWS}")
    if asked.column and asked.column not in crm.schema:
        raise _invalid(f"ColumnName {asked.column} does not exist")
    return asked


def _read(body: Json) -> _Asked:
    """Raises KeyError, TypeError, ValueError or AttributeError where it is not of the page's form."""
    parameter, paging, sorting = body["Parameter"], body.get("Paging") or {}, body.get("Sorting") or {}
    listed = (body.get("Columns") or {}).get("Include_CSV") or ""
    return _Asked(
        start=_moment(parameter, "FromDate"),
        end=_moment(parameter, "ToDate"),
        columns=[canonical(name.strip()) for name in listed.split(",") if name.strip()],
        page=int(paging.get("PageIndex", 1)),
        size=int(paging.get("PageSize", 100)),
        column=canonical(str(sorting.get("ColumnName") or "")),
        descending=str(sorting.get("Direction", "1")) != "1",
    )


def _moment(parameter: Mapping[str, Json], name: str) -> float:
    try:
        return datetime.strptime(parameter[name], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except (KeyError, ValueError):
        raise _invalid(f"{name} must be given as YYYY-MM-DD HH:MM:SS") from None


def _invalid(message: str) -> BadCallError:
    return BadCallError(mx_error(500, "MXInvalidInputException", message))


def _key(crm: Crm, column: str) -> Callable[[str], Any]:
    """How rows are sorted: numbers by size, ModifiedOn by the hidden moment, all else by its text."""
    if column == "ModifiedOn":
        return lambda prospect: crm.modified[prospect]
    if crm.schema[column].kind == "Number":
        return lambda prospect: Decimal(crm.leads[prospect].get(column, "0"))
    return lambda prospect: crm.leads[prospect].get(column, "").casefold()


def _shown(world: World, prospect: str, columns: Sequence[str], total: int) -> dict[str, Json]:
    """A row: the columns asked for (all where none were) and ProspectID, then what is no field at all."""
    values = world.crm.flat(prospect, columns)
    pseudo = {"CanUpdate": "false" if prospect in world.unwritable else "true", "Total": str(total)}
    pairs = {**values, **pseudo}.items()
    return {"LeadPropertyList": [{"Attribute": name, "Value": value} for name, value in pairs]}
