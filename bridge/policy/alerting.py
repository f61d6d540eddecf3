"""Who is told what, and when: what holds now against what was told so far. Pure; `now` in epoch seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from bridge.policy.backoff import Backoff

HOUR: Final = 3600.0
"""Between two alerts of one condition, at least."""

DAY: Final = 86400.0
"""Between two alerts of one condition that lasts, unless it grew."""

MUCH: Final = 2
"""How many times as large a condition must be as when it was told, to be told before the day is over."""

CALM: Final = 300.0
"""So long a condition must have been over, without a break, before people are told that it is."""

PAUSES: Final = Backoff(60.0, HOUR)
"""Before another try, where a message did not arrive."""


class Arrival(StrEnum):
    """What became of a message: it arrived, surely did not, or nobody knows."""

    ARRIVED = "arrived"
    FAILED = "failed"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that people are told of. `text`: while it holds; `over`: once it does not.

    `holds` is None where nobody can say: then nothing is told, neither that it is nor that it is over. `begun`: it is so,
    but not for long enough to be told; where it was told before, it was not over. `size`: how large it is; 0 where it has
    no size.
    """

    name: str
    holds: bool | None
    text: str
    over: str
    size: int = 0
    begun: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of one condition. `at`, `size`: of the newest alert. `over_at`: when it was told that it is over, None
    while it was not. `sure`: whether the newest message is known to have arrived. `calm_at`: since when it has been over.
    """

    at: float
    size: int = 0
    over_at: float | None = None
    sure: bool = False
    calm_at: float | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """All that was told, by condition. `failed`: messages in a row that did not arrive; none is sent before `next_at`."""

    told: Mapping[str, Told] = field(default_factory=dict)
    failed: int = 0
    next_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Due:
    """`texts`: what is to be told now, by condition. `after` is to be kept before any of it is sent, and then what
    `noted` makes of it.
    """

    texts: Mapping[str, str]
    before: Memory
    after: Memory

    def noted(self, arrival: Arrival, now: float) -> Memory:
        """What to remember once it is known what became of the message."""
        if arrival is Arrival.FAILED:
            pause = PAUSES.interval(self.before.failed, 0.0)
            return replace(self.before, failed=self.before.failed + 1, next_at=now + pause)
        sure = {name: replace(self.after.told[name], sure=True) for name in self.texts}
        told = {**self.after.told, **sure} if arrival is Arrival.ARRIVED else self.after.told
        return Memory(told)


def due(memory: Memory, conditions: Sequence[Condition], now: float) -> Due:
    """What these conditions give cause to tell.

    An alert as one begins; another each day, or once it is twice as large; one hour at least between two. One word that
    it is over, once it has been for five minutes, if an alert was told; where it holds again before that, nothing ended.
    What may not have arrived is told again: an alert after an hour, that it is over once more after a minute. What is no
    longer looked at is forgotten at once, without a word.
    """
    before = _seen(_brought_back(memory, now), conditions, now)
    if now < before.next_at:
        return Due({}, before, before)
    told, texts = dict(before.told), {}
    for condition in conditions:
        known, text = _next(told.pop(condition.name, None), condition, now)
        if known is not None:
            told[condition.name] = known
        if text:
            texts[condition.name] = text
    return Due(texts, before, replace(before, told=told))


def _brought_back(memory: Memory, now: float) -> Memory:
    """Without moments to come: where a clock was set back, what it showed before counts as now."""
    told = {
        name: Told(
            min(one.at, now), one.size, _by(one.over_at, now), sure=one.sure, calm_at=_by(one.calm_at, now)
        )
        for name, one in memory.told.items()
    }
    return Memory(told, memory.failed, min(memory.next_at, now + HOUR))


def _by(moment: float | None, now: float) -> float | None:
    return None if moment is None else min(moment, now)


def _seen(memory: Memory, conditions: Sequence[Condition], now: float) -> Memory:
    """Since when each that was told has been over, whether or not anything may be sent now."""
    told = {one.name: _calm(memory.told[one.name], one, now) for one in conditions if one.name in memory.told}
    return replace(memory, told=told)


def _calm(told: Told, condition: Condition, now: float) -> Told:
    if condition.holds or condition.begun:
        return replace(told, calm_at=None)
    if condition.holds is False and told.calm_at is None:
        return replace(told, calm_at=now)
    return told


def _next(told: Told | None, condition: Condition, now: float) -> tuple[Told | None, str]:
    """What is known of a condition from now on, and what is to be told, "" for nothing."""
    if told is None:
        return (Told(now, condition.size), condition.text) if condition.holds else (None, "")
    if told.over_at is not None:
        return _after(told, told.over_at, condition, now)
    if condition.holds and _again(told, condition, now):
        return Told(now, condition.size), f"Still so: {condition.text}"
    if _is_over(told, condition, now):
        return replace(told, over_at=now, sure=False), condition.over
    return told, ""


def _again(told: Told, condition: Condition, now: float) -> bool:
    grown = 0 < told.size * MUCH <= condition.size
    return now - told.at >= (HOUR if grown or not told.sure else DAY)


def _is_over(told: Told, condition: Condition, now: float) -> bool:
    return condition.holds is False and told.calm_at is not None and now - told.calm_at >= CALM


def _after(told: Told, over_at: float, condition: Condition, now: float) -> tuple[Told | None, str]:
    """The same, where it was told that it is over."""
    if condition.holds:
        return (Told(now, condition.size), condition.text) if now - told.at >= HOUR else (told, "")
    if _is_over(told, condition, now) and not told.sure and now - over_at >= PAUSES.first:
        return replace(told, sure=True), condition.over
    return (None if told.sure and now - told.at >= HOUR else told), ""
