"""Looking again and again: how long is rested, and what is shown where nothing can be seen."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from rich.console import Console
from rich.live import Live

from bridge.cli.watching import Lines, Painted, watch
from bridge.errors import Busy, StoreError

NOW = 1_767_323_045.0


@dataclass
class Place:
    """Looks that take as long as they are told to, until `looks` are made; each is shown, or a busy store."""

    takes: Sequence[float]
    busy_at: frozenset[int] = frozenset()
    time: float = 0.0
    made: int = 0
    shown: list[str] = field(default_factory=list)
    rests: list[float] = field(default_factory=list)

    def look(self) -> Sequence[str]:
        self.made += 1
        self.time += self.takes[self.made - 1]
        if self.made in self.busy_at:
            raise Busy("locked")
        return [f"look {self.made}"]

    def show(self, lines: Sequence[str], now: float) -> None:
        assert now == NOW
        self.shown += lines

    def busy(self, now: float) -> None:
        self.shown.append(f"busy at {now - NOW:.0f}")

    def rest(self, seconds: float) -> None:
        self.rests.append(seconds)
        self.time += seconds
        if self.made == len(self.takes):
            raise KeyboardInterrupt

    def watch(self) -> None:
        watch(self.look, self, lambda: NOW, lambda: self.time, self.rest)


def test_a_large_store_is_not_counted_back_to_back() -> None:
    place = Place([0.01, 0.2, 3.0, 0.0])
    place.watch()
    assert place.shown == ["look 1", "look 2", "look 3", "look 4"]
    assert place.rests == pytest.approx([2.0, 2.0, 30.0, 2.0])


def test_who_keeps_the_store_busy_is_waited_for() -> None:
    place = Place([0.1, 1.0, 0.1], frozenset({2}))
    place.watch()
    assert place.shown == ["look 1", "busy at 0", "look 3"]
    assert place.rests == pytest.approx([2.0, 10.0, 2.0])


def test_ctrl_c_in_the_middle_of_a_look_ends_it() -> None:
    def stopped() -> Sequence[str]:
        raise KeyboardInterrupt

    watch(stopped, Lines(headed=True), lambda: NOW)


def test_a_store_that_cannot_be_used_is_an_error() -> None:
    def broken() -> Sequence[str]:
        raise StoreError("damaged")

    with pytest.raises(StoreError):
        watch(broken, Lines(headed=True), lambda: NOW)


def test_without_a_terminal_one_look_is_below_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    headed, plain = Lines(headed=True), Lines(headed=False)
    headed.show(["a\x1b[2J", "b"], NOW)
    headed.busy(NOW)
    plain.show(['{"a":1}'], NOW)
    said = capsys.readouterr()
    assert said.out == '--- 2026-01-02 03:04:05 UTC\na\ufffd[2J\nb\n{"a":1}\n'
    assert said.err == "2026-01-02 03:04:05 UTC: the database is busy; looking again\n"


@pytest.fixture
def painted() -> Iterator[tuple[Painted, io.StringIO]]:
    out = io.StringIO()
    told = {"TERM": "xterm"}
    console = Console(file=out, force_terminal=True, width=90, color_system=None, _environ=told)
    with Live(console=console, auto_refresh=False) as live:
        yield Painted("status", live), out


def test_a_terminal_is_painted_anew(painted: tuple[Painted, io.StringIO]) -> None:
    screen, out = painted
    screen.show(["first", "second\n"], NOW)
    before = out.tell()
    screen.busy(NOW)
    again = out.getvalue()[before:]
    assert again.startswith("\r\x1b[2K\x1b[1A\x1b[2K\x1b[1A\x1b[2K"), "what stood there is wiped"
    assert "03:04:05 UTC: the database is busy; looking again" in again
    assert "first\nsecond" in again, "what was seen last stays"
    assert "status at 2026-01-02 03:04:05 UTC; Ctrl-C ends\nfirst" in out.getvalue()
