"""Every fault of the other side, often and everywhere, against the whole bridge: nothing lost, doubled or untrue."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog

from bridge.simulator import KINDS, Faults, World
from bridge.simulator.faults import HARMLESS
from tests.system.hurried import START, Run, Scene, hurry

PLACES = (
    "leadbyte.apiqueue",
    "leadsquared.bulk_update",
    "leadsquared_async.update",
    "leadsquared_async.status",
)
BULK = """
version: 1
leadsquared: {mode: bulk, search_by: EmailAddress}
fields: {EmailAddress: {from: lead.email, type: email}, LastName: lead.lastname}
"""
AUTOMATIONS = """
version: 1
leadsquared: {mode: async, trigger_automation: true}
fields: {ProspectID: lead.prospectid, FirstName: lead.firstname}
"""
MAPPINGS = {"bulk": BULK, "automations": AUTOMATIONS}
VALUE = {"bulk": "LastName", "automations": "FirstName"}
DONE = {"synced", "skipped", "superseded"}
REPORTED = {"failed", "unprocessed", "in_doubt", "expired"}
SOAK = bool(os.environ.get("BRIDGE_SOAK"))
LEADS = 60
PACE, RATE = 30.0, 0.4
RATES = {"denied": 0.25, "wrong_region": 0.25}
"""Where the usual is too much: a side that refuses the key several times in a row is asked after up to five minutes."""

CELLS = (
    [(f"{kind}-{place}", kind, (place,)) for kind in sorted(KINDS) for place in PLACES]
    if SOAK
    else [(kind, kind, PLACES) for kind in sorted(KINDS)]
)
REFUSING = {"mx_error", "mx_error_200"}
"""Faults by which LeadSquared says that the lead itself is at fault."""

HOLDING = {"hang", "hang_after", "trickle"}
"""Faults that end by the caller's patience. With others it is long, so that a loaded machine does not look like one."""


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    """Without the thousands of lines that the faults are worth in the log."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def figures() -> Iterator[Counter[str]]:
    """What was injected in all; written to the file that BRIDGE_FIGURES names."""
    counted: Counter[str] = Counter()
    yield counted
    if path := os.environ.get("BRIDGE_FIGURES"):
        Path(path).write_text(json.dumps(counted, indent=1, sort_keys=True) + "\n", encoding="utf-8")


class Matrix(Run):
    """Leads of few people, so that several results of one person are on their way at once."""

    def __init__(self, directory: Path, seed: int, leads: int, **settings: Any) -> None:
        super().__init__(directory, MAPPINGS, World(seed=seed, clock=lambda: START), **settings)
        self.results: dict[str, list[str]] = {}
        self.ended_by: BaseException | None = None
        rng = random.Random(seed)  # noqa: S311  (no secret)
        people = [self._person(number) for number in range(leads * 3 // 4)]
        owners = people + [rng.choice(people) for _ in range(leads - len(people))]
        rng.shuffle(owners)
        moments = rng.sample(range(leads), leads)
        self.ids = [self._lead(*one) for one in zip(range(leads), owners, moments, strict=True)]
        for owned in self.results.values():
            owned.sort(key=lambda queue_id: str(self.world.queue[queue_id].reply["processed"]))

    def _person(self, number: int) -> str:
        return self.world.add_person(
            {"EmailAddress": f"p{number}@example.com", "FirstName": "Old", "LastName": "Old"}
        )

    def _lead(self, number: int, prospect: str, moment: int) -> str:
        lead = {
            "email": self.world.crm.leads[prospect]["EmailAddress"],
            "prospectid": prospect,
            "firstname": f"F{number}",
            "lastname": f"L{number}",
        }
        at = f"2026-03-02T{moment // 60:02}:{moment % 60:02}:00Z"
        queue_id = self.world.add_lead({"status": "Approved", "processed": at, "lead": lead})
        self.results.setdefault(prospect, []).append(queue_id)
        return queue_id

    def sent(self, queue_id: str, mapping: str) -> str:
        """The value by which this lead's update is known."""
        return str(self.world.queue[queue_id].reply["lead"][VALUE[mapping].lower()])

    def written(self, queue_id: str, mapping: str) -> int:
        """How often LeadSquared applied it."""
        value = self.sent(queue_id, mapping)
        return sum(write.fields.get(VALUE[mapping]) == value for write in self.world.writes)

    def deliveries(self, mapping: str) -> dict[str, Mapping[str, Any]]:
        """Each lead's delivery by this mapping."""
        return {
            queue_id: one
            for queue_id, lead in self.leads.items()
            for one in lead["deliveries"]
            if one["mapping"] == mapping
        }

    def check(self) -> None:
        """What holds whatever went wrong."""
        if self.ended_by:
            raise self.ended_by
        self._every_lead_ended()
        for mapping in VALUE:
            self._newest_values(mapping)
            self._true_reasons(mapping)
        self._each_call_is_recorded()
        assert self.world.doubled == 0
        assert self.world.tasks.overlaps == 0
        fired = Counter((w.prospect, w.fields["FirstName"]) for w in self.world.writes if w.fired)
        assert set(fired.values()) <= {1}, "automations fired twice"
        assert not self.world.strays

    def check_all_done(self, mapping: str) -> None:
        """No lead is at fault, so none fails."""
        failed = {q: one["reason"] for q, one in self.deliveries(mapping).items() if one["state"] in REPORTED}
        assert not failed

    def _every_lead_ended(self) -> None:
        assert sum(self.counts.values()) == len(self.ids)
        assert set(self.counts) <= DONE | REPORTED, self.counts
        for mapping in VALUE:
            assert self.deliveries(mapping).keys() == set(self.ids)
        for queue_id, lead in self.leads.items():
            states = {one["state"] for one in lead["deliveries"]}
            assert states <= DONE | REPORTED, states
            assert (queue_id in self.failures) == bool(states & REPORTED)

    def _newest_values(self, mapping: str) -> None:
        """What a person holds is no older than the newest result that counts as done."""
        deliveries = self.deliveries(mapping)
        for prospect, ids in self.results.items():
            values = ["Old", *(self.sent(queue_id, mapping) for queue_id in ids)]
            done = [
                place for place, one in enumerate(ids, 1) if deliveries[one]["state"] in ("synced", "skipped")
            ]
            held = self.world.crm.leads[prospect][VALUE[mapping]]
            assert values.index(held) >= max(done, default=0), (mapping, held, values)

    def _true_reasons(self, mapping: str) -> None:
        for queue_id, one in self.deliveries(mapping).items():
            if one["state"] in REPORTED:
                assert one["reason"], queue_id
                if "does not hold" in one["reason"]:
                    assert not self.written(queue_id, mapping)

    def _each_call_is_recorded(self) -> None:
        """Every call that arrived has its attempts; what has none besides never arrived."""
        recorded = Counter(
            dict(
                self.rows("SELECT host, count(DISTINCT call_id) FROM attempt WHERE stage = 'push' GROUP BY 1")
            )
        )
        for name, host, endpoint in (
            ("leadsquared", "leadsquared", "bulk_update"),
            ("leadsquared-async", "leadsquared_async", "update"),
        ):
            arrived = sum(
                self.world.called(host, how, endpoint) for how in ("accepted", "throttled", "denied")
            )
            assert recorded[name] >= arrived, name
        assert not self.rows("SELECT 1 FROM delivery WHERE state = 'sending'")
        assert not self.rows("SELECT 1 FROM attempt WHERE answered_at < started_at OR result = ''")


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Matrix]:
    """Every kind in a world of its own, several worlds at a time: they mostly wait."""
    runs = {name: _faulty(tmp_path_factory.mktemp(name), kind, places) for name, kind, places in CELLS}

    async def main(clock: Callable[[], float]) -> None:
        room = asyncio.Semaphore(14)
        await asyncio.gather(*(_live(run, clock, room) for run in runs.values()))

    hurry(main, PACE)
    return runs


