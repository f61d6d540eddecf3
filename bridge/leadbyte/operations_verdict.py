"""What an answer to an operation means as a whole: success, or which error. Pure.

Goes by the table of `verdict`, as polls do, but for what stands between an operation and a poll: a refusal may be of one
lead, and the permission that is missing is another one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

from bridge.errors import Denied, Refused, ServerFault
from bridge.exchange import Reply, decode, folded, lenient, masked, one_line, text_of
from bridge.leadbyte.verdict import WHO, classify, judge_missing, said_by
from bridge.model import Json

SINGLE: Final = frozenset({"leads", "details", "quarantinereleaseresults", "quaratinereleaseresults"})
"""Members, in lower case, that speak of single leads: their words say nothing about the call."""

_FAILURES: Final = frozenset({"error", "failed", "failure", "fail"})
_UNAUTHORIZED: Final = frozenset({401, 403})
_ABOUT_THE_KEY: Final = re.compile(r"key\b|permission|authori[sz]|authentic|forbidden", re.IGNORECASE)
_POLLS_NEED: Final = "its permission 'API queue'"


def opened(reply: Reply) -> Json:
    """The answer's JSON; None where an answer of HTTP 300 and above holds none. Raises ServerFault for others without."""
    return decode(reply.text, WHO, reply.status) if reply.status < 300 else lenient(reply.text)


def is_success(reply: Reply, body: Json) -> bool:
    """Whether the call as a whole went well: below HTTP 300, and the status Success."""
    return reply.status < 300 and _status(body) == "success"


def judge(reply: Reply, body: Json, now: float, needs: Sequence[str]) -> Refused | ServerFault:
    """The error that an answer is which is no success. Raises Throttled, and Denied that names the permissions `needs`.

    `body`: as `opened` gave it. Words about one lead ("not allowed for rejected leads") deny nothing.
    """
    told = _outer(body)
    try:
        if reply.status < 300:
            judge_missing(told)
        else:
            text = json.dumps({"message": said_by(told)}) if isinstance(told, dict) else reply.text
            classify(reply.status, reply.headers, text, now)
    except Denied as error:
        if reply.status in _UNAUTHORIZED or _ABOUT_THE_KEY.search(said_by(told)):
            raise _denied(error, needs) from None
    except Refused as error:
        return error
    except ServerFault as error:
        if reply.status >= 300 or _status(told) not in _FAILURES:
            return error
    return _refused(reply.status, said_by(told))


def refused_alone(error: Refused | ServerFault, body: Json, entries: int) -> str:
    """LeadByte's words for refusing a call of one entry: they are about that entry. Raises `error` for any other call."""
    words = one_line(said_by(_outer(body)))
    if isinstance(error, Refused) and entries == 1 and words and _status(body) != "success":
        return words
    raise error


def _outer(body: Json) -> Json:
    """What an answer says of the call."""
    if not isinstance(body, dict):
        return body
    return {name: value for name, value in body.items() if name.lower() not in SINGLE}


def _status(body: Json) -> str:
    return (text_of(folded(body).get("status")) or "").lower()


def _refused(status: int, words: str) -> Refused | ServerFault:
    how = f" with HTTP {status}" if status >= 300 else ""
    said = f": {masked(words)}" if words else ""
    if status >= 500:
        return ServerFault(f"{WHO} failed{how}{said}")
    return Refused(f"{WHO} refused the call{how}{said}")


def _denied(error: Denied, needs: Sequence[str]) -> Denied:
    names = [f"'{need}'" for need in dict.fromkeys(needs)]
    some = f"its permission {names[0]}" if len(names) == 1 else f"its permissions {' and '.join(names)}"
    return Denied(str(error).removesuffix(_POLLS_NEED) + some)
