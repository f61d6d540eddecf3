"""A compiled feedback file: from a lead as LeadSquared tells it to what LeadByte is to be told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from bridge.errors import LeadUnmappable
from bridge.mapping.file import outputs, trace, wanted
from bridge.model import LEADBYTE, Lane
from bridge.operation import (
    ACTION,
    LEAD_ID,
    TRIGGER,
    Learned,
    Wish,
    carried,
    restored,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.mapping.file import FieldTrace
    from bridge.mapping.paths import Path
    from bridge.mapping.rules import Rule
    from bridge.mapping.trials import Trial
    from bridge.model import Json, Mapped

AMOUNTS: Final = ("payout", "revenue")
MONEY: Final = "financials."
NOTHING_LEARNED: Final = Learned()


@dataclass(frozen=True, slots=True, eq=False)
class FeedbackFile:
    """One feedback mapping, ready to run.

    `key`: `lead_id` or `quarantine_id`, the id that LeadByte finds the lead by; `id_rule` finds it in the LeadSquared lead,
    None: it is only known where the way forward showed it. `update` and `financials`: rules named as in `Mapped.fields`
    (`update.FIELD`, `financials.payout`). `action`: reprocess, release, reject or "". `trigger`: ids of deliveries.
    `dry_run`: what it asks for is to be recorded and not sent.
    """

    direction: ClassVar[Literal["feedback"]] = "feedback"

    name: str
    file: str
    key: str
    id_rule: Rule | None
    when: Path | None
    when_line: int
    update: tuple[Rule, ...]
    action: str
    trigger: tuple[str, ...]
    financials: tuple[Rule, ...]
    dry_run: bool
    tests: tuple[Trial, ...]

    @property
    def rules(self) -> Sequence[Rule]:
        """Of the id, then of every value."""
        return [*((self.id_rule,) if self.id_rule else ()), *self.update, *self.financials]

    @property
    def columns(self) -> frozenset[str]:
        """Every LeadSquared column that the file reads, that of the id too."""
        return frozenset(column for column, _ in self.named)

    @property
    def named(self) -> Sequence[tuple[str, int]]:
        """(column, line) for each column and each place in the file that reads it."""
        read = [(self.when.names, self.when_line)] if self.when else []
        read += [(rule.reads, rule.line) for rule in self.rules]
        return [(column, line) for columns, line in read for column in sorted(columns)]

    def apply(self, view: Mapping[str, Json], learned: Learned = NOTHING_LEARNED) -> Sequence[Wish] | None:
        """What LeadByte is to be told of this lead: the update or action first, then the financials. None where `when` is
        false; () where there is nothing to tell.

        `view`: column to its text, None, "" or absent where it is empty. Raises LeadUnmappable, with a reason that holds none
        of the lead's values: a value is not what its field needs, or there is no id of LeadByte's although `when` asks for it.
        """
        seen = self._seen(view)
        if not wanted(self.when, seen):
            return None
        target = self._target(seen, learned)
        if not target:
            return ()
        wishes = (self._operation(target, seen), self._booking(target, seen))
        found = self.id_rule.reads if self.id_rule and self._found(seen) else frozenset()
        return [replace(wish, found=found) for wish in wishes if wish is not None]

    def explain(self, view: Mapping[str, Json]) -> Sequence[FieldTrace]:
        """How each field comes about for this lead, whatever `when` says. Holds the lead's own values. Never raises."""
        seen = self._seen(view)
        return [trace(rule, seen) for rule in self.rules]

    def _seen(self, view: Mapping[str, Json]) -> dict[str, Json]:
        """The columns it reads, "" where they are empty: so a path finds text in each, however the lead was fetched."""
        return {name: "" if (found := view.get(name)) is None else found for name in self.columns}

    def _target(self, view: Mapping[str, Json], learned: Learned) -> str:
        found = self._found(view)
        known = learned.lead_id if self.key == LEAD_ID else learned.quarantine_id
        target = found or known or ""
        if not target and self.when:
            empty = f"{_told(self.id_rule.reads)} is empty, and " if self.id_rule else ""
            what = self.key.replace("_", " ")
            raise LeadUnmappable(f"no LeadByte {what}: {empty}none was learned on the way forward")
        return target

    def _found(self, view: Mapping[str, Json]) -> str:
        """The id that the lead's own column holds."""
        return outputs([self.id_rule], view).get(self.key, "") if self.id_rule else ""

    def _operation(self, target: str, view: Mapping[str, Json]) -> Wish | None:
        texts, acts = outputs(self.update, view), self._acts()
        if acts and not texts and self.key == LEAD_ID:
            raise LeadUnmappable(
                "update: no field has a value, and LeadByte neither reprocesses nor triggers without an update; "
                f"fill {_told(_reads(self.update))}"
            )
        if not acts and not texts:
            return None
        kind = "lead" if self.key == LEAD_ID else "quarantine"
        return self._wish(kind, {self.key: target, **texts, **acts}, self.update)

    def _acts(self) -> dict[str, str]:
        acts = {ACTION: self.action} if self.action else {}
        return acts | ({TRIGGER: ",".join(self.trigger)} if self.trigger else {})

    def _booking(self, target: str, view: Mapping[str, Json]) -> Wish | None:
        texts = outputs(self.financials, view)
        if not any(MONEY + name in texts for name in AMOUNTS):
            return None
        return self._wish("financials", {LEAD_ID: target, **texts}, self.financials)

    def _wish(self, kind: str, fields: Mapping[str, str], rules: Sequence[Rule]) -> Wish:
        mapped = carried(
            restored(Lane(LEADBYTE, kind, "once"), fields)
        )  # `carried` gives it the lane that it may go by
        decides = _reads(rules) | (self.when.names if self.when else frozenset())
        return Wish(mapped, decides, {rule.name: rule.reads for rule in rules if _made(rule, mapped)})


def _reads(rules: Sequence[Rule]) -> frozenset[str]:
    return frozenset(column for rule in rules for column in rule.reads)


def _told(columns: frozenset[str]) -> str:
    return " or ".join(sorted(columns))


def _made(rule: Rule, mapped: Mapped) -> bool:
    """Whether the rule made a text of the operation from the lead."""
    return bool(rule.reads) and rule.name in mapped.fields
