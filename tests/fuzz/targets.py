"""What the fuzzer calls: each target takes any bytes, and holds the code under it to its promise.

The promise: an error is one of ours and one printable line, a result is of the promised type, can be written as UTF-8
and JSON, and is the same when the same bytes are read again.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final, TypeAlias, TypeVar

from bridge.errors import BridgeError, LeadUnmappable, ServerFault, UsageError
from bridge.exchange import Reply, decode, masked, one_line, retry_after
from bridge.intake import BadLine, Kind, read_tracks
from bridge.leadbyte.wire import DEFAULT_STATUSES, classify, read_queue
from bridge.leadsquared import wire
from bridge.mapping import FeedbackFile, MappingFile, epoch, load, run_tests
from bridge.mapping.paths import PathError, compile_path
from bridge.model import Delivery, Lane, QueueReply, Track, Verdict
from bridge.model import Kind as OutcomeKind
from bridge.operation import restored
from bridge.ports import Failure
from bridge.reports import build, write_csv, write_html, write_json, write_text

Target: TypeAlias = Callable[[bytes], None]
Result = TypeVar("Result")

NOW: Final = 1_700_000_000.0
QUEUE_ID: Final = "ac1e0206-1"
LANE: Final = Lane("bulk", "EmailAddress", "unprocessed")
BATCH: Final = [
    Delivery(n, n, f"q{n}", "m", email, LANE, ["EmailAddress"], {"EmailAddress": email}, {}, 0)
    for n, email in enumerate(("johnwick@gmail.com", "jack@gmail.com", "a@b.c"))
]
KINDS: Final[tuple[Kind, ...]] = ("auto", "lines", "json", "csv")
HEADINGS: Final = ("queue_id", "mapping", "reason", "identifier")
TYPES: Final = ("text", "number", "boolean", "email", "list", "phone", "datetime", "date")
LEAD: Final[Mapping[str, Any]] = {
    "status": "Approved",
    "processed": "2026-03-02T16:03:04Z",
    "lead": {"firstname": "Ann", "email": "a@b.c", "n": 7, "phone1": "07700 900123", "tags": ["x", "y"]},
    "deliveries": [{"id": 1, "status": "ok"}, {"id": 2, "status": None}],
    "info": [],
    "context": {"deep": [[[{"a": [1, 2, {"b": -0.0}]}]]]},
}


def told(error: BridgeError) -> str:
    """The error's text, which must be one printable line, or one for each problem."""
    lines = getattr(error, "problems", (str(error),))
    assert lines
    for line in lines:
        assert line, type(error)
        assert line.isprintable(), line
        assert len(line) < 5000, len(line)
    return str(error)


def twice(read: Callable[[], Result]) -> Result | None:
    """What `read` gives, or None where it raises one of our errors; the second time must be like the first."""
    first, again = once(read), once(read)
    assert repr(first) == repr(again)
    return None if isinstance(first, str) else first[0]


def once(read: Callable[[], Result]) -> tuple[Result] | str:
    """The result in a tuple, or the error's text."""
    try:
        return (read(),)
    except BridgeError as error:
        return told(error)


def writable(value: object) -> None:
    """It can be stored and sent."""
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def text_of(data: bytes) -> str:
    """As an answer's body becomes text."""
    return Reply(200, {}, data).text


def leadbyte(data: bytes) -> None:
    """A queue reply with any status, about this queueId or any."""
    text = text_of(data)
    for status in (200, 404, 500):
        once(lambda status=status: classify(status, {}, text, NOW))  # type: ignore[misc]
    for queue_id in (QUEUE_ID, ""):
        reply = twice(lambda queue_id=queue_id: read_queue(text, queue_id))  # type: ignore[misc]
        if reply is not None:
            _queue_reply(reply, text)


def _queue_reply(reply: QueueReply, text: str) -> None:
    assert reply.raw == text
    writable(dict(reply.view))
    writable([reply.status, reply.processed])
    assert reply.verdict in Verdict
    if reply.verdict is Verdict.FINAL:
        assert DEFAULT_STATUSES[reply.status.strip().casefold()] is Verdict.FINAL
    epoch(reply.processed)


def leadsquared(data: bytes) -> None:
    """An answer of LeadSquared's, read as each of those it could be."""
    text = text_of(data)
    for status in (200, 400, 500):
        once(lambda status=status: wire.verdict(status, {}, text, NOW))  # type: ignore[misc]
    assert wire.says_no_lead(text) in {True, False}
    assert wire.is_forgotten(text) in {True, False}
    try:
        body = decode(text, "LeadSquared")
    except ServerFault as error:
        told(error)
        return
    writable(body)
    _bulk(body)
    for read in (wire.read_status, wire.read_async, wire.read_metadata, wire.read_metrics):
        twice(lambda read=read: read(body))  # type: ignore[misc]
    fields = twice(lambda: wire.read_lead(body, ["EmailAddress", "Score"]))
    writable(dict(fields or {}))


def _bulk(body: Any) -> None:
    answer = twice(lambda: wire.read_bulk(body, BATCH))
    if answer is None:
        return
    assert len(answer.outcomes) == len(BATCH)
    said = json.dumps(body, ensure_ascii=False).casefold()
    for outcome, delivery in zip(answer.outcomes, BATCH, strict=True):
        writable([outcome.reason, outcome.request_id])
        if outcome.kind is OutcomeKind.SYNCED:
            assert delivery.lookup in said
            assert "successfulleads" in said


