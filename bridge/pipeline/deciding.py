"""What the feedback mappings decide about one changed LeadSquared lead."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bridge.errors import LeadUnmappable
from bridge.mapping import FeedbackFile
from bridge.model import LEADBYTE, ResolvedItem, State
from bridge.operation import Learned, Wish
from bridge.policy.feedback import Written, fingerprint, held_by_people, is_echo, origin, trimmed, values_of
from bridge.ports import Birth, Decision, Reopened, Store

DRY_RUN = "dry run: recorded and not sent"
KINDS = frozenset({"lead", "quarantine", "process", "financials"})
NOT_WANTED = "the mapping's `when` leaves this lead out"
PRUNED = "what LeadSquared held is no longer kept (BRIDGE_RETENTION__REPLIES_DAYS): save the lead in LeadSquared again"


@dataclass(frozen=True, slots=True)
class Seen:
    """A changed lead, and what the way forward knows of it."""

    values: Mapping[str, str]
    learned: Learned
    written: Written


def seen(store: Store, item: ResolvedItem) -> Seen:
    """One short read. Raises LeadUnmappable where the lead's values are no longer kept."""
    if not item.reply:
        raise LeadUnmappable(PRUNED)
    names = store.names(item.id)
    written = store.written([*names.known_as, *names.formerly])
    return Seen(json.loads(item.reply), store.learned(names.found_by), written)


def decide(mapping: FeedbackFile, lead: Seen) -> Iterator[Decision]:
    """What becomes of this lead by this mapping. Pure."""
    try:
        wishes = mapping.apply(lead.values, lead.learned)
    except LeadUnmappable as error:
        yield Decision(mapping.name, State.FAILED, reason=str(error))
        return
    if wishes is None:
        yield Decision(mapping.name, State.SKIPPED, left=True, people=_people(mapping, lead))
        return
    for kind in KINDS - {wish.kind for wish in wishes}:
        yield Decision(mapping.name, State.SKIPPED, kind, left=True)
    for wish in wishes:
        yield from _decided(mapping, wish, lead)


def _decided(mapping: FeedbackFile, wish: Wish, lead: Seen) -> Iterator[Decision]:
    news = None if is_echo(wish, lead.values, lead.written) else trimmed(wish, lead.values, lead.written)
    if not mapping.dry_run:
        yield _decision(mapping, wish, news, lead)
    elif news is not None:
        told = (wish.kind, news.mapped, DRY_RUN, fingerprint(wish.mapped))
        yield Decision(mapping.name, State.SKIPPED, *told)


def _decision(mapping: FeedbackFile, wish: Wish, news: Wish | None, lead: Seen) -> Decision:
    acted = fingerprint(wish.mapped)
    if news is None:
        return Decision(mapping.name, State.SKIPPED, wish.kind, wish.mapped, acted=acted, agreed=True)
    values, told = values_of(wish, lead.values, lead.written), origin(news, lead.values)
    made, people = (wish.kind, news.mapped), _people(mapping, lead)
    return Decision(
        mapping.name, State.PENDING, *made, acted=acted, values=values, people=people, origin=told
    )


def _people(mapping: FeedbackFile, lead: Seen) -> str:
    """What people, and not LeadByte, hold in the columns of `when`."""
    return held_by_people(mapping.when.names if mapping.when else (), lead.values, lead.written)


def remap(store: Store, reopened: Reopened, mapping: FeedbackFile | None) -> Birth:
    """What a person's resync makes of a delivery."""
    try:
        return remapped(reopened, mapping, seen(store, reopened.item))
    except LeadUnmappable as error:
        return _left_out(reopened, State.FAILED, str(error))


def remapped(reopened: Reopened, mapping: FeedbackFile | None, lead: Seen) -> Birth:
    """What a person's resync makes of a delivery: as the lead and the mapping are now, echo or not. Pure."""
    item, name = reopened.item, reopened.mapping
    if mapping is None:
        return _left_out(reopened, State.FAILED, f"there is no mapping file named {name} any more")
    try:
        wishes = mapping.apply(lead.values, lead.learned) or ()
    except LeadUnmappable as error:
        return _left_out(reopened, State.FAILED, str(error))
    wish = next((one for one in wishes if one.kind == reopened.kind), None)
    if wish is None or mapping.dry_run:
        return _left_out(reopened, State.SKIPPED, DRY_RUN if wish else NOT_WANTED)
    told = origin(wish, lead.values)
    birth = (item.id, name, State.PENDING, wish.mapped, None, item.resolved_at, item.force)
    return Birth(*birth, target=LEADBYTE, origin=told)


def _left_out(reopened: Reopened, state: State, reason: str) -> Birth:
    at = reopened.item.resolved_at
    return Birth(reopened.item.id, reopened.mapping, state, None, reason, at, target=LEADBYTE)


def decisions(store: Store, item: ResolvedItem, mappings: Sequence[FeedbackFile]) -> Sequence[Decision]:
    """What every feedback mapping decides about a lead."""
    try:
        lead = seen(store, item)
    except LeadUnmappable:
        return ()  # it was pruned long after it was mapped
    return [decision for mapping in mappings for decision in decide(mapping, lead)]
