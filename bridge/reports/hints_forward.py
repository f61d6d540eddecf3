"""What the reasons of leads on their way to LeadSquared mean, and what to do."""

from __future__ import annotations

from typing import Final

from bridge.reports.hint import ANYTHING, EXPRESSION, FORGOTTEN, NO_FILE, NOT_DONE, Hint, Place

RETRY: Final = "bridge resync --state failed --reason 'WORDS OF THE REASON'"

MAP: Final = Place(
    "Failed at stage map, on the way to LeadSquared",
    RETRY,
    (
        Hint(
            "no value for EmailAddress, by which LeadSquared finds the lead",
            "LeadByte's result holds nothing to find the lead by in LeadSquared.",
            'If all leads fail so, tick the lead data in the section "API Queue" of LeadByte\'s key; else complete the lead '
            "in LeadByte, or name a further field in `search_by`; then retry with --refetch.",
            r"by which LeadSquared finds the lead",
        ),
        NO_FILE,
        Hint(
            "mx_Outcome: no value is given for the word 'Vetted'",
            "LeadByte says a word that the mapping's `values` do not have.",
            "Add it there, check the file with `bridge check --offline`, then retry.",
            r"no value is given for",
        ),
        EXPRESSION,
        Hint(
            "LeadByte answered without a result",
            "LeadByte's kept reply cannot be read as a result of this lead.",
            "Look at it with `bridge show QUEUE_ID`, then retry with --refetch.",
            r"^LeadByte ",
        ),
        FORGOTTEN,
        Hint(
            "Phone: not a phone number in region GB",
            "A value that LeadByte tells is not what the mapping says of its field.",
            "Mend the mapping (its `type`, `region`, `format`, …) and retry, or mend the data in LeadByte and retry with "
            "--refetch.",
            r": (not|is) ",
        ),
        Hint(
            ANYTHING,
            "The mapping could not make values of this lead.",
            "Try it with `bridge map`; mend the mapping and retry, or mend the data in LeadByte and retry with --refetch.",
        ),
    ),
)

UNKNOWN_LEAD: Final = Hint(
    "Lead does not exist in the system or You do not have permission to update the lead",
    "LeadSquared does not know the lead, or its user may not see it; it says the same for both.",
    "Create the lead, or widen the user's permission (Sales Groups), then retry.",
    r"(lead|prospect)\b.{0,60}(does not|doesn't|do not) exist|lead not found|no such lead|not known|InvalidEntity",
)

UNPROCESSED: Final = Place(
    "Unprocessed",
    "bridge resync --state unprocessed",
    (Hint(UNKNOWN_LEAD.example, UNKNOWN_LEAD.meaning, UNKNOWN_LEAD.advice),),
)

