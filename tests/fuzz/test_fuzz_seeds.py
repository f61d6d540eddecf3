"""What the fuzzers begin with, and what they found: each input keeps its target's promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

SEEDS = Path(__file__).parent / "seeds"


@pytest.mark.parametrize(
    "seed", sorted(SEEDS.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_a_seed_keeps_the_promise_of_its_target(seed: Path) -> None:
    TARGETS[seed.parent.name](seed.read_bytes())


def test_every_target_has_seeds() -> None:
    assert {path.name for path in SEEDS.iterdir()} == set(TARGETS)
