"""LeadSquared's standard lead fields, for a draft that is made without asking the account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.leadsquared import FieldInfo

if TYPE_CHECKING:
    from collections.abc import Sequence


def _field(schema_name: str, display_name: str, data_type: str = "Text") -> FieldInfo:
    return FieldInfo(schema_name, display_name, data_type, None, (), mandatory=False, locked=False)


STANDARD: Final[Sequence[FieldInfo]] = (
    _field("ProspectID", "Lead Id"),
    _field("FirstName", "First Name"),
    _field("LastName", "Last Name"),
    _field("EmailAddress", "Email", "Email"),
    _field("Phone", "Phone Number", "Phone"),
    _field("Mobile", "Mobile Number", "Phone"),
    _field("Company", "Company"),
    _field("JobTitle", "Job Title"),
    _field("Website", "Website"),
    _field("Source", "Lead Source"),
    _field("SourceMedium", "Source Medium"),
    _field("SourceCampaign", "Source Campaign"),
    _field("mx_Street1", "Street 1"),
    _field("mx_Street2", "Street 2"),
    _field("mx_City", "City"),
    _field("mx_State", "State"),
    _field("mx_Country", "Country"),
    _field("mx_Zip", "Zip"),
)
"""The fields a new account has, as far as LeadByte's usual ones meet them; without lengths and options, which differ."""
