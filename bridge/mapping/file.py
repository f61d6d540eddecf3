"""A compiled mapping file: from a lead as LeadByte tells it to the fields LeadSquared is to be given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from bridge.errors import LeadUnmappable
from bridge.mapping.convert import UnreadableError
from bridge.model import Json, Lane, Mapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bridge.mapping.paths import Path
    from bridge.mapping.rules import Rule
    from bridge.mapping.trials import Trial


@dataclass(frozen=True, slots=True)
class FieldTrace:
    """How one field came about. `output` None: not sent; `note` says why, or is ""."""

    field: str
    rule: str
    found: Json
    output: str | None
    note: str


@dataclass(frozen=True, slots=True, eq=False)
class MappingFile:
    """One mapping, ready to run.

    `mode` is bulk or async; `search_by` the search keys in the order they are tried, () where the lead is matched by its
    own id. `keys`: the fields one of which a lead must have. `option` is the lanes' third part.
    """

    direction: ClassVar[Literal["forward"]] = "forward"

    name: str
    file: str
    mode: str
    search_by: tuple[str, ...]
    option: str
    keys: tuple[str, ...]
    when: Path | None
    rules: tuple[Rule, ...]
    tests: tuple[Trial, ...]

    @property
    def fields(self) -> Mapping[str, Rule]:
        """By LeadSquared schema name."""
        return {rule.name: rule for rule in self.rules}

    @property
    def field_lines(self) -> Mapping[str, int]:
        """The line of each field in the file."""
        return {rule.name: rule.line for rule in self.rules}

    def constants(self) -> Iterator[tuple[str, str, int]]:
        """(field, text, line) of each text that the file itself may send: `value`, `default`, the targets of `values`."""
        for rule in self.rules:
            for output, line in rule.constants:
                yield rule.name, output, line

    def lane(self, key: str) -> Lane:
        """Where a delivery goes whose lead is looked up by `key`."""
        return Lane(self.mode, key if self.search_by else "", self.option)

    def apply(self, view: Mapping[str, Json]) -> Mapped | None:
        """What LeadSquared is to be told of this lead; None where `when` is false.

        Raises LeadUnmappable: a value is not what its field needs, or the lead has none of the search keys.
        """
        if not wanted(self.when, view):
            return None
        fields = outputs(self.rules, view)
        keys = tuple(key for key in self.keys if fields.get(key))
        if not keys:
            raise LeadUnmappable(
                f"no value for {' or '.join(self.keys)}, by which LeadSquared finds the lead"
            )
        return Mapped(fields, keys, self.lane(keys[0]))

    def explain(self, view: Mapping[str, Json]) -> Sequence[FieldTrace]:
        """How each field comes about for this lead, whatever `when` says. Holds the lead's own values. Never raises."""
        return [trace(rule, view) for rule in self.rules]


def wanted(when: Path | None, view: Mapping[str, Json]) -> bool:
    """Whether `when` holds, or there is none. Raises LeadUnmappable where it doesn't suit this lead."""
    try:
        return when is None or when.holds(view)
    except UnreadableError as error:
        raise LeadUnmappable(f"when: {error}") from None


def outputs(rules: Sequence[Rule], view: Mapping[str, Json]) -> dict[str, str]:
    """What each rule sends, those that send nothing left out. Raises LeadUnmappable: a value is not what its field needs."""
    sent: dict[str, str] = {}
    for rule in rules:
        try:
            output = rule.make(rule.find(view))
        except UnreadableError as error:
            raise LeadUnmappable(f"{rule.name}: {error}") from None
        if output is not None:
            sent[rule.name] = output
    return sent


def trace(rule: Rule, view: Mapping[str, Json]) -> FieldTrace:
    """How one field comes about. Never raises."""
    found: Json = None
    try:
        found = rule.find(view)
        output = rule.make(found)
    except UnreadableError as error:
        return FieldTrace(rule.name, rule.text, found, None, str(error))
    return FieldTrace(rule.name, rule.text, found, output, "nothing to send" if output is None else "")
