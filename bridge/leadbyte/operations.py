"""The requests that tell LeadByte what to do to a lead. Pure.

Pages: "Update Leads via REST API", "Update and processing quarantine leads via REST API". Answers are read in
`operations_replies`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

from bridge.exchange import Request
from bridge.model import Json
from bridge.operation import Financials, QuarantineProcess, Update

_WHOLE: Final = re.compile(r"0|[1-9][0-9]*")


def update_request(base: str, key: str, batch: Sequence[Update], header: str = "X_KEY") -> Request:
    """`PUT /leads` for many entries in one request; at least one, and none twice."""
    body = _json({"leads": [entry.body() for entry in batch]})
    return Request("PUT", f"{base}/leads", headers=_keyed(header, key), body=body.encode())


def process_request(base: str, key: str, entry: QuarantineProcess, header: str = "X_KEY") -> Request:
    """`POST /quarantine/process` for one lead."""
    body = _json({"quarantineId": _number(entry.quarantine_id), "action": entry.action})
    return Request("POST", f"{base}/quarantine/process", headers=_keyed(header, key), body=body.encode())


def financials_request(base: str, key: str, entry: Financials) -> Request:
    """`PUT /leadfinancials`; the key goes into the body. An amount or BID that is not set is left out."""
    members = {"key": _json(key), "leads": _json([_number(one) for one in entry.lead_ids])}
    for name, value in (("newPayout", entry.payout), ("newRevenue", entry.revenue)):
        if value is not None:
            members[name] = f"{value.copy_abs():.2f}"
    if entry.buyer:
        members["BID"] = _json(entry.buyer)
    # Written by hand: json knows numbers with a point only as binary floats, and writes 80.00 as 80.0.
    body = ",".join(f'"{name}":{text}' for name, text in members.items())
    headers = {"Content-Type": "application/json"}
    return Request("PUT", f"{base}/leadfinancials", headers=headers, body=f"{{{body}}}".encode())


def _keyed(header: str, key: str) -> dict[str, str]:
    return {"Content-Type": "application/json", header: key}


def _number(text: str) -> int | str:
    """An id as the number it is; as text where a number would be written otherwise (`007`, letters)."""
    return int(text) if _WHOLE.fullmatch(text) else text


def _json(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"))
