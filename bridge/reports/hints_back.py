"""What the reasons of LeadByte's results, and of operations on their way to LeadByte, mean, and what to do."""

from __future__ import annotations

from typing import Final

from bridge.reports.hint import ANYTHING, EXPRESSION, FORGOTTEN, NO_FILE, NOT_DONE, Hint, Place
from bridge.reports.hints_forward import RETRY

EXPIRED: Final = Place(
    "Expired",
    "bridge resync --refetch --state expired",
    (
        Hint(
            "no final result before the deadline: LeadByte's status word 'Vetted' is not in BRIDGE_LEADBYTE__STATUSES",
            "LeadByte told a result by a word that the bridge does not know, and which it never takes for one.",
            "Give the word a meaning in BRIDGE_LEADBYTE__STATUSES, restart the service, then poll the leads again.",
            r"is not in BRIDGE_LEADBYTE__STATUSES",
        ),
        Hint(
            "no final result before the deadline: LeadByte's status is still 'Not Found'",
            "LeadByte does not know the queueId.",
            "Compare it with LeadByte's reply to the submit, and BRIDGE_LEADBYTE__URL with the account it was submitted to; "
            "enqueue the right one. A wrong one may stay as it is.",
            r"still 'Not Found'",
        ),
        Hint(
            "no final result before the deadline: LeadByte failed with HTTP 502",
            "Polls of this lead failed up to the deadline, while LeadByte answered other questions.",
            "See what it says now with `bridge leadbyte queue QUEUE_ID`, then poll it again.",
            r"deadline: (?!LeadByte's status)",
        ),
        FORGOTTEN,
        Hint(
            "no final result before the deadline: LeadByte's status is still 'Queued'",
            "LeadByte gave no final result in time.",
            "Look the lead up there, then poll it again.",
        ),
    ),
)

MAP_BACK: Final = Place(
    "Failed at stage map, on the way to LeadByte",
    RETRY,
    (
        Hint(
            "no LeadByte lead id: mx_LeadByte_Id is empty, and none was learned on the way forward",
            "The file's `when` holds, and nobody knows which LeadByte lead it is about.",
            "Fill the column that holds the id, and it goes out by itself; or narrow `when` to leads that came from LeadByte.",
            r"^no LeadByte ",
        ),
        Hint(
            "update: no field has a value, and LeadByte neither reprocesses nor triggers without an update; fill mx_Postcode",
            "The operation needs an update with it, and no column that the file reads has a value.",
            "Fill one of the columns named in LeadSquared, and it goes out by itself.",
            r"^update: no field",
        ),
        Hint(
            "what LeadSquared held is no longer kept (BRIDGE_RETENTION__REPLIES_DAYS): save the lead in LeadSquared again",
            "The lead's values were deleted after the retention, so there is nothing to make an operation of.",
            "Save the lead in LeadSquared again if it is still to go out: a retry fails in the same way.",
            r"is no longer kept",
        ),
        EXPRESSION,
        NO_FILE,
        FORGOTTEN,
        Hint(
            "payout: is negative",
            "A column holds what LeadByte would not take.",
            "Correct the lead in LeadSquared, and it goes out by itself; or mend the mapping and retry.",
            r": (not|is|has|the|neither|no) ",
        ),
        Hint(
            ANYTHING,
            "The feedback mapping could not make an operation of this lead.",
            "Try it with `bridge map`; correct the lead in LeadSquared, and it goes out by itself; or mend the mapping and "
            "retry.",
        ),
    ),
)

