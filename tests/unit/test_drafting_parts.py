"""How a draft judges names and values, and makes values up."""

from __future__ import annotations

from typing import Any

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.drafting.naming import SURE, UNSURE, likeness
from bridge.drafting.shapes import disguised, is_shaped, made_up, region_of
from bridge.mapping.convert import boolean, email, number, phone
from bridge.mapping.times import parse


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("firstname", "FirstName"),
        ("email", "EmailAddress"),
        ("phone1", "Phone Number"),
        ("postcode", "mx_Zip"),
        ("towncity", "mx_City"),
        ("dob", "Date of Birth"),
        ("optin", "mx_Consent"),
        ("loan amount", "mx_Loan_Amount"),
        ("loanAmount", "mx_LoanAmount"),
        ("buyer", "Buyer Name"),
        ("Größe", "mx_größe"),
    ],
)
def test_names_of_one_thing_are_sure(ours: str, theirs: str) -> None:
    assert likeness(ours, [theirs]) >= SURE
    assert likeness(ours, ["Another", theirs]) >= SURE


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("processed", "Sold On"),
        ("source", "Origin"),
        ("phone2", "Mobile"),
        ("county", "State"),
        ("leadowner", "Lead Owners"),
        ("questionnaire2", "Questionnaire 3"),
    ],
)
def test_names_of_what_may_be_one_thing_are_not_sure(ours: str, theirs: str) -> None:
    assert UNSURE <= likeness(ours, [theirs]) < SURE


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("firstname", "LastName"),
        ("phone1", "phone2"),
        ("street1", "Street 2"),
        ("x", "Owner"),
        ("!", "?"),
        ("", ""),
    ],
)
def test_names_of_different_things_are_no_pair(ours: str, theirs: str) -> None:
    assert likeness(ours, [theirs]) < UNSURE
    assert likeness(ours, []) == 0


@pytest.mark.parametrize(
    ("data_type", "value", "fits"),
    [
        ("Email", "a@b.co", True),
        ("Email", "a", False),
        ("Phone", "(020) 7946-0958", True),
        ("Phone", "+44", False),
        ("Phone", "2026-03-02T16:03:04Z", False),
        ("Number", "£1,234.50", True),
        ("Number", 0, True),
        ("Number", "1.234,50", False),
        ("Boolean", False, True),
        ("Boolean", "no", True),
        ("Boolean", 2, False),
        ("Date", "2026-03-02", True),
        ("Date", "03/04/2026", True),
        ("Date", "45/45/2026", False),
        ("DateTime", 1668700984, True),
        ("Text", "anything", True),
        ("Odd", 7, True),
        *(
            (kind, empty, True)
            for kind in ("Email", "Phone", "Number", "Boolean", "Date")
            for empty in (None, "", " ")
        ),
        ("Number", float("nan"), False),
    ],
)
def test_whether_a_field_takes_a_value(data_type: str, value: Any, fits: bool) -> None:
    assert is_shaped(data_type, value) is fits


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)


@given(SCALARS)
def test_what_is_made_up_can_be_read_by_its_type(value: Any) -> None:
    assert email(made_up("email", value))
    assert phone(None)(made_up("phone", value))
    assert parse(made_up("date", value))
    assert parse(made_up("datetime", value))
    assert boolean(made_up("boolean", value))
    assert not is_shaped("number", value) or number(made_up("number", value))


@pytest.mark.parametrize(
    ("sort", "value", "wanted"),
    [
        ("text", "Zoë O'Neill-Smith 99", "Abc E'Ghijk-Mnopq 90"),
        ("text", "Ab1", "Ab3"),
        ("text", 48750, 1234567),
        ("text", 1.25, 1234.5),
        ("text", False, True),
        ("text", " n/a ", "a/c"),
        ("text", "--", "Example"),
        ("text", None, "Example"),
        ("number", "£9,876.54", "£2,456.89"),
        ("number", "1e300", 12345),
        ("number", 48750, 12345),
        ("number", 0.25, 1234.5),
        ("boolean", "N", "yes"),
        ("boolean", "0", True),
        ("boolean", None, True),
        ("date", "1980-01-31", "2026-02-13"),
        ("datetime", "1980-01-31 10:00", "2026-02-13T04:05:06Z"),
        ("datetime", 1668700984, 1770955506),
        ("list", ["Zither", 7], ["Abcdef", 1234567]),
        ("list", [], ["Outside the area", "Too young"]),
    ],
)
def test_what_is_made_up_looks_like_the_value(sort: str, value: Any, wanted: Any) -> None:
    assert made_up(sort, value) == wanted


def test_a_made_up_date_is_written_as_the_value_was() -> None:
    assert made_up("date", "31/01/1980", "%d/%m/%Y") == "13/02/2026"


@given(st.text(min_size=1).filter(lambda text: any(each.isalnum() for each in text)))
def test_a_disguise_is_never_the_text(text: str) -> None:
    hidden = disguised(text)
    assert hidden.casefold() != text.casefold()
    assert len(hidden) == len(text)
    assert set(hidden) <= {*map(chr, range(128)), "£", "€"}
    assert hidden.isprintable()


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_a_made_up_phone_is_of_the_same_country(region: str) -> None:
    number = phonenumbers.example_number(region)
    assert number
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    invented = str(made_up("phone", written))
    assert region_of(invented) == region_of(written)
    assert phone(region_of(written))(invented).split("-")[0] == f"+{number.country_code}"
