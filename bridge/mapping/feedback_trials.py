"""The `tests:` of a feedback file: columns of a lead, and what LeadByte is to be told of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bridge.mapping.document import Items, Scalar, nearest, shown
from bridge.mapping.trials import SKIPPED, given_at, trials
from bridge.operation import ACTION, LEAD_ID, QUARANTINE_ID, TRIGGER, Learned

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from bridge.mapping.feedback import FeedbackFile
    from bridge.mapping.spec import Spec
    from bridge.mapping.trials import Expected, Parts
    from bridge.model import Json

NOTHING: Final = "nothing"
LEARNED: Final = "learned"
IDS: Final = (LEAD_ID, QUARANTINE_ID)
NESTED: Final = ("update", "financials")


def feedback_trials(spec: Spec, file: FeedbackFile) -> FeedbackFile:
    """The file with the tests that stand under `tests:`; what is wrong with them is noted."""
    node = spec.table.entries.get("tests")
    if node is None:
        return file
    known = _names(file)

    def parts(test: Spec) -> Parts:
        return _given(test, file.columns), _expect(test, known), _learned(test)

    return replace(file, tests=trials(spec.ledger, node, spec.line("tests"), parts, (LEARNED,)))


def _names(file: FeedbackFile) -> Collection[str]:
    """What an operation of this file may hold, by the names that a delivery carries it under."""
    acts = [ACTION] * bool(file.action) + [TRIGGER] * bool(file.trigger)
    return [file.key, *(rule.name for rule in (*file.update, *file.financials)), *acts]


def _given(test: Spec, columns: Collection[str]) -> Mapping[str, Json]:
    given = given_at(test)
    if given is None:
        return {}
    for name, line in given.table.lines.items():
        if name not in columns:
            advice = nearest(name, sorted(columns)) if columns else "remove it"
            given.ledger.add(line, f"{shown(name)} {given.where} is no column that this file reads; {advice}")
    return {name: given.raw(name) or "" for name in given.table.entries}


def _learned(test: Spec) -> Learned:
    learned = test.inner(LEARNED, f"under learned {test.where}")
    if learned is None:
        return Learned()
    learned.only(IDS)
    return Learned(learned.raw(LEAD_ID) or None, learned.raw(QUARANTINE_ID) or None)


def _expect(test: Spec, known: Collection[str]) -> Expected | None:
    node = test.table.entries.get("expect")
    if isinstance(node, Scalar) and node.text in {SKIPPED, NOTHING}:
        return None if node.text == SKIPPED else {}
    expect = test.inner("expect", f"under expect {test.where}")
    if expect is None:
        return None
    found = dict(_flat(expect))
    for name, (_, line) in found.items():
        if name not in known:
            test.ledger.add(line, f"no {shown(name)} to expect {test.where}; {nearest(name, known)}")
    return found


def _flat(expect: Spec) -> Iterator[tuple[str, tuple[str, int]]]:
    """Texts and their lines under the names that a delivery carries them by."""
    for name, node in expect.table.entries.items():
        if name == TRIGGER and isinstance(node, Items):
            yield name, (",".join(expect.texts(name)), expect.line(name))
        elif name not in NESTED:
            yield name, (expect.raw(name) or "", expect.line(name))
        elif inner := expect.inner(name, f"under {name} {expect.where}"):
            for each in inner.table.entries:
                yield f"{name}.{each}", (inner.raw(each) or "", inner.line(each))
