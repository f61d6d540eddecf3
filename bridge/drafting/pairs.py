"""Which value of a reply goes to which LeadSquared field, as far as names and types tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bridge.drafting.naming import SURE, UNSURE, likeness
from bridge.drafting.shapes import is_shaped, layout_of
from bridge.drafting.words import BOOLEAN, STATUS, translated
from bridge.mapping.convert import text
from bridge.mapping.loading import PROSPECT_IDS, SCHEMA_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.drafting.sources import Source
    from bridge.leadsquared import FieldInfo

KEYS: Final = ("EmailAddress", "Phone", *PROSPECT_IDS)
"""Fields that LeadSquared finds a lead by, the best first."""

_OTHER_TYPE: Final = 0.5
_OTHER_WORD: Final = 0.8
_IN_DOUBT: Final = SURE - 1


@dataclass(frozen=True, slots=True)
class Pair:
    """A value and a field it may go to. `score`: from 0 to 100. `others`: further fields it may go to, with their scores.

    `why`: what keeps the pair from being sure, besides its score; or "".
    """

    source: Source
    field: FieldInfo
    score: int
    others: Sequence[tuple[str, int]] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Sure ones in the fields' order, no field and no value twice; the best unsure one of each other value; the rest."""

    sure: Sequence[Pair]
    unsure: Sequence[Pair]
    unmatched: Sequence[Source]


def paired(sources: Sequence[Source], fields: Sequence[FieldInfo]) -> Pairs:
    """Fields that LeadSquared locks once the lead exists are left out, but for those it finds a lead by."""
    usable = list(_usable(fields))
    scored = [
        pair for source in sources for field in usable if (pair := _scored(source, field)).score >= UNSURE
    ]
    taken = _taken(scored)
    order = {field.schema_name: place for place, field in enumerate(usable)}
    free = [pair for pair in scored if pair.field.schema_name not in {one.field.schema_name for one in taken}]
    done = {pair.source.path for pair in taken}
    unsure = [found for source in sources if source.path not in done and (found := _best(source, free))]
    done |= {pair.source.path for pair in unsure}
    left = [source for source in sources if source.path not in done and not source.is_empty]
    return Pairs(sorted(taken, key=lambda pair: order[pair.field.schema_name]), unsure, left)


def _usable(fields: Sequence[FieldInfo]) -> Iterator[FieldInfo]:
    seen: set[str] = set()
    for field in fields:
        name = field.schema_name
        if SCHEMA_NAME.fullmatch(name) and name.casefold() not in seen and (name in KEYS or not field.locked):
            seen.add(name.casefold())
            yield field


def _scored(source: Source, field: FieldInfo) -> Pair:
    score = likeness(source.name, _spellings(field))
    if field.schema_name in PROSPECT_IDS and score < SURE:
        score = 0
    return Pair(source, field, round(score * _fit(source, field)), why=_doubt(source, field))


def _spellings(field: FieldInfo) -> Sequence[str]:
    """LeadSquared calls its own id Lead Id, as LeadByte calls another one."""
    return (
        (field.schema_name,) if field.schema_name in PROSPECT_IDS else (field.schema_name, field.display_name)
    )


def _fit(source: Source, field: FieldInfo) -> float:
    if source.is_list:
        return _OTHER_TYPE if field.data_type.casefold() not in {"text", ""} else 1
    if not is_shaped(field.data_type, source.value):
        return _OTHER_TYPE
    return _OTHER_WORD if _is_other_word(source, field) else 1


def _is_other_word(source: Source, field: FieldInfo) -> bool:
    """Whether nothing tells what its word becomes among those that a picklist offers."""
    words = translated(source, field)
    if words is None or not words.sure:
        return words is not None
    if words.sort == BOOLEAN:
        return not is_shaped(BOOLEAN, source.value)
    offered = {"", *(word.casefold() for word, _ in words.sure)}
    return source.name != STATUS and text(source.value).casefold() not in offered


def _doubt(source: Source, field: FieldInfo) -> str:
    either = field.data_type.casefold() in {"date", "datetime"} and layout_of(source.value)[1]
    return "say which comes first, day or month" if either else ""


def _taken(scored: Sequence[Pair]) -> Sequence[Pair]:
    """The sure pairs: the most alike first, and of equals the first in the reply."""
    taken: list[Pair] = []
    for pair in sorted(scored, key=lambda one: (-one.score, -_spelled_alike(one))):
        used = any(one.field is pair.field or one.source is pair.source for one in taken)
        if pair.score >= SURE and not pair.why and not used:
            taken.append(pair)
    return taken


def _spelled_alike(pair: Pair) -> bool:
    """Which of several spellings of one thing comes first: the one that is written alike."""
    return pair.source.name.casefold() == pair.field.schema_name.removeprefix("mx_").casefold()


def _best(source: Source, scored: Sequence[Pair]) -> Pair | None:
    mine = sorted((pair for pair in scored if pair.source is source), key=lambda one: -one.score)
    if not mine:
        return None
    others = [(pair.field.schema_name, pair.score) for pair in mine[1:4]]
    return replace(mine[0], score=min(mine[0].score, _IN_DOUBT), others=others)
