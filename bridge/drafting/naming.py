"""How alike a name of LeadByte's and a name of LeadSquared's are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rapidfuzz import fuzz

if TYPE_CHECKING:
    from collections.abc import Iterable

SURE: Final = 90
"""From here on a pair is written as a line."""

SAME_WORDS: Final = 100

UNSURE: Final = 60
"""From here on it is written as a comment."""

_LIKELY: Final = 75
_OTHER_NUMBER: Final = 80
_SAME: Final = (
    ("firstname", "forename", "givenname", "fname"),
    ("lastname", "surname", "familyname", "lname"),
    ("title", "salutation"),
    ("email", "emailaddress", "mail"),
    ("phone1", "phone", "phonenumber", "telephone", "tel"),
    ("mobile", "mobilephone", "mobilenumber", "cellphone", "cell"),
    ("phone2", "otherphone", "alternatephone", "phonenumber2"),
    ("street1", "street", "address", "address1", "addressline1"),
    ("street2", "address2", "addressline2"),
    ("towncity", "town", "city"),
    ("county",),
    ("country",),
    ("state", "province"),
    ("postcode", "zip", "zipcode", "postalcode"),
    ("dob", "dateofbirth", "birthdate", "birthday"),
    ("gender", "sex"),
    ("optin", "consent", "marketingconsent"),
    ("website", "url", "web"),
    ("company", "companyname", "organisation", "organization"),
    ("jobtitle", "occupation"),
    ("source", "leadsource"),
    ("prospectid", "leadsquaredid"),
    ("status", "outcome", "leadbytestatus"),
    ("processed", "processedon"),
    ("leadid", "leadbyteid", "leadbyteleadid"),
    ("buyer", "buyername"),
    ("supplier", "suppliername"),
    ("campaign", "campaignname"),
    ("info", "rejectreason", "rejectionreason", "reasonforrejection"),
)
"""Spellings of one thing. The first is LeadByte's usual one."""

_NEAR: Final = (
    ("phone1", "mobile"),
    ("phone2", "mobile"),
    ("county", "state"),
    ("processed", "soldon"),
    ("source", "origin"),
    ("status", "leadstage"),
    ("status", "prospectstage"),
)
"""Often, but not always, one thing."""

_MEANING: Final = {spelling: same[0] for same in _SAME for spelling in same}
_LIKELY_PAIRS: Final = frozenset(_NEAR)
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD: Final = re.compile(r"[^\W_]+")


def likeness(name: str, spellings: Iterable[str]) -> int:
    """From 0 to 100: how alike a name is to the most similar of those a field goes by."""
    return max((_alike(name, other) for other in spellings), default=0)


def _alike(name: str, other: str) -> int:
    ours, theirs = _folded(name), _folded(other)
    one, two = _MEANING.get(ours, ours), _MEANING.get(theirs, theirs)
    if one == two:
        return 100 if one else 0
    if (one, two) in _LIKELY_PAIRS:
        return _LIKELY
    if ours in _MEANING and theirs in _MEANING:
        return 0
    score = round(max(fuzz.ratio(ours, theirs), fuzz.token_sort_ratio(_words(name), _words(other))))
    if _number(ours) != _number(theirs):
        return min(score, _OTHER_NUMBER)
    # One letter can be another word (county, country): only the same words, in whatever order, are sure.
    return score if score == SAME_WORDS else min(score, SURE - 1)


def _words(name: str) -> str:
    return " ".join(_WORD.findall(_CAMEL.sub(" ", name))).casefold()


def _folded(name: str) -> str:
    """Letters and digits only, in one case, without LeadSquared's mark of an account's own fields."""
    return _words(name.removeprefix("mx_")).replace(" ", "")


def _number(folded: str) -> str:
    """The number that a name ends with; the first of several often has none."""
    digits = folded[len(folded.rstrip("0123456789")) :]
    return "" if digits == "1" else digits
