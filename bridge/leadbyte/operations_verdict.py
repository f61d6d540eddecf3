"""What an answer to an operation means as a whole: success, or which error. Pure.

Is stricter than the table of `verdict`, for an operation may act each time it is sent: what leaves open whether it was
carried out is ServerFault, and only words about calls per time or about the key stand for those. Whoever asks has seen
that nothing in the answer says that a lead was done (`operations_records.claims`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from bridge.errors import Denied, Refused, ServerFault, Throttled
from bridge.exchange import Reply, decode, folded, lenient, masked, one_line, retry_after, text_of
from bridge.leadbyte.verdict import WHO, said_by
from bridge.model import Json

SINGLE: Final = frozenset({"leads", "details", "quarantinereleaseresults", "quaratinereleaseresults"})
"""Members, in lower case, that speak of single leads: their words say nothing about the call."""

_FAILURES: Final = frozenset({"error", "failed", "failure", "fail"})
_DONE: Final = re.compile(r"success|partial|ok\b|done|complete|accept|queue|process", re.IGNORECASE)
_UNAUTHORIZED: Final = frozenset({401, 403})
_TIMED_OUT: Final = frozenset({408, 425})
_CALLS: Final = re.compile(
    r"\brate[\s_-]?limit|too many (?:api )?(?:requests|calls)|exceeded the limit of \d+ in \d+"
    r"|\b(?:requests|calls) per (?:second|minute|hour|day)\b"
    r"|\b(?:api|request)(?: call| request)? (?:limit|quota)\b|\brequests? (?:was |were )?throttled",
    re.IGNORECASE,
)
_OF_A_BUYER: Final = re.compile(r"\bbuyer|\bcaps?\b", re.IGNORECASE)
_ABOUT_THE_KEY: Final = re.compile(
    r"(?:api|rest|access|invalid|wrong|unknown|missing|bad|incorrect|expired|inactive|no)[\s_-]+key\b"
    r"|\bkey (?:is |was )?(?:not |in|missing|required|expired|disabled|denied|wrong|unknown)"
    r"|apikey|permission|unauthori[sz]ed|not authori[sz]ed|forbidden|authenticat",
    re.IGNORECASE,
)
_NOT_FOUND: Final = re.compile(r"not found|no such|does ?n[o']t exist", re.IGNORECASE)


def opened(reply: Reply) -> Json:
    """The answer's JSON; None where an answer of HTTP 300 and above holds none. Raises ServerFault for others without."""
    return decode(reply.text, WHO, reply.status) if reply.status < 300 else lenient(reply.text)


def is_success(reply: Reply, body: Json) -> bool:
    """Whether the call as a whole went well: below HTTP 300, and the status Success."""
    return reply.status < 300 and _status(body) == "success"


def judge(
    reply: Reply, body: Json, now: float, needs: Sequence[str], *, named: bool
) -> Refused | ServerFault:
    """The error that an answer is which is no success. Raises Throttled, and Denied that names the permissions `needs`.

    `body`: as `opened` gave it. `named`: whether it speaks of single leads; then its words are about those, and neither
    throttle nor deny.
    """
    if reply.status >= 500 or reply.status in _TIMED_OUT:
        return _fault(reply, body)
    told = _status(body)
    heard = "" if named or _DONE.match(told) else _words(reply, body)
    if reply.status == 429 or _about_calls(heard):
        raise _throttled(reply, now)
    if (reply.status in _UNAUTHORIZED and not named) or _about_the_key(heard, body):
        raise _denied(reply, body, needs)
    if _DONE.match(told) or (reply.status < 300 and not _refuses(told, heard)):
        return _fault(reply, body)
    return Refused(f"{WHO} refused the call{_how(reply)}{_own_words(body)}")


def refused_alone(error: Refused | ServerFault, body: Json, entries: int) -> str:
    """LeadByte's words for refusing a call of one entry: they are about that entry. Raises `error` for any other call."""
    words = one_line(said_by(_outer(body)))
    if isinstance(error, Refused) and entries == 1 and words:
        return words
    raise error


def _about_calls(words: str) -> bool:
    return bool(_CALLS.search(words)) and not _OF_A_BUYER.search(words)


def _about_the_key(words: str, body: Json) -> bool:
    return isinstance(body, dict) and bool(_ABOUT_THE_KEY.search(words))


def _refuses(status: str, words: str) -> bool:
    return status in _FAILURES or (not status and bool(_NOT_FOUND.search(words)))


def _outer(body: Json) -> Json:
    """What an answer says of the call."""
    if not isinstance(body, dict):
        return None
    return {name: value for name, value in body.items() if name.lower() not in SINGLE}


def _words(reply: Reply, body: Json) -> str:
    return said_by(_outer(body)) if isinstance(body, dict) else reply.text


def _status(body: Json) -> str:
    return (text_of(folded(body).get("status")) or "").lower()


def _how(reply: Reply) -> str:
    return f" with HTTP {reply.status}" if reply.status >= 300 else ""


def _own_words(body: Json) -> str:
    words = said_by(_outer(body))
    return f": {masked(words)}" if words else ""


def _fault(reply: Reply, body: Json) -> ServerFault:
    if body is None:
        try:
            decode(reply.text, WHO, reply.status)
        except ServerFault as error:
            return error
    if reply.status < 300:
        return ServerFault(f"{WHO} answered without a result{_own_words(body)}")
    return ServerFault(f"{WHO} failed{_how(reply)}{_own_words(body)}")


def _throttled(reply: Reply, now: float) -> Throttled:
    how = f" (HTTP {reply.status})" if reply.status >= 300 else ""
    return Throttled(f"{WHO} says too many calls{how}", retry_after=retry_after(reply.headers, now))


def _denied(reply: Reply, body: Json, needs: Sequence[str]) -> Denied:
    how = f"HTTP {reply.status}" if reply.status >= 300 else "by its answer"
    names = [f"'{need}'" for need in dict.fromkeys(needs)]
    some = f"its permission {names[0]}" if len(names) == 1 else f"its permissions {' and '.join(names)}"
    return Denied(f"{WHO} denied the key ({how}){_own_words(body)}: check the key and {some}")
