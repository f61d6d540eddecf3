"""What a report holds."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bridge.model import LEAD_STATES, LEADBYTE
from bridge.ports import Day, Failure
from bridge.reports.masking import common, mask_identifier, mask_reason


@dataclass(frozen=True, slots=True)
class Lead:
    """One lead on the report, masked unless that was asked. Times in ISO 8601, UTC.

    `delivery`: its number; None for a queueId that expired. `common`: see `masking.common`. `to_leadbyte`: whether it is
    an operation on LeadByte's side. `at`: when it came to stand as it does.
    """

    queue_id: str
    mapping: str | None
    state: str
    stage: str
    reason: str
    identifier: str | None
    attempts: int
    last_attempt_at: str | None
    resync: str
    delivery: int | None
    common: str
    to_leadbyte: bool = False
    at: str | None = None


COLUMNS = tuple(name for name in Lead.__slots__ if name not in {"common", "to_leadbyte", "at"})


@dataclass(slots=True)
class Report:
    """A report that is read while it is written, so that any number of leads needs no memory."""

    states: Mapping[str, int]
    made_at: str
    unmasked: bool
    account: Sequence[Day]
    _failures: Iterable[Failure]
    since: str | None = None
    _spent: bool = field(default=False, init=False)

    @property
    def tracked(self) -> int:
        """How many leads are tracked: the sum of all states."""
        return sum(self.states.values())

    def leads(self) -> Iterator[Lead]:
        """The leads, in the order they came. Raises ValueError the second time where they came as an iterator."""
        leads = iter(self._failures)
        if leads is self._failures and self._spent:
            raise ValueError("the failures were an iterator that has been read; build another report")
        self._spent = True
        return (_lead(failure, self.unmasked) for failure in leads)


def build(
    failures: Iterable[Failure],
    counts: Mapping[str, int],
    now: float,
    *,
    account: Sequence[Day],
    unmasked: bool = False,
    since: float | None = None,
) -> Report:
    """A report of these failures and of all leads counted by state and by day, made at `now` (epoch seconds).

    `failures` is not read before a writer asks. Each writer reads it once: for several formats give it as a
    collection, or build a report for each. `since`: they came to rest since then (epoch seconds); None: all of them.
    """
    states = {state: counts.get(state, 0) for state in LEAD_STATES}
    told = None if since is None else iso(since)
    return Report({**states, **counts}, iso(now), unmasked, account, failures, told)


def iso(at: float) -> str:
    """Epoch seconds as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _lead(failure: Failure, unmasked: bool) -> Lead:
    reason, identifier = failure.reason, failure.identifier
    last = failure.last_attempt_at
    at = last if failure.at is None else failure.at
    return Lead(
        queue_id=failure.queue_id,
        mapping=failure.mapping,
        state=failure.state,
        stage=failure.stage,
        reason=reason if unmasked else mask_reason(reason, identifier, failure.quoted),
        identifier=identifier if unmasked or identifier is None else mask_identifier(identifier),
        attempts=failure.attempts,
        last_attempt_at=None if last is None else iso(last),
        resync=_command(failure),
        delivery=failure.delivery_id,
        common=common(reason, identifier, failure.quoted),
        to_leadbyte=failure.target == LEADBYTE,
        at=None if at is None else iso(at),
    )


def _command(failure: Failure) -> str:
    """The command that tries this one lead again, safe to paste into a shell."""
    queue_id = shlex.quote(failure.queue_id)
    dash = failure.queue_id.startswith("-")
    if failure.state == "in_doubt" and failure.target == LEADBYTE:
        return f"bridge resolve {failure.delivery_id} --as done|not-done"
    if failure.state == "in_doubt":
        return (
            f"bridge resolve --as done|not-done -- {queue_id}"
            if dash
            else f"bridge resolve {queue_id} --as done|not-done"
        )
    option = f"--queue-id={queue_id}" if dash else f"--queue-id {queue_id}"
    refetch = "--refetch --state expired " if failure.state == "expired" else ""
    return f"bridge resync {refetch}{option}"