def _faulty(directory: Path, kind: str, places: Sequence[str]) -> Matrix:
    # Eight calls in a row that meet a fault come about by chance in one run of a hundred; no lead is at fault for that.
    told = {"retry": {"attempts": 20}, **_patience(kind)}
    run = Matrix(directory, seed=sum(map(ord, kind)), leads=LEADS, **told)
    run.world.faults = Faults(rates={place: {kind: RATES.get(kind, RATE)} for place in places})
    return run


def _patience(kind: str) -> dict[str, Any]:
    calm: dict[str, Any] = {} if kind in HOLDING else {"patience": 20.0}
    return calm | ({"leadsquared": {"confirm_deadline_seconds": 3600.0}} if kind in HARMLESS else {})


async def _live(run: Matrix, clock: Callable[[], float], room: asyncio.Semaphore) -> None:
    async with room:
        try:
            await run.live(clock, run.ids)
        except BaseException as error:  # noqa: BLE001  (told by the test of its kind)
            run.ended_by = error


@pytest.mark.parametrize(("name", "kind", "places"), CELLS)
def test_a_fault_everywhere(
    matrix: Mapping[str, Matrix], name: str, kind: str, places: Sequence[str], figures: Counter[str]
) -> None:
    run = matrix[name]
    injected = run.world.faults.happened
    figures[kind] += injected.total()
    run.check()
    assert {place for place, _ in injected} == set(places)
    if kind not in REFUSING:
        run.check_all_done("bulk")
    if kind in HARMLESS:
        run.check_all_done("automations")


