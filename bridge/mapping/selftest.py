"""Runs the tests that a mapping file brings along."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import LeadUnmappable
from bridge.mapping.document import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bridge.mapping.file import MappingFile
    from bridge.mapping.trials import Trial


def run_tests(mapping: MappingFile) -> Sequence[str]:
    """What is not as the file's own tests say, each `FILE:LINE: test 'name': …`; empty where all pass."""
    return [
        f"{mapping.file}:{line}: test {shown(trial.name)}: {what}"
        for trial in mapping.tests
        for line, what in _differences(mapping, trial)
    ]


def _differences(mapping: MappingFile, trial: Trial) -> Iterator[tuple[int, str]]:
    try:
        mapped = mapping.apply(trial.given)
    except LeadUnmappable as error:
        if trial.error is None or trial.error not in str(error):
            yield trial.line, f"expected {_expected(trial)}, got the error {shown(str(error), 200)}"
        return
    if trial.error is not None or (mapped is None) != (trial.expect is None):
        yield trial.line, f"expected {_expected(trial)}, got {'skipped' if mapped is None else 'fields'}"
    elif mapped is not None and trial.expect is not None:
        yield from _fields(trial.line, trial.expect, mapped.fields)


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


def _expected(trial: Trial) -> str:
    if trial.error is not None:
        return f"an error with {shown(trial.error)}"
    return "skipped" if trial.expect is None else "fields"
