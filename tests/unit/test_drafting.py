"""A drafted mapping loads, passes its own test, pairs what belongs together, and holds nothing of a person."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from bridge.drafting import STANDARD, Draft, drafted
from bridge.leadbyte import read_queue
from bridge.leadsquared import FieldInfo
from bridge.mapping import MappingFile, load, run_tests
from bridge.mapping.document import Ledger, plain, read
from bridge.mapping.schema import mapping_schema

CHECKED: Final = Draft7Validator(mapping_schema())
LEAD: Final = {
    "firstname": "Annabel",
    "lastname": "O'Brien-Zzyzx",
    "email": "Ann.Zzyzx@Example.COM ",
    "phone1": "+44 7700 900123",
    "towncity": "Ashfordzz",
    "postcode": "TN25 6QD",
    "dob": "31/01/1980",
    "optin": "Yes",
    "title": "Dame",
    "income": "48,750.25",
}


def field(name: str, label: str = "", kind: str = "Text", *options: str, **more: Any) -> FieldInfo:
    told = {"max_length": None, "mandatory": False, "locked": False, **more}
    return FieldInfo(name, label or name, kind, options=options, **told)


ACCOUNT: Final = (
    field("ProspectID", "Lead Id", locked=True),
    field("FirstName", "First Name", max_length=50),
    field("LastName", "Last Name", mandatory=True),
    field("EmailAddress", "Email", "Email", locked=True),
    field("Phone", "Phone Number", "Phone"),
    field("mx_City", "City"),
    field("mx_Zip", "Zip"),
    field("mx_Date_Of_Birth", "Date of Birth", "Date"),
    field("mx_Consent", "Consent", "Boolean"),
    field("mx_Title", "Title", "Select", "Mr", "Ms", "Dame"),
    field("mx_Annual_Income", "Annual Income", "Number"),
    field("mx_Outcome", "Outcome", "Select", "Sold", "Lost", "Quarantined"),
    field("mx_Sold_On", "Sold On", "Date"),
    field("mx_LeadByte_Id", "LeadByte Id"),
    field("mx_Reject_Reason", "Reason for Rejection"),
    field("OwnerId", "Owner", mandatory=True),
    field("CreatedOn", "Created On", "Date", mandatory=True, locked=True),
)


def view(lead: Any, **more: Any) -> dict[str, Any]:
    record = {
        "status": "Approved",
        "processed": "2026-03-02T16:03:04Z",
        "leadId": 7185867,
        "lead": lead,
        **more,
    }
    return {**read_queue(json.dumps({"records": [record]}), "").view, "context": {}}


def sound(draft: Draft) -> MappingFile:
    """The mapping of a draft, which must be whole."""
    (mapping,) = load({"draft.yaml": draft.text})
    assert isinstance(mapping, MappingFile)
    assert len(mapping.tests) == 1
    assert run_tests(mapping) == []
    root = read(draft.text, Ledger("draft.yaml"))
    assert root is not None
    assert [error.message for error in CHECKED.iter_errors(plain(root))] == []
    return mapping


def lines(draft: Draft) -> dict[str, str]:
    """The sure pairs without their comments."""
    below = draft.text.partition("\nfields:\n")[2]
    found = re.findall(r"^  (\w+):(.*?)(?:  #.*)?$", below, re.MULTILINE)
    return {name: rule.strip() for name, rule in found}


def about(draft: Draft, name: str) -> str:
    """The comment behind a field's line."""
    match = re.search(rf"^  {name}:.*?  # (.*)$", draft.text, re.MULTILINE)
    assert match
    return match[1]


