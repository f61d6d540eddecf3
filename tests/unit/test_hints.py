"""Every reason that the code makes, and the vendors' own words, have advice that is about them; the page shows it all."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

import pytest

from bridge.model import LEADBYTE as LEADBYTE_SIDE
from bridge.model import LEADSQUARED as LEADSQUARED_SIDE
from bridge.ports import Failure
from bridge.reports import build, hints
from bridge.reports.groups import Groups
from bridge.reports.hint import ANYTHING, Hint, Place
from bridge.reports.hints_back import EXPIRED, LEADBYTE, MAP_BACK
from bridge.reports.hints_back import IN_DOUBT as DOUBT_BACK
from bridge.reports.hints_forward import IN_DOUBT, LEADSQUARED, MAP, UNPROCESSED

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "deploy" / "operating.md"
GAVE_UP = "gave up after 8 attempts: "
CAUSES = ("ServerFault", "LostAnswer", "Denied")
MADE = {
    # module: what stands before its texts, and where they are shown
    "bridge.mapping.convert": ("Phone: ", (MAP, MAP_BACK)),
    "bridge.mapping.times": ("mx_Day: ", (MAP, MAP_BACK)),
    "bridge.mapping.making": ("mx_Outcome: ", (MAP,)),
    "bridge.mapping.paths": ("when: ", (MAP, MAP_BACK)),
    "bridge.mapping.file": ("", (MAP,)),
    "bridge.mapping.feedback": ("", (MAP_BACK,)),
    "bridge.operation.values": ("", (MAP_BACK, LEADBYTE)),
    "bridge.operation.carried": ("", (LEADBYTE,)),
    "bridge.pipeline.deciding": ("", (MAP_BACK,)),
    "bridge.policy.delivering": ("", (LEADSQUARED,)),
    "bridge.leadsquared.verdict": ("", (LEADSQUARED,)),
    "bridge.leadsquared.wire": ("", (LEADSQUARED,)),
    "bridge.leadsquared.requests": ("", (LEADSQUARED,)),
    "bridge.leadbyte.wire": ("", (MAP,)),
    "bridge.leadbyte.operations_verdict": ("", (LEADBYTE,)),
    "bridge.leadbyte.operations_replies": ("", (LEADBYTE,)),
    "bridge.leadbyte.operations_records": ("", (LEADBYTE,)),
    "bridge.http": ("", (LEADSQUARED, LEADBYTE)),
    "bridge.exchange": ("", (LEADSQUARED, LEADBYTE)),
}
MAKERS = {"LeadUnmappable", "UnreadableError", "Refused", "Outcome", "result", *CAUSES}
NO_FAILURES = ("cannot be asked", "the answer was lost: X")
"""Of questions by hand, which no lead fails by; and of leads in doubt, which have a table of their own."""
WORDS = re.compile(r"[a-z]{3}")


def said(node: ast.expr, names: dict[str, object]) -> str | None:
    """The text of an expression, `X` for what is only known when it runs; None for no text."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name) if isinstance(names.get(name), str):
            return str(names[name])
        case ast.FormattedValue(value=value):
            return said(value, names) or "X"
        case ast.JoinedStr(values=values):
            return "".join(said(value, names) or "X" for value in values)
        case ast.BoolOp(op=ast.Or(), values=[*_, last]):
            return said(last, names)
        case ast.BinOp(op=ast.Add(), left=left):
            return said(left, names)
    return None


def either(arguments: Sequence[ast.expr]) -> Iterator[ast.expr]:
    for one in arguments:
        yield from [one.body, one.orelse] if isinstance(one, ast.IfExp) else [one]


