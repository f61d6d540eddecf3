"""The inbox stage: files of queueIds dropped into `state/inbox/`."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import chain, count
from pathlib import Path

import structlog

from bridge.intake import BadLine, read_tracks
from bridge.model import Track
from bridge.pipeline.crew import Crew
from bridge.ports import Store

log = structlog.get_logger()

SETTLED_SECONDS = 1.0
REFUSED = "refused"
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
    ) -> None:
        self._open_store, self._inbox = open_store, inbox
        self._deadline, self._clock = deadline, clock
        self._left_alone: set[object] = set()
        self.crew = Crew("inbox", 1, self._step)

    async def stop(self, grace: float) -> None:
        """Finish the file in hand."""
        await self.crew.stop(grace)

    def empty(self) -> bool:
        """Whether no file waits to be taken. One that cannot be read is told once, and then left alone."""
        return not self._candidates()

    async def _step(self) -> bool:
        for path in self._candidates():
            try:
                if not 0 <= self._clock() - path.lstat().st_mtime < SETTLED_SECONDS:
                    await asyncio.to_thread(self._take, path)
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

    def _take(self, path: Path) -> None:
        bad: list[BadLine] = []
        now = self._clock()
        with path.open("rb") as stream, self._open_store() as store:
            before = _mark(path)
            new = store.track(_good(read_tracks(stream, path.name), bad), now, now + self._deadline)
        if _mark(path) != before:
            log.warning("inbox file grew while it was taken; it is taken once more", file=path.name)
            return
        log.info("inbox file taken", file=path.name, new=new, refused=len(bad))
        if bad:
            _set_aside(path, bad)
        else:
            path.unlink()


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
        found = path.lstat()
    except FileNotFoundError:
        return None
    return path, found.st_ino, found.st_mtime_ns, found.st_size


def _good(lines: Iterator[Track | BadLine], bad: list[BadLine]) -> Iterator[Track]:
    for line in lines:
        if isinstance(line, BadLine):
            bad.append(line)
        else:
            yield line


def _set_aside(path: Path, bad: list[BadLine]) -> None:
    refused = path.parent / REFUSED
    refused.mkdir(mode=0o700, exist_ok=True)
    place = _free(refused, path.name)
    note = place.with_name(f"{place.name}.refused")
    note.write_text("".join(f"line {line.line}: {line.reason}\n" for line in bad), encoding="utf-8")
    path.replace(place)


def _free(directory: Path, name: str) -> Path:
    """A path of that name that is not taken: a second bad file keeps the first."""
    names = chain([name], (f"{name}.{n}" for n in count(2)))
    return next(directory / one for one in names if not (directory / one).exists())
