"""What all tests share: how Hypothesis draws its examples, and what may be in a report."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("soak", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Begun in the background by a shell: what the tests start would ignore it too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


LONG = (
    "faults",
    "leaks",
    "outages",
    "machine",
    "random",
    "operations_random",
    "acceptance",
    "settling",
    "machines",
)
"""Files that take longest: begun first, they do not hold up the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem.removeprefix("test_") not in LONG)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Captured output may hold half of a surrogate pair, which cannot travel between test processes."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "replace").decode()) for name, text in report.sections]
    return report
