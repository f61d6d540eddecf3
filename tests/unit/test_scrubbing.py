"""A person's records go out of dropped files; everybody else's stay as they are, character by character."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.pipeline import erasing
from bridge.pipeline.erasing import InFiles, in_files, others
from bridge.pipeline.scrubbing import scrubbed
from bridge.policy.people import person

ANN = person(emails=["ann@example.com"]).known_by(["hers-1234"])


def scrub(text: str) -> tuple[str, int]:
    found = list(scrubbed(text.splitlines(keepends=True), ANN.is_in))
    return "".join(kept for kept, _ in found), sum(gone for _, gone in found)


@pytest.mark.parametrize(
    ("text", "left", "gone"),
    [
        ("q-1\nhers-1234\nq-2\n", "q-1\nq-2\n", 1),
        ("hers-1234", "", 1),
        (
            "queueId,mail\nq-1,ann@example.com\nq-2,bob@example.com\n",
            "queueId,mail\nq-2,bob@example.com\n",
            1,
        ),
        (
            'queueId,note\nq-1,"from\nann@example.com\nbye"\nq-2,"x\ny"\n',
            'queueId,note\nq-2,"x\ny"\n',
            1,
        ),
        ('{"queueId": "q-1", "who": "ANN@example.com"}\n{"queueId": "q-2"}\n', '{"queueId": "q-2"}\n', 1),
        ('{\n "queueId": "q-1",\n "who": "ann@example.com"\n}\nq-2\n', "q-2\n", 1),
        ('["q-1", "hers-1234", "q-2"]\n', '["q-1", "q-2"]\n', 1),
        ('["hers-1234"]\nq-2\n', "q-2\n", 1),
        (
            '{"status": "Success", "results": [{"queueId": "hers-1234"}, {"queueId": "q-2"}]}\n',
            '{"status": "Success", "results": [{"queueId": "q-2"}]}\n',
            1,
        ),
        ('{"results": [{"queueId": "hers-1234"}]}', "", 1),
        ('{"results": [{"queueId": "q-1"}], "message": "ann@example.com"}\nq-2\n', "q-2\n", 1),
        ('{"status": "ann@example.com"}\nq-2\n', "q-2\n", 1),
        ('{"queueId": "q-1", "mails": ["ann@example.com"]}\n', "", 1),
        (
            '{"queueId": "q-1", "who": "ann@example.com"\nq-2\n',
            "q-2\n",
            1,
        ),
        ('\ufeff{"queueId": "hers-1234"}\nq-2', "q-2", 1),
        ('q-1,"never closed\nhers-1234\nq-2\n', 'q-1,"never closed\nq-2\n', 1),
        ("q-1\r\nq-2 \r\n\r\n", "q-1\r\nq-2 \r\n\r\n", 0),
    ],
)
def test_only_their_records_go(text: str, left: str, gone: int) -> None:
    assert scrub(text) == (left, gone)


def test_a_row_whose_quote_is_never_closed_does_not_take_a_long_file_with_it() -> None:
    lines = ['q-0,"never closed\n', *(f"q-{n}\n" for n in range(1, 300)), "hers-1234\n", 'q-300,"nor this\n']
    left, gone = scrub("".join(lines))
    assert (left, gone) == ("".join(lines).replace("hers-1234\n", ""), 1)


def test_where_only_broken_lines_together_speak_of_them_all_of_those_go() -> None:
    who = person(phones=["+447700900123"])
    assert list(scrubbed(['{"phone": "07700\n', '900123",\n'], who.is_in)) == [("", 1)]


@given(st.text(alphabet='q-1,"{}[]:\n\r \t', max_size=80))
def test_what_is_not_theirs_is_never_changed(text: str) -> None:
    assert scrub(text) == (text, 0)


@given(st.lists(st.sampled_from(["q-1", '{"queueId": "q-2"}', '["q-3", "q-4"]', "hers-1234"]), max_size=20))
def test_every_other_line_stays_in_its_order(lines: list[str]) -> None:
    left, gone = scrub("".join(f"{line}\n" for line in lines))
    assert left.split() == " ".join(line for line in lines if line != "hers-1234").split()
    assert gone == lines.count("hers-1234")


# files


@pytest.fixture
def state(tmp_path: Path) -> Path:
    for name in ("inbox/refused", "reports"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def test_files_are_only_counted_until_they_are_to_be_erased(state: Path) -> None:
    (state / "inbox" / "a.csv").write_text("hers-1234\nq-2\n")
    (state / "reports" / "latest.json").write_text('{"leads": [\n{"queue_id": "hers-1234"}\n]}')
    assert in_files(state, ANN.is_in, erase=False) == InFiles(1, 1)
    assert in_files(state, ANN.is_in, erase=True) == InFiles(1, 1)
    assert (state / "inbox" / "a.csv").read_text() == "q-2\n"
    assert stat.S_IMODE((state / "inbox" / "a.csv").stat().st_mode) == 0o600
    assert not (state / "reports" / "latest.json").exists()
    assert not in_files(state, ANN.is_in, erase=False)


def test_a_refused_file_that_held_nobody_else_goes_with_its_note(state: Path) -> None:
    refused = state / "inbox" / "refused"
    (refused / "a.csv").write_text("hers-1234\n")
    (refused / "a.csv.refused").write_text("line 1: no queueId\n")
    (refused / "b.csv").write_text("q-2\n")
    in_files(state, ANN.is_in, erase=True)
    assert [path.name for path in refused.iterdir()] == ["b.csv"]


def test_bytes_that_are_no_text_stay_as_they_are(state: Path) -> None:
    path = state / "inbox" / "latin.csv"
    path.write_bytes(b"Zo\xeb,q-1\r\nhers-1234\r\n\xff\xfe\0x\n")
    in_files(state, ANN.is_in, erase=True)
    assert path.read_bytes() == b"Zo\xeb,q-1\r\n\xff\xfe\0x\n"


def test_a_file_that_a_service_takes_meanwhile_is_not_brought_back(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = state / "inbox" / "a.csv"
    path.write_text("hers-1234\nq-2\n")
    taken = taking(path, "later\n")
    assert in_files(state, taken, erase=True).records == 1
    assert path.read_text() == "later\n"
    assert [one.name for one in (state / "inbox").iterdir() if one.is_file()] == ["a.csv"]


def taking(path: Path, instead: str) -> Callable[[str], bool]:
    """Asked about the same line for the second time (that is: while the file is written anew), another file is there."""
    asked: list[str] = []

    def is_theirs(text: str) -> bool:
        asked.append(text)
        if asked.count("hers-1234\n") == 2:
            path.rename(path.parent / "refused" / path.name)
            (path.parent / "refused" / path.name).unlink()
            path.write_text(instead)
        return ANN.is_in(text)

    return is_theirs


def test_links_are_left_alone(state: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("hers-1234\n")
    (state / "inbox" / "link.csv").symlink_to(outside)
    assert not in_files(state, ANN.is_in, erase=True)
    assert outside.read_text() == "hers-1234\n"


def test_a_line_that_is_longer_than_any_record_is_looked_through_in_pieces(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "MOST", 1000)
    path = state / "inbox" / "long.txt"
    path.write_text(f"{'x' * 1000}{' ' * 500}hers-1234{' ' * 600}{'y' * 1000}\nq-2\n")
    assert in_files(state, ANN.is_in, erase=True).records == 1
    assert "hers" not in path.read_text()
    assert path.read_text().startswith("x" * 1000)
    assert path.read_text().endswith("y\nq-2\n")


@pytest.mark.parametrize("name", ["a.csv.part", "a.tmp", ".a.csv"])
def test_a_file_that_is_still_being_written_is_left_alone_and_told(state: Path, name: str) -> None:
    path = state / "inbox" / name
    path.write_text("hers-1234\n")
    assert not in_files(state, ANN.is_in, erase=True)
    assert path.read_text() == "hers-1234\n"
    assert others(state) == [f"inbox/{name}"]


def test_files_that_nobody_looks_into_are_told(state: Path) -> None:
    for name in ("bridge.db", "bridge.db-wal", "bridge.lock", "README.md", "copy.db", "notes.txt"):
        (state / name).write_text("")
    assert others(state) == ["copy.db", "notes.txt"]


def test_a_long_reply_keeps_its_other_leads(state: Path) -> None:
    leads = [{"queueId": f"q-{n}", "note": "x" * 50} for n in range(2000)]
    leads[1234] = {"queueId": "q-1234", "note": "Ann@Example.com"}
    path = state / "inbox" / "refused" / "reply.json"
    path.write_text(json.dumps({"status": "Success", "results": leads}, indent=1))
    assert in_files(state, ANN.is_in, erase=True).records == 1
    assert len(json.loads(path.read_text())["results"]) == 1999
