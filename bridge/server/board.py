"""The status page: one look says whether all is well; below it the numbers that say why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from bridge.model import REPORTED
from bridge.reports import iso
from bridge.reports.chart import chart
from bridge.reports.frame import SCRIPT, STYLE, Frame, part, safe, sentence, words
from bridge.reports.page import account_table
from bridge.reports.text import readable
from bridge.server.metrics import Calls, Counted
from bridge.server.overview import Overview, Side, Slip

FRAME: Final = Frame(STYLE + part("status.css", "bridge.server"), SCRIPT + part("status.js", "bridge.server"))
POLICY: Final = f"{FRAME.policy}; connect-src 'self'; frame-ancestors 'none'"
NAMES: Final[Mapping[str, str]] = {
    "leadbyte": "LeadByte results",
    "leadbyte-updates": "LeadByte operations",
    "leadsquared": "LeadSquared updates",
    "leadsquared-async": "LeadSquared async updates",
}
SHARED: Final = {"leadbyte-updates": "leadbyte"}
"""Whose window a side shares."""
LINKS: Final = "".join(
    f'<a href="#{place}">{what}</a>'
    for place, what in (
        ("sides", "Sides"),
        ("leads-now", "Leads"),
        ("errors", "Last errors"),
        ("failures", "Failures"),
    )
)
UNREADABLE: Final = "The database could not be read; the log says why. Counts are shown again once it can."


def board(seen: Overview) -> Iterator[str]:
    """The whole page, which needs no script: numbers, moments, our own words."""
    yield FRAME.head(_title(seen))
    yield '<header>\n<h1>LeadByte to LeadSquared bridge</h1>\n<p id="link" role="alert"></p>\n'
    yield f'<nav aria-label="On this page">{LINKS}</nav>\n</header>\n'
    yield '<main>\n<div id="live">\n'
    yield from _live(seen)
    yield "</div>\n"
    yield FAILURES if seen.acting else ONLY_SHOWN
    yield f"</main>\n{FRAME.foot}"


FAILURES: Final = part("failures.html", "bridge.server")
ONLY_SHOWN: Final = """<section aria-labelledby="failures">
<h2 id="failures">Failures</h2>
<p>They can be shown and retried here once <code>BRIDGE_SERVER__TOKEN</code> is set. Until then: <code>bridge report</code>.</p>
</section>
"""


def _live(seen: Overview) -> Iterator[str]:
    good = "good" if seen.ready else "bad"
    yield f'<p class="headline {good}" role="status"><span aria-hidden="true"></span>{" ".join(_headline(seen))}</p>\n'
    at = f"{_time(seen.now)}; version {safe(seen.measured.version)}"
    yield f'<p class="soft">Both sides and their windows at {at}</p>\n'
    yield '<h2 id="sides">Sides</h2>\n<ul class="sides">\n'
    for name, side in seen.sides.items():
        yield from _side(name, side, seen)
    yield "</ul>\n"
    counted = seen.measured.counted
    if counted is None:
        yield f'<h2 id="leads-now">Where leads stand</h2>\n<p class="warning">{UNREADABLE}</p>\n'
    else:
        yield from _leads(counted, seen)


def _title(seen: Overview) -> str:
    counted = seen.measured.counted
    failed = counted.leads.get("failed", 0) if counted else 0
    state = "all well" if seen.ready else "not well"
    return f"Bridge: {state}, {failed:,} failed" if failed else f"Bridge: {state}"


def _headline(seen: Overview) -> Iterator[str]:
    """What keeps work from being done, or that nothing does; and how many leads want a person."""
    if seen.ready:
        yield "Everything works."
    for name, side in seen.sides.items():
        if not side.well:
            since = f" since {_time(side.since)}" if side.since else ""
            yield f"{_name(name)}: {safe(side.state)}{since}."
    if seen.measured.disk_full:
        yield "The disk is full: make room, nothing is lost."
    elif not seen.measured.ready.working:
        yield "A stage has failed; the log says why."
    if (counted := seen.measured.counted) is None:
        yield "The database could not be read."
    elif wanting := _wanting(counted):
        yield f'<a href="#failures">{wanting}</a>'


def _wanting(counted: Counted) -> str:
    """How many leads and operations want a person, in words; "" for none."""
    kinds = (("lead", counted.leads), ("operation", counted.feedback))
    found = [(sum(held.get(state, 0) for state in REPORTED), what) for what, held in kinds]
    told = [f"{n:,} {what}{'' if n == 1 else 's'}" for n, what in found if n]
    alone = sum(n for n, _ in found) == 1
    return f"{' and '.join(told)} {'needs' if alone else 'need'} a person." if told else ""


def _side(name: str, side: Side, seen: Overview) -> Iterator[str]:
    state = side.state if side.asked or not side.well else "not asked yet"
    since = f'<span class="soft">since {_time(side.since)}</span>' if side.since else ""
    kind = "quiet" if state == "not asked yet" else safe(side.state)
    said = f'<strong class="state {kind}"><span aria-hidden="true"></span>{safe(state)}</strong>'
    yield f"<li>\n<h3>{_name(name)}</h3>\n<p>{said} {since}</p>\n"
    if side.reason:
        yield f"<p>{safe(side.reason)}. {_advice(side)}</p>\n"
    if (calls := seen.measured.windows.get(name)) is not None:
        yield from _window(calls)
    elif name in SHARED:
        yield f'<p class="soft">Shares the window of {_name(SHARED[name])}.</p>\n'
    yield "</li>\n"


def _advice(side: Side) -> str:
    if side.state == "denied":
        return "Mend the key or its permission, then restart; <code>bridge check</code> tells more."
    return "Leads wait and lose nothing; it is asked again by itself."


def _window(calls: Calls) -> Iterator[str]:
    if not calls.limit:
        yield f'<p class="soft">No limit of calls; {calls.used:,} under way or just made.</p>\n'
        return
    full = min(100.0, 100.0 * calls.used / calls.limit)
    bar = f'<rect width="100%" height="8" rx="4"/><rect class="used" width="{full:.1f}%" height="8" rx="4"/>'
    yield f'<svg class="window" height="8" width="100%" aria-hidden="true">{bar}</svg>\n'
    yield f'<p class="soft">{calls.used:,} of {calls.limit:,} calls in {calls.seconds:g} s</p>\n'


def _leads(counted: Counted, seen: Overview) -> Iterator[str]:
    tracked = f"{sum(counted.leads.values()):,} tracked in all, counted at {_time(counted.at)}"
    yield f'<h2 id="leads-now">Where leads stand</h2>\n<p class="soft">{tracked}</p>\n<ul class="numbers">\n'
    yield from _numbers(counted)
    yield "</ul>\n"
    if seen.account:
        yield '<h2 id="days">By day of tracking (UTC)</h2>\n<figure>\n'
        yield from chart(seen.account, iso(counted.at)[:10])
        yield "</figure>\n"
    else:
        yield "<p>No lead is tracked yet: <code>bridge enqueue --help</code> says how they come in.</p>\n"
    yield from _slips(seen)
    yield '<h2 id="more">More numbers</h2>\n<dl class="facts">\n'
    for term, told in _facts(counted, seen):
        yield f"<div><dt>{term}</dt><dd>{told}</dd></div>\n"
    yield "</dl>\n"
    if seen.account:
        adds_up = "does not add up" if counted.days_off else "adds up"
        yield f"<details>\n<summary>The account of each day {adds_up}</summary>\n"
        yield from account_table(seen.account)
        yield "</details>\n"


def _numbers(counted: Counted) -> Iterator[str]:
    leads = counted.leads
    moving = sum(leads.get(state, 0) for state in ("pending", "sending", "submitted"))
    per_minute = counted.leads_per_minute
    yield _number(
        f"{per_minute:,.0f}" if per_minute >= 10 else f"{per_minute:.2g}",
        "leads a minute",
        "of the last 5 minutes",
    )
    yield _number(f"{leads.get('waiting', 0):,}", "waiting for LeadByte", _oldest(counted.oldest_waiting))
    yield _number(f"{moving:,}", "under way to LeadSquared", _oldest(counted.oldest_pending))
    for state in REPORTED:
        yield _wanted(state, leads.get(state, 0), counted.feedback.get(state, 0))
    yield _number(f"{leads.get('synced', 0):,}", "synced", "")
    rest = leads.get("skipped", 0) + leads.get("superseded", 0)
    yield _number(f"{rest:,}", "skipped or superseded", "")


def _wanted(state: str, leads: int, operations: int) -> str:
    more = f"and {operations:,} operation{'' if operations == 1 else 's'}" if operations else ""
    return _number(f"{leads:,}", words(state), more, "person" if leads or operations else "")


def _number(number: str, what: str, more: str, kind: str = "") -> str:
    said = f'<span class="soft">{more}</span>' if more else ""
    of_kind = f' class="{kind}"' if kind else ""
    return f"<li{of_kind}><strong>{number}</strong> {what} {said}</li>\n"


def _oldest(seconds: float) -> str:
    return f"oldest {_span(seconds)}" if seconds else ""


def _slips(seen: Overview) -> Iterator[str]:
    yield '<h2 id="errors">Last errors</h2>\n'
    if not seen.slips:
        yield "<p>None.</p>\n"
        return
    yield '<ul class="slips">\n'
    for slip in seen.slips:
        yield f"<li>{_slip(slip)}</li>\n"
    yield "</ul>\n"


def _slip(slip: Slip) -> str:
    more = f" and {slip.times - 1:,} more like it" if slip.times > 1 else ""
    where = f"{_time(slip.at)} at {safe(slip.stage)}, <code>{safe(slip.queue_id)}</code>{more}"
    return f'{sentence(slip.words)} <span class="soft">{where}</span>'


def _facts(counted: Counted, seen: Overview) -> Iterator[tuple[str, str]]:
    back = ", ".join(f"{n:,} {words(state)}" for state, n in counted.feedback.items() if n) or "none"
    yield "Operations in LeadByte", back
    yield "LeadSquared's async queue", _queue(counted)
    up_to = counted.changes_up_to
    yield "Changes in LeadSquared read up to", "not read" if up_to is None else _time(up_to)
    yield "Old data pruned on", safe(seen.pruned_on or "never")
    unknown = f"{counted.unknown_words:,} leads; <code>bridge status</code> names the words"
    yield "Unknown status words of LeadByte", unknown if counted.unknown_words else "none"
    yield "Room on the disk", f"{counted.free / 2**30:,.1f} GiB"


def _queue(counted: Counted) -> str:
    told = counted.queue
    if "at" not in told:
        return "not looked at yet"
    parts = (
        f"{told[name]:,.5g} {what}"
        for name, what in (
            ("pending", "pending"),
            ("delay_seconds", "s delay"),
            ("rate_per_minute", "a minute"),
        )
        if name in told
    )
    return f'{", ".join(parts)} <span class="soft">seen at {_time(told["at"])}</span>'


def _name(side: str) -> str:
    return safe(NAMES.get(side, side))


def _time(at: float) -> str:
    told = iso(at)
    return f'<time datetime="{told}">{readable(told)} UTC</time>'


def _span(seconds: float) -> str:
    """A span of time in words of one unit."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.0f} s"
