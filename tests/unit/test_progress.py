"""What is told of work under way, and that nobody is told where there is no terminal."""

from __future__ import annotations

import os
import pty
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridge.cli.intake import Tally, _shown
from bridge.cli.progress import BYTES, Work, progress, told


@pytest.mark.parametrize(
    ("work", "rate", "spent", "line"),
    [
        (Work("counting"), None, 5.0, "counting: 5s so far"),
        (Work("resync", "leads", 400), None, 3.0, "resync: 0 of 400 leads, 3s so far"),
        (Work("resync", "leads", 400, done=120), 35.2, 9.0, "resync: 120 of 400 leads, 35 a second, 8s left"),
        (
            Work("resync", "leads", 9000, done=10),
            2.5,
            9.0,
            "resync: 10 of 9,000 leads, 2.5 a second, 59.9m left",
        ),
        (Work("resync", "leads", 400, done=400), 35.2, 9.0, "resync: 400 of 400 leads, 35 a second"),
        (Work("reading", "leads", done=12_000), 8_000.0, 2.0, "reading: 12,000 leads, 8,000 a second"),
        (Work("report", "leads", 10, done=12), 6.0, 2.0, "report: 12 leads, 6.0 a second"),
        (
            Work("backup", BYTES, 800e6, done=120_400_000),
            90e6,
            2.0,
            "backup: 120.4 of 800.0 MB, 90.0 MB a second, 8s left",
        ),
    ],
)
def test_work_is_told_in_plain_words(work: Work, rate: float | None, spent: float, line: str) -> None:
    assert told(work, rate, spent) == line


def test_a_total_grows_with_what_is_left() -> None:
    work = Work("run", "leads")
    work.left(10)
    work.left(4)
    assert (work.done, work.total) == (6, 10)
    work.left(25)
    assert (work.done, work.total) == (0, 25)


@contextmanager
def standard_error(monkeypatch: pytest.MonkeyPatch, **environ: str) -> Iterator[list[bytes]]:
    """A terminal for standard error; gives what it was told, once it is closed."""
    told: list[bytes] = []
    ours, theirs = pty.openpty()

    def read() -> None:
        try:
            while data := os.read(ours, 65536):
                told.append(data)
        except OSError:  # how the end of a terminal looks
            return

    thread = threading.Thread(target=read)
    thread.start()
    for name, value in {"TERM": "xterm", "COLUMNS": "80", **environ}.items():
        monkeypatch.setenv(name, value)
    with open(theirs, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr(sys, "stderr", stream)
        yield told
        monkeypatch.undo()
    thread.join()
    os.close(ours)


def shown(told: list[bytes]) -> str:
    """What stood on the terminal at any time, without what moves its cursor."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", b"".join(told).decode())


def looked_at(looks: threading.Event) -> float:
    looks.set()
    return 3.0


def test_a_terminal_is_shown_the_work_in_one_line_that_goes_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    looks = threading.Event()
    with standard_error(monkeypatch) as told:
        with progress("counting", "leads", 9, lambda: looked_at(looks), patience=0.0) as work:
            assert looks.wait(30)
            sys.stderr.write("error: a line of its own\n")
            sys.stdout.write("the output\n")
        sys.stderr.write("the end\n")
    assert work.shown
    assert "counting: 3 of 9 leads" in shown(told)
    assert "error: a line of its own" in shown(told)
    last = b"".join(told)
    assert (last.count(b"\x1b[?25l"), last.count(b"\x1b[?25h")) == (1, 2), (
        "the cursor is there while the line is"
    )
    assert last.index(b"\x1b[?25l") < last.index(b"\x1b[?25h")
    assert last.endswith(b"\x1b[2Kthe end\r\n"), "the line is wiped"
    sys.stdout.flush()
    assert capfdbinary.readouterr().out == b"the output\n"


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {"TERM": "unknown"}, {"TTY_INTERACTIVE": "0"}])
def test_a_terminal_that_can_do_nothing_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    with standard_error(monkeypatch, **environ) as told, progress("counting", patience=0.0) as work:
        assert not work.shown
    assert told == []


def test_who_types_what_is_read_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        standard_error(monkeypatch),
        os.fdopen(os.dup(sys.stderr.fileno()), "rb") as typed,
        _shown([("-", typed)], Tally()) as work,
    ):
        assert not work.shown


def test_a_file_is_followed_by_how_far_it_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_bytes(b"queueId\nq1\n")
    with (
        standard_error(monkeypatch),
        (tmp_path / "leads.csv").open("rb") as stream,
        _shown([("leads.csv", stream)], Tally()) as work,
    ):
        assert work.look
        assert (work.shown, work.total, work.look()) == (True, 11, 0)
        stream.read()
        assert work.look() == 11


def test_what_is_done_soon_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with standard_error(monkeypatch) as told, progress("counting") as work:
        assert work.shown
    assert told == []


def test_nobody_is_told_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    before = threading.active_count()
    with progress("counting", patience=0.0) as work:
        assert not work.shown
        assert threading.active_count() == before
    assert capsys.readouterr() == ("", "")
