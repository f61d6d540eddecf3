"""What LeadSquared's answer to a whole call means: one ordered table, by the body first and the HTTP status second. Pure."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Final

from bridge.errors import CallError, Denied, Refused, ServerFault, Throttled
from bridge.exchange import decode, folded, lenient, masked, retry_after, text_of
from bridge.model import Json

WHO: Final = "LeadSquared"

NO_LEAD: Final = re.compile(r"\blead does not exist", re.IGNORECASE)
"""The words for a lead that LeadSquared does not know; the same text covers a lead the user may not change."""

_LIMIT: Final = re.compile(
    r"exceeded the limit of 0*([1-9]\d{0,8}) in 0*([1-9]\d{0,8}) second", re.IGNORECASE
)
_HOST: Final = re.compile(r"\b(?:async)?api(?:-[a-z0-9]+)?\.leadsquared\.com\b", re.IGNORECASE)
_SUSPECT: Final = re.compile(r'"ExceptionType"|"Status"\s*:\s*"Error"|exceeded the limit of', re.IGNORECASE)


def _types(*names: str) -> re.Pattern[str]:
    return re.compile("|".join(f"mx{name}exception" for name in names), re.IGNORECASE)


_RATE: Final = _types("apiratelimitexceeded")
_ACCESS: Final = _types("invalidaccessdetails", "unauthorizedaccess")
_ABOUT_LEADS: Final = _types(
    "duplicateentry", "invalidentity", "mandatoryattributemissing", "unknownattribute", "invalidinput"
)
_ANY_MX: Final = re.compile(r"mx.*", re.IGNORECASE | re.DOTALL)
_ANY: Final = range(1000)
_CALLER: Final = frozenset({401, 403, 429})


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer, and what its error says: `kind` the exception's type ("" without one), `words` its message."""

    status: int
    text: str
    kind: str
    words: str
    said: str
    error: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of answer: `says` and `does` for people, `counts_as` the error it is (None: none, its body is read).

    It is met where all of its conditions are: the HTTP status, the exception's type, the words, and with `error` that
    the body is an error by its own word.
    """

    says: str
    counts_as: type[CallError] | None
    does: str
    statuses: Container[int] = _ANY
    kind: re.Pattern[str] | None = None
    words: re.Pattern[str] | None = None
    error: bool = False

    def meets(self, answer: _Answer) -> bool:
        return (
            answer.status in self.statuses
            and (self.kind is None or self.kind.fullmatch(answer.kind) is not None)
            and (self.words is None or self.words.search(answer.said) is not None)
            and (answer.error or not self.error)
        )


TABLE: Final = (
    Rule("MXAPIRateLimitExceededException, with any status", Throttled, "waits", kind=_RATE),
    Rule(
        "an MX type about values (duplicate, unknown attribute, mandatory, invalid input or entity), but for 401, 403, 429",
        Refused,
        "splits the batch until the lead stands alone; whatever values the message quotes, it is about no limit",
        [status for status in _ANY if status not in _CALLER],
        _ABOUT_LEADS,
    ),
    Rule(
        '"exceeded the limit of N in M second", with any status',
        Throttled,
        "waits, and keeps to N calls in M seconds for a day",
        words=_LIMIT,
    ),
    Rule(
        "MXInvalidAccessDetailsException or MXUnAuthorizedAccessException, and a host of LeadSquared is named",
        Denied,
        "stops calling; the error names the right host: set that URL",
        kind=_ACCESS,
        words=_HOST,
    ),
    Rule(
        "MXInvalidAccessDetailsException or MXUnAuthorizedAccessException",
        Denied,
        "stops calling; check the keys and their permissions",
        kind=_ACCESS,
    ),
    Rule("429, whatever else it says", Throttled, "waits", {429}),
    Rule(
        "401 or 403, and a host of LeadSquared is named",
        Denied,
        "stops calling; the error names the right host: set that URL",
        {401, 403},
        words=_HOST,
    ),
    Rule(
        "401 or 403, whatever else it says",
        Denied,
        "stops calling; check the keys and their permissions",
        {401, 403},
    ),
    Rule(
        "any other MX type, with any status, 200 and 5xx too",
        Refused,
        "splits the batch until the lead stands alone; the report has LeadSquared's words",
        kind=_ANY_MX,
    ),
    Rule("408 or 425", ServerFault, "asks again", {408, 425}),
    Rule("413: the call is too large", Refused, "splits the batch", {413}),
    Rule(
        "any other 4xx without an MX type",
        Refused,
        "splits the batch until the lead stands alone; 404 for all leads: check BRIDGE_LEADSQUARED__URL",
        range(400, 500),
    ),
    Rule(
        "500, 502, 503, 504 and the like without an MX type: plain words, HTML, nothing, a type of another kind",
        ServerFault,
        "asks again",
        range(300, 1000),
    ),
    Rule(
        'below 300, an error by its own word ("Status": "Error", or a type that is no MX one)',
        ServerFault,
        "asks again",
        error=True,
    ),
    Rule(
        "below 300, anything else",
        None,
        "reads the body; where that is no JSON or of another shape, as row 13",
    ),
)
"""Every answer meets a rule; the first that it meets decides."""


def verdict(status: int, headers: Mapping[str, str], text: str, now: float) -> None:
    """Raise what is wrong with a whole call, as `TABLE` has it; return where the answer's body is to be read."""
    if status < 300 and not _SUSPECT.search(text):
        return
    answer = _answer(status, text)
    counts_as = next(rule for rule in TABLE if rule.meets(answer)).counts_as
    if counts_as is Throttled:
        raise _throttled(answer, headers, now)
    if counts_as is not None:
        raise _ERRORS[counts_as](answer)


