"""Changes in LeadSquared reach LeadByte by looks, which webhooks only hasten: a real service between both simulated APIs."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from signal import SIGTERM
from typing import Final
from urllib.parse import quote

import httpx
import pytest

from bridge.store import open_store
from tests.system.conftest import TOKEN, Bridge, Simulator, bridged, leaks, until

BACK: Final = """
version: 1
direction: feedback
when: "ProspectStage == 'Sold'"
lead_id: mx_LeadByte_Id
update: {postcode: mx_Postcode}
trigger_deliveries: ["1053"]
"""
SALE: Final = """
version: 1
direction: feedback
when: "ProspectStage == 'Sold'"
lead_id: mx_LeadByte_Id
financials: {payout: mx_Payout}
"""
HOOK: Final = "/v1/webhooks/leadsquared/"
RARELY, OFTEN = "86400", "0.25"


@dataclass
class Scene:
    """A bridge with a webhook, and leads that both sides know."""

    simulator: Simulator
    bridge: Bridge
    url: str
    numbers: Iterator[int] = field(default_factory=lambda: count(7_100_001))

    @property
    def hook(self) -> str:
        return f"{self.url}{HOOK}{quote(TOKEN, safe='')}"

    @contextmanager
    def running(self, seconds: str) -> Iterator[None]:
        """The service, after its first look; at the end it stops as it should. `seconds`: between its looks."""
        env = {"BRIDGE_LEADSQUARED__CHANGES_SECONDS": seconds}
        before = self.looks
        with self.bridge.start("run", env=env) as service:
            service.until("listening")
            until(lambda: self.looks > before, "the first look")
            yield
            until(lambda: not self.simulator.world.hooks.pending, "every webhook was told")
            assert service.stopped(SIGTERM).code == 0

    @property
    def looks(self) -> int:
        return self.simulator.world.called("leadsquared", "accepted", "recently_modified")

    def lead(self) -> tuple[str, str]:
        """A new lead: its ProspectID and leadId. Nobody has yet said anything of it."""
        number = next(self.numbers)
        world = self.simulator.world
        response = {"code": 1, "response": "OK", "info": [], "leadId": number}
        world.add_lead({"queueId": f"q-{number}", "status": "Approved", "response": response, "lead": {}})
        stage = {"ProspectStage": "Lost", "mx_LeadByte_Id": str(number)}
        return world.add_person({"EmailAddress": f"p{number}@x.example", **stage}), str(number)

    def triggered(self) -> Counter[tuple[str, str]]:
        """How often each lead was triggered with each postcode."""
        operations = self.simulator.world.operations
        return Counter((one.id, str(one.values["postcode"])) for one in operations if one.kind == "trigger")


@pytest.fixture
def scene(simulator: Simulator, tmp_path: Path) -> Iterator[Scene]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    more = {
        "BRIDGE_SERVER__LISTEN": listen,
        "BRIDGE_SERVER__WEBHOOK_TOKEN": TOKEN,
        "BRIDGE_LEADBYTE__BATCH_LINGER_SECONDS": "0.05",
    }
    with bridged(tmp_path / "bridge", {**simulator.environment, **more}) as bridge:
        (bridge.mappings / "back.yaml").write_text(BACK)
        yield Scene(simulator, bridge, f"http://{listen}")


def test_a_webhook_brings_a_change_although_looks_are_rare_and_nothing_of_it_is_logged(scene: Scene) -> None:
    world = scene.simulator.world
    prospect, lead_id = scene.lead()
    with scene.running(RARELY):
        world.hooks.register(scene.hook)
        looks = scene.looks
        world.edit(prospect, {"ProspectStage": "Sold", "mx_Postcode": "N1 1AA"})
        until(lambda: scene.triggered(), "LeadByte is told")
        assert scene.looks > looks, "the webhook is only a reason to look"
    assert scene.triggered() == {(lead_id, "N1 1AA"): 1}
    assert {(call.method, call.status) for call in world.webhook_log} == {("HEAD", 200), ("POST", 200)}
    logs = "".join(path.read_text() for path in scene.bridge.directory.glob("stderr-*"))
    assert "told_by" in logs
    for private in ("N1 1AA", f"p{lead_id}@", quote(TOKEN, safe=""), TOKEN):
        assert private not in logs


def test_webhooks_and_looks_together_act_once_on_each_change(scene: Scene) -> None:
    world = scene.simulator.world
    world.hooks.options.doubled = world.hooks.options.overtaken = world.hooks.options.lost = 0.3
    leads = [scene.lead() for _ in range(12)]
    with scene.running(OFTEN):
        world.hooks.register(scene.hook)
        for prospect, _ in leads:
            world.edit(prospect, {"ProspectStage": "Sold", "mx_Postcode": "N1 1AA"})
        until(lambda: len(scene.triggered()) == len(leads), "every change arrives")
        for prospect, _ in leads:
            world.touch(prospect)
            world.edit(prospect, {"mx_Postcode": "N1 1AA"})
        looks = scene.looks
        until(lambda: scene.looks >= looks + 3, "looks go on")
    assert world.hooks.options.mishaps
    assert scene.triggered() == {(lead_id, "N1 1AA"): 1 for _, lead_id in leads}
    assert world.repeated == 0


def test_a_change_while_the_service_was_away_is_found_by_its_first_look(scene: Scene) -> None:
    world = scene.simulator.world
    first, second = scene.lead(), scene.lead()
    world.edit(first[0], {"ProspectStage": "Sold", "mx_Postcode": "N1 1AA"})
    with scene.running(RARELY):
        until(lambda: scene.triggered(), "LeadByte is told")
    world.edit(second[0], {"ProspectStage": "Sold", "mx_Postcode": "N2 2BB"})
    with scene.running(RARELY):
        until(lambda: len(scene.triggered()) == 2, "LeadByte is told")
    assert scene.triggered() == {(first[1], "N1 1AA"): 1, (second[1], "N2 2BB"): 1}


def test_a_drain_reads_all_changes_once_and_carries_them_out(scene: Scene) -> None:
    world = scene.simulator.world
    prospect, lead_id = scene.lead()
    world.edit(prospect, {"ProspectStage": "Sold", "mx_Postcode": "N1 1AA"})
    world.fail_next("reset_after", at="leadsquared.recently_modified")
    scene.bridge.drain()
    assert scene.triggered() == {(lead_id, "N1 1AA"): 1}
    assert scene.looks == 2
    scene.bridge.drain()
    assert scene.triggered() == {(lead_id, "N1 1AA"): 1}


def test_a_drain_ends_where_changes_can_never_be_read(scene: Scene) -> None:
    scene.simulator.world.fail_next("mx_error", times=50, at="leadsquared.recently_modified")
    said = scene.bridge("run", "--drain")
    assert said.code == 1
    assert said.errors[0].startswith("changes cannot be read: LeadSquared ")


def posted(scene: Scene, content: bytes) -> None:
    """LeadSquared, or whoever knows the address, tells of a change."""
    answer = httpx.post(scene.hook, content=content)
    assert (answer.status_code, answer.json()) == (200, {"Status": "Success", "StatusReason": ""})


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b'{"After": {"ProspectID": "x"}}'])
def test_a_webhook_leads_to_a_look_at_once_whatever_it_tells(scene: Scene, body: bytes) -> None:
    world = scene.simulator.world
    prospect, lead_id = scene.lead()
    with scene.running(RARELY):
        world.edit(prospect, {"ProspectStage": "Sold", "mx_Postcode": "N1 1AA"})
        posted(scene, body)
        until(lambda: scene.triggered(), "LeadByte is told")
    assert scene.triggered() == {(lead_id, "N1 1AA"): 1}


def forged(prospect: str, lead_id: str, at: str, **values: str) -> bytes:
    """A webhook of a change that nobody made, with every column that any mapping asks for."""
    told = {"ProspectID": prospect, "EmailAddress": "invented@x.example", "ProspectStage": "Sold"}
    held = {"mx_LeadByte_Id": lead_id, "mx_Postcode": "FORGED", "mx_Payout": "999", **values}
    return json.dumps({"Before": {}, "After": {**told, **held, "ModifiedOn": at}}).encode()


def test_values_that_somebody_forged_in_a_webhook_reach_nobody(scene: Scene) -> None:
    """Neither a lead that there is not, nor other values of one that there is."""
    (scene.bridge.mappings / "sale.yaml").write_text(SALE)
    prospect, lead_id = scene.lead()
    with scene.running(RARELY):
        looks = scene.looks
        posted(scene, forged("11111111-2222-3333-4444-555555555555", lead_id, "2026-01-01 00:00:00"))
        posted(scene, forged(prospect, lead_id, "2026-01-01 00:00:00"))
        until(lambda: scene.looks >= looks + 2, "the looks that follow")
    scene.bridge.drain()
    assert scene.simulator.world.operations == []
    with closing(open_store(scene.bridge.state)) as store:
        assert store.lead("11111111-2222-3333-4444-555555555555") is None
        known = store.lead(prospect)
    assert known
    assert known["deliveries"] == []
    assert "FORGED" not in str(known)
    stored = b"".join(path.read_bytes() for path in scene.bridge.state.glob("*.db*"))
    assert prospect.encode() in stored
    assert b"FORGED" not in stored
    assert b"invented" not in stored


def test_a_forged_moment_hides_no_real_change(scene: Scene) -> None:
    world = scene.simulator.world
    prospect, lead_id = scene.lead()
    with scene.running(RARELY):
        looks = scene.looks
        posted(scene, forged(prospect, lead_id, "2099-01-01 00:00:00", ProspectStage="Lost"))
        until(lambda: scene.looks > looks, "the look that follows")
        world.edit(prospect, {"ProspectStage": "Sold", "mx_Postcode": "N1 1AA"})
        posted(scene, b"{}")
        until(lambda: scene.triggered(), "LeadByte is told")
    assert scene.triggered() == {(lead_id, "N1 1AA"): 1}


def test_a_wrong_token_opens_nothing(scene: Scene) -> None:
    prospect, lead_id = scene.lead()
    after = {
        "ProspectID": prospect,
        "ProspectStage": "Sold",
        "mx_Postcode": "N1 1AA",
        "mx_LeadByte_Id": lead_id,
    }
    body = {"After": {**after, "EmailAddress": "", "ModifiedOn": "2030-01-01 00:00:00"}}
    with scene.running(RARELY):
        looks = scene.looks
        for shown in ("wrong", "", TOKEN[:-1], f"{TOKEN}x"):
            for method in ("HEAD", "POST"):
                answer = httpx.request(method, f"{scene.url}{HOOK}{quote(shown, safe='')}", json=body)
                assert answer.status_code == 404
                assert not leaks(answer.content)
        assert httpx.head(scene.hook).status_code == 200
        assert scene.looks == looks
    assert scene.triggered() == {}
