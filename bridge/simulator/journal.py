"""A record of what LeadByte was told to do and did, and of what it was told twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from bridge.model import Json

Kind: TypeAlias = Literal[
    "update", "trigger", "reprocess", "quarantine_update", "release", "reject", "financials"
]
NOT_REPEATABLE: Final[frozenset[Kind]] = frozenset({"trigger", "reprocess", "release", "reject"})
"""What acts once more each time it is sent; the other kinds set values."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that was done to one lead: `order` from 1, `at` in epoch seconds, `id` its leadId or quarantineId.

    `values`: the fields that were set; of a trigger, reprocess, release or reject those that came with it, of a trigger
    `triggerDeliveryId` besides; of financials `newPayout`, `newRevenue` (Decimal) and `BID` as far as they were sent.
    """

    order: int
    at: float
    kind: Kind
    id: str
    values: Mapping[str, Json]


class Journal:
    """`operations`: all that was carried out, in order. `repeated`: how often something of NOT_REPEATABLE came for a
    lead for which the same, with the same values, had been carried out before, whether it was then done again or refused.
    """

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.repeated = 0
        self._done: set[str] = set()

    def arrive(self, kind: Kind, lead: str, values: Mapping[str, Json]) -> None:
        """Note an order before it is judged."""
        self.repeated += _content(kind, lead, values) in self._done

    def carry_out(self, at: float, kind: Kind, lead: str, values: Mapping[str, Json]) -> None:
        self.operations.append(Operation(len(self.operations) + 1, at, kind, lead, dict(values)))
        if kind in NOT_REPEATABLE:
            self._done.add(_content(kind, lead, values))

    def counts(self) -> Counter[str]:
        """How many operations there were of each kind."""
        return Counter(operation.kind for operation in self.operations)


def _content(kind: Kind, lead: str, values: Mapping[str, Json]) -> str:
    return json.dumps([kind, lead, values], sort_keys=True)
