"""The service killed at random steps, again and again, while both sides fail in every way and leads keep coming."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from bridge.simulator import Limits
from tests.crash.cast import Cast
from tests.crash.conftest import KILLED, Child, Ward
from tests.system.conftest import Simulator

SOAK = bool(os.environ.get("BRIDGE_SOAK"))
SEEDS = range(1, 11) if SOAK else (1,)
KILLS = 60 if SOAK else 30
RATES = {
    "reset_before": 0.03,
    "reset_after": 0.04,
    "error_500": 0.03,
    "html_502": 0.02,
    "html_200": 0.02,
    "mx_error": 0.01,
    "throttle": 0.01,
    "cut": 0.03,
    "truncated": 0.03,
    "wrong_type": 0.02,
    "hang": 0.005,
    "hang_after": 0.005,
}
USAGE, BUSY = 2, 75


@dataclass
class Storm:
    """One service after another, each killed at a random step, and commands beside them that die likewise."""

    ward: Ward
    cast: Cast
    rng: Random
    kills: int = 0
    beside: list[Child] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)
    """Old queueIds to which LeadByte now says something newer."""

    def round(self) -> None:
        """New leads, newer results of old ones, a service, a command beside it, and their deaths."""
        self._news()
        service = self.ward.begin("run", at="", nth=self._steps())
        self.beside.append(self._command())
        self._survived(service)
        while self.beside:
            self._survived(self.beside.pop())

    def _steps(self) -> int:
        return int(10 ** self.rng.uniform(0.5, 3.0))

    def _news(self) -> None:
        fresh = self.cast.newcomers(self.rng.randint(0, 4))
        fresh += [self.cast.result(self.rng.choice(self.cast.people)) for _ in range(self.rng.randint(0, 3))]
        self.rng.shuffle(fresh)
        middle = len(fresh) // 2
        if fresh[:middle]:
            self.ward.track(*fresh[:middle])
        if fresh[middle:]:
            self.cast.drop(fresh[middle:], f"{len(self.cast.results)}.jsonl")

    def _command(self) -> Child:
        """A person's command beside the service, every other one killed in the middle too."""
        known = [one for one in self.cast.results if self.ward.lead(one)]
        some = self.rng.sample(known, min(3, len(known)))
        doubts = [queue_id for queue_id, mark in self.ward.doubts() if not self._fired(queue_id, mark)]
        rig = {"at": "", "nth": self._steps()} if self.rng.random() < 0.5 else {}
        choices = [("resync",), ("enqueue", *some, "--from", str(self._file())), ("status",), ("report",)]
        if some and self.rng.random() < 0.5:
            choices = [refetching(some)]
            for one in some:
                self.cast.result(self.cast.results[one], one)
            self.changed |= set(some)
        if doubts:
            choices.append(("resolve", doubts[0], "--as", "not-done"))
        return self.ward.begin(*self.rng.choice(choices), **rig)

    def _fired(self, queue_id: str, mark: str) -> bool:
        return (self.cast.results[queue_id].prospect, mark) in self.cast.fired()

    def _file(self) -> Path:
        path = self.ward.directory / "again.jsonl"
        path.write_text("".join(f'{{"queueId": "{one}"}}\n' for one in self.cast.results))
        return path

    def _survived(self, child: Child) -> None:
        """It was killed, or ended well, or another process had the work."""
        result = child.ended()
        self.kills += result.code == KILLED
        assert result.code in (0, 1, USAGE, BUSY, KILLED), result


def refetching(queue_ids: Sequence[str]) -> tuple[str, ...]:
    return ("resync", "--refetch", *(word for one in queue_ids for word in ("--queue-id", one)))


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_random(
    ward: Ward, simulator: Simulator, cast: Cast, holds: Callable[[], None], seed: int
) -> None:
    world = simulator.world
    world.faults.hang_seconds = 3.0
    for host in ("leadsquared", "leadsquared_async"):
        world.limit(host, Limits(calls=0, seconds=0.2))
    world.faults.set_rates({"": RATES})
    storm = Storm(ward, cast, Random(seed))  # noqa: S311 - a storm that can be had again
    ward.track(*cast.newcomers(3))
    while storm.kills < KILLS:
        storm.round()
    faults = dict(world.faults.happened)
    world.faults.set_rates({})
    ward.drained()
    ward.mend(cast)
    if storm.changed:
        assert ward.does(*refetching(sorted(storm.changed))).code == 0
    ward.mend(cast)
    figures = {
        "seed": seed,
        "kills": storm.kills,
        "leads": len(cast.results),
        "people": len(cast.people),
        "faults": sum(faults.values()),
        "writes": len(world.writes),
        "doubled": world.doubled + sum(times - 1 for times in cast.fired().values()),
        "lost": sum(ward.lead(queue_id) is None for queue_id in cast.results),
    }
    print(figures)  # noqa: T201 - shown where the test fails, and by -s
    note(figures)
    holds()
    assert figures["faults"] > 0
    assert (figures["doubled"], figures["lost"]) == (0, 0)


def note(figures: dict[str, int]) -> None:
    """Append the figures to the file named by BRIDGE_FIGURES."""
    if name := os.environ.get("BRIDGE_FIGURES"):
        with Path(name).open("a", encoding="utf-8") as out:
            out.write(f"{json.dumps({'crash': figures})}\n")
