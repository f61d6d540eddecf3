"""What a reason quotes of a lead's own data, so that whoever shows the reason can hide it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from bridge.model import Json
from bridge.operation import UPDATE
from bridge.store.base import Row, loaded

TOLD = """
SELECT d.fields, d.older, i.reply, i.context, i.status
FROM delivery d JOIN queue_item i ON i.id = d.item_id WHERE d.id = ?
"""
LEAST_LETTERS = 3
"""A shorter value is in too many words to be told from them."""

LEAD = frozenset({"lead", "leads"})


def quoted(row: Row, reason: str) -> Sequence[str]:
    """The values that `reason` quotes of those LeadByte or the submitter told of this lead, of those it took over, and of
    those that LeadByte is to be told.

    `row`: as TOLD selects it. A mapping's own words (`Sold`) are nobody's data.
    """
    said = reason.casefold()
    own = {*_lead(_read(row["reply"])), *_scalars(_read(row["context"])), *_mapped(row)}
    return [value for value in own if len(value) >= LEAST_LETTERS and value.casefold() in said]


def _mapped(row: Row) -> Iterator[str]:
    older, told = loaded(row["older"]), f"{row['reply'] or ''}{row['context']}".casefold()
    for name, value in loaded(row["fields"]).items():
        whose = name in older or name.startswith(UPDATE) or value.casefold() in told
        if whose and value != row["status"]:
            yield value


def _lead(value: Json) -> Iterator[str]:
    """The texts of every section that is about the lead, wherever the reply has it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _scalars(inner) if name.lower() in LEAD else _lead(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _lead(inner)


def _scalars(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value.strip()
    elif isinstance(value, dict | list):
        inside: Iterable[Json] = value.values() if isinstance(value, dict) else value
        for inner in inside:
            yield from _scalars(inner)


def _read(text: str | None) -> Json:
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None
