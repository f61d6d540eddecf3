"""The change stage in a time of its own: what it reads, how far it believes what it read, and what it never misses."""

from __future__ import annotations

import asyncio
import json
import random
import weakref
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import CallError, Denied, LostAnswer, Refused, ServerFault, Throttled, Unreachable
from bridge.leadsquared.changes import read_changes
from bridge.mapping import AnyMapping, load
from bridge.model import Change
from bridge.pipeline.changes import (
    CHECKPOINT,
    HOPELESS_LOOKS,
    LATE_SECONDS,
    NOTICED_SECONDS,
    ChangeStage,
    Looking,
)
from bridge.pipeline.desk import Desk
from bridge.pipeline.gate import Gate
from bridge.pipeline.look import OVERLAP_SECONDS, QUIET_SECONDS, Look
from bridge.policy.health import SideState
from bridge.policy.window import Limit
from bridge.ports import ChangePage, ChangeSource, Names
from bridge.store import SqliteStore, open_store
from tests.property.box import VirtualLoop

START = 1_700_000_000.5
INTERVAL, FIRST = 30.0, 3600.0
FORWARD = """
version: 1
leadsquared: {mode: bulk, search_by: EmailAddress}
fields: {EmailAddress: lead.email, LastName: lead.lastname}
"""
BACK = """
version: 1
direction: feedback
when: "ProspectStage == 'Sold'"
lead_id: mx_LeadByte_Id
update: {postcode: mx_Zip}
"""
COLUMNS = ["EmailAddress", "ProspectStage", "mx_LeadByte_Id", "mx_Zip"]
VERDICTS = [Denied("no permission"), Refused("no such column"), LostAnswer("timed out"), ServerFault("HTML")]


def mappings(**texts: str) -> Sequence[AnyMapping]:
    return load({f"{name}.yaml": text for name, text in texts.items()})


@dataclass
class Lead:
    """One lead as LeadSquared holds it. `number` never changes and is what pages are sorted by."""

    number: int
    modified: float
    values: dict[str, str]


