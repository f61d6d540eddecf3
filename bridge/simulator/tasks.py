"""LeadSquared's queue of async lead updates: accepted now, applied later, perhaps in another order."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal
from uuid import UUID

from bridge.simulator.crm import NOT_DONE, Refusal


@dataclass
class AsyncOptions:
    """How the async host behaves; may be changed while it runs.

    `delay`: seconds until an update is applied. `shuffle`: a random part of twice the delay instead, so that updates
    overtake one another. `message`: how the status reply carries its Message; with `null` StatusReason says why.
    `hidden_failure`: failures carry the success word, and only Message tells. `unknown_request`: the answer for a
    RequestID that is not known. `forget_after`: seconds after which a finished one is not known any more.
    Shares of the accepted updates: `lost` ones are never applied and their RequestID is not known, `stuck` ones stay in
    the queue for good, `failing` ones fail when their time has come. `metrics`: how the metrics' names are spelt.
    """

    delay: float = 0.5
    shuffle: bool = False
    message: Literal["text", "object", "null"] = "text"
    queued_word: str = "In-Queue"
    success_word: str = "Success"
    failure_word: str = "FAILURE"
    hidden_failure: bool = False
    request_key: Literal["RequestID", "RequestId"] = "RequestID"
    unknown_request: Literal["404", "envelope"] = "404"
    forget_after: float | None = None
    lost: float = 0.0
    stuck: float = 0.0
    failing: float = 0.0
    metrics: Literal["pascal", "camel", "lower", "upper"] = "pascal"


@dataclass(slots=True)
class Task:
    """One accepted update. `fires`: automations run once it is applied. `refusal`: why it was not applied."""

    request_id: str
    prospect: str
    fields: Mapping[str, str]
    body: str
    fires: bool
    accepted_at: float
    due_at: float
    done: bool = False
    refusal: Refusal | None = None


class Tasks:
    """Accepted updates by RequestID. `overlaps` counts those accepted while another one of their lead was not applied,
    `mishaps` those that were lost, got stuck or failed by rate."""

    def __init__(self, rng: Random) -> None:
        self.options = AsyncOptions()
        self.overlaps = self.mishaps = 0
        self._rng = rng
        self._tasks: dict[str, Task] = {}
        self._waiting: list[tuple[float, int, Task]] = []
        self._per_lead: Counter[str] = Counter()

    def accept(self, prospect: str, fields: Mapping[str, str], body: str, now: float, *, fires: bool) -> Task:
        request_id = str(UUID(int=self._rng.getrandbits(128), version=4))
        options = self.options
        delay = self._rng.uniform(0, 2 * options.delay) if options.shuffle else options.delay
        task = Task(request_id, prospect, fields, body, fires, now, now + delay)
        if self._happens(options.lost):
            return task
        self._tasks[request_id] = task
        if self._happens(options.stuck):
            return task
        task.refusal = NOT_DONE if self._happens(options.failing) else None
        heapq.heappush(self._waiting, (task.due_at, len(self._tasks), task))
        lead = prospect.casefold()
        self.overlaps += self._per_lead[lead] > 0
        self._per_lead[lead] += 1
        return task

    def _happens(self, share: float) -> bool:
        happens = share > 0 and self._rng.random() < share
        self.mishaps += happens
        return happens

    def due(self, now: float) -> Iterator[Task]:
        """Takes the updates whose time has come out of the queue, in the order of their times."""
        while self._waiting and self._waiting[0][0] <= now:
            task = heapq.heappop(self._waiting)[2]
            task.done = True
            self._per_lead[task.prospect.casefold()] -= 1
            yield task

    def get(self, request_id: str, now: float) -> Task | None:
        task = self._tasks.get(request_id)
        forget = self.options.forget_after
        if task and task.done and forget is not None and now >= task.due_at + forget:
            return None
        return task

    def waiting(self) -> list[Task]:
        return [task for _, _, task in self._waiting]

    def finished_since(self, since: float) -> int:
        return sum(task.done and task.due_at > since for task in self._tasks.values())
