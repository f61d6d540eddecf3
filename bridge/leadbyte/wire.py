"""LeadByte's REST API v1.3 as values: requests are built and answers read here. Pure.

The page "Using the QueueID via REST API" shows the request and publishes the reply only as a picture, so replies are
read tolerantly: `records[]`, `results[]` or a bare object, and every section by its singular or plural name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from bridge.errors import Denied, Refused, ServerFault, Throttled
from bridge.exchange import Request, decode, folded, lenient, masked, retry_after, rooted, text_of
from bridge.model import Json, QueueReply, Verdict

WHO: Final = "LeadByte"

DEFAULT_STATUSES: Final[Mapping[str, Verdict]] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "approved",
                "rejected",
                "valid",
                "invalid",
                "sold",
                "unsold",
                "accepted",
                "processed",
                "duplicate",
            ),
            Verdict.FINAL,
        ),
        **dict.fromkeys(("queued", "pending", "processing", "not found"), Verdict.PENDING),
        **dict.fromkeys(("quarantined", "quarantine"), Verdict.QUARANTINED),
    }
)
"""What a status word means. Words are in lower case here; those of replies are compared trimmed and in any case."""

_THROTTLED = re.compile(
    r"rate.?limit|too many|throttl|exceeded the limit|limit (?:has been )?(?:exceeded|reached)|slow down",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"(?:api|rest|access|invalid|wrong|unknown|missing|bad|incorrect|expired|inactive|no)[\s_-]+key\b"
    r"|\b(?:api[\s_-]?|x_|x-)?key (?:is |was )?(?:not |in|missing|required|expired|disabled|wrong|unknown)"
    r"|apikey|permission|unauthori[sz]ed|not authori[sz]ed|not allowed|forbidden|\bdenied\b|authenticat",
    re.IGNORECASE,
)
_NOT_FOUND = re.compile(r"not found|no such|does ?n[o']t exist|unknown queue", re.IGNORECASE)
_ERRORS: Final = frozenset({"error", "failed", "failure", "fail"})
_ENVELOPES: Final = ("records", "results")
_IDS: Final = ("queueId", "queueRef")
_MESSAGES: Final = ("message", "error", "errors", "reason", "response")


def status_table(words: Mapping[str, str]) -> Mapping[str, Verdict]:
    """`DEFAULT_STATUSES` with a user's words over it. Raises ValueError for a meaning that is no Verdict."""
    return MappingProxyType(
        {**DEFAULT_STATUSES, **{_fold(word): Verdict(what) for word, what in words.items()}}
    )


def base_url(url: str) -> str:
    """The base of all calls: `/restapi/v1.3` is added to a URL without a path."""
    return rooted(url, "/restapi/v1.3")


def poll_request(base: str, queue_id: str, key: str, header: str = "") -> Request:
    """`GET /apiqueue/{queueId}?key=…` as the page shows it; with `header` the key goes into that header instead.

    Raises Refused for a queueId that cannot be a part of a path.
    """
    if queue_id in {"", ".", ".."}:
        raise Refused(f"{WHO} cannot be asked about a queueId that is empty or only dots")
    url = f"{base}/apiqueue/{quote(queue_id, safe='')}"
    return Request("GET", url, headers={header: key}) if header else Request("GET", url, params={"key": key})


def classify(status: int, headers: Mapping[str, str], text: str, now: float) -> None:
    """Raise what an HTTP status means. Returns where the body is to be read by `read_queue`.

    The body is believed over the status: one that holds a record, or that says there is none, is read.
    Raises Throttled (429 or by words), Denied (401, 403 or by words), Refused (any other 4xx), else ServerFault.
    """
    if status < 300:
        return
    body = lenient(text)
    if any(text_of(record.get(name)) for record in _records(body) for name in _IDS):
        return
    own = isinstance(body, dict)
    words = _words(body) if own else text
    if status == 429 or (_THROTTLED.search(words) and (own or status < 500)):
        raise _throttled(status, headers, now)
    if status in {401, 403} or (own and _DENIED.search(words)):
        raise _denied(words if own else "", f"HTTP {status}")
    if own and _NOT_FOUND.search(words):
        return
    if status < 500:
        raise Refused(f"{WHO} refused the call with HTTP {status}{_said(words if own else '')}")
    decode(text, WHO, status)
    raise ServerFault(f"{WHO} failed with HTTP {status}{_said(words)}")


def _throttled(status: int, headers: Mapping[str, str], now: float) -> Throttled:
    return Throttled(f"{WHO} says too many calls (HTTP {status})", retry_after=retry_after(headers, now))


