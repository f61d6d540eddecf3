"""What of an error may be shown to anybody: our own words, never those of the other side, which may name people."""

from __future__ import annotations

import re
from typing import Final

from bridge.reports.hints import hint

_OURS: Final = re.compile(
    r"(?:(?:gave up after \d+ attempts|the answer was lost|could not be confirmed before the deadline): )?"
    r"(?:(?:LeadByte|LeadSquared) (?:answered|accepted|denied|did not|failed|gave|no longer|refused|says)\b|https?://\S+ )"
    r".*?(?=: |$)",
    re.DOTALL,
)
WAITING: Final = "LeadByte has no result yet that can be used: `bridge status` has its words, and the lead is polled again."
_MX_TYPE: Final = re.compile(r"\bMX[A-Za-z]{1,60}Exception\b")


def own_words(state: str, stage: str, reason: str, *, to_leadbyte: bool = False) -> str:
    """A reason as far as it is about a whole call, and the type of exception that LeadSquared named; else the advice for it."""
    ours, kind = _OURS.match(reason), _MX_TYPE.search(reason)
    if ours is None and state == "waiting":
        return WAITING
    if ours is None:
        said = hint(state, stage, reason, to_leadbyte=to_leadbyte)
        return f"{said.rstrip('.')} ({kind[0]})." if kind else said
    return f"{ours[0]} ({kind[0]})" if kind and kind[0] not in ours[0] else ours[0]
