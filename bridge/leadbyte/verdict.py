"""What an answer of LeadByte means that holds no queue result: one ordered table. Pure.

No page publishes LeadByte's errors, so they are known by their words. A record is believed over everything around it.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bridge.errors import CallError, Denied, Refused, ServerFault, Throttled
from bridge.exchange import decode, folded, lenient, masked, retry_after, text_of
from bridge.model import Json

WHO: Final = "LeadByte"
IDS: Final = ("queueId", "queueRef")

_THROTTLED: Final = re.compile(
    r"rate.?limit|too many|throttl|exceeded the limit|limit (?:has been )?(?:exceeded|reached)|slow down",
    re.IGNORECASE,
)
_DENIED: Final = re.compile(
    r"(?:api|rest|access|invalid|wrong|unknown|missing|bad|incorrect|expired|inactive|no)[\s_-]+key\b"
    r"|\b(?:api[\s_-]?|x_|x-)?key (?:is |was )?(?:not |in|missing|required|expired|disabled|wrong|unknown)"
    r"|apikey|permission|unauthori[sz]ed|not authori[sz]ed|not allowed|forbidden|\bdenied\b|authenticat",
    re.IGNORECASE,
)
_NOT_FOUND: Final = re.compile(r"not found|no such|does ?n[o']t exist|unknown queue", re.IGNORECASE)
_FAILURES: Final = frozenset({"error", "failed", "failure", "fail"})
_ENVELOPES: Final = ("records", "results")
_MESSAGES: Final = ("message", "error", "errors", "reason", "response")
_ANY: Final = range(1000)
_KEY: Final = "stops calling; check the key and its permission 'API queue'"


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer, and what it says: `own` where that is a JSON object, LeadByte's own words; `named` where a record in
    it names its lead."""

    status: int
    text: str
    words: str
    own: bool
    named: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of answer: `says` and `does` for people, `counts_as` the error it is (None: none, its body is read).

    It is met where all of its conditions are: the HTTP status, the words, with `own` that they stand in a JSON object,
    with `named` that there is a record that names its lead.
    """

    says: str
    counts_as: type[CallError] | None
    does: str
    statuses: Container[int] = _ANY
    words: re.Pattern[str] | None = None
    own: bool = False
    named: bool = False

    def meets(self, answer: _Answer) -> bool:
        return (
            answer.status in self.statuses
            and (self.words is None or self.words.search(answer.words) is not None)
            and (answer.own or not self.own)
            and (answer.named or not self.named)
        )


TABLE: Final = (
    Rule("a record that names its lead, with any status", None, "reads it", named=True),
    Rule("429, whatever else it says", Throttled, "waits", {429}),
    Rule(
        'JSON that says "rate limit", "too many", "limit reached" or the like, with any status',
        Throttled,
        "waits",
        words=_THROTTLED,
        own=True,
    ),
    Rule(
        "the same words as plain text or HTML, with 4xx",
        Throttled,
        "waits",
        range(300, 500),
        _THROTTLED,
    ),
    Rule("401 or 403, whatever else it says", Denied, _KEY, {401, 403}),
    Rule(
        'JSON that says "invalid key", "permission", "unauthorised" or the like, with any status',
        Denied,
        _KEY,
        words=_DENIED,
        own=True,
    ),
    Rule(
        'JSON that says "not found" or the like, with any status',
        None,
        "takes it for the status `Not Found`: polls again until the deadline",
        words=_NOT_FOUND,
        own=True,
    ),
    Rule("408 or 425", ServerFault, "asks again", {408, 425}),
    Rule(
        "any other 4xx",
        Refused,
        "polls that lead again until the deadline; for all leads: check BRIDGE_LEADBYTE__URL",
        range(300, 500),
    ),
    Rule(
        "500, 502, 503, 504 and the like: plain words, HTML, nothing",
        ServerFault,
        "asks again",
        range(500, 1000),
    ),
    Rule("below 300, but no result, or the result of another queueId", ServerFault, "asks again"),
)
"""Every answer meets a rule; the first that it meets decides."""


def classify(status: int, headers: Mapping[str, str], text: str, now: float) -> None:
    """Raise what an HTTP status means, as `TABLE` has it. Returns where the body is to be read by `wire.read_queue`.

    Below 300 it is read in any case, and `judge_missing` asked where it holds no record.
    """
    if status >= 300:
        _judge(_answer(status, text, lenient(text)), headers, now)


def judge_missing(body: Json) -> None:
    """Raise what an answer below HTTP 300 without a record means; return where it says that the queueId was not found."""
    _judge(_answer(200, "", body), {}, 0.0)


def _judge(answer: _Answer, headers: Mapping[str, str], now: float) -> None:
    counts_as = next(rule for rule in TABLE if rule.meets(answer)).counts_as
    if counts_as is Throttled:
        raise _throttled(answer, headers, now)
    if counts_as is not None:
        raise _ERRORS[counts_as](answer)


def _answer(status: int, text: str, body: Json) -> _Answer:
    own = isinstance(body, dict)
    named = status >= 300 and any(text_of(record.get(name)) for record in records(body) for name in IDS)
    return _Answer(status, text, said_by(body) if own else text, own, named)


def records(body: Json) -> Sequence[Mapping[str, Json]]:
    """The records of an envelope, or the object itself where it is one."""
    if not isinstance(body, dict):
        return _objects(body)
    inside = [record for name in _ENVELOPES for record in _objects(body.get(name))]
    return inside or ([body] if _is_record(body) else [])


def _objects(value: Json) -> Sequence[Mapping[str, Json]]:
    if isinstance(value, dict):
        return [value]
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _is_record(body: Mapping[str, Json]) -> bool:
    status = (text_of(body.get("status")) or "").casefold()
    if status in _FAILURES or any(name in body for name in _ENVELOPES):
        return False
    return any(name in body for name in (*IDS, "response"))


def said_by(body: Json) -> str:
    """What an error object says, on one line: its messages, or all its texts where it has none by the usual names."""
    told = folded(body)
    said = [text for name in _MESSAGES for text in _texts(told.get(name))]
    return "; ".join(dict.fromkeys(said or _texts(told)))


def _texts(value: Json) -> Iterable[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    text = text_of(value)
    return [text] if text else []


def _throttled(answer: _Answer, headers: Mapping[str, str], now: float) -> Throttled:
    how = f" (HTTP {answer.status})" if answer.status >= 300 else ""
    return Throttled(f"{WHO} says too many calls{how}", retry_after=retry_after(headers, now))


def _denied(answer: _Answer) -> Denied:
    how = f"HTTP {answer.status}" if answer.status >= 300 else "by its answer"
    return Denied(
        f"{WHO} denied the key ({how}){_own_words(answer)}: check the key and its permission 'API queue'"
    )


def _refused(answer: _Answer) -> Refused:
    return Refused(f"{WHO} refused the call with HTTP {answer.status}{_own_words(answer)}")


def _fault(answer: _Answer) -> ServerFault:
    if answer.status < 300:
        return ServerFault(f"{WHO} answered without a result{_own_words(answer)}")
    try:
        decode(answer.text, WHO, answer.status)
    except ServerFault as error:
        return error
    return ServerFault(f"{WHO} failed with HTTP {answer.status}{_own_words(answer)}")


def _own_words(answer: _Answer) -> str:
    return f": {masked(answer.words)}" if answer.own and answer.words else ""


_ERRORS: Final = {Denied: _denied, Refused: _refused, ServerFault: _fault}
