"""What LeadByte can be told to do to a lead: values, and how a delivery carries them."""

from bridge.operation.carried import (
    ACTION,
    FINANCIALS_KEYS,
    LEAD_ID,
    QUARANTINE_ID,
    TRIGGER,
    UPDATE,
    carried,
    restored,
)
from bridge.operation.values import (
    FINANCIALS,
    LEADS_UPDATE,
    QUARANTINE_PROCESS,
    Financials,
    LeadUpdate,
    Operation,
    QuarantineProcess,
    QuarantineUpdate,
    Update,
    amount,
)
from bridge.operation.wish import Learned, Wish

__all__ = [
    "ACTION",
    "FINANCIALS",
    "FINANCIALS_KEYS",
    "LEADS_UPDATE",
    "LEAD_ID",
    "QUARANTINE_ID",
    "QUARANTINE_PROCESS",
    "TRIGGER",
    "UPDATE",
    "Financials",
    "LeadUpdate",
    "Learned",
    "Operation",
    "QuarantineProcess",
    "QuarantineUpdate",
    "Update",
    "Wish",
    "amount",
    "carried",
    "restored",
]
