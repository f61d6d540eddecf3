"""Which states a resync may re-open, and which may be dismissed."""

from __future__ import annotations

import pytest

from bridge.policy.selecting import is_reason, not_dismissed, states_meant, wrong_states

OPENABLE = ("failed", "unprocessed", "expired")


@pytest.mark.parametrize(
    ("given", "named", "refetch", "meant"),
    [
        ((), False, False, ("failed", "unprocessed")),
        ((), False, True, ("failed", "unprocessed")),
        ((), True, False, OPENABLE),
        ((), True, True, (*OPENABLE, "synced", "skipped", "superseded")),
        (["expired"], False, False, ("expired",)),
        (["failed"], True, True, ("failed",)),
    ],
)
def test_the_states_that_are_meant(given: list[str], named: bool, refetch: bool, meant: tuple[str]) -> None:
    assert states_meant(given, named=named, refetch=refetch) == meant


def test_each_state_that_cannot_be_meant_is_told() -> None:
    assert list(wrong_states(["failed", "sold", "synced"], refetch=False, again="--refetch")) == [
        "sold: no such state; take one of failed, unprocessed, expired, synced, skipped, superseded",
        "synced: such leads are done; add --refetch",
    ]
    assert list(wrong_states(["failed", "synced"], refetch=True, again="--refetch")) == []


@pytest.mark.parametrize("because", ["", "  ", "a\nb", "a\u202eb", "x" * 201])
def test_why_is_said_on_one_line_of_few_words(because: str) -> None:
    assert not is_reason(because)
    assert is_reason("typed by bots é" + "x" * 185)


def test_each_state_that_cannot_be_dismissed_is_told() -> None:
    assert list(not_dismissed(["failed", "in_doubt", "expired", "synced"])) == [
        "in_doubt: look at the other side first, then settle it with `bridge resolve`",
        "synced: only what is failed, unprocessed or expired can be dismissed",
    ]
