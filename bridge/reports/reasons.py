"""The reasons of a page, most leads first, each with its advice and what tries its leads again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from bridge.reports.frame import safe, sentence, words
from bridge.reports.groups import Group, Groups
from bridge.reports.report import Lead
from bridge.reports.table import LEAST_ROWS
from bridge.reports.text import readable

COMMANDS: Final[Mapping[str, str]] = {
    "in_doubt": "Once you know which it was, for each of them:",
    "expired": "This polls them again:",
}
RETRY: Final = "This tries them again:"


def gathered(
    leads: Iterable[Lead], most: int, always: str = ""
) -> tuple[list[Group], list[tuple[Group, Lead]]]:
    """All groups, largest first, and the leads for a table: the first `most`, and some of each reason; all of the state `always`.

    However many leads there are, no more of them are held than the table shows.
    """
    groups, rows = Groups(), list[tuple[Group, Lead]]()
    for lead in leads:
        group = groups.add(lead)
        if len(rows) < most or group.count <= LEAST_ROWS or lead.state == always:
            rows.append((group, lead))
    return groups.largest_first(), rows


def reasons(ranked: Sequence[Group], *, acting: bool = False) -> Iterator[str]:
    """A list of all groups. `acting`: with buttons that try the leads of a group again, or give them up."""
    yield '<h2 id="reasons">Reasons, most leads first</h2>\n<ol class="reasons">\n'
    for rank, group in enumerate(ranked, 1):
        yield f"<li>\n<h3>{rank}. {group.count:,} {words(group.state)} at {safe(group.stage)}: {safe(group.reason)}</h3>\n"
        yield f"<p>{sentence(group.hint)}</p>\n<dl>"
        yield f"<div><dt>First seen</dt><dd>{_moment(group.first_seen)}</dd></div>"
        yield f"<div><dt>Last seen</dt><dd>{_moment(group.last_seen)}</dd></div></dl>\n"
        if acting and group.state != "in_doubt":
            yield _buttons(group)
        else:
            yield f"<p>{COMMANDS.get(group.state, RETRY)}</p>\n<pre><code>{safe(group.resync)}</code></pre>\n"
        yield "</li>\n"
    yield "</ol>\n"
    if not acting:
        yield "<p>What nobody wants to be retried goes off this report: <code>bridge dismiss --help</code></p>\n"


def _buttons(group: Group) -> str:
    meant = f'data-state="{safe(group.state)}" data-reason="{safe(group.text)}"'
    meant += " data-refetch" if group.refetch else ""
    these = "this lead" if group.count == 1 else f"these {group.count:,} leads"
    retry = f'<button type="button" {meant}>Retry {these}</button>'
    # Where no words tell these from others of the state, all of it would be meant.
    dismiss = f' <button type="button" data-dismiss {meant}>Dismiss {these}</button>' if group.text else ""
    return f"<p>{retry}{dismiss}</p>\n"


def _moment(iso: str | None) -> str:
    return f'<time datetime="{iso}">{readable(iso)} UTC</time>' if iso else "not known"
