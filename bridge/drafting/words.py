"""What a word of LeadByte's becomes where LeadSquared offers a list of words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.leadbyte import status_table
from bridge.mapping.convert import text
from bridge.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.drafting.sources import Source
    from bridge.leadsquared import FieldInfo

MOST: Final = 50
"""Options of one picklist that are written out."""

STATUS: Final = "status"
BOOLEAN: Final = "boolean"
_SELECT: Final = "select"
_MAX_WORD: Final = 40
_SOLD: Final = ("sold", "won", "approved", "accepted", "valid")
_LOST: Final = ("rejected", "lost", "invalid", "disqualified", "unqualified")
_MEANS: Final = (
    dict.fromkeys(("approved", "accepted", "valid", "sold"), _SOLD)
    | dict.fromkeys(("rejected", "invalid"), _LOST)
    | {"unsold": ("unsold", *_LOST), "duplicate": ("duplicate", "duplicated", *_LOST)}
    | dict.fromkeys(("quarantined", "quarantine"), ("quarantined", "quarantine", "on hold", "pending"))
)


@dataclass(frozen=True, slots=True)
class Words:
    """`sure`: word and option. `open`: word and the option it is likely to become, "" where none is. `sort`: the field's type."""

    sure: Sequence[tuple[str, str]]
    open: Sequence[tuple[str, str]]
    sort: str = "text"


def translated(source: Source, field: FieldInfo) -> Words | None:
    """None where the field is no picklist, or one of so many words that they are not written out."""
    options = {option.casefold(): option for option in field.options if _can_be_written(option)}
    if field.data_type.casefold() != _SELECT or not 0 < len(options) <= MOST:
        return None
    if source.name == STATUS:
        return _statuses(text(source.value), options)
    if set(options) == {"yes", "no"}:
        return Words([("1", options["yes"]), ("0", options["no"])], [], BOOLEAN)
    return Words([(option, option) for option in options.values()], [])


def _can_be_written(option: str) -> bool:
    return option.isprintable() and 0 < len(option.strip()) == len(option) <= 2 * _MAX_WORD


def _statuses(found: str, options: dict[str, str]) -> Words:
    """Each status that ends a poll. Only what is written alike is sure: what counts as sold, a person must say."""
    words = list(_known(found))
    sure = [(word, options[word.casefold()]) for word in words if word.casefold() in options]
    doubtful = [(word, _likely(word, options)) for word in words if word.casefold() not in options]
    return Words(sure, doubtful)


def _known(found: str) -> Iterator[str]:
    known = [word for word, verdict in status_table({}).items() if verdict is not Verdict.PENDING]
    yield from (word.capitalize() for word in known)
    if found.casefold() not in known and found.isprintable() and 0 < len(found) <= _MAX_WORD:
        yield found


def _likely(word: str, options: dict[str, str]) -> str:
    meant = (options[other] for other in _MEANS.get(word.casefold(), ()) if other in options)
    return next(meant, "")
