"""`bridge forget`: erase a person."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bridge.cli.base import agreed, open_app, put, put_json, say
from bridge.cli.progress import progress
from bridge.errors import BridgeError, Busy, Held, StoreError, UsageError
from bridge.files import reports_held
from bridge.pipeline.erasing import InFiles, in_files, others, traces
from bridge.policy.people import Person, person
from bridge.ports import Erased, Theirs
from bridge.reports import one_line
from bridge.store import FILE, SqliteStore
from bridge.store.lock import state_lock
from bridge.store.pages import holds_remains

if TYPE_CHECKING:
    from bridge.app import App

PATIENCE_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.2
TRACES: Final = (
    "unused parts of the database may still hold traces; stop the service and whatever else reads the database, "
    "forget them once more, start it again"
)
OF_THEIRS: Final = "and traces of theirs in unused parts of the database"
OF_NOBODY: Final = "but for remains in unused parts of the database: whose they are cannot be told"
NOTHING: Final = "nothing of this person is held; deploy/privacy.md says where nobody looks"


class NotErased(BridgeError):
    """Nothing was found, or not all of it could be erased."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is held of a person. `at`: before it was looked for, in epoch seconds."""

    at: float
    store: Theirs
    counted: Erased
    files: InFiles


def forget(
    email: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="Their email address; repeatable.")
    ] = None,
    phone: Annotated[
        list[str] | None,
        typer.Option(metavar="NUMBER", help="Their phone number, best with its country code; repeatable."),
    ] = None,
    lead_id: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Their leadId, queueId or ProspectID; repeatable.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be erased.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Erase a person: each lead that holds any of these, with its values and attempts, from database, files and reports.

    Example: bridge forget --email ann@example.com --dry-run
    """
    who = person(email or (), phone or (), lead_id or ())
    if as_json and not (yes or dry_run):
        raise UsageError("--json: nobody can be asked; add --yes, or --dry-run to look only")
    app = open_app()
    with _state(app) as running:
        found = _found(app, who)
        if not (found.store or found.files):
            _once_more(app, who, running=running, look_only=dry_run, as_json=as_json)
            return
        if dry_run or not (yes or _agreed_to(found)):
            what = "would be erased" if dry_run else "left as they were"
            _tell(found.counted, found.files, found.store, what, as_json=as_json)
            return
        # Else a report that is being written would bring them back.
        with reports_held(app.reports, PATIENCE_SECONDS), progress("forget, erasing"):
            erased, files = _erase(app, who, found, running=running)
            clean = _wipe(app, who, running=running)
    _tell(erased, files, found.store, "erased", as_json=as_json)
    if files.reports:
        app.write_reports()
    _check(app, erased, clean=clean)


@contextmanager
def _state(app: App) -> Iterator[bool]:
    """Hold the state directory, or work beside the service that holds it. Gives whether there is one."""
    with ExitStack() as stack:
        try:
            stack.enter_context(state_lock(app.settings.state_dir))
            running = False
        except Held:
            running = True
        yield running


def _found(app: App, who: Person) -> Found:
    now = app.clock()
    with progress("forget, looking", "rows") as work:
        with app.store(create=False) as store:
            theirs = store.theirs(who, heard=work.reached)
            counted = store.counted(theirs)
        files = _in_files(app, who, theirs, erase=False)
    return Found(now, theirs, counted, files)


def _once_more(app: App, who: Person, *, running: bool, look_only: bool, as_json: bool) -> None:
    """Clear the traces of a person who was erased while something kept the files from being cleared.

    Remains that name nobody may be theirs or not. Raises NotErased where there are neither, or where they stay.
    """
    path = app.settings.state_dir / FILE
    log = path.with_name(f"{FILE}-wal")
    theirs = any(traces(one, who.is_in_raw) for one in (path, log) if one.exists())
    if not theirs and not holds_remains(path):
        raise NotErased(NOTHING)
    if not look_only and not _wipe(app, who, running=running):
        raise NotErased(TRACES)
    what, left = ("erased", OF_THEIRS) if theirs else ("cleared", OF_NOBODY)
    _tell(Erased(), InFiles(), Theirs({}), f"would be {what}" if look_only else what, as_json=as_json)
    if not as_json:
        put(f"  {left}")


def _in_files(app: App, who: Person, theirs: Theirs, *, erase: bool) -> InFiles:
    """Also what only names their queueIds, for that would bring them back."""
    known = who.known_by(list(theirs.leads.values()))
    try:
        return in_files(app.settings.state_dir, known.is_in, erase=erase)
    except OSError as error:
        raise StoreError(f"{error.filename}: {error.strerror}; mend that and forget them once more") from None


def _agreed_to(found: Found) -> bool:
    """A person's yes."""
    for line in _lines(found.counted, found.files, found.store, "to be erased"):
        put(line)
    return agreed("Erase all of this for good?", "erase")


