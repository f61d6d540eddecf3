"""What a poll of one queueId leads to."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.errors import CallError
from bridge.model import ItemState, PollRecord, QueueReply, Verdict, WaitingItem
from bridge.policy.backoff import Backoff

LONGEST_WORD = 100
"""Characters of a status word that are told: a reply may hold a megabyte of it."""

NOT_PROCESSED = "LeadByte does not show yet what it was told to do to the lead"
RESOLVING = (Verdict.FINAL, Verdict.QUARANTINED)


@dataclass(frozen=True, slots=True)
class Polling:
    """When to ask again: `backoff` per lead, until the item's deadline."""

    backoff: Backoff

    def after_reply(self, item: WaitingItem, reply: QueueReply, now: float, jitter: float) -> PollRecord:
        """Resolved by a final or quarantined word; polled again after any other, until the deadline.

        The words of before say nothing of a lead that LeadByte was told to process anew, until that has had its time, or
        the deadline has come.
        """
        if reply.verdict not in RESOLVING:
            return self._again(item, _not_final(reply), now, jitter, reply)
        if _settles(item, now) and item.said == (reply.status, reply.processed):
            return self._again(item, NOT_PROCESSED, now, jitter, reply)
        return PollRecord(item.id, ItemState.RESOLVED, now, None, reply)

    def after_error(
        self, item: WaitingItem, error: CallError, now: float, jitter: float, *, answers: bool
    ) -> PollRecord:
        """A poll that failed is only polled again: until the deadline, and past it while LeadByte does not answer
        other questions either (`answers`)."""
        if answers or now < item.deadline_at:
            return self._again(item, str(error), now, jitter, None)
        due_at = now + self.backoff.interval(item.polls, jitter)
        return PollRecord(item.id, ItemState.WAITING, due_at, str(error))

    def _again(
        self, item: WaitingItem, reason: str, now: float, jitter: float, reply: QueueReply | None
    ) -> PollRecord:
        if now >= item.deadline_at and item.settles_at is not None:
            return PollRecord(item.id, ItemState.RESOLVED, now)  # its result of before stands
        if now >= item.deadline_at:
            return PollRecord(
                item.id, ItemState.EXPIRED, now, f"no final result before the deadline: {reason}", reply
            )
        due_at = min(now + self.backoff.interval(item.polls, jitter), item.deadline_at)
        return PollRecord(item.id, ItemState.WAITING, due_at, reason, reply)


def _settles(item: WaitingItem, now: float) -> bool:
    """Whether LeadByte may not have done yet what it was told to do to this lead."""
    return item.settles_at is not None and now < min(item.settles_at, item.deadline_at)


def _not_final(reply: QueueReply) -> str:
    word = reply.status[:LONGEST_WORD]
    if reply.verdict is Verdict.UNKNOWN:
        return f"LeadByte's status word {word!r} is not in BRIDGE_LEADBYTE__STATUSES"
    return f"LeadByte's status is still {word!r}"
