"""The leads of the page: one table, and what finds leads in it where scripts run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from bridge.reports.frame import safe, words
from bridge.reports.groups import Group
from bridge.reports.report import Lead
from bridge.reports.text import readable

MOST_ROWS: Final = 2000
LEAST_ROWS: Final = 3
"""Of each reason, however many leads came before."""
MOST_WORDS: Final = 60
COLUMNS: Final = (
    ("QueueId", ""),
    ("State", "state"),
    ("Stage", ""),
    ("Mapping", "name"),
    ("Identifier", "name"),
    ("Attempts", "number"),
    ("Last attempt (UTC)", "time"),
    ("Reason", "reason"),
)
SHOWN: Final = """<p id="shown" hidden>
<button type="button" id="retry-shown"></button> <button type="button" id="dismiss-shown"></button>
</p>
"""
WORDS: Final = {"done": "It was done", "not-done": "It was not done"}
"""What a person may say of a delivery in doubt."""
DELIVERY: Final = ("Delivery", "number")


def leads_table(
    ranked: Sequence[Group], rows: Sequence[tuple[Group, Lead]], extent: str, *, acting: bool = False
) -> Iterator[str]:
    """Controls (hidden until the script shows them) and a row for each lead. `ranked`: all groups, in the page's order.

    `extent`: which leads these are, as HTML. `acting`: with buttons to retry or dismiss what is found, and to settle what is in
    doubt.
    """
    ranks = {id(group): rank for rank, group in enumerate(ranked, 1)}
    columns = (*COLUMNS, DELIVERY) if any(lead.state == "in_doubt" for _, lead in rows) else COLUMNS
    yield '<section class="wide" aria-labelledby="all-leads">\n<h2 id="all-leads">Leads</h2>\n'
    yield f"<p>{extent}</p>\n"
    yield from _controls(ranked)
    yield SHOWN if acting else ""
    yield '<div class="scroll" role="region" aria-label="Table of leads" tabindex="0">\n<table id="leads">\n'
    yield "<caption>Leads that need a person</caption>\n<thead><tr>"
    yield "".join(f'<th scope="col"{_class(kind)}>{title}</th>' for title, kind in columns)
    yield "</tr></thead>\n<tbody>\n"
    for group, lead in rows:
        yield _row(lead, ranks[id(group)], columns, acting=acting)
    yield "</tbody>\n</table>\n</div>\n</section>\n"


def _controls(ranked: Sequence[Group]) -> Iterator[str]:
    states = dict.fromkeys(words(group.state) for group in ranked)
    yield '<div class="controls" id="controls" role="search" aria-label="Find leads" hidden>\n'
    yield '<div><label for="find">Find in the table</label><input type="search" id="find" autocomplete="off"></div>\n'
    yield '<div class="short"><label for="state">State</label><select id="state"><option value="">all states</option>'
    yield "".join(f"<option>{state}</option>" for state in states)
    yield "</select></div>\n"
    yield '<div><label for="reason">Reason</label><select id="reason"><option value="">all reasons</option>'
    for rank, group in enumerate(ranked, 1):
        yield f'<option value="{rank}">{rank}. {words(group.state)}: {safe(_brief(group.reason))}</option>'
    yield '</select></div>\n<button type="button" id="all">Show all</button>\n</div>\n'
    yield '<p id="told" role="status" aria-live="polite"></p>\n'
    yield '<p class="sideways soft">The table scrolls sideways.</p>\n'


def _row(lead: Lead, rank: int, columns: Sequence[tuple[str, str]], *, acting: bool) -> str:
    last = readable(lead.last_attempt_at) if lead.last_attempt_at else "never"
    number = str(lead.delivery) if lead.state == "in_doubt" and lead.delivery is not None else ""
    told = (
        lead.stage,
        lead.mapping or "",
        lead.identifier or "",
        str(lead.attempts),
        last,
        lead.reason,
    )
    texts = (words(lead.state), *map(safe, told), number + (_settling(number) if acting and number else ""))
    cells = (f"<td{_class(kind)}>{text}</td>" for (_, kind), text in zip(columns[1:], texts, strict=False))
    return f'<tr><th scope="row" data-reason="{rank}">{safe(lead.queue_id)}</th>{"".join(cells)}</tr>\n'


def _settling(number: str) -> str:
    return "".join(
        f' <button type="button" data-delivery="{number}" data-as="{word}" aria-label="{said}: delivery {number}">{said}</button>'
        for word, said in WORDS.items()
    )


def _brief(reason: str) -> str:
    return reason if len(reason) <= MOST_WORDS else f"{reason[: MOST_WORDS - 1]}…"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
