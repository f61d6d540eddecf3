"""Runs the tests that a mapping file brings along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.errors import LeadUnmappable
from bridge.mapping.document import shown
from bridge.mapping.file import MappingFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bridge.mapping.loading import AnyMapping
    from bridge.mapping.trials import Trial


def run_tests(mapping: AnyMapping) -> Sequence[str]:
    """What is not as the file's own tests say, each `FILE:LINE: test 'name': …`; empty where all pass."""
    return [
        f"{mapping.file}:{line}: test {shown(trial.name)}: {what}"
        for trial in mapping.tests
        for line, what in _differences(mapping, trial)
    ]


def _differences(mapping: AnyMapping, trial: Trial) -> Iterator[tuple[int, str]]:
    wanted = _wanted(mapping, trial)
    try:
        got = _got(mapping, trial)
    except LeadUnmappable as error:
        if trial.error is None or trial.error not in str(error):
            yield trial.line, f"expected {wanted}, got the error {shown(str(error), 200)}"
        return
    if trial.error is not None or (got is None) != (trial.expect is None):
        yield trial.line, f"expected {wanted}, got {_called(mapping, got)}"
    elif got is not None and trial.expect is not None:
        yield from _fields(trial.line, trial.expect, got)


def _got(mapping: AnyMapping, trial: Trial) -> Mapping[str, str] | None:
    """What the mapping makes of the test's lead, by name. The operations of one feedback file share no name but the id's."""
    if isinstance(mapping, MappingFile):
        mapped = mapping.apply(trial.given)
        return None if mapped is None else mapped.fields
    wishes = mapping.apply(trial.given, trial.learned)
    if wishes is None:
        return None
    return {name: text for wish in wishes for name, text in wish.mapped.fields.items()}


def _fields(
    line: int, expect: Mapping[str, tuple[str, int]], got: Mapping[str, str]
) -> Iterator[tuple[int, str]]:
    for name, (text, where) in expect.items():
        if got.get(name) != text:
            found = shown(got[name]) if name in got else "nothing"
            yield where, f"field {name}: expected {shown(text)}, got {found}"
    for name, text in got.items():
        if name not in expect:
            yield line, f"field {name}: expected nothing, got {shown(text)}"


def _wanted(mapping: AnyMapping, trial: Trial) -> str:
    if trial.error is not None:
        return f"an error with {shown(trial.error)}"
    return _called(mapping, trial.expect)


def _called(mapping: AnyMapping, fields: Mapping[str, Any] | None) -> str:
    if fields is None:
        return "skipped"
    if mapping.direction == "forward":
        return "fields"
    return "an operation" if fields else "nothing"