def test_the_usual_reply_and_account() -> None:
    draft = drafted(view(LEAD), ACCOUNT)
    sound(draft)
    assert lines(draft) == {
        "FirstName": "lead.firstname",
        "LastName": "lead.lastname",
        "EmailAddress": "{from: lead.email, type: email}",
        "Phone": "{from: lead.phone1, type: phone, region: GB}",
        "mx_City": "lead.towncity",
        "mx_Zip": "lead.postcode",
        "mx_Date_Of_Birth": '{from: lead.dob, type: date, format: "%d/%m/%Y"}',
        "mx_Consent": "{from: lead.optin, type: boolean}",
        "mx_Title": "",
        "mx_Outcome": "",
        "mx_LeadByte_Id": "leadId",
        "mx_Reject_Reason": '{from: "info.*[] || info", type: list, join: "; "}',
    }
    assert "  search_by: EmailAddress  #" in draft.text
    assert "  # 75 of 100:\n  # mx_Sold_On: {from: processed, type: datetime}  # Sold On\n" in draft.text
    assert "  # 67 of 100:\n  # mx_Annual_Income: {from: lead.income, type: number}" in draft.text
    assert about(draft, "FirstName") == "First Name, at most 50 characters"
    assert about(draft, "LastName") == "Last Name, mandatory"
    assert "wants a value, and none was found:\n  # OwnerId\n\ntests:" in draft.text
    assert (draft.sure, draft.unsure, draft.unmatched) == (12, 2, 0)
    assert "        postcode: AB34 6GH\n" in draft.text
    assert '        optin: "yes"\n' in draft.text


def test_the_words_of_a_picklist() -> None:
    draft = drafted(view(LEAD), ACCOUNT)
    mapping = sound(draft)
    assert "    values:\n      Quarantined: Quarantined\n" in draft.text.replace("      Sold: Sold\n", "")
    assert "\n      # Approved: Sold\n      # Rejected: Lost\n" in draft.text
    assert "\n      # Processed: …\n" in draft.text
    assert "    values:\n      Mr: Mr\n      Ms: Ms\n      Dame: Dame\n    otherwise: error" in draft.text
    assert {text for name, text, _ in mapping.constants() if name == "mx_Outcome"} == {"Sold", "Quarantined"}
    assert about(draft, "mx_Outcome") == "Outcome, offers Sold, Lost, Quarantined"


def test_a_status_of_the_accounts_own_is_among_the_words() -> None:
    draft = drafted({**view(LEAD), "status": "Vetted: #1"}, ACCOUNT)
    sound(draft)
    assert '\n      # "Vetted: #1": …\n' in draft.text


@pytest.mark.parametrize(
    ("value", "options", "wanted"),
    [
        ("yes", ("Yes", "No"), "{from: lead.consent, type: boolean}"),
        ("perhaps", ("Yes", "No"), None),
        ("Dame", ("Mr", "Dame"), "words"),
        (" dame", ("Mr", "Dame"), "words"),
        ("Lord", ("Mr", "Dame"), None),
        (None, ("Mr", "Dame"), "words"),
        ("Dame", tuple(f"Option {number}" for number in range(51)), "lead.consent"),
        ("Dame", (), "lead.consent"),
        ("Dame", ("\x00", " ", "two\nlines"), "lead.consent"),
    ],
)
def test_a_word_that_a_picklist_offers_makes_the_pair_sure(
    value: Any, options: Any, wanted: str | None
) -> None:
    draft = drafted(view({"consent": value}), [field("mx_Consent", "", "Select", *options)])
    mapping = sound(draft)
    assert ("mx_Consent" in mapping.fields) == (wanted is not None)
    if options == ("Yes", "No") and wanted:
        assert '    type: boolean\n    values:\n      "1": "Yes"\n      "0": "No"\n' in draft.text
    elif wanted:
        assert lines(draft)["mx_Consent"] == ("" if wanted == "words" else wanted)
    else:
        assert re.search(r"^  # \d\d of 100:\n  # mx_Consent:", draft.text, re.MULTILINE)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("31/01/1980", '{from: lead.dob, type: date, format: "%d/%m/%Y"}'),
        ("01/31/1980", '{from: lead.dob, type: date, format: "%m/%d/%Y"}'),
        ("31.01.1980", '{from: lead.dob, type: date, format: "%d.%m.%Y"}'),
        ("31-01-1980 10:30", '{from: lead.dob, type: datetime, format: "%d-%m-%Y %H:%M"}'),
        ("31/1/1980 10:30:01", '{from: lead.dob, type: datetime, format: "%d/%m/%Y %H:%M:%S"}'),
        ("1980-01-31", "{from: lead.dob, type: date}"),
        ("1980-01-31T00:00:00Z", "{from: lead.dob, type: datetime}"),
        (1668700984, "{from: lead.dob, type: datetime}"),
        (None, "{from: lead.dob, type: date}"),
    ],
)
def test_dates_are_read_as_they_are_written(value: Any, wanted: str) -> None:
    draft = drafted(view({"dob": value}), [field("mx_Date_Of_Birth", "", "Date")])
    sound(draft)
    assert lines(draft)["mx_Date_Of_Birth"] == wanted


