"""Newest wins, field by field: how deliveries for one lead meet each other and the values already agreed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from bridge.model import Stamp
from bridge.policy.values import Agreed, digest

Stamped = Mapping[str, tuple[str, Stamp]]
"""Field → (value, how new it is)."""


def merge(one: Stamped, other: Stamped) -> dict[str, tuple[str, Stamp]]:
    """Every field of both, each with its newer value; at equal age `one` wins."""
    merged = dict(other)
    for name, (value, stamp) in one.items():
        if name not in merged or stamp >= merged[name][1]:
            merged[name] = (value, stamp)
    return merged


@dataclass(frozen=True, slots=True)
class Settled:
    """What of a delivery is still to be sent. Neither `outdated` nor `equal`: send `fields`.

    `equal`: nothing is sent, and `agree` then notes `fields`, for they are agreed from a newer result now.
    """

    fields: Mapping[str, str]
    outdated: bool = False
    equal: bool = False


def settle(
    fields: Stamped, agreed: Agreed, keys: frozenset[str], *, force: bool, whole: bool = False
) -> Settled:
    """Leave out what a newer delivery has already set; see whether the rest is what both sides agree on.

    `keys` name the lead and are always sent. `force` sends even what is agreed, but never an older value. What is to be
    done `whole` (a reprocess by these values) is sent as it is, whatever is agreed: that both sides hold the values does not
    mean that it was done to them.
    """
    if whole:
        keys = frozenset(fields)
    wanted = {n: v for n, (v, stamp) in fields.items() if n in keys or not _newer_agreed(agreed, n, stamp)}
    left_out = len(wanted) < len(fields)
    if left_out and wanted.keys() <= keys:
        return Settled({}, outdated=True)
    may_be_left = not force and not whole
    equal = may_be_left and all(n in agreed and agreed[n][0] == digest(v) for n, v in wanted.items())
    return Settled(wanted, equal=equal)


def agree(
    agreed: Agreed, sent: Mapping[str, str], stamps: Mapping[str, Stamp]
) -> dict[str, tuple[str, Stamp]]:
    """The agreed values after `sent` was applied; a value that is already agreed from a newer result stays."""
    applied = {n: (digest(v), stamps[n]) for n, v in sent.items() if not _newer_agreed(agreed, n, stamps[n])}
    return {**agreed, **applied}


def _newer_agreed(agreed: Agreed, name: str, stamp: Stamp) -> bool:
    return name in agreed and agreed[name][1] > stamp


@dataclass(frozen=True, slots=True)
class Open:
    """A delivery of the same identity that is not done: pending, failed or unprocessed.

    `same_lead`: of the same queueId and mapping. `sendable`: pending and with values that may be sent as they are.
    """

    id: int
    fields: Stamped
    same_lead: bool
    sendable: bool


@dataclass(frozen=True, slots=True)
class Meeting:
    """What a new delivery does to the open ones.

    `fields`: what it is born with; `beaten_by`: the open delivery that took over its values (it is born superseded),
    which then holds `fields`; `supersedes`: the open ones it replaces.
    """

    fields: Stamped
    supersedes: tuple[int, ...] = ()
    beaten_by: int | None = None


def meet(new: Stamped, others: Iterable[Open]) -> Meeting:
    """Let a new delivery meet the open ones of its identity: the newest survives and takes over what it lacks.

    A failed one is replaced by one that holds all its fields in no older values, so that no value is lost unseen, and
    by a newer result of its own lead, which takes over what the failed one had taken over from others.
    """
    met, others = Meeting(dict(new)), list(others)
    for other in others:
        if other.sendable and met.beaten_by is None:
            met = _meet_sendable(met, other)
    for other in others:
        if not other.sendable and (other.same_lead or _covers(met.fields, other.fields)):
            taken_over = {n: f for n, f in other.fields.items() if f[1] < _age(other.fields)}
            met = replace(met, fields=merge(met.fields, taken_over), supersedes=(*met.supersedes, other.id))
    return met


def _meet_sendable(met: Meeting, other: Open) -> Meeting:
    if _age(met.fields) < _age(other.fields):
        return replace(met, fields=merge(other.fields, met.fields), beaten_by=other.id)
    return Meeting(merge(met.fields, other.fields), (*met.supersedes, other.id))


def _covers(fields: Stamped, others: Stamped) -> bool:
    return all(name in fields and fields[name][1] >= stamp for name, (_, stamp) in others.items())


def _age(fields: Stamped) -> Stamp:
    return max(stamp for _, stamp in fields.values())
