"""Leads that failed for the same reason."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Final

from bridge.reports.hints import hint
from bridge.reports.masking import HOLE
from bridge.reports.report import Lead

MOST_GROUPS: Final = 500
MOST_LEADS: Final = 20
MOST_QUOTED: Final = 50
LEAST_QUOTED: Final = 4
OTHER: Final = "other reasons"
REFETCH: Final = "--refetch"
"""Where the advice says so, the command does."""


@dataclass(slots=True)
class Group:
    """Leads in one state for one reason. `resync`: the command that tries all of them again; `text`: what their reasons
    have word for word, by which it finds them ("": all of that state); `refetch`: whether it asks LeadByte again first;
    `leads`: the first ones.

    `first_seen`, `last_seen`: when the first and when the last of its leads came to it (ISO 8601, UTC), None where that is
    not known.
    """

    reason: str
    state: str
    stage: str
    hint: str
    resync: str
    text: str
    refetch: bool = False
    count: int = 0
    first_seen: str | None = None
    last_seen: str | None = None
    leads: list[Lead] = field(default_factory=list)

    def add(self, lead: Lead) -> None:
        """Count the lead; keep it if it is one of the first."""
        self.count += 1
        if len(self.leads) < MOST_LEADS:
            self.leads.append(lead)
        if at := lead.at:
            self.first_seen = min(self.first_seen or at, at)
            self.last_seen = max(self.last_seen or at, at)


class Groups:
    """Leads put into groups as they come. Beyond `MOST_GROUPS` all new reasons of a state share one group."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str, bool], Group] = {}

    def add(self, lead: Lead) -> Group:
        """Put the lead into its group, which is returned."""
        key = (lead.state, lead.common, lead.to_leadbyte)
        if key not in self._groups and len(self._groups) >= MOST_GROUPS:
            key = (lead.state, OTHER, lead.to_leadbyte)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _group(*key[:2], lead)
        group.add(lead)
        return group

    def largest_first(self) -> list[Group]:
        """All groups, by falling count, then by state and reason."""
        return sorted(self._groups.values(), key=lambda group: (-group.count, group.state, group.reason))


def _group(state: str, reason: str, first: Lead) -> Group:
    told = hint(state, first.stage, reason, to_leadbyte=first.to_leadbyte)
    text = "" if reason == OTHER else _quotable(reason)
    refetch = REFETCH in told
    command = _command(state, text, to_leadbyte=first.to_leadbyte, refetch=refetch)
    return Group(reason or "no reason was given", state, first.stage, told, command, text, refetch)


def _command(state: str, text: str, *, to_leadbyte: bool, refetch: bool) -> str:
    if state == "in_doubt":
        return f"bridge resolve {'DELIVERY' if to_leadbyte else 'QUEUE_ID'} --as done|not-done"
    if state == "expired":
        return "bridge resync --refetch --state expired"
    command = f"bridge resync {f'{REFETCH} ' if refetch else ''}--state {shlex.quote(state)}"
    return f"{command} --reason {shlex.quote(text)}" if text else command


def _quotable(reason: str) -> str:
    """A piece that all reasons of the group hold word for word, or nothing where they share too little."""
    seen = "".join(each if each.isprintable() else HOLE for each in reason)
    longest = max(seen.split(HOLE), key=len).lstrip(" -")[:MOST_QUOTED].strip()
    return longest if len(longest) >= LEAST_QUOTED else ""
