"""What became of the leads of each day, as stacked bars: one inline SVG that is as wide as its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from bridge.ports import Day

MOST_DAYS: Final = 30
SERIES: Final = (
    ("failed", "failed", ("failed",)),
    ("unprocessed", "unprocessed", ("unprocessed",)),
    ("doubtful", "in doubt or expired", ("in_doubt", "expired")),
    ("moving", "under way", ("sending", "submitted", "pending", "waiting")),
    ("synced", "synced, or nothing to send", ("synced", "skipped", "superseded")),
)
"""From the bottom up: class, words, states."""
GUTTER: Final = 9.0
"""Per cent of the width, for the numbers of the scale. The bars have the rest."""
TOP: Final = 20.0
FLOOR: Final = 215.0
LEAST: Final = 3.0
"""Pixels: one failed lead of a day of thousands is still seen."""
LABELS: Final = 6
WIDEST: Final = 6.0
EDGE: Final = 94.0
PATTERNS: Final = (
    '<defs><pattern id="hatched" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<rect class="ink-failed" width="6" height="6"/><path d="M-1 7 7 -1M-1 1 1 -1M5 7 7 5"/></pattern>'
    '<pattern id="dotted" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<rect class="ink-unprocessed" width="6" height="6"/><circle cx="3" cy="3" r="1.2"/></pattern></defs>\n'
)


def chart(account: Sequence[Day], today: str) -> Iterator[str]:
    """The last 30 days up to `today` (YYYY-MM-DD), from the first of the account on; days without leads are empty.

    Told in words by its title and description; the account's table has the same numbers.
    """
    days = _days(account, today)
    yield from _legend()
    yield '<svg class="chart" role="img" aria-labelledby="chart-title chart-told">\n'
    yield f'<title id="chart-title">Leads by day of tracking</title>\n<desc id="chart-told">{_told(days)}</desc>\n'
    yield PATTERNS
    top = _top(max(_height(day) for day in days))
    yield from _scale(top)
    for at, day in enumerate(days):
        yield from _bar(day, at, len(days), top)
    yield "</svg>\n"


def _days(account: Sequence[Day], today: str) -> list[Day]:
    found = {day.day: day for day in account}
    last = date.fromisoformat(today)
    names = [(last - timedelta(days=back)).isoformat() for back in reversed(range(MOST_DAYS))]
    first = min(found, default=today)
    return [found.get(name, Day(name, 0, 0, {})) for name in names if name >= first] or [Day(today, 0, 0, {})]


def _legend() -> Iterator[str]:
    yield '<ul class="legend">\n'
    for name, words, _ in reversed(SERIES):
        swatch = f'<svg width="16" height="16" aria-hidden="true"><rect class="{name}" width="16" height="16"/></svg>'
        yield f"<li>{swatch}{words}</li>\n"
    yield "</ul>\n"


def _told(days: Sequence[Day]) -> str:
    sums = {words: sum(_count(day.states, states) for day in days) for _, words, states in SERIES}
    parts = ", ".join(f"{n:,} {words}" for words, n in reversed(sums.items()))
    worst = max(days, key=lambda day: _count(day.states, ("failed", "unprocessed")))
    bad = _count(worst.states, ("failed", "unprocessed"))
    most = f" Most failed or unprocessed: {bad:,} on {worst.day}." if bad else ""
    span = f"from {days[0].day} to {days[-1].day}" if len(days) > 1 else f"for {days[0].day}"
    return f"Stacked bars {span} (UTC): {parts}.{most} The table under Account has the numbers of each day."


def _scale(top: int) -> Iterator[str]:
    for value in (0, top // 2, top):
        y = FLOOR - (FLOOR - TOP) * value / top
        yield f'<line x1="{GUTTER}%" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{GUTTER - 1}%" y="{y + 4:.1f}" text-anchor="end">{_short(value)}</text>\n'


def _bar(day: Day, at: int, days: int, top: int) -> Iterator[str]:
    slot = (100 - GUTTER) / days
    width, middle, y = min(slot * 0.75, WIDEST), GUTTER + slot * (at + 0.5), FLOOR
    for name, _, states in SERIES:
        if count := _count(day.states, states):
            height = max(LEAST, (FLOOR - TOP) * count / top)
            y -= height
            place = f'x="{middle - width / 2:.2f}%" y="{y:.1f}" width="{width:.2f}%" height="{height:.1f}"'
            yield f'<rect class="{name}" {place}/>'
    if (days - 1 - at) % -(-days // LABELS) == 0:
        said = f"{date.fromisoformat(day.day):%d %b}"
        x, anchor = (100.0, "end") if middle > EDGE else (middle, "middle")
        yield f'<text x="{x:.2f}%" y="{FLOOR + 20:.1f}" text-anchor="{anchor}">{said}</text>'
    yield "\n"


def _height(day: Day) -> int:
    return sum(_count(day.states, states) for _, _, states in SERIES)


def _count(states: Mapping[str, int], names: Sequence[str]) -> int:
    return sum(states.get(name, 0) for name in names)


def _top(most: int) -> int:
    """The end of the scale: 2, 4, 6, 8 or 10 times a power of ten, so that its half is a whole number."""
    power = int("1" + "0" * (len(str(max(1, most - 1))) - 1))
    return next(power * times for times in (2, 4, 6, 8, 10) if power * times >= most)


def _short(value: int) -> str:
    """`5k` of 5000; the scale holds one digit and noughts only."""
    for unit, size in (("M", 10**6), ("k", 10**3)):
        if value >= size:
            return f"{value // size}{unit}"
    return str(value)