@dataclass
class Crm:
    """`ports.ChangeSource` out of a dictionary, with small pages. `ahead`: of our clock, in seconds. `trouble`: raised by
    the next calls, None for none. `meanwhile`: called after each page that was answered."""

    clock: Callable[[], float]
    size: int = 3
    ahead: float = 0.0
    dates: bool = True
    counts: bool = True
    leads: dict[str, Lead] = field(default_factory=dict)
    calls: list[tuple[float, Sequence[str], int]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    trouble: list[CallError | None] = field(default_factory=list)
    ill: CallError | None = None
    sick_ping: CallError | None = None
    meanwhile: Callable[[int], None] = lambda _page: None

    def now(self) -> float:
        return self.clock() + self.ahead

    def edit(self, name: str, **values: str) -> None:
        """Create a lead, or change it."""
        lead = self.leads.setdefault(name, Lead(len(self.leads) + 1, 0.0, {}))
        lead.values.update(values)
        lead.modified = self.now()

    async def changes(self, since: float, columns: Sequence[str], page: int) -> ChangePage:
        self.calls.append((since, columns, page))
        self.times.append(self.clock())
        error = self.ill or (self.trouble.pop(0) if self.trouble else None)
        if error:
            raise error
        found = sorted((one.number, name) for name, one in self.leads.items() if one.modified >= since)
        shown = [name for _, name in found[(page - 1) * self.size : page * self.size]]
        told = [self.shown(name, columns) for name in shown]
        at = float(int(self.now())) if self.dates else None
        last = len(found) <= page * self.size
        answer = ChangePage(told, last, at, len(found) if self.counts else None)
        self.meanwhile(page)
        return answer

    def shown(self, name: str, columns: Sequence[str]) -> Change:
        """A lead as a page shows it: its moment to the second."""
        lead = self.leads[name]
        return Change(
            name, float(int(lead.modified)), {column: lead.values.get(column, "") for column in columns}
        )

    async def ping(self) -> None:
        if self.sick_ping:
            raise self.sick_ping

    @property
    def pages(self) -> list[int]:
        return [page for _, _, page in self.calls]


class Scene:
    """A stage between a store and a CRM, in virtual time."""

    def __init__(self, store: SqliteStore, limit: Limit = Limit(0, 1.0)) -> None:  # noqa: B008 - a frozen value
        self.store, self.loop, self.offset = store, VirtualLoop(0.0), 0.0
        self.crm = Crm(self.steady)
        self.mappings = mappings(forward=FORWARD, back=BACK)
        self.gate = Gate("leadsquared", limit, self.steady, random.Random(1))  # noqa: S311 - no secret
        self.stage = self.new_stage()

    def new_stage(self, source: ChangeSource | None = None, interval: float = INTERVAL) -> ChangeStage:
        looking = Looking(interval, FIRST, self.crm.ping)
        told = (self.store, Desk(), source or self.crm, self.gate, lambda: self.mappings, looking)
        return ChangeStage(*told, self.clock, self.steady)

    def steady(self) -> float:
        return START + self.loop.now

    def clock(self) -> float:
        return self.steady() + self.offset

    def work(self, seconds: float) -> None:
        """Tick the stage for so long."""

        async def ticking() -> None:
            until = self.loop.time() + seconds
            while self.loop.time() < until:
                self.stage.crew.tick()
                await asyncio.sleep(0.25)
            assert self.stage.crew.trouble is None

        self.run(ticking())

    def look(self) -> None:
        """One step of the stage, with all calls that it makes."""
        self.run(self.stage._step())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, 1e6))

    def knock(self) -> None:
        """A webhook; what it led to at once is done."""

        async def knocked() -> None:
            self.stage.notice()
            await asyncio.sleep(0)

        self.run(knocked())

    def observed(self, change: Change) -> None:
        """A look that the store is told of by hand."""
        self.store.observe([change], self.clock())

    def kept(self) -> Mapping[str, Mapping[str, str]]:
        rows = self.store._all("SELECT queue_id, reply FROM queue_item WHERE source = 'leadsquared'")
        return {row["queue_id"]: json.loads(row["reply"]) for row in rows}

    def checkpoint(self) -> float | None:
        kept = self.store.checkpoint(CHECKPOINT)
        return datetime.fromisoformat(kept).timestamp() if kept else None

    def mapped(self) -> list[str]:
        """The leads that are to be mapped; from now on they are."""
        items = self.store.unmapped(10_000)
        for item in items:
            self.store.record_decided(item, (), self.clock())
        return sorted(item.queue_id for item in items)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with closing(open_store(tmp_path)) as store:
        scene = Scene(store)
        yield scene
        scene.gate.close()
        scene.run(scene.stage.stop(1.0))
        scene.loop.close()


# what is asked


def test_the_first_look_goes_back_as_far_as_set_and_asks_for_what_mappings_need(scene: Scene) -> None:
    scene.crm.edit("ann", mx_Zip="N1", EmailAddress="Ann@x.example", mx_Other="never asked for")
    scene.look()
    assert scene.crm.calls == [(int(START - FIRST - OVERLAP_SECONDS), COLUMNS, 1)]
    assert scene.kept() == {
        "ann": {"EmailAddress": "Ann@x.example", "ProspectStage": "", "mx_LeadByte_Id": "", "mx_Zip": "N1"}
    }
    (item,) = scene.store.unmapped(9)
    ann = ("emailaddress=ann@x.example", "prospectid=ann")
    assert scene.store.names(item.id) == Names(ann[:1], ann)


def test_the_next_looks_begin_at_the_checkpoint_with_an_overlap_once_in_an_interval(scene: Scene) -> None:
    scene.crm.edit("ann", mx_Zip="N1")
    scene.work(2 * INTERVAL + 1.0)
    assert scene.checkpoint() == int(START)
    begins = [since for since, _, _ in scene.crm.calls]
    assert begins == [int(START - FIRST - OVERLAP_SECONDS), *[int(START) - OVERLAP_SECONDS] * 2]
    assert scene.mapped() == ["ann"]


