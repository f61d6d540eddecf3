"""What an answer of LeadByte says of single leads: records, release results and words, in whatever shape. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

from bridge.exchange import folded, one_line, text_of
from bridge.leadbyte.verdict import WHO
from bridge.model import Json, Kind, Outcome

MOST_LINES: Final = 20
"""How many warnings, errors or release results are kept of one lead."""

_RESULT: Final = re.compile(
    r"(?:quarantine id '?([a-z0-9_-]+)'? )?(queued for (?:processing|rejection))\.?", re.IGNORECASE
)
_QUEUED: Final = re.compile(
    r"(?<!not )(?<!not be )(?<!not been )(?<!n't )(?<!n't be )\bqueued(?: for\b|\W*$)", re.IGNORECASE
)
_WORD: Final = re.compile(r"[A-Za-z0-9_-]+")
_TRUTH: Final[Mapping[str, bool]] = {"true": True, "1": True, "false": False, "0": False}

Key: TypeAlias = tuple[str, str]
Record: TypeAlias = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one entry. `outcome`: SYNCED (its `note` holds warnings and release results), REJECTED, or UNLISTED
    where the answer leaves it open.

    The rest are LeadByte's words, a line each. `release`: what it says of a release or rejection of this lead.
    """

    outcome: Outcome
    message: str = ""
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    release: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """All that an answer says of one entry.

    `said`: success of all its records, or None where that is unclear. `queued`: what its release results say it was
    queued for, "" among them for other words.
    """

    said: bool | None
    queued: frozenset[str]
    message: str
    warnings: tuple[str, ...]
    errors: tuple[str, ...]
    release: tuple[str, ...]

    @property
    def is_queued(self) -> bool:
        """Whether a release result says, in whatever words, that the lead was queued."""
        return any(_QUEUED.search(line) for line in self.release)

    def result(self, kind: Kind, reason: str = "") -> Result:
        """This as a Result; LeadByte's words follow `reason`, which is ours."""
        if kind is Kind.SYNCED:
            outcome = Outcome(kind, note=joined(*self.warnings, *self.release))
        else:
            told = joined(self.message, *self.errors, *self.warnings, *self.release)
            outcome = Outcome(kind, ": ".join(filter(None, (reason, told))) or f"{WHO} gave no reason")
        return Result(outcome, self.message, self.warnings, self.errors, self.release)

    def refused(self, words: str) -> Result:
        """A refusal in these words of LeadByte's as a Result; warnings and release results follow them."""
        reason = joined(words, *self.warnings, *self.release)
        return Result(Outcome(Kind.REJECTED, reason), words, self.warnings, release=self.release)


def joined(*lines: str) -> str:
    """All that these lines say, each once, on one line."""
    return one_line("; ".join(dict.fromkeys(filter(None, lines))))


def gathered(records: Sequence[Record], release: Sequence[str] = (), lead: str = "", needed: int = 1) -> Told:
    """All that these records and release results say of a lead, which is done only by at least `needed` records."""
    said = {success(record) for record in records}
    clear = len(said) == 1 and (said == {False} or len(records) >= needed)
    return Told(
        said.pop() if clear else None,
        frozenset(_queued(text, lead) for text in release),
        one_line("; ".join(_inside(records, "message"))),
        tuple(_inside(records, "warnings")),
        tuple(_inside(records, "errors")),
        tuple(release[:MOST_LINES]),
    )


def _queued(text: str, lead: str) -> str:
    match = _RESULT.fullmatch(text)
    return match[2].lower() if match and match[1] in {None, lead} else ""


def success(record: Record) -> bool | None:
    """What a record says of itself; None for a word that is neither."""
    value = record.get("success")
    return value if isinstance(value, bool) else _TRUTH.get((text_of(value) or "").lower())


def claims(body: Json) -> bool:
    """Whether anything in an answer says that a lead was, or may have been, done, whatever the answer says as a whole.

    That is a true `success`, a text or a member that says queued, and a record of a lead that does not say it failed.
    """
    records = [one for (_, lead), found in by_key(_leads(body)).items() if lead for one in found]
    return any(success(one) is not False for one in records) or any(_claims(one) for one in _values(body))


def speaks_of_leads(body: Json) -> bool:
    """Whether there is a record in an answer, of whatever lead."""
    return any(objects(_leads(body)))


def _leads(body: Json) -> Json:
    return body if isinstance(body, list) else folded(body).get("leads")


def _claims(value: Json) -> bool:
    if isinstance(value, dict):
        told = folded(value)
        return success(told) is True or bool(told.get("queued"))
    return isinstance(value, str) and _QUEUED.search(value) is not None


def _values(body: Json) -> Iterator[Json]:
    """All values in an answer, itself the first."""
    left = [body]
    while left:
        value = left.pop()
        yield value
        left += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def by_key(value: Json) -> Mapping[Key, Sequence[Record]]:
    """The records of `leads` by the member that names the lead, in lower case, and its id as text ("" without one)."""
    found: dict[Key, list[Record]] = {}
    for record in objects(value):
        quarantined = text_of(record.get("quarantineid"))
        key = ("quarantineid", quarantined) if quarantined else ("id", text_of(record.get("id")) or "")
        found.setdefault(key, []).append(record)
    return found


def objects(value: Json) -> Sequence[Record]:
    """The objects of a list, or the one that stands in its place; their names in lower case."""
    return [folded(one) for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


def by_id(value: Json) -> Mapping[str, Sequence[str]]:
    """Texts by the ids they are about: the members of an object by their names, other texts by each word in them."""
    found: dict[str, list[str]] = {}
    for names, text in _about(value):
        for name in dict.fromkeys(names):
            found.setdefault(name, []).append(text)
    return found


def _about(value: Json) -> Iterator[tuple[Sequence[str], str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from (((name.strip(),), line) for line in islice(_lines(inner), MOST_LINES))
    elif isinstance(value, list):
        for inner in value:
            yield from _about(inner)
    else:
        yield from ((_WORD.findall(line), line) for line in _lines(value))


def _inside(records: Iterable[Record], name: str) -> Iterator[str]:
    return islice((line for record in records for line in _lines(record.get(name))), MOST_LINES)


def _lines(value: Json) -> Iterator[str]:
    """All texts in a value, one line each, after the names they stand under; nothing for 0, false, null and what is empty."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from (one_line(f"{name}: {line}") for line in _lines(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from _lines(inner)
    elif value and (line := one_line("true" if value is True else text_of(value) or "")):
        yield line


def mismatch(found: Mapping[Key, Sequence[Record]], sent: Mapping[Key, int]) -> str | None:
    """How the records differ from the entries that were sent, for the log; None where each has its own."""
    strange = sum(len(records) for key, records in found.items() if key not in sent)
    doubled = sum(len(records) > sent[key] for key, records in found.items() if key in sent)
    missing = sum(key not in found for key in sent)
    counts = {"of other leads": strange, "more than once": doubled, "not at all": missing}
    return "; ".join(f"{count} named {how}" for how, count in counts.items() if count) or None
