"""A feedback file's columns against the account's metadata."""

from bridge.checking import against_metadata
from bridge.leadsquared import FieldInfo
from bridge.mapping import load

TEXT = """version: 1
direction: feedback
when: ProspectStage == 'Sold' && mx_Payot
lead_id: ProspectID
update:
  postcode: mx_Postcod
  again: mx_Postcod || mx_Postcod
  town: Zzzzzz
  source: {value: LeadByte}
financials:
  payout: mx_Payot
"""


def field(name: str) -> FieldInfo:
    return FieldInfo(name, name, "Text", None, (), mandatory=False, locked=True)


def test_columns_that_leadsquared_does_not_have() -> None:
    (mapping,) = load({"m/a.yaml": TEXT})
    known = [field(name) for name in ("ProspectStage", "mx_Postcode", "mx_Payout")]
    assert list(against_metadata(mapping, known)) == [
        "m/a.yaml:3: mx_Payot: LeadSquared has no such field; did you mean mx_Payout?",
        "m/a.yaml:6: mx_Postcod: LeadSquared has no such field; did you mean mx_Postcode?",
        "m/a.yaml:7: mx_Postcod: LeadSquared has no such field; did you mean mx_Postcode?",
        "m/a.yaml:8: Zzzzzz: LeadSquared has no such field; create it there, or take it out of the mapping",
        "m/a.yaml:11: mx_Payot: LeadSquared has no such field; did you mean mx_Payout?",
    ]
    assert not list(against_metadata(mapping, [*known, *map(field, ("mx_Payot", "mx_Postcod", "Zzzzzz"))]))
