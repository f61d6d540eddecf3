"""An operation on a LeadByte lead, in a few words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bridge.operation import ACTION, TRIGGER, UPDATE


def operation_words(kind: str, fields: Mapping[str, str]) -> str:
    """What a delivery to LeadByte asks for, such as `update, reprocess`. `kind`: of the operation, as its lane has it."""
    return ", ".join(_words(kind, fields)) or kind or "-"


def _words(kind: str, fields: Mapping[str, str]) -> Iterator[str]:
    if kind == "financials":
        yield kind
    if any(name.startswith(UPDATE) for name in fields):
        yield "update"
    if fields.get(ACTION):
        yield fields[ACTION]
    if fields.get(TRIGGER):
        yield f"trigger {fields[TRIGGER]}"
