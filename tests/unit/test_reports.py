"""The failure report: what it says, to whom it does not say it, and what people can paste."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import shlex
from collections.abc import Callable, Iterable
from html.parser import HTMLParser
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from bridge.ports import Day, Failure
from bridge.reports import Report, build, write_csv, write_html, write_json, write_text
from bridge.reports.groups import MOST_GROUPS
from bridge.reports.hints import hint
from bridge.reports.masking import common, mask, mask_identifier, mask_reason
from bridge.reports.reasons import gathered, reasons

NOW = 1_767_323_045.9
WRITERS = (write_text, write_json, write_csv, write_html)
ACCOUNT = (
    Day("2026-01-01", 5, 1, {"failed": 1, "synced": 3}),
    Day("2026-01-02", 5, 0, {"failed": 1, "synced": 4}),
)
UNKNOWN = "Lead does not exist or you do not have permission"


def failure(queue_id: str = "q-1", **changes: object) -> Failure:
    values: dict[str, object] = {
        "mapping": "main",
        "state": "failed",
        "stage": "push",
        "reason": UNKNOWN,
        "identifier": "jane@example.com",
        "attempts": 2,
        "last_attempt_at": NOW,
    }
    return Failure(queue_id=queue_id, **{**values, **changes})  # type: ignore[arg-type]


def written(writer: Callable[[Report, TextIO], None], failures: Iterable[Failure], **options: bool) -> str:
    out = io.StringIO()
    writer(build(failures, {"synced": 7, "failed": 2}, NOW, account=ACCOUNT, **options), out)
    return out.getvalue()


def as_json(*failures: Failure, **options: bool) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = json.loads(written(write_json, failures, **options))
    return found


def test_json_holds_exactly_the_keys_of_the_contract() -> None:
    report = json.loads(written(write_json, [failure()]))
    assert report["leads"] == [
        {
            "queue_id": "q-1",
            "mapping": "main",
            "state": "failed",
            "stage": "push",
            "reason": UNKNOWN,
            "identifier": "j…@example.com",
            "attempts": 2,
            "last_attempt_at": "2026-01-02T03:04:05Z",
            "resync": "bridge resync --queue-id q-1",
            "delivery": None,
        }
    ]
    assert report["groups"][0] == {
        "reason": UNKNOWN,
        "state": "failed",
        "stage": "push",
        "count": 1,
        "hint": hint("failed", "push", UNKNOWN),
        "resync": f"bridge resync --state failed --reason '{UNKNOWN}'",
        "first_seen": "2026-01-02T03:04:05Z",
        "last_seen": "2026-01-02T03:04:05Z",
    }


def test_tracked_is_the_sum_of_all_states_and_no_state_is_left_out() -> None:
    report = json.loads(written(write_json, []))
    assert report["tracked"] == 9
    assert report["states"]["synced"] == 7
    assert report["states"]["in_doubt"] == 0
    assert (report["leads"], report["groups"]) == ([], [])


def test_a_lead_that_was_never_tried_has_no_time() -> None:
    assert as_json(failure(last_attempt_at=None, mapping=None, identifier=None))["leads"][0] == {
        **as_json(failure())["leads"][0],
        "last_attempt_at": None,
        "mapping": None,
        "identifier": None,
    }


@pytest.mark.parametrize(
    ("state", "queue_id", "command"),
    [
        ("failed", "a b'c", "bridge resync --queue-id 'a b'\"'\"'c'"),
        ("unprocessed", "-q", "bridge resync --queue-id=-q"),
        ("expired", "q", "bridge resync --refetch --state expired --queue-id q"),
        ("in_doubt", "q$(x)", "bridge resolve 'q$(x)' --as done|not-done"),
        ("in_doubt", "-q", "bridge resolve --as done|not-done -- -q"),
    ],
)
def test_the_command_of_a_lead_can_be_pasted(state: str, queue_id: str, command: str) -> None:
    assert as_json(failure(queue_id, state=state))["leads"][0]["resync"] == command
    assert any(part.endswith(queue_id) for part in shlex.split(command))


@pytest.mark.parametrize(
    ("state", "command"),
    [
        ("expired", "bridge resync --refetch --state expired"),
        ("in_doubt", "bridge resolve QUEUE_ID --as done|not-done"),
        ("unprocessed", "bridge resync --state unprocessed --reason 'no such lead:'"),
    ],
)
def test_the_command_of_a_group_fits_its_state(state: str, command: str) -> None:
    (group,) = as_json(failure(state=state, reason="no such lead: jane@example.com"))["groups"]
    assert group["resync"] == command


def test_reasons_that_differ_only_in_whom_they_name_are_one_group() -> None:
    people = ("jane@example.com", "joe@example.org", "+44-7700900123", "07700 900456", "Smith")
    failures = [failure(f"q{n}", reason=f"no {who} in here", identifier=who) for n, who in enumerate(people)]
    (group,) = as_json(*failures)["groups"]
    assert (group["count"], group["reason"]) == (5, "no … in here")
    assert group["resync"] == "bridge resync --state failed --reason 'in here'"


def test_groups_come_by_size_and_states_stay_apart() -> None:
    failures = [failure("a"), failure("b", state="unprocessed"), failure("c", state="unprocessed")]
    assert [(g["state"], g["count"]) for g in as_json(*failures)["groups"]] == [
        ("unprocessed", 2),
        ("failed", 1),
    ]


def test_a_group_without_words_in_common_is_retried_by_its_state() -> None:
    (group,) = as_json(failure(reason="jane@example.com"))["groups"]
    assert group["resync"] == "bridge resync --state failed"


def test_ever_new_reasons_end_in_one_group() -> None:
    words = ("".join(letters) for letters in itertools.product("abcdefghij", repeat=3))
    failures = [failure(f"q{n}", reason=f"odd {word}") for n, word in enumerate(words)]
    groups = as_json(*failures)["groups"]
    assert len(groups) == MOST_GROUPS + 1
    assert (groups[0]["reason"], groups[0]["count"]) == ("other reasons", 1000 - MOST_GROUPS)
    assert groups[0]["resync"] == "bridge resync --state failed"


@pytest.mark.parametrize("writer", WRITERS)
def test_people_are_masked_unless_asked(writer: Callable[[Report, TextIO], None]) -> None:
    named = failure(
        reason="Phone 07700 900123 of Jane.Doe@Example.com is taken", identifier="jane.doe@example.com"
    )
    masked = written(writer, [named])
    assert not re.search(r"jane\.doe|900123|900 ?123", masked, re.IGNORECASE)
    assert "jane.doe@example.com" in written(writer, [named], unmasked=True)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("jane@example.com", "j…@example.com"),
        ("+44-7700900123", "…0123"),
        ("(020) 7946 0123", "…0123"),
        ("tel07700900123x", "tel…0123x"),
        ("to <jane@example.com>, then", "to <j…@example.com>, then"),
        ("mailto:jörg@exämple.de.", "mailto:j…@exämple.de."),
        ("HTTP 500 after 8 attempts in 300 s", "HTTP 500 after 8 attempts in 300 s"),
        ("at 2026-01-02T03:04:05Z", "at 2026-01-02T03:04:05Z"),
        ("ac1e0206-6d6fd2fa-62ce91e7-ba33-55458116", "ac1e0206-6d6fd2fa-62ce91e7-ba33-55458116"),
        ("12345678-1234-1234-1234-123456789012", "12345678-1234-1234-1234-123456789012"),
    ],
)
def test_mask(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    ("identifier", "masked"),
    [
        ("jane@example.com", "j…@example.com"),
        (" 07700900123 ", "…0123"),
        ("Jane Smith", "J…"),
        ("1980-02-03", "1…"),
        ("", ""),
        ("12345678-1234-1234-1234-123456789012", "12345678-1234-1234-1234-123456789012"),
    ],
)
def test_mask_identifier(identifier: str, masked: str) -> None:
    assert mask_identifier(identifier) == masked


def test_an_identifier_of_any_form_is_masked_in_the_reason_but_not_within_words() -> None:
    assert mask_reason("SMITH-1 is no Blacksmith-1", "smith-1") == "S… is no Blacksmith-1"
    assert mask_reason("is it", "is") == "is it"
    assert mask_reason("born 1980-02-03", "1980-02-03") == "born 1…"


@given(st.text(), st.text(st.sampled_from("aZ09+-@. "), min_size=3))
def test_what_a_group_quotes_is_in_every_reason_of_it(text: str, identifier: str) -> None:
    reason = f"{text} {identifier} {text}"
    for piece in common(reason, identifier).split("…"):
        assert piece in reason


def test_csv_cells_are_no_formulas_and_rows_stay_rows() -> None:
    nasty = failure("=1+1", reason="@SUM(A1)\nnext", mapping="-2", identifier="+44 7700 900123")
    rows = list(csv.DictReader(io.StringIO(written(write_csv, [nasty], unmasked=True))))
    assert [row["queue_id"] for row in rows] == ["'=1+1"]
    assert rows[0]["reason"] == "'@SUM(A1) next"
    assert (rows[0]["mapping"], rows[0]["identifier"], rows[0]["attempts"]) == (
        "'-2",
        "'+44 7700 900123",
        "2",
    )


def test_text_is_safe_for_a_terminal_and_fits_100_columns() -> None:
    nasty = "\x1b[31mred\x9b2J\u202eflow" + "\N{CJK UNIFIED IDEOGRAPH-4E16}" * 60
    long = f"{nasty}@{nasty}"
    failures = [failure(nasty, reason=nasty, mapping=nasty, identifier=long, stage="map")]
    lines = written(write_text, failures).splitlines()
    assert all(line.isprintable() for line in lines)
    table = next(n for n, line in enumerate(lines) if "QUEUE ID" in line)
    assert cell_len(lines[table + 1]) <= 100
    assert lines[table + 1].endswith("2 2026-01-02 03:04")


def test_text_does_not_cut_people_who_were_asked_for() -> None:
    identifier = "a.very.long.name.indeed.it.goes.on@department.example.com"
    lines = written(write_text, [failure(identifier=identifier)], unmasked=True).splitlines()
    assert any(f"{identifier}     2 2026-01-02 03:04" in line for line in lines)


@pytest.mark.parametrize("mapping", ["m", "leadbyte-to-crm-two"])
def test_text_gives_the_mapping_the_width_it_needs(mapping: str) -> None:
    lines = written(write_text, [failure(mapping=mapping)]).splitlines()
    assert any(f"{mapping:<7} j…@example.com     2 2026" in line for line in lines)


def test_text_shows_no_more_leads_of_a_group_than_asked() -> None:
    out = io.StringIO()
    write_text(build([failure(f"queue-{n}") for n in range(9)], {}, NOW, account=()), out, shown=3)
    assert out.getvalue().count("queue-") == 3
    assert "… and 6 more" in out.getvalue()


def test_text_shows_twenty_leads_of_a_group_and_says_how_many_more() -> None:
    text = written(write_text, [failure(f"queue-{n:04}") for n in range(1234)])
    assert text.count("queue-") == 20
    assert "… and 1,214 more: --format csv" in text
    assert "1,234 failed at push: " + UNKNOWN in text
    assert text.startswith("Failure report of 2026-01-02 03:04:05 UTC\n9 leads tracked: 2 failed, 7 synced\n")
    assert all(len(line) <= 100 for line in text.splitlines())


def test_a_report_without_failures_says_so() -> None:
    assert "9 leads tracked: 2 failed, 7 synced\nNothing failed.\n\n" in written(write_text, [])
    assert "Nothing failed." in written(write_html, [])


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        told = dict(attrs)
        assert not {"src", "onload", "style"} & told.keys()
        assert (told.get("href") or "#").startswith("#")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_html_escapes_and_needs_nothing_else() -> None:
    nasty = "<script>alert('x')</script>&\""
    page = Page()
    page.feed(written(write_html, [failure(nasty, reason=nasty, mapping=nasty, stage=nasty)]))
    assert not {"link", "img", "iframe"} & set(page.tags)
    assert page.tags.count("script") == 1
    assert {"table", "caption", "th", "main", "h1"} <= set(page.tags)
    assert nasty in page.text


def test_a_report_of_an_iterator_is_read_once_only() -> None:
    report = build(iter([failure()]), {}, NOW, account=())
    write_csv(report, io.StringIO())
    with pytest.raises(ValueError, match="build another"):
        write_csv(report, io.StringIO())
    again = build([failure()], {}, NOW, account=())
    outputs = [io.StringIO(), io.StringIO()]
    for out in outputs:
        write_csv(again, out)
    assert outputs[0].getvalue() == outputs[1].getvalue()


@pytest.mark.parametrize("writer", WRITERS)
def test_any_text_can_be_written_as_utf8(writer: Callable[[Report, TextIO], None]) -> None:
    odd = "\ud800\x00\u2028"
    written(writer, [failure(odd, reason=odd, mapping=odd, identifier=odd)], unmasked=True).encode()


def test_where_the_advice_says_to_fetch_anew_the_command_does() -> None:
    told = hint("failed", "map", "no value for EmailAddress, by which LeadSquared finds the lead")
    lead = failure("q1", stage="map", reason="no value for EmailAddress, by which LeadSquared finds the lead")
    out = io.StringIO()
    write_json(build([lead], {}, NOW, account=()), out)
    (group,) = json.loads(out.getvalue())["groups"]
    assert "--refetch" in told
    assert group["resync"].startswith("bridge resync --refetch --state failed --reason ")


def test_a_report_of_a_time_says_that_nothing_failed_since_then() -> None:
    out = io.StringIO()
    write_text(build([], {"failed": 9}, NOW, account=(), since=NOW - 60), out)
    assert re.search(
        r"^Nothing failed since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\.$", out.getvalue(), re.MULTILINE
    )


@pytest.mark.parametrize(
    ("stage", "reason", "refetch"),
    [
        ("map", "no value for EmailAddress, by which LeadSquared finds the lead", True),
        ("push", UNKNOWN, False),
    ],
)
def test_the_button_of_a_reason_fetches_anew_where_its_advice_says_so(
    stage: str, reason: str, *, refetch: bool
) -> None:
    report = build([failure("q1", stage=stage, reason=reason)], {}, NOW, account=())
    ranked, _ = gathered(report.leads(), 9)
    assert (" data-refetch>Retry this lead</button>" in "".join(reasons(ranked, acting=True))) == refetch
