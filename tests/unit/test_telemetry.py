"""Logs show no secret, no person, no forged line and no local variable."""

import ast
import asyncio
import html
import io
import json
import logging
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote, quote_plus

import pytest
import structlog
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.errors import CallError
from bridge.leadbyte import wire as leadbyte
from bridge.leadsquared import wire as leadsquared
from bridge.telemetry import HIDDEN, RUN, Redactor, coloured, configure, digest, digest_key

ROOT = Path(__file__).parents[2]
SECRET = 'u$r/9+a b"é\\z'  # every kind of character that some escaping changes


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    root, names = logging.getLogger(), ("httpx", "httpcore", "aiohttp", "apscheduler")
    handlers, level, raising = list(root.handlers), root.level, logging.raiseExceptions
    hooks = warnings.showwarning, sys.excepthook, sys.unraisablehook, threading.excepthook
    yield
    warnings.showwarning, sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
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
        html.escape(secret),
        html.escape(html.escape(secret)),
        "".join(one if one.isascii() and one.isalnum() else f"&#{ord(one)};" for one in secret),
        "".join(one if one.isascii() and one.isalnum() else f"&#x{ord(one):X};" for one in secret),
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
    assert [(line["logger"], line["event"]) for line in logged(capsys)] == [
        ("apscheduler.scheduler", "missed %s"),
        ("mine", "said %s"),
    ]


