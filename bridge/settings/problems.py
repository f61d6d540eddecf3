"""What pydantic refused, as lines for a person. No value is ever quoted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, get_args

from annotated_types import Ge, Gt, Le
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from bridge.settings.names import FIELDS, env_name

KINDS: Final = {
    "int_parsing": "is not a whole number",
    "int_from_float": "is not a whole number",
    "int_parsing_size": "is too large",
    "float_parsing": "is not a number",
    "finite_number": "is not a number",
    "greater_than": "is too small",
    "greater_than_equal": "is too small",
    "less_than_equal": "is too large",
    "literal_error": "is not one of its words",
}


def told(error: ValidationError) -> Iterator[str]:
    """A line `NAME: what is wrong; what to do` for each setting that was refused."""
    for each in error.errors(include_input=False, include_url=False):
        path = tuple(str(part) for part in each["loc"])
        path = next(path[:end] for end in range(len(path), 0, -1) if path[:end] in FIELDS)
        yield f"{env_name(path)}: {_wrong(each['type'], each['msg'], FIELDS[path])}"


def _wrong(kind: str, message: str, field: FieldInfo) -> str:
    if kind == "setting":
        return message
    return f"{KINDS.get(kind, 'cannot be used')}; write {_allowed(field)}"


def _allowed(field: FieldInfo) -> str:
    words = get_args(field.annotation)
    if words:
        return "one of " + ", ".join(map(str, words))
    what = "a whole number" if field.annotation is int else "a number"
    return " ".join((what, *_bounds(field.metadata)))


def _bounds(metadata: list[Any]) -> Iterator[str]:
    flat = [inner for each in metadata for inner in getattr(each, "metadata", (each,))]
    for bound in flat:
        match bound:
            case Gt(gt=least):
                yield f"above {least}"
            case Ge(ge=least):
                yield f"from {least}"
            case Le(le=most):
                yield f"up to {most}"