def _erase(app: App, who: Person, found: Found, *, running: bool) -> tuple[Erased, InFiles]:
    """Files first: what a service takes from one meanwhile is found when the store is looked through once more."""
    files = _in_files(app, who, found.store, erase=True)
    until = time.monotonic() + PATIENCE_SECONDS
    with app.store() as store:
        erased, theirs = Erased(), found.store or store.theirs(who, found.at - PATIENCE_SECONDS)
        while theirs:
            step = store.erase(theirs, app.clock(), running=running)
            if step.left and time.monotonic() >= until:
                return erased + step, files
            erased += replace(step, left={})
            if step.left:
                time.sleep(LOOK_SECONDS)
            theirs = Theirs(step.left) if step.left else store.theirs(who, found.at - PATIENCE_SECONDS)
    return erased, files


def _wipe(app: App, who: Person, *, running: bool) -> bool:
    """Clear what the database's files still hold of what was deleted. Whether nothing is left."""
    path = app.settings.state_dir / FILE

    # Read by the file itself, so no store may be open here: to close the file would let go of SQLite's locks.
    if _used(app, SqliteStore.empty_log) and not holds_remains(path) and not traces(path, who.is_in_raw):
        return True
    return not running and _used(app, SqliteStore.rebuild) and _used(app, SqliteStore.empty_log)


def _used(app: App, work: Callable[[SqliteStore], bool]) -> bool:
    """Whether the work was done within a minute; others may use the database."""
    until = time.monotonic() + PATIENCE_SECONDS
    with app.store() as store:
        while not _tried(store, work):
            if time.monotonic() >= until:
                return False
            time.sleep(LOOK_SECONDS)
    return True


def _tried(store: SqliteStore, work: Callable[[SqliteStore], bool]) -> bool:
    try:
        return work(store)
    except Busy:
        return False


def _tell(counted: Erased, files: InFiles, theirs: Theirs, what: str, *, as_json: bool) -> None:
    if not as_json:
        for line in _lines(counted, files, theirs, what):
            put(line)
        return
    names = ("leads", "deliveries", "attempts", "agreed", "taken_over", "mentions")
    counts = {name: getattr(counted, name) for name in names}
    in_files = {"file_records": files.records, "reports": files.reports}
    ids = sorted(theirs.leads.values())
    put_json({"what": what, **counts, **in_files, "queue_ids": ids, "left": sorted(counted.left.values())})


def _lines(counted: Erased, files: InFiles, theirs: Theirs, what: str) -> Iterator[str]:
    yield f"{what}: {counted.leads} leads with {counted.deliveries} deliveries and {counted.attempts} attempts,"
    yield f"  {counted.agreed} agreed values, {counted.taken_over} values that other leads had taken over,"
    yield f"  {counted.mentions} reasons of other leads that name them,"
    yield f"  {files.records} records in dropped files, {files.reports} reports"
    yield from (f"  {one_line(queue_id)}" for queue_id in sorted(theirs.leads.values()))


def _check(app: App, erased: Erased, *, clean: bool) -> None:
    """Raises NotErased where something is left, with what to do."""
    for name in others(app.settings.state_dir):
        say(f"warning: {one_line(name)}: nobody looked into this file of the state directory")
    if erased.left:
        raise NotErased(f"{len(erased.left)} leads are still being sent; forget them once more in a minute")
    if not clean:
        raise NotErased(TRACES)
