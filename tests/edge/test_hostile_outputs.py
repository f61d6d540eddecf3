"""What people read and other programs take in: nothing moves a cursor, forges a line, runs as markup or as a formula."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
import structlog
from hypothesis import given

from bridge.cli.base import moment, put, put_json, say
from bridge.errors import UsageError
from bridge.ports import Failure
from bridge.reports import build, write_csv, write_html, write_json, write_text
from bridge.telemetry import configure
from tests.edge.nasties import TEXTS, texts, values
from tests.fuzz.targets import TARGETS
from tests.system.conftest import Bridge, Result, Simulator

pytest_plugins = ["tests.system.conftest"]

NOW = 1_700_000_000.0
FORMULAS = ("=", "+", "-", "@", "|", "%", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\ufe66")


def written(write: Callable[[Any, Any], None], text: str, *, unmasked: bool = True) -> str:
    failure = Failure(text, text, "failed", "push", text, text, 1, NOW)
    out = io.StringIO()
    write(build([failure], {"failed": 1}, NOW, account=(), unmasked=unmasked), out)
    out.getvalue().encode()
    return out.getvalue()


class Page(HTMLParser):
    """The tags and attributes of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


# reports


@given(texts())
def test_a_page_has_the_same_tags_whatever_the_leads_say(text: str) -> None:
    assert Page(written(write_html, text)).tags == Page(written(write_html, "words")).tags


@pytest.mark.parametrize("name", ["markup", "attribute", "entity", "rich markup"])
def test_markup_is_shown_as_it_was_written(name: str) -> None:
    assert Page(written(write_html, TEXTS[name])).text.count(TEXTS[name]) >= 3


@given(texts())
def test_no_cell_is_a_formula_and_every_row_is_one_line(text: str) -> None:
    table = written(write_csv, text)
    assert len(table.splitlines()) == 2
    for delimiter in (",", ";"):
        for row in csv.reader(io.StringIO(table), delimiter=delimiter):
            assert not [cell for cell in row if cell.lstrip(' "').startswith(FORMULAS) and delimiter == ","]
    assert all(each.isprintable() for line in table.splitlines() for each in line)


@pytest.mark.parametrize("sign", "=+-@|%\uff1d\uff0b\uff0d\uff20\uff5c\uff05")
@pytest.mark.parametrize("before", ["", " ", "\t", "\r\n", "\u00a0", "\u3000", "x;", "x; "])
def test_formulas_are_quoted_wherever_a_cell_may_begin(sign: str, before: str) -> None:
    (_, row) = csv.reader(io.StringIO(written(write_csv, f"{before}{sign}1+1")))
    assert row[0].replace(" ", "").removeprefix("x;").startswith("'")


@given(texts())
def test_the_text_report_is_lines_of_what_can_be_seen(text: str) -> None:
    said = written(write_text, text)
    assert all(line.isprintable() for line in said.split("\n"))
    assert len(said.split("\n")) <= len(written(write_text, "words").split("\n")) + len(text) // 20


@given(texts())
def test_the_json_report_is_ascii_and_whole(text: str) -> None:
    (lead,) = json.loads(written(write_json, text))["leads"]
    assert lead["reason"] == text
    assert written(write_json, text).isascii()


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_every_report_of_a_nasty_text_keeps_its_promise(name: str) -> None:
    TARGETS["texts"](TEXTS[name].encode("utf-8", "surrogatepass"))


# how commands print


def printed(capsys: pytest.CaptureFixture[str], show: Callable[[], None]) -> list[str]:
    show()
    captured = capsys.readouterr()
    lines = (captured.out + captured.err).split("\n")
    assert lines.pop() == ""
    assert all(line.isprintable() for line in lines)
    return lines


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_a_line_of_output_is_one_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(printed(capsys, lambda: put(text))) == 1
    assert len(printed(capsys, lambda: put(text, text))) == 2
    assert len(printed(capsys, lambda: say(f"error: {text}"))) == 1


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_json_output_is_json_that_no_terminal_obeys(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, lambda: put_json({"x": text, f"k{text}": [text]}))
    assert json.loads("\n".join(lines)) == {"x": text, f"k{text}": [text]}


