"""JSON Schema of single values and of one field's rule, made of what the loader itself goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from phonenumbers import SUPPORTED_REGIONS

from bridge.mapping.convert import CONTROL
from bridge.mapping.kinds import OWNERS
from bridge.mapping.names import NAMES
from bridge.mapping.paths import MAX_PATH
from bridge.mapping.rules import EMPTY, ONLY_WITH_FROM, OTHERWISE
from bridge.mapping.spec import FLAGS, MAX_DIGITS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from bridge.mapping.rules import Place
    from bridge.model import Json

Schema: TypeAlias = "dict[str, Json]"

REFUSED: Final = False
"""In `properties`: the key may not stand here."""

_SCALARS: Final = ("string", "number", "boolean")
TEXT: Final[Schema] = {"type": list(_SCALARS), "pattern": r"\S"}
"""One text that is not blank, written with or without quotes."""

RAW: Final[Schema] = {"type": [*_SCALARS, "null"]}
"""One text, which may be empty."""

TEXTS: Final[Schema] = {"anyOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1, "uniqueItems": True}]}
_COUNT: Final[Schema] = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": 10**MAX_DIGITS - 1},
        {"type": "string", "pattern": rf"^(?=.*[1-9])[0-9]{{1,{MAX_DIGITS}}}$"},
    ]
}
_KEYS: Final[Mapping[str, tuple[Schema, str]]] = {
    "from": ({"type": "string"}, "A JMESPath: where the value comes from."),
    "value": (RAW, "A fixed text, instead of from."),
    "type": ({}, "What the value is, so that it is written as it is needed. Default: text."),
    "default": (TEXT, "Sent where the path finds nothing."),
    "values": (
        {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": r"\S"},
            "additionalProperties": RAW,
        },
        "A table of word: text. Words are compared trimmed and in any case.",
    ),
    "otherwise": (
        {"enum": list(OTHERWISE)},
        "A word that is not in values: keep it (default), omit the field, or error: the lead fails.",
    ),
    "max_length": (_COUNT, "The text is cut after that many characters."),
    "empty": ({"enum": list(EMPTY)}, 'skip (default): what is not found is not sent. send: "" is sent.'),
    "region": (
        {"enum": sorted(SUPPORTED_REGIONS)},
        "The country of phone numbers that are written without +.",
    ),
    "format": (TEXT, "Dates are read by these strptime codes only, such as %d/%m/%Y."),
    "timezone": (TEXT, "Where a time without an offset is local, such as Europe/London. Default: UTC."),
    "join": (
        {**RAW, "not": {"type": "string", "pattern": CONTROL.pattern}},
        'Stands between the texts of a list. Default: ", ".',
    ),
}


def said(schema: Schema, description: str) -> Schema:
    """The schema with what an editor shows. A reference is wrapped: draft 7 ignores what stands beside one."""
    return {**({"allOf": [schema]} if "$ref" in schema else schema), "description": description}


def table(properties: Mapping[str, Json], **more: Json) -> Schema:
    """An object of these keys and no others."""
    return {"type": "object", "properties": dict(properties), "additionalProperties": False, **more}


def needs_one_of(keys: Collection[str]) -> Json:
    """One of these keys at least must stand there."""
    return [{"required": [key]} for key in keys]


def choice(words: Collection[str]) -> Schema:
    """One of these words."""
    return {"enum": list(words)}


def flag() -> Schema:
    """true or false, also in the other words for them."""
    return {"anyOf": [{"type": "boolean"}, _in_any_case(FLAGS)]}


def yes() -> Schema:
    """What `flag` reads as true."""
    return {"anyOf": [{"const": True}, _in_any_case([word for word, meant in FLAGS.items() if meant])]}


def _in_any_case(words: Collection[str]) -> Schema:
    spelled = ("".join(f"[{letter.upper()}{letter}]" for letter in word) for word in words)
    return {"type": "string", "pattern": f"^({'|'.join(spelled)})$"}


def path(names: Collection[str] | None) -> Schema:
    """A JMESPath that begins with one of `names`, which are offered; None: with any column. Whether it is one, a JSON Schema
    cannot say."""
    shown: Schema = {"type": "string", "pattern": r"\S", "maxLength": MAX_PATH}
    return {**shown, "examples": list(NAMES)} if names is not None else shown


def rule(place: Place) -> Schema:
    """One field: a path alone, or a table of the keys that may stand in this place."""
    properties = {key: said(*_KEYS[key]) for key in place.keys}
    properties["from"] |= path(place.names)
    properties["type"] |= choice(place.kinds)
    dependencies = {key: _owned(kinds) for key, kinds in OWNERS.items() if key in properties}
    if "value" in properties:
        dependencies["value"] = _constant()
    dependencies["otherwise"] = {"required": ["values"]}
    sources = [key for key in ("from", "value") if key in properties]
    return {
        "anyOf": [
            path(place.names),
            table(properties, anyOf=needs_one_of(sources), dependencies=dependencies),
        ]
    }


def _owned(kinds: Collection[str]) -> Schema:
    """A key that means something for some types only, none of which is the usual one."""
    return {"required": ["type"], "properties": {"type": choice(kinds)}}


def _constant() -> Schema:
    """Beside `value`: nothing that speaks of what a path finds. Empty it may be only if that is to be sent."""
    return {
        "properties": dict.fromkeys(ONLY_WITH_FROM, REFUSED),
        "anyOf": [
            {"properties": {"value": TEXT}},
            {"required": ["empty"], "properties": {"empty": {"const": "send"}}},
        ],
    }
