"""LeadByte's REST API v1.3 as values: requests are built and answers read here. Pure.

The page "Using the QueueID via REST API" shows the request and publishes the reply only as a picture, so replies are
read tolerantly: `records[]`, `results[]` or a bare object, and every section by its singular or plural name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from bridge.errors import Refused, ServerFault
from bridge.exchange import Request, decode, rooted, text_of
from bridge.leadbyte.verdict import IDS, WHO, classify, judge_missing, records
from bridge.model import Json, QueueReply, Verdict

__all__ = [
    "DEFAULT_STATUSES",
    "WHO",
    "base_url",
    "classify",
    "poll_request",
    "read_queue",
    "status_table",
]

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


def read_queue(text: str, queue_id: str, statuses: Mapping[str, Verdict] = DEFAULT_STATUSES) -> QueueReply:
    """What a reply says of one queueId. `statuses`: as `status_table` gives it. `queue_id` "": whichever it is about.

    A final status whose `payout` is still "Pending" is pending; a reply "not found" has the status `Not Found`.
    Raises ServerFault for what is no such reply, and by an error's words Denied or Throttled.
    """
    body = decode(text, WHO)
    record = _choose(records(body), queue_id)
    if record is None:
        judge_missing(body)
        record = {"status": "Not Found"}
    response = record.get("response")
    places = (record, response if isinstance(response, dict) else {})
    view = _view(record, places, queue_id, body)
    status = view["status"] or ""
    return QueueReply(_verdict(status, places, statuses), status, view["processed"], view, text)


def _choose(records: Sequence[Mapping[str, Json]], queue_id: str) -> Mapping[str, Json] | None:
    """The record of this queueId: by its id, or the only one if that names no other queueId."""
    if not queue_id:
        return records[0] if records else None
    for record in records:
        if any(_fold(text_of(record.get(name)) or "") == _fold(queue_id) for name in IDS):
            return record
    if records and (len(records) > 1 or text_of(records[0].get("queueId"))):
        raise ServerFault(f"{WHO} answered about another queueId than the one it was asked about")
    return records[0] if records else None


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
        "queueId": queue_id or text_of(_probe(places, *IDS)),
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