def test_a_date_that_may_be_read_two_ways_is_left_to_a_person() -> None:
    draft = drafted(view({"dob": "03/04/1980"}), [field("mx_DOB", "", "Date")])
    assert set(sound(draft).fields) == {"EmailAddress"}
    assert "  # 89 of 100; say which comes first, day or month:\n" in draft.text
    assert '  # mx_DOB: {from: lead.dob, type: date, format: "%d/%m/%Y"}' in draft.text
    misread = drafted(view({"dob": "31/02/1980"}), [field("mx_DOB", "", "Date")])
    assert "mx_DOB" not in misread.text


@pytest.mark.parametrize(
    ("value", "region"),
    [
        ("+44 7700 900123", "GB"),
        ("+12125550123", "US"),
        ("+91-9988776655", "IN"),
        ("+1 416 555 0123", "CA"),
        ("07700 900123", None),
        ("+999 1234567", None),
        (447700900123, None),
        ("+8001234567890"[:12], None),
        (None, None),
    ],
)
def test_a_phones_region_is_guessed_only_where_it_is_written_with_a_plus(
    value: Any, region: str | None
) -> None:
    draft = drafted(view({"phone1": value}), STANDARD)
    sound(draft)
    wanted = f", region: {region}" if region else ""
    assert lines(draft)["Phone"] == f"{{from: lead.phone1, type: phone{wanted}}}"
    assert ("add region: (such as GB or US)" in about(draft, "Phone")) == (region is None)


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [
        ("phone1", "Phone", "n/a"),
        ("phone1", "Phone", "12"),
        ("email", "Email", "none"),
        ("revenue", "Number", "a lot"),
        ("consent", "Boolean", "perhaps"),
        ("revenue", "Number", ["1"]),
        ("title", "Select", ["Dame"]),
    ],
)
def test_a_value_that_the_field_would_not_take_makes_no_pair(name: str, kind: str, value: Any) -> None:
    draft = drafted(view({name: value}), [field(f"mx_{name}", "", kind)])
    assert set(sound(draft).fields) == {"EmailAddress"}
    assert f"mx_{name}" not in draft.text
    assert (f"\n  # lead.{name}\n" in draft.text) == (name != "email")


def test_a_number_that_is_none_makes_no_pair() -> None:
    draft = drafted({"lead": {"title": float("inf")}}, [field("mx_Title", "", "Select", "Mr")])
    assert set(sound(draft).fields) == {"EmailAddress"}


def test_the_field_that_finds_the_lead() -> None:
    assert "  search_by: Phone  #" in drafted(view({"phone1": "+442079460958"}), STANDARD).text
    by_id = drafted(view({"prospectid": "0a-1b"}), ACCOUNT)
    assert sound(by_id).keys == ("ProspectID",)
    assert "  mode: bulk  # leads are found by LeadSquared's own id" in by_id.text
    both = drafted(view({**LEAD, "prospectid": "0a-1b"}), ACCOUNT)
    assert sound(both).keys == ("EmailAddress",)
    assert "  # 100 of 100; another field finds the lead:\n  # ProspectID: lead.prospectid" in both.text
    assert (both.sure, both.unsure) == (12, 3)
    nothing = drafted(view({}), [])
    assert sound(nothing).keys == ("EmailAddress",)
    assert "  # nothing sure was found to find the lead by; mend the path\n" in nothing.text


def test_what_the_key_takes_is_not_proposed_for_another_field() -> None:
    draft = drafted(view({"email": "a@b.co"}), [field("mx_Email_Other")])
    assert "mx_Email_Other" not in draft.text
    assert (draft.sure, draft.unsure) == (0, 1)


