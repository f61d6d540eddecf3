"""The examples in mappings/README.md and the shipped mapping do what they say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import LeadUnmappable
from bridge.mapping import NAMES, load, run_tests

ROOT = Path(__file__).parents[2] / "mappings"
BLOCKS = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
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
