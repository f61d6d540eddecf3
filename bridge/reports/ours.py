"""What of an error may be shown to anybody: our own words, never those of the other side, which may name people."""

from __future__ import annotations

import re
from typing import Final

from bridge.reports.hints import hint

_WHO: Final = "(?:LeadByte|LeadSquared)"
_AT: Final = re.compile(r"https?://[^\s/@]{1,260}|an address that is none")
_HTTP: Final = r"HTTP \d{3}"
_NUMBER: Final = r"\d{1,4}(?:\.\d{1,3})?"
_BEFORE: Final = (
    r"gave up after \d{1,4} attempts",
    "the answer was lost",
    "could not be confirmed before the deadline",
)
_SENTENCES: Final = (
    f"{_WHO} denied the keys",
    rf"{_WHO} denied the key \((?:{_HTTP}|by its answer)\)",
    f"{_WHO} (?:failed|refused the call)(?: with {_HTTP})?",
    rf"{_WHO} says too many calls(?: \({_HTTP}\))?",
    f"{_WHO} answered without a result",
    f"{_WHO} answered {_HTTP} with (?:an empty reply|HTML instead of JSON|broken JSON|JSON nested too deeply)",
    f"{_WHO} answered {_HTTP} with (?:more than 500000 JSON values|text that is not UTF-8)",
    f"{_WHO} answered with something else than a list of (?:leads|fields)",
    "LeadByte answered about another queueId than the one it was asked about",
    "LeadSquared answered without the metrics of its async queue",
    "LeadSquared answered a bulk update with something else than an object",
    "LeadSquared answered an async update without a RequestID",
    "LeadSquared no longer knows the request(?:; sent again|, and it may have fired automations)",
    "LeadSquared accepted the update but did not apply it before the deadline",
    "the answer was lost and LeadSquared does not hold the values",
    "the answer does not name this lead",
    "an async mapping needs BRIDGE_LEADSQUARED__ASYNC_URL and BRIDGE_LEADSQUARED__ASYNC_API_KEY",
    f"cannot reach (?:{_AT.pattern})",
    f"(?:{_AT.pattern}) gave no whole answer in {_NUMBER} s",
    f"(?:{_AT.pattern}) broke off before its whole answer came",
    rf"(?:{_AT.pattern}) answered with a redirect \({_HTTP}\)",
    f"(?:{_AT.pattern}) answered {_HTTP} in a compression nobody asked for",
    f"(?:{_AT.pattern}) answered {_HTTP} with a reply larger than {_NUMBER} (?:MiB|bytes)",
)
"""How the bridge begins what it says of a whole call: nothing in it is free but short numbers and an address."""

_OURS: Final = re.compile(rf"(?:(?:{'|'.join(_BEFORE)}): )?(?:{'|'.join(_SENTENCES)})(?=: | \(|$)", re.ASCII)
_MX_TYPE: Final = re.compile(
    r"\bMX(?:APIRateLimitExceeded|DuplicateEntry|InvalidAccessDetails|InvalidEntity|InvalidInput|MandatoryAttributeMissing"
    r"|NotFound|OperationFailed|UnAuthorizedAccess|UnknownAttribute)Exception\b"
)
SOMEWHERE: Final = "the other side"
"""Stands for an address: in a lead's reason it may be one of the other side's words."""

WAITING: Final = "LeadByte has no result yet that can be used: `bridge status` has its words, and the lead is polled again."
UNSAID: Final = "The log says why"


def own_words(state: str, stage: str, reason: str, *, to_leadbyte: bool = False) -> str:
    """A reason as far as it is one of our own sentences about a whole call, and the type of exception where that is a known
    one; else the advice for it."""
    ours, kind = _OURS.match(reason), _MX_TYPE.search(reason)
    if ours is None and state == "waiting":
        return WAITING
    if ours is None:
        said = hint(state, stage, reason, to_leadbyte=to_leadbyte)
        return f"{said.rstrip('.')} ({kind[0]})." if kind else said
    words = _AT.sub(SOMEWHERE, ours[0])
    return f"{words} ({kind[0]})" if kind else words


def side_words(reason: str) -> str:
    """Why a side is not up, as far as it is one of our own sentences. An address in it is the one that we call."""
    ours = _OURS.match(reason)
    return ours[0] if ours else UNSAID