def mapping(data: bytes) -> None:
    """A mapping file, then a lead through it."""
    text = data.decode("utf-8", "surrogateescape")
    read = once(lambda: load({"m.yaml": text}))
    if isinstance(read, str):
        assert all(problem.startswith("m.yaml:") for problem in read.splitlines())
        return
    (loaded,) = read[0]
    for line in run_tests(loaded):
        assert line.startswith("m.yaml:")
        assert line.isprintable()
    for view in (LEAD, {}):
        if isinstance(loaded, MappingFile):
            _applied(loaded, view)
        else:
            _decided(loaded, view)


def _decided(loaded: FeedbackFile, view: Mapping[str, Any]) -> None:
    with suppress(LeadUnmappable):
        for wish in loaded.apply({name: str(value) for name, value in view.items()}) or ():
            assert restored(wish.mapped.lane, wish.mapped.fields)


def _applied(loaded: MappingFile, view: Mapping[str, Any]) -> None:
    for trace in loaded.explain(view):
        assert isinstance(trace.note, str)
    try:
        mapped = loaded.apply(view)
    except LeadUnmappable as error:
        told(error)
        return
    if mapped is not None:
        writable(dict(mapped.fields))
        assert all(mapped.fields[key] for key in mapped.keys)


def path(data: bytes) -> None:
    """A JMESPath, then a lead through it."""
    text = data.decode("utf-8", "replace")
    try:
        compiled = compile_path(text)
    except PathError as error:
        told(UsageError(str(error)))
        return
    quoted = (
        '"'
        + "".join(each if each.isascii() and each.isalnum() else f"\\U{ord(each):08x}" for each in text)
        + '"'
    )
    fields = "\n".join(f"  mx_{sort}: {{from: {quoted}, type: {sort}}}" for sort in TYPES)
    (loaded,) = load({"m.yaml": f"version: 1\nwhen: {quoted}\nfields:\n  ProspectID: status\n{fields}\n"})
    assert loaded.when is not None
    assert loaded.when.text == compiled.text
    _applied(loaded, LEAD)


def values(data: bytes) -> None:
    """A lead's own values through every type of field."""
    try:
        found = decode(text_of(data), "LeadByte")
    except ServerFault:
        return
    for sort in TYPES:
        more = (
            ", region: GB" if sort == "phone" else ", timezone: Europe/London" if sort == "datetime" else ""
        )
        spec = f"{{from: lead.x, type: {sort}{more}}}"
        (loaded,) = load({"m.yaml": f"version: 1\nfields:\n  ProspectID: {{value: x}}\n  mx_X: {spec}\n"})
        _applied(loaded, {"lead": {"x": found}})


def intake(data: bytes) -> None:
    """A source of queueIds. The first byte says what kind it is said to be."""
    kind = KINDS[data[0] % len(KINDS)] if data else "auto"
    first, again = (list(read_tracks(io.BytesIO(data[1:]), "in", kind)) for _ in range(2))
    assert repr(first) == repr(again)
    last = data.count(b"\n") + 1
    for found in first:
        if isinstance(found, BadLine):
            assert 1 <= found.line <= last
            told(UsageError(str(found)))
        else:
            _track(found)


def _track(track: Track) -> None:
    assert track.queue_id.isprintable()
    assert 1 <= len(track.queue_id) <= 200
    writable(dict(track.context))


def texts(data: bytes) -> None:
    """Somebody else's words on their way into errors and every kind of report."""
    text = data.decode("utf-8", "surrogateescape")
    assert one_line(text).isprintable()
    assert len(masked(text)) <= 200
    for header in (text, text.strip()):
        waits = retry_after({"retry-after": header}, NOW)
        assert waits is None or waits >= 0
    parts = (text.split("\n") * 4)[:4]
    failure = Failure(parts[0], parts[1], "failed", "push", text, parts[3], 1, NOW)
    for unmasked in (False, True):
        _reports(failure, unmasked=unmasked)


def _reports(failure: Failure, *, unmasked: bool) -> None:
    def made(write: Callable[[Any, Any], None]) -> str:
        out = io.StringIO()
        write(build([failure], {"failed": 1}, NOW, account=(), unmasked=unmasked), out)
        out.getvalue().encode()
        return out.getvalue()

    text, page, table = made(write_text), made(write_html), made(write_csv)
    assert all(line.isprintable() for line in text.split("\n"))
    assert page.count("<tr>") == TABLE_ROWS
    assert page.casefold().count("<script") == 1
    json.loads(made(write_json))
    rows = list(csv.reader(io.StringIO(table)))
    assert len(rows) == 2
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@", "|", "%", "\uff1d")) for cell in rows[1])


TABLE_ROWS: Final = 3
"""Of the HTML report of one lead: two headings, the lead; no day of the account."""

TARGETS: Final[Mapping[str, Target]] = MappingProxyType(
    {one.__name__: one for one in (leadbyte, leadsquared, mapping, path, values, intake, texts)}
)
