"""`bridge mapping …`: help with writing mapping files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.base import open_app, put, put_json, say
from bridge.cli.previewing import reply_text, reply_view
from bridge.cli.previewing_table import put_aligned
from bridge.cli.progress import awaited
from bridge.cli.shipped import examples
from bridge.errors import BridgeError, SettingsError, UsageError
from bridge.mapping.schema import mapping_schema
from bridge.store.lock import is_held

if TYPE_CHECKING:
    from bridge.app import App
    from bridge.drafting import Draft
    from bridge.leadsquared import FieldInfo

mapping = typer.Typer(
    name="mapping",
    help="""Help with mapping files: begin one, look fields up, complete and check them in an editor.

    Example: bridge mapping new --reply reply.json --output mappings/new.yaml
    """,
)

SHOWN_OPTIONS = 5
STDIN = "-"


class NoField(BridgeError):
    """LeadSquared has no field of such a name."""


@mapping.command("new")
def new(
    reply: Annotated[
        str,
        typer.Option(
            "--reply", metavar="FILE|-", help="LeadByte's reply to a queue poll, as JSON; - is stdin."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Write to this file instead of standard output."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")] = False,
    offline: Annotated[
        bool,
        typer.Option("--offline", help="Do not ask LeadSquared; propose its standard fields."),
    ] = False,
) -> None:
    """Begin a mapping file: pairs of a LeadByte reply's values and LeadSquared's fields, by name and type.

    Sure pairs are lines, unsure ones comments. Nothing of a person is in it: its test has made-up values.

    Example: bridge mapping new --reply reply.json --output mappings/new.yaml
    """
    from bridge.drafting import STANDARD, drafted

    app = open_app()
    text = _read(reply)
    view = reply_view(text, reply, app.settings.leadbyte.statuses)
    if output and output.exists() and not (force and output.is_file()):
        raise UsageError(f"{output}: is there already; give another path, or add --force to overwrite a file")
    if output and is_held(app.settings.state_dir) and _is_live(app, output):
        raise UsageError(
            f"{output}: the running service would take it up at once; write it elsewhere, see what it does with "
            "`bridge map`, then move it there"
        )
    draft = drafted(view, STANDARD if offline else _of_account(app))
    _write(draft, output)
    where = f"written to {output}" if output else "draft"
    say(f"{where}: {draft.sure} pairs sure, {draft.unsure} unsure, {draft.unmatched} values unmatched")


def _is_live(app: App, output: Path) -> bool:
    return output.resolve().parent == app.settings.mappings_dir.resolve()


def _of_account(app: App) -> Sequence[FieldInfo]:
    try:
        return awaited("asking LeadSquared", _fields(app))
    except SettingsError as error:
        raise UsageError(
            *error.problems, "or add --offline: LeadSquared's standard fields are proposed then"
        ) from None


def _read(reply: str) -> str:
    if reply != STDIN:
        return reply_text(Path(reply), "LeadByte's reply")
    if sys.stdin is None:
        raise UsageError("-: standard input is closed; give a file")
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except ValueError:
        raise UsageError("-: not UTF-8 text; give LeadByte's reply as JSON") from None


def _write(draft: Draft, output: Path | None) -> None:
    if output is None:
        put(*draft.text.splitlines())
        return
    try:
        output.write_text(draft.text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output}: {error.strerror}; give a path that can be written") from None


@mapping.command("fields")
def fields(
    pattern: Annotated[
        str,
        typer.Argument(
            help="Only fields whose name or label holds this, in any case; * and ? stand for letters."
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON, with all options.")] = False,
) -> None:
    """The lead fields of the LeadSquared account: schema name, label, type, length, options.

    Example: bridge mapping fields 'mx_*'
    """
    found = [
        field for field in awaited("asking LeadSquared", _fields(open_app())) if _matches(field, pattern)
    ]
    if as_json:
        put_json({"fields": [{**asdict(field), "options": list(field.options)} for field in found]})
    elif found:
        put_aligned(TITLES, map(_row, found))
    if not found:
        raise NoField("LeadSquared has no such field; `bridge mapping fields` lists all")


async def _fields(app: App) -> Sequence[FieldInfo]:
    async with app.sink(async_needed=False) as sink:
        found: Sequence[FieldInfo] = await sink.metadata()
        return found


def _matches(field: FieldInfo, pattern: str) -> bool:
    wanted = pattern.strip().casefold()
    whole = wanted if any(sign in wanted for sign in "*?") else f"*{wanted.replace('[', '[[]')}*"
    return any(fnmatchcase(name.casefold(), whole) for name in (field.schema_name, field.display_name))


TITLES = ("schema name", "label", "type", "length", "mandatory", "locked", "options")


def _row(field: FieldInfo) -> Sequence[str]:
    options = [*field.options[:SHOWN_OPTIONS], *(["…"] if len(field.options) > SHOWN_OPTIONS else [])]
    return (
        field.schema_name,
        field.display_name,
        field.data_type,
        str(field.max_length or "-"),
        "yes" if field.mandatory else "-",
        "yes" if field.locked else "-",
        ", ".join(options) or "-",
    )


@mapping.command("example")
def example(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which one; without it all are listed.")] = "",
) -> None:
    """The mapping files that come with the bridge: one for the way forward, and one for each use of the way back.

    Example: bridge mapping example book-sale > mappings/book-sale.yaml
    """
    found = {each: path.read_text("utf-8").splitlines() for each, path in examples().items()}
    if not name:
        put_aligned(("example", "about"), [(each, lines[0].lstrip("# ")) for each, lines in found.items()])
    elif name in found:
        put(*found[name])
    else:
        raise UsageError(f"{name}: no such example; take one of {', '.join(found)}")


@mapping.command("schema")
def schema() -> None:
    """The JSON Schema of mapping files, for editors.

    Example: bridge mapping schema > mappings/mapping.schema.json
    """
    put_json(mapping_schema())
