"""Files that nobody should drop into the inbox: no name and no kind of file leads out of it, hangs it or hides a line."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from bridge.pipeline import inbox as stage
from bridge.telemetry import configure
from tests.edge.nasties import FILE_NAMES, bounded, peak
from tests.unit.test_inbox import NOW, dropped, inbox, look, tracked

__all__ = ["inbox"]


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def named(inbox: Path, name: bytes, text: str) -> Path:
    path = inbox / os.fsdecode(name)
    path.write_text(text)
    os.utime(path, (NOW - 60, NOW - 60))
    return path


@pytest.mark.parametrize("name", FILE_NAMES.values(), ids=list(FILE_NAMES))
def test_a_file_by_any_name_is_taken_and_its_bad_lines_are_noted(
    inbox: Path, name: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("json", "info", ())
    path = named(inbox, name, "q-1\nbad line\n")
    assert look(inbox).empty()
    assert not path.exists()
    assert tracked(inbox) == 1
    kept = sorted((inbox / "refused").iterdir(), key=lambda one: len(one.name))
    assert [one.read_text().split(":")[0] for one in kept] == ["q-1\nbad line\n", "line 2"]
    assert kept[1].stat().st_mode & 0o777 == 0o600
    events = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert events == ["inbox file taken"]


def test_two_long_names_that_are_cut_alike_keep_both_files(inbox: Path) -> None:
    for end in (b"a", b"b"):
        named(inbox, b"q" * 254 + end, f"bad {end.decode()}\n")
    look(inbox)
    texts = sorted(path.read_text() for path in (inbox / "refused").iterdir() if path.suffix != ".refused")
    assert texts == ["bad a\n", "bad b\n"]


def test_what_is_no_plain_file_is_left_alone(inbox: Path) -> None:
    os.mkfifo(inbox / "pipe.csv")
    (inbox / "passwd.csv").symlink_to("/etc/passwd")
    (inbox / "device.csv").symlink_to("/dev/zero")
    (inbox / "nowhere.csv").symlink_to(inbox / "nowhere.csv")
    (inbox / "folder.csv").mkdir()
    dropped(inbox, "z.csv", "queueId\nq-1\n")
    with bounded():
        assert look(inbox).empty()
    assert tracked(inbox) == 1
    assert sorted(path.name for path in inbox.iterdir()) == [
        "device.csv", "folder.csv", "nowhere.csv", "passwd.csv", "pipe.csv",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "gone"])
def test_a_file_that_is_swapped_between_look_and_taking_is_not_followed(
    inbox: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = dropped(inbox.parent, "outside.txt", "secret\n")
    path = dropped(inbox, "a.txt", "q-1\n")
    is_candidate = stage._is_candidate

    def then_swapped(found: Path) -> bool:
        was = is_candidate(found)
        if found == path and was:
            path.unlink()
            {
                "link": lambda: path.symlink_to(outside),
                "pipe": lambda: os.mkfifo(path),
                "folder": path.mkdir,
                "gone": lambda: None,
            }[kind]()
        return was

    monkeypatch.setattr(stage, "_is_candidate", then_swapped)
    with bounded():
        look(inbox)
    assert tracked(inbox) == 0
    assert outside.read_text() == "secret\n"


def test_a_link_where_a_note_would_go_is_not_written_through(inbox: Path) -> None:
    target = inbox.parent / "target"
    target.write_text("mine")
    (inbox / "refused").mkdir()
    (inbox / "refused" / "a.txt.refused").symlink_to(target)
    dropped(inbox, "a.txt", "bad line\n")
    look(inbox)
    assert target.read_text() == "mine"
    assert (inbox / "refused" / "a.txt.2").read_text() == "bad line\n"


def test_a_file_of_nothing_but_bad_lines_fills_no_memory(inbox: Path) -> None:
    lines = 40_000
    dropped(inbox, "a.txt", "bad line\n" * lines)
    assert peak(lambda: look(inbox)) < 6 * 2**20
    note = inbox / "refused" / "a.txt.refused"
    assert note.read_text().count("\n") == lines


def test_a_note_can_be_made_where_the_inbox_is_all_that_can_be_written(
    inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    monkeypatch.setattr(stage, "MOST_IN_MEMORY", 10)
    dropped(inbox, "a.txt", "bad line\nq-1\n" * 20)
    assert look(inbox).empty()
    assert (inbox / "refused" / "a.txt.refused").read_text().count("line ") == 20
