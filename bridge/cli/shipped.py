"""The example mapping files, wherever the bridge is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import bridge

PACKAGE: Final = Path(bridge.__file__).parent


def shipped_mappings() -> Path:
    """A directory laid out as `mappings/` of the repository: a wheel brings it along in the package."""
    packaged = PACKAGE / "shipped"
    return packaged if packaged.is_dir() else PACKAGE.parent / "mappings"


def examples() -> Mapping[str, Path]:
    """Name → file: the one of the way forward first, then one for each use of the way back."""
    directory = shipped_mappings()
    files = [directory / "leadbyte-to-leadsquared.yaml", *sorted((directory / "examples").glob("*.yaml"))]
    return {path.stem: path for path in files}
