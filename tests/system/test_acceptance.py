"""The forward bridge as a whole: real HTTP against both simulated APIs, a real SQLite file, every lead looked up in the CRM."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bridge.app import App
from bridge.model import Track
from bridge.settings import Leadbyte, Leadsquared, Settings
from bridge.simulator import Limits, Mix, Profile, Servers, World, populate, serve

BULK = """
version: 1
leadsquared: {mode: bulk, search_by: EmailAddress, missing_leads: MISSING}
fields: {EmailAddress: {from: lead.email, type: email}, LastName: lead.lastname, mx_Source: {value: LeadByte},
  mx_Outcome: {from: status, values: {Approved: Sold, Rejected: Lost, Duplicate: Duplicate}, otherwise: error}}
"""
ASYNC = """
version: 1
leadsquared: {mode: async, trigger_automation: AUTOMATION}
fields: {ProspectID: lead.prospectid, LastName: lead.lastname, mx_Source: {value: LeadByte}}
"""
PLAIN = Mix(unknown=0.1, no_email=0.0, duplicate=0.0, rejected=0.2, quarantined=0.0, slow=0.0)
UNKNOWN = "Lead does not exist in the system"


class Run:
    """One world and one bridge over it."""

    def __init__(self, tmp_path: Path, mapping: str, world: World, **leadsquared: Any) -> None:
        self.world, self.leadsquared = world, leadsquared
        self.state, self.mappings = tmp_path / "state", tmp_path / "mappings"
        self.mappings.mkdir()
        (self.mappings / "leads.yaml").write_text(mapping)

    def drain(self, queue_ids: Sequence[str]) -> Mapping[str, int]:
        """Track these, run until dry; how many leads are in which state."""
        return asyncio.run(self._drain(queue_ids))

    async def _drain(self, queue_ids: Sequence[str]) -> Mapping[str, int]:
        async with serve(self.world) as servers:
            app = App(self._settings(servers))
            async with app.service() as service:
                store, now = service.machine.store, app.clock()
                store.track([Track(queue_id) for queue_id in queue_ids], now, now + 600)
                await service.run(drain=True)
                self.world.settle(self.world.clock())
                self.failures = list(store.failures())
                return {state: n for state, n in store.status().leads.items() if n}

    def _settings(self, servers: Servers) -> Settings:
        world = self.world
        return Settings(
            state_dir=self.state,
            mappings_dir=self.mappings,
            leadbyte=Leadbyte(
                url=servers.leadbyte, key=SecretStr(world.leadbyte_key), poll_first_seconds=0.2
            ),
            leadsquared=Leadsquared(
                url=servers.leadsquared,
                async_url=servers.leadsquared_async,
                access_key=SecretStr(world.access_key),
                secret_key=SecretStr(world.secret_key),
                async_api_key=SecretStr(world.async_api_key),
                **{"batch_linger_seconds": 0.3, "confirm_first_seconds": 0.3, **self.leadsquared},
            ),
        )

    def held(self, queue_id: str) -> Mapping[str, str | None] | None:
        """What the CRM holds of this lead; None where it does not know it."""
        lead = self.world.queue[queue_id].reply["lead"]
        prospect = self.world.crm.find("ProspectID", lead["prospectid"])
        return self.world.crm.flat(prospect) if prospect else None

    def check_values(self, queue_ids: Sequence[str], outcomes: Mapping[str, str]) -> None:
        """Every lead that the CRM knows holds the values of its own result."""
        for queue_id in queue_ids:
            held, reply = self.held(queue_id), self.world.queue[queue_id].reply
            assert (held is None) == (queue_id in self.world.unknown)
            if held is not None:
                assert held["mx_Source"] == "LeadByte"
                if lastname := reply["lead"].get("lastname", "").strip():
                    assert held["LastName"] == lastname
                assert held["mx_Outcome"] == outcomes.get(reply["status"], held["mx_Outcome"])


@pytest.mark.parametrize(
    "profile",
    [
        Profile(envelope="records"),
        Profile(envelope="results", ids_as="text", info="object", naming="plural"),
        Profile(envelope="bare", id_key="queueRef", response=False, naming="singular"),
    ],
    ids=["records", "results", "bare"],
)
@pytest.mark.parametrize("missing", ["unprocessed", "failed"])
def test_300_leads_in_each_envelope_form(tmp_path: Path, profile: Profile, missing: str) -> None:
    world = World(seed=3, profile=profile)
    ids = populate(world, 300, seed=3, mix=PLAIN)
    run = Run(tmp_path, BULK.replace("MISSING", missing), world)
    leads = run.drain(ids)
    unknown = set(world.unknown)
    assert 15 <= len(unknown) <= 60
    assert leads == {"synced": 300 - len(unknown), missing: len(unknown)}
    assert {failure.queue_id for failure in run.failures} == unknown
    assert all(UNKNOWN in failure.reason for failure in run.failures)
    run.check_values(ids, {"Approved": "Sold", "Rejected": "Lost", "Duplicate": "Duplicate"})
    assert len({write.prospect for write in world.writes}) == len(world.writes) == 300 - len(unknown)
    assert world.doubled == 0


@pytest.mark.parametrize("automation", ["true", "false"])
def test_60_leads_by_the_async_api(tmp_path: Path, automation: str) -> None:
    world = World(seed=4)
    world.limit("leadsquared_async", Limits(25, 1.0))
    ids = populate(world, 60, seed=4, mix=PLAIN)
    run = Run(tmp_path, ASYNC.replace("AUTOMATION", automation), world, rate_seconds=1.0)
    leads = run.drain(ids)
    unknown = set(world.unknown)
    assert unknown
    assert leads == {"synced": 60 - len(unknown), "failed": len(unknown)}
    assert {failure.queue_id for failure in run.failures} == unknown
    assert all(UNKNOWN in failure.reason for failure in run.failures)
    run.check_values(ids, {})
    assert world.tasks.overlaps == 0
    assert world.called("leadsquared_async", "throttled") == 0
    assert {write.fired for write in world.writes} == {automation == "true"}


def windows(arrivals: Sequence[float], seconds: float, count: int) -> list[float]:
    """How long each run of `count` calls in a row took, but for those that end with the work."""
    return [late - early for early, late in zip(arrivals, arrivals[count:], strict=False)]


def test_2500_leads_flow_through_the_printed_limit_without_a_refused_call(tmp_path: Path) -> None:
    world = World(seed=5)
    world.limit("leadsquared", Limits(25, 5.0))
    ids = populate(world, 2500, seed=5, mix=PLAIN)
    run = Run(tmp_path, BULK.replace("MISSING", "unprocessed"), world, batch_linger_seconds=1.0)
    run.drain(ids)
    arrivals = list(world.arrivals["leadsquared"])
    assert world.called("leadsquared", "throttled") == 0
    assert world.called("leadsquared") >= 100
    # While there is work, 25 calls take 5 s: one more comes at the latest 5 % after the window lets it.
    assert all(span >= 5.0 for span in windows(arrivals, 5.0, 25))
    busy = arrivals[:100]
    allowed = 25 * (busy[-1] - busy[0]) / 5.0
    assert len(busy) - 25 >= 0.95 * (allowed - 25)


@pytest.mark.parametrize("form", ["429", "403", "200"])
def test_a_hidden_limit_costs_at_most_five_refused_calls(tmp_path: Path, form: Any) -> None:
    world = World(seed=6)
    world.limit("leadsquared", Limits(25, 5.0, hidden=(10, 5.0), form=form))
    ids = populate(world, 300, seed=6, mix=PLAIN)
    run = Run(tmp_path, BULK.replace("MISSING", "unprocessed"), world)
    leads = run.drain(ids)
    assert leads == {"synced": 300 - len(world.unknown), "unprocessed": len(world.unknown)}
    assert 1 <= world.called("leadsquared", "throttled") <= 5
    kept = json.loads(_checkpoint(run, "host:leadsquared"))
    assert (kept["learned"]["calls"], kept["learned"]["seconds"]) == (10, 5.0)


def _checkpoint(run: Run, name: str) -> str:
    with App(
        run._settings(Servers("http://127.0.0.1:1", "http://127.0.0.1:1", "http://127.0.0.1:1"))
    ).store() as store:
        return store.checkpoint(name) or "{}"


def test_a_learned_limit_holds_in_the_next_process(tmp_path: Path) -> None:
    world = World(seed=8)
    world.limit("leadsquared", Limits(25, 2.0, hidden=(5, 2.0)))
    first, second = populate(world, 300, seed=8, mix=PLAIN), populate(world, 300, seed=9, mix=PLAIN)
    run = Run(tmp_path, BULK.replace("MISSING", "unprocessed"), world, rate_seconds=2.0)
    run.drain(first)
    refused = world.called("leadsquared", "throttled")
    run.drain(second)
    assert 1 <= refused <= 5
    assert world.called("leadsquared", "throttled") == refused


def test_search_keys_are_tried_in_order(tmp_path: Path) -> None:
    world = World(seed=10)
    known = world.add_person(
        {"EmailAddress": "other@example.com", "Phone": "+44-7911123456", "LastName": "X"}
    )
    email, phone = "ann@example.com", "07911 123456"
    found = world.add_lead({"status": "Approved", "lead": {"email": email, "phone1": phone, "lastname": "Y"}})
    lost = world.add_lead({"status": "Approved", "lead": {"email": "no@example.com", "lastname": "Z"}})
    mapping = """
