"""Mapping files held against the account's own metadata. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from bridge.leadsquared import FieldInfo
from bridge.mapping import AnyMapping, FeedbackFile, MappingFile

IDS = frozenset({"prospectid"})


def against_metadata(mapping: AnyMapping, fields: Sequence[FieldInfo]) -> Iterator[str]:
    """A line `FILE:LINE: …` for each thing in this mapping that LeadSquared would refuse.

    Schema names it does not have (with the nearest one it has), locked fields, fixed texts that are too long or that
    the picklist does not offer, and cuts longer than the field. Of a feedback file: columns it does not have.
    """
    known = {field.schema_name: field for field in fields}
    if isinstance(mapping, FeedbackFile):
        yield from _columns(mapping, known)
    else:
        yield from _forward(mapping, known)


def _columns(mapping: FeedbackFile, known: Mapping[str, FieldInfo]) -> Iterator[str]:
    for name, line in dict.fromkeys(mapping.named):
        if name.casefold() not in IDS and name not in known:
            yield f"{mapping.file}:{line}: {name}: LeadSquared has no such field{_nearest(name, known)}"


def _forward(mapping: MappingFile, known: Mapping[str, FieldInfo]) -> Iterator[str]:
    for name, line in mapping.field_lines.items():
        if name.casefold() not in IDS:
            yield from (f"{mapping.file}:{line}: {problem}" for problem in _field(name, known, mapping))
    for name, text, line in mapping.constants():
        if name in known:
            yield from (f"{mapping.file}:{line}: {name}: {problem}" for problem in _text(text, known[name]))


def _field(name: str, known: Mapping[str, FieldInfo], mapping: MappingFile) -> Iterator[str]:
    if name not in known:
        yield f"{name}: LeadSquared has no such field{_nearest(name, known)}"
        return
    field, cut = known[name], mapping.fields[name].max_length
    if field.locked and name not in mapping.keys:
        yield f"{name}: LeadSquared locks this field once the lead exists; take it out of the mapping"
    if field.max_length is not None and cut is not None and cut > field.max_length:
        yield f"{name}: max_length {cut} is more than LeadSquared's {field.max_length}; lower it"


def _nearest(name: str, known: Mapping[str, FieldInfo]) -> str:
    folded = {one.casefold(): one for one in known}
    near = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return (
        f"; did you mean {folded[near[0]]}?" if near else "; create it there, or take it out of the mapping"
    )


def _text(text: str, field: FieldInfo) -> Iterator[str]:
    if field.max_length is not None and len(text) > field.max_length:
        yield f"{text!r} has {len(text)} characters, LeadSquared takes {field.max_length}; shorten it"
    if field.options and text and text not in field.options:
        near = get_close_matches(text, field.options, n=1, cutoff=0.6)
        hint = (
            f"did you mean {near[0]!r}?" if near else f"it offers {', '.join(map(repr, field.options[:8]))}"
        )
        yield f"{text!r} is no option of this picklist; {hint}"
