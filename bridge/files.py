"""Files beside the store: mapping files read, reports written."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

import structlog

from bridge import reports
from bridge.errors import Busy, MappingError, StoreError
from bridge.mapping import AnyMapping, load

log = structlog.get_logger()

WHERE = (
    "set BRIDGE_MAPPINGS_DIR to the directory of the mapping files, or make it; "
    "`bridge mapping example leadbyte-to-leadsquared` prints a file to begin with"
)


class MappingDirectory:
    """The mapping files of a directory: `.yaml` and `.yml`, in the order of their names."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen: object = None
        self._good: Sequence[AnyMapping] = ()

    def read(self) -> Sequence[AnyMapping]:
        """All of them, checked. Raises MappingError with all problems of all files."""
        try:
            self._seen = self._signature()
            texts = {str(path): path.read_text("utf-8", "surrogateescape") for path in self._paths()}
        except OSError as error:
            place = error.filename or self._directory
            raise MappingError([f"{place}: {error.strerror}; {WHERE}"]) from None
        self._good = load(texts)
        return self._good

    def current(self) -> Sequence[AnyMapping]:
        """As the files are now. Where they have become wrong, that is logged once and the last good ones stay."""
        try:
            if self._signature() != self._seen:
                self.read()
                log.info("mapping files read anew", files=len(self._good))
        except (OSError, MappingError) as error:
            log.warning("mapping files are wrong; the earlier ones stay in force", problems=str(error))
        return self._good

    def _paths(self) -> list[Path]:
        return sorted(path for path in self._directory.iterdir() if path.suffix in {".yaml", ".yml"})

    def _signature(self) -> object:
        stats = [(path, path.stat()) for path in self._paths()]
        return [(path, stat.st_mtime_ns, stat.st_size) for path, stat in stats]


HELD_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.1
REPORTS = {"json": reports.write_json, "csv": reports.write_csv, "html": reports.write_html}


@contextmanager
def reports_held(directory: Path, patience: float = HELD_SECONDS) -> Iterator[None]:
    """Nobody else of the bridge, in whatever process, writes or clears the reports meanwhile.

    Raises Busy where somebody does for longer than `patience` seconds, StoreError where there can be no such directory.
    """
    with _told_of(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        until = time.monotonic() + patience
        while not _taken(descriptor):
            if time.monotonic() >= until:
                raise Busy(f"{directory}: another process of the bridge is at the reports; try again later")
            time.sleep(LOOK_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


@contextmanager
def _told_of(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{directory}: {error.strerror}; make the directory writable for the user that runs the bridge"
        ) from None


def write_reports(made: Callable[[], reports.Report], directory: Path, now: float) -> None:
    """Write a fresh report in each format, as `latest` and as the one of the day (UTC).

    Raises StoreError where the directory cannot be written.
    """
    today = datetime.fromtimestamp(now, UTC).date().isoformat()
    with _told_of(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for ending, write in REPORTS.items():
            latest = directory / f"latest.{ending}"
            with private_file(latest) as out:
                write(made(), out)
            with whole(directory / f"{today}.{ending}") as copy:
                shutil.copyfile(latest, copy)


@contextmanager
def private_file(path: Path) -> Iterator[TextIO]:
    """A text file of mode 0600 that takes the place of `path` once it is written whole.

    What is no regular file (a device, a pipe) is written to as it is.
    """
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8", newline="") as out:
            yield out
        return
    with whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as out:
        yield out


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """An empty file of mode 0600 to be written; it takes the place of `path` at the end, and goes where that fails."""
    partial = path.with_name(f".{path.name}.part")
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    try:
        yield partial
        _onto_the_disk(partial)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _onto_the_disk(path: Path) -> None:
    """Else a loss of power could leave an empty file of the right name."""
    with path.open("rb+") as written:
        os.fsync(written.fileno())