version: 1
leadsquared: {mode: bulk, search_by: [EmailAddress, Phone]}
fields: {EmailAddress: {from: lead.email, type: email}, Phone: {from: lead.phone1, type: phone, region: GB},
  LastName: lead.lastname}
"""
    run = Run(tmp_path, mapping, world)
    assert run.drain([found, lost]) == {"synced": 1, "unprocessed": 1}
    assert world.crm.flat(known)["LastName"] == "Y"
    assert [failure.queue_id for failure in run.failures] == [lost]


def test_several_mappings_apply_to_one_lead(tmp_path: Path) -> None:
    world = World(seed=11)
    ids = populate(world, 20, seed=11, mix=Mix(unknown=0.0, no_email=0.0, duplicate=0.0, quarantined=0.0))
    world.limit("leadsquared_async", Limits(25, 1.0))
    run = Run(tmp_path, BULK.replace("MISSING", "unprocessed"), world, rate_seconds=1.0)
    (run.mappings / "quietly.yaml").write_text(
        ASYNC.replace("AUTOMATION", "false").replace("LastName: lead.lastname, ", "")
    )
    assert run.drain(ids) == {"synced": 20}
    assert {via: sum(w.via == via for w in world.writes) for via in ("bulk", "async")} == {
        "bulk": 20,
        "async": 20,
    }


def test_one_refused_lead_does_not_sink_its_batch(tmp_path: Path) -> None:
    world = World(seed=12)
    ids = populate(world, 25, seed=12, mix=Mix(unknown=0.0, no_email=0.0, duplicate=0.0, quarantined=0.0))
    offender = dict(world.queue[ids[7]].reply)
    offender["lead"] = {**offender["lead"], "rogue": "x"}
    world.queue[ids[7]].reply = offender
    mapping = BULK.replace("MISSING", "unprocessed") + "  \n"
    mapping = mapping.replace("fields: {", "fields: {mx_Rogue: lead.rogue, ")
    run = Run(tmp_path, mapping, world, batch_linger_seconds=1.0)
    assert run.drain(ids) == {"synced": 24, "failed": 1}
    [failure] = run.failures
    assert failure.queue_id == ids[7]
    assert "mx_Rogue" in failure.reason
    # The batch (two, where one lead came late), then two halves at each of at most five levels.
    assert world.called("leadsquared") <= 2 + 2 * 5


def test_the_newest_result_wins_whatever_the_order_of_arrival(tmp_path: Path) -> None:
    world = World(seed=13)
    person = world.add_person({"EmailAddress": "ann@example.com", "LastName": "Old"})

    def lead(processed: str, lastname: str, ready_after: float) -> str:
        reply = {
            "status": "Approved",
            "processed": processed,
            "lead": {"email": "ann@example.com", "lastname": lastname},
        }
        return world.add_lead(reply, ready_after=ready_after)

    names = ["Third", "First", "Second", "Fourth"]
    days = {"First": "01", "Second": "02", "Third": "03", "Fourth": "04"}
    ids = [lead(f"2026-03-{days[name]}T10:00:00Z", name, 0.6 * n) for n, name in enumerate(names)]
    run = Run(tmp_path, BULK.replace("MISSING", "unprocessed"), world, batch_linger_seconds=0.0)
    leads = run.drain(ids)
    assert world.crm.flat(person)["LastName"] == "Fourth"
    assert sum(leads.values()) == 4
    assert set(leads) <= {"synced", "superseded"}
    sent = [write.fields["LastName"] for write in world.writes]
    assert all(days[early] < days[late] for early, late in pairwise(sent))
