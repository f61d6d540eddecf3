"""What a call to the sink leads to for each delivery in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bridge.errors import CallError, Denied, LostAnswer, Refused, ServerFault, Throttled
from bridge.model import Delivery, Kind, Lane, Move, Outcome, State
from bridge.policy.backoff import Backoff
from bridge.policy.values import same


@dataclass(frozen=True, slots=True)
class Delivering:
    """Retries and confirmations. `attempts`: most that count against a lead; deadline in seconds after sending.

    `denied_fails`: a key that is denied a call, but not other ones, lacks a permission: each operation of LeadByte needs
    its own. What was denied so has failed, for no other lead of the batch would fare better.
    """

    attempts: int
    retry: Backoff
    confirm: Backoff
    confirm_deadline: float
    denied_fails: bool = False

    def after_push(
        self, batch: Sequence[Delivery], outcomes: Sequence[Outcome], now: float, jitter: float
    ) -> Iterator[Move]:
        """A move for each delivery of an answered call."""
        for delivery, outcome in zip(batch, outcomes, strict=True):
            yield self._after_outcome(delivery, outcome, now, jitter)

    def after_error(
        self,
        batch: Sequence[Delivery],
        error: CallError,
        now: float,
        jitter: float,
        resume_at: float,
        *,
        answers: bool,
    ) -> Iterator[Move]:
        """A move for each delivery of a call that failed as a whole.

        Throttled, denied or never sent: no attempt is used up; due again at `resume_at` where it was throttled, else at
        once, for the host's health is what holds it back. Refused: the batch is split until the lead that was refused
        stands alone, for nothing was carried out. No verdict: what may not be repeated is in doubt; of the rest no
        attempt is used up while the host does not answer other questions either. Where it `answers` them the batch may
        be at fault, also where only it is denied: it is split, and a lead that stands alone uses up an attempt; but with
        `denied_fails` whatever is denied so has failed.
        """
        if isinstance(error, Refused):
            return _split(batch, str(error), now) if len(batch) > 1 else _failed(batch, str(error), now)
        if isinstance(error, LostAnswer | ServerFault):
            return self._without_verdict(batch, str(error), now, jitter, answers=answers)
        if isinstance(error, Denied) and answers:
            if self.denied_fails:
                return _failed(batch, str(error), now)
            return self._at_fault(batch, str(error), now, jitter, maybe=False)
        due_at = resume_at if isinstance(error, Throttled) else now
        return (Move(d, State.PENDING, due_at, str(error)) for d in batch)

    def after_confirm(self, delivery: Delivery, outcome: Outcome, now: float) -> Move | None:
        """What the status API said; None: not applied yet, ask again."""
        match outcome.kind:
            case Kind.SYNCED:
                return Move(delivery, State.SYNCED, now, outcome.note or None)
            case Kind.REJECTED:
                return Move(delivery, State.FAILED, now, outcome.reason)
            case Kind.FORGOTTEN if delivery.lane.repeatable:
                return self._again(delivery, "LeadSquared no longer knows the request; sent again", now, 0.0)
            case Kind.FORGOTTEN:
                words = "LeadSquared no longer knows the request, and it may have fired automations"
                return Move(delivery, State.FAILED, now, words, maybe=True)
        if self.is_late(delivery, now):
            words = "LeadSquared accepted the update but did not apply it before the deadline"
            return Move(delivery, State.FAILED, now, words, maybe=True)
        return None

    def is_late(self, delivery: Delivery, now: float) -> bool:
        """Whether the time in which it is asked what became of this delivery is over."""
        return now >= delivery.sent_at + self.confirm_deadline

    def after_asking_failed(
        self, delivery: Delivery, error: CallError, now: float, *, answers: bool
    ) -> Move | None:
        """What a question leads to that was answered by no verdict; None: ask again.

        A host that lets nothing through is waited for; one that `answers` other questions, but never this one, only
        until the deadline.
        """
        if answers and self.is_late(delivery, now):
            words = f"could not be confirmed before the deadline: {error}"
            return Move(delivery, State.FAILED, now, words, maybe=True)
        return None

    def after_read_back(self, delivery: Delivery, held: Mapping[str, str] | None, now: float) -> Move | None:
        """What the lead now holds settles a doubt; None: not (yet) all of it, look again.

        The key is not compared: the lead was found by it, in whatever spelling.
        """
        if held is not None and all(
            name == delivery.key or same(value, held.get(name, "")) for name, value in delivery.fields.items()
        ):
            return Move(delivery, State.SYNCED, now)
        if self.is_late(delivery, now):
            words = "the answer was lost and LeadSquared does not hold the values"
            return Move(delivery, State.FAILED, now, words, maybe=True)
        return None

    def next_look(self, delivery: Delivery, now: float, jitter: float) -> float:
        """When to ask for a confirmation, or read back, the next time: at the deadline at the latest.

        Past it (the asking itself failed) the intervals go on.
        """
        due_at = now + self.confirm.interval(delivery.polls, jitter)
        latest = delivery.sent_at + self.confirm_deadline
        return min(due_at, latest) if now < latest else due_at

    def _after_outcome(self, delivery: Delivery, outcome: Outcome, now: float, jitter: float) -> Move:
        match outcome.kind:
            case Kind.SYNCED:
                return Move(delivery, State.SYNCED, now, outcome.note or None)
            case Kind.SUBMITTED:
                due_at = now + self.confirm.interval(0, jitter)
                return Move(delivery, State.SUBMITTED, due_at, request_id=outcome.request_id)
            case Kind.UNKNOWN_LEAD:
                return _unknown(delivery, outcome, now)
            case Kind.REJECTED:
                return Move(delivery, State.FAILED, now, outcome.reason)
        reason = outcome.reason or UNLISTED
        if not delivery.lane.repeatable:
            return self._unanswered(delivery, reason, now, jitter)
        return self._again(delivery, reason, now, jitter, alone(delivery))

    def _without_verdict(
        self, batch: Sequence[Delivery], reason: str, now: float, jitter: float, *, answers: bool
    ) -> Iterator[Move]:
        if not batch[0].lane.repeatable:
            return (self._unanswered(delivery, reason, now, jitter) for delivery in batch)
        if not answers:
            return (Move(delivery, State.PENDING, now, reason, maybe=True) for delivery in batch)
        return self._at_fault(batch, reason, now, jitter, maybe=True)

    def _at_fault(
        self, batch: Sequence[Delivery], reason: str, now: float, jitter: float, *, maybe: bool
    ) -> Iterator[Move]:
        if len(batch) > 1:
            return _split(batch, reason, now, maybe=maybe)
        return iter([replace(self._again(batch[0], reason, now, jitter), maybe=maybe)])

    def _unanswered(self, delivery: Delivery, reason: str, now: float, jitter: float) -> Move:
        due_at = now + self.confirm.interval(0, jitter)
        words = f"the answer was lost: {reason}"
        return Move(delivery, State.IN_DOUBT, due_at, words, attempt=True, maybe=True)

    def _again(
        self, delivery: Delivery, reason: str, now: float, jitter: float, lane: Lane | None = None
    ) -> Move:
        used = delivery.attempts + 1
        if used >= self.attempts:
            words = f"gave up after {used} attempts: {reason}"
            return Move(delivery, State.FAILED, now, words, attempt=True, maybe=True)
        due_at = now + self.retry.interval(delivery.attempts, jitter)
        return Move(delivery, State.PENDING, due_at, reason, attempt=True, lane=lane, maybe=True)


UNLISTED = "the answer does not name this lead"


def alone(delivery: Delivery) -> Lane:
    """A lane that no other delivery shares."""
    return replace(delivery.lane, part=f"alone-{delivery.id}")


def _unknown(delivery: Delivery, outcome: Outcome, now: float) -> Move:
    key = delivery.next_key
    if key is None:
        return Move(delivery, outcome.listed, now, outcome.reason, unknown=True)
    lane = replace(delivery.lane, search_by=key, part="")
    return Move(delivery, State.PENDING, now, outcome.reason, lane=lane, unknown=True)


def _failed(batch: Sequence[Delivery], reason: str, now: float) -> Iterator[Move]:
    return (Move(delivery, State.FAILED, now, reason) for delivery in batch)


def _split(batch: Sequence[Delivery], reason: str, now: float, *, maybe: bool = False) -> Iterator[Move]:
    middle = len(batch) // 2
    for half in (batch[:middle], batch[middle:]):
        for delivery in half:
            lane = replace(delivery.lane, part=f"half-{half[0].id}")
            yield Move(delivery, State.PENDING, now, reason, lane=lane, maybe=maybe)
