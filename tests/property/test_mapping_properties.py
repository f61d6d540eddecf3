"""What holds for every lead and every file."""

import contextlib
import json
import re
import string
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import jmespath
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import LeadUnmappable, MappingError
from bridge.mapping import NAMES, MappingFile, epoch, load, run_tests
from bridge.mapping.convert import UnreadableError
from bridge.mapping.paths import PathError, compile_path

WORDS = st.sampled_from(["a", "b", "lead", "status", "first name", "0"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | WORDS
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
VIEWS = st.fixed_dictionaries(dict.fromkeys(NAMES, JSON))
TEXTS = st.text(st.characters(), max_size=40)
KINDS = ("text", "phone, region: GB", "datetime", "date", "number", "boolean", "email", "list")


def every_type() -> MappingFile:
    fields = "".join(
        f"  mx_{number}: {{from: lead.a, type: {kind}, max_length: 12}}\n"
        for number, kind in enumerate(KINDS)
    )
    return load({"a.yaml": f"version: 1\nfields:\n  ProspectID: {{value: p}}\n{fields}"})[0]


EVERY_TYPE = every_type()


@given(st.lists(WORDS, min_size=0, max_size=4), VIEWS)
def test_a_plain_path_finds_what_jmespath_finds(names: list[str], view: dict[str, Any]) -> None:
    path = ".".join(json.dumps(name) for name in ["lead", *names])
    assert repr(compile_path(path).find(view)) == repr(jmespath.search(path, view))


@given(JSON)
def test_each_type_gives_clean_text_or_a_reason_without_the_value(found: Any) -> None:
    view = dict.fromkeys(NAMES) | {"lead": {"a": found}}
    for trace in EVERY_TYPE.explain(view):
        if trace.output is None:
            assert trace.note
        else:
            assert trace.output == trace.output.strip() != ""
            assert len(trace.output) <= 12
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", trace.output)
        if isinstance(found, str) and len(found.strip()) > 3 and found not in NAMES:
            assert found not in trace.note


@given(VIEWS)
def test_a_lead_is_mapped_or_told_why_not(view: dict[str, Any]) -> None:
    with contextlib.suppress(LeadUnmappable):
        mapped = EVERY_TYPE.apply(view)
        assert mapped is not None
        assert set(mapped.fields) <= set(EVERY_TYPE.fields)
        assert mapped.keys == ("ProspectID",)


@given(JSON)
def test_when_is_true_as_a_jmespath_filter_takes_it(found: Any) -> None:
    assert compile_path("lead").holds({"lead": found}) == bool(jmespath.search("[?@]", [found]))


def searched(text: str, view: dict[str, Any]) -> str:
    try:
        return repr(jmespath.search(text, view))
    except Exception:  # noqa: BLE001
        return "unreadable"


@given(TEXTS | st.text(string.ascii_letters + "0123456789.[]{}()*?@&|!=<>'\"`,: -", max_size=30), VIEWS)
def test_any_text_is_a_path_or_is_refused(text: str, view: dict[str, Any]) -> None:
    try:
        path = compile_path(text)
    except PathError:
        return
    try:
        found = repr(path.find(view))
    except UnreadableError:
        found = "unreadable"
    assert found == searched(text, view)


YAML_LINES = [
    "version: 1\n",
    "fields:\n",
    "  ProspectID: leadId\n",
    "  mx_A: ",
    "{from: lead.x, ",
    "type: phone, ",
    "values: ",
]
YAML_WORDS = [
    "tests:\n",
    "- given: {}\n",
    "  expect: ",
    "leadsquared: ",
    "mode: async",
    "search_by: ",
    "when: ",
    "status",
]
YAML_BITS = st.sampled_from([*YAML_LINES, *YAML_WORDS, *"[]{}?&*!|>%@~\n"])


@given(TEXTS | st.lists(YAML_BITS | TEXTS, max_size=12).map("".join))
def test_any_text_is_a_mapping_or_is_refused_with_lines(text: str) -> None:
    try:
        loaded = load({"m/a.yaml": text})
    except MappingError as error:
        loaded, problems = [], error.problems
    else:
        problems = ("m/a.yaml:1: none",)
    assert problems
    assert all(re.match(r"m/a\.yaml:[1-9][0-9]*: .", line) and line.isprintable() for line in problems)
    for mapping in loaded:
        run_tests(mapping)


@given(st.integers(1_000_000_000, 9_999_999_999))
def test_a_time_is_the_same_in_every_form(seconds: int) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    written = [moment.isoformat(), moment.strftime("%Y-%m-%d %H:%M:%S"), moment.strftime("%Y%m%dT%H%M%SZ")]
    forms = [*written, format_datetime(moment), seconds, str(seconds), float(seconds), seconds * 1000]
    assert {epoch(form) for form in forms} == {float(seconds)}
