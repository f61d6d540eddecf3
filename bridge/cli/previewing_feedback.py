"""`bridge map` for a feedback mapping: what LeadByte would be told of a LeadSquared lead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never
from urllib.parse import urlsplit

from bridge.cli.base import put, put_json
from bridge.errors import CallError, UsageError
from bridge.exchange import Request, decode
from bridge.leadbyte.operations import financials_request, process_request, update_request
from bridge.leadbyte.wire import base_url
from bridge.mapping import FeedbackFile
from bridge.mapping.convert import text
from bridge.model import Json
from bridge.operation import (
    LEAD_ID,
    Financials,
    LeadUpdate,
    Learned,
    Operation,
    QuarantineProcess,
    QuarantineUpdate,
    Wish,
    restored,
)

HIDDEN = "…"
"""Instead of the key."""


def lead_view(written: str, name: str) -> dict[str, Json]:
    """The columns of the one LeadSquared lead that a file holds.

    A flat object, the body of a webhook (`After`), what LeadSquared's lead calls give (a list of one, a LeadPropertyList), or
    what `bridge leadsquared lead --json` prints.
    Raises UsageError.
    """
    try:
        lead = _lead(decode(written, "the file"))
    except (CallError, KeyError, TypeError):
        raise UsageError(
            f'{name}: no LeadSquared lead; give JSON like {{"ProspectStage": "Sold", "mx_LeadByte_Id": "7185867"}}'
        ) from None
    return {column: text(value) if _is_scalar(value) else value for column, value in lead.items()}


def _lead(value: Json) -> Mapping[str, Json]:
    if isinstance(value, dict) and isinstance(value.get("leads"), list):
        value = value["leads"]
    if isinstance(value, list):
        (value,) = value if len(value) == 1 else [None]
    for envelope in ("After", "LeadPropertyList"):
        if isinstance(value, dict) and isinstance(value.get(envelope), dict | list):
            value = value[envelope]
    if isinstance(value, list):
        value = {pair["Attribute"]: pair.get("Value") for pair in value}
    if not isinstance(value, dict):
        raise TypeError
    return value


def _is_scalar(value: Json) -> bool:
    return not isinstance(value, dict | list)


def learned_of(mapping: FeedbackFile, learned: str | None) -> Learned:
    """As if the way forward had shown this id for the lead."""
    return Learned(lead_id=learned) if mapping.key == LEAD_ID else Learned(quarantine_id=learned)


def tell(
    mapping: FeedbackFile, view: Mapping[str, Json], learned: Learned, url: str, *, as_json: bool
) -> None:
    """Print `when` and the requests that would be sent to `url`. Raises LeadUnmappable."""
    wishes = mapping.apply(view, learned)
    requests = [_shown(_request(wish, base_url(url))) for wish in wishes or ()]
    if as_json:
        put_json({"skipped": True} if wishes is None else {"requests": requests, "dry_run": mapping.dry_run})
        return
    if mapping.when:
        put(f"when: {mapping.when.text}: {'does not hold' if wishes is None else 'holds'}")
    put(*_lines(wishes, requests, dry_run=mapping.dry_run))


def _lines(
    wishes: Sequence[Wish] | None, requests: Sequence[Mapping[str, str]], *, dry_run: bool
) -> list[str]:
    if wishes is None:
        return ["skipped: `when` leaves this lead out"]
    if not wishes:
        return ["LeadByte would be told nothing of this lead"]
    sent = [line for one in requests for line in (f"{one['method']} {one['path']}", one["body"])]
    return [*sent, *(["dry_run: this is recorded and not sent"] if dry_run else [])]


def _request(wish: Wish, base: str) -> Request:
    operation: Operation = restored(wish.mapped.lane, wish.mapped.fields)
    match operation:
        case LeadUpdate() | QuarantineUpdate():
            return update_request(base, HIDDEN, [operation])
        case QuarantineProcess():
            return process_request(base, HIDDEN, operation)
        case Financials():
            return financials_request(base, HIDDEN, operation)
        case _:
            assert_never(operation)


def _shown(request: Request) -> dict[str, str]:
    """The body as it is sent, to the penny; but for the key."""
    body = (request.body or b"").decode().replace('"key":"\\u2026"', f'"key":"{HIDDEN}"', 1)
    return {"method": request.method, "path": urlsplit(request.url).path, "body": body}
