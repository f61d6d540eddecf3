"""CPU per lead: a bare loop of the same HTTP calls, or the whole bridge, measured in a process of its own."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import httpx
from httpx_aiohttp import AiohttpTransport

from bridge import telemetry
from bridge.app import App
from bridge.model import Track
from bridge.settings import Settings

IN_FLIGHT = 16
BATCH = 25


async def bare(settings: Settings, queue_ids: list[str]) -> float:
    """Seconds of CPU that asking for every result, and one update for each 25 leads, take with nothing around them."""
    todo, found = list(queue_ids), 0
    key, there = settings.leadbyte.key.get_secret_value(), settings.leadsquared
    keys = {
        "x-LSQ-AccessKey": there.access_key.get_secret_value(),
        "x-LSQ-SecretKey": there.secret_key.get_secret_value(),
    }
    update = f"{there.url}/v2/LeadManagement.svc/Lead/Bulk/UpdateV2"

    async def work() -> None:
        nonlocal found
        while todo:
            url = f"{settings.leadbyte.url}/restapi/v1.3/apiqueue/{todo.pop()}"
            response = await client.get(url, params={"key": key})
            batch.append(response.json()["records"][0])
            if len(batch) == BATCH:
                body, batch[:] = _body(batch), []
                answer = await client.post(update, json=body, headers=keys)
                found += answer.json()["Status"]["TotalCount"]

    transport = AiohttpTransport(limits=httpx.Limits(max_connections=IN_FLIGHT))
    async with httpx.AsyncClient(transport=transport) as client:
        batch: list[dict[str, Any]] = []
        before = time.process_time()
        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
        spent = time.process_time() - before
    if found != len(queue_ids) // BATCH * BATCH:
        raise SystemExit(f"the bare loop updated {found} of {len(queue_ids)} leads")
    return spent


def _body(records: list[dict[str, Any]]) -> dict[str, object]:
    return {
        "SearchByKey": "EmailAddress",
        "Options": {"PushNonExistentLeadsToUnProcessedList": True},
        "LeadPropertiesList": [
            {"Fields": [{"Attribute": name, "Value": value} for name, value in _fields(record).items()]}
            for record in records
        ],
    }


def _fields(record: dict[str, Any]) -> dict[str, object]:
    """As many fields as the bridge sends, with the values as they came."""
    lead = record["lead"]
    return {
        "EmailAddress": lead.get("email"),
        "FirstName": lead.get("firstname"),
        "LastName": lead.get("lastname"),
        "mx_Postcode": lead.get("postcode"),
        "mx_Outcome": "Sold",
        "mx_Sold_On": "2026-01-01 00:00:00",
        "mx_Buyer": (record.get("buyer") or {}).get("name", "none"),
        "mx_Reject_Reason": "",
        "mx_LeadByte_Id": str(record["response"]["leadId"]),
        "mx_Source": "LeadByte",
    }


async def whole(settings: Settings, queue_ids: list[str]) -> float:
    """Seconds of CPU that the bridge takes from tracked to synced, its start-up not counted."""
    app = App(settings)
    async with app.service() as service:
        now = app.clock()
        service.machine.store.track((Track(one) for one in queue_ids), now, now + 3600)
        before = time.process_time()
        await service.run(drain=True)
        spent = time.process_time() - before
        leads = service.machine.store.status().leads
    moved = sum(leads[state] for state in ("synced", "failed", "skipped", "superseded", "unprocessed"))
    if moved != len(queue_ids) or leads["synced"] < 0.8 * len(queue_ids):
        raise SystemExit(f"the bridge did not finish: {leads}")
    return spent


def main() -> None:
    """Read a task from standard input, write the seconds of CPU to standard output."""
    telemetry.configure("json", "info", ())
    task = json.load(sys.stdin)
    settings = Settings.model_validate(task["settings"])
    run = {"bare": bare, "whole": whole}[task["run"]]
    sys.stdout.write(f"{asyncio.run(run(settings, task['queue_ids']))}\n")


if __name__ == "__main__":
    main()