@given(values())
def test_any_json_output_reads_back(value: Any) -> None:
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", out)
        put_json({"x": value})
    assert json.loads(out.getvalue()) == {"x": value}


@pytest.mark.parametrize(
    "text", ["9" * 5000 + "d", "9" * 400 + "s", "\u0661d", "-1d", "1e5d", "", "0000-00-00", *TEXTS.values()]
)
def test_a_time_that_is_none_is_told_in_a_line(text: str) -> None:
    with pytest.raises(UsageError, match="--since: not a time"):
        moment(text, "--since", NOW)


# logs


@pytest.fixture
def _logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("_logging")
@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("name", sorted(TEXTS))
def test_no_log_line_can_be_forged(form: Any, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = TEXTS[name]
    configure(form, "info", ())
    structlog.get_logger().info(f"event {text}", file=text, inner={text: [text]})
    logging.getLogger("other").warning("said %s", text)
    said = capsys.readouterr().err
    lines = said.split("\n")
    assert len(lines) == 3
    assert not any(each < " " or "\x7f" <= each < "\xa0" for line in lines for each in line)
    if form == "json":
        assert [json.loads(line)["level"] for line in lines[:2]] == ["info", "warning"]


# whole commands

FORGED = "\x1b[2Jforged\nerror: forged\r"


def seen(said: Result) -> bool:
    """Nothing in the output moves a cursor or begins a line of its own; `checked` holds the lines on stderr."""
    assert all(line.isprintable() for line in (said.stdout + said.stderr).split("\n"))
    assert not [line for line in said.stdout.split("\n") if line.startswith(("error", "forged"))]
    assert "error: forged" not in said.errors
    return "forged" in said.stdout + said.stderr


def test_a_nasty_lead_is_shown_safely_by_every_command(bridge: Bridge, simulator: Simulator) -> None:
    lead = {"firstname": FORGED, "lastname": "\x9b31m\u202e", "postcode": "x" * 5000}
    queue_ids = [
        simulator.lead("ann@example.com", lead=lead, info=[FORGED]),
        simulator.lead("bob@example.com", FORGED, known=False, lead=lead),
        simulator.lead(f"x{FORGED}", known=False, lead=lead),
    ]
    bridge.track(*queue_ids)
    bridge.drain(BRIDGE_LEADBYTE__STATUSES=json.dumps({FORGED: "final"}))
    shown = [
        bridge(*words)
        for words in (
            ("status",),
            ("report", "--unmasked"),
            ("show", queue_ids[0]),
            ("show", queue_ids[1], "--json"),
            ("resync", "--dry-run"),
        )
    ]
    assert [said.code for said in shown] == [0] * len(shown)
    assert sum(map(seen, shown)) >= 2
    reply = bridge.directory / f"reply{FORGED}.json"
    reply.write_text(
        json.dumps({"queueId": "q", "status": FORGED, "lead": {**lead, "email": "ann@example.com"}})
    )
    for words in (
        ("map", bridge.mapping.name, str(reply)),
        ("map", FORGED, str(reply)),
        ("map", bridge.mapping.stem, FORGED),
    ):
        assert seen(bridge(*words))


def test_nasty_names_on_the_command_line_and_around_it(bridge: Bridge) -> None:
    (bridge.mappings / f"a{FORGED}.yaml").write_text("version: 1\nfields: {A: leed}\n")
    odd = {f"BRIDGE_{FORGED}": "1"}
    for words in (
        ("check", "--offline"),
        ("enqueue", FORGED, "--from", f"no{FORGED}"),
        ("enqueue", FORGED),
        ("show", FORGED),
        ("resync", "--queue-id", FORGED),
        ("resync", "--state", FORGED),
        ("report", "--output", f"no/{FORGED}"),
        (f"--{FORGED}",),
    ):
        said = bridge(*words, env=odd)
        assert said.code in {1, 2}
        assert seen(said)
