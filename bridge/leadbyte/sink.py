"""LeadByte as the sink of operations on its leads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import structlog

from bridge.errors import LeadUnmappable, Refused
from bridge.exchange import one_line
from bridge.leadbyte.host import LeadByteHost
from bridge.leadbyte.operations import financials_request, process_request, update_request
from bridge.leadbyte.operations_replies import read_financials, read_process, read_updates
from bridge.model import Delivery, Kind, Lane, Outcome
from bridge.operation import (
    Financials,
    LeadUpdate,
    Operation,
    QuarantineProcess,
    QuarantineUpdate,
    Update,
    restored,
)

ONE_BY_ONE: Final = (
    "LeadByte takes releases, rejections and financials one by one: the batch is split, nothing was sent"
)

_log = structlog.get_logger(__name__)


class LeadByteSink(LeadByteHost):
    """`ports.Sink` over HTTP, for the deliveries that `operation.carried` makes."""

    async def push(self, lane: Lane, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        """One call for a batch of one lane; see `ports.Sink`. A delivery that carries nothing fit to be sent is REJECTED.

        Raises Refused, before any call, where one of several needs a call of its own.
        """
        read = [_restored(lane, delivery) for delivery in batch]
        fit = [one for one in read if not isinstance(one, Outcome)]
        told = iter(await self._carry_out(fit) if fit else ())
        return [one if isinstance(one, Outcome) else self._without_key(next(told)) for one in read]

    async def ping(self, mode: str) -> None:  # noqa: ARG002 - there is one host
        """Ask about a queueId that LeadByte cannot know; see `ports.Sink`."""
        await self._ask_of_nobody()

    async def _carry_out(self, batch: Sequence[Operation]) -> Sequence[Outcome]:
        match batch:
            case [QuarantineProcess() as one]:
                return [await self._process(one)]
            case [Financials() as one]:
                return [await self._book(one)]
        updates = [one for one in batch if isinstance(one, LeadUpdate | QuarantineUpdate)]
        if len(updates) < len(batch):
            raise Refused(ONE_BY_ONE)
        return await self._update(updates)

    async def _update(self, batch: Sequence[Update]) -> Sequence[Outcome]:
        request = update_request(self._base, self._key, batch, self._header)
        answer = await self._ask(request, partial(read_updates, batch=batch))
        if answer.warning:
            _log.warning("LeadByte's answer and the leads sent disagree", detail=answer.warning)
        return [result.outcome for result in answer.results]

    async def _process(self, one: QuarantineProcess) -> Outcome:
        request = process_request(self._base, self._key, one, self._header)
        return (await self._ask(request, partial(read_process, entry=one))).outcome

    async def _book(self, one: Financials) -> Outcome:
        request = financials_request(self._base, self._key, one)
        return (await self._ask(request, partial(read_financials, entry=one))).outcome

    def _without_key(self, outcome: Outcome) -> Outcome:
        note = one_line(self._redact(outcome.note))
        return replace(outcome, reason=self._redact(outcome.reason), note=note)


def _restored(lane: Lane, delivery: Delivery) -> Operation | Outcome:
    try:
        return restored(lane, delivery.fields)
    except LeadUnmappable as error:
        return Outcome(Kind.REJECTED, str(error))
