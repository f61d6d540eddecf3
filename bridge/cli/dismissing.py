"""`bridge dismiss`: take leads off the failure report for good."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.base import ask, open_app, put, put_json
from bridge.cli.choosing import (
    Counts,
    OfMapping,
    QueueIds,
    Reason,
    Since,
    Until,
    put_counts,
    refuse_unknown,
    selection,
)
from bridge.cli.completing import dismissible
from bridge.cli.progress import progress
from bridge.errors import UsageError
from bridge.policy.selecting import MOST_WORDS, OPENABLE, is_reason, not_dismissed
from bridge.ports import Selection

if TYPE_CHECKING:
    from bridge.app import App


def dismiss(
    because: Annotated[str, typer.Option(metavar="TEXT", help="Why, in a few words; kept with each lead.")],
    state: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATE",
            autocompletion=dismissible,
            help="Only leads of this state; repeatable. Default: failed, unprocessed and expired.",
        ),
    ] = None,
    queue_id: QueueIds = None,
    since: Since = None,
    until: Until = None,
    reason: Reason = None,
    mapping: OfMapping = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count, by reason.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Take leads off the failure report that nobody wants to be retried. They stay accounted for, as superseded.

    Nothing is sent. `bridge resync --refetch --queue-id ID` takes one up again.

    Example: bridge dismiss --reason "no value for EmailAddress" --because bots
    """
    _refuse_wrong(because, state or ())
    if not (state or queue_id or since or until or reason or mapping):
        raise UsageError(
            "say which leads: --reason, --mapping, --queue-id, --state, --since or --until; `bridge report` lists them"
        )
    app = open_app()
    now = app.clock()
    chosen = selection(state or OPENABLE, queue_id, (since, until), reason, mapping, now=now)
    refuse_unknown(app, chosen)
    with app.store() as store, progress("dismiss, counting"):
        counts = store.count_by_reason(chosen)
    if dry_run:
        put_counts(counts, "would be dismissed", as_json=as_json)
    elif yes or not counts or _agreed_to(counts, as_json=as_json):
        _dismiss(app, _until(chosen, now), because, as_json=as_json)


def _refuse_wrong(because: str, states: list[str] | tuple[()]) -> None:
    problems = [f"--state {problem}" for problem in not_dismissed(states)]
    if not is_reason(because):
        problems.append(f"--because: say why, on one line of at most {MOST_WORDS} characters")
    if problems:
        raise UsageError(*problems)


def _agreed_to(counts: Counts, *, as_json: bool) -> bool:
    """Raises UsageError where nobody can be asked."""
    if as_json:
        raise UsageError("--json: nobody can be asked; add --yes, or --dry-run to look only")
    put_counts(counts, "to be dismissed", as_json=False)
    answer = ask("Dismiss them for good?")
    if answer is None:
        raise UsageError(
            "nobody answered; add --yes to dismiss without being asked, or --dry-run to look only"
        )
    return answer


def _until(chosen: Selection, now: float) -> Selection:
    """Not what came to rest after it was counted."""
    return replace(chosen, until=now if chosen.until is None else min(now, chosen.until))


def _dismiss(app: App, chosen: Selection, because: str, *, as_json: bool) -> None:
    with app.store() as store, progress("dismiss"):
        done = store.dismiss(chosen, because.strip(), app.clock())
    if as_json:
        put_json({"dismissed": done.leads, "others": list(done.others)})
        return
    put(f"{done.leads} lead{'' if done.leads == 1 else 's'} dismissed")
    for queue_id in done.others:
        put(f"  with values of {queue_id}: `bridge resync --refetch --queue-id {queue_id}` sends those again")
