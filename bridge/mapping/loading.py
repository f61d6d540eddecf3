"""Mapping files checked whole, every problem at once, before anything runs."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, TypeAlias

from bridge.errors import MappingError
from bridge.mapping.document import Ledger, Table, TooManyProblemsError, nearest, read, shown
from bridge.mapping.feedback import FeedbackFile
from bridge.mapping.feedback_loading import KEYS as FEEDBACK_KEYS
from bridge.mapping.feedback_loading import feedback
from bridge.mapping.file import MappingFile
from bridge.mapping.names import NAMES
from bridge.mapping.rules import build, path_at
from bridge.mapping.spec import Spec
from bridge.mapping.trials import forward_trials

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from bridge.mapping.rules import Rule

AnyMapping: TypeAlias = MappingFile | FeedbackFile

PROSPECT_IDS: Final = ("ProspectID", "ProspectId")
"""Both spellings stand on LeadSquared's pages."""

COMMON: Final = ("version", "direction", "when", "tests")
KEYS: Final = (*COMMON, "leadsquared", "fields")
_FEEDBACK_ONLY: Final = "is for feedback files; add direction: feedback, or remove it"
_FORWARD_ONLY: Final = "is for forward files; a feedback file has update: instead, remove it"
LEADSQUARED_KEYS: Final = ("mode", "search_by", "missing_leads", "trigger_automation")
DIRECTIONS: Final = ("forward", "feedback")
MODES: Final = ("bulk", "async")
MISSING_LEADS: Final = ("unprocessed", "failed")
SCHEMA_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def load(files: Mapping[str, str]) -> Sequence[AnyMapping]:
    """The mappings that these files hold, in the order given: file name to its YAML text.

    Raises MappingError with every problem of every file, each `FILE:LINE: what is wrong; what to do`.
    """
    if not files:
        raise MappingError(["no mapping files; put at least one .yaml file into the mappings directory"])
    loaded: list[AnyMapping] = []
    problems: list[str] = []
    names: dict[str, str] = {}
    for file, text in files.items():
        ledger = Ledger(file)
        first = names.setdefault(PurePath(file).stem, file)
        with suppress(TooManyProblemsError):
            mapping = _mapping(ledger, text)
            _name(ledger, first)
            loaded += [mapping] if mapping else []
        problems += ledger.lines()
    if problems:
        raise MappingError(problems)
    return loaded


def forward_of(files: Sequence[AnyMapping]) -> Sequence[MappingFile]:
    """Those that tell LeadSquared what LeadByte decided."""
    return [file for file in files if isinstance(file, MappingFile)]


def feedback_of(files: Sequence[AnyMapping]) -> Sequence[FeedbackFile]:
    """Those that tell LeadByte what was decided in LeadSquared."""
    return [file for file in files if isinstance(file, FeedbackFile)]


def _name(ledger: Ledger, first: str) -> None:
    """The file's name is the mapping's, which the store and all reports keep."""
    if first != ledger.file:
        ledger.add(1, f"{first} has the same name; rename one of the two files")
    if not ledger.file.isprintable():
        ledger.add(1, "the file's name holds characters that are not seen or not UTF-8; rename it")


def _mapping(ledger: Ledger, text: str) -> AnyMapping | None:
    """A mapping, which must not run if a problem was noted; None where there is nothing to build it from."""
    root = read(text, ledger)
    spec = Spec.of(ledger, root, "at the top", root.line) if root else None
    if spec is None:
        return None
    direction = spec.choice("direction", DIRECTIONS, "")
    _version(spec)
    if direction == "feedback":
        _only(spec, (*COMMON, *FEEDBACK_KEYS), KEYS, _FORWARD_ONLY)
        return feedback(spec)
    return _forward(spec) if direction or "direction" not in spec else None


def _only(spec: Spec, known: Collection[str], others: Collection[str], what: str) -> None:
    """Note the keys of the other direction as `what`, and those that nobody knows."""
    spec.only(known, others)
    for key in spec.table.entries:
        if key in others and key not in known:
            spec.problem(key, what)


def _forward(spec: Spec) -> MappingFile | None:
    _only(spec, KEYS, FEEDBACK_KEYS, _FEEDBACK_ONLY)
    ledger, fields = spec.ledger, spec.inner("fields", "in fields")
    if fields is None or not fields.table.entries:
        spec.problem("fields", "holds no field; write lines like FirstName: lead.firstname below it")
        return None
    names = tuple(fields.table.entries)
    target = spec.inner("leadsquared", "in leadsquared") or Spec(
        ledger, Table(1, {}, {}), "in leadsquared", 1
    )
    mode, search_by, option = _target(target)
    node = spec.table.entries.get("tests")
    return MappingFile(
        name=PurePath(ledger.file).stem,
        file=ledger.file,
        mode=mode,
        search_by=search_by,
        option=option,
        keys=_keys(target, mode, search_by, names),
        when=path_at(spec, "when", NAMES),
        rules=tuple(_rules(fields)),
        tests=forward_trials(ledger, node, spec.line("tests"), names) if node else (),
    )


def _version(spec: Spec) -> None:
    if "version" not in spec:
        spec.problem("version", "is missing; begin the file with version: 1")
    elif spec.raw("version") not in {"1", None}:
        spec.problem("version", "is not one this bridge reads; write version: 1")


def _target(spec: Spec) -> tuple[str, tuple[str, ...], str]:
    """Mode, search keys and lane option. In async mode the settings for bulk mean nothing and are only checked."""
    spec.only(LEADSQUARED_KEYS)
    mode = spec.choice("mode", MODES, "bulk")
    search_by = spec.texts("search_by")
    missing = spec.choice("missing_leads", MISSING_LEADS, "unprocessed")
    automations = spec.flag("trigger_automation")
    if mode == "async":
        return mode, (), "automations" if automations else "silent"
    if automations:
        spec.problem("trigger_automation", "works only in async mode; write mode: async, or remove it")
    return mode, search_by, missing


def _keys(spec: Spec, mode: str, search_by: tuple[str, ...], names: Sequence[str]) -> tuple[str, ...]:
    """The fields by which LeadSquared finds the lead."""
    for key in search_by:
        if key not in names:
            spec.problem("search_by", f"names {shown(key)}, which is not among fields; {nearest(key, names)}")
    if search_by:
        return search_by
    ids = tuple(name for name in PROSPECT_IDS if name in names)
    if not ids and ("search_by" not in spec or mode == "async"):
        other = "" if mode == "async" else ", or name another one under search_by"
        spec.ledger.add(spec.at, f"{mode} mode finds the lead by ProspectID here; add that field{other}")
    return ids


def _rules(spec: Spec) -> Iterator[Rule]:
    seen: dict[str, str] = {}
    for name, node in spec.table.entries.items():
        line = spec.line(name)
        if not SCHEMA_NAME.fullmatch(name):
            spec.ledger.add(
                line, f"{shown(name)} is no schema name; write LeadSquared's own, of letters, digits and _"
            )
        first = seen.setdefault(name.casefold(), name)
        if first != name:
            spec.ledger.add(line, f"{name} is the same field as {first}; remove one of the two")
        rule = build(spec.ledger, name, node, line)
        if rule is not None:
            yield rule
