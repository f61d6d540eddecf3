"""LeadByte's queue: what it knows of each queueId, and how one API key shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from bridge.model import Json

SECTIONS: Final = ("deliveries", "campaign", "supplier", "buyer", "lead")
"""What a key may append to a reply (queue id page, "More Options"). Names and shapes are unpublished."""

_SINGULAR: Final = {"deliveries": "delivery"}
_PLURAL: Final = {"campaign": "campaigns", "supplier": "suppliers", "buyer": "buyers", "lead": "leads"}
_IDS: Final = ("leadId", "rejectionId", "quarantineId")


@dataclass(frozen=True, slots=True)
class Profile:
    """How LeadByte answers. Of polls only the queued reply and the `records` one are published; the rest is seen or likely.

    `info`: as a list of texts, an object of them, or always []. `naming`: `usual` (deliveries, campaign, …), or all
    sections singular objects, or all plural lists. `key_in`: where the key is taken from. `unknown_id`: an id LeadByte
    does not know is answered by an error with HTTP 200 or 404, by the status word "Not Found", or as still queued
    (for measurements with more ids than are worth keeping).

    Of the write operations the pages print successes only. `unknown_fields`: an update that names a field LeadByte does
    not have sets the others and is warned of, or that lead fails. `lacking`: an update that releases or rejects by a key
    without "Quarantine > Process" is refused as a whole, or that lead fails. `release_results`: the page's spelling, or
    the right one. `not_held`: a release of a lead that is not quarantined is an error, or is told of in `details`.
    `financials`: one lead that is not approved refuses them all, or the others are booked all the same. `in_process`: what
    polls say of a lead that is reprocessed, released or rejected until that is done: what they said before, or queued.
    """

    envelope: Literal["records", "results", "bare"] = "records"
    id_key: Literal["queueId", "queueRef"] = "queueId"
    ids_as: Literal["number", "text"] = "number"
    info: Literal["list", "object", "empty"] = "list"
    response: bool = True
    sections: tuple[str, ...] = SECTIONS
    naming: Literal["usual", "singular", "plural"] = "usual"
    queued_word: str = "Queued"
    key_in: Literal["query", "header"] = "query"
    key_header: str = "X_KEY"
    unknown_id: Literal["error", "404", "word", "queued"] = "error"
    unknown_fields: Literal["warning", "error"] = "warning"
    lacking: Literal["call", "entry"] = "call"
    release_results: Literal["quaratineReleaseResults", "quarantineReleaseResults"] = (
        "quaratineReleaseResults"
    )
    not_held: Literal["error", "details"] = "error"
    financials: Literal["whole", "partial"] = "whole"
    in_process: Literal["before", "queued"] = "before"


@dataclass(slots=True)
class QueueLead:
    """One submitted lead. Queued until `ready_at` and for `queued_polls` more polls, then quarantined until
    `quarantined_until` under `quarantine_id`, then `reply`: status, processed, response, and the sections by their usual
    names. While it is `in_process` again (reprocessed, released or rejected) nothing can be done to it; polls show the
    reply that it had `before`."""

    queue_id: str
    reply: Mapping[str, Json]
    ready_at: float = 0.0
    queued_polls: int = 0
    quarantined_until: float = 0.0
    profile: Profile | None = None
    polls: int = 0
    quarantine_id: int = 0
    in_process: bool = False
    before: Mapping[str, Json] | None = None

    def poll(self, now: float, profile: Profile) -> Mapping[str, Json] | None:
        """What the queue says now; None while queued. Counts the poll."""
        shown = self.before if self.in_process and profile.in_process == "before" else self.peek(now)
        self.polls += 1
        return shown

    def process(self, now: float) -> None:
        """The lead goes through the queue again."""
        self.before = self.peek(now)
        self.in_process = True

    def judged(self, reply: Mapping[str, Json]) -> None:
        """The lead has gone through the queue again, with this result."""
        self.reply, self.before = reply, None
        self.in_process, self.quarantined_until = False, 0.0

    def peek(self, now: float) -> Mapping[str, Json] | None:
        """What has become of the lead; None while it is queued or in process."""
        if self.in_process or now < self.ready_at or self.polls < self.queued_polls:
            return None
        if now < self.quarantined_until:
            return self._held()
        return self.reply

    def _held(self) -> Mapping[str, Json]:
        response = {
            "code": 1,
            "response": "Quarantined",
            "info": [],
            "leadId": None,
            "quarantineId": self.quarantine_id,
        }
        kept = {name: self.reply[name] for name in ("processed", "lead") if name in self.reply}
        return {**kept, "status": "Quarantined", "response": response}


def queued(queue_id: str, profile: Profile) -> dict[str, Json]:
    """The reply for a lead that is not processed yet, as the queue id page prints it for a submit."""
    return enveloped({profile.id_key: queue_id, "status": profile.queued_word, "code": 1}, profile, "")


def not_found(queue_id: str, profile: Profile) -> dict[str, Json]:
    return enveloped({profile.id_key: queue_id, "status": "Not Found"}, profile, "")


def processed(queue_id: str, reply: Mapping[str, Json], profile: Profile) -> dict[str, Json]:
    """The reply for a processed lead, in the profile's shape."""
    record: dict[str, Json] = {profile.id_key: queue_id}
    for name, value in reply.items():
        if name == "response":
            if profile.response:
                record[name] = _response(value, profile)
        elif name not in SECTIONS:
            record[name] = value
        elif name in profile.sections:
            key, shown = _section(name, value, profile)
            record[key] = shown
    return enveloped(record, profile, "OK")


def enveloped(record: Mapping[str, Json], profile: Profile, message: str) -> dict[str, Json]:
    if profile.envelope == "bare":
        return dict(record)
    return {"status": "Success", "code": 1, "message": message, profile.envelope: [record]}


def _response(response: Mapping[str, Json], profile: Profile) -> dict[str, Json]:
    shown = {name: _id(value, profile) if name in _IDS else value for name, value in response.items()}
    if isinstance(shown.get("info"), list):
        shown["info"] = _info(shown["info"], profile)
    return shown


def _info(info: list[Json], profile: Profile) -> list[Json] | dict[str, Json]:
    if profile.info == "object":
        return {str(number): text for number, text in enumerate(info)}
    return info if profile.info == "list" else []


def _section(name: str, value: Json, profile: Profile) -> tuple[str, Json]:
    items = [_with_id(item, profile) for item in (value if isinstance(value, list) else [value])]
    if profile.naming == "singular" or (profile.naming == "usual" and not isinstance(value, list)):
        key = _SINGULAR.get(name, name) if profile.naming == "singular" else name
        return key, items[0] if items else None
    return (_PLURAL.get(name, name) if profile.naming == "plural" else name), items


def _with_id(item: Json, profile: Profile) -> Json:
    if isinstance(item, dict) and "id" in item:
        return {**item, "id": _id(item["id"], profile)}
    return item


def _id(value: Json, profile: Profile) -> Json:
    return str(value) if profile.ids_as == "text" and value is not None else value
