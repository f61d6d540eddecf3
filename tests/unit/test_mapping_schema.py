"""The JSON Schema of mapping files says what the loader says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from bridge.errors import MappingError
from bridge.mapping import NAMES, feedback_loading, load, loading, rules
from bridge.mapping.document import Ledger, plain, read
from bridge.mapping.kinds import KINDS, OWNERS
from bridge.mapping.schema import mapping_schema
from bridge.operation import FINANCIALS_KEYS

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "mappings" / "README.md").read_text(encoding="utf-8")
SHIPPED: Final = sorted((ROOT / "mappings").rglob("*.y*ml"))
SCHEMA: Final = mapping_schema()
CHECKED: Final = Draft7Validator(SCHEMA)
HEAD: Final = "version: 1\nfields:\n  ProspectID: leadId\n"
BACK: Final = "version: 1\ndirection: feedback\nlead_id: mx_Id\n"


def as_an_editor_reads(text: str) -> Any:
    """Unquoted null, true, false and numbers as such, all else text: YAML 1.2, which editors' schemas are held against."""
    root = read(text, Ledger("a.yaml"))
    assert root is not None
    return plain(root)


def refused(text: str) -> bool:
    return not CHECKED.is_valid(as_an_editor_reads(text))


def problems(text: str) -> list[str]:
    try:
        load({"a.yaml": text})
    except MappingError as error:
        return list(error.problems)
    return []


def examples() -> list[Any]:
    fenced = [
        block
        for page in (PAGE, (ROOT / "README.md").read_text(encoding="utf-8"))
        for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    ]
    whole = [
        file
        for block in fenced
        for file in ([block] if block.startswith("version: 1") else each_field(block))
    ]
    files = [pytest.param(path.read_text(encoding="utf-8"), id=path.name) for path in SHIPPED]
    return [*files, *(pytest.param(text, id=text[:60]) for text in whole)]


def each_field(block: str) -> list[str]:
    """A file for each field of a block; a block may show one field in several ways."""
    return [f"{HEAD}  {line}" for line in block.splitlines() if line and not line.startswith("#")]


def test_it_is_a_json_schema() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


@pytest.mark.parametrize("text", examples())
def test_what_the_pages_show_is_accepted(text: str) -> None:
    assert problems(text) == []
    assert [error.message for error in CHECKED.iter_errors(as_an_editor_reads(text))] == []


def test_it_offers_all_that_the_loader_knows() -> None:
    parts = SCHEMA["definitions"]
    forward, back, field = parts["forward"], parts["feedback"], parts["field"]["anyOf"][1]
    assert list(forward["properties"]) == list(loading.KEYS)
    assert list(back["properties"]) == [*loading.COMMON, *feedback_loading.KEYS]
    assert list(field["properties"]) == list(rules.KEYS)
    assert field["properties"]["type"]["enum"] == list(KINDS)
    assert set(OWNERS) <= set(field["dependencies"])
    assert list(back["properties"]["financials"]["properties"]) == list(FINANCIALS_KEYS)
    assert list(forward["properties"]["tests"]["items"]["properties"]["given"]["properties"]) == list(NAMES)
    assert all("description" in one for part in (forward, back, field) for one in part["properties"].values())