def test_locked_fields_are_left_alone() -> None:
    account = [field("mx_City", "", locked=True), field("Phone", "", "Phone", locked=True), *STANDARD[3:4]]
    draft = drafted(view({"towncity": "x", "phone1": "+442079460958", "email": "a@b.co"}), account)
    assert set(sound(draft).fields) == {"EmailAddress"}
    assert "mx_City" not in draft.text
    assert "  # 100 of 100; another field finds the lead:\n  # Phone: {from: lead.phone1" in draft.text


@pytest.mark.parametrize("status", ["Approved", "", None])
def test_a_status_of_which_no_word_is_offered_is_left_to_a_person(status: str | None) -> None:
    draft = drafted({"status": status}, [field("mx_Outcome", "", "Select", "Hot", "Cold")])
    assert set(sound(draft).fields) == {"EmailAddress"}
    assert "  # 80 of 100:\n  # mx_Outcome:  # mx_Outcome, offers Hot, Cold\n" in draft.text


def test_a_status_and_a_picklist_of_very_many_words() -> None:
    draft = drafted(view({}), [field("mx_Outcome", "", "Select", *map(str, range(51)))])
    sound(draft)
    assert about(draft, "mx_Outcome") == "mx_Outcome; a picklist: add values:"


def test_leadbytes_id_is_not_leadsquareds() -> None:
    draft = drafted(view({}), [field("ProspectID", "Lead Id")])
    assert "ProspectID" not in draft.text


def test_what_a_field_could_also_be_is_told() -> None:
    account = [
        field("mx_Loan_Amount_Total"),
        field("mx_Loan_Amount_Max"),
        field("mx_Loan_Sum"),
        field("mx_Amount"),
    ]
    draft = drafted(view({"loan amount": "7"}), account)
    sound(draft)
    assert re.search(r"# \d\d of 100; or mx_\w+ \(\d\d\), mx_\w+ \(\d\d\):\n  # mx_\w+: \"lead\.", draft.text)


def test_of_equal_names_the_one_written_alike_is_taken() -> None:
    account = [field("mx_Origin", "Source"), field("Source", "Lead Source"), field("mx_Source", "Other")]
    assert lines(drafted(view({"source": "x"}), account))["Source"] == "lead.source"
    two = drafted(view({"fname": "A", "firstname": "B"}), STANDARD)
    assert lines(two)["FirstName"] == "lead.firstname"


def test_nested_and_odd_names() -> None:
    lead = {"answers": {"first name": "Zed", "deep": {"deeper": {"deepest": "x"}}}, "": "x"}
    draft = drafted(
        view(lead, buyer={"name": "Acme"}, campaign="Loans"),
        [field("mx_Answers_First_Name"), field("mx_Buyer")],
    )
    sound(draft)
    assert lines(draft)["mx_Answers_First_Name"] == '"lead.answers.\\"first name\\""'
    assert lines(draft)["mx_Buyer"] == "buyer.name"
    assert "deepest" not in draft.text
    assert set(sound(drafted(view({"towncity\x7f": "x"}), [field("mx_City")])).fields) == {"EmailAddress"}
    listed = drafted(view({"hobbies": ["Zither", "Zorbing"]}), [field("mx_Hobbies")])
    sound(listed)
    assert lines(listed)["mx_Hobbies"] == '{from: lead.hobbies, type: list, join: "; "}'
    assert "Zither" not in listed.text


def test_a_reply_of_very_many_values_is_read_in_part() -> None:
    draft = drafted(view({f"zq{number}": "x" for number in range(5000)}), [field("mx_A")])
    assert draft.unmatched < 310
    assert len(draft.text) < 20_000


def test_what_leadsquared_calls_its_fields_cannot_write_into_the_file() -> None:
    account = [
        field("mx_City", "City\n  mx_Evil: lead.x #", max_length=20),
        field("mx_Evil: x", "Postcode"),
        field("mx_city", "City again"),
        field(
            "mx_Title",
            "Title",
            "Select",
            "a: b",
            "#c",
            "[d]",
            "'",
            '"',
            "null",
            "1",
            "-",
            "&x",
            "été",
            "\ud800",
        ),
    ]
    draft = drafted(view({"towncity": "x", "postcode": "x", "title": "#c"}), account)
    mapping = sound(draft)
    assert set(mapping.fields) == {"EmailAddress", "mx_City", "mx_Title"}
    assert "été" in {text for _, text, _ in mapping.constants()}


# Any reply, any account.

