"""The JSON Schema (draft 7, which editors know) of a mapping file, made of what the loader itself goes by.

It says what JSON Schema can say: keys, kinds, choices, and what may not stand together. Whether a path is one, a test passes
or a field exists in LeadSquared is for `bridge check`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.mapping.feedback import AMOUNTS
from bridge.mapping.feedback_loading import (
    ACTIONS,
    DELIVERY,
    FIELD_NAME,
    ID,
    PLAIN,
    REPROCESS,
)
from bridge.mapping.feedback_loading import KEYS as FEEDBACK_KEYS
from bridge.mapping.feedback_trials import IDS, LEARNED, NESTED, NOTHING
from bridge.mapping.loading import (
    COMMON,
    DIRECTIONS,
    KEYS,
    LEADSQUARED_KEYS,
    MISSING_LEADS,
    MODES,
    SCHEMA_NAME,
)
from bridge.mapping.names import NAMES
from bridge.mapping.rules import FORWARD, Place
from bridge.mapping.schema_rules import (
    RAW,
    REFUSED,
    TEXT,
    TEXTS,
    Schema,
    choice,
    flag,
    needs_one_of,
    path,
    rule,
    said,
    table,
    yes,
)
from bridge.mapping.trials import KEYS as TRIAL_KEYS
from bridge.mapping.trials import SKIPPED
from bridge.operation import ACTION, FINANCIALS_KEYS, LEAD_ID, QUARANTINE_ID, TRIGGER

if TYPE_CHECKING:
    from bridge.model import Json

DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_ANY: Final = Place(None)
_REST: Final = tuple(action for action in ACTIONS if action != REPROCESS)
_DECIDES: Final = ("update", ACTION, TRIGGER, "financials")


def mapping_schema() -> Schema:
    """Of both directions; which one a file is, its `direction` says."""
    backward = {"properties": {"direction": {"const": DIRECTIONS[1]}}, "required": ["direction"]}
    return {
        "$schema": DRAFT,
        "title": "A mapping file of the bridge between LeadByte and LeadSquared",
        "type": "object",
        "required": ["version"],
        "if": backward,
        "then": {"$ref": "#/definitions/feedback"},
        "else": {"$ref": "#/definitions/forward"},
        "definitions": {
            "forward": _forward(),
            "feedback": _feedback(),
            "field": rule(FORWARD),
            "update": rule(_ANY),
            "money": {"anyOf": [{"type": "number", "minimum": 0}, rule(PLAIN)]},
            "id": {"anyOf": [{"type": "null"}, rule(ID)]},
        },
    }


def _common(names: Place, tests: Schema) -> dict[str, Json]:
    told = {
        "version": said({"enum": [1, "1"]}, "Must be there."),
        "direction": said(
            choice(DIRECTIONS), "forward (default): LeadByte to LeadSquared. feedback: the way back."
        ),
        "when": said(path(names.names), "A JMESPath; leads for which it is false are skipped."),
        "tests": said({"type": "array", "items": tests}, "Examples that `bridge check` runs."),
    }
    return {key: told[key] for key in COMMON}


def _forward() -> Schema:
    told = {
        "leadsquared": said(_leadsquared(), "How LeadSquared is told."),
        "fields": said(
            {
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"pattern": f"^{SCHEMA_NAME.pattern}$"},
                "additionalProperties": {"$ref": "#/definitions/field"},
            },
            "LeadSquared schema name: where its value comes from.",
        ),
    }
    properties = _common(FORWARD, _trial(_given_reply(), _expected_fields())) | told
    return table({key: properties[key] for key in KEYS}, required=["fields"])


def _leadsquared() -> Schema:
    told = {
        "mode": said(choice(MODES), "bulk (default): many leads in a call. async: one, confirmed later."),
        "search_by": said(TEXTS, "bulk: the field LeadSquared finds the lead by, or a list tried in order."),
        "missing_leads": said(choice(MISSING_LEADS), "bulk: what leads are that LeadSquared does not know."),
        "trigger_automation": said(flag(), "async: LeadSquared's automations, webhooks and rules fire."),
    }
    fires = {"required": ["trigger_automation"], "properties": {"trigger_automation": yes()}}
    by_async = {"required": ["mode"], "properties": {"mode": {"const": "async"}}}
    return table({key: told[key] for key in LEADSQUARED_KEYS}, **{"if": fires, "then": by_async})


def _trial(given: Schema, expect: Schema, **more: Schema) -> Schema:
    told = {
        "name": TEXT,
        "given": said(given, "The part of the lead that the test needs."),
        "expect": said(expect, "All that is sent, or skipped."),
        "error": said(TEXT, "A part of the reason why the lead can't be mapped."),
    }
    either = [{"required": ["expect"]}, {"required": ["error"]}]
    return table({key: told[key] for key in TRIAL_KEYS} | more, required=["given"], oneOf=either)


def _given_reply() -> Schema:
    return table(dict.fromkeys(NAMES, True))


def _expected_fields() -> Schema:
    return {"anyOf": [{"const": SKIPPED}, {"type": "object", "additionalProperties": RAW}]}


def _feedback() -> Schema:
    told = {
        LEAD_ID: said({"$ref": "#/definitions/id"}, "The column with the id of a valid lead, or: learned."),
        QUARANTINE_ID: said({"$ref": "#/definitions/id"}, "The same for a lead in quarantine."),
        "update": said(
            {
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"pattern": f"^{FIELD_NAME.pattern}$"},
                "additionalProperties": {"$ref": "#/definitions/update"},
            },
            "LeadByte field: where its value comes from.",
        ),
        ACTION: said(choice(ACTIONS), "reprocess a valid lead; release or reject one in quarantine."),
        TRIGGER: said(_deliveries(), "Ids of deliveries that the REST API may trigger."),
        "financials": said(
            table(
                {key: {"$ref": "#/definitions/money"} for key in FINANCIALS_KEYS}, anyOf=needs_one_of(AMOUNTS)
            ),
            "What is to stand there: payout, revenue, and buyer (BID).",
        ),
        "dry_run": said(flag(), "true: what would be sent is recorded, and nothing is sent."),
    }
    properties = _common(_ANY, _feedback_trial()) | {key: told[key] for key in FEEDBACK_KEYS}
    return table(
        properties,
        oneOf=needs_one_of(IDS),
        anyOf=needs_one_of(_DECIDES),
        dependencies={
            LEAD_ID: {"properties": {ACTION: {"const": REPROCESS}}},
            QUARANTINE_ID: {
                "properties": {ACTION: choice(_REST), TRIGGER: REFUSED, "financials": REFUSED},
            },
            TRIGGER: ["update"],
            ACTION: {"anyOf": [{"required": ["update"]}, {"properties": {ACTION: choice(_REST)}}]},
        },
    )


def _deliveries() -> Schema:
    one: Schema = {
        "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": f"^{DELIVERY.pattern}$"}]
    }
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1, "uniqueItems": True}]}


def _feedback_trial() -> Schema:
    texts: Schema = {"type": "object", "additionalProperties": RAW}
    told: dict[str, Json] = dict.fromkeys(NESTED, texts)
    told[TRIGGER] = {"anyOf": [RAW, {"type": "array", "items": TEXT, "minItems": 1, "uniqueItems": True}]}
    expect: Schema = {
        "anyOf": [
            {"enum": [SKIPPED, NOTHING]},
            {"type": "object", "properties": told, "additionalProperties": RAW},
        ]
    }
    return _trial(texts, expect, **{LEARNED: table(dict.fromkeys(IDS, RAW))})
