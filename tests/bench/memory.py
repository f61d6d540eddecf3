"""Peak memory: tracking and working with few or very many tracked leads, measured in a process of its own."""

from __future__ import annotations

import asyncio
import json
import resource
import sys

from bridge import telemetry
from bridge.app import App
from bridge.cli.base import put
from bridge.intake import BadLine, read_tracks
from bridge.settings import Settings

WORKED = 1000


async def work(settings: Settings, source: str) -> None:
    """Track every line of the file, then let the service see some of the leads through, then report."""
    app = App(settings)
    now = app.clock()
    with app.store() as store, open(source, "rb") as lines:  # noqa: PTH123, ASYNC230 - nothing else runs yet
        store.track((t for t in read_tracks(lines, source) if not isinstance(t, BadLine)), now, now + 3600)
    async with app.service() as service:
        running = asyncio.create_task(service.run(drain=True))
        store = service.machine.store
        while not running.done():
            leads = (await service.machine.desk(store.status)).leads
            if leads["synced"] + leads["failed"] + leads["skipped"] >= WORKED * 0.9:
                service.stop.set()
            await asyncio.sleep(0.2)
        await running


def main() -> None:
    """Read a task from standard input, write the peak memory in KiB to standard output."""
    telemetry.configure("json", "info", ())
    task = json.load(sys.stdin)
    asyncio.run(work(Settings.model_validate(task["settings"]), task["source"]))
    put(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))


if __name__ == "__main__":
    main()
