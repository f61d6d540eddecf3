"""`bridge check`: is everything set up right?"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from bridge.cli.base import open_app, put, put_json, say
from bridge.cli.progress import awaited
from bridge.errors import CallError, MappingError, StoreError
from bridge.mapping import AnyMapping, MappingFile, forward_of, run_tests

if TYPE_CHECKING:
    from bridge.app import App

Answer = TypeVar("Answer")

CONNECTION, SET_UP = 1, 2


@dataclass(slots=True)
class Findings:
    """What is right and what is not. `worst`: the exit code."""

    fine: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    worst: int = 0

    def wrong(self, code: int, *problems: str) -> None:
        """Note problems of one kind."""
        self.problems += problems
        self.worst = max(self.worst, code if problems else 0)


def check(
    offline: Annotated[
        bool, typer.Option("--offline", help="Check files and settings only, call nobody.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check settings, mapping files and their own tests, the state directory, both connections and permissions.

    All problems at once, with file and line. Exits 2 for settings and mapping files, 1 for connections.

    Example: bridge check --offline
    """
    app, found = open_app(), Findings()
    mappings = _files(app, found)
    needed = any(mapping.mode == "async" for mapping in forward_of(mappings))
    found.wrong(SET_UP, *app.settings.missing(leadbyte=True, leadsquared=True, async_needed=needed))
    _state(app, found)
    if not offline and not app.settings.missing(leadbyte=True, leadsquared=True, async_needed=needed):
        awaited("check, asking both sides", _connections(app, mappings, needed, found))
    _tell(found, as_json=as_json)
    if found.worst:
        raise typer.Exit(found.worst)


def _files(app: App, found: Findings) -> Sequence[AnyMapping]:
    try:
        mappings = app.mappings()
    except MappingError as error:
        found.wrong(SET_UP, *error.problems)
        return []
    for mapping in mappings:
        failed = list(run_tests(mapping))
        found.wrong(SET_UP, *failed)
        if not failed:
            found.fine.append(f"{mapping.file}: {_size(mapping)}, {len(mapping.tests)} tests pass")
    return mappings


def _size(mapping: AnyMapping) -> str:
    if isinstance(mapping, MappingFile):
        return f"{len(mapping.rules)} fields"
    return f"feedback by {len(mapping.columns)} columns{', dry run' if mapping.dry_run else ''}"


def _state(app: App, found: Findings) -> None:
    try:
        with app.store():
            found.fine.append(f"{app.settings.state_dir}: can be written, database is up to date")
    except StoreError as error:
        found.wrong(CONNECTION, str(error))


async def _connections(app: App, mappings: Sequence[AnyMapping], needed: bool, found: Findings) -> None:
    from bridge.checking import against_metadata

    async with app.source() as source, app.sink(async_needed=needed) as sink:
        await _asked("LeadByte, permission API queue", source.ping(), found)
        if await _asked("LeadSquared", sink.whoami(), found) is not None:
            fields = await _asked("LeadSquared, lead metadata", sink.metadata(), found)
            problems = [line for mapping in mappings for line in against_metadata(mapping, fields or [])]
            found.wrong(SET_UP, *(problems if fields is not None else []))
        if needed:
            await _asked("LeadSquared's async API", sink.metrics(), found)


async def _asked(what: str, answer: Awaitable[Answer], found: Findings) -> Answer | None:
    try:
        said = await answer
    except CallError as error:
        found.wrong(CONNECTION, f"{what}: {error}")
        return None
    found.fine.append(f"{what}: answers")
    return said


def _tell(found: Findings, *, as_json: bool) -> None:
    if as_json:
        put_json({"fine": found.fine, "problems": found.problems})
    else:
        put(*(f"ok: {line}" for line in found.fine))
    for line in found.problems:
        say(f"error: {line}")