def test_the_checkpoint_outlives_the_process(scene: Scene) -> None:
    scene.crm.edit("ann", mx_Zip="N1")
    scene.look()
    scene.stage = scene.new_stage()
    scene.look()
    assert scene.crm.calls[-1][0] == int(START) - OVERLAP_SECONDS


def test_without_a_feedback_mapping_nobody_is_asked_and_nobody_waits(scene: Scene) -> None:
    scene.mappings = mappings(forward=FORWARD)
    assert scene.stage.done()
    scene.work(10 * INTERVAL)
    assert (scene.crm.calls, scene.gate.window.in_flight) == ([], 0)
    assert scene.stage.columns == ()


BY_PHONE = FORWARD.replace("by: EmailAddress", "by: [Phone, EmailAddress]").replace(
    "fields: {", "fields: {Phone: lead.phone1, "
)
BY_ID = "version: 1\nleadsquared: {mode: async}\nfields: {ProspectID: lead.ref, LastName: lead.lastname}\n"
EMAIL, PHONE, ID = "emailaddress=ann@x.example", "phone=+44-7700900123", "prospectid=ann"


@pytest.mark.parametrize(
    ("files", "held", "found_by"),
    [
        ([BY_PHONE], {"EmailAddress": "Ann@x.example", "Phone": "+44-7700900123"}, [PHONE]),
        ([BY_PHONE], {"EmailAddress": "Ann@x.example"}, [EMAIL]),
        ([BY_PHONE], {}, []),
        ([BY_ID], {"EmailAddress": "Ann@x.example"}, [ID]),
        ([BY_PHONE, FORWARD], {"EmailAddress": "Ann@x.example", "Phone": "+44-7700900123"}, [PHONE, EMAIL]),
        ([FORWARD, FORWARD], {"EmailAddress": "Ann@x.example"}, [EMAIL]),
    ],
)
def test_a_lead_is_found_by_the_first_key_of_each_way_forward_that_it_has_a_value_for(
    scene: Scene, files: list[str], held: dict[str, str], found_by: list[str]
) -> None:
    scene.mappings = mappings(**{f"a{n}": text for n, text in enumerate(files)}, back=BACK)
    scene.crm.edit("ann", mx_Zip="N1", **held)
    scene.look()
    (item,) = scene.store.unmapped(9)
    names = scene.store.names(item.id)
    assert list(names.found_by) == found_by
    assert {ID, *found_by} <= set(names.known_as)
    assert (EMAIL in names.known_as) == ("EmailAddress" in held and BY_ID not in files)


def test_a_name_that_a_lead_had_is_told_apart_from_those_that_it_has(scene: Scene) -> None:
    for address in ("old@x.example", "new@x.example"):
        scene.work(2.0)
        scene.crm.edit("ann", mx_Zip="N1", EmailAddress=address)
        scene.work(INTERVAL + 1.0)
    (item,) = scene.store.unmapped(9)
    new = ("emailaddress=new@x.example",)
    assert scene.store.names(item.id) == Names(new, (*new, ID), ("emailaddress=old@x.example",))


def test_columns_follow_the_mapping_files_while_it_runs(scene: Scene) -> None:
    scene.crm.edit("ann", mx_Zip="N1", mx_Town="York")
    scene.look()
    assert scene.mapped() == ["ann"]
    scene.mappings = mappings(forward=FORWARD, back=BACK.replace("mx_Zip", "mx_Town"))
    scene.work(INTERVAL + 1.0)
    assert scene.crm.calls[-1][1] == [name.replace("mx_Zip", "mx_Town") for name in COLUMNS]
    assert scene.kept()["ann"]["mx_Town"] == "York"
    scene.mappings = mappings(forward=FORWARD)
    asked = len(scene.crm.calls)
    scene.work(10 * INTERVAL)
    assert len(scene.crm.calls) == asked


# several pages


