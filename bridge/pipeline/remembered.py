"""What the stages that watch remember from one process to the next: values as the texts of checkpoints."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter

from bridge.policy.alerting import Memory
from bridge.policy.rising import Written

TOLD: Final = "notify:told"
WRITTEN: Final = "report:written"
"""Names of checkpoints."""

Kept = TypeVar("Kept", Memory, Written)

_FORMS: Final[dict[type, TypeAdapter[Any]]] = {kind: TypeAdapter(kind) for kind in (Memory, Written)}


def text_of(value: Memory | Written) -> str:
    """The text of a checkpoint."""
    return json.dumps(asdict(value))


def remembered(kind: type[Kept], kept: str | None) -> Kept:
    """The value in a checkpoint's text; where a type in it is none of ours, or it holds no finite number, as before any."""
    try:
        found: Kept = _FORMS[kind].validate_json(kept or "{}", strict=True)
        json.dumps(asdict(found), allow_nan=False)
    except ValueError:
        return kind()
    return found