NAMES: Final = st.sampled_from(
    [*LEAD, "phone2", "mobile", "county", "prospectid", "first name", "x", "a.b", '"', "ü"]
)
MARKED: Final = st.text("abcXYZ0189 éß'", min_size=1, max_size=8).map(lambda some: f"Qzj{some}Wvk")
DIGITS: Final = st.integers(10**8, 10**9 - 1).map(str)
PERSONAL: Final = st.one_of(
    MARKED,
    MARKED.map(lambda some: "".join(each for each in some if each.isalnum()) + "@qzjwvk.test"),
    DIGITS.map(lambda digits: f"+447{digits}"),
    DIGITS.map(lambda digits: f"0{digits}"),
    DIGITS.map(int),
    DIGITS.map(lambda digits: f"£{digits}.99"),
    st.lists(MARKED, min_size=1, max_size=5),
    st.dates().map(lambda day: day.strftime("%d/%m/%Y")),
)
ODD: Final = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just({}) | st.just([])
)
LEADS: Final = st.dictionaries(NAMES | st.text(max_size=6), PERSONAL | ODD, max_size=10)
KINDS: Final = st.sampled_from(
    ["Text", "Email", "Phone", "Number", "Date", "Boolean", "Select", "Website", "Odd", ""]
)
ANY_FIELD: Final = st.builds(
    FieldInfo,
    st.sampled_from([one.schema_name for one in ACCOUNT])
    | st.from_regex(r"mx_[A-Za-z]{1,8}", fullmatch=True),
    st.sampled_from([one.display_name for one in ACCOUNT]) | st.text(max_size=8),
    KINDS,
    st.none() | st.integers(1, 200),
    st.lists(st.sampled_from(["Yes", "No", "Sold", "Lost", "Mr", "1"]) | st.text(max_size=6), max_size=4),
    st.booleans(),
    st.booleans(),
)
REPLIES: Final = st.fixed_dictionaries(
    {"lead": LEADS | ODD, "status": st.sampled_from(["Approved", "Sold", None]) | st.text(max_size=8)},
    optional={
        "buyer": LEADS | ODD,
        "info": st.dictionaries(st.text(max_size=5), MARKED, max_size=3) | st.lists(MARKED, max_size=3),
        "processed": st.text(max_size=5) | st.none(),
        "leadId": DIGITS,
    },
)


@given(REPLIES, st.just(ACCOUNT) | st.just(STANDARD) | st.lists(ANY_FIELD, max_size=12))
def test_every_draft_is_whole_and_holds_nothing_of_a_person(reply: dict[str, Any], account: Any) -> None:
    draft = drafted(reply, account)
    mapping = sound(draft)
    assert draft.text.isprintable() or set(filter(lambda each: not each.isprintable(), draft.text)) == {"\n"}
    assert draft.sure <= len(mapping.rules) <= draft.sure + 1
    for value in personal(reply):
        assert value.casefold() not in draft.text.casefold()


@given(REPLIES, st.just(ACCOUNT) | st.just(STANDARD) | st.lists(ANY_FIELD, max_size=12))
def test_an_unsure_pair_works_once_its_comment_sign_is_gone(reply: dict[str, Any], account: Any) -> None:
    text = drafted(reply, account).text
    known = set(lines(drafted(reply, account)))
    for block in re.findall(r"(?<=of 100)[^\n]*:\n((?:  # (?!\d+ of 100).*\n)+)", text):
        name = block.removeprefix("  # ").partition(":")[0]
        if name not in known and ("values:" not in block or "    # " not in block):
            (mapping,) = load({"a.yaml": text.replace(block, re.sub(r"(?m)^  # ", "  ", block))})
            assert isinstance(mapping, MappingFile)
            assert name in mapping.fields
            assert run_tests(mapping) == []


def personal(reply: Any) -> list[str]:
    """The texts by which somebody could be known again."""
    if isinstance(reply, dict):
        return [text for key, value in reply.items() if key != "status" for text in personal(value)]
    if isinstance(reply, list):
        return [text for value in reply for text in personal(value)]
    text = str(reply).strip()
    return (
        [text] if "Qzj" in text or "qzj" in text or (len(text) > 8 and text.strip("+£0.").isdigit()) else []
    )