LEADBYTE: Final = Place(
    "Failed in LeadByte",
    RETRY,
    (
        Hint(
            'LeadByte denied the key (HTTP 403): This API key does not have the "Quarantine > Process" permission: check the '
            "key and its permission 'Quarantine > Process'",
            "LeadByte's API key lacks the permission that this operation needs; polls may go on.",
            "Tick it there (Admin → Tech Hub → REST API), then retry.",
            r"key does not have the .{0,60}permission|denied the key|Leads > Update|Quarantine > Process|Update Payout",
        ),
        Hint(
            "Lead is not approved: 9000001",
            "LeadByte takes payout and revenue of Approved leads only.",
            "Wait until the lead is approved, or correct its id; then retry.",
            r"not approved",
        ),
        Hint(
            "Lead not updated; Unknown field 'post'",
            "LeadByte's campaign has no such field; others of the same update may have been set.",
            "Correct its name in the mapping or the command, then retry.",
            r"unknown field|did not set every field",
        ),
        Hint(
            "Lead not updated; Delivery '7' cannot be triggered manually via the REST API",
            "This delivery, or this lead, is not one that the REST API may trigger.",
            "Set the delivery so in LeadByte, or correct its id, then retry. Only valid leads can be triggered.",
            r"be triggered",
        ),
        Hint(
            "Lead not updated; Lead is not valid",
            "LeadByte has no valid lead by this leadId, or holds none in quarantine by this quarantineId: it may have been "
            "released, rejected or sold since.",
            "See what it is now with `bridge leadbyte queue`, and correct the id, or leave it.",
            r"lead is not valid|lead not found|(lead|quarantine).{0,40}(does not|doesn't) exist",
        ),
        Hint(
            "Buyer daily limit reached",
            "A cap or a limit in LeadByte stands in the way.",
            "Raise it there or wait until it begins anew, then retry.",
            r"\bcaps?\b|limit (has been )?(reached|exceeded)",
        ),
        Hint(
            "LeadByte refused the call with HTTP 404",
            "What answers at this address is not LeadByte's API as the bridge calls it.",
            "Correct BRIDGE_LEADBYTE__URL, see `bridge check` say that it works, restart the service, then retry.",
            r"with HTTP 40[45]|answered with a redirect",
        ),
        Hint(
            "LeadByte says success, but with errors: Lead updated; Invalid postcode",
            "LeadByte carried out a part of it, and names what it did not.",
            "Look at the lead in LeadByte, correct what it names, then retry: values are set again.",
            r"says success, but",
        ),
        Hint(
            "gave up after 8 attempts: LeadByte's answer does not name this lead",
            "Each try failed, or LeadByte never said what became of it; this operation only sets values, so it may be sent "
            "again.",
            "Look at the lead in LeadByte; if it does not hold them, retry once LeadByte is well.",
            r"gave up after|does not name this lead|does not say|in an answer that is no success",
        ),
        NOT_DONE,
        Hint(
            "the delivery carries what is no part of its operation: nothing of it was sent",
            "What was stored is no whole operation any more, so nothing was sent.",
            "Retry, which makes it anew by the mapping file; ask for what was asked for by hand once more.",
            r"nothing of it was sent|: not sent$|^\w+: (is|not|has|no|neither|the) ",
        ),
        Hint(
            "Lead not updated; Invalid value for field 'phone1'",
            "LeadByte refuses one of the values.",
            "Correct it in LeadSquared or in the command, or its field in the mapping, then retry.",
            r"invalid|required|must be|nothing to update|not a valid|no leads were",
        ),
        Hint(
            "LeadByte gave no reason",
            "LeadByte refused the operation and did not say why.",
            "Do the same by hand in LeadByte and see what it says; mend that, then retry.",
            r"no reason|refused the call",
        ),
        FORGOTTEN,
        Hint(
            ANYTHING,
            "LeadByte refused the operation in these words.",
            "Look at it with `bridge show`, mend the cause, then retry.",
        ),
    ),
)

IN_DOUBT: Final = Place(
    "In doubt, sent to LeadByte",
    "bridge resolve DELIVERY --as done|not-done",
    (
        Hint(
            "the answer was lost: LeadByte failed with HTTP 502",
            "LeadByte's answer was lost and the operation may have been carried out; only a person can tell, and it is never "
            "sent twice.",
            "Look at the lead in LeadByte, then say which it was with `bridge resolve`.",
        ),
    ),
)
