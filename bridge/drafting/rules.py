"""The line of a mapping file that takes a value to a field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.drafting.naming import likeness
from bridge.drafting.shapes import is_day, layout_of, made_up, region_of
from bridge.drafting.text import comment, flow, quoted
from bridge.drafting.words import STATUS, Words, translated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.drafting.pairs import Pair
    from bridge.model import Json

_AS_IT_IS: Final = frozenset({"email", "phone", "number", "boolean"})
_BIRTHDAY: Final = 100
_TOLD: Final = 12


@dataclass(frozen=True, slots=True)
class Rule:
    """`keys`: what stands beside the path, but for `values`. `note`: what is left to a person."""

    pair: Pair
    sort: str
    keys: dict[str, Json]
    words: Words | None
    note: str

    @property
    def example(self) -> Json:
        """A made-up value that the rule reads."""
        if self.words and self.sort == "text":
            return self.words.sure[0][0] if self.words.sure else "Example"
        if self.sort == "text" and self.pair.source.is_empty and self.pair.source.path.endswith("Id"):
            return "1234567"
        return made_up(self.sort, self.pair.source.value, layout_of(self.pair.source.value)[0])

    def lines(self) -> Sequence[str]:
        """As they stand below `fields`, not indented."""
        name, path = self.pair.field.schema_name, self.pair.source.path
        if self.words:
            return [f"{name}:{comment(self._about())}", *self._translation(self.words)]
        rule = flow({"from": path, **self.keys}) if self.keys else quoted(path)
        return [f"{name}: {rule}{comment(self._about(), self.note)}"]

    def _translation(self, words: Words) -> Sequence[str]:
        head = {"from": self.pair.source.path, **self.keys}
        return [
            *(f"  {key}: {flow(value)}" for key, value in head.items()),
            "  values:",
            *(f"    {quoted(word)}: {quoted(option)}" for word, option in words.sure),
            *(f"    # {quoted(word)}: {quoted(option) if option else '…'}" for word, option in words.open),
            f"  otherwise: error{comment('a word that is not listed fails its lead, with a reason')}",
        ]

    def _about(self) -> str:
        field = self.pair.field
        told = [field.display_name.strip() or field.schema_name]
        told += [f"at most {field.max_length} characters"] if field.max_length else []
        told += ["mandatory"] if field.mandatory else []
        told += [f"offers {', '.join(field.options[:_TOLD])}"] if self.words and self.words.open else []
        return ", ".join(told)


def rule_of(pair: Pair) -> Rule:
    """How the pair's value is read, as the field's DataType and the value's looks tell."""
    words, source = translated(pair.source, pair.field), pair.source
    sort = words.sort if words else _sort(pair)
    keys: dict[str, Json] = {"type": sort} if sort != "text" else {}
    note = ""
    if sort == "phone" and (region := region_of(source.value)):
        keys["region"] = region
    elif sort == "phone":
        note = "add region: (such as GB or US) for numbers without +"
    elif sort in {"date", "datetime"} and (layout := layout_of(source.value)[0]):
        keys["format"] = layout
    elif sort == "list":
        keys["join"] = "; "
    if source.name == STATUS and not words and pair.field.options:
        note = "a picklist: add values:"
    return Rule(pair, sort, keys, words, note)


def _sort(pair: Pair) -> str:
    kind = pair.field.data_type.casefold()
    if pair.source.is_list:
        return "list"
    if kind in {"date", "datetime"}:
        return "date" if is_day(pair.source.value) or _is_birthday(pair) else "datetime"
    return kind if kind in _AS_IT_IS else "text"


def _is_birthday(pair: Pair) -> bool:
    return pair.source.is_empty and likeness(pair.source.name, ["dob"]) == _BIRTHDAY