def test_a_page_that_fails_leaves_the_checkpoint_and_the_look_starts_over(scene: Scene) -> None:
    for n in range(7):
        scene.crm.edit(f"p{n}", mx_Zip=str(n))
    scene.crm.trouble = [None, LostAnswer("broke off")]
    scene.look()
    assert (len(scene.kept()), scene.checkpoint(), scene.stage.done()) == (3, None, False)
    scene.work(2.0)
    assert scene.crm.pages == [1, 2, 1, 2, 3]
    assert (len(scene.kept()), scene.stage.done()) == (7, True)
    assert scene.mapped() == [f"p{n}" for n in range(7)], "each once"
    assert scene.checkpoint() is not None


def test_after_a_throttle_the_same_page_is_asked_for_again(scene: Scene) -> None:
    for n in range(7):
        scene.crm.edit(f"p{n}", mx_Zip=str(n))
    scene.crm.trouble = [None, Throttled("too many", retry_after=7.0), Throttled("too many", retry_after=7.0)]
    scene.work(20.0)
    assert scene.crm.pages == [1, 2, 2, 2, 3]
    assert [round(b - a) for a, b in pairwise(scene.crm.times)] == [0, 7, 7, 0]


def test_a_lead_deleted_between_two_pages_hides_none_of_the_others(scene: Scene) -> None:
    for n in range(10):
        scene.crm.edit(f"p{n}", mx_Zip=str(n))

    def deleted(page: int) -> None:
        if page == 2:
            scene.crm.leads.pop("p0", None)

    scene.crm.meanwhile = deleted
    scene.look()
    assert sorted(scene.kept()) == [f"p{n}" for n in range(10)]
    assert scene.crm.pages == [1, 2, 3, 2, 3]


def test_leads_deleted_before_the_last_page_hide_none_even_if_it_is_gone(scene: Scene) -> None:
    for n in range(4):
        scene.crm.edit(f"p{n}", mx_Zip=str(n))
    scene.crm.meanwhile = lambda _page: scene.crm.leads.pop("p0", None) and None
    scene.look()
    assert sorted(scene.kept()) == ["p0", "p1", "p2", "p3"]
    assert scene.stage.done()


AT = 1_700_000_000.0


def page(
    *modified: float, last: bool = True, at: float | None = None, total: int | None = None
) -> ChangePage:
    return ChangePage([Change(f"id-{n}", m, {}) for n, m in enumerate(modified)], last, at, total)


@pytest.mark.parametrize(
    ("pages", "until"),
    [
        ([page(AT + 9, AT + 7, at=AT + 30)], AT + 9),
        ([page(AT + 9, AT + 7)], AT + 9),
        ([page(AT - 9, at=AT + 30)], AT),
        ([page(AT + 1e9, AT + 7, at=AT + 30)], AT + 30),
        ([page(at=AT + 300)], AT + 300 - QUIET_SECONDS),
        ([page(at=AT + 9)], AT),
        ([page()], AT),
        ([page(AT + 200, last=False, at=AT + 250), page(AT + 230, at=AT + 280)], AT + 190),
        ([page(AT + 50, last=False, at=AT + 250), page(AT + 60, at=AT + 280)], AT + 60),
        ([page(AT + 50, last=False), page(AT + 230)], AT + 50),
        ([page(AT + 50, last=False), page()], AT + 50),
        ([page(AT + 50, last=False, at=AT + 70), page(AT + 60, at=AT + 80)], AT + 10),
        ([page(AT + 5, last=False, at=AT + 9), page(AT + 6, at=AT + 9)], AT),
        ([page(AT + 300, at=AT + 300, last=False), page(at=AT + 400)], AT + 240),
    ],
)
def test_how_far_a_look_is_believed(pages: list[ChangePage], until: float) -> None:
    look = Look(AT)
    for one in pages:
        assert not look.complete
        look.add(one)
    assert look.complete
    assert look.until() == until


def test_the_page_before_is_read_again_as_often_as_leads_disappear() -> None:
    look, read = Look(AT), []
    for total in (9, 9, 8, 8, 7, 7, 7, None, 7):
        read.append(look.next)
        look.add(page(AT, last=False, total=total))
    assert read == [1, 2, 3, 2, 3, 2, 3, 4, 5]
    assert not look.complete


