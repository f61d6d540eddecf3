"""The account in words: tracked = the sum of all states, by day of tracking."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from bridge.model import LEAD_STATES, Json
from bridge.ports import Day

WIDTH: Final = 100
MOST_DAYS: Final = 14
MOST_NAMED: Final = 3
EARLIER: Final = "earlier"
TITLE: Final = "account, by day of tracking (UTC)"
INDENT: Final = " " * 26


def account_values(account: Sequence[Day]) -> list[dict[str, Json]]:
    """The account as JSON values, oldest day first; only states that any leads are in."""
    return [
        {
            "day": day.day,
            "tracked": day.tracked,
            "forgotten": day.forgotten,
            "states": dict(day.states),
            "adds_up": day.adds_up,
        }
        for day in account
    ]


def account_lines(account: Sequence[Day]) -> Iterator[str]:
    """The account for a terminal, 100 columns wide: the last 14 days, all before them in one line, the total."""
    yield TITLE
    for day in folded(account):
        said = f"  {day.day:<10} {day.tracked:>9,} {'=' if day.adds_up else '≠'} {summands(day)}"
        yield from textwrap.wrap(said, WIDTH, subsequent_indent=INDENT, break_on_hyphens=False)
    tracked, _, rest = total(account).partition(" ")
    said = f"  {'total':<10} {tracked:>9} {rest}"
    yield from textwrap.wrap(said, WIDTH, subsequent_indent=INDENT, break_on_hyphens=False)


def folded(account: Sequence[Day], most: int = MOST_DAYS) -> list[Day]:
    """The last 14 days (or `most`), after one that sums up all before them."""
    early, late = account[:-most], account[-most:]
    return [_summed(early), *late] if early else [*late]


def summands(day: Day) -> str:
    """What became of the leads of a day, such as `7 synced + 2 failed + 1 forgotten`."""
    parts = [f"{n:,} {state}" for state, n in day.states.items()]
    parts += [f"{day.forgotten:,} forgotten"] if day.forgotten else []
    return (" + ".join(parts) or "0") + ("" if day.adds_up else f" ({_gap(day)})")


def total(account: Sequence[Day]) -> str:
    """What was tracked in all and what of it is accounted for; in words whether every day adds up."""
    tracked, accounted = sum(day.tracked for day in account), sum(day.accounted for day in account)
    wrong = [day for day in account if not day.adds_up]
    said = f"{tracked:,} tracked, {accounted:,} accounted for"
    if not wrong:
        return f"{said}: it adds up"
    named = "; ".join(f"{day.day}: {_gap(day)}" for day in wrong[:MOST_NAMED])
    more = f"; and {len(wrong) - MOST_NAMED} more days" if len(wrong) > MOST_NAMED else ""
    return f"{said}: it does NOT add up ({named}{more}); `bridge audit` tells more"


def _gap(day: Day) -> str:
    gap = day.tracked - day.accounted
    return f"{gap:,} missing" if gap > 0 else f"{-gap:,} more than tracked"


def _summed(days: Sequence[Day]) -> Day:
    states = Counter[str]()
    for day in days:
        states.update(day.states)
    return Day(
        EARLIER,
        tracked=sum(day.tracked for day in days),
        forgotten=sum(day.forgotten for day in days),
        states={state: states[state] for state in LEAD_STATES if states[state]},
    )