TOP: Final = (
    "fields: {ProspectID: leadId}",
    "version: 2\nfields: {ProspectID: leadId}",
    "version: [1]\nfields: {ProspectID: leadId}",
    "version: 1",
    "version: 1\nfield: {}",
    "version: 1\nfields: []",
    "version: 1\nfields: {}",
    "version: 1\nfields: {First Name: lead.x, ProspectID: leadId}",
    f"{HEAD}direction: sideways",
    f"{HEAD}direction:",
    f"{HEAD}update: {{a: b}}",
    f"{HEAD}lead_id: learned",
    f"{HEAD}when:",
    f"{HEAD}when: [status]",
    f"{HEAD}tests: none",
    f"{HEAD}leadsquared: []",
    f"{HEAD}leadsquared: ~",
    f"{HEAD}leadsquared: {{searchby: ProspectID}}",
    f"{HEAD}leadsquared: {{mode: Bulk}}",
    f"{HEAD}leadsquared: {{mode: [bulk]}}",
    f"{HEAD}leadsquared: {{missing_leads: skip}}",
    f"{HEAD}leadsquared: {{mode: async, trigger_automation: 1}}",
    f"{HEAD}leadsquared: {{trigger_automation: on}}",
    f"{HEAD}leadsquared: {{search_by: []}}",
    f"{HEAD}leadsquared: {{search_by: ~}}",
    f"{HEAD}leadsquared: {{search_by: {{a: b}}}}",
    f"{HEAD}leadsquared: {{search_by: [[ProspectID]]}}",
    f"{HEAD}leadsquared: {{search_by: [ProspectID, ProspectID]}}",
)
FIELDS: Final = (
    "[lead.x]",
    "",
    "{frm: lead.x, from: lead.x}",
    "{type: text}",
    "{from: [lead.x]}",
    "{value: [x]}",
    "{value: }",
    "{value: a, default: b}",
    "{value: a, from: status}",
    "{value: a, join: b, type: list}",
    "{from: lead.x, type: datetme}",
    "{from: lead.x, otherwise: omit}",
    "{from: lead.x, values: {a: b}, otherwise: drop}",
    "{from: lead.x, values: {}}",
    "{from: lead.x, values: [a]}",
    "{from: lead.x, values: {a: [b]}}",
    "{from: lead.x, values: {' ': a}}",
    "{from: lead.x, default: }",
    "{from: lead.x, max_length: 0}",
    "{from: lead.x, max_length: 1000000}",
    "{from: lead.x, max_length: ten}",
    "{from: lead.x, max_length: 1.5}",
    "{from: lead.x, max_length: '0'}",
    "{from: lead.x, empty: drop}",
    "{from: lead.x, type: phone, region: UK}",
    "{from: lead.x, region: GB}",
    "{from: lead.x, type: text, format: '%d/%m/%Y'}",
    "{from: lead.x, type: number, timezone: Europe/London}",
    "{from: lead.x, type: text, join: ';'}",
    '{from: lead.x, type: list, join: "\\a"}',
)
TESTS: Final = (
    "[x]",
    "[{given: {}}]",
    "[{given: {}, expect: {}, error: x}]",
    "[{expect: skipped}]",
    "[{given: [], expect: skipped}]",
    "[{given: {leed: 1}, expect: skipped}]",
    "[{given: {}, expect: nothing}]",
    "[{given: {}, expect: {ProspectID: []}}]",
    "[{given: {}, expect: skipped, learned: {lead_id: 1}}]",
    "[{name: [], given: {}, expect: skipped}]",
    "[{given: {}, error: }]",
)
FEEDBACK: Final = (
    "update: {a: mx_A}\nfields: {a: b}",
    "update: {a: mx_A}\nleadsquared: {}",
    "quarantine_id: mx_Q\nupdate: {a: mx_A}",
    "update: {}",
    "update: [a]",
    "update: {a b: mx_A}",
    "update: {a: {frm: mx_A}}",
    "update: {a: mx_A}\ndry_run: maybe",
    "update: {a: mx_A}\naction: release",
    "action: reprocess",
    "trigger_deliveries: [1]",
    "update: {a: mx_A}\ntrigger_deliveries: []",
    "update: {a: mx_A}\ntrigger_deliveries: [x]",
    "update: {a: mx_A}\ntrigger_deliveries: [1, 1]",
    "update: {a: mx_A}\ntrigger_deliveries: {}",
    "financials: {}",
    "financials: {buyer: 33}",
    "financials: {payout: mx_P, bid: 33}",
    "financials: {payout: {from: mx_P, type: phone}}",
    "financials: {payout: {from: mx_P, max_length: 3}}",
    "financials: {payout: -1}",
    "when: mx_A",
    "update: {a: mx_A}\ntests: [{given: {mx_A: []}, expect: skipped}]",
    "update: {a: mx_A}\ntests: [{given: {mx_A: 1}, expect: {update: 1}}]",
    "update: {a: mx_A}\ntests: [{given: {mx_A: 1}, expect: nothng}]",
    "update: {a: mx_A}\ntests: [{given: {mx_A: 1}, expect: nothing, learned: {id: 1}}]",
)
QUARANTINE: Final = (
    "action: reprocess\nupdate: {a: mx_A}",
    "action: release\ntrigger_deliveries: [1]\nupdate: {a: mx_A}",
    "action: release\nfinancials: {payout: 1}\nupdate: {a: mx_A}",
)
BROKEN: Final = [
    *TOP,
    *(f"{HEAD}  mx_X: {spec}\n" for spec in FIELDS),
    *(f"{HEAD}tests: {tests}\n" for tests in TESTS),
    *(f"{BACK}{text}\n" for text in FEEDBACK),
    *(f"version: 1\ndirection: feedback\nquarantine_id: mx_Q\n{text}\n" for text in QUARANTINE),
    "version: 1\ndirection: feedback\nupdate: {a: mx_A}\n",
    "version: 1\ndirection: feedback\nlead_id: {from: mx_Id, default: 7}\nupdate: {a: mx_A}\n",
    "[]",
]


