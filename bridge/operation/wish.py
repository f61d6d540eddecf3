"""What a feedback mapping wants of LeadByte for one lead, before it is known whether that is news."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.model import Mapped


@dataclass(frozen=True, slots=True)
class Learned:
    """The LeadByte ids that the way forward showed for a LeadSquared lead; None where it showed none."""

    lead_id: str | None = None
    quarantine_id: str | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """One operation that a feedback mapping asks for.

    `reads`: every LeadSquared column that decides it, those of `when` and of its values, but not the id's. `sources`: name
    in `mapped.fields` → the columns that its text was made from; the key, the action and fixed texts have none. `found`: the
    columns that hold the id; none where it was learned.
    """

    mapped: Mapped
    reads: frozenset[str]
    sources: Mapping[str, frozenset[str]] = field(default_factory=dict)
    found: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        """Of the operation: `lead`, `quarantine`, `process` or `financials`."""
        return self.mapped.lane.kind
