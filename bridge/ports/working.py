"""What the stages ask of the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from bridge.model import Call, Change, Delivery, Mapped, Move, PollRecord, ResolvedItem, Track, WaitingItem
from bridge.operation import Learned
from bridge.ports.values import Birth, Decision, Names, Operated, Reopened


class Results(Protocol):
    """LeadByte's queue results: tracked, polled, mapped."""

    def track(self, tracks: Iterable[Track], now: float, deadline_at: float) -> int:
        """Begin to track queueIds; those already known change nothing. Returns how many are new."""
        ...

    def claim_waiting(self, now: float, limit: int) -> Sequence[WaitingItem]:
        """Lease the due waiting items that are due longest. A lease ends with `record_polls`, `release` or `recover`."""
        ...

    def record_polls(self, records: Sequence[PollRecord], now: float) -> None: ...

    def release_waiting(self, items: Sequence[WaitingItem], now: float) -> None:
        """Give leases back unused: due again at once."""
        ...

    def unmapped(self, limit: int) -> Sequence[ResolvedItem]:
        """Resolved items that no mapping has seen in their present generation, oldest first."""
        ...

    def reopened(self, limit: int) -> Sequence[Reopened]:
        """Pending deliveries that must be mapped anew before they may be sent, oldest first."""
        ...

    def record_mapped(self, items: Sequence[ResolvedItem], births: Sequence[Birth], now: float) -> None:
        """Store what the mappings made of these items and mark them mapped.

        A birth merges with what is open for its identity (`bridge.policy.merge`): newest wins field by field.
        """
        ...

    def record_remapped(self, reopened: Reopened, birth: Birth, now: float) -> None:
        """Replace a re-opened delivery's values by freshly mapped ones; where mapping failed, a failed one replaces it."""
        ...


class Deliveries(Protocol):
    """Deliveries: claimed, sent, confirmed."""

    def ready(self, mode: str, now: float, size: int, linger: float) -> bool:
        """Whether a lane of this mode has `size` due deliveries, or one that has been due for `linger` seconds."""
        ...

    def claim_batch(
        self, mode: str, now: float, size: int, linger: float, call_id: str
    ) -> Sequence[Delivery]:
        """Take the readiest lane's deliveries as `sending`: one lane, no lookup twice, no identity that is in flight.

        Values equal to the agreed ones become `skipped` here, values older than the agreed ones are left out.
        """
        ...

    def record(self, call: Call, moves: Sequence[Move], now: float) -> None:
        """Store what a call led to: states, an attempt row for each delivery, agreed values of the synced ones."""
        ...

    def claim_submitted(self, now: float, limit: int) -> Sequence[Delivery]:
        """Lease the due submitted deliveries that are due longest; their state stays `submitted`."""
        ...

    def claim_in_doubt(self, now: float, limit: int) -> Sequence[Delivery]:
        """Lease the due deliveries in doubt; their state stays `in_doubt`."""
        ...

    def postpone(self, call: Call, delivery: Delivery, due_at: float, reason: str | None) -> None:
        """Ask again at `due_at`; state and attempts stay. The call gets its attempt row."""
        ...


class Feedback(Protocol):
    """Changes in LeadSquared, and what LeadByte is to be told of them."""

    def observe(
        self, changes: Sequence[Change], now: float, checkpoint: tuple[str, str] | None = None
    ) -> int:
        """Keep how these leads look now; those that look otherwise than kept are to be mapped. Returns how many.

        A look that is older than the one kept changes nothing. `checkpoint` (name, value) moves in the same transaction.
        """
        ...

    def names(self, item_id: int) -> Names:
        """The identities of a LeadSquared lead."""
        ...

    def learned(self, identities: Sequence[str]) -> Learned:
        """The newest LeadByte ids that the way forward showed for any of these identities."""
        ...

    def written(self, identities: Sequence[str]) -> Mapping[str, frozenset[str]]:
        """Column → digests of the values that LeadSquared holds by agreement, or that are on their way to it."""
        ...

    def record_decided(self, item: ResolvedItem, decisions: Sequence[Decision], now: float) -> int:
        """Store what the feedback mappings made of a lead and mark it mapped. Returns how many deliveries are new.

        A decision that its mapping has acted on before, with the same set of values, leaves nothing.
        """
        ...

    def operate(self, operations: Sequence[Mapped], now: float) -> Sequence[int]:
        """Store operations that a person asked for. Returns the number of the delivery of each."""
        ...

    def operated(self, delivery_ids: Sequence[int]) -> Sequence[Operated]:
        """What has become of these deliveries, in the order given; those that were forgotten are left out."""
        ...


class Life(Protocol):
    """What a process needs as it starts, runs dry and stops."""

    def recover(self, now: float) -> int:
        """Put right what a dead process left: leases end, `sending` becomes pending, or in_doubt if not repeatable.

        Only for the holder of the state directory's lock. Returns how many deliveries were found in `sending`.
        """
        ...

    def clock_set_back(self, seconds: float) -> None:
        """The clock now shows so much less than it would have: what is due, or has a deadline, is so by that much sooner."""
        ...

    def calls_since(self, host: str, since: float) -> Sequence[float]:
        """When the calls to `host` that ended after `since` were answered, in epoch seconds, oldest first."""
        ...

    def idle(self) -> bool:
        """Whether nothing waits or is in flight. What is in doubt is no such thing once it was read back, nor what waits
        behind it."""
        ...

    def left(self) -> int:
        """How many rows keep it from being idle. An estimate: what waits behind a doubt is among them."""
        ...

    def submitted(self) -> bool:
        """Whether async updates are in flight."""
        ...

    def checkpoint(self, name: str) -> str | None: ...

    def set_checkpoint(self, name: str, value: str | None, now: float) -> None: ...
