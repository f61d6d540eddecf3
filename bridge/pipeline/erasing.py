"""One person taken out of the files of the state directory: dropped and refused files, and reports."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from bridge.pipeline.scrubbing import MOST, Theirs, scrubbed

INBOXES: Final = ("inbox", "inbox/refused")
REPORTS: Final = "reports"
OWN: Final = re.compile(r"bridge\.(db(-wal|-shm)?|lock)|README\.md|\.gitignore")
CHUNK: Final = 2**20
OVERLAP: Final = 2**10


@dataclass(frozen=True, slots=True)
class InFiles:
    """What files hold of a person. `records`: leads in dropped and refused files; `reports`: reports that name them."""

    records: int = 0
    reports: int = 0

    def __bool__(self) -> bool:
        return bool(self.records or self.reports)


def in_files(state_dir: Path, is_theirs: Theirs, *, erase: bool) -> InFiles:
    """Count what files hold of a person; with `erase` take it out of dropped files, and remove such reports.

    Links are left alone. A file that a service takes at this moment is left to it. Raises OSError.
    """
    counts = [_scrub(path, is_theirs, erase=erase) for path in _dropped(state_dir) if not _unfinished(path)]
    told = [path for path in _files(state_dir / REPORTS) if _names(path, is_theirs)]
    for path in told if erase else ():
        path.unlink(missing_ok=True)
    return InFiles(sum(counts), len(told))


def others(state_dir: Path) -> list[str]:
    """Files that nobody looks into: those in the state directory that are none of the bridge's, and unfinished ones."""
    strange = [path for path in _files(state_dir) if not OWN.fullmatch(path.name)]
    return [
        str(path.relative_to(state_dir)) for path in (*strange, *filter(_unfinished, _dropped(state_dir)))
    ]


def traces(path: Path, is_theirs: Theirs) -> bool:
    """Whether the raw bytes of a database speak of the person. This process may not have it open."""
    before = ""
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            text = before + chunk.decode("utf-8", "replace").replace("\0", " ")
            if is_theirs(text):
                return True
            before = text[-OVERLAP:]
    return False


def _files(directory: Path) -> list[Path]:
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if path.is_file() and not path.is_symlink())


def _dropped(state_dir: Path) -> list[Path]:
    return [path for name in INBOXES for path in _files(state_dir / name)]


def _unfinished(path: Path) -> bool:
    """Whether somebody may still write to a dropped file: what they write would be lost with the file they opened."""
    return path.name.startswith(".") or path.name.endswith((".part", ".tmp"))


def _scrub(path: Path, is_theirs: Theirs, *, erase: bool) -> int:
    """How many leads of a file are theirs. It is written anew only if there are any."""
    try:
        with _opened(path) as stream:
            gone = sum(count for _, count in scrubbed(_lines(stream), is_theirs))
        if gone and erase:
            _rewrite(path, is_theirs)
    except FileNotFoundError:
        return 0
    return gone


def _rewrite(path: Path, is_theirs: Theirs) -> None:
    """A file without their records takes its place; where nothing is left it goes, and its note of refusals with it."""
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    partial = Path(name)
    try:
        with (
            _opened(path) as stream,
            os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as out,
        ):
            before = _version(os.fstat(stream.fileno()))
            size = sum(out.write(text) for text, _ in scrubbed(_lines(stream), is_theirs))
            out.flush()
            os.fsync(out.fileno())
            unchanged = _version(path.stat()) == before
        if unchanged and size:
            partial.replace(path)
        elif unchanged:
            path.unlink()
            path.with_name(f"{path.name}.refused").unlink(missing_ok=True)
    finally:
        partial.unlink(missing_ok=True)


def _version(found: os.stat_result) -> tuple[int, ...]:
    """What changes where a file is replaced or written to."""
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _names(path: Path, is_theirs: Theirs) -> bool:
    try:
        with _opened(path) as stream:
            return any(map(is_theirs, _lines(stream)))
    except FileNotFoundError:
        return False


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """As text that is written back byte by byte as it was, whatever it is."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        yield stream


def _lines(stream: TextIO) -> Iterator[str]:
    """With their ends; a line that is longer than any record comes in pieces."""
    return iter(lambda: stream.readline(MOST), "")
