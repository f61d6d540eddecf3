"""SQLite's file, page by page (https://www.sqlite.org/fileformat.html)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from struct import unpack, unpack_from
from typing import BinaryIO, Final

HEADER: Final = 100


def holds_remains(path: Path) -> bool:
    """Whether an unused page holds anything: with `secure_delete=FAST`, as earlier releases had it, they were not cleared.

    The log must be empty, and this process may have no database open on the file.
    """
    with path.open("rb") as stream:
        header = stream.read(HEADER)
        if len(header) < HEADER:
            return False
        (size,) = unpack_from(">H", header, 16)
        (pages, trunk) = unpack_from(">2I", header, 28)
        return any(
            _is_dirty(page, pages) for page in _unused(stream, trunk, 65536 if size == 1 else size, pages)
        )


def _unused(stream: BinaryIO, trunk: int, size: int, pages: int) -> Iterator[bytes]:
    """What unused pages hold: all of a leaf, of a trunk what follows its list."""
    for _ in range(pages):
        if not 0 < trunk <= pages:
            return
        page = _page(stream, trunk, size)
        trunk, count = unpack_from(">2I", page)
        leaves = unpack_from(f">{count}I", page, 8) if 8 + 4 * count <= size else ()
        yield page[8 + 4 * len(leaves) :]
        yield from (_page(stream, leaf, size) for leaf in leaves)


def _page(stream: BinaryIO, number: int, size: int) -> bytes:
    stream.seek((number - 1) * size)
    return stream.read(size).ljust(size, b"\0")


def _is_dirty(page: bytes, pages: int) -> bool:
    """Numbers of pages are left in a trunk whose list has become shorter; they are nobody's data."""
    words = page[: len(page) // 4 * 4]
    return any(page) and any(number > pages for number in unpack(f">{len(words) // 4}I", words))
