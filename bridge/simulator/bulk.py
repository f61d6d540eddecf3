"""POST /v2/LeadManagement.svc/Lead/Bulk/UpdateV2 ("Update Leads in Bulk v2")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from bridge.model import Json
from bridge.simulator.crm import NOT_DONE, UNIQUE, canonical, unknown_attributes
from bridge.simulator.wire import BadCallError, Call, Reply, json_reply, mx_error
from bridge.simulator.world import World

MOST_LEADS: Final = 25
NOT_THERE: Final = "Lead does not exist in the system or You do not have permission to update the lead"
_BAD_BODY: Final = mx_error(
    400, "MXInvalidInputException", "The message body is not as per API specification"
)

Row = dict[str, str]


@dataclass
class _Outcome:
    """The reply while it is being made."""

    identifier: str
    push_unknown: bool
    total: int
    lists: dict[str, list[dict[str, str]]] = field(
        default_factory=lambda: {"SuccessfulLeads": [], "FailedLeads": [], "UnProcessedLeads": []}
    )

    def add(self, name: str, value: str, reason: str | None = None) -> None:
        entry = {"Identifier": self.identifier, "IdentifierValue": value}
        self.lists[name].append(entry if reason is None else {**entry, "Reason": reason})

    def reply(self, extra_successes: int) -> dict[str, Json]:
        """As printed: empty lists are absent, and UnProcessedCount too unless the option is on."""
        succeeded = len(self.lists["SuccessfulLeads"]) + extra_successes
        status: dict[str, Json] = {
            "TotalCount": self.total,
            "SuccessCount": succeeded,
            "FailureCount": len(self.lists["FailedLeads"]),
        }
        if self.push_unknown:
            status["UnProcessedCount"] = len(self.lists["UnProcessedLeads"])
        status["Message"] = "Processed" if succeeded else "Error"
        return {"Status": status, "Details": {name: rows for name, rows in self.lists.items() if rows}}


def bulk_update(world: World, call: Call) -> Reply:
    """Updates up to 25 leads, each for itself; a malformed body or an unknown attribute refuses the whole call."""
    body = call.json(_BAD_BODY)
    rows = _rows(body)
    search_by = _search_key(body)
    unknown = world.crm.unknown_names(name for row in rows if row for name in row)
    if unknown:
        refusal = unknown_attributes(unknown)
        return mx_error(500, refusal.kind, refusal.message)
    outcome = _Outcome(search_by or "ProspectId", _pushes_unknown(body), len(rows))
    key = search_by or "ProspectID"
    world.count_batch(key, (_identity(row, key) for row in rows if row))
    now = world.clock()
    for row in rows:
        _update_one(world, outcome, key, row, now)
    return json_reply(outcome.reply(_miscounted(world)))


def _rows(body: Json) -> list[Row | None]:
    leads = body.get("LeadPropertiesList") if isinstance(body, dict) else None
    if not isinstance(leads, list) or not leads:
        raise BadCallError(_BAD_BODY)
    if len(leads) > MOST_LEADS:
        text = f"A maximum of {MOST_LEADS} leads can be updated in one call"
        raise BadCallError(mx_error(500, "MXInvalidInputException", text))
    return [_row(lead) for lead in leads]


def _row(lead: Json) -> Row | None:
    """A lead's attributes, or None where it has no Fields (as in a flat list of attributes and values)."""
    if not isinstance(lead, dict):
        raise BadCallError(_BAD_BODY)
    fields = lead.get("Fields")
    if not fields:
        return None
    if not isinstance(fields, list):
        raise BadCallError(_BAD_BODY)
    return attributes(fields, _BAD_BODY)


def attributes(pairs: list[Json], refusal: Reply) -> Row:
    """Attribute/Value pairs as a dict. Raises BadCallError with `refusal` where one is not such a pair of texts."""
    row: Row = {}
    for pair in pairs:
        if not isinstance(pair, dict) or not isinstance(pair.get("Attribute"), str):
            raise BadCallError(refusal)
        value = pair.get("Value")
        if isinstance(value, (dict, list)):
            raise BadCallError(refusal)
        row[pair["Attribute"]] = "" if value is None else str(value)
    return row


def _search_key(body: Mapping[str, Json]) -> str:
    key = body.get("SearchByKey") or ""
    if key and canonical(key) not in UNIQUE:
        raise BadCallError(mx_error(500, "MXInvalidInputException", f"{key} is not a unique field"))
    return str(key)


def _pushes_unknown(body: Mapping[str, Json]) -> bool:
    options = body.get("Options") or {}
    return str(options.get("PushNonExistentLeadsToUnProcessedList", "")).lower() == "true"


def _identity(row: Row, key: str) -> str:
    return next((value for name, value in row.items() if canonical(name) == canonical(key)), "")


def _update_one(world: World, outcome: _Outcome, key: str, row: Row | None, now: float) -> None:
    if row is None:
        outcome.add("FailedLeads", "", "Fields cannot be empty")
        return
    value = _identity(row, key)
    if not value.strip():
        outcome.add("FailedLeads", "", f"{outcome.identifier} is not passed for the lead")
        return
    shown = _echoed(world, value)
    prospect = world.crm.find(canonical(key), value)
    if prospect is None or prospect in world.unwritable:
        outcome.add("UnProcessedLeads" if outcome.push_unknown else "FailedLeads", shown, NOT_THERE)
        return
    mishap = _mishap(world)
    refusal = NOT_DONE if mishap == "failed" else None
    if mishap in ("", "omitted"):
        changes = {name: text for name, text in row.items() if canonical(name) != canonical(key)}
        refusal = world.write("bulk", prospect, changes, now)
    if mishap in ("omitted", "dropped"):
        return
    if refusal:
        outcome.add("FailedLeads", shown, str(refusal))
    else:
        outcome.add("SuccessfulLeads", shown)


def _mishap(world: World) -> Literal["", "omitted", "dropped", "failed"]:
    """What goes wrong with one lead, to order or by rate: carried out or not and listed nowhere, or refused."""
    options = world.bulk
    if options.omit_next > 0:
        options.omit_next -= 1
        return "omitted"
    roll = world.rng.random() if options.omitted or options.failing else 1.0
    if roll >= options.omitted + options.failing:
        return ""
    options.mishaps += 1
    if roll >= options.omitted:
        return "failed"
    return "omitted" if options.mishaps % 2 else "dropped"


def _echoed(world: World, value: str) -> str:
    if world.bulk.echo == "sent":
        return value
    return world.rng.choice((value.upper(), value.lower(), f" {value}", f"{value.title()}  "))


def _miscounted(world: World) -> int:
    if world.bulk.miscount_next <= 0:
        return 0
    world.bulk.miscount_next -= 1
    return 1
