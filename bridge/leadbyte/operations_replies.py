"""What LeadByte's answer to an operation says of each lead in it. Pure.

Pages: "Update Leads via REST API", "Update and processing quarantine leads via REST API"; both publish only what goes
well. Before a call is judged as a whole, its answer is searched for anything that says that a lead was done. Such an
answer is about single leads, whatever its HTTP status and its other words: no call is made again after it.

A lead is done only by the words of the pages: `success` true of its own record under the status Success, for a release
or rejection also that it was queued for it, and no error beside it. Anything else that is not plainly a refusal is
unclear: UNLISTED, with LeadByte's words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bridge.exchange import Reply, folded
from bridge.leadbyte.operations_records import (
    Key,
    Record,
    Result,
    Told,
    by_id,
    by_key,
    claims,
    gathered,
    mismatch,
    objects,
    speaks_of_leads,
    success,
)
from bridge.leadbyte.operations_verdict import is_success, judge, opened, refused_alone
from bridge.leadbyte.verdict import WHO
from bridge.model import Json, Kind
from bridge.operation import Financials, QuarantineProcess, QuarantineUpdate, Update

__all__ = ["Answer", "Result", "read_financials", "read_process", "read_updates"]

_RELEASES: Final = ("quarantinereleaseresults", "quaratinereleaseresults")
"""The second spelling is LeadByte's."""
_QUEUED: Final[Mapping[str, str]] = {"process": "queued for processing", "reject": "queued for rejection"}
_NOT_SET: Final = re.compile(
    r"unknown|unrecogni|not recogni|no such|does not exist|ignored|invalid", re.IGNORECASE
)
"""What a warning says of a field that was not set although the lead was updated."""

_UNNAMED: Final = f"{WHO}'s answer does not name this lead"


@dataclass(frozen=True, slots=True)
class Answer:
    """A result for each entry of a batch, in its order. `warning`: how records and entries differ, or None."""

    results: Sequence[Result]
    warning: str | None = None


def read_updates(reply: Reply, now: float, batch: Sequence[Update]) -> Answer:
    """What became of each entry of a `PUT /leads`; ids are compared as text, those of leads and of quarantine apart.

    Of several records of one id all must say success, and of several entries of one id each needs a record. Raises
    Throttled, Denied (naming the permissions that the batch needs), ServerFault, and Refused where the answer says nothing
    of single entries; where it refuses a batch of one, that is the entry's result.
    """
    body = opened(reply)
    sound, names, sent = is_success(reply, body), folded(body), Counter(entry.key for entry in batch)
    found = by_key(names.get("leads"))
    told = _each(names, found, sent, batch)
    if not sound and not claims(body):
        named = speaks_of_leads(body) or any(one.release for one in told)
        judged = judge(reply, body, now, [need for entry in batch for need in entry.needs], named=named)
        if all(one.said is None for one in told):
            return Answer([told[0].refused(refused_alone(judged, body, len(batch)))])
    results = [
        _updated(entry, one, sound=sound) if entry.key in found else one.result(Kind.UNLISTED, _UNNAMED)
        for entry, one in zip(batch, told, strict=True)
    ]
    return Answer(results, mismatch(found, sent))


def _each(
    names: Record, found: Mapping[Key, Sequence[Record]], sent: Mapping[Key, int], batch: Sequence[Update]
) -> Sequence[Told]:
    """What is said of each entry; beside one that is not named, what is said of all."""
    released = by_id([names.get(name) for name in _RELEASES])
    general = [{name: names.get(name) for name in ("message", "warnings")}]
    return [
        gathered(found.get(one.key, general), _release(one, released), one.key[1], sent[one.key])
        for one in batch
    ]


def _release(entry: Update, released: Mapping[str, Sequence[str]]) -> Sequence[str]:
    return released.get(entry.quarantine_id, ()) if isinstance(entry, QuarantineUpdate) else ()


def _updated(entry: Update, told: Told, *, sound: bool) -> Result:
    """What became of an entry that is named."""
    action = entry.action if isinstance(entry, QuarantineUpdate) else ""
    if told.said is False and not told.is_queued:
        return told.result(Kind.REJECTED)
    if not told.said:
        return told.result(Kind.UNLISTED, f"{WHO}'s answer does not say clearly what became of this lead")
    if not sound:
        return told.result(Kind.UNLISTED, f"{WHO} names this lead as done in an answer that is no success")
    if told.errors:
        kind = Kind.REJECTED if entry.repeatable else Kind.UNLISTED
        return told.result(kind, f"{WHO} says success, but with errors")
    if action and told.queued != {_QUEUED[action]}:
        return told.result(Kind.UNLISTED, _not_queued(action))
    if entry.repeatable and any(map(_NOT_SET.search, told.warnings)):
        return told.result(Kind.REJECTED, f"{WHO} did not set every field")
    return told.result(Kind.SYNCED)


def read_process(reply: Reply, now: float, entry: QuarantineProcess) -> Result:
    """What became of a `POST /quarantine/process`: SYNCED only where `details` say that the lead was queued for it.

    Raises as `read_updates`; a refusal in LeadByte's own words is the result.
    """
    body = opened(reply)
    names = folded(body)
    release = by_id(names.get("details")).get(entry.quarantine_id, ())
    told = gathered([names], release, entry.quarantine_id)
    if is_success(reply, body):
        clear = told.queued == {_QUEUED[entry.action]} and not told.errors
        return told.result(Kind.SYNCED) if clear else told.result(Kind.UNLISTED, _not_queued(entry.action))
    if claims(body):
        return told.result(Kind.UNLISTED, f"{WHO} says that a lead was done in an answer that is no success")
    named = speaks_of_leads(body) or bool(release)
    judged = judge(reply, body, now, entry.needs, named=named)
    return told.refused(refused_alone(judged, body, 1))


def _not_queued(action: str) -> str:
    return f"{WHO}'s answer does not say that the lead was {_QUEUED[action]}"


def read_financials(reply: Reply, now: float, entry: Financials) -> Result:
    """What became of a `PUT /leadfinancials`, one result for all of its leads: SYNCED by the status Success.

    Errors beside it, or a lead's record whose `success` is not true, refuse the entry. Raises as `read_updates`; a
    refusal in LeadByte's own words is the result.
    """
    body = opened(reply)
    names = folded(body)
    if not is_success(reply, body):
        judged = judge(reply, body, now, entry.needs, named=speaks_of_leads(body))
        return gathered([names]).refused(refused_alone(judged, body, 1))
    failed = [one for name in ("leads", "details") for one in _failed(names.get(name))]
    told = gathered([names, *failed])
    if told.errors or failed:
        return told.result(Kind.REJECTED, f"{WHO} says success, but not of every lead")
    return told.result(Kind.SYNCED)


def _failed(value: Json) -> Sequence[Record]:
    """The records, by id or in a list, whose `success` is not true."""
    records = [*objects(value), *objects(list(value.values()) if isinstance(value, dict) else None)]
    return [one for one in records if "success" in one and not success(one)]
