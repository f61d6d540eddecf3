"""What looks for patterns in somebody else's words, against texts that make a careless pattern slow."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

import pytest

from bridge.errors import BridgeError
from bridge.exchange import masked, one_line, retry_after
from bridge.intake import read_tracks
from bridge.leadbyte.wire import classify
from bridge.leadsquared import wire
from bridge.mapping import epoch
from bridge.mapping.convert import UnreadableError, email, number, phone
from bridge.mapping.paths import PathError, compile_path
from bridge.masking import mask
from bridge.reports.hints import PLACES
from bridge.telemetry import Redactor
from tests.edge.nasties import PUMPS, bounded

LONG = 100_000
SHORT = 5_000
"""As long as a reason or an identifier can become."""

READERS: Mapping[str, tuple[int, Callable[[str], object]]] = {
    "masked": (LONG, masked),
    "one line": (LONG, one_line),
    "a wait": (LONG, lambda text: retry_after({"retry-after": text}, 0.0)),
    "intake": (
        LONG,
        lambda text: list(read_tracks(io.BytesIO(b"{" + text.encode("utf-8", "replace")), "in")),
    ),
    "a table": (
        LONG,
        lambda text: list(read_tracks(io.BytesIO(f'queueId,x\n"{text}'.encode("utf-8", "replace")), "in")),
    ),
    "a refusal of LeadByte": (10_000, lambda text: classify(400, {}, json.dumps({"message": text}), 0.0)),
    "a refusal of LeadSquared": (
        LONG,
        lambda text: wire.verdict(400, {}, json.dumps({"message": text}), 0.0),
    ),
    "a refusal in plain words": (20_000, lambda text: wire.verdict(403, {}, text, 0.0)),
    "a forgotten request": (
        20_000,
        lambda text: wire.is_forgotten(json.dumps({"message": f"request id {text}"})),
    ),
    "an email address": (LONG, email),
    "a number": (LONG, number),
    "a phone number": (LONG, phone("GB")),
    "a time": (LONG, epoch),
    "a day and a time": (LONG, lambda text: epoch(f"2026-01-01 {text}")),
    "a path": (1990, compile_path),
    "a secret": (LONG, Redactor(["k$r+t/abc def", "cb266b24ef4a"])),
    "people": (SHORT, mask),
    "advice": (SHORT, lambda text: [place.of(text) for place in PLACES]),
}


def pumped(length: int) -> Iterator[str]:
    """Each piece over and over, with beginnings and ends that let a match nearly succeed."""
    for piece in PUMPS:
        said = piece * (length // len(piece))
        yield said
        yield f"a@{said}\0abc"


@pytest.mark.parametrize("name", sorted(READERS))
def test_time_goes_by_the_length_of_the_text(name: str) -> None:
    length, read = READERS[name]
    with bounded(10.0):
        for text in pumped(length):
            with suppress(BridgeError, UnreadableError, PathError):
                read(text)
