"""A stream of untrusted bytes as numbered lines of text."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

MOST_LINE: Final = 2**20
"""Bytes of the longest line that is taken, its end included."""

UTF8_BOM: Final = b"\xef\xbb\xbf"
UTF16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")


@runtime_checkable
class Readable(Protocol):
    """A binary stream."""

    def readline(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its text with its end, or the problem that leaves it without. `hopeless`: so are all after it."""

    number: int
    text: str
    problem: str | None = None
    hopeless: bool = False


class Lines:
    """The lines of a source, some of which may be put back."""

    def __init__(self, source: Readable | Iterable[bytes]) -> None:
        raw = _read(source) if isinstance(source, Readable) else iter(source)
        self._fresh = (_decoded(number, line) for number, line in enumerate(raw, 1))
        self._put_back: deque[Line] = deque()

    def __iter__(self) -> Iterator[Line]:
        return self

    def __next__(self) -> Line:
        return self._put_back.popleft() if self._put_back else next(self._fresh)

    def put_back(self, lines: Sequence[Line]) -> None:
        """These come next, in this order."""
        self._put_back.extendleft(reversed(lines))

    def peek(self) -> Line | None:
        """The next line that is not blank; it stays. The blank ones before it are gone. None: there is none."""
        for line in self:
            if line.problem or line.text.strip():
                self.put_back((line,))
                return line
        return None


def _read(stream: Readable) -> Iterator[bytes]:
    """Line by line; of a line that is too long, enough to see that it is."""
    while line := stream.readline(MOST_LINE + 1):
        rest = line
        while len(rest) > MOST_LINE and not rest.endswith(b"\n"):
            rest = stream.readline(MOST_LINE + 1)
        yield line


def _decoded(number: int, line: bytes) -> Line:
    if number == 1:
        if line.startswith(UTF16_BOMS):
            return Line(number, "", "the text is UTF-16; save it as UTF-8", hopeless=True)
        line = line.removeprefix(UTF8_BOM)
    if len(line) > MOST_LINE:
        return Line(number, "", "the line is longer than 1 MiB; write one lead on a line")
    if b"\0" in line:
        return Line(number, "", "the line holds NUL characters; save the file as UTF-8 text")
    try:
        return Line(number, line.decode())
    except UnicodeDecodeError:
        return Line(number, "", "the line is not UTF-8 text; save the file as UTF-8")