@pytest.mark.parametrize(
    ("page", "rows", "told", "total"),
    [
        (1, 3, 3, 3),
        (1, 3, "3", 3),
        (1, 3, None, None),
        (1, 3, 2, None),
        (2, 3, 1003, 1003),
        (2, 3, 3, None),
        (2, 0, 1000, 1000),
        (2, 0, 997, 997),
        (2, 0, 0, None),
    ],
)
def test_how_many_leads_all_pages_hold_is_believed_where_it_can_be(
    page: int, rows: int, told: Any, total: int | None
) -> None:
    body = {"RecordCount": told, "Leads": [{"ProspectID": f"id-{n}"} for n in range(rows)]}
    assert read_changes(body, [], page, AT).total == total


EVENTS = st.lists(
    st.tuples(st.sampled_from(["edit", "new", "delete"]), st.integers(0, 11), st.booleans()), max_size=12
)


def happens(crm: Crm, what: str, n: int, value: str) -> None:
    """A lead is created, edited or deleted."""
    if what == "delete":
        crm.leads.pop(f"p{n}", None)
    elif what == "new" or f"p{n}" in crm.leads:
        crm.edit(f"new{value}" if what == "new" else f"p{n}", v=value)


async def looked(crm: Crm, since: float, seen: dict[str, Change]) -> float:
    """One look. Up to when it is believed; `seen` is then how each lead looks."""
    look = Look(since)
    while not look.complete:
        answer = await crm.changes(look.begins, ["v"], look.next)
        look.add(answer)
        for change in answer.changes:
            if change.modified_at >= seen.get(change.prospect_id, change).modified_at:
                seen[change.prospect_id] = change
    assert look.until() >= since
    return look.until()


@given(EVENTS, st.integers(0, 12), st.sampled_from([-90_000.0, 0.0, 90_000.0]), st.booleans())
def test_nothing_is_missed_whatever_happens_between_pages(
    events: list[tuple[str, int, bool]], leads: int, ahead: float, dates: bool
) -> None:
    """One thing at most between two pages, some of it in the same second; in the end all leads are seen as they are."""
    now = START
    crm = Crm(lambda: now, ahead=ahead, dates=dates)
    for n in range(leads):
        crm.edit(f"p{n}", v="0")
    left, seen = list(events), dict[str, Change]()

    def meanwhile(_page: int) -> None:
        nonlocal now
        if left:
            what, n, later = left.pop(0)
            now += 1.3 if later else 0.0
            happens(crm, what, n, str(len(left)))

    crm.meanwhile = meanwhile
    since = crm.now() - 100.0
    for _ in range(len(events) + 2):
        since = asyncio.run(looked(crm, since, seen))
        now += 30.0
    for name in crm.leads:
        assert seen[name].values == crm.leads[name].values


# clocks


@pytest.mark.parametrize("ahead", [-3000.0, -90.0, 90.0, 90_000.0])
def test_the_checkpoint_goes_by_leadsquareds_clock_whichever_is_ahead(scene: Scene, ahead: float) -> None:
    scene.crm.ahead = ahead
    scene.crm.edit("ann", mx_Zip="N1")
    scene.look()
    assert scene.checkpoint() == int(START + ahead)
    scene.work(INTERVAL)
    scene.crm.edit("ann", mx_Zip="N2")
    scene.work(INTERVAL)
    assert scene.kept()["ann"]["mx_Zip"] == "N2"
    assert (scene.checkpoint() or 0.0) >= int(START + ahead + INTERVAL)


def test_a_clock_that_is_set_back_neither_stops_the_looks_nor_moves_the_checkpoint_back(scene: Scene) -> None:
    scene.crm.edit("ann", mx_Zip="N1")
    scene.work(1.0)
    before = scene.checkpoint()
    scene.offset = -86_400.0
    scene.work(2 * INTERVAL)
    scene.crm.edit("ann", mx_Zip="N2")
    scene.work(INTERVAL)
    assert len(scene.crm.calls) == 4
    assert scene.kept()["ann"]["mx_Zip"] == "N2"
    assert (scene.checkpoint() or 0.0) > (before or 0.0)


