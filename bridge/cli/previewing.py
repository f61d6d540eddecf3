"""`bridge map`: what a mapping would make of a lead."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.base import open_app, put, put_json
from bridge.cli.completing import mappings
from bridge.cli.previewing_table import put_traces
from bridge.errors import CallError, Denied, Throttled, UsageError
from bridge.mapping import AnyMapping, FeedbackFile, load
from bridge.model import Json, Mapped
from bridge.reports import one_line


def preview(
    mapping: Annotated[
        str, typer.Argument(autocompletion=mappings, help="A mapping file, or its name without ending.")
    ],
    reply: Annotated[
        Path,
        typer.Argument(help="LeadByte's reply to a queue poll, or for feedback a LeadSquared lead, as JSON."),
    ],
    learned: Annotated[
        str | None,
        typer.Option(
            "--learned", metavar="ID", help="For feedback: LeadByte's id, as learned on the way forward."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what is made of it as JSON.")] = False,
) -> None:
    """Preview a mapping on a lead in a file, sending nothing. Exits 1 where the lead cannot be mapped.

    Shows for each field the rule that makes it, its input and its output.

    Example: bridge map mappings/leadbyte-to-leadsquared.yaml reply.json
    """
    from bridge.cli import previewing_feedback as feedback

    app = open_app()
    chosen = _of_file(Path(mapping)) or _chosen(app.mappings(), mapping)
    if isinstance(chosen, FeedbackFile):
        view = feedback.lead_view(reply_text(reply, "a LeadSquared lead"), str(reply))
    else:
        view = reply_view(reply_text(reply, "LeadByte's reply"), str(reply), app.settings.leadbyte.statuses)
    if not as_json:
        put_traces(chosen, view)
    if isinstance(chosen, FeedbackFile):
        known = feedback.learned_of(chosen, learned)
        feedback.tell(chosen, view, known, app.settings.leadbyte.url or "", as_json=as_json)
    else:
        _tell(chosen.apply(view), as_json=as_json)


def _of_file(path: Path) -> AnyMapping | None:
    """The mapping of a file, wherever it lies; None where there is no such file. Raises MappingError."""
    try:
        text = path.read_text("utf-8", "surrogateescape") if path.is_file() else None
    except OSError as error:
        raise UsageError(
            f"{one_line(str(path))}: {error.strerror}; give a mapping file that can be read"
        ) from None
    return None if text is None else load({str(path): text})[0]


def _chosen(mappings: Sequence[AnyMapping], wanted: str) -> AnyMapping:
    known = {one.name: one for one in mappings}
    name = Path(wanted).stem
    if name not in known:
        raise UsageError(f"{one_line(wanted)}: no such mapping; there are {', '.join(sorted(known))}")
    return known[name]


def reply_text(reply: Path, what: str) -> str:
    """What a file of people's holds; `what` it should be. Raises UsageError."""
    try:
        return reply.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8 text"
        raise UsageError(f"{reply}: {why}; give a file that holds {what} as JSON") from None


def reply_view(text: str, name: str, statuses: Mapping[str, str]) -> dict[str, Json]:
    """What a mapping's paths see of LeadByte's reply to a queue poll, which stood in `name`. Raises UsageError."""
    from bridge.leadbyte import read_queue, status_table

    try:
        json.loads(text)
        return {**read_queue(text, "", status_table(statuses)).view, "context": {}}
    except (CallError, ValueError, RecursionError) as error:
        raise UsageError(
            f"{name}: no reply of LeadByte's to a queue poll: {_why(error)}; `bridge show QUEUE_ID --json` has such replies"
        ) from None


def _why(error: Exception) -> str:
    """What is wrong with the file. Errors of calls speak of an answer over HTTP, which a file is not."""
    match error:
        case json.JSONDecodeError():
            return f"not JSON (line {error.lineno}, column {error.colno})"
        case Throttled() | Denied():
            return "it says that a call was refused"
        case CallError():
            return "it holds no result of a lead"
    return "its JSON cannot be read"


def _tell(mapped: Mapped | None, *, as_json: bool) -> None:
    if mapped is None:
        put_json({"skipped": True}) if as_json else put("skipped: `when` leaves this lead out")
    elif as_json:
        put_json({"fields": dict(mapped.fields), "keys": list(mapped.keys)})
    else:
        put(f"LeadSquared would be asked for the lead by {', then '.join(mapped.keys)}")
