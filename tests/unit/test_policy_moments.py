"""Moments as people and files write them."""

from __future__ import annotations

import pytest

from bridge.policy.moments import iso_epoch


@pytest.mark.parametrize(
    ("text", "epoch"),
    [
        ("2026-05-01", 1777593600.0),
        ("2026-05-01T09:30", 1777627800.0),
        ("2026-05-01T09:30:00.5Z", 1777627800.5),
        ("2026-05-01 11:30+02:00", 1777627800.0),
        ("0001-01-01", -62135596800.0),
    ],
)
def test_a_moment_without_a_zone_is_utc(text: str, epoch: float) -> None:
    assert iso_epoch(text) == epoch


@pytest.mark.parametrize("text", ["", "yesterday", "1777593600", "2026-13-01", "36h"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|month"):
        iso_epoch(text)
