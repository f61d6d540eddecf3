"""Moments as people and files write them."""

from __future__ import annotations

from datetime import UTC, datetime


def iso_epoch(text: str) -> float:
    """Epoch seconds of a date or time in ISO 8601, UTC where it names no zone. Raises ValueError for any other text."""
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
