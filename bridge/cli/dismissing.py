"""`bridge dismiss`: take leads off the failure report."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.base import agreed, open_app, put, put_json
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
from bridge.errors import BridgeError, Busy, Conflict, UsageError
from bridge.policy.selecting import OPENABLE, SAY_WHY, is_reason, not_dismissed
from bridge.ports import Dismissed, Selection

if TYPE_CHECKING:
    from bridge.app import App


class NotDismissed(BridgeError):
    """Not what was counted. Nothing was done."""


def dismiss(
    because: Annotated[
        str, typer.Option(metavar="TEXT", help="Why, in a few words that name nobody; kept with each lead.")
    ] = "",
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
    """Take leads off the failure report that nobody wants to be retried. Nothing is sent, and they stay accounted for.

    `bridge resync --refetch --queue-id ID` takes a lead of LeadByte's up again.

    Example: bridge dismiss --reason "no value for EmailAddress" --because bots
    """
    _refuse_wrong(because, state or (), dry_run=dry_run)
    if not (state or queue_id or since or until or reason or mapping):
        raise UsageError(
            "say which leads: --reason, --mapping, --queue-id, --state, --since or --until; `bridge report` lists them"
        )
    app = open_app()
    now = app.clock()
    # Not what comes to rest while a person is asked.
    chosen = selection(state or OPENABLE, queue_id, (since, until), reason, mapping, now=now).stood(now)
    with app.store(create=False) as store, progress("dismiss, counting"):
        refuse_unknown(store, chosen)
        found, counts = store.dismissible(chosen), store.count_by_reason(chosen)
    if dry_run:
        put_counts(counts, found.leads, "would be dismissed", as_json=as_json, others=list(found.others))
        _tell_others(found, as_json=as_json)
    elif not found.leads:
        _tell(found, as_json=as_json)
    elif yes or _agreed_to(counts, found, as_json=as_json):
        _tell(_dismissed(app, chosen, because.strip(), None if yes else found.leads), as_json=as_json)
    else:
        put("nothing was dismissed")


def _refuse_wrong(because: str, states: list[str] | tuple[()], *, dry_run: bool) -> None:
    problems = [f"--state {problem}" for problem in not_dismissed(states)]
    if not (dry_run or is_reason(because)):
        problems.append(f"--because: {SAY_WHY}")
    if problems:
        raise UsageError(*problems)


def _agreed_to(counts: Counts, found: Dismissed, *, as_json: bool) -> bool:
    """Raises UsageError where nobody can be asked."""
    if as_json:
        raise UsageError("--json: nobody can be asked; add --yes, or --dry-run to look only")
    put_counts(counts, found.leads, "to be dismissed", as_json=False)
    _tell_others(found, as_json=False)
    return agreed("Dismiss them?", "dismiss")


def _dismissed(app: App, chosen: Selection, because: str, counted: int | None) -> Dismissed:
    try:
        with app.store() as store, progress("dismiss"):
            done = store.dismiss(chosen, because, app.clock(), counted=counted)
    except Conflict as conflict:
        raise NotDismissed(f"{conflict}; nothing was dismissed, try again") from None
    with suppress(Busy):
        app.write_reports()
    return done


def _tell(done: Dismissed, *, as_json: bool) -> None:
    if as_json:
        put_json({"dismissed": done.leads, "others": list(done.others)})
        return
    none = "" if done.leads else ": nothing of this is on the failure report"
    put(f"{done.leads} lead{'' if done.leads == 1 else 's'} dismissed{none}")
    _tell_others(done, as_json=False)


def _tell_others(found: Dismissed, *, as_json: bool) -> None:
    if as_json or not found.others:
        return
    for queue_id in found.others:
        put(f"  with what was taken over from {queue_id}")
    put("  `bridge resync --refetch --queue-id ID` sends that of LeadByte's leads by itself")