# webhooks


def test_an_older_look_after_a_newer_one_changes_nothing(scene: Scene) -> None:
    scene.crm.edit("ann", mx_Zip="N1")
    older = scene.crm.shown("ann", COLUMNS)
    scene.work(1.5)
    scene.crm.edit("ann", mx_Zip="N2")
    scene.observed(scene.crm.shown("ann", COLUMNS))
    scene.observed(older)
    assert scene.kept()["ann"]["mx_Zip"] == "N2"


def test_a_knock_leads_to_a_look_at_once_and_to_another_one_soon(scene: Scene) -> None:
    scene.work(NOTICED_SECONDS)
    assert len(scene.crm.calls) == 1
    scene.crm.edit("ann", mx_Zip="N1")
    scene.knock()
    assert len(scene.crm.calls) == 2, "without a tick of the service"
    assert scene.mapped() == ["ann"]
    scene.crm.edit("ann", mx_Zip="N2")
    scene.work(LATE_SECONDS - 0.5)
    assert len(scene.crm.calls) == 2
    scene.work(1.0)
    assert scene.mapped() == ["ann"], "what LeadSquared did not show at once"
    scene.work(INTERVAL - 1.0)
    assert len(scene.crm.calls) == 3, "then at the usual pace"
    scene.work(1.5)
    assert len(scene.crm.calls) == 4


def test_looks_that_follow_one_another_sooner_are_not_put_off_by_a_knock(scene: Scene) -> None:
    scene.stage = scene.new_stage(interval=3.0)
    scene.work(2.5)
    scene.knock()
    scene.work(3.5)
    assert [round(b - a, 1) for a, b in pairwise(scene.crm.times)] == [2.5, 3.0]


def test_a_flood_of_knocks_is_one_look_every_two_seconds(scene: Scene) -> None:
    scene.work(NOTICED_SECONDS)
    for _ in range(200):
        scene.knock()
        scene.work(0.05)
    spent = scene.loop.now - NOTICED_SECONDS
    assert spent / NOTICED_SECONDS - 1 <= len(scene.crm.calls) - 1 <= spent / NOTICED_SECONDS + 1
    assert min(b - a for a, b in pairwise(scene.crm.times)) >= NOTICED_SECONDS


def test_a_knock_while_a_look_is_under_way_is_followed_by_another_look(scene: Scene) -> None:
    for n in range(4):
        scene.crm.edit(f"p{n}", mx_Zip="1")

    def edited(page: int) -> None:
        if page == 2:
            scene.crm.meanwhile = lambda _page: None
            scene.crm.edit("p0", mx_Zip="2")
            scene.stage.notice()

    scene.crm.meanwhile = edited
    scene.work(NOTICED_SECONDS + 0.5)
    assert scene.crm.pages == [1, 2, 1, 2]
    assert scene.kept()["p0"]["mx_Zip"] == "2"


def test_a_knock_where_no_mapping_is_about_changes_asks_nobody(scene: Scene) -> None:
    scene.mappings = mappings(forward=FORWARD)
    scene.knock()
    scene.work(LATE_SECONDS + 1.0)
    assert scene.crm.calls == []


# what goes wrong


@pytest.mark.parametrize("error", VERDICTS, ids=lambda error: type(error).__name__)
def test_what_is_wrong_with_looks_alone_holds_nobody_else_back(scene: Scene, error: CallError) -> None:
    scene.crm.ill = error
    scene.work(3600.0)
    assert scene.gate.health.state is SideState.UP
    assert 5 <= len(scene.crm.calls) <= 25, "pauses grow to five minutes"
    scene.knock()
    asked = len(scene.crm.calls)
    scene.knock()
    assert len(scene.crm.calls) == asked, "nor does a webhook shorten them"
    with pytest.raises(type(error), match="changes cannot be read: "):
        scene.stage.done()
    scene.crm.ill = None
    scene.crm.edit("ann", mx_Zip="N1")
    scene.work(301.0)
    assert (scene.stage.done(), scene.mapped()) == (True, ["ann"])
    asked = len(scene.crm.calls)
    scene.work(2 * INTERVAL)
    assert len(scene.crm.calls) == asked + 2, "at the usual pace again"


