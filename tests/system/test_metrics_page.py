"""`GET /metrics` of the whole bridge, and what in deploy/ goes by it: alert rules, the dashboard, the page about them."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from bridge.model import LEAD_STATES, State, Track
from bridge.ports import Status
from tests.contract.test_server_metrics import COUNTED, MEASURED, page, samples
from tests.system.conftest import PATIENCE, ROOT
from tests.system.test_readiness import ASYNC, BULK, Bridge, until
from tests.unit.test_docs import commands

DEPLOY = ROOT / "deploy"
FEEDBACK = """
version: 1
direction: feedback
lead_id: mx_LeadByte_Id
update: {postcode: mx_Zip}
"""
METRIC = re.compile(r"\b(?:bridge|process)_[a-z_]+\b")
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed here")
Values = Mapping[tuple[str, str], float]


def promtool(*args: object, given: str = "") -> tuple[int, str]:
    """How it ended, and all that it said."""
    told = subprocess.run(
        ["promtool", *map(str, args)],
        input=given,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=DEPLOY,
    )
    return told.returncode, told.stdout + told.stderr


# the page


async def scraped(client: httpx.AsyncClient) -> str:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    return answer.text


def by_label(values: Values, name: str) -> dict[str, float]:
    return {label: value for (each, label), value in values.items() if each == name and value}


def leads(bridge: Bridge) -> list[str]:
    """Two leads whose person the CRM knows, and one whom it does not know. Returns their queueIds."""
    emails = ("zoe.marsh@example.com", "ann.poe@example.com", "nobody@example.com")
    for email in emails[:2]:
        bridge.world.add_person({"EmailAddress": email})
    replies = (
        {"status": "Approved", "processed": "2026-03-02T16:03:04Z", "lead": {"email": one}} for one in emails
    )
    return [bridge.world.add_lead(reply) for reply in replies]


def done(status: Status) -> bool:
    """Whether three leads are at rest, and the change is read."""
    rested = status.leads["synced"] + status.leads["unprocessed"]
    return rested == 3 and "leadsquared:changes" in status.checkpoints


def test_the_page_of_a_working_bridge_holds_what_is_counted_and_nobody(tmp_path: Path) -> None:
    bridge = Bridge(tmp_path, BULK)
    queue_ids = leads(bridge)

    async def main() -> str:
        async with bridge.up() as (service, client):
            store = service.machine.store
            store.track(map(Track, [*queue_ids, "never-heard-of"]), bridge.clock(), bridge.clock() + 86400)
            (tmp_path / "mappings" / "back.yaml").write_text(FEEDBACK)
            running = asyncio.create_task(service.run())
            async with asyncio.timeout(PATIENCE):
                while not done(store.status()):
                    await client.get("/healthz")
            text = await scraped(client)
            service.stop.set()
            await running
            return text

    text = asyncio.run(main())
    values = samples(text)
    assert by_label(values, "bridge_leads") == {"synced": 2, "unprocessed": 1, "waiting": 1}
    assert {label for name, label in values if name == "bridge_leads"} == set(LEAD_STATES)
    assert {label for name, label in values if name == "bridge_deliveries_to_leadbyte"} == set(State)
    sides = ("leadbyte", "leadbyte-updates", "leadsquared", "leadsquared-async")
    assert by_label(values, "bridge_side_up") == dict.fromkeys(sides, 1)
    assert by_label(values, "bridge_side_denied") == {}
    assert {label for name, label in values if name == "bridge_window_calls"} == set(sides) - {sides[1]}
    assert by_label(values, "bridge_window_limit") == {"leadsquared": 25, "leadsquared-async": 25}
    assert 0 < values["bridge_window_calls", "leadsquared"] <= 25
    assert values["bridge_store_readable", ""] == values["bridge_working", ""] == 1
    assert values["bridge_disk_full", ""] == values["bridge_account_mismatches", ""] == 0
    assert 0 <= values["bridge_oldest_waiting_seconds", ""] < PATIENCE
    assert abs(values["bridge_changes_read_up_to_timestamp_seconds", ""] - bridge.clock()) < 86400
    world = bridge.world
    keys = (*world.leadbyte_keys, world.access_key, world.secret_key, world.async_api_key)
    prospects = list(world.crm.leads)
    for never in (*queue_ids, *keys, *prospects, "never-heard-of", "example.com", "marsh", str(tmp_path)):
        assert never.lower() not in text.lower(), never
    if shutil.which("promtool"):
        assert promtool("check", "metrics", given=text) == (0, "")


def test_scrapes_at_once_and_soon_after_show_one_count_and_a_later_one_the_next(tmp_path: Path) -> None:
    bridge = Bridge(tmp_path, BULK)

    async def main() -> list[tuple[float, float]]:
        async with bridge.up() as (service, client):
            store, clock = service.machine.store, bridge.clock
            found = await asyncio.gather(*(scraped(client) for _ in range(8)))
            store.track([Track("q-1")], clock(), clock() + 86400)
            found.append(await scraped(client))
            bridge.clock.by += 400.0
            found.append(await scraped(client))
            pages = map(samples, found)
            return [
                (one["bridge_counted_timestamp_seconds", ""], one["bridge_leads", "waiting"]) for one in pages
            ]

    *first, last = asyncio.run(main())
    assert len(set(first)) == 1
    assert first[0][1] == 0
    assert last[1] == 1
    assert last[0] >= first[0][0] + 400


@pytest.mark.parametrize(
    ("side", "key", "mapping"),
    [("leadbyte", "leadbyte_keys", BULK), ("leadsquared-async", "async_api_key", ASYNC)],
)
def test_a_refused_key_is_shown_by_its_side(side: str, key: str, mapping: str, tmp_path: Path) -> None:
    bridge = Bridge(tmp_path, mapping)
    person = bridge.world.add_person({"EmailAddress": "a@example.com"})
    lead = {"email": "a@example.com", "prospectid": person}
    queue_id = bridge.world.add_lead(
        {"status": "Approved", "processed": "2026-03-02T16:03:04Z", "lead": lead}
    )

    async def main() -> Values:
        async with bridge.up() as (service, client):
            setattr(bridge.world, key, type(getattr(bridge.world, key))())
            service.machine.store.track([Track(queue_id)], bridge.clock(), bridge.clock() + 86400)
            running = asyncio.create_task(service.run())
            await until(client, 503)
            text = await scraped(client)
            service.stop.set()
            await running
            return samples(text)

    values = asyncio.run(main())
    assert values["bridge_side_up", side] == 0
    assert by_label(values, "bridge_side_denied") == {side: 1}


def test_a_damaged_database_leaves_the_rest_of_the_page(tmp_path: Path) -> None:
    bridge = Bridge(tmp_path, BULK)

    async def main() -> Values:
        async with bridge.up() as (_, client):
            for path in (tmp_path / "state").glob("bridge.db*"):
                path.write_bytes(b"no database" * 1000)
            return samples(await scraped(client))

    values = asyncio.run(main())
    assert values["bridge_store_readable", ""] == 0
    assert values["bridge_side_up", "leadbyte"] == 1
    assert ("bridge_counted_timestamp_seconds", "") not in values


def test_a_scrape_makes_no_database_where_there_is_none_any_more(tmp_path: Path) -> None:
    bridge = Bridge(tmp_path, BULK)

    async def main() -> Values:
        async with bridge.up() as (_, client):
            for path in (tmp_path / "state").glob("bridge.db*"):
                path.unlink()
            return samples(await scraped(client))

    assert asyncio.run(main())["bridge_store_readable", ""] == 0
    assert not (tmp_path / "state" / "bridge.db").exists()


# alert rules


def rules() -> list[Mapping[str, Any]]:
    (group,) = yaml.safe_load((DEPLOY / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    found: list[Mapping[str, Any]] = group["rules"]
    return found


@needs_promtool
def test_the_alert_rules_are_right_by_promtool_and_pass_their_own_tests() -> None:
    code, told = promtool("check", "rules", "--lint-fatal", "alerts.yaml")
    assert (code, f"{len(rules())} rules found" in told) == (0, True), told
    code, told = promtool("test", "rules", "alerts.test.yaml")
    assert code == 0, told


@needs_promtool
@pytest.mark.parametrize("always", ["vector(1) == 0", "vector(1)"])
def test_rules_that_never_or_always_fire_fail_their_tests(always: str, tmp_path: Path) -> None:
    broken = [{"alert": each["alert"], "expr": always} for each in rules()]
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump({"groups": [{"name": "bridge", "rules": broken}]}))
    shutil.copy(DEPLOY / "alerts.test.yaml", tmp_path)
    code, told = promtool("test", "rules", tmp_path / "alerts.test.yaml")
    assert code == 1
    assert set(re.findall(r"alertname: ?(\w+)", told)) == {rule["alert"] for rule in rules()}, told


def test_every_rule_is_tested_firing_and_silent() -> None:
    tests = yaml.safe_load((DEPLOY / "alerts.test.yaml").read_text(encoding="utf-8"))["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    names = {rule["alert"] for rule in rules()}
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == names
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == names


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_every_rule_says_what_to_do_with_commands_that_exist(rule: Mapping[str, Any]) -> None:
    told = rule["annotations"]
    assert sorted(told) == ["action", "command", "summary"]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert len(told["action"].split()) > 7
    assert told["action"].endswith(".")
    named = re.findall(r"bridge ([a-z]+)\b((?: --[a-z-]+)*)", f"{told['command']}, {told['action']}")
    known = commands()
    for name, options in (each for each in named if each[0] in known or each[0] == told["command"]):
        assert set(options.split()) <= known[name]
    assert told["command"].removeprefix("bridge ") in known


# the dashboard and the page


def dashboard() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((DEPLOY / "dashboard.json").read_text(encoding="utf-8"))
    return found


def expressions() -> Iterator[str]:
    """Each query of the dashboard and each alert."""
    for panel in dashboard()["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (rule["expr"] for rule in rules())


def known() -> Values:
    return samples(page())


def test_every_metric_and_label_that_is_asked_for_exists() -> None:
    values = known()
    names = {name for name, _ in values}
    for expression in expressions():
        assert set(METRIC.findall(re.sub(r"\{.*?\}", "", expression))) <= names, expression
        for name, matched in re.findall(r'(\w+)\{[^}]*state=~?"([^"]+)"', expression):
            assert all((name, state) in values for state in matched.split("|")), expression


def test_every_metric_of_the_bridge_is_on_the_dashboard() -> None:
    asked = set(METRIC.findall("\n".join(t["expr"] for p in dashboard()["panels"] for t in p["targets"])))
    assert {name for name, _ in known() if name.startswith("bridge_")} <= asked


@needs_promtool
def test_every_query_of_the_dashboard_is_one(tmp_path: Path) -> None:
    queries = [
        target["expr"].replace("$job", "bridge")
        for panel in dashboard()["panels"]
        for target in panel["targets"]
    ]
    recorded = [{"record": f"q{number}", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump({"groups": [{"name": "q", "rules": recorded}]}))
    code, told = promtool("check", "rules", tmp_path / "queries.yaml")
    assert code == 0, told


def test_the_panels_of_the_dashboard_do_not_lie_upon_each_other_and_say_what_they_show() -> None:
    panels = dashboard()["panels"]
    cells: Counter[tuple[int, int]] = Counter()
    for panel in panels:
        at = panel["gridPos"]
        cells.update((at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"]))
        assert panel["title"]
    assert max(cells.values()) == 1
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}


def test_the_page_about_monitoring_names_every_metric() -> None:
    text = (DEPLOY / "monitoring.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `(\w+)`", text, re.MULTILINE)
    names = list(dict.fromkeys(name for name, _ in known() if name.startswith("bridge_")))
    assert sorted(table) == sorted([*names, "process_cpu_seconds_total"])
    assert COUNTED.queue.keys() >= {"pending", "delay_seconds", "at"}
    assert MEASURED.counted is COUNTED


@needs_promtool
def test_the_settings_for_prometheus_on_that_page_are_right(tmp_path: Path) -> None:
    text = (DEPLOY / "monitoring.md").read_text(encoding="utf-8")
    lines = text.partition("    scrape_configs:\n")[2].partition("\n\n")[0].splitlines()
    settings = "\n".join(line.removeprefix("    ") for line in ["    scrape_configs:", *lines])
    shutil.copy(DEPLOY / "alerts.yaml", tmp_path)
    (tmp_path / "prometheus.yml").write_text(settings.replace("/etc/prometheus", str(tmp_path)))
    code, told = promtool("check", "config", tmp_path / "prometheus.yml")
    assert code == 0, told
