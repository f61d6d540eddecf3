"""A feedback file's own tests."""

import pytest

from bridge.mapping import load, run_tests

HEAD = """version: 1
direction: feedback
when: ProspectStage == 'Sold'
lead_id: mx_Id
update: {postcode: mx_Zip, note: {from: mx_Note, empty: send}}
action: reprocess
trigger_deliveries: [7, 8]
financials: {payout: mx_P, buyer: 33}
tests:
"""
HELD = """version: 1
direction: feedback
quarantine_id: mx_Q
update: {postcode: mx_Zip}
tests:
"""
GIVEN = "given: {ProspectStage: Sold, mx_Id: 5, mx_Zip: TN25, mx_P: 80}"
ACTS = "update: {postcode: TN25, note: ''}, action: reprocess, trigger_deliveries: ['7', '8']"


def told(test: str, head: str = HEAD) -> list[str]:
    (mapping,) = load({"m/a.yaml": f"{head}  - {test}\n"})
    return [problem.removeprefix("m/a.yaml:") for problem in run_tests(mapping)]


@pytest.mark.parametrize(
    ("head", "test"),
    [
        (HEAD, f"{{{GIVEN}, expect: {{lead_id: 5, {ACTS}, financials: {{payout: 80.00, buyer: '33'}}}}}}"),
        (
            HEAD,
            "{given: {ProspectStage: Sold}, learned: {lead_id: 5}, expect: {lead_id: 5, "
            + ACTS.replace("postcode: TN25, ", "")
            + "}}",
        ),
        (HEAD, "{given: {ProspectStage: Prospect}, expect: skipped}"),
        (HEAD, "{given: {}, expect: skipped}"),
        (HEAD, "{given: {ProspectStage: Sold}, error: no LeadByte lead id}"),
        (
            HEAD,
            "{given: {ProspectStage: Sold, mx_P: ~}, learned: {quarantine_id: 5}, error: none was learned}",
        ),
        (HEAD, "{given: {ProspectStage: Sold, mx_Id: 5, mx_P: £80}, error: 'payout: not an amount'}"),
        (HELD, "{given: {mx_Q: 9, mx_Zip: T}, expect: {quarantine_id: 9, update: {postcode: T}}}"),
        (
            HELD,
            "{given: {mx_Zip: T}, learned: {quarantine_id: 9}, expect: {quarantine_id: 9, update: {postcode: T}}}",
        ),
        (HELD, "{given: {mx_Q: 9}, expect: nothing}"),
        (HELD, "{given: {mx_Zip: T}, expect: nothing}"),
        (HELD, "{given: {mx_Zip: T}, expect: {}}"),
    ],
)
def test_what_passes(head: str, test: str) -> None:
    assert told(test, head) == []


ALL_WRONG = f"""name: all wrong
    {GIVEN}
    expect:
      lead_id: 6
      update:
        postcode: TN26
      trigger_deliveries: [8, 7]
      financials:
        payout: 80"""


@pytest.mark.parametrize(
    ("head", "test", "problems"),
    [
        (
            HEAD,
            ALL_WRONG,
            [
                "13: test 'all wrong': field lead_id: expected '6', got '5'",
                "15: test 'all wrong': field update.postcode: expected 'TN26', got 'TN25'",
                "16: test 'all wrong': field trigger_deliveries: expected '8,7', got '7,8'",
                "18: test 'all wrong': field financials.payout: expected '80', got '80.00'",
                "10: test 'all wrong': field update.note: expected nothing, got ''",
                "10: test 'all wrong': field action: expected nothing, got 'reprocess'",
                "10: test 'all wrong': field financials.buyer: expected nothing, got '33'",
            ],
        ),
        (
            HELD,
            "{given: {mx_Q: 9, mx_Zip: T}, expect: skipped}",
            ["6: test '1': expected skipped, got an operation"],
        ),
        (HELD, "{given: {mx_Q: 9}, expect: skipped}", ["6: test '1': expected skipped, got nothing"]),
        (HELD, "{given: {mx_Q: 9}, error: x}", ["6: test '1': expected an error with 'x', got nothing"]),
        (
            HELD,
            "{given: {mx_Q: 9}, expect: {quarantine_id: 9}}",
            ["6: test '1': field quarantine_id: expected '9', got nothing"],
        ),
        (
            HELD,
            "{given: {mx_Q: 9, mx_Zip: T}, expect: nothing}",
            [
                "6: test '1': field quarantine_id: expected nothing, got '9'",
                "6: test '1': field update.postcode: expected nothing, got 'T'",
            ],
        ),
        (HEAD, "{given: {}, expect: nothing}", ["10: test '1': expected nothing, got skipped"]),
        (HEAD, "{given: {}, expect: {lead_id: 5}}", ["10: test '1': expected an operation, got skipped"]),
        (HEAD, "{given: {}, error: x}", ["10: test '1': expected an error with 'x', got skipped"]),
        (
            HEAD,
            "{given: {ProspectStage: Sold}, expect: nothing}",
            [
                "10: test '1': expected nothing, got the error "
                "'no LeadByte lead id: mx_Id is empty, and none was learned on the way forward'"
            ],
        ),
        (
            HELD,
            "{given: {mx_Q: x y, mx_Zip: T}, error: learned}",
            [
                "6: test '1': expected an error with 'learned', got the error "
                "'quarantine_id: is no id of digits (letters, - and _ beside them at most)'"
            ],
        ),
    ],
)
def test_what_fails(head: str, test: str, problems: list[str]) -> None:
    assert told(test, head) == problems
