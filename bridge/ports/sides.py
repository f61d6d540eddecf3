"""The two sides: where results and changes come from, and where deliveries go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bridge.model import Change, Delivery, Lane, Outcome, QueueReply


class Source(Protocol):
    """Where queue results come from (LeadByte)."""

    async def poll(self, queue_id: str) -> QueueReply:
        """Ask once. Never sleeps, never retries; safe to repeat.

        Raises Unreachable, LostAnswer, ServerFault, Throttled, Denied or Refused.
        """
        ...

    async def ping(self) -> None:
        """Ask something that changes nothing and needs no lead, to see whether this side answers. Raises as `poll`."""
        ...

    def reread(self, queue_id: str, raw: str) -> QueueReply:
        """What a kept reply says, without asking again. Raises ServerFault where the text is no such reply."""
        ...


class Sink(Protocol):
    """Where deliveries go: LeadSquared for lead updates, LeadByte for operations."""

    async def push(self, lane: Lane, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        """One call for a batch of one lane; an outcome for each delivery, in the batch's order.

        The batch holds no lookup value twice. At most 25 deliveries (bulk), as many as the setting says (updates of
        leads in LeadByte) or one (all else). Never sleeps, never retries. Raises Unreachable, LostAnswer, ServerFault,
        Throttled, Denied, or Refused where the call as a whole was refused and nothing was written.
        """
        ...

    async def ping(self, mode: str) -> None:
        """Ask the host of this mode something that changes nothing, to see whether it answers. Raises as `push`."""
        ...


class ReadableSink(Sink, Protocol):
    """A sink that can be asked what became of a delivery (LeadSquared)."""

    async def confirm(self, request_id: str) -> Outcome:
        """Ask once what became of an accepted async request: SYNCED, REJECTED, QUEUED or FORGOTTEN. Raises as `push`."""
        ...

    async def read_back(self, key: str, value: str, fields: Sequence[str]) -> Mapping[str, str] | None:
        """The named fields as LeadSquared now holds them for the lead whose `key` is `value`; None where it knows none.

        Raises as `push`.
        """
        ...


@dataclass(frozen=True, slots=True)
class ChangePage:
    """One page of changed leads. `last`: there is no further one. `at`: the other side's clock as it answered (epoch
    seconds), None where it does not tell. `total`: how many leads all pages held at that moment, None likewise.
    """

    changes: Sequence[Change]
    last: bool
    at: float | None = None
    total: int | None = None


class ChangeSource(Protocol):
    """Where changes of leads come from (LeadSquared)."""

    async def changes(self, since: float, columns: Sequence[str], page: int) -> ChangePage:
        """A page, from 1 on, of the leads that were modified in or after the second `since` (epoch seconds).

        Sorted by what never changes, so that leads modified between two pages move none to another page. Holds the
        named columns alone. Never sleeps, never retries. Raises as `Sink.push`.
        """
        ...
