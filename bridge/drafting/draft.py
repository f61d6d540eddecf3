"""A mapping file begun for a person: from a LeadByte reply and LeadSquared's fields. Pure.

What a reply holds of a person is not in it: its test has made-up values.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from bridge.drafting.naming import SURE
from bridge.drafting.pairs import KEYS, Pair, Pairs, paired
from bridge.drafting.rules import Rule, rule_of
from bridge.drafting.sources import Source, sources
from bridge.drafting.standard import STANDARD
from bridge.drafting.text import block, comment
from bridge.mapping import NAMES, load
from bridge.mapping.loading import PROSPECT_IDS
from bridge.model import Mapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bridge.leadsquared import FieldInfo
    from bridge.model import Json

HEAD: Final = """\
# A draft, made from one LeadByte reply and LeadSquared's fields. Read every line before the service does.
# Sure pairs are lines. Unsure ones are commented out, with how alike they are (0 to 100) and what else they may be.
# Every key is explained in mappings/README.md. Then: bridge check, and bridge map FILE REPLY.json
version: 1
"""
_NO_ID: Final = (
    "leads are found by LeadSquared's own id; write search_by: and a field to find them by another"
)
_MAX_TOLD: Final = 60


@dataclass(frozen=True, slots=True)
class Draft:
    """`text`: the file. How many of the reply's values go to a field surely, perhaps, or to none that is known."""

    text: str
    sure: int
    unsure: int
    unmatched: int


def drafted(view: Mapping[str, Json], fields: Sequence[FieldInfo]) -> Draft:
    """A mapping of such a reply (`QueueReply.view`), which loads and passes its own test."""
    pairs = _keyed(paired(sources(view), fields), fields)
    rules = [rule_of(pair) for pair in pairs.sure]
    body = "\n".join(
        [HEAD, *_target(rules), "", "fields:", *_fields(rules), *_unsure(pairs), *_left(pairs, fields)]
    )
    text = "\n".join([body, "", *_test(body, rules), ""])
    sure = sum(pair.score >= SURE for pair in pairs.sure)
    return Draft(text, sure, len(pairs.sure) - sure + len(pairs.unsure), len(pairs.unmatched))


def _keyed(pairs: Pairs, fields: Sequence[FieldInfo]) -> Pairs:
    """With a field that LeadSquared finds the lead by; of the others of that kind, those it locks become comments."""
    found = [pair for key in KEYS for pair in pairs.sure if pair.field.schema_name == key]
    key = found[0] if found else _usual_key(fields)
    kept = [pair for pair in pairs.sure if pair is key or not _is_other_key(pair)]
    moved = [replace(pair, why="another field finds the lead") for pair in pairs.sure if pair not in kept]
    taken = [pair for pair in pairs.unsure if pair.source.path != key.source.path]
    left = [source for source in pairs.unmatched if source.path != key.source.path]
    return Pairs([*([] if found else [key]), *kept], [*moved, *taken], left)


def _is_other_key(pair: Pair) -> bool:
    return pair.field.schema_name in PROSPECT_IDS or pair.field.locked


def _usual_key(fields: Sequence[FieldInfo]) -> Pair:
    field = next(one for one in (*fields, *STANDARD) if one.schema_name == KEYS[0])
    why = "nothing sure was found to find the lead by; mend the path"
    return Pair(Source("lead.email", ("lead", "email"), "email", None), field, 0, why=why)


def _target(rules: Sequence[Rule]) -> Iterator[str]:
    key = next(name for name in KEYS for rule in rules if rule.pair.field.schema_name == name)
    yield "leadsquared:"
    if key in PROSPECT_IDS:
        yield f"  mode: bulk{comment(_NO_ID)}"
    else:
        yield f"  search_by: {key}{comment('LeadSquared finds the lead by this field')}"
    yield f"  missing_leads: unprocessed{comment('leads that LeadSquared does not know are on the report')}"
    yield ""
    yield "# Leads for which this is false are skipped:"
    yield "# when: \"status != 'Duplicate'\""


def _fields(rules: Sequence[Rule]) -> Iterator[str]:
    for rule in rules:
        if rule.pair.why:
            yield f"  # {rule.pair.why}"
        yield from (f"  {line}" for line in rule.lines())


def _unsure(pairs: Pairs) -> Iterator[str]:
    if pairs.unsure:
        yield ""
        yield "  # Unsure: take the # away where it is right."
    for pair in pairs.unsure:
        others = ", ".join(f"{name} ({score})" for name, score in pair.others)
        yield f"{comment(f'{pair.score} of 100', pair.why, others and f'or {others}')}:"
        yield from (f"  # {line}" for line in rule_of(pair).lines())


def _left(pairs: Pairs, fields: Sequence[FieldInfo]) -> Iterator[str]:
    """What is not in the file yet, on either side."""
    used = {pair.field.schema_name for pair in (*pairs.sure, *pairs.unsure)}
    needed = [
        one.schema_name for one in fields if one.mandatory and not one.locked and one.schema_name not in used
    ]
    for what, names in (
        ("In the reply, for no field that is known:", [source.path for source in pairs.unmatched]),
        ("LeadSquared wants a value, and none was found:", needed),
    ):
        if names:
            yield ""
            yield f"  # {what}"
        yield from (comment(name) for name in names[:_MAX_TOLD])


def _test(body: str, rules: Sequence[Rule]) -> Iterator[str]:
    """Made-up values of the reply's looks, and what the lines above make of them."""
    given: dict[str, Any] = {}
    for rule in rules:
        *above, last = rule.pair.source.parts
        place = given
        for part in above:
            place = place.setdefault(part, {})
        place[last] = rule.example
    yield "tests:"
    yield "  - name: a lead like the one in the reply, with made-up values"
    yield "    given:"
    yield from block(given, "      ")
    yield "    expect:"
    yield from block(_made(body, given), "      ")


def _made(body: str, given: Mapping[str, Json]) -> Mapping[str, str]:
    (mapping,) = load({"draft.yaml": body})
    mapped = mapping.apply({**dict.fromkeys(NAMES), **given})
    return mapped.fields if isinstance(mapped, Mapped) else {}