@pytest.mark.parametrize("text", BROKEN)
def test_what_the_loader_refuses_by_its_structure_the_schema_refuses(text: str) -> None:
    assert problems(text)
    assert refused(text)


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}leadsquared: {{mode: async, trigger_automation: Yes}}",
        f"{HEAD}leadsquared: {{trigger_automation: off, search_by: [ProspectID]}}",
        f"{HEAD}  mx_X: {{value: , empty: send}}",
        f"{HEAD}  mx_X: {{value: 7, type: number, max_length: '10'}}",
        f"{HEAD}  mx_X: {{from: lead.x, type: list, join: , values: {{1: , no: x}}, otherwise: omit, default: 0}}",
        f"{HEAD}  mx_X: {{from: lead.x, type: phone, region: NO}}",
        f"{HEAD}  mx_X: {{from: lead.x, type: date, format: '%d/%m/%Y', timezone: Europe/London}}",
        f"{HEAD}tests: [{{given: {{lead: ~}}, error: no value}}, {{name: 1, given: {{}}, error: no}}]",
        f"{HEAD}tests: []",
        "version: '1'\ndirection: feedback\nquarantine_id:\naction: reject\nwhen: mx_A\ndry_run: NO",
        f"{BACK}update: {{a: mx_A}}\naction: reprocess\ntrigger_deliveries: 1053",
        f"{BACK}financials: {{payout: 80.00, revenue: {{value: 7}}, buyer: '33'}}\nwhen: mx_A",
    ],
)
def test_what_the_loader_takes_the_schema_takes(text: str) -> None:
    assert problems(text) == []
    assert not refused(text)


# Any file at all: whole ones of the loader's own words, and broken in places.

