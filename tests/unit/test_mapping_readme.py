"""The examples in mappings/README.md, in mappings/examples and the shipped mapping do what they say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import LeadUnmappable, Refused
from bridge.leadbyte.operations import financials_request, process_request, update_request
from bridge.leadsquared.requests import Keys, async_request, bulk_request
from bridge.mapping import NAMES, FeedbackFile, MappingFile, feedback_of, forward_of, load, run_tests
from bridge.mapping.feedback_loading import KEYS
from bridge.mapping.kinds import KINDS
from bridge.mapping.loading import LEADSQUARED_KEYS
from bridge.mapping.rules import KEYS as FIELD_KEYS
from bridge.model import Delivery
from bridge.operation import Financials, Learned, QuarantineProcess, Wish, restored

ROOT = Path(__file__).parents[2] / "mappings"
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
BLOCKS = [block for block in FENCED if not block.startswith("version: 1")]
FILES = [block for block in FENCED if block.startswith("version: 1")]
BACK = [text for text in FILES if "direction: feedback" in text]
FORWARD = [text for text in FILES if text not in BACK]
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
    """Each line below a field: what it finds, and what is sent."""
    found, field = [], ""
    for line in (line for block in BLOCKS for line in block.strip().splitlines()):
        if line.startswith("# "):
            found.append(pytest.param(field, line, id=f"{field} {line}"))
        else:
            field = line
    return found


def found_by(field: str, left: str) -> dict[str, Any]:
    """What a lead holds: after `given` all of it, else what the field's path finds."""
    empty: dict[str, Any] = dict.fromkeys(NAMES)
    if left.startswith("given "):
        return empty | json.loads(left.removeprefix("given "))
    (path,) = re.findall(r"^\w+: (?:\{from: )?\"?([\w.]+)", field)
    first, _, second = path.partition(".")
    return empty | {first: {second: json.loads(left)} if second else json.loads(left)}


@pytest.mark.parametrize(("field", "line"), cases())
def test_readme_example(field: str, line: str) -> None:
    left, right = (part.strip() for part in line.removeprefix("# ").rsplit("->", 1))
    name, view = field.partition(":")[0], found_by(field, left)
    (mapping,) = load({"doc.yaml": HEAD + field})
    assert isinstance(mapping, MappingFile)
    if right.startswith("error: "):
        with pytest.raises(LeadUnmappable) as caught:
            mapping.apply(view)
        assert str(caught.value) == f"{name}: {right.removeprefix('error: ')}"
        return
    mapped = mapping.apply(view)
    assert mapped is not None
    wanted = {} if right == "nothing" else {name: json.loads(right)}
    assert mapped.fields == {"ProspectID": "p"} | wanted


def below(files: list[str]) -> list[Any]:
    """Each line below these files: what the lead holds, and what the other side is sent."""
    lines = [(text, line) for text in files for line in text.splitlines() if line.startswith("# {")]
    return [pytest.param(text, line, id=line) for text, line in lines]


@pytest.mark.parametrize(("text", "line"), below(FORWARD))
def test_readme_example_of_the_way_forward(text: str, line: str) -> None:
    left, right = line.removeprefix("# ").split(" -> ", 1)
    (mapping,) = forward_of(load({"doc.yaml": text}))
    if right.startswith("error: "):
        with pytest.raises((LeadUnmappable, Refused)) as caught:
            asked(mapping, json.loads(left))
        assert str(caught.value) == right.removeprefix("error: ")
        return
    assert asked(mapping, json.loads(left)) == (None if right == "skipped" else told_forward(right))


def asked(mapping: MappingFile, given: dict[str, Any]) -> tuple[str, Any] | None:
    """What LeadSquared is sent, but for the keys: the end of the address, and the body."""
    mapped = mapping.apply({**dict.fromkeys(NAMES), **given})
    if mapped is None:
        return None
    one = Delivery(1, 1, "q", mapping.name, mapped.identity, mapped.lane, mapped.keys, mapped.fields, {}, 0)
    if mapped.lane.mode == "async":
        request = async_request("", Keys("", ""), "", one.lane, one)
        query = "&".join(f"{name}={request.params[name]}" for name in ("leadId", "postUpdatedLead"))
        return f"{request.url.removeprefix('/')}?{query}", json.loads(request.body or b"")
    request = bulk_request("", Keys("", ""), one.lane, [one])
    return request.url.removeprefix("/LeadManagement.svc/"), json.loads(request.body or b"")


def told_forward(right: str) -> tuple[str, Any]:
    address, body = right.split(" ", 1)
    return address, json.loads(body)


@pytest.mark.parametrize(("text", "line"), below(BACK))
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
    tested = [file for text in BACK for file in load({"doc.yaml": text}) if file.tests]
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


def test_the_readme_shows_every_type_and_every_key_in_an_example() -> None:
    fields = {field for field, _ in (case.values for case in cases())}
    assert {"text"} | {match for field in fields for match in re.findall(r"type: (\w+)", field)} == set(KINDS)
    keys = {match for field in fields for match in re.findall(r"[{,] ?(\w+): ", field)}
    assert keys >= set(FIELD_KEYS)
    words = {match for field in fields for match in re.findall(r"otherwise: (\w+)", field)}
    assert words == {"keep", "omit", "error"}
    shown = "\n".join(case.values[0] for case in below(FORWARD))
    assert all(f"{key}: " in shown for key in (*LEADSQUARED_KEYS, "when", "fields"))


def test_the_shipped_mappings_pass_their_own_tests() -> None:
    files = {f"mappings/{path.name}": path.read_text(encoding="utf-8") for path in ROOT.glob("*.yaml")}
    mappings = load(files)
    assert "leadbyte-to-leadsquared" in {mapping.name for mapping in mappings}
    for mapping in mappings:
        assert len(mapping.tests) >= 3
        assert run_tests(mapping) == []