def _denied(words: str, how: str) -> Denied:
    return Denied(f"{WHO} denied the key ({how}){_said(words)}: check the key and its permission 'API queue'")


def _said(words: str) -> str:
    return f": {masked(words)}" if words else ""


def read_queue(text: str, queue_id: str, statuses: Mapping[str, Verdict] = DEFAULT_STATUSES) -> QueueReply:
    """What a reply says of one queueId. `statuses`: as `status_table` gives it. `queue_id` "": whichever it is about.

    A final status whose `payout` is still "Pending" is pending; a reply "not found" has the status `Not Found`.
    Raises ServerFault for what is no such reply, and by an error's words Denied or Throttled.
    """
    body = decode(text, WHO)
    record = _choose(_records(body), queue_id)
    if record is None:
        _check_missing(body)
        record = {"status": "Not Found"}
    response = record.get("response")
    places = (record, response if isinstance(response, dict) else {})
    view = _view(record, places, queue_id, body)
    status = view["status"] or ""
    return QueueReply(_verdict(status, places, statuses), status, view["processed"], view, text)


def _records(body: Json) -> Sequence[Mapping[str, Json]]:
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
    status = _fold(text_of(body.get("status")) or "")
    if status in _ERRORS or any(name in body for name in _ENVELOPES):
        return False
    return any(name in body for name in (*_IDS, "response"))


def _choose(records: Sequence[Mapping[str, Json]], queue_id: str) -> Mapping[str, Json] | None:
    """The record of this queueId: by its id, or the only one if that names no other queueId."""
    if not queue_id:
        return records[0] if records else None
    for record in records:
        if any(_fold(text_of(record.get(name)) or "") == _fold(queue_id) for name in _IDS):
            return record
    if records and (len(records) > 1 or text_of(records[0].get("queueId"))):
        raise ServerFault(f"{WHO} answered about another queueId than the one it was asked about")
    return records[0] if records else None


def _check_missing(body: Json) -> None:
    """Raise what a reply without a record means, unless it says that the queueId was not found."""
    words = _words(body)
    if _THROTTLED.search(words):
        raise Throttled(f"{WHO} says too many calls")
    if _DENIED.search(words):
        raise _denied(words, "by its answer")
    if not _NOT_FOUND.search(words):
        raise ServerFault(f"{WHO} answered without a result{_said(words)}")


def _words(body: Json) -> str:
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


def _verdict(status: str, places: Sequence[Mapping[str, Json]], statuses: Mapping[str, Verdict]) -> Verdict:
    verdict = statuses.get(_fold(status), Verdict.UNKNOWN)
    unpaid = _fold(text_of(_probe(places[::-1], "payout")) or "") == "pending"
    return Verdict.PENDING if unpaid and verdict is Verdict.FINAL else verdict


def _view(
    record: Mapping[str, Json], places: Sequence[Mapping[str, Json]], queue_id: str, body: Json
) -> Mapping[str, Json]:
    """The names that a mapping's paths see, whichever envelope and spelling the reply had."""
    lead = _one(_probe(places, "lead", "leads"))
    inner_first = (*places[::-1], lead if isinstance(lead, dict) else {})
    return {
        "queueId": queue_id or text_of(_probe(places, *_IDS)),
        "status": text_of(record.get("status")),
        "processed": text_of(_probe(places, "processed")),
        "code": _probe(places[::-1], "code"),
        "response": record.get("response"),
        "info": _probe(places[::-1], "info"),
        "leadId": text_of(_probe(inner_first, "leadId")),
        "rejectionId": text_of(_probe(inner_first, "rejectionId")),
        "quarantineId": text_of(_probe(inner_first, "quarantineId")),
        "deliveries": _many(_probe(places, "deliveries", "delivery")),
        "campaign": _one(_probe(places, "campaign", "campaigns")),
        "supplier": _one(_probe(places, "supplier", "suppliers")),
        "buyer": _one(_probe(places, "buyer", "buyers")),
        "lead": lead,
        "raw": body,
    }


def _probe(places: Iterable[Mapping[str, Json]], *names: str) -> Json:
    """The first value that is there and not null."""
    for place in places:
        for name in names:
            value = place.get(name)
            if value is not None:
                return value
    return None


def _one(value: Json) -> Json:
    """A section that is one object, also where it came as a list: then its first."""
    if isinstance(value, list):
        return value[0] if value else None
    return value


def _many(value: Json) -> Json:
    """A section that is a list, also where it came as one object or as objects by id."""
    if not isinstance(value, dict):
        return value
    return list(value.values()) if value and all(isinstance(one, dict) for one in value.values()) else [value]


def _fold(word: str) -> str:
    return word.strip().casefold()