def says_no_lead(text: str) -> bool:
    """Whether an answer is an error that says LeadSquared does not know the lead asked about."""
    kind, words = _exception(lenient(text)) if _SUSPECT.search(text) else ("", "")
    return bool(kind and NO_LEAD.search(words))


def _answer(status: int, text: str) -> _Answer:
    body = lenient(text)
    kind, words = _exception(body)
    # In an answer that is none by its status, a lead's own reason may say anything.
    said = words if status < 300 and body is not None and not kind else text
    return _Answer(status, text, kind, words, said, bool(kind) or _is_error(body))


def _exception(body: Json) -> tuple[str, str]:
    """The exception's type and message; "" for what is not there."""
    error = folded(body)
    words = text_of(error.get("exceptionmessage")) or text_of(error.get("message")) or ""
    return text_of(error.get("exceptiontype")) or "", words


def _is_error(body: Json) -> bool:
    return (text_of(folded(body).get("status")) or "").lower() == "error"


def _throttled(answer: _Answer, headers: Mapping[str, str], now: float) -> Throttled:
    found = _LIMIT.search(answer.said)
    limit = (int(found[1]), float(found[2])) if found else None
    told = f": its limit is {limit[0]} calls in {limit[1]:g} s" if limit else ""
    text = f"{WHO} says too many calls (HTTP {answer.status}){told}"
    return Throttled(text, retry_after=retry_after(headers, now), limit=limit)


def _denied(answer: _Answer) -> Denied:
    host = _HOST.search(answer.said)
    if host:
        text = f"{WHO} denied the keys: wrong region, use https://{host[0].lower()}"
        return Denied(text, wrong_region=True)
    why = masked(answer.words) or f"HTTP {answer.status}"
    return Denied(f"{WHO} denied the keys: {why}{_named(answer)}; check them and their permissions")


def _refused(answer: _Answer) -> Refused:
    if _ANY_MX.fullmatch(answer.kind):
        return Refused(f"{WHO} refused the call: {masked(answer.words) or 'no reason given'}{_named(answer)}")
    return Refused(f"{WHO} refused the call with HTTP {answer.status}{_quoted(answer)}")


def _fault(answer: _Answer) -> ServerFault:
    try:
        decode(answer.text, WHO, answer.status)
    except ServerFault as error:
        return error
    return ServerFault(f"{WHO} failed with HTTP {answer.status}{_quoted(answer)}")


def _quoted(answer: _Answer) -> str:
    return f": {masked(answer.words)}{_named(answer)}" if answer.words else _named(answer)


def _named(answer: _Answer) -> str:
    return f" ({masked(answer.kind, 60)})" if answer.kind else ""


_ERRORS: Final = {Denied: _denied, Refused: _refused, ServerFault: _fault}
