"""What `bridge resync` and `bridge dismiss` share: which leads are meant, and how many these are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from bridge.cli.base import moment, put, put_json
from bridge.cli.completing import mapping_names
from bridge.errors import UsageError
from bridge.model import Json
from bridge.ports import Selection, Store
from bridge.reports import mask, one_line

QueueIds = Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this queueId; repeatable.")]
Since = Annotated[
    str | None, typer.Option(metavar="TIME", help="Only leads that came to rest since then (UTC, or 36h).")
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Only leads that came to rest until then.")]
Reason = Annotated[str | None, typer.Option(metavar="TEXT", help="Only leads whose reason holds this text.")]
OfMapping = Annotated[
    str | None,
    typer.Option(metavar="NAME", autocompletion=mapping_names, help="Only leads of this mapping file."),
]
Counts = Mapping[tuple[str, str], int]
"""Leads by state and reason."""


def selection(
    states: Sequence[str],
    queue_ids: Sequence[str] | None,
    times: tuple[str | None, str | None],
    reason: str | None,
    mapping: str | None,
    *,
    now: float,
) -> Selection:
    """What the options mean. `times`: of --since and --until. Raises UsageError naming the option that is wrong."""
    since, until = times
    return Selection(
        states=states,
        queue_ids=tuple(queue_ids or ()),
        since=moment(since, "--since", now),
        until=moment(until, "--until", now),
        reason=reason,
        mapping=mapping,
    )


def refuse_unknown(store: Store, selected: Selection) -> None:
    """Raises UsageError where a named queueId is not tracked."""
    if unknown := store.untracked(selected.queue_ids):
        raise UsageError(*(f"--queue-id {one_line(one)}: this queueId is not tracked" for one in unknown))


def put_counts(counts: Counts, leads: int, what: str, *, as_json: bool, **more: Json) -> None:
    """The leads by reason, masked, and how many they are: one may have several. `what` is said of it; `more` as JSON only."""
    rows = [{"state": state, "reason": mask(reason), "leads": n} for (state, reason), n in counts.items()]
    if as_json:
        put_json({"leads": leads, "reasons": rows, **more})
        return
    for row in rows:
        put(f"{row['leads']:>8}  {row['state']:<12} {row['reason']}")
    put(f"{leads:>8}  {what}")