def test_all_faults_at_once(tmp_path: Path, figures: Counter[str]) -> None:
    run = Matrix(tmp_path, seed=99, leads=LEADS)
    run.world.faults = Faults(
        rates={place: dict.fromkeys(sorted(KINDS), 0.5 / len(KINDS)) for place in PLACES}
    )
    run.world.tasks.options.shuffle = True
    run.until_idle(run.ids)
    figures["all at once"] = run.world.faults.happened.total()
    run.check()
    assert len({kind for _, kind in run.world.faults.happened}) > len(KINDS) // 2


def test_leads_that_go_wrong_one_by_one(tmp_path: Path, figures: Counter[str]) -> None:
    run = Matrix(tmp_path, seed=7, leads=LEADS)
    run.world.bulk.omitted, run.world.bulk.failing = 0.25, 0.1
    tasks = run.world.tasks.options
    tasks.lost, tasks.stuck, tasks.failing, tasks.shuffle = 0.15, 0.1, 0.1, True
    run.until_idle(run.ids)
    figures["single leads"] = run.world.bulk.mishaps + run.world.tasks.mishaps
    run.check()
    reasons = {one.reason for one in run.failures.values()}
    # Which of them come about depends on how fast the loop runs; one alone would say that nothing was mixed.
    assert sum(any(reason in told for told in reasons) for reason in REASONS) >= 2


REASONS = (
    "The lead could not be updated",
    "no longer knows the request",
    "did not apply it before the deadline",
)


def test_one_refused_lead_among_25_costs_few_calls_more(tmp_path: Path) -> None:
    run = Run(
        tmp_path,
        {"bulk": BULK.replace("fields: {", "fields: {mx_Rogue: lead.rogue, ")},
        World(clock=lambda: START),
    )
    run.leadsquared = {"batch_size": 25, "batch_linger_seconds": 20.0}
    ids = [_known(run.world, number) for number in range(25)]
    reply = dict(run.world.queue[ids[16]].reply)
    reply["lead"] = {**reply["lead"], "rogue": "x"}
    run.world.queue[ids[16]].reply = reply
    run.until_idle(ids)
    assert run.counts == {"synced": 24, "failed": 1}
    assert list(run.failures) == [ids[16]]
    assert "mx_Rogue" in run.failures[ids[16]].reason
    assert run.rows("SELECT max(n) FROM (SELECT count(*) AS n FROM attempt GROUP BY call_id)") == [(25,)]
    extra = run.world.called("leadsquared", endpoint="bulk_update") - 1
    assert extra <= 2 * math.ceil(math.log2(25))
    assert {lead["deliveries"][0]["attempts_used"] for lead in run.leads.values()} == {0}


def _known(world: World, number: int) -> str:
    email = f"p{number}@example.com"
    world.add_person({"EmailAddress": email, "LastName": "Old"})
    return world.add_lead({"status": "Approved", "lead": {"email": email, "lastname": f"L{number}"}})


