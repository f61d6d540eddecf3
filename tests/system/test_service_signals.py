"""The service told to stop, killed in the middle, and started again: every lead accounted for, nothing sent twice."""

from __future__ import annotations

import json
import signal
from collections import Counter

from tests.system.conftest import Bridge, Simulator, until

LEADS = 60
SLOW = 1.0
"""Seconds that LeadSquared keeps an answer back after it has carried the call out."""
AUTOMATIONS = """\
version: 1
leadsquared: {mode: async, trigger_automation: true}
fields:
  ProspectID: lead.prospect
  mx_Outcome: {value: Sold}
"""


def sold(simulator: Simulator) -> int:
    """How many people the CRM shows as sold."""
    return simulator.world.crm.counts("mx_Outcome").get("Sold", 0)


def test_a_service_told_to_stop_finishes_what_is_in_flight(bridge: Bridge, simulator: Simulator) -> None:
    world = simulator.world
    bridge.track(*simulator.leads(LEADS))
    late = [simulator.lead(f"late{n}@example.com", "Queued") for n in range(5)]
    bridge.track(*late)
    world.answer_delay["leadsquared"] = SLOW
    with bridge.start("run") as service:
        until(lambda: world.writes, "the first batch is in flight")
        said = service.stopped(signal.SIGTERM)
    assert said.code == 0
    assert '"event": "stopped"' in said.stderr
    counts = bridge.counts()
    assert counts["synced"] == len(world.writes) == sold(simulator)
    assert set(counts) <= {"synced", "pending", "waiting"}
    assert sum(counts.values()) == LEADS + len(late)
    world.answer_delay.clear()
    for queue_id in late:
        world.add_lead({**world.queue[queue_id].reply, "status": "Approved", "queueId": queue_id})
    bridge.drain()
    assert bridge.counts() == {"synced": LEADS + len(late)}
    assert (len(world.writes), world.doubled) == (LEADS + len(late), 0)


def test_a_service_killed_in_the_middle_loses_and_doubles_nothing(
    bridge: Bridge, simulator: Simulator
) -> None:
    world = simulator.world
    queue_ids = [*simulator.leads(LEADS), simulator.lead("new@example.com", known=False)]
    bridge.track(*queue_ids)
    world.answer_delay["leadsquared"] = SLOW
    with bridge.start("run") as service:
        until(lambda: world.writes, "the first batch is in flight")
        service.process.kill()
        service.process.wait()
    world.answer_delay.clear()
    cut_off = Counter(write.prospect for write in world.writes)
    before = bridge.counts()
    assert sum(before.values()) == LEADS + 1
    assert before["sending"] >= len(cut_off) > 0
    bridge.drain()
    assert bridge.counts() == {"synced": LEADS, "unprocessed": 1}
    assert sold(simulator) == LEADS
    assert world.doubled == 0
    assert max(cut_off.values()) == 1
    # The answers about these were lost, and setting the same values once more is harmless; no other lead is sent twice.
    sent = Counter(write.prospect for write in world.writes)
    assert {prospect for prospect, times in sent.items() if times > 1} <= set(cut_off)
    assert max(sent.values()) <= 2
    lost = [bridge.lead(queue_id)["deliveries"][0]["attempts"][0]["result"] for queue_id in queue_ids]
    assert lost.count("lost") == before["sending"]


def test_an_update_that_fires_automations_is_not_sent_again_after_a_kill(
    bridge: Bridge, simulator: Simulator
) -> None:
    world = simulator.world
    bridge.mapping.write_text(AUTOMATIONS)
    people = [world.add_person({"EmailAddress": f"a{n}@example.com"}) for n in range(4)]
    queue_ids = [simulator.lead(None, lead={"prospect": person}) for person in people]
    bridge.track(*queue_ids)
    world.answer_delay["leadsquared_async"] = SLOW
    with bridge.start("run") as service:
        until(lambda: world.called("leadsquared_async") == len(people), "every update is in flight")
        service.process.kill()
        service.process.wait()
    world.answer_delay.clear()
    assert bridge.counts() == {"sending": len(people)}
    with bridge.start("run") as service:
        until(lambda: bridge.counts() == {"synced": len(people)}, "what LeadSquared holds settles the doubt")
        assert service.stopped(signal.SIGINT).code == 0
    assert Counter(write.prospect for write in world.writes) == dict.fromkeys(people, 1)
    assert all(write.fired for write in world.writes)
    states = [attempt["state"] for attempt in bridge.lead(queue_ids[0])["deliveries"][0]["attempts"]]
    assert states[0] == "in_doubt"
    assert states[-1] == "synced"


def test_a_doubt_that_cannot_be_settled_waits_for_a_person(bridge: Bridge, simulator: Simulator) -> None:
    world = simulator.world
    bridge.mapping.write_text(AUTOMATIONS)
    world.fail_next("reset_before", at="leadsquared_async.update")
    person = world.add_person({"EmailAddress": "a@example.com"})
    queue_id = simulator.lead(None, lead={"prospect": person})
    bridge.track(queue_id)
    bridge.drain()
    assert bridge.counts() == {"in_doubt": 1}
    (told,) = json.loads((bridge.state / "reports" / "latest.json").read_text())["leads"]
    assert told["state"] == "in_doubt"
    assert told["resync"] == f"bridge resolve {queue_id} --as done|not-done"
    assert bridge("resolve", queue_id, "--as", "not-done").stdout == "1 settled as not-done\n"
    assert bridge.counts() == {"failed": 1}
    assert world.writes == []
    assert bridge("resync").stdout.startswith("1 leads re-opened: now 1 synced")
    assert bridge.counts() == {"synced": 1}
    assert [write.prospect for write in world.writes] == [person]


def test_a_resync_told_to_stop_says_what_goes_on(bridge: Bridge, simulator: Simulator) -> None:
    world = simulator.world
    bridge.track(*simulator.leads(30))
    bridge.drain()
    world.answer_delay["leadsquared"] = SLOW
    again = ("resync", "--refetch", "--force", "--state", "synced")
    with bridge.start(*again, env={"BRIDGE_LEADSQUARED__BATCH_LINGER_SECONDS": "60"}) as resync:
        until(lambda: len(world.writes) > 30, "the full batch is in flight")
        said = resync.stopped(signal.SIGTERM)
    assert said.code == 1
    assert len(said.errors) == 1
    assert "30 leads re-opened, 30 are not done" in said.errors[0]
    assert bridge.counts() == {"synced": 25, "pending": 5}
    world.answer_delay.clear()
    bridge.drain()
    assert bridge.counts() == {"synced": 30}
    assert (len(world.writes), world.doubled) == (60, 0)


def test_a_resync_takes_over_from_a_service_that_dies_while_it_follows(
    bridge: Bridge, simulator: Simulator
) -> None:
    emails = [f"late{number}@example.com" for number in range(3)]
    bridge.track(*(simulator.lead(email, known=False) for email in emails))
    bridge.drain()
    for email in emails:
        simulator.world.add_person({"EmailAddress": email})
    with bridge.start("run", env={"BRIDGE_LEADSQUARED__BATCH_LINGER_SECONDS": "60"}) as service:
        service.until("started")
        with bridge.start("resync") as resync:
            until(lambda: bridge.counts().get("pending") == 3, "the service holds the re-opened leads back")
            service.process.kill()
            said = resync.finished()
    assert said.code == 0
    assert "now 3 synced" in said.stdout
