"""The inbox stage: files of queueIds dropped into `state/inbox/`."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import chain, count, takewhile
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, Self

import structlog

from bridge.errors import DiskFull
from bridge.intake import BadLine, read_tracks
from bridge.model import Track
from bridge.pipeline.crew import Crew
from bridge.pipeline.desk import Desk
from bridge.ports import Store

log = structlog.get_logger()

SETTLED_SECONDS = 1.0
REFUSED = "refused"
MOST_IN_MEMORY = 2**20
MOST_NAME = 230
"""Bytes of a file's name that are kept when it is set aside; a file system allows 255."""

UNFINISHED = (".part", ".tmp", ".refused")


class InboxStage:
    """Takes each settled file: its good lines are tracked, then the file goes.

    A file with bad lines moves to `refused/`, beside a `.refused` file that names each bad line and why. Hidden files,
    names ending in `.part` or `.tmp`, links and directories are left alone. Taking a file twice is harmless. Files may
    be long, so each is taken on a thread, with a store opened for it.
    """

    def __init__(
        self,
        open_store: Callable[[], AbstractContextManager[Store]],
        inbox: Path,
        deadline: float,
        clock: Callable[[], float],
        desk: Desk | None = None,
    ) -> None:
        self._open_store, self._inbox, self._desk = open_store, inbox, desk or Desk()
        self._deadline, self._clock = deadline, clock
        self._left_alone: set[object] = set()
        self.crew = Crew("inbox", 1, self._step)

    async def stop(self, grace: float) -> None:
        """Leave the file in hand; it is taken anew at the next start."""
        await self.crew.stop(grace)

    def empty(self) -> bool:
        """Whether no file waits to be taken. One that cannot be read is told once, and then left alone."""
        return not self._candidates()

    async def _step(self) -> bool:
        for path in self._candidates():
            try:
                if not 0 <= self._clock() - path.lstat().st_mtime < SETTLED_SECONDS:
                    await self._desk.in_thread(self._taken, path)
            except FileNotFoundError:
                continue
            except OSError as error:
                self._left_alone.add(_mark(path))
                log.warning("inbox file cannot be taken", file=path.name, reason=error.strerror)
        return False

    def _candidates(self) -> list[Path]:
        if not self._inbox.is_dir():
            return []
        found = sorted(path for path in self._inbox.iterdir() if _is_candidate(path))
        return [path for path in found if _mark(path) not in self._left_alone]

    def _taken(self, path: Path) -> None:
        """Take it. Raises DiskFull where there is no room: then it is taken anew."""
        try:
            self._take(path)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise DiskFull(
                    f"{self._inbox}: {error.strerror}; make room on the disk, nothing was lost"
                ) from None
            raise

    def _take(self, path: Path) -> None:
        now = self._clock()
        with _opened(path) as stream, _Notes(path.parent) as notes:
            before = _marked(path, os.fstat(stream.fileno()))
            with self._open_store() as store:
                tracks = self._until_stopped(notes.good(read_tracks(stream, path.name)))
                new = store.track(tracks, now, now + self._deadline)
            if self._desk.closing.is_set():
                return
            if _mark(path) != before:
                log.warning("inbox file grew while it was taken; it is taken once more", file=path.name)
                return
            log.info("inbox file taken", file=path.name, new=new, refused=notes.count)
            if notes.count:
                _set_aside(path, notes)
            else:
                path.unlink()

    def _until_stopped(self, tracks: Iterator[Track]) -> Iterator[Track]:
        """A file that is left in the middle stays, and is taken anew at the next start."""
        return takewhile(lambda _: not self._desk.closing.is_set(), tracks)


def _is_candidate(path: Path) -> bool:
    if path.name.startswith(".") or path.name.endswith(UNFINISHED):
        return False
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _mark(path: Path) -> object:
    """What tells a file from a later one of its name; None where it is gone."""
    try:
        return _marked(path, path.lstat())
    except FileNotFoundError:
        return None


def _marked(path: Path, found: os.stat_result) -> object:
    return path, found.st_ino, found.st_mtime_ns, found.st_size


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The plain file itself. A link, a pipe or a device that was put in its place is refused, and not waited for."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags), "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no plain file any more")
        yield stream


class _Notes:
    """A line for each bad line of a file. Many of them lie in a file without a name, not in memory."""

    def __init__(self, directory: Path) -> None:
        self.count = 0
        self._text = SpooledTemporaryFile(  # noqa: SIM115 - closed by __exit__
            MOST_IN_MEMORY, mode="w+", encoding="utf-8", dir=str(directory)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._text.close()

    def good(self, lines: Iterator[Track | BadLine]) -> Iterator[Track]:
        for line in lines:
            if isinstance(line, BadLine):
                self.count += 1
                self._text.write(f"line {line.line}: {line.reason}\n")
            else:
                yield line

    def save(self, path: Path) -> None:
        """Write them to a new file."""
        self._text.seek(0)
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as out:
            shutil.copyfileobj(self._text, out)


def _set_aside(path: Path, notes: _Notes) -> None:
    refused = path.parent / REFUSED
    refused.mkdir(mode=0o700, exist_ok=True)
    place, note = _free(refused, path.name)
    notes.save(note)
    with suppress(PermissionError):
        # Whoever dropped it may have let others read it; where it is theirs, only the directory keeps them out.
        path.chmod(0o600)
    path.replace(place)


def _free(directory: Path, name: str) -> tuple[Path, Path]:
    """Where a bad file goes, and the note about it. Neither is taken: a second bad file keeps the first."""
    short = os.fsdecode(os.fsencode(name)[:MOST_NAME])
    names = chain([short], (f"{short}.{n}" for n in count(2)))
    pairs = ((directory / one, directory / f"{one}.refused") for one in names)
    return next(pair for pair in pairs if not any(map(os.path.lexists, pair)))
