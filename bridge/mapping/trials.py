"""The `tests:` of a mapping file: a partial lead, and what the mapping is to make of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from bridge.mapping.document import Items, Ledger, Node, Scalar, nearest, plain, shown
from bridge.mapping.names import NAMES
from bridge.mapping.spec import Spec, kind
from bridge.operation import Learned

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from bridge.model import Json

    Expected: TypeAlias = Mapping[str, tuple[str, int]]
    Parts: TypeAlias = tuple[Mapping[str, Json], Expected | None, Learned]

SKIPPED: Final = "skipped"
KEYS: Final = ("name", "given", "expect", "error")


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One test of a mapping's own.

    `given`: the view. `learned`: what the way forward showed of the lead (feedback). What is to come of it: `error`, part
    of the reason why it can't be mapped; or `expect`, all the fields with their lines; or, where both are None, that
    `when` leaves the lead out.
    """

    name: str
    line: int
    given: Mapping[str, Json]
    expect: Expected | None
    error: str | None
    learned: Learned


def trials(
    ledger: Ledger, node: Node, line: int, parts: Callable[[Spec], Parts], more: Collection[str] = ()
) -> tuple[Trial, ...]:
    """The tests that stand under `tests:`; what is wrong with them is noted. `parts` reads what a test gives and expects;
    `more`: keys that it reads besides."""
    if not isinstance(node, Items):
        ledger.add(line, f"tests is {kind(node)}; write a list, each test beginning with - name:")
        return ()
    found = (_trial(ledger, item, number, parts, more) for number, item in enumerate(node.items, 1))
    return tuple(trial for trial in found if trial is not None)


def _trial(
    ledger: Ledger, node: Node, number: int, parts: Callable[[Spec], Parts], more: Collection[str]
) -> Trial | None:
    spec = Spec.of(ledger, node, f"in test {number}", node.line)
    if spec is None:
        return None
    spec.only((*KEYS, *more))
    name = spec.text("name") or str(number)
    if ("expect" in spec) == ("error" in spec):
        ledger.add(node.line, f"test {number} needs either expect: or error:; write one of them")
    given, expect, learned = parts(spec)
    return Trial(name, node.line, given, expect, spec.text("error"), learned)


def given_at(spec: Spec) -> Spec | None:
    """The table under `given`; where there is none, that is noted."""
    if "given" not in spec:
        spec.problem("given", "is missing; write the lead's part that the test needs, or {}")
    return spec.inner("given", f"under given {spec.where}")


def forward_trials(ledger: Ledger, node: Node, line: int, fields: Collection[str]) -> tuple[Trial, ...]:
    """The tests of a forward file with these fields."""
    return trials(ledger, node, line, lambda spec: (_given(spec), _expect(spec, fields), Learned()))


def _given(spec: Spec) -> Mapping[str, Json]:
    given = given_at(spec)
    if given is None:
        return {}
    given.only(NAMES)
    return dict.fromkeys(NAMES) | {name: plain(node) for name, node in given.table.entries.items()}


def _expect(spec: Spec, fields: Collection[str]) -> Expected | None:
    node = spec.table.entries.get("expect")
    if isinstance(node, Scalar) and node.text == SKIPPED:
        return None
    expect = spec.inner("expect", f"under expect {spec.where}")
    if expect is None:
        return None
    for name in expect.table.entries:
        if name not in fields:
            expect.ledger.add(
                expect.line(name), f"no field {shown(name)} to expect {spec.where}; {nearest(name, fields)}"
            )
    return {name: (expect.raw(name) or "", expect.line(name)) for name in expect.table.entries}
