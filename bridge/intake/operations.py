"""What is to be told to LeadByte, from lines of a file or words of a command: operations, or what is wrong with them.

Pure. Money and people's leads depend on it, so nothing is guessed: a name that means nothing is a bad line, and so is
a second line for the same lead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias, cast

from bridge.errors import LeadUnmappable, UsageError
from bridge.intake import BadLine
from bridge.intake.forms import BESIDES, LEAD, QUARANTINE, TRIGGERS, Form, Given, Make, spelt, twice
from bridge.intake.lines import Readable
from bridge.intake.records import read_records
from bridge.intake.tracks import Bad
from bridge.model import Json
from bridge.operation import (
    Financials,
    LeadUpdate,
    Operation,
    QuarantineProcess,
    QuarantineUpdate,
    amount,
    carried,
)

MONEY: Final = frozenset({"payout", "revenue", "buyer"})
ACTIONS: Final[Mapping[str, str]] = {
    "": "",
    "reprocess": "reprocess",
    "release": "process",
    "process": "process",
    "reject": "reject",
}
"""What people call an action → LeadByte's word."""

Word: TypeAlias = Literal["process", "reject"]


class Asked(NamedTuple):
    """An operation, and where it was asked for."""

    name: str
    line: int
    operation: Operation


def read_operations(source: Readable, name: str, form: Form, given: Given) -> Iterator[Asked | BadLine]:
    """The operation of each line, or why there is none. `name`: what people know the source by."""
    for found in read_records(source, form.names, form.heading):
        if isinstance(found, Bad):
            yield BadLine(name, found.line, found.reason)
        else:
            yield made(name, found.line, form, found.values, given)


def made(name: str, line: int, form: Form, values: Mapping[str, Json], given: Given) -> Asked | BadLine:
    """The operation that these values ask for, or why there is none."""
    try:
        return Asked(name, line, form.make(values, given))
    except LeadUnmappable as error:
        return BadLine(name, line, f"{error}; correct it")
    except UsageError as error:
        return BadLine(name, line, str(error))


def once_each(found: Iterable[Asked | BadLine]) -> Iterator[Asked | BadLine]:
    """The same, but the second operation on a lead is a bad line. Ids that are one number name one lead."""
    seen: dict[tuple[str, str], Asked] = {}
    for one in found:
        if isinstance(one, BadLine):
            yield one
            continue
        first = seen.setdefault(_whose(one.operation), one)
        if first is one:
            yield one
        else:
            yield BadLine(one.name, one.line, f"{_place(first)} has this lead already; name each lead once")


def _whose(operation: Operation) -> tuple[str, str]:
    """The lead that is meant, however its id is written."""
    made = carried(operation)
    (key,) = made.keys
    number = made.fields[key]
    return key, number.lstrip("0") if number.isdecimal() else number.casefold()


def _place(asked: Asked) -> str:
    return f"{asked.name}:{asked.line}"


def _update(values: Mapping[str, Json], given: Given) -> Operation:
    told, rest = UPDATE.split(values)
    kind, number = _lead(told, (LEAD, QUARANTINE))
    fields = {**given.update, **_fields(told, rest)}
    if twice(fields):
        raise UsageError(
            "a field is named in two spellings that differ in case alone; write its name one way"
        )
    action, trigger = ACTIONS[_action(told, given)], _trigger(told, given)
    if kind == LEAD:
        if action not in {"", "reprocess"}:
            raise UsageError("only a quarantined lead is released or rejected; name it by its quarantineId")
        return LeadUpdate(number, fields, cast("Literal['', 'reprocess']", action), trigger)
    if trigger or action == "reprocess":
        raise UsageError(
            "a quarantined lead is not reprocessed and triggers no deliveries; name a lead by its leadId"
        )
    return QuarantineUpdate(number, fields, cast("Literal['', 'process', 'reject']", action))


def _fields(told: Mapping[str, Json], rest: Mapping[str, Json]) -> dict[str, str]:
    """The fields stand in `update`, or beside the id."""
    nested = told.get("update", {})
    if not isinstance(nested, dict):
        raise UsageError("update: is no JSON object of fields; write it as one")
    if nested and rest:
        raise UsageError(
            "there is more beside `update` than this command knows; put every field into `update`"
        )
    return {name: _text("a field", value) for name, value in (nested or rest).items() if value is not None}


def _action(told: Mapping[str, Json], given: Given) -> str:
    action = _text("action", told.get("action", given.action)).strip().lower()
    if action not in ACTIONS:
        raise UsageError("action: is none of reprocess, release, reject; write one of them")
    return action


def _trigger(told: Mapping[str, Json], given: Given) -> tuple[str, ...]:
    named = [told[name] for name in TRIGGERS if name in told]
    if not named:
        return given.trigger
    listed = [each for one in named for each in (one if isinstance(one, list) else [one])]
    return tuple(_text("trigger", each).strip() for each in listed)


def _process(word: Word) -> Make:
    def make(values: Mapping[str, Json], _: Given) -> Operation:
        told = _only(PROCESS[word], values)
        return QuarantineProcess(_lead(told, (QUARANTINE,))[1], word)

    return make


def _financials(values: Mapping[str, Json], given: Given) -> Operation:
    told = _only(FINANCIALS, values)
    _, number = _lead(told, (LEAD,))
    sums = {name: _said(told, name, getattr(given, name)) for name in ("payout", "revenue")}
    payout, revenue = (None if text is None else amount(name, text) for name, text in sums.items())
    return Financials((number,), payout, revenue, _said(told, "buyer", given.buyer) or "")


def _only(form: Form, values: Mapping[str, Json]) -> Mapping[str, Json]:
    told, rest = form.split(values)
    if rest:
        raise UsageError("there is something in it that means nothing to this command; leave it out")
    return told


def _said(told: Mapping[str, Json], name: str, given: str | None) -> str | None:
    return _text(name, told[name]).strip() if name in told else given


def _lead(told: Mapping[str, Json], allowed: Sequence[str]) -> tuple[str, str]:
    """What the lead is named by, and its id."""
    named = {name: _text(spelt(name), told[name]).strip() for name in (LEAD, QUARANTINE) if name in told}
    found = [(name, text) for name, text in named.items() if text]
    if len(found) != 1 or found[0][0] not in allowed:
        wanted = " or ".join(map(spelt, allowed))
        raise UsageError(f"the lead must be named by its {wanted}, and by nothing else; give that id")
    return found[0]


def _text(name: str, value: Json) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{name}: is neither text nor a number; write it as text")
    return value


UPDATE: Final = Form((LEAD, QUARANTINE), BESIDES, _update, fields=True)
PROCESS: Final[Mapping[Word, Form]] = {
    "process": Form((QUARANTINE,), frozenset(), _process("process")),
    "reject": Form((QUARANTINE,), frozenset(), _process("reject")),
}
FINANCIALS: Final = Form((LEAD,), MONEY, _financials)
