"""The lead fields of the simulated LeadSquared account, in the form of LeadsMetaData.Get."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

_RENDER: Final = {
    "Text": "Textbox",
    "Number": "Textbox",
    "Email": "Email",
    "Phone": "Phone",
    "Website": "URL",
    "Date": "DateTime",
    "Select": "Dropdown",
    "Boolean": "CheckBox",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A lead field. `kind`: the DataType. `locked`: LockAfterCreate, or kept by LeadSquared itself."""

    name: str
    label: str
    kind: str = "Text"
    max_length: int | None = None
    options: tuple[str, ...] = ()
    mandatory: bool = False
    locked: bool = False
    identifier: bool = False
    render: str = ""

    def metadata(self, *, options: bool) -> dict[str, Any]:
        """One element of the metadata reply; text fields carry MaxLength as text, picklists their Options."""
        shown: dict[str, Any] = {
            "SchemaName": self.name,
            "DisplayName": self.label,
            "DataType": self.kind,
            "RenderTypeTextValue": self.render or _RENDER[self.kind],
            "IsMandatory": self.mandatory,
            "LockAfterCreate": int(self.locked),
            "IsLeadIdentifier": self.identifier,
        }
        if self.max_length:
            shown["MaxLength"] = str(self.max_length)
        if self.options and options:
            shown["Options"] = [{"Value": value} for value in self.options]
        return shown


SCHEMA: Final = (
    Field("ProspectID", "Lead Id", max_length=50, locked=True, identifier=True),
    Field("ProspectAutoId", "Lead Number", "Number", locked=True),
    Field("FirstName", "First Name", max_length=50),
    Field("LastName", "Last Name", max_length=50),
    Field("EmailAddress", "Email", "Email", max_length=200, identifier=True),
    Field("Phone", "Phone Number", "Phone", max_length=50, identifier=True),
    Field(
        "ProspectStage",
        "Lead Stage",
        "Select",
        options=(
            "Prospect",
            "Opportunity",
            "Call requested",
            "Qualified",
            "Unqualified",
            "Disqualified",
            "Try again",
            "Sold",
            "Lost",
        ),
    ),
    Field("Source", "Lead Source", max_length=50),
    Field("Notes", "Notes", max_length=4000, render="TextArea"),
    Field("CreatedOn", "Created On", "Date", locked=True),
    Field("ModifiedOn", "Modified On", "Date", locked=True),
    Field(
        "mx_Outcome",
        "Outcome",
        "Select",
        options=("Sold", "Lost", "Quarantined", "Duplicate", "Unsold"),
    ),
    Field("mx_Sold_On", "Sold On", "Date"),
    Field("mx_Buyer", "Buyer", max_length=200),
    Field("mx_Buyer_Id", "Buyer Id", max_length=50),
    Field("mx_Revenue", "Revenue", "Number"),
    Field("mx_Payout", "Payout", "Number"),
    Field("mx_Source", "Origin", max_length=50),
    Field("mx_First_Source", "First Origin", max_length=50, locked=True),
    Field("mx_LeadByte_Id", "LeadByte Id", max_length=50),
    Field("mx_Quarantine_Id", "Quarantine Id", max_length=50),
    Field("mx_Reject_Reason", "Reason for Rejection", max_length=200),
    Field("mx_Street1", "Street", max_length=200),
    Field("mx_City", "City", max_length=50),
    Field("mx_County", "County", max_length=50),
    Field("mx_Postcode", "Postcode", max_length=20),
    Field("mx_Date_Of_Birth", "Date of Birth", "Date", render="Date"),
    Field("mx_Consent", "Consent", "Boolean"),
    Field("mx_Website", "Website", "Website", max_length=200),
)
