"""`bridge show` and `bridge resolve`: one lead."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Final

import typer

from bridge.cli.base import at, open_app, put, put_json
from bridge.errors import UsageError
from bridge.model import BY_HAND, LEADBYTE, LEADSQUARED, Json, Lane, Stage, State
from bridge.reports import one_line, operation_words

PRUNED = "pruned, see BRIDGE_RETENTION__REPLIES_DAYS; `bridge resync --refetch` gets it anew"


PRUNED_COLUMNS = "pruned, see BRIDGE_RETENTION__REPLIES_DAYS; the next change in LeadSquared brings them anew"
NAMED = "QUEUE_ID|DELIVERY|PROSPECT_ID"


class Word(StrEnum):
    """What a person says of a delivery in doubt."""

    DONE = "done"
    NOT_DONE = "not-done"


def show(
    queue_id: Annotated[
        str, typer.Argument(metavar=NAMED, help="A queueId, the number of a delivery, or a ProspectID.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """All that is known of one lead: LeadByte's reply or LeadSquared's columns, the mapped fields, every attempt.

    Shows people as they are.

    Example: bridge show ac1e0206-6d6fd2fa-62ce91e7-ba33-5cc458e6
    """
    with open_app().store() as store:
        lead = store.lead(queue_id)
    if lead is None:
        raise UsageError(
            f"{one_line(queue_id)}: neither a tracked queueId nor a delivery or changed lead that is known; "
            "`bridge enqueue` tracks one"
        )
    if as_json:
        put_json(lead)
    else:
        put(*_lines(lead))


def resolve(
    queue_id: Annotated[
        str,
        typer.Argument(metavar=NAMED, help="A queueId, the number of a delivery in doubt, or a ProspectID."),
    ],
    word: Annotated[Word, typer.Option("--as", help="Whether the other side carried it out.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Settle a delivery in doubt by a person's word. Look at the other side first; nothing is sent.

    Where several deliveries of a lead are in doubt, each is settled by its own number.

    Example: bridge resolve 17 --as done
    """
    app = open_app()
    with app.store() as store:
        _check_one(queue_id, store.lead(queue_id))
        settled = store.resolve(queue_id, done=word is Word.DONE, now=app.clock())
    if not settled:
        raise UsageError(
            f"{one_line(queue_id)}: nothing of this queueId is in doubt, nor is such a delivery or ProspectID; "
            "see `bridge show`"
        )
    if as_json:
        put_json({"settled": settled, "as": word})
    else:
        put(f"{settled} settled as {word}")


def _check_one(name: str, lead: Mapping[str, Json] | None) -> None:
    """Raises UsageError where this names a lead of which several deliveries are in doubt: one word is no word on each."""
    doubted = [one for one in lead["deliveries"] if one["state"] == State.IN_DOUBT] if lead else []
    if lead is None or lead["queue_id"] != name or len(doubted) < 2:
        return
    first = (
        f"{one_line(name)}: {len(doubted)} deliveries of it are in doubt, and nothing was settled; look at each on the "
        "other side, then name one by its number"
    )
    raise UsageError(first, *map(_doubt, doubted))


def _doubt(delivery: Mapping[str, Json]) -> str:
    """A delivery in doubt, by what tells it from others; a person's data is left out."""
    lane = Lane.parse(delivery["lane"])
    if lane.target == LEADBYTE:
        what = f"to LeadByte: {operation_words(lane.search_by, delivery['fields'])}"
    else:
        what = f"to LeadSquared: {', '.join(delivery['fields'])}"
    return f"delivery {delivery['id']}: {delivery['mapping']}, {what}; `bridge resolve {delivery['id']} --as done|not-done`"


def _lines(lead: Mapping[str, Json]) -> Iterator[str]:
    yield from _ABOUT[lead["source"]](lead)
    for delivery in lead["deliveries"]:
        yield from _delivery(delivery)


def _of_leadbyte(lead: Mapping[str, Json]) -> Iterator[str]:
    yield f"{lead['queue_id']}: {lead['state']}, LeadByte's status {lead['status'] or '-'}, polled {lead['polls']} times"
    yield f"  tracked {at(lead['tracked_at'])}, resolved {at(lead['resolved_at'])}"
    if lead["reason"]:
        yield f"  reason: {lead['reason']}"
    if lead["context"]:
        yield f"  context: {json.dumps(lead['context'], ensure_ascii=False)}"
    yield from _kept("reply", lead["reply"] or (PRUNED if lead["resolved_at"] else "-"))


def _of_leadsquared(lead: Mapping[str, Json]) -> Iterator[str]:
    yield f"{lead['queue_id']}: a lead of LeadSquared"
    yield f"  first seen changed {at(lead['tracked_at'])}, looked at last {at(lead['resolved_at'])}"
    yield from _kept("columns", lead["reply"] or PRUNED_COLUMNS)


def _by_hand(lead: Mapping[str, Json]) -> Iterator[str]:
    yield f"{lead['queue_id']}: asked for by hand {at(lead['tracked_at'])}"


_ABOUT: Final[Mapping[str, Callable[[Mapping[str, Json]], Iterator[str]]]] = {
    LEADBYTE: _of_leadbyte,
    LEADSQUARED: _of_leadsquared,
    BY_HAND: _by_hand,
}
"""What is told of a lead itself, by where it comes from."""


def _kept(what: str, text: str) -> Iterator[str]:
    first, *rest = _indented(text)
    yield f"  {what}: {first}"
    yield from (f"  {line}" for line in rest)


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
    yield f"  {_what(delivery)}: {delivery['state']} at stage {delivery['stage']}, {used}"
    if delivery["reason"]:
        yield f"    reason: {delivery['reason']}"
    for name, value in delivery["fields"].items():
        yield f"    {name} = {value}"
    for attempt in delivery["attempts"]:
        reason = f": {attempt['reason']}" if attempt["reason"] else ""
        yield f"    {at(attempt['answered_at'])} {attempt['stage']} {attempt['result']} → {attempt['state']}{reason}"


def _what(delivery: Mapping[str, Json]) -> str:
    """A delivery by its mapping; one to LeadByte also by its number and what it asks for."""
    lane = Lane.parse(delivery["lane"]) if delivery["lane"] else None
    if lane is None or lane.target != LEADBYTE:
        return str(delivery["mapping"])
    asked = operation_words(lane.search_by, delivery["fields"])
    return f"{delivery['mapping']}, delivery {delivery['id']} to LeadByte ({asked})"
