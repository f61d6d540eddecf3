"""Values that a shell completes, as far as they are known without settings and a store: a key press must not wait."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bridge.policy.selecting import DONE

OPENABLE: Final[Mapping[str, str]] = {
    "failed": "could not be mapped, or was refused",
    "unprocessed": "LeadSquared does not know the lead",
    "expired": "LeadByte gave no final result in time",
}
FINAL: Final[Mapping[str, str]] = dict.fromkeys(DONE, "with --refetch only")


def states(incomplete: str) -> list[tuple[str, str]]:
    """The states that a resync may re-open, each with what it means."""
    return [(state, what) for state, what in {**OPENABLE, **FINAL}.items() if state.startswith(incomplete)]


def dismissible(incomplete: str) -> list[tuple[str, str]]:
    """The states that a lead may be dismissed from, each with what it means."""
    return [(state, what) for state, what in OPENABLE.items() if state.startswith(incomplete)]


def mapping_names(incomplete: str) -> list[str]:
    """The names of the mapping files."""
    return sorted(path.stem for path in _files() if path.stem.startswith(incomplete))


def mappings(incomplete: str) -> list[str]:
    """The same, or their paths where a path was begun."""
    if os.sep not in incomplete:
        return mapping_names(incomplete)
    return sorted(str(path) for path in _files() if str(path).startswith(incomplete))


def _files() -> list[Path]:
    directory = Path(os.environ.get("BRIDGE_MAPPINGS_DIR") or "mappings")
    try:
        return [path for path in directory.iterdir() if path.suffix in {".yaml", ".yml"}]
    except OSError:
        return []
