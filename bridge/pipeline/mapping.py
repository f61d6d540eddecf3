"""The map stage: from LeadByte's replies to the values that LeadSquared is to hold, and from its leads back to LeadByte."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

import structlog

from bridge.errors import CallError, LeadUnmappable
from bridge.exchange import text_of
from bridge.mapping import AnyMapping, FeedbackFile, MappingFile, epoch, feedback_of, forward_of
from bridge.model import LEADBYTE, Json, ResolvedItem, State
from bridge.operation import Learned
from bridge.pipeline import deciding
from bridge.pipeline.crew import Crew
from bridge.pipeline.desk import Desk
from bridge.ports import Birth, Reopened, Source, Store

log = structlog.get_logger()

CHUNK = 128
"""Leads mapped and recorded at once; the event loop stands still meanwhile, for some 10 ms."""
NOT_WANTED = "the mapping's `when` leaves this lead out"


class MapStage:
    """Maps resolved items by every mapping, and re-opened deliveries by theirs. A lead that cannot be mapped fails alone.

    `mappings` is asked before each chunk, so that files mended while the service runs count at once.
    """

    def __init__(
        self,
        store: Store,
        desk: Desk,
        source: Source,
        mappings: Callable[[], Sequence[AnyMapping]],
        clock: Callable[[], float],
    ) -> None:
        self._store, self._desk, self._source, self._clock = store, desk, source, clock
        self._current = mappings
        self._read_mappings()
        self.crew = Crew("map", 1, self._step)

    async def stop(self, grace: float) -> None:
        """Finish the chunk in hand."""
        await self.crew.stop(grace)

    def _read_mappings(self) -> None:
        current = self._current()
        self._mappings: dict[str, MappingFile] = {one.name: one for one in forward_of(current)}
        self._feedback: dict[str, FeedbackFile] = {one.name: one for one in feedback_of(current)}

    async def _step(self) -> bool:
        items = await self._desk(self._store.unmapped, CHUNK)
        reopened = await self._desk(self._store.reopened, CHUNK)
        if items or reopened:
            self._read_mappings()
        if results := [item for item in items if item.source == LEADBYTE]:
            await self._map(results)
        for item in items:
            if item.source != LEADBYTE:
                await self._decide(item)
        for one in reopened:
            birth = await self._remapped(one)
            await self._desk(self._store.record_remapped, one, birth, self._clock())
        return bool(items or reopened)

    async def _map(self, items: Sequence[ResolvedItem]) -> None:
        births = [birth for item in items for birth in self._births(item)]
        await self._desk(self._store.record_mapped, items, births, self._clock())
        failed = sum(birth.state is State.FAILED for birth in births)
        log.info("mapped", leads=len(items), deliveries=len(births), failed=failed)
        if failed:
            _warn(items, births)
        if log.bind().is_enabled_for(logging.DEBUG):
            _tell(items, births)

    async def _decide(self, item: ResolvedItem) -> None:
        """What the feedback mappings want for a changed LeadSquared lead."""
        decided = await self._desk(deciding.decisions, self._store, item, list(self._feedback.values()))
        new = await self._desk(self._store.record_decided, item, decided, self._clock())
        failed = sum(decision.state is State.FAILED for decision in decided)
        log.info("decided", deliveries=new, failed=failed)
        if failed:
            log.warning("not mapped", queue_ids=[item.queue_id])

    async def _remapped(self, reopened: Reopened) -> Birth:
        if reopened.item.source == LEADBYTE:
            return self._remap(reopened)
        mapping = self._feedback.get(reopened.mapping)
        return await self._desk(deciding.remap, self._store, reopened, mapping)

    def _births(self, item: ResolvedItem) -> Iterator[Birth]:
        for name in self._mappings:
            yield self._birth(item, name)

    def _remap(self, reopened: Reopened) -> Birth:
        if reopened.mapping not in self._mappings:
            reason = f"there is no mapping file named {reopened.mapping} any more"
            return Birth(
                reopened.item.id, reopened.mapping, State.FAILED, None, reason, reopened.item.resolved_at
            )
        return self._birth(reopened.item, reopened.mapping)

    def _birth(self, item: ResolvedItem, name: str) -> Birth:
        at, learned = item.resolved_at, Learned()
        try:
            view = self._view(item)
            at = epoch(view["processed"]) or at
            learned = Learned(text_of(view["leadId"]), text_of(view["quarantineId"]))
            mapped = self._mappings[name].apply(view)
        except (LeadUnmappable, CallError) as error:
            return Birth(item.id, name, State.FAILED, None, str(error), at, learned=learned)
        if mapped is None:
            return Birth(item.id, name, State.SKIPPED, None, NOT_WANTED, at, learned=learned)
        return Birth(item.id, name, State.PENDING, mapped, None, at, item.force, learned)

    def _view(self, item: ResolvedItem) -> Mapping[str, Json]:
        reply = self._source.reread(item.queue_id, item.reply)
        return {**reply.view, "context": item.context}


def _warn(items: Sequence[ResolvedItem], births: Sequence[Birth]) -> None:
    """One line that names the leads that could not be mapped."""
    failed = {birth.item_id for birth in births if birth.state is State.FAILED}
    log.warning("not mapped", queue_ids=[item.queue_id for item in items if item.id in failed])


def _tell(items: Sequence[ResolvedItem], births: Sequence[Birth]) -> None:
    """A line for each delivery."""
    names = {item.id: item.queue_id for item in items}
    for birth in births:
        person = {"person": birth.mapped.identity} if birth.mapped else {}
        log.debug(
            "mapped lead",
            queue_id=names[birth.item_id],
            mapping=birth.mapping,
            state=str(birth.state),
            **person,
        )