def simple(tmp_path: Path, **settings: Any) -> tuple[Run, list[str]]:
    """Forty leads of forty people, for a bulk update."""
    run = Run(tmp_path, {"bulk": BULK}, World(clock=lambda: START), pace=120.0, **settings)
    run.leadsquared = {"rate_calls": 25, "batch_size": 5}
    return run, [_known(run.world, number) for number in range(40)]


def no_attempt_used(run: Run) -> bool:
    return {one["attempts_used"] for lead in run.leads.values() for one in lead["deliveries"]} <= {0}


@pytest.mark.parametrize("side", ["leadbyte", "leadsquared"])
def test_a_refused_key_is_hardly_tried_and_works_again_by_itself(tmp_path: Path, side: str) -> None:
    run, ids = simple(tmp_path)
    world = run.world
    right = (world.secret_key, world.leadbyte_keys)

    async def meanwhile(scene: Scene) -> bool:
        if side == "leadbyte":
            world.leadbyte_keys = {}
        else:
            world.secret_key = "changed"
        await scene.until(lambda: scene.health(side).state == "denied")
        # What was in flight when the first refusal came: sixteen polls, or four updates.
        await scene.after(20)
        tried = world.called(side, "denied")
        assert tried <= 17
        await scene.after(300)
        assert 1 <= world.called(side, "denied") - tried <= 5
        assert scene.health(side).state == "denied"
        assert not world.writes
        world.secret_key, world.leadbyte_keys = right
        return True

    run.until_idle(ids, meanwhile)
    assert run.counts == {"synced": 40}
    assert len(world.writes) == 40
    assert no_attempt_used(run)


def test_a_wrong_region_names_the_right_host_and_is_hardly_tried(tmp_path: Path) -> None:
    run, ids = simple(tmp_path)
    world = run.world
    world.region_host = "api-us11.leadsquared.com"

    async def meanwhile(scene: Scene) -> bool:
        await scene.until(lambda: scene.health("leadsquared").state == "denied")
        assert "wrong region, use https://api-us11.leadsquared.com" in scene.health("leadsquared").reason
        await scene.after(20)
        told = {str(one["reason"]) for queue_id in ids for one in scene.store.lead(queue_id)["deliveries"]}
        assert any("use https://api-us11.leadsquared.com" in reason for reason in told)
        tried = sum(world.called("leadsquared", how) for how in ("accepted", "denied"))
        await scene.after(300)
        more = sum(world.called("leadsquared", how) for how in ("accepted", "denied")) - tried
        assert 1 <= more <= 10
        world.region_host = None
        return True

    run.until_idle(ids, meanwhile)
    assert run.counts == {"synced": 40}
    assert no_attempt_used(run)


@pytest.mark.parametrize("side", ["leadbyte", "leadsquared"])
def test_a_host_that_refuses_connections_for_long_uses_up_no_attempt(tmp_path: Path, side: str) -> None:
    run, ids = simple(tmp_path)
    world = run.world

    async def meanwhile(scene: Scene) -> bool:
        await scene.servers.doors[side].shut()
        await scene.until(lambda: scene.health(side).state == "down")
        assert "connection refused" in scene.health(side).reason
        await scene.after(300)
        assert not world.writes
        assert scene.health(side).probes <= 20
        await scene.servers.doors[side].open()
        return True

    run.until_idle(ids, meanwhile)
    assert run.counts == {"synced": 40}
    assert len(world.writes) == 40
    assert no_attempt_used(run)


@pytest.mark.parametrize("side", ["leadbyte", "leadsquared"])
def test_a_name_that_does_not_resolve_is_said_and_uses_up_no_attempt(tmp_path: Path, side: str) -> None:
    run, ids = simple(tmp_path, urls={side: "https://nosuchhost.invalid"}, patience=20.0)

    async def meanwhile(scene: Scene) -> bool:
        await scene.until(lambda: scene.health(side).state == "down")
        assert (
            scene.health(side).reason == "cannot reach https://nosuchhost.invalid: its name does not resolve"
        )
        return False

    run.until_idle(ids, meanwhile)
    assert run.counts == {"waiting" if side == "leadbyte" else "pending": 40}
    assert no_attempt_used(run)
    assert not run.failures
