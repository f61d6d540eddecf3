"""A mapping file's own tests."""

import pytest

from bridge.mapping import load, run_tests

HEAD = """version: 1
when: status != 'Duplicate'
fields:
  ProspectID: leadId
  mx_A: lead.a
  mx_B: {from: lead.b, type: email, default: none}
tests:
"""


def told(test: str) -> list[str]:
    (mapping,) = load({"m/a.yaml": f"{HEAD}  - {test}\n"})
    return [problem.removeprefix("m/a.yaml:") for problem in run_tests(mapping)]


@pytest.mark.parametrize(
    "test",
    [
        "{given: {leadId: 7, lead: {a: 1.0, b: a@b.c}}, expect: {ProspectID: 7, mx_A: 1, mx_B: a@b.c}}",
        "{given: {leadId: 7, lead: {a: '1.0'}}, expect: {ProspectID: '7', mx_A: '1.0', mx_B: none}}",
        "{given: {leadId: 7, lead: {a: true}}, expect: {ProspectID: 7, mx_A: 'true', mx_B: none}}",
        "{given: {leadId: 7, lead: {a: yes}}, expect: {ProspectID: 7, mx_A: yes, mx_B: none}}",
        "{given: {leadId: 7, lead: {a: null, b: ~}}, expect: {ProspectID: 7, mx_B: none}}",
        "{given: {leadId: 7, lead: {a: [], b: ''}}, expect: {ProspectID: 7, mx_B: none}}",
        "{given: {leadId: 07, lead: {a: 1e400}}, expect: {ProspectID: '07', mx_A: 1e400, mx_B: none}}",
        "{given: {leadId: 2024-01-31}, expect: {ProspectID: 2024-01-31, mx_B: none}}",
        "{given: {status: Duplicate}, expect: skipped}",
        "{given: {leadId: 7, lead: {b: x}}, error: 'mx_B: not an email'}",
        "{given: {leadId: 7, lead: {a: [x]}}, error: use type}",
        "{given: {}, error: no value for ProspectID}",
    ],
)
def test_what_passes(test: str) -> None:
    assert told(test) == []


@pytest.mark.parametrize(
    ("test", "problems"),
    [
        (
            "name: all wrong\n    given: {leadId: 7, lead: {a: x}}\n    expect:\n      ProspectID: 8\n      mx_A: ''",
            [
                "11: test 'all wrong': field ProspectID: expected '8', got '7'",
                "12: test 'all wrong': field mx_A: expected '', got 'x'",
                "8: test 'all wrong': field mx_B: expected nothing, got 'none'",
            ],
        ),
        (
            "{given: {leadId: 7}, expect: {ProspectID: 7, mx_A: x, mx_B: none}}",
            ["8: test '1': field mx_A: expected 'x', got nothing"],
        ),
        ("{given: {status: Duplicate}, expect: {}}", ["8: test '1': expected fields, got skipped"]),
        ("{given: {leadId: 7}, expect: skipped}", ["8: test '1': expected skipped, got fields"]),
        ("{given: {leadId: 7}, error: x y}", ["8: test '1': expected an error with 'x y', got fields"]),
        (
            "{given: {status: Duplicate}, error: x}",
            ["8: test '1': expected an error with 'x', got skipped"],
        ),
        (
            "{given: {leadId: 7, lead: {b: x}}, error: mx_A}",
            ["8: test '1': expected an error with 'mx_A', got the error 'mx_B: not an email address'"],
        ),
        (
            "{given: {leadId: 7, lead: {b: x}}, expect: {ProspectID: 7}}",
            ["8: test '1': expected fields, got the error 'mx_B: not an email address'"],
        ),
        (
            "{given: {leadId: 7, lead: {b: x}}, expect: skipped}",
            ["8: test '1': expected skipped, got the error 'mx_B: not an email address'"],
        ),
    ],
)
def test_what_fails(test: str, problems: list[str]) -> None:
    assert told(test) == problems


def test_a_mapping_without_tests_has_nothing_to_fail() -> None:
    (mapping,) = load({"a.yaml": "version: 1\nfields: {ProspectID: leadId}\n"})
    assert mapping.tests == ()
    assert run_tests(mapping) == []
