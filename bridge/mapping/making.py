"""What a field does with what its path found: convert, translate by `values`, fall back, cut. All compiled to closures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from bridge.mapping.convert import UnreadableError, items, text
from bridge.mapping.document import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.mapping.convert import Convert
    from bridge.model import Json

    Make: TypeAlias = Callable[[Json], str | None]


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """`values` and `otherwise`. `table`: casefolded word to output. `showable`: the word may stand in a reason.

    Called with a word it gives the output, or None where the word is to be left out.
    """

    table: Mapping[str, str]
    otherwise: str
    convert: Convert
    showable: bool

    def __call__(self, word: str) -> str | None:
        """The word is looked up as it came, then as its type makes it."""
        output = self.table.get(word.casefold())
        if output is not None:
            return output
        typed = self.convert(word)
        output = self.table.get(typed.casefold())
        return output if output is not None else self._other(word, typed)

    def _other(self, word: str, typed: str) -> str | None:
        if self.otherwise == "error":
            raise UnreadableError(
                f"no value is given for {f'the word {shown(word)}' if self.showable else 'its word'}"
            )
        return typed if self.otherwise == "keep" else None


@dataclass(frozen=True, slots=True)
class Shape:
    """What every field has. `default`: sent where nothing is found. `blank`: sent for an empty text, None to skip it."""

    default: str | None
    blank: str | None
    max_length: int | None

    @property
    def fallback(self) -> str | None:
        return self.default or self.blank

    def cut(self, written: str) -> str:
        return written[: self.max_length].rstrip()


def from_one(convert: Convert, shape: Shape) -> Make:
    """A field of one value without `values`."""
    fallback, limit = shape.fallback, shape.max_length

    def make(found: Json) -> str | None:
        written = convert(found)
        if not written:
            return fallback
        return written if limit is None or len(written) <= limit else shape.cut(written)

    return make


def from_word(words: Words, shape: Shape) -> Make:
    """A field of one value that `values` translates."""

    def make(found: Json) -> str | None:
        word = text(found)
        if not word:
            return shape.fallback
        output = words(word)
        return output if output is None else shape.cut(output) or shape.blank

    return make


def from_list(words: Words | None, separator: str, shape: Shape) -> Make:
    """A field of several values, joined. `values` translates each; those it leaves out or empties are not joined."""

    def make(found: Json) -> str | None:
        given = items(found)
        if not given:
            return shape.fallback
        kept = [output for word in given if (output := words(word) if words else word)]
        return shape.cut(separator.join(kept)) or shape.blank

    return make
