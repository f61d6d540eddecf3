"""The examples in mappings/README.md, in mappings/examples and the shipped mapping do what they say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import LeadUnmappable
from bridge.leadbyte.operations import financials_request, process_request, update_request
from bridge.mapping import NAMES, FeedbackFile, MappingFile, feedback_of, load, run_tests
from bridge.mapping.feedback_loading import KEYS
from bridge.operation import Financials, Learned, QuarantineProcess, Wish, restored

ROOT = Path(__file__).parents[2] / "mappings"
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
BLOCKS = [block for block in FENCED if not block.startswith("version: 1")]
FILES = [block for block in FENCED if block.startswith("version: 1")]
USES = (
    "update-lead",
    "reprocess",
    "trigger-delivery",
    "release-quarantined",
    "reject-quarantined",
    "book-sale",
)
HEAD = "version: 1\nfields:\n  ProspectID: {value: p}\n  "


def cases() -> list[Any]:
    found = []
    for block in BLOCKS:
        field, *examples = block.strip().splitlines()
        assert examples
        found += [pytest.param(field, line, id=line) for line in examples]
    return found


@pytest.mark.parametrize(("field", "line"), cases())
def test_readme_example(field: str, line: str) -> None:
    left, right = line.removeprefix("# ").rsplit("->", 1)
    name, path = re.match(r"(\w+): (?:\{from: )?\"?([\w.]+)", field).groups()  # type: ignore[union-attr]
    (mapping,) = load({"doc.yaml": HEAD + field})
    assert isinstance(mapping, MappingFile)
    view: dict[str, Any] = dict.fromkeys(NAMES)
    first, _, second = path.partition(".")
    view[first] = {second: json.loads(left)} if second else json.loads(left)
    if "error:" in right:
        with pytest.raises(LeadUnmappable) as caught:
            mapping.apply(view)
        assert str(caught.value) == f"{name}: {right.split('error: ')[1]}"
        return
    mapped = mapping.apply(view)
    assert mapped is not None
    wanted = {} if right.strip() == "nothing" else {name: json.loads(right)}
    assert mapped.fields == {"ProspectID": "p"} | wanted


def leads() -> list[Any]:
    """Each line below a feedback file: what the lead holds, and what LeadByte is sent."""
    lines = [(text, line) for text in FILES for line in text.splitlines() if line.startswith("# {")]
    return [pytest.param(text, line, id=line) for text, line in lines]


@pytest.mark.parametrize(("text", "line"), leads())
def test_readme_example_of_the_way_back(text: str, line: str) -> None:
    left, right = line.removeprefix("# ").split(" -> ", 1)
    lead, _, learned = left.partition(" learned ")
    (mapping,) = feedback_of(load({"doc.yaml": text}))
    known = Learned(**{mapping.key: learned}) if learned else Learned()
    if right.startswith("error: "):
        with pytest.raises(LeadUnmappable) as caught:
            mapping.apply(json.loads(lead), known)
        assert str(caught.value) == right.removeprefix("error: ")
        return
    wishes = mapping.apply(json.loads(lead), known)
    assert (right == "skipped") == (wishes is None)
    assert [sent(wish) for wish in wishes or ()] == ([] if right in {"skipped", "nothing"} else [told(right)])


def sent(wish: Wish) -> tuple[str, str, Any]:
    operation = restored(wish.mapped.lane, wish.mapped.fields)
    if isinstance(operation, QuarantineProcess):
        request = process_request("", "…", operation)
    elif isinstance(operation, Financials):
        request = financials_request("", "…", operation)
    else:
        request = update_request("", "…", [operation])
    return request.method, request.url, exactly((request.body or b"").decode())


def told(right: str) -> tuple[str, str, Any]:
    method, path, body = right.split(" ", 2)
    return method, path, exactly(body)


def exactly(body: str) -> Any:
    """The JSON with its order and every digit of its numbers."""
    return json.loads(body, object_pairs_hook=list, parse_float=str)


def test_the_tests_of_the_pages_feedback_files_pass() -> None:
    tested = [file for text in FILES for file in load({"doc.yaml": text}) if file.tests]
    assert tested
    for file in tested:
        assert run_tests(file) == []


def test_there_is_an_example_of_every_use_of_the_way_back() -> None:
    files = {str(path): path.read_text(encoding="utf-8") for path in sorted((ROOT / "examples").iterdir())}
    mappings = load(files)
    assert {mapping.name for mapping in mappings} == set(USES)
    for mapping in mappings:
        assert isinstance(mapping, FeedbackFile)
        assert mapping.dry_run, "who copies it sees first what it would send"
        assert f"examples/{mapping.name}.yaml" in PAGE
        assert len(mapping.tests) >= 3
        assert run_tests(mapping) == []


def test_the_page_names_every_key_of_a_feedback_file() -> None:
    section = PAGE.split("## The way back", 1)[1]
    keys = re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)))
    assert set(keys) == {"version", "direction", "when", "tests", *KEYS}


def test_the_readme_shows_every_type() -> None:
    shown = {"text"} | {match for block in BLOCKS for match in re.findall(r"type: (\w+)", block)}
    assert shown == {"text", "email", "phone", "datetime", "date", "number", "boolean", "list"}


def test_the_shipped_mappings_pass_their_own_tests() -> None:
    files = {f"mappings/{path.name}": path.read_text(encoding="utf-8") for path in ROOT.glob("*.yaml")}
    mappings = load(files)
    assert "leadbyte-to-leadsquared" in {mapping.name for mapping in mappings}
    for mapping in mappings:
        assert len(mapping.tests) >= 3
        assert run_tests(mapping) == []
