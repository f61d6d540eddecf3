"""The inbox stage: files of queueIds dropped into `state/inbox/`."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog

from bridge.intake import BadLine, read_tracks
from bridge.model import Track
from bridge.pipeline.crew import Crew
from bridge.pipeline.desk import Desk
from bridge.ports import Store

log = structlog.get_logger()

SETTLED_SECONDS = 1.0
REFUSED = "refused"
UNFINISHED = (".part", ".tmp", ".refused")


class InboxStage:
    """Takes each settled file: its good lines are tracked, then the file goes.

    A file with bad lines moves to `refused/`, beside a `.refused` file that names each bad line and why. Hidden files,
    names ending in `.part` or `.tmp`, links and directories are left alone. Taking a file twice is harmless.
    """

    def __init__(
        self, store: Store, desk: Desk, inbox: Path, deadline: float, clock: Callable[[], float]
    ) -> None:
        self._store, self._desk, self._inbox = store, desk, inbox
        self._deadline, self._clock = deadline, clock
        self._left_alone: set[Path] = set()
        self.crew = Crew("inbox", 1, self._step)

    async def stop(self, grace: float) -> None:
        """Finish the file in hand."""
        await self.crew.stop(grace)

    async def empty(self) -> bool:
        """Whether no file waits to be taken. One that cannot be read is told once, and then left alone."""
        return not await self._desk(self._candidates)

    async def _step(self) -> bool:
        for path in await self._desk(self._candidates):
            try:
                if self._clock() - path.lstat().st_mtime >= SETTLED_SECONDS:
                    await self._desk(self._take, path)
            except OSError as error:
                self._left_alone.add(path)
                log.warning("inbox file cannot be taken", file=path.name, reason=error.strerror)
        return False

    def _candidates(self) -> list[Path]:
        if not self._inbox.is_dir():
            return []
        found = sorted(path for path in self._inbox.iterdir() if _is_candidate(path))
        return [path for path in found if path not in self._left_alone]

    def _take(self, path: Path) -> None:
        bad: list[BadLine] = []
        now = self._clock()
        with path.open("rb") as stream:
            new = self._store.track(_good(read_tracks(stream, path.name), bad), now, now + self._deadline)
        log.info("inbox file taken", new=new, refused=len(bad))
        if bad:
            _set_aside(path, bad)
        else:
            path.unlink()


def _is_candidate(path: Path) -> bool:
    if path.name.startswith(".") or path.name.endswith(UNFINISHED):
        return False
    return stat.S_ISREG(path.lstat().st_mode)


def _good(lines: Iterator[Track | BadLine], bad: list[BadLine]) -> Iterator[Track]:
    for line in lines:
        if isinstance(line, BadLine):
            bad.append(line)
        else:
            yield line


def _set_aside(path: Path, bad: list[BadLine]) -> None:
    refused = path.parent / REFUSED
    refused.mkdir(mode=0o700, exist_ok=True)
    note = refused / f"{path.name}.refused"
    note.write_text("".join(f"line {line.line}: {line.reason}\n" for line in bad), encoding="utf-8")
    path.replace(refused / path.name)
