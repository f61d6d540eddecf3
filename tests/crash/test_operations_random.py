"""Both directions at work and killed at random steps, while the sales team edits and both sides fail in every way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

import pytest

from bridge.simulator import Limits
from tests.crash.conftest import KILLED, Child, Ward
from tests.crash.invariants import acted
from tests.crash.sales import ONCE, Party, Sales, Sent, free_port, listening, webhook
from tests.crash.test_random import BUSY, RATES, SOAK, USAGE, note
from tests.system.conftest import Simulator

SEEDS = range(1, 11) if SOAK else (1,)
KILLS = 60 if SOAK else 20
ANSWERS = dict.fromkeys(("reset_before", "reset_after", "error_500", "error_500_after", "cut"), 0.06)
SPOILED = dict.fromkeys(("html_200", "truncated", "empty", "half_headers", "throttle"), 0.03)
HANGING = {"hang": 0.01, "hang_after": 0.02}
WORSE = {**ANSWERS, **SPOILED, **HANGING}
PLACES = {"": RATES} | dict.fromkeys(
    (
        "leadbyte.leads",
        "leadbyte.quarantine",
        "leadbyte.financials",
        "leadsquared.recently_modified",
    ),
    WORSE,
)
PENNY = Decimal("0.01")


@dataclass
class Storm:
    """One service after another, each killed at a random step, and commands beside them that die likewise."""

    ward: Ward
    sales: Sales
    rng: Random
    port: int
    kills: int = 0
    doubts: int = 0
    by_hand: int = 0
    beside: list[Child] = field(default_factory=list)
    judged: set[int] = field(default_factory=set)

    def round(self) -> None:
        """More people, a service, edits under its hands, a command beside it, and their deaths; then a person's word."""
        for _ in range(self.rng.randint(0, 1)):
            self.sales.meet(1, held=self.rng.random() < 0.5)
        service = self.ward.begin("run", env=listening(self.port), at="", nth=self._steps())
        self._hook()
        for _ in range(self.rng.randint(1, 6)):
            self._edit(self.rng.choice(self.sales.parties))
        self.beside.append(self._command())
        self._survived(service)
        while self.beside:
            self._survived(self.beside.pop())
        self._judge()

    def _steps(self) -> int:
        return int(10 ** self.rng.uniform(1.0, 3.0))

    def _hook(self) -> None:
        """LeadSquared tells of changes by a webhook, which it may have given up while nobody was there."""
        hooks = self.sales.simulator.world.hooks
        hooks.waiting.clear()
        hooks.register(webhook(self.port))

    def _edit(self, party: Party) -> None:
        rng, sales, world = self.rng, self.sales, self.sales.simulator.world
        if rng.random() < 0.6:
            sales.asks(party, rng.choice(sorted(ONCE)))
        elif rng.random() < 0.5:
            world.edit(party.prospect, {"mx_City": sales.mark()})
        else:
            sums = [str(rng.randint(0, 99999) * PENNY) for _ in range(2)]
            world.edit(party.prospect, {"mx_Payout": sums[0], "mx_Revenue": sums[1]})
        if rng.random() < 0.2:
            world.touch(party.prospect)

    def _command(self) -> Child:
        """A person's command beside the service, every other one killed in the middle too."""
        rig = {"at": "", "nth": self._steps() // 5} if self.rng.random() < 0.5 else {}
        valid = [party for party in self.sales.parties if not party.held]
        choices: list[tuple[str, ...]] = [("resync",), ("status",), ("report",)]
        if valid:
            one = self.sales.lead_id(self.rng.choice(valid))
            choices += [
                ("leadbyte", "update", one, "--set", f"postcode={self.sales.mark()}", *more, "--yes")
                for more in (("--trigger", "1053", "--trigger", "1054"), ("--reprocess",))
            ]
        chosen = self.rng.choice(choices)
        self.by_hand += chosen[0] == "leadbyte"
        return self.ward.begin(*chosen, **rig)

    def _survived(self, child: Child) -> None:
        """It was killed, or ended well, or another process had the work."""
        result = child.ended()
        self.kills += result.code == KILLED
        assert result.code in (0, 1, USAGE, BUSY, KILLED), result

    def _judge(self) -> None:
        """Now and then somebody looks at a lead in doubt in LeadByte."""
        doubted = self.sales.sent("in_doubt")
        self.judged |= {one.id for one in doubted}
        if doubted and self.rng.random() < 0.5:
            self.judge(self.rng.choice(doubted))

    def judge(self, one: Sent) -> None:
        """What a person says of one in doubt."""
        word = "done" if self.sales.done(one) else "not-done"
        assert self.ward.does("resolve", str(one.id), "--as", word).code == 0

    def settle(self) -> None:
        """Work everything off, undisturbed, as people would."""
        before = -1
        while before != (before := len(self.sales.simulator.world.operations)):
            self.ward.drained()
            doubted = self.sales.sent("in_doubt")
            self.judged |= {one.id for one in doubted}
            for one in doubted:
                self.judge(one)
            by_hand = {one.queue_id for one in self.sales.sent("failed") if one.mapping == "by hand"}
            named = [word for one in sorted(by_hand) for word in ("--queue-id", one)]
            assert self.ward.does("resync").code == 0
            if named:
                assert self.ward.does("resync", *named).code == 0


@pytest.fixture
def storm(ward: Ward, simulator: Simulator, sales: Sales) -> Callable[[int], Storm]:
    """By its seed."""
    world = simulator.world
    world.faults.hang_seconds = 3.0
    world.campaign.rules.seconds = 0.05
    world.limit("leadsquared", Limits(calls=0, seconds=0.2))
    options = world.hooks.options
    options.lost, options.doubled, options.overtaken, options.overtaken_seconds = 0.3, 0.2, 0.2, 0.1
    options.timeout_seconds = 0.5
    return lambda seed: Storm(ward, sales, Random(seed), free_port())  # noqa: S311 - can be had again


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_random_in_both_directions(
    ward: Ward, simulator: Simulator, sales: Sales, storm: Callable[[int], Storm], seed: int
) -> None:
    world, weather = simulator.world, storm(seed)
    for held in (True, False):
        sales.meet(2, held=held)
    ward.drained()
    world.faults.set_rates(PLACES)
    while weather.kills < KILLS:
        weather.round()
    faults = dict(world.faults.happened)
    world.faults.set_rates({})
    world.hooks.urls.clear()
    weather.settle()
    figures = {
        "seed": seed,
        "kills": weather.kills,
        "edits": len(world.edits),
        "by hand": weather.by_hand,
        "webhooks": len(world.webhook_log),
        "operations": len(world.operations),
        "once": sum(sales.did().values()),
        "faults": sum(faults.values()),
        "in doubt": len(weather.judged),
        "doubled": world.repeated,
        "lost": sum(ward.lead(party.queue_id) is None for party in sales.parties),
    }
    print(figures)  # noqa: T201 - shown where the test fails, and by -s
    note(figures)
    acted(ward, sales)
    assert figures["once"] > 0
    assert figures["faults"] > 0
    assert (figures["doubled"], figures["lost"]) == (0, 0)