SCALARS: Final = st.sampled_from(["", " ", "a", "mx_A", "lead.x", "1", 1, 0, 1.5, True, None])
ANYTHING: Final = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "type", " ", "lead", "version"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def mostly(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Now and then something else."""
    return st.integers(0, 30).flatmap(lambda number: ANYTHING if number == 30 else usual)


def words(*known: Any) -> st.SearchStrategy[Any]:
    return mostly(st.sampled_from(known))


def tables(optional: dict[str, Any], **required: Any) -> st.SearchStrategy[Any]:
    """Now and then with a key too many."""
    whole = st.fixed_dictionaries(required, optional=optional)
    odd = st.dictionaries(st.sampled_from(["frm", "value", "update", "fields", "x"]), ANYTHING, max_size=1)
    return st.integers(0, 20).flatmap(
        lambda number: st.tuples(whole, odd).map(lambda both: both[0] | both[1]) if number == 20 else whole
    )


TEXTS: Final = words("x", "Y z", "1", 7, True)
TUNING: Final = {
    "default": TEXTS,
    "values": mostly(st.dictionaries(st.sampled_from(["a", "b", "1"]), TEXTS, max_size=2)),
    "otherwise": words(*rules.OTHERWISE),
    "max_length": words(1, 20, "30", 0),
    "empty": words(*rules.EMPTY),
    "region": words("GB", "US", "UK"),
    "format": words("%d/%m/%Y"),
    "timezone": words("UTC"),
    "join": words(";", None, ""),
}


def fields(*paths: str) -> st.SearchStrategy[Any]:
    fixed = tables({"empty": words("send")}, value=words("x", "7", 7, None, ""))
    return mostly(
        st.sampled_from(paths) | st.sampled_from(KINDS).flatmap(lambda kind: read_by(kind, paths)) | fixed
    )


def read_by(kind: str, paths: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """Mostly with keys that mean something for this type."""
    fitting = [key for key in TUNING if kind in OWNERS.get(key, (kind,))]
    few = st.lists(mostly(st.sampled_from(fitting)), max_size=3).map(
        lambda keys: {*map(str, keys)} & {*TUNING}
    )
    return few.flatmap(
        lambda keys: tables({key: TUNING[key] for key in keys}, type=words(kind), **{"from": words(*paths)})
    )


FORWARD: Final = tables(
    {
        "direction": words("forward"),
        "when": words("status", "lead.x"),
        "leadsquared": tables(
            {
                "mode": words(*loading.MODES),
                "search_by": words("ProspectID", ["ProspectID"], []),
                "missing_leads": words(*loading.MISSING_LEADS),
                "trigger_automation": words(True, False, "Yes", "off", "1"),
            }
        ),
        "tests": mostly(
            st.lists(
                tables(
                    {"name": TEXTS, "expect": words("skipped", {"ProspectID": "p"}), "error": TEXTS},
                    given=words({}, {"lead": {"x": 1}}, {"leed": 1}),
                ),
                max_size=2,
            )
        ),
    },
    version=words(1, "1"),
    fields=tables({"mx_A": fields("lead.x", "status")}, ProspectID=fields("leadId")),
)
FEEDBACK_FILES: Final = tables(
    {
        "lead_id": words("mx_Id", "learned", None, {"from": "mx_Id", "type": "number"}),
        "quarantine_id": words("mx_Q", None),
        "when": words("mx_A == '1'"),
        "update": tables({"a": fields("mx_A")}, b=fields("mx_B")),
        "action": words(*feedback_loading.ACTIONS),
        "trigger_deliveries": words(1, "1053", [1, "2"], [], ["x"]),
        "financials": tables(
            {"buyer": words("33", 33), "revenue": words(80, "mx_R")}, payout=words("mx_P", 7.5)
        ),
        "dry_run": words(True, "yes"),
        "tests": mostly(
            st.lists(
                tables(
                    {
                        "name": TEXTS,
                        "expect": words("skipped", "nothing", {"lead_id": 7, "update": {"b": 1}}),
                        "error": TEXTS,
                        "learned": words({"lead_id": 7}, {}),
                    },
                    given=words({}, {"mx_B": "1"}),
                ),
                max_size=2,
            )
        ),
    },
    version=words(1),
    direction=words("feedback"),
)
OF_STRUCTURE: Final = re.compile(
    r"unknown key|what stands|is (a list|a mapping|one value|empty)[;,]|is missing|nothing is read|is for (feedback|forward)|"
    r"means nothing|holds no field|needs either|can't stand beside|works only|is an empty list|names one thing twice"
)


def known_to_the_loader_alone(problem: str) -> bool:
    """What no JSON Schema can say: it depends on the fields that the file itself names, or on what an escape is cleaned to."""
    return "to expect" in problem or "no column that this file reads" in problem


@given(FORWARD | FEEDBACK_FILES | ANYTHING)
def test_what_the_schema_takes_has_no_wrong_key_or_kind_for_the_loader(document: Any) -> None:
    text = json.dumps(document)
    if CHECKED.is_valid(document):
        found = [one for one in problems(text) if not known_to_the_loader_alone(one)]
        assert [one for one in found if OF_STRUCTURE.search(one)] == []
    elif not problems(text):
        pytest.fail(f"the schema refuses what the loader takes: {text}")
