"""Files dropped into the inbox: taken once they are settled, none lost, none overwritten."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridge.pipeline.inbox import InboxStage
from bridge.ports import Store
from bridge.store import open_store

NOW = 1_700_000_000.0


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    directory = tmp_path / "inbox"
    directory.mkdir()
    return directory


def dropped(inbox: Path, name: str, text: str, at: float = NOW - 60) -> Path:
    path = inbox / name
    path.write_text(text)
    os.utime(path, (at, at))
    return path


def look(inbox: Path, store: object = None) -> InboxStage:
    """One look into the inbox."""

    @contextmanager
    def opened() -> Iterator[Store]:
        found = open_store(inbox.parent / "state")
        yield found
        found.close()

    stage = InboxStage(store or opened, inbox, 100.0, lambda: NOW)  # type: ignore[arg-type]
    asyncio.run(stage._step())
    return stage


def tracked(inbox: Path) -> int:
    store = open_store(inbox.parent / "state")
    found = store.status().leads["waiting"]
    store.close()
    return found


def test_a_settled_file_is_taken_and_gone(inbox: Path) -> None:
    path = dropped(inbox, "a.jsonl", '{"queueId": "q-1"}\nq-2\n')
    assert look(inbox).empty()
    assert not path.exists()
    assert tracked(inbox) == 2


def test_a_file_that_was_just_written_waits(inbox: Path) -> None:
    path = dropped(inbox, "a.txt", "q-1\n", NOW - 0.5)
    assert not look(inbox).empty()
    assert path.exists()


def test_a_file_from_the_future_is_taken_too(inbox: Path) -> None:
    dropped(inbox, "a.txt", "q-1\n", NOW + 86_400)
    assert look(inbox).empty()
    assert tracked(inbox) == 1


@pytest.mark.parametrize("name", [".hidden", "a.part", "a.tmp"])
def test_unfinished_files_are_left_alone(inbox: Path, name: str) -> None:
    path = dropped(inbox, name, "q-1\n")
    assert look(inbox).empty()
    assert path.exists()


def test_links_and_directories_are_left_alone(inbox: Path) -> None:
    outside = dropped(inbox.parent, "outside.txt", "q-1\n")
    (inbox / "link.txt").symlink_to(outside)
    (inbox / "folder").mkdir()
    assert look(inbox).empty()
    assert outside.exists()


def test_a_second_bad_file_of_one_name_keeps_the_first(inbox: Path) -> None:
    for bad in ("one two\n", "three four\n"):
        dropped(inbox, "a.txt", bad)
        look(inbox)
    refused = inbox / "refused"
    assert sorted(path.read_text() for path in refused.glob("a.txt*") if path.suffix != ".refused") == [
        "one two\n",
        "three four\n",
    ]
    assert len(list(refused.glob("*.refused"))) == 2


def test_a_file_that_grows_while_it_is_taken_is_taken_once_more(inbox: Path) -> None:
    path = dropped(inbox, "a.txt", "q-1\n")

    @contextmanager
    def growing() -> Iterator[Store]:
        found = open_store(inbox.parent / "state")
        track = found.track

        def slow(tracks: object, now: float, deadline_at: float) -> int:
            new = track(list(tracks), now, deadline_at)  # type: ignore[call-overload]
            path.write_text("q-1\nq-2\n")
            return int(new)

        found.track = slow  # type: ignore[method-assign, assignment]
        yield found
        found.close()

    look(inbox, growing)
    assert path.exists()
    os.utime(path, (NOW - 60, NOW - 60))
    look(inbox)
    assert tracked(inbox) == 2


def test_a_file_that_cannot_be_taken_is_left_alone_until_it_is_another(inbox: Path) -> None:
    @contextmanager
    def broken() -> Iterator[Store]:
        raise OSError(5, "Input/output error")
        yield

    path = dropped(inbox, "a.txt", "q-1\n")
    stage = look(inbox, broken)
    assert stage.empty()
    assert path.exists()
    dropped(inbox, "a.txt", "q-1\nq-2\n", NOW - 30)
    assert not stage.empty()
