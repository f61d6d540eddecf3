"""What a request holds: its body within bounds, and the tracks or the JSON in it."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from bridge.exchange import lenient
from bridge.intake import BadLine, Kind, read_tracks
from bridge.model import Json, Track

MOST_REFUSED: Final = 1000
MOST_REPEATED: Final = 20
PATIENCE: Final = 8
KINDS: Final[Mapping[str, Kind]] = {
    "": "auto",
    "application/json": "json",
    "application/jsonl": "json",
    "application/x-ndjson": "json",
    "application/octet-stream": "auto",
    "text/csv": "csv",
    "text/plain": "auto",
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one request: most bytes of its body, seconds until that is here, seconds for what is done with it."""

    max_body: int
    body_seconds: float
    answer_seconds: float


def kind_of(request: Request) -> Kind:
    """What kind of body its headers announce. Raises HTTPException 415 for another than those in `KINDS`."""
    media, _, parameters = request.headers.get("content-type", "").partition(";")
    kind = KINDS.get(media.strip().lower())
    charset = parameters.lower().replace('"', "").replace(" ", "")
    if kind is None or ("charset=" in charset and "charset=utf-8" not in charset):
        known = ", ".join(name for name in KINDS if name)
        raise HTTPException(415, f"the content type must be one of {known}, in UTF-8")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "the body must not be compressed")
    return kind


async def body_of(request: Request, bounds: Bounds) -> bytes:
    """The whole body. One that is not far too large is read to its end: a caller that still sends misses the answer.

    Raises HTTPException 413 for more bytes than may be, 408 where it takes too long.
    """
    most = bounds.max_body
    close = {"Connection": "close"}
    too_large = HTTPException(413, f"the body is larger than {most} bytes; send several", close)
    if int(request.headers.get("content-length", "0")) > PATIENCE * most:
        raise too_large
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(bounds.body_seconds):
            async for part in request.stream():
                size += len(part)
                if size > PATIENCE * most:
                    raise too_large
                body += part if size <= most else b""
    except TimeoutError:
        raise HTTPException(408, "the body took too long to arrive", close) from None
    if size > most:
        raise too_large
    return bytes(body)


def json_of(body: bytes) -> Json | None:
    """The JSON that a body is; None where it is none: no UTF-8, broken, nested too deep, or too many values."""
    try:
        return lenient(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return None


def repeated_in(body: bytes) -> list[str]:
    """Names that an object in a body has more than once, a few of them. `json_of` must have read it."""
    found: dict[str, None] = {}

    def look(pairs: list[tuple[str, Json]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen and len(found) < MOST_REPEATED:
                found[name] = None
            seen.add(name)

    json.loads(body.decode("utf-8-sig"), object_pairs_hook=look)
    return list(found)


def tracks_of(body: bytes, kind: Kind) -> tuple[list[Track], list[BadLine]]:
    """The tracks in a body, and the bad lines (the first thousand, then one that counts the others)."""
    tracks: list[Track] = []
    bad: list[BadLine] = []
    more = 0
    for found in read_tracks(io.BytesIO(body), "body", kind):
        if isinstance(found, Track):
            tracks.append(found)
        elif len(bad) < MOST_REFUSED:
            bad.append(found)
        else:
            more += 1
    if more:
        bad.append(BadLine("body", bad[-1].line, f"and {more} more after this line"))
    return tracks, bad