def test_a_drain_hears_of_it_after_a_few_looks_and_not_before(scene: Scene) -> None:
    scene.crm.trouble = [VERDICTS[1]] * (HOPELESS_LOOKS - 1)
    scene.work(6.0)
    assert len(scene.crm.calls) == HOPELESS_LOOKS - 1
    assert not scene.stage.done()
    scene.work(2.0)
    assert scene.stage.done()


def test_a_host_that_is_down_is_waited_for_without_haste(scene: Scene) -> None:
    scene.crm.ill = scene.crm.sick_ping = Unreachable("no route")
    scene.work(3600.0)
    assert scene.gate.health.state is SideState.DOWN
    assert len(scene.crm.calls) <= 100
    assert not scene.stage.done()
    scene.crm.ill = scene.crm.sick_ping = None
    scene.crm.edit("ann", mx_Zip="N1")
    scene.work(61.0)
    assert (scene.stage.done(), scene.mapped(), scene.gate.health.state) == (True, ["ann"], SideState.UP)


def test_keys_that_are_refused_close_the_gate(scene: Scene) -> None:
    scene.crm.ill = scene.crm.sick_ping = Denied("the key is wrong")
    scene.work(5.0)
    assert (scene.gate.health.state, scene.gate.health.keys_work) == (SideState.DENIED, False)
    assert len(scene.crm.calls) == 1


def test_a_drain_waits_for_one_complete_look(scene: Scene) -> None:
    assert not scene.stage.done()
    scene.crm.trouble = [LostAnswer("broke off")]
    scene.look()
    assert not scene.stage.done()
    scene.work(2.0)
    assert scene.stage.done()


def test_stopping_ends_a_look_between_two_pages(scene: Scene) -> None:
    for n in range(7):
        scene.crm.edit(f"p{n}", mx_Zip="1")
    scene.crm.meanwhile = lambda page: scene.gate.close() if page == 2 else None
    scene.look()
    assert (scene.crm.pages, scene.checkpoint(), scene.gate.window.in_flight) == ([1, 2], None, 0)


# a long backlog


class Rows(list[Change]):
    """The rows of one page; a list alone cannot be referred to weakly."""


@dataclass
class Backlog:
    """`ports.ChangeSource` of very many leads that were all changed at the same time, made up page by page."""

    scene: Scene
    pages: int
    rows: int
    held: list[weakref.ref[Rows]] = field(default_factory=list)
    most_held: int = 0
    times: list[float] = field(default_factory=list)

    async def changes(self, since: float, columns: Sequence[str], page: int) -> ChangePage:  # noqa: ARG002
        self.times.append(self.scene.steady())
        await asyncio.sleep(0.01)
        if page == self.pages // 2:
            self.scene.stage.notice()
        self.most_held = max(self.most_held, sum(ref() is not None for ref in self.held))
        rows = Rows(
            Change(f"{page}-{n}", START - 99, dict.fromkeys(columns, f"{page}.{n}")) for n in range(self.rows)
        )
        self.held.append(weakref.ref(rows))
        return ChangePage(rows, page == self.pages, START, self.pages * self.rows)


def test_a_long_backlog_is_read_within_the_limit_a_page_at_a_time_while_webhooks_come(tmp_path: Path) -> None:
    with closing(open_store(tmp_path)) as store:
        scene = Scene(store, Limit(25, 5.0))
        backlog = Backlog(scene, pages=100, rows=100)
        scene.stage = scene.new_stage(backlog)
        scene.work(25.0)
        assert scene.stage.done()
        assert len(scene.kept()) == 100 * 100
        assert backlog.most_held <= 2, "pages are not piled up"
        busiest = max(sum(at <= other < at + 5.0 for other in backlog.times) for at in backlog.times)
        assert busiest <= 25
        assert scene.checkpoint() == START - 99
        scene.loop.close()
