"""Logs show no secret, no forged line and no local variable."""

import json
import logging
import sys
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

import pytest
import structlog
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.telemetry import HIDDEN, Redactor, configure, digest

SECRET = 'u$r/9+a b"é\\z'  # every kind of character that some escaping changes


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    root, names = logging.getLogger(), ("httpx", "httpcore", "aiohttp", "apscheduler")
    handlers, level, raising = list(root.handlers), root.level, logging.raiseExceptions
    yield
    root.handlers[:], logging.raiseExceptions = handlers, raising
    root.setLevel(level)
    for name in names:
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lower_hex(text: str) -> str:
    return quote(text, safe="").lower()


def forms(secret: str) -> list[str]:
    return [
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote(quote(secret, safe=""), safe=""),
        quote_plus(secret),
        quote(secret, safe="$+"),
        lower_hex(secret.lower()) if secret.islower() else quote(secret, safe=""),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(secret))[3:-3],
        repr(secret)[1:-1],
        secret.replace("/", "\\/"),
    ]


@pytest.mark.parametrize("form", forms(SECRET))
def test_a_secret_is_hidden_however_it_is_escaped(form: str) -> None:
    assert Redactor([SECRET])(f"<{form}>") == f"<{HIDDEN}>"


@given(
    st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=12).filter(
        lambda s: s.strip("*")
    )
)
@example("%")
@example("a%b")
def test_any_secret_is_hidden_in_every_form(secret: str) -> None:
    redact = Redactor([secret])
    for form in forms(secret):
        assert redact(form) == HIDDEN


def test_lower_case_hex_is_hidden_as_well() -> None:
    assert Redactor(["a$/b"])("key=a%24%2fb&x=1") == f"key={HIDDEN}&x=1"


def test_the_longer_of_two_secrets_wins_and_empty_ones_hide_nothing() -> None:
    assert Redactor(["abc", "abcdef", ""])("abcdef abc") == f"{HIDDEN} {HIDDEN}"
    assert Redactor([""])("text") == "text"


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_json_lines_hide_secrets_in_every_place(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info", [SECRET, "12345678"])
    structlog.contextvars.bind_contextvars(bound=SECRET)
    structlog.get_logger().info(
        f"event {SECRET}",
        nested={"deep": [SECRET, (quote(SECRET),)], SECRET: 1},
        number=12345678,
        other=7,
        nothing=None,
        flag=True,
        thing=ValueError(SECRET),
        url=f"https://h/?key={quote_plus(SECRET)}",
    )
    (line,) = logged(capsys)
    assert line["event"] == f"event {HIDDEN}"
    assert line["bound"] == HIDDEN
    assert line["nested"] == {"deep": [HIDDEN, [HIDDEN]], HIDDEN: 1}
    assert (line["number"], line["other"], line["nothing"], line["flag"]) == (HIDDEN, 7, None, True)
    assert line["thing"] == f"ValueError('{HIDDEN}')"
    assert line["url"] == f"https://h/?key={HIDDEN}"
    assert line["level"] == "info"
    assert str(line["timestamp"]).endswith("Z")


def test_the_standard_library_goes_the_same_way_and_the_talkative_are_quiet(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("json", "debug", [SECRET])
    logging.getLogger("httpx").info("HTTP Request: GET https://h/?key=%s", SECRET)
    logging.getLogger("aiohttp.access").info("GET /")
    logging.getLogger("apscheduler.scheduler").warning("missed %s", SECRET)
    logging.getLogger("mine").debug("said %s", SECRET)
    assert [line["event"] for line in logged(capsys)] == [f"missed {HIDDEN}", f"said {HIDDEN}"]


def test_levels_below_the_threshold_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "warning", [])
    structlog.get_logger().info("no")
    logging.getLogger("mine").info("no")
    structlog.get_logger().error("yes")
    assert [line["event"] for line in logged(capsys)] == ["yes"]


def fail(local: str) -> None:
    raise RuntimeError(f"broken\nINFO forged {local}")


def test_tracebacks_show_no_locals_and_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info", [SECRET])
    try:
        fail(SECRET)
    except RuntimeError:
        structlog.get_logger().exception("it failed", hint="x")
    (line,) = logged(capsys)
    assert SECRET not in str(line)
    assert "RuntimeError: broken\nINFO forged ***" in str(line["exception"])
    assert "local =" not in str(line["exception"])


def test_a_console_line_cannot_be_forged(capsys: pytest.CaptureFixture[str]) -> None:
    configure("console", "info", [SECRET])
    structlog.get_logger().info("one\nforged \x1b[2K", value="a\r\nforged", **{"n\name": "\u2028\u202e"})
    logging.getLogger("mine").warning("two\nforged %s", "\x85")
    try:
        fail(SECRET)
    except RuntimeError:
        structlog.get_logger().exception("three")
    lines = capsys.readouterr().err.splitlines()
    assert len([line for line in lines if not line.startswith("  | ")]) == 3
    assert not any(set(line) & set("\x1b\r\x85\u2028\u202e") for line in lines)
    assert "one\\x0aforged \\x1b[2K" in lines[0]
    assert SECRET not in "".join(lines)


def test_auto_is_json_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    configure("auto", "info", [])
    structlog.get_logger().info("x")
    assert logged(capsys)[0]["event"] == "x"


def test_auto_is_for_people_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    configure("auto", "info", [])
    structlog.get_logger().info("hello")
    text = capsys.readouterr().err
    assert "hello" in text
    assert not text.startswith("{")


def test_configuring_again_replaces(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info", [])
    configure("json", "info", ["sesame"])
    logging.getLogger("mine").info("sesame")
    assert [line["event"] for line in logged(capsys)] == [HIDDEN]


def test_a_line_that_cannot_be_encoded_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info", [])
    structlog.get_logger().info("x", value="\ud83d")
    assert logged(capsys)[0]["value"] == "\\ud83d"


def test_a_digest_names_a_person_without_showing_them() -> None:
    assert digest("ann@example.org") == digest("ann@example.org")
    assert digest("ann@example.org") != digest("bob@example.org")
    assert len(digest("é\ud800")) == 12
    assert set(digest("x")) <= set("0123456789abcdef")
