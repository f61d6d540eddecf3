"""Run every measurement and hold it against its bound. Exits 1 where one is not kept."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bridge.settings import Settings
from tests.bench.world import simulated

ROUNDS = 3
LEADS = 4000
MOST_CPU = 1.3
FEW, MANY = 1_000, 1_000_000
MOST_MEMORY = 1.2
MAPPINGS = Path("mappings")


def main() -> int:
    """All measurements, each a line."""
    kept = [cpu(), memory()]
    return 0 if all(kept) else 1


def cpu() -> bool:
    """The whole bridge against the bare loop, alternating, the median of some rounds."""
    ratios = []
    for round_ in range(ROUNDS):
        with simulated(LEADS, "--seed", str(round_)) as there, tempfile.TemporaryDirectory() as directory:
            settings = there.settings(Path(directory), MAPPINGS)
            spent = {
                run: measured("cpu", settings, run=run, queue_ids=there.queue_ids)
                for run in ("bare", "whole")
            }
        per_lead = {run: seconds / LEADS * 1000 for run, seconds in spent.items()}
        ratios.append(per_lead["whole"] / per_lead["bare"])
        print_line(f"  CPU per lead: bare loop {per_lead['bare']:.3f} ms, bridge {per_lead['whole']:.3f} ms")
    return verdict(f"CPU per lead, bridge / bare loop, {LEADS} leads", statistics.median(ratios), MOST_CPU)


def memory() -> bool:
    """Peak memory with a million tracked leads against a thousand."""
    peaks = {}
    for leads in (FEW, MANY):
        with simulated(FEW, "--queue-any") as there, tempfile.TemporaryDirectory() as directory:
            settings = there.settings(Path(directory) / "state", MAPPINGS)
            source = Path(directory) / "ids.jsonl"
            others = (f"{n:08x}-00000000-00000000-0000-00000000" for n in count())
            with source.open("w") as out:
                for queue_id in chain(there.queue_ids, islice(others, leads - FEW)):
                    out.write(json.dumps({"queueId": queue_id}) + "\n")
            peaks[leads] = measured("memory", settings, source=str(source))
            print_line(f"  peak memory with {leads} tracked leads: {peaks[leads] / 1024:.1f} MiB")
    return verdict(f"peak memory, {MANY} / {FEW} tracked leads", peaks[MANY] / peaks[FEW], MOST_MEMORY)


def measured(module: str, settings: Settings, **task: Any) -> float:
    """What a measurement in a fresh process prints."""
    told = json.dumps({"settings": _plain(settings.model_dump()), **task})
    command = [sys.executable, "-m", f"tests.bench.{module}"]
    done = subprocess.run(command, input=told, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{module}: {done.stderr.strip()[-2000:]}")
    return float(done.stdout)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value) if isinstance(value, Path) else value


def verdict(what: str, ratio: float, most: float) -> bool:
    """Tell a ratio and whether it keeps its bound."""
    kept = ratio <= most
    print_line(f"{'ok' if kept else 'TOO MUCH'}: {what}: {ratio:.2f} (at most {most})")
    return kept


def print_line(text: str) -> None:
    """A line of output, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
