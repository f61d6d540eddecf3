"""What a simulated endpoint is given and what it gives back, free of the HTTP library."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bridge.model import Json

JSON_TYPE = "application/json; charset=utf-8"


@dataclass(slots=True)
class Reply:
    """An HTTP answer."""

    body: bytes = b""
    status: int = 200
    content_type: str = JSON_TYPE
    headers: dict[str, str] = field(default_factory=dict)


class BadCallError(Exception):
    """The call is refused as a whole, with this answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"refused with HTTP {reply.status}")
        self.reply = reply


@dataclass(slots=True)
class Call:
    """An HTTP request. `tail`: what follows the endpoint's path, for endpoints that carry an id there."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    tail: str = ""

    def json(self, refusal: Reply, parse_float: Callable[[str], Json] = float) -> Json:
        """The decoded body. Raises BadCallError with `refusal` where it is not JSON, or not sent as JSON."""
        if not self.headers.get("Content-Type", "").lower().startswith("application/json"):
            raise BadCallError(refusal)
        return self.decoded(refusal, parse_float)

    def decoded(self, refusal: Reply, parse_float: Callable[[str], Json] = float) -> Json:
        """The decoded body, sent as whatever. Raises BadCallError with `refusal` where it is not JSON."""
        try:
            return json.loads(self.body, parse_float=parse_float)
        except (ValueError, RecursionError):
            raise BadCallError(refusal) from None


def json_reply(value: object, status: int = 200) -> Reply:
    return Reply(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(), status)


def mx_error(status: int, kind: str, message: str) -> Reply:
    """LeadSquared's error envelope (apidocs, "Error Handling")."""
    return json_reply({"Status": "Error", "ExceptionType": kind, "ExceptionMessage": message}, status)
