"""What an operation would say to LeadByte: its requests, shown and not sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from bridge.cli.base import put, put_json
from bridge.exchange import Request
from bridge.leadbyte.operations import financials_request, process_request, update_request
from bridge.leadbyte.wire import base_url
from bridge.model import Json, Lane
from bridge.operation import (
    Financials,
    LeadUpdate,
    Operation,
    QuarantineProcess,
    QuarantineUpdate,
    Update,
    carried,
)

if TYPE_CHECKING:
    from bridge.settings import Leadbyte

MASKED: Final = "…"
NOWHERE: Final = "https://leadbyte.invalid"
"""Stands for the address while none is set: only paths are shown."""


def show_requests(operations: Sequence[Operation], settings: Leadbyte, *, as_json: bool) -> None:
    """Print the requests as they would be made, the key masked."""
    found = list(requests(operations, settings))
    if as_json:
        put_json({"dry_run": True, "requests": [_values(request) for request in found]})
        return
    for request in found:
        put(*_lines(request))
    put(f"{len(found)} requests for {len(operations)} leads; nothing was sent or stored")


def requests(operations: Sequence[Operation], settings: Leadbyte) -> Iterator[Request]:
    """The requests for these operations, updates of the same kind together as the settings say."""
    lanes: dict[Lane, list[Operation]] = {}
    for operation in operations:
        lanes.setdefault(carried(operation).lane, []).append(operation)
    base, header = base_url(settings.url or NOWHERE), settings.key_header
    return chain.from_iterable(_of_lane(each, base, header, settings.batch_size) for each in lanes.values())


def _of_lane(operations: Sequence[Operation], base: str, header: str, size: int) -> Iterator[Request]:
    updates: list[Update] = []
    for operation in operations:
        match operation:
            case LeadUpdate() | QuarantineUpdate():
                updates.append(operation)
            case QuarantineProcess():
                yield process_request(base, MASKED, operation, header)
            case Financials():
                yield financials_request(base, MASKED, operation)
    for start in range(0, len(updates), size):
        yield update_request(base, MASKED, updates[start : start + size], header)


def _lines(request: Request) -> Iterator[str]:
    yield f"{request.method} {urlsplit(request.url).path}"
    yield from (f"{name}: {value}" for name, value in request.headers.items())
    yield ""
    # The body as it stands, for its amounts; only the key's mask is a letter that JSON escapes.
    yield _body(request).replace(json.dumps(MASKED), f'"{MASKED}"')
    yield ""


def _values(request: Request) -> Mapping[str, Json]:
    path, body = urlsplit(request.url).path, json.loads(_body(request))
    return {"method": request.method, "path": path, "headers": dict(request.headers), "body": body}


def _body(request: Request) -> str:
    return (request.body or b"").decode()
