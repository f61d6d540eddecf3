"""Feedback files that nobody should write give problems with their lines, and never anything else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import LeadUnmappable, MappingError
from bridge.mapping import FeedbackFile, load, run_tests
from bridge.operation import Learned
from tests.edge.nasties import BOMBS, bounded, texts

KEYS = {
    "when": "ProspectStage == 'Sold'",
    "lead_id": "mx_Id",
    "update": "{postcode: mx_Zip}",
    "action": "reprocess",
    "trigger_deliveries": "[7]",
    "financials": "{payout: mx_P, revenue: 80.00, buyer: 33}",
    "dry_run": "true",
    "tests": "[{given: {mx_Zip: x}, learned: {lead_id: 7}, expect: {lead_id: 7, update: {postcode: x}}}]",
}
LEAD = {"ProspectStage": "Sold", "mx_Id": "7", "mx_Zip": "TN25", "mx_P": "80"}
PLACES = (
    *KEYS,
    "quarantine_id",
    "version",
    "update/postcode",
    "update/postcode/value",
    "update/postcode/default",
    "financials/payout",
    "financials/payout/value",
    "financials/buyer",
    "tests/given",
    "tests/given/mx_Zip",
    "tests/learned/lead_id",
    "tests/expect",
    "tests/expect/update",
    "tests/expect/financials/payout",
    "tests/expect/trigger_deliveries",
    "tests/error",
    "tests/name",
)
NODES = st.recursive(
    texts().map(json.dumps)
    | st.sampled_from(["~", "", "{}", "[]", "1", "-1", "mx_A", "'@'", "true", "9" * 400]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda all_: f"[{', '.join(all_)}]")
        | st.tuples(
            texts().map(json.dumps) | st.sampled_from(["from", "value", "payout", "lead_id"]), inner
        ).map(lambda pair: f"{{{pair[0]}: {pair[1]}}}")
    ),
    max_leaves=4,
)


def written(place: str, node: str) -> str:
    """A feedback file that has `node` at this place."""
    first, *inner = place.split("/")
    for name in reversed(inner):
        node = f"{{{name}: {node}}}"
    if first == "tests" and inner:
        node = f"[{node}]"
    lines = {**KEYS, first: node}
    return "version: 1\ndirection: feedback\n" + "".join(f"{key}: {text}\n" for key, text in lines.items())


def loaded(text: str) -> FeedbackFile | None:
    try:
        (file,) = load({"m.yaml": text})
    except MappingError as error:
        assert error.problems  # noqa: PT017
        for problem in error.problems:
            assert problem.startswith("m.yaml:")
            assert problem.isprintable()
            assert len(problem) < 2000
        return None
    assert isinstance(file, FeedbackFile)
    return file


@given(st.sampled_from(PLACES), NODES)
def test_anything_anywhere_in_a_feedback_file(place: str, node: str) -> None:
    file = loaded(written(place, node))
    if file is None:
        return
    assert all(line.startswith("m.yaml:") and line.isprintable() for line in run_tests(file))
    for view in (LEAD, {}):
        assert len(file.explain(view)) == len(file.rules)
        try:
            wishes = file.apply(view, Learned("7", "9")) or ()
        except LeadUnmappable as error:
            assert str(error).isprintable()  # noqa: PT017
            continue
        json.dumps([dict(wish.mapped.fields) for wish in wishes], ensure_ascii=False).encode()


def test_the_file_that_is_spoilt_is_sound() -> None:
    file = loaded(written("dry_run", "false"))
    assert file is not None
    assert len(file.apply(LEAD) or ()) == 2


@pytest.mark.parametrize("name", BOMBS)
def test_a_path_that_would_take_all_memory(name: str) -> None:
    bomb = json.dumps(BOMBS[name].replace("lead.x", "mx_Zip").replace("lead", "mx_Zip"))
    with bounded(20.0):
        file = loaded(written("update", f"{{postcode: {bomb}}}"))
        if file is not None:
            file.explain({**LEAD, "mx_Zip": "x" * 1000})


def test_a_file_of_many_wrong_columns_is_told_in_time() -> None:
    given_ = ", ".join(f"mx_{n}: x" for n in range(10_000))
    fields = ", ".join(f"f{n}: mx_c{n}" for n in range(9_000))
    with bounded(20.0):
        text = written("tests/given", f"{{{given_}}}").replace(
            "postcode: mx_Zip}", f"postcode: mx_Zip, {fields}}}", 1
        )
        assert loaded(text) is None
