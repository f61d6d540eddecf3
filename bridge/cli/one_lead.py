"""`bridge show` and `bridge resolve`: one lead."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated

import typer

from bridge.cli.base import at, open_app, put, put_json
from bridge.errors import UsageError
from bridge.model import Json, Stage
from bridge.reports import one_line

PRUNED = "pruned, see BRIDGE_RETENTION__REPLIES_DAYS; `bridge resync --refetch` gets it anew"


class Word(StrEnum):
    """What a person says of a delivery in doubt."""

    DONE = "done"
    NOT_DONE = "not-done"


def show(
    queue_id: Annotated[str, typer.Argument(help="The queueId.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """All that is known of one lead: LeadByte's reply, the mapped fields, every attempt. Shows people as they are."""
    with open_app().store() as store:
        lead = store.lead(queue_id)
    if lead is None:
        raise UsageError(f"{one_line(queue_id)}: this queueId is not tracked; track it with `bridge enqueue`")
    if as_json:
        put_json(lead)
    else:
        put(*_lines(lead))


def resolve(
    queue_id: Annotated[str, typer.Argument(help="The queueId of the lead in doubt.")],
    word: Annotated[Word, typer.Option("--as", help="Whether the other side carried it out.")],
) -> None:
    """Settle a delivery in doubt by a person's word. Look at the other side first; nothing is sent."""
    app = open_app()
    with app.store() as store:
        settled = store.resolve(queue_id, done=word is Word.DONE, now=app.clock())
    if not settled:
        raise UsageError(f"{one_line(queue_id)}: nothing of this queueId is in doubt; see `bridge show`")
    put(f"{settled} settled as {word}")


def _lines(lead: Mapping[str, Json]) -> Iterator[str]:
    yield f"{lead['queue_id']}: {lead['state']}, LeadByte's status {lead['status'] or '-'}, polled {lead['polls']} times"
    yield f"  tracked {at(lead['tracked_at'])}, resolved {at(lead['resolved_at'])}"
    if lead["reason"]:
        yield f"  reason: {lead['reason']}"
    if lead["context"]:
        yield f"  context: {json.dumps(lead['context'], ensure_ascii=False)}"
    first, *rest = _indented(lead["reply"] or (PRUNED if lead["resolved_at"] else "-"))
    yield f"  reply: {first}"
    yield from (f"  {line}" for line in rest)
    for delivery in lead["deliveries"]:
        yield from _delivery(delivery)


def _indented(reply: str) -> list[str]:
    """The lines of a reply, laid out where it is JSON. `--json` has it as it came."""
    try:
        value = json.loads(reply)
        return json.dumps(value, ensure_ascii=False, indent=2).split("\n")
    except (ValueError, RecursionError):
        return [reply]


def _delivery(delivery: Mapping[str, Json]) -> Iterator[str]:
    calls = sum(attempt["stage"] != Stage.PERSON for attempt in delivery["attempts"])
    used = f"{calls} calls, {delivery['attempts_used']} attempts used up"
    yield f"  {delivery['mapping']}: {delivery['state']} at stage {delivery['stage']}, {used}"
    if delivery["reason"]:
        yield f"    reason: {delivery['reason']}"
    for name, value in delivery["fields"].items():
        yield f"    {name} = {value}"
    for attempt in delivery["attempts"]:
        reason = f": {attempt['reason']}" if attempt["reason"] else ""
        yield f"    {at(attempt['answered_at'])} {attempt['stage']} {attempt['result']} → {attempt['state']}{reason}"
