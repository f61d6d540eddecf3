"""One plain sentence of advice for each known family of reasons. The first that matches counts."""

from __future__ import annotations

import re
from typing import Final

BY_STATE: Final = {
    "expired": "LeadByte gave no final result in time: look the lead up there, then poll it again.",
    "in_doubt": (
        "The answer was lost and the call may have worked. The bridge reads the lead back by itself for half a day; "
        "look at it in LeadSquared and say which it was only if you cannot wait."
    ),
}
LEADBYTE_IN_DOUBT: Final = (
    "LeadByte's answer was lost and the operation may have been carried out; only a person can tell, and it is never "
    "sent twice: look at the lead in LeadByte, then say which it was with `bridge resolve`."
)
FAMILIES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), hint)
    for pattern, hint in (
        (
            r"(API )?key does not have the .{0,60}permission|Leads > Update|Quarantine > Process|Update Payout/Revenue",
            "LeadByte's API key lacks this permission: tick it there (Admin → Tech Hub → REST API), then retry.",
        ),
        (
            r"lead is not approved",
            "LeadByte takes financials of Approved leads only: wait until the lead is approved, or correct its id.",
        ),
        (
            r"unknown field",
            "LeadByte's campaign has no such field: correct its name in the mapping or the command.",
        ),
        (
            r"cannot be triggered",
            "This delivery is not triggered by the REST API: set it so in LeadByte, or correct its id.",
        ),
        (
            r"lead is not valid|quarantined lead not found|(^|[:;] )lead not found",
            "LeadByte has no valid lead by this leadId, or holds none in quarantine by this quarantineId: poll its "
            "queueId with `bridge leadbyte queue`, and correct the id.",
        ),
        (
            r"attribute.*(does not|doesn't|do not) exist|MXUnknownAttribute",
            "A mapping names a field that LeadSquared does not have: correct it there (`bridge check` tells which).",
        ),
        (
            r"MXDuplicateEntry|duplicate|already exists|belongs to another",
            "Another lead in LeadSquared holds this unique value: merge the two leads or correct the value.",
        ),
        (
            r"MXMandatoryAttribute|mandatory|is required",
            "LeadSquared wants a field that was not sent: map it, or make it optional in LeadSquared.",
        ),
        (
            r"does not exist|doesn't exist|not found|no such lead|not known",
            "LeadSquared does not know the lead, or its user may not see it: create the lead, or widen the permission.",
        ),
        (
            r"permission|MXUnAuthorized|MXInvalidAccess|access denied|forbidden",
            "The key lacks a permission: grant it to its user (`bridge check` tells which).",
        ),
        (
            r"exceeded the limit|MXAPIRateLimit|throttle|too many",
            "Too many calls for the account: lower the RATE_CALLS settings if it happens again.",
        ),
        (
            r"gave up after|answer was lost|timed? ?out|no answer",
            "It kept failing for reasons that may have passed: retry once the other side is well.",
        ),
        (
            r"no longer knows the request|did not apply it before the deadline",
            "LeadSquared accepted the update and never said what became of it: look at the lead there, then retry.",
        ),
        (
            r"not carried out",
            "A person said that the call was not carried out: retry it.",
        ),
        (
            r"MXInvalidInput|invalid|exceeds|too long|not allowed",
            "LeadSquared refuses one of the values: correct the mapping and retry, or LeadByte's data and retry with --refetch.",
        ),
    )
)
FEEDBACK_MAPPING: Final = (
    "The feedback mapping could not make an operation of this lead: correct the lead in LeadSquared, and it goes out by "
    "itself; or mend the mapping and retry."
)
MAPPING: Final = (
    "The mapping could not make values of this lead: mend the mapping and retry, or mend the data in LeadByte and "
    "retry with --refetch."
)
OTHER: Final = "Look at one of these leads with `bridge show QUEUE_ID`, mend the cause, then retry."


def hint(state: str, stage: str, reason: str, *, to_leadbyte: bool = False) -> str:
    """What a person is advised to do about a lead that is in this state for this reason.

    `to_leadbyte`: about an operation on LeadByte's side.
    """
    if stage == "map" and to_leadbyte:
        return FEEDBACK_MAPPING
    if state == "in_doubt" and to_leadbyte:
        return LEADBYTE_IN_DOUBT
    if state in BY_STATE:
        return BY_STATE[state]
    if stage == "map":
        return MAPPING
    return next((advice for pattern, advice in FAMILIES if pattern.search(reason)), OTHER)
