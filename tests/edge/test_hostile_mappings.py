"""Mapping files and paths that nobody should write, and leads that no mapping is made for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import LeadUnmappable, MappingError
from bridge.mapping import load
from bridge.mapping.document import MAX_PROBLEMS
from bridge.mapping.paths import PathError, compile_path
from tests.edge.nasties import BOMBS, MAPPING_HEAD, MAPPINGS, NUMBERS, TEXTS, bounded, texts, values
from tests.fuzz.targets import LEAD, TARGETS, TYPES


@pytest.mark.parametrize("name", MAPPINGS)
def test_a_nasty_mapping_file_is_refused_with_file_and_line(name: str) -> None:
    with bounded(20.0), pytest.raises(MappingError) as caught:
        load({"m.yaml": MAPPINGS[name]})
    assert len(caught.value.problems) <= MAX_PROBLEMS + 1
    for problem in caught.value.problems:
        place, line, _ = problem.split(":", 2)
        assert (place, line.isdigit()) == ("m.yaml", True)
        assert problem.isprintable()
        assert len(problem) < 2000


@pytest.mark.parametrize("name", BOMBS)
def test_a_path_that_would_take_all_memory_is_refused(name: str) -> None:
    assert len(BOMBS[name]) <= 2000
    with bounded():
        try:
            path = compile_path(BOMBS[name])
        except PathError as error:
            assert str(error).isprintable()  # noqa: PT017
            return
        assert name in {"deep not", "deep literal"}
        TARGETS["path"](path.text.encode())


def test_texts_of_a_lead_are_not_joined_to_gigabytes() -> None:
    (loaded,) = load({"m.yaml": MAPPING_HEAD + '  mx_X: "join(lead.a, lead.b)"\n'})
    lead = {"a": "x" * 1_000_000, "b": [""] * 1_000_000}
    with bounded(), pytest.raises(LeadUnmappable, match="mx_X: the path can't be used"):
        loaded.apply({"leadId": "1", "lead": lead})
    assert loaded.apply({"leadId": "1", "lead": {"a": "-", "b": ["x", "y"]}}).fields["mx_X"] == "x-y"  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["bad\x1b[2J.yaml", "a\nb.yaml", "a\udcff.yaml", "a\u202eb.yaml"])
def test_a_file_by_a_nasty_name_is_refused(name: str) -> None:
    with pytest.raises(MappingError) as caught:
        load({f"mappings/{name}": MAPPING_HEAD})
    (problem,) = caught.value.problems
    assert problem.isprintable()
    assert problem.endswith("rename it")


@given(st.sampled_from(sorted(MAPPINGS)) | st.just(""), texts())
def test_any_text_in_a_mapping_file(name: str, text: str) -> None:
    quoted = json.dumps(text)
    for line in (f"  mx_X: {quoted}", f"  mx_X: {{value: {quoted}, max_length: 9}}", f"  {quoted}: status"):
        TARGETS["mapping"](f"{MAPPING_HEAD}{line}\n".encode("utf-8", "surrogatepass"))
    for key in ("join", "format", "default", "timezone", "region", "otherwise"):
        sort = {"join": "list", "format": "date", "timezone": "date", "region": "phone"}.get(key, "text")
        line = f"  mx_X: {{from: lead.tags, type: {sort}, {key}: {quoted}, values: {{{quoted}: {quoted}}}}}"
        TARGETS["mapping"](f"{MAPPING_HEAD}{line}\n".encode("utf-8", "surrogatepass"))


@given(values())
def test_any_value_of_a_lead_is_made_into_text_or_refused(value: Any) -> None:
    TARGETS["values"](json.dumps(value).encode())


@pytest.mark.parametrize("number", NUMBERS.values(), ids=list(NUMBERS))
@pytest.mark.parametrize("sort", TYPES)
def test_numbers_of_every_kind(sort: str, number: str) -> None:
    with bounded():
        TARGETS["values"](number.encode())
        TARGETS["values"](json.dumps(number).encode())
    spec = f"{{from: lead.x, type: {sort}{', region: GB' if sort == 'phone' else ''}}}"
    (loaded,) = load({"m.yaml": f"{MAPPING_HEAD}  mx_X: {spec}\n"})
    try:
        mapped = loaded.apply({"leadId": "1", "lead": {"x": number.strip('"')}})
    except LeadUnmappable as error:
        assert str(error).startswith("mx_X: ")  # noqa: PT017
        return
    assert mapped is not None
    assert "inf" not in mapped.fields.get("mx_X", "").lower() or sort in {"text", "list"}


@given(
    st.sampled_from(sorted(TEXTS.values())),
    st.sampled_from(["status", "lead.firstname", "deliveries", "@", "info"]),
)
def test_any_literal_in_a_path(text: str, start: str) -> None:
    for path in (
        f"{start} == '{text}'",
        f"contains({start}, `{json.dumps(text)}`)",
        f'{start}."{text}"',
        text,
    ):
        TARGETS["path"](path.encode("utf-8", "surrogatepass"))


def test_a_lead_of_ten_megabytes_is_mapped_or_refused_within_bounds() -> None:
    fields = "".join(
        f"  mx_{sort}: {{from: lead.x, type: {sort}, max_length: 50}}\n" for sort in ("text", "list")
    )
    (loaded,) = load({"m.yaml": MAPPING_HEAD + fields})
    with bounded():
        mapped = loaded.apply({**LEAD, "leadId": "1", "lead": {"x": "\0y" * 5_000_000}})
    assert mapped is not None
    assert mapped.fields["mx_text"] == "y" * 50
