"""What LeadSquared's answer to a whole call means, by its body first and its HTTP status second. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from bridge.errors import CallError, Denied, Refused, ServerFault, Throttled
from bridge.exchange import decode, folded, lenient, masked, retry_after, text_of
from bridge.model import Json

WHO: Final = "LeadSquared"

NO_LEAD: Final = re.compile(r"\blead does not exist", re.IGNORECASE)
"""The words for a lead that LeadSquared does not know; the same text covers a lead the user may not change."""

_LIMIT = re.compile(r"exceeded the limit of (\d{1,9}) in (\d{1,9}) second", re.IGNORECASE)
_HOST = re.compile(r"\b(?:async)?api(?:-[a-z0-9]+)?\.leadsquared\.com\b", re.IGNORECASE)
_SUSPECT = re.compile(r'"ExceptionType"|"Status"\s*:\s*"Error"|exceeded the limit of', re.IGNORECASE)
_TYPES: Final[Mapping[str, type[CallError]]] = {
    "mxapiratelimitexceededexception": Throttled,
    "mxinvalidaccessdetailsexception": Denied,
    "mxunauthorizedaccessexception": Denied,
}
_CODES: Final[Mapping[int, type[CallError]]] = {
    401: Denied,
    403: Denied,
    408: ServerFault,
    425: ServerFault,
    429: Throttled,
}


def verdict(status: int, headers: Mapping[str, str], text: str, now: float) -> None:
    """Raise what is wrong with a whole call; return where the answer's body is to be read.

    Throttled: 429, MXAPIRateLimitExceededException, or the words "exceeded the limit of N in M second" with any status.
    Denied: 401, 403, or an MX type about access. Refused: any other MX type, with any status; any other 4xx.
    ServerFault: 5xx without an MX type, and an error that says nothing else.
    """
    if status < 300 and not _SUSPECT.search(text):
        return
    body = lenient(text)
    kind, words = _exception(body)
    limit = _limit(text if body is None or status >= 300 else words)
    fault = Throttled if limit else _TYPES.get(kind.lower()) or _CODES.get(status)
    if fault is Throttled:
        raise _throttled(status, headers, limit, now)
    if fault is Denied:
        raise Denied(_denied(text, kind, words, status))
    if kind:
        raise Refused(f"{WHO} refused the call: {masked(words) or 'no reason given'} ({masked(kind, 60)})")
    if status >= 300 or _is_error(body):
        raise _by_code(status, text, words, fault)


def says_no_lead(text: str) -> bool:
    """Whether an answer is an error that says LeadSquared does not know the lead asked about."""
    kind, words = _exception(lenient(text)) if _SUSPECT.search(text) else ("", "")
    return bool(kind and NO_LEAD.search(words))


def _exception(body: Json) -> tuple[str, str]:
    """The exception's type and message; "" for what is not there."""
    error = folded(body)
    words = text_of(error.get("exceptionmessage")) or text_of(error.get("message")) or ""
    return text_of(error.get("exceptiontype")) or "", words


def _is_error(body: Json) -> bool:
    return (text_of(folded(body).get("status")) or "").lower() == "error"


def _limit(text: str) -> tuple[int, float] | None:
    found = _LIMIT.search(text)
    return (int(found[1]), float(found[2])) if found and int(found[1]) and int(found[2]) else None


def _throttled(
    status: int, headers: Mapping[str, str], limit: tuple[int, float] | None, now: float
) -> Throttled:
    told = f": its limit is {limit[0]} calls in {limit[1]:g} s" if limit else ""
    return Throttled(
        f"{WHO} says too many calls (HTTP {status}){told}", retry_after=retry_after(headers, now), limit=limit
    )


def _denied(text: str, kind: str, words: str, status: int) -> str:
    host = _HOST.search(text)
    if host:
        return f"{WHO} denied the keys: wrong region, use https://{host[0].lower()}"
    why = masked(words) or f"HTTP {status}"
    return f"{WHO} denied the keys: {why}{f' ({masked(kind, 60)})' if kind else ''}; check them and their permissions"


def _by_code(status: int, text: str, words: str, fault: type[CallError] | None) -> CallError:
    said = f": {masked(words)}" if words else ""
    if 400 <= status < 500 and fault is None:
        return Refused(f"{WHO} refused the call with HTTP {status}{said}")
    try:
        decode(text, WHO, status)
    except ServerFault as error:
        return error
    return ServerFault(f"{WHO} failed with HTTP {status}{said}")
