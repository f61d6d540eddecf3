"""What a call to the sink leads to for each delivery in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bridge.errors import CallError, LostAnswer, Refused, ServerFault, Throttled
from bridge.model import Delivery, Kind, Lane, Move, Outcome, State
from bridge.policy.backoff import Backoff
from bridge.policy.values import same


@dataclass(frozen=True, slots=True)
class Delivering:
    """Retries and confirmations. `attempts`: most that count against a lead; deadline in seconds after sending."""

    attempts: int
    retry: Backoff
    confirm: Backoff
    confirm_deadline: float

    def after_push(
        self, batch: Sequence[Delivery], outcomes: Sequence[Outcome], now: float, jitter: float
    ) -> Iterator[Move]:
        """A move for each delivery of an answered call."""
        for delivery, outcome in zip(batch, outcomes, strict=True):
            yield self._after_outcome(delivery, outcome, now, jitter)

    def after_error(
        self, batch: Sequence[Delivery], error: CallError, now: float, jitter: float, resume_at: float
    ) -> Iterator[Move]:
        """A move for each delivery of a call that failed as a whole.

        Throttled, denied or never sent: no attempt is used up; due again at `resume_at` where it was throttled, else at
        once, for the host's health is what holds it back. Refused: the batch is split
        until the lead that was refused stands alone. No verdict: tried again if that is harmless, else in doubt.
        """
        if isinstance(error, Refused):
            return _after_refusal(batch, str(error), now)
        if isinstance(error, LostAnswer | ServerFault):
            return (self._unanswered(d, str(error), now, jitter) for d in batch)
        due_at = resume_at if isinstance(error, Throttled) else now
        return (Move(d, State.PENDING, due_at, str(error)) for d in batch)

    def after_confirm(self, delivery: Delivery, outcome: Outcome, now: float) -> Move | None:
        """What the status API said; None: not applied yet, ask again."""
        match outcome.kind:
            case Kind.SYNCED:
                return Move(delivery, State.SYNCED, now)
            case Kind.REJECTED:
                return Move(delivery, State.FAILED, now, outcome.reason)
            case Kind.FORGOTTEN if delivery.lane.repeatable:
                return self._again(delivery, "LeadSquared no longer knows the request; sent again", now, 0.0)
            case Kind.FORGOTTEN:
                return Move(
                    delivery,
                    State.FAILED,
                    now,
                    "LeadSquared no longer knows the request, and it may have fired automations",
                )
        if now >= delivery.sent_at + self.confirm_deadline:
            return Move(
                delivery,
                State.FAILED,
                now,
                "LeadSquared accepted the update but did not apply it before the deadline",
            )
        return None

    def after_asking_failed(self, delivery: Delivery, error: CallError, now: float) -> Move | None:
        """What a question leads to that was answered by no verdict; None: ask again.

        A host that lets nothing through is waited for; one that answers, but never with a verdict, only until the
        deadline.
        """
        if isinstance(error, Refused | ServerFault) and now >= delivery.sent_at + self.confirm_deadline:
            return Move(delivery, State.FAILED, now, f"could not be confirmed before the deadline: {error}")
        return None

    def after_read_back(self, delivery: Delivery, held: Mapping[str, str] | None, now: float) -> Move | None:
        """What the lead now holds settles a doubt; None: not (yet) all of it, look again.

        The key is not compared: the lead was found by it, in whatever spelling.
        """
        if held is not None and all(
            name == delivery.key or same(value, held.get(name, "")) for name, value in delivery.fields.items()
        ):
            return Move(delivery, State.SYNCED, now)
        if now >= delivery.sent_at + self.confirm_deadline:
            return Move(
                delivery, State.FAILED, now, "the answer was lost and LeadSquared does not hold the values"
            )
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
                return Move(delivery, State.SYNCED, now)
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

    def _unanswered(self, delivery: Delivery, reason: str, now: float, jitter: float) -> Move:
        if not delivery.lane.repeatable:
            due_at = now + self.confirm.interval(0, jitter)
            return Move(delivery, State.IN_DOUBT, due_at, f"the answer was lost: {reason}", attempt=True)
        return self._again(delivery, reason, now, jitter)

    def _again(
        self, delivery: Delivery, reason: str, now: float, jitter: float, lane: Lane | None = None
    ) -> Move:
        used = delivery.attempts + 1
        if used >= self.attempts:
            return Move(delivery, State.FAILED, now, f"gave up after {used} attempts: {reason}", attempt=True)
        due_at = now + self.retry.interval(delivery.attempts, jitter)
        return Move(delivery, State.PENDING, due_at, reason, attempt=True, lane=lane)


UNLISTED = "LeadSquared's answer does not name this lead"


def alone(delivery: Delivery) -> Lane:
    """A lane that no other delivery shares."""
    return replace(delivery.lane, part=f"alone-{delivery.id}")


def _unknown(delivery: Delivery, outcome: Outcome, now: float) -> Move:
    key = delivery.next_key
    if key is None:
        return Move(delivery, outcome.listed, now, outcome.reason, unknown=True)
    lane = replace(delivery.lane, search_by=key, part="")
    return Move(delivery, State.PENDING, now, outcome.reason, lane=lane, unknown=True)


def _after_refusal(batch: Sequence[Delivery], reason: str, now: float) -> Iterator[Move]:
    if len(batch) == 1:
        yield Move(batch[0], State.FAILED, now, reason)
        return
    middle = len(batch) // 2
    for half in (batch[:middle], batch[middle:]):
        for delivery in half:
            lane = replace(delivery.lane, part=f"half-{half[0].id}")
            yield Move(delivery, State.PENDING, now, reason, lane=lane)
