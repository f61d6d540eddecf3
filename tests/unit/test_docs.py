"""README.md says what the code does: settings, commands, exit codes, states, promises, links."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from bridge import errors
from bridge.cli import cli
from bridge.mapping import load, run_tests
from bridge.model import LEAD_STATES
from bridge.settings import reference
from bridge.simulator.__main__ import parse

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OPERATING = (ROOT / "deploy" / "operating.md").read_text(encoding="utf-8")
PAGES = [
    "README.md",
    "CHANGELOG.md",
    "bridge/README.md",
    "deploy/README.md",
    "deploy/backup.md",
    "deploy/container.md",
    "deploy/kubernetes.md",
    "deploy/monitoring.md",
    "deploy/operating.md",
    "deploy/privacy.md",
    "deploy/promises.md",
    "deploy/systemd.md",
    "deploy/upgrade.md",
    "deploy/verdicts.md",
    "mappings/README.md",
    "state/README.md",
]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
EVERYWHERE = {"--help"}
GROUPS = {"leadbyte", "leadsquared", "mapping"}


def rows(heading: str, page: str = README) -> list[list[str]]:
    """The cells of every table of the page whose first heading this is."""
    _, *tables = page.split(f"| {heading} |")
    bodies = [rest.partition("\n")[2].partition("\n")[2].partition("\n\n")[0] for rest in tables]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for body in bodies for line in body.splitlines()]
    assert cells, f"there is no table that begins with {heading!r}"
    return [[cell.strip().replace("\\|", "|") for cell in row] for row in cells]


def commands() -> dict[str, set[str]]:
    """Each command with its options; one of a group by both words."""
    group: Any = get_command(cli)
    assert isinstance(cli, typer.Typer)
    return {
        name: {option for each in command.params for option in each.opts if option.startswith("-")}
        for name, command in single("", group)
    }


def single(before: str, group: Any) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from single(f"{before}{name} ", command)
        else:
            yield f"{before}{name}", command


def named(line: str) -> tuple[str, str]:
    """The command of a line and what follows it."""
    _, first, second, rest = re.split(r"(?:^|\s)bridge ([a-z]+) ?([a-z]*)", line, maxsplit=1)
    return (f"{first} {second}", rest) if first in GROUPS else (first, f" {second}{rest}")


def code() -> list[str]:
    """Every piece of code for operators: indented lines, and what stands between backticks in the text."""
    told = f"{README}\n{OPERATING}"
    lines = [line for line in told.splitlines() if line.startswith("    ")]
    return lines + re.findall(r"`([^`\n]+)`", told.replace("\\|", "|"))


def test_every_setting_is_there_with_its_default_and_meaning() -> None:
    wanted = [[f"`{name}`", f"`{default}`" if default else "", what] for name, default, what in reference()]
    assert rows("setting | default") == wanted


def test_every_setting_that_is_named_exists() -> None:
    named = set(re.findall(r"\bBRIDGE_[A-Z]\w*", README + OPERATING))
    assert named <= {name for name, _, _ in reference()}


def test_every_command_is_there_with_its_options() -> None:
    told = {}
    for cell, _ in rows("command"):
        name, _ = named(cell.strip("`"))
        told[name] = set(OPTION.findall(cell)) - EVERYWHERE
    assert told == commands()


def test_every_command_line_uses_options_that_exist() -> None:
    known = commands()
    known["simulate"] |= set(OPTION.findall(simulator_help()))
    found = [line for line in code() if re.search(r"(?:^|\s)bridge [a-z]+", line)]
    assert len(found) > 30
    for line in found:
        name, rest = named(line)
        if name.strip() in GROUPS:
            continue
        assert set(OPTION.findall(rest)) <= known[name] | EVERYWHERE, line


def with_groups(name: str, group: Any) -> Iterator[tuple[str, Any]]:
    yield name, group
    for each, command in getattr(group, "commands", {}).items():
        yield from with_groups(f"{name} {each}", command)


@pytest.mark.parametrize(
    ("name", "command"),
    [one for one in with_groups("bridge", get_command(cli)) if one[0] != "bridge simulate"],
)
def test_every_help_ends_its_text_in_an_example_that_can_be_typed(name: str, command: Any) -> None:
    context = command.make_context(name, [], resilient_parsing=True)
    told = command.get_help(context)
    text, _, _ = told.partition("\nOptions:\n")[0].partition("\nArguments:\n")
    (example,) = re.findall(r"^  Example: (.*)$", told, re.MULTILINE)
    assert not re.search(r"^ +-.*<(str|int|list|path)", told, re.MULTILINE), "an option's value has a name"
    assert text.rstrip().endswith(example), "it comes last, and on one line"
    words = shlex.split(example.partition(" > ")[0])
    assert " ".join(words).startswith(name)
    parsed(get_command(cli), words[1:])


def parsed(command: Any, words: list[str]) -> None:
    """Raises where a command line names what is not there, leaves out what must be, or says a choice that there is not."""
    if hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
        parsed(command, words)
    else:
        command.make_context(command.name, words)


def test_the_help_of_the_simulator_has_an_example_with_options_that_exist() -> None:
    told = simulator_help()
    (example,) = re.findall("^examples: bridge simulate (.*)$", told, re.MULTILINE)
    assert vars(parse(shlex.split(example)))["leads"] == 100


def simulator_help() -> str:
    told = io.StringIO()
    with pytest.raises(SystemExit), contextlib.redirect_stdout(told):
        parse(["--help"])
    return told.getvalue()


def test_exit_codes() -> None:
    raised = {
        one.exit_code for one in vars(errors).values() if isinstance(one, type) and hasattr(one, "exit_code")
    }
    assert {int(code) for code, _ in rows("exit code")} == raised | {0}


def test_states_are_all_there_in_the_order_that_counts() -> None:
    assert tuple(name.strip("`") for name, _ in rows("state")) == LEAD_STATES


def test_the_mapping_examples_load_and_pass_their_tests() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    mappings = load({f"README-{number}.yaml": example for number, example in enumerate(examples)})
    assert [mapping.direction for mapping in mappings] == ["forward", "feedback"]
    for mapping in mappings:
        assert mapping.tests
        assert run_tests(mapping) == []


def test_every_promise_names_a_test_that_exists() -> None:
    promised = rows("promise", (ROOT / "deploy/promises.md").read_text(encoding="utf-8"))
    assert len(promised) > 15
    known = node_ids()
    for promise, cell in promised:
        assert cell.strip("`") in known, promise


def node_ids() -> set[str]:
    """The id of every test file, class and function, those that a class has from its base included."""
    found: set[str] = set()
    classes: dict[str, tuple[str, list[str], list[str]]] = {}
    for path in (ROOT / "tests").rglob("*.py"):
        place = path.relative_to(ROOT).as_posix()
        found.add(place)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
                classes[node.name] = (place, bases, functions(node.body))
                found.add(f"{place}::{node.name}")
            else:
                found |= {f"{place}::{name}" for name in functions([node])}
    for name, (place, bases, own) in classes.items():
        inherited = [one for base in bases for one in classes.get(base, ("", [], []))[2]]
        found |= {f"{place}::{name}::{test}" for test in (*own, *inherited)}
    return found


def functions(body: list[ast.stmt]) -> list[str]:
    return [node.name for node in body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


@pytest.mark.parametrize("page", PAGES)
def test_links_point_to_what_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        linked = (ROOT / page).parent / path if path else ROOT / page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked.read_text(encoding="utf-8")), target


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}