def test_a_library_that_puts_values_into_its_text_shows_neither_secrets_nor_addresses(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("json", "debug", [SECRET])
    logging.getLogger("mine").error(f"{SECRET} of jane%40example.com\nfuture: <Task Jane>", stack_info=True)  # noqa: G004
    (line,) = logged(capsys)
    assert line["event"] == f"{HIDDEN} of <email>"
    assert "Jane" not in str(line)


def test_what_asyncio_tells_of_a_lost_error_is_where_it_happened(capsys: pytest.CaptureFixture[str]) -> None:
    async def lose() -> None:
        lost = asyncio.create_task(asyncio.to_thread(fail, "Jane"))
        await asyncio.wait([lost])
        del lost
        asyncio.get_running_loop().call_exception_handler(
            {"message": "it broke", "exception": ValueError("Jane"), "handle": ["Jane"]}
        )

    configure("json", "debug", [SECRET])
    asyncio.run(lose(), debug=True)
    lines = [line for line in logged(capsys) if line["level"] == "error"]
    assert [line["event"] for line in lines] == ["Task exception was never retrieved", "it broke"]
    assert [str(line["exception"]).split("\n")[-1] for line in lines] == ["RuntimeError", "ValueError"]
    assert "in fail" in str(lines[0]["exception"])
    assert "Jane" not in str(lines)


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
    *_, last, kind = str(line["exception"]).split("\n")
    assert last.startswith("test_telemetry.py:")
    assert (last.split(" in ")[1], kind) == ("fail", "RuntimeError")


def test_a_traceback_tells_what_led_to_an_error_unless_that_is_hidden(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("json", "info", [])
    for cause in (KeyError("Jane"), None):
        try:
            try:
                fail("Jane")
            except RuntimeError:
                raise LookupError("Jane") from cause
        except LookupError:
            structlog.get_logger().exception("it failed")
    first, second = (str(line["exception"]).split("\n") for line in logged(capsys))
    assert first[:2] == ["KeyError", "then"]
    assert "then" not in second
    assert "Jane" not in str(first + second)


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


def test_every_event_of_a_process_carries_its_run(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info", [])
    log = structlog.get_logger()
    log.info("x", run="+44 7700 900123")
    logging.getLogger("mine").info("y")
    thread = threading.Thread(target=log.info, args=("z",))
    thread.start()
    thread.join()
    configure("json", "info", ["again"])
    log.info("again")
    lines = logged(capsys)
    assert [line["run"] for line in lines] == [RUN] * 4
    assert re.fullmatch("[0-9a-f]{8}", RUN)


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({}, True),
        ({"NO_COLOR": ""}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": "0", "TERM": "xterm"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(environ: dict[str, str], wanted: bool) -> None:
    terminal = io.StringIO()
    assert not coloured(terminal, environ)
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    assert coloured(terminal, environ) == wanted


def test_a_line_that_cannot_be_encoded_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info", [])
    structlog.get_logger().info("x", value="\ud83d")
    assert logged(capsys)[0]["value"] == "\\ud83d"


def test_a_digest_names_a_person_without_showing_them() -> None:
    key = digest_key(["one", "two"])
    assert digest("ann@example.org", key) == digest("ann@example.org", key)
    assert digest("ann@example.org", key) != digest("bob@example.org", key)
    assert len(digest("é\ud800", key)) == 12
    assert set(digest("x", key)) <= set("0123456789abcdef")


def test_a_digest_cannot_be_worked_out_without_the_secrets() -> None:
    assert digest_key(["one", "two"]) == digest_key({"two", "one"})
    keys = [digest_key(secrets) for secrets in (["one"], ["one", "two"], ["onetwo"], [], [])]
    assert len({digest("ann@example.org", key) for key in keys}) == len(keys)


def test_a_person_is_logged_as_a_digest_that_holds_over_restarts(capsys: pytest.CaptureFixture[str]) -> None:
    for secrets in (["one"], ["one"], ["other"]):
        configure("json", "info", secrets)
        structlog.get_logger().info("x", person="emailaddress=ann@example.org")
    first, again, other = (str(line["person"]) for line in logged(capsys))
    assert first == again == digest("emailaddress=ann@example.org", digest_key(["one"]))
    assert other != first


@pytest.mark.parametrize(
    ("queue_id", "shown"),
    [
        ("ac1e0206-6d6fd2fa-62ce91e7-ba33-5cc458e6", True),
        ("7185867001", True),
        ("0", True),
        ("ann@example.org", False),
        ("+447700900123", False),
        ("07700900123", False),
    ],
)
def test_a_queue_id_is_shown_unless_it_is_somebodys_address(
    capsys: pytest.CaptureFixture[str], queue_id: str, shown: bool
) -> None:
    configure("json", "info", ["one"])
    structlog.get_logger().info("x", queue_id=queue_id)
    (line,) = logged(capsys)
    assert line["queue_id"] == (queue_id if shown else digest(queue_id, digest_key(["one"])))


@pytest.mark.parametrize("address", ["127.0.0.1", "192.168.100.200", "2001:db8:1234:5678::9012:3456"])
def test_a_callers_address_is_no_phone_number(capsys: pytest.CaptureFixture[str], address: str) -> None:
    configure("json", "info", ["one"])
    structlog.get_logger().info("x", address=address)
    (line,) = logged(capsys)
    assert line["address"] == address


def test_addresses_and_numbers_are_hidden_wherever_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info", [])
    structlog.get_logger().info(
        "to ann@example.org",
        file="ann%40example.org.csv",
        deep={"a@b.c": ["+44 7700 900123"]},
        leads=7700900123,
    )
    (line,) = logged(capsys)
    assert line["event"] == "to <email>"
    assert (line["file"], line["deep"], line["leads"]) == ("<email>", {"<email>": ["<phone>"]}, 7700900123)


def test_hosts_times_and_ids_stay(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info", [])
    kept = "http://10.100.200.150:8437 at 2026-01-02T03:04:05Z, ac1e0206-6d6fd2fa-62ce91e7-ba33-55458116"
    structlog.get_logger().info("x", value=kept)
    assert logged(capsys)[0]["value"] == kept


WORDS = "Jane Smith of TN25 6QD: no, (MXTrouble) LeadByte: x"


def whole_call_errors(words: str) -> Iterator[CallError]:
    """Every error that an answer with these words leads to, on both sides."""
    bodies: list[object] = [
        {name: words} for name in ("message", "error", "errors", "reason", "response", "status")
    ]
    for kind in (
        "MXUnknownAttributeException",
        "MXUnAuthorizedAccessException",
        "MXAPIRateLimitExceededException",
        words,
    ):
        bodies += [{"Status": "Error", "ExceptionType": kind, "ExceptionMessage": words}]
    bodies += [{"Status": "Error", "Message": words}, {"message": f"permission: {words}"}, words, [words]]
    for body in map(json.dumps, bodies):
        for status in (200, 400, 401, 403, 404, 409, 429, 500, 502):
            for judge in (
                lambda body=body, status=status: leadbyte.classify(status, {}, body, 0.0),
                lambda body=body: leadbyte.read_queue(body, "q-1"),
                lambda body=body, status=status: leadsquared.verdict(status, {}, body, 0.0),
            ):
                try:
                    judge()
                except CallError as error:
                    yield error


def test_of_an_error_only_our_own_words_are_logged(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info", [])
    errors = list(whole_call_errors(WORDS))
    assert len(errors) > 100
    assert any("Jane" in str(error) for error in errors)
    for error in errors:
        structlog.get_logger().info("failed", reason=str(error), error=error)
    for line in logged(capsys):
        assert not {"Jane", "Smith", "TN25"} & set(str(line).replace("'", " ").split()), line
        assert str(line["reason"]).startswith(("LeadByte ", "LeadSquared "))


def test_the_type_that_leadsquared_names_and_its_status_are_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("json", "info", [])
    body = {"Status": "Error", "ExceptionType": "MXDuplicateEntryException", "ExceptionMessage": "Jane"}
    with pytest.raises(CallError) as refused:
        leadsquared.verdict(500, {}, json.dumps(body), 0.0)
    with pytest.raises(CallError) as failed:
        leadbyte.classify(502, {}, json.dumps({"message": "Jane"}), 0.0)
    for error in (refused.value, failed.value):
        structlog.get_logger().info("failed", reason=str(error))
    said = [str(line["reason"]) for line in logged(capsys)]
    assert "(MXDuplicateEntryException)" in said[0]
    assert said[1] == "LeadByte failed with HTTP 502"


def test_a_secret_that_looks_like_a_number_is_hidden_before_numbers_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("json", "info", ["ab7700900123cd"])
    structlog.get_logger().info("x", value="<ab7700900123cd>")
    assert logged(capsys)[0]["value"] == f"<{HIDDEN}>"


def test_warnings_are_events_without_their_text(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure("json", "info", [])
        warnings.warn(
            "Unclosed response <ClientResponse(https://h/?key=Jane)>", ResourceWarning, stacklevel=1
        )
    (line,) = logged(capsys)
    assert (line["event"], line["kind"]) == ("warning", "ResourceWarning")
    assert str(line["place"]).startswith("test_telemetry.py:")
    assert "Jane" not in str(line)


def test_errors_that_nobody_can_catch_are_events_without_their_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("json", "info", [])
    try:
        fail("Jane")
    except RuntimeError as error:
        trace = error.__traceback__
        raised = SimpleNamespace(exc_type=RuntimeError, exc_value=error, exc_traceback=trace, object="Jane")
        sys.unraisablehook(raised)
        threading.excepthook(raised)  # type: ignore[arg-type]
        sys.excepthook(RuntimeError, error, trace)
    lines = logged(capsys)
    assert [line["event"] for line in lines] == ["error that nobody caught"] * 3
    assert all(str(line["exception"]).endswith("in fail\nRuntimeError") for line in lines)
    assert "Jane" not in str(lines)


def test_an_error_at_the_very_end_that_has_no_value_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info", [])
    sys.unraisablehook(SimpleNamespace(exc_type=None, exc_value=None, exc_traceback=None))
    assert len(logged(capsys)) <= 1


def log_calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call of a logger in the bridge, by file and line."""
    for path in (ROOT / "bridge").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in {"debug", "info", "warning", "error", "critical", "exception"}
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id.strip("_") == "log"
            ):
                yield f"{path.name}:{node.lineno}", node


OF_OTHERS = {"fields", "view", "raw", "reply", "context", "lookup", "words", "text", "body", "outcome"}
"""Attributes and names that hold what LeadByte, LeadSquared or a file said."""


def test_every_event_is_a_text_of_ours_and_no_value_is_what_others_said() -> None:
    calls = list(log_calls())
    assert len(calls) > 10
    for place, call in calls:
        assert [type(one) for one in call.args] == [ast.Constant], f"{place}: the event is no plain text"
        for value in (keyword.value for keyword in call.keywords if keyword.arg != "person"):
            named = {getattr(node, "attr", getattr(node, "id", "")) for node in ast.walk(value)}
            assert not named & (OF_OTHERS | {"identity"}), f"{place}: log digests, types and counts only"