LEADSQUARED: Final = Place(
    "Failed in LeadSquared",
    RETRY,
    (
        Hint(
            "Attribute(s) does not exist - mx_Buyer. (MXUnknownAttributeException)",
            "The mapping names a field that LeadSquared does not have.",
            "Correct its name in the mapping (`bridge check` tells which, `bridge mapping fields` lists all) or add the field "
            "in LeadSquared, then retry.",
            r"attribute.{0,20}(does not|doesn't|do not) exist|MXUnknownAttribute",
        ),
        Hint(
            "LeadSquared refused the call: mx_Source is not a unique field (MXInvalidInputException)",
            "The mapping's `search_by` names a field that several leads may share.",
            "Name a field there that is unique in LeadSquared, then retry.",
            r"not a unique|pass a unique field",
        ),
        Hint(
            "A Lead with same Phone already exists. (MXDuplicateEntryException)",
            "Another lead in LeadSquared holds this unique value; nothing was written.",
            "Merge the two leads there or correct the value, then retry.",
            r"MXDuplicateEntry|duplicate|already exists|belongs to another",
        ),
        Hint(
            "LastName is mandatory (MXMandatoryAttributeMissingException)",
            "LeadSquared wants a field that was not sent.",
            "Map it (with a `default` where LeadByte has none), or make it optional in LeadSquared, then retry.",
            r"MXMandatoryAttribute|mandatory|is required",
        ),
        Hint(
            "EmailAddress cannot be changed after the lead is created (MXInvalidInputException)",
            "LeadSquared locks this field once the lead is there.",
            "Take it out of the mapping's `fields` (`bridge mapping fields` shows which are locked) or unlock it in "
            "LeadSquared, then retry.",
            r"cannot be (changed|modified|edited)|read.?only|is locked",
        ),
        UNKNOWN_LEAD,
        Hint(
            "LeadSquared refused the call with HTTP 404: The API could not be found. Please check the API signature.",
            "What answers at this address is not LeadSquared's API as the bridge calls it.",
            "Correct BRIDGE_LEADSQUARED__URL (scheme and host) or BRIDGE_LEADSQUARED__ASYNC_URL, see `bridge check` say that "
            "it works, restart the service, then retry.",
            r"with HTTP 40[45]|answered with a redirect",
        ),
        Hint(
            "gave up after 8 attempts: LeadSquared denied the keys: Access denied (MXUnAuthorizedAccessException); check them "
            "and their permissions",
            "LeadSquared takes the keys, but does not let their user change this lead or one of its fields.",
            "Grant it to the user (Sales Groups for leads, Permission Templates for fields), then retry.",
            r"denied the keys|permission|MXUnAuthorized|MXInvalidAccess|access denied|forbidden",
        ),
        Hint(
            "API calls exceeded the limit of 25 in 5 second(s)",
            "More calls were made than the account allows; all its integrations share one limit.",
            "Retry; lower the RATE_CALLS settings if it happens again (`bridge leadsquared limits`).",
            r"exceeded the limit of|MXAPIRateLimit|throttle|too many (calls|requests)",
        ),
        Hint(
            "LeadSquared accepted the update but did not apply it before the deadline",
            "LeadSquared took an async update and never said that it was applied; it may have been.",
            "Look at the lead with `bridge leadsquared lead`, and at the queue with `bridge leadsquared metrics`; then retry "
            "what is missing.",
            r"no longer knows the request|did not apply it|could not be confirmed|does not hold the values",
        ),
        Hint(
            "LeadSquared reports success, but changed no lead (AffectedRows 0)",
            "LeadSquared took an async update, and no lead was changed by it.",
            "Look whether a lead with this ProspectID is there (`bridge leadsquared lead`); it may have been merged or "
            "deleted. Correct the id, then retry.",
            r"AffectedRows 0",
        ),
        Hint(
            "gave up after 8 attempts: LeadSquared's answer does not name this lead",
            "LeadSquared answered again and again, and never said what became of this lead.",
            "Look at it with `bridge leadsquared lead`; if it does not hold the values, retry.",
            r"does not name this lead",
        ),
        Hint(
            "gave up after 8 attempts: LeadSquared failed with HTTP 502",
            "Each try with this lead failed while LeadSquared answered other questions.",
            "Retry once LeadSquared is well; if it fails once more, save the same values by hand there and see what it says.",
            r"gave up after|timed? ?out|no answer",
        ),
        NOT_DONE,
        Hint(
            "mx_Postcode exceeds the maximum length of 50 characters (MXInvalidInputException)",
            "LeadSquared refuses one of the values.",
            "Correct the mapping (`max_length`, `values`, `type`) and retry, or correct LeadByte's data and retry with "
            "--refetch.",
            r"MXInvalidInput|invalid|exceeds|too long|not allowed",
        ),
        Hint(
            "nothing but the lead's id is mapped: there is nothing to update",
            "The mapping found no value but the key itself.",
            "Map further fields, or leave such leads out by `when`; then retry.",
            r"there is nothing to update|fields cannot be empty",
        ),
        Hint(
            "LeadSquared gave no reason",
            "LeadSquared refused the lead and did not say why.",
            "Save the values that `bridge show QUEUE_ID` has by hand in LeadSquared and see what it says; mend that, then "
            "retry.",
            r"no reason|refused the call|could not be updated|MXOperationFailed",
        ),
        FORGOTTEN,
        Hint(
            ANYTHING,
            "LeadSquared refused the lead in these words.",
            "Look at one of these leads with `bridge show QUEUE_ID`, mend the cause, then retry.",
        ),
    ),
)

IN_DOUBT: Final = Place(
    "In doubt, sent to LeadSquared",
    "bridge resolve QUEUE_ID --as done|not-done",
    (
        Hint(
            "the answer was lost: LeadSquared failed with HTTP 502",
            "An update that fires automations got no answer, so it may have worked and is not sent again.",
            "The bridge reads the lead back by itself for half a day; look at it in LeadSquared and say which it was only if "
            "you cannot wait.",
        ),
    ),
)