def made(module: str) -> Iterator[str]:
    """Every reason that a module makes."""
    names = vars(import_module(module))
    tree = ast.parse(Path(str(sys.modules[module].__file__)).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "words":
            yield from filter(WORDS.search, [said(node.value, names) or ""])
        if not isinstance(node, ast.Call):
            continue
        maker = getattr(node.func, "id", getattr(node.func, "attr", ""))
        for text in (said(one, names) for one in either(node.args) if maker in MAKERS):
            if text and WORDS.search(text):
                yield f"{GAVE_UP}{text}" if maker in CAUSES and module != "bridge.leadbyte.wire" else text


def reasons() -> list[object]:
    return [
        pytest.param(place, f"{before}{text}", id=f"{module}: {text}")
        for module, (before, places) in MADE.items()
        for text in dict.fromkeys(made(module))
        for place in places
        if not any(one in text for one in NO_FAILURES)
    ]


def test_the_modules_that_make_reasons_are_all_looked_at() -> None:
    assert len(reasons()) > 80
    assert all(list(made(module)) for module in MADE)


@pytest.mark.parametrize(("place", "reason"), reasons())
def test_a_reason_that_the_code_makes_has_advice_of_its_own(place: Place, reason: str) -> None:
    assert place.of(reason).example != ANYTHING


@pytest.mark.parametrize(
    ("place", "reason", "word"),
    [
        # LeadSquared's pages and those who called it
        (LEADSQUARED, "API calls exceeded the limit of 25 in 5 second(s)", "RATE_CALLS"),
        (LEADSQUARED, "Attribute(s) does not exist - mx_A, mx_B.", "a field that LeadSquared does not have"),
        (LEADSQUARED, "Lead does not exist in the system or You do not have permission to update", "Create the lead"),
        (LEADSQUARED, "gave up after 8 attempts: Lead does not exist in the system", "Create the lead"),
        (LEADSQUARED, "LeadSquared refused the call with HTTP 404: Not Found", "BRIDGE_LEADSQUARED__URL"),
        (LEADSQUARED, "Fields cannot be empty", "no value but the key"),
        (LEADSQUARED, "LeadSquared refused the call: no reason given (MXOperationFailedException)", "by hand"),
        (LEADSQUARED, "LeadSquared refused the call: The message body is not as per API specification "
         "(MXInvalidInputException)", "refuses one of the values"),
        (LEADSQUARED, "Invalid option for mx_Buyer", "refuses one of the values"),
        (LEADSQUARED, "Access denied to this field", "Permission Templates"),
        (LEADSQUARED, "gave up after 8 attempts: LeadSquared denied the keys: The API call was made with invalid access "
         "credentials. Check your AccessKey and SecretKey.; check them and their permissions", "Grant it"),
        (LEADSQUARED, "gave up after 8 attempts: LeadSquared failed with HTTP 500: Timeout expired", "Retry once"),
        (LEADSQUARED, "zzz", "`bridge show"),
        (UNPROCESSED, "LeadSquared gave no reason", "Create the lead"),
        # LeadByte publishes no errors: likely ones
        (LEADBYTE, 'This API key does not have the "Leads > Update" permission', "tick it there".capitalize()),
        (LEADBYTE, "Lead not updated; Lead not found", "no valid lead"),
        (LEADBYTE, "Quarantined lead not found", "in quarantine"),
        (LEADBYTE, "Lead not updated; Deliveries can only be triggered for valid leads", "Only valid leads"),
        (LEADBYTE, "newPayout or newRevenue is required", "refuses one of the values"),
        (LEADBYTE, "Buyer does not exist", "in these words"),
        (LEADBYTE, "Duplicate lead", "in these words"),
        (EXPIRED, "no final result before the deadline: LeadByte's status is still ''", "Look the lead up"),
        (EXPIRED, "permission", "Look the lead up"),
        (EXPIRED, "no final result before the deadline: LeadByte refused the call with HTTP 400", "failed up to"),
        (IN_DOUBT, "the process died before an answer was recorded", "reads the lead back"),
        (DOUBT_BACK, "the process died before an answer was recorded", "bridge resolve"),
    ],
)  # fmt: skip
def test_what_the_other_side_says(place: Place, reason: str, word: str) -> None:
    assert word in place.of(reason).line


def examples() -> list[tuple[Place, Hint]]:
    return [(place, hint) for place in hints.PLACES for hint in place.hints]


@pytest.mark.parametrize(("place", "hint"), examples())
def test_an_example_is_of_its_own_family(place: Place, hint: Hint) -> None:
    assert place.of(hint.example).line == hint.line
    for sentence in (hint.meaning, hint.advice):
        assert sentence[0].isupper()
        assert sentence.endswith(".")


@pytest.mark.parametrize("place", hints.PLACES)
def test_every_reason_meets_a_hint(place: Place) -> None:
    assert [hint.pattern for hint in place.hints].index("") == len(place.hints) - 1
    assert place.of("").line == place.hints[-1].line


@pytest.mark.parametrize(
    ("told", "to_leadbyte", "place"),
    [
        (("failed", "push"), False, LEADSQUARED),
        (("failed", "confirm"), False, LEADSQUARED),
        (("failed", "map"), False, MAP),
        (("unprocessed", "push"), False, UNPROCESSED),
        (("in_doubt", "push"), False, IN_DOUBT),
        (("expired", "poll"), False, EXPIRED),
        (("failed", "push"), True, LEADBYTE),
        (("failed", "map"), True, MAP_BACK),
        (("in_doubt", "push"), True, DOUBT_BACK),
    ],
)
def test_a_place_is_told_by_state_and_stage_and_side(
    told: tuple[str, str], to_leadbyte: bool, place: Place
) -> None:
    assert hints.place(*told, to_leadbyte=to_leadbyte) is place
    assert hints.hint(*told, "no", to_leadbyte=to_leadbyte) == place.of("no").line


@pytest.mark.parametrize(
    ("state", "stage", "target"),
    [
        ("failed", "push", LEADSQUARED_SIDE),
        ("unprocessed", "push", LEADSQUARED_SIDE),
        ("in_doubt", "push", LEADSQUARED_SIDE),
        ("in_doubt", "push", LEADBYTE_SIDE),
        ("expired", "poll", LEADSQUARED_SIDE),
    ],
)
def test_the_command_of_a_place_is_the_form_of_the_reports(state: str, stage: str, target: str) -> None:
    failure = Failure("q", "main", state, stage, "some words", None, 1, None, (), 7, target)
    groups = Groups()
    groups.add(next(build([failure], {}, 0.0, account=()).leads()))
    (group,) = groups.largest_first()
    then = hints.place(state, stage, to_leadbyte=target == LEADBYTE_SIDE).then
    assert group.resync.partition(" --reason")[0] == then.partition(" --reason")[0]


def shown(place: Place) -> str:
    """A table as the page has it."""
    lines = ["| the reason says, for example | it means | what to do |", "| --- | --- | --- |"]
    for hint in place.hints:
        example = f"*{hint.example}*" if hint.example == ANYTHING else hint.example
        cells = (cell.replace("|", "\\|") for cell in (example, hint.meaning, hint.advice))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


@pytest.mark.parametrize("place", hints.PLACES)
def test_the_page_shows_the_tables(place: Place) -> None:
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(f"\n### {place.title}\n")
    section = rest.partition("\n#")[0]
    found = "\n".join(line for line in section.splitlines() if line.startswith("|"))
    assert found == shown(place), f"paste this under ### {place.title} of {PAGE.name}:\n{shown(place)}"
    assert f"    {place.then}\n" in section
