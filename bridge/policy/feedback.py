"""Whether what a feedback mapping wants of LeadByte is news."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import blake2b

from bridge.model import Mapped
from bridge.operation import UPDATE, Wish
from bridge.policy.values import digest, normal

Written = Mapping[str, frozenset[str]]
"""Column in lower case → digests of the values that the way forward wrote there, or is about to."""


def is_echo(wish: Wish, values: Mapping[str, str], written: Written) -> bool:
    """Whether every column that decides this wish holds what came from LeadByte. `values`: column → text, "" where empty.

    A column that is empty says nothing, but where a field is to be blanked by it that it once filled; a wish that reads
    nothing at all is no echo.
    """
    cleared = {name for name in _blanking(wish) if written.get(name.lower())}
    told = [name for name in wish.reads if values.get(name) or name in cleared]
    return bool(told) and all(_is_ours(name, values.get(name, ""), written) for name in told)


def trimmed(wish: Wish, values: Mapping[str, str], written: Written) -> Wish | None:
    """Without the update fields that LeadByte holds already; None where nothing is left to say.

    Only of a plain update that nobody decided on by a column of `when`: what was decided on is said with all its values.
    """
    sources = frozenset(name for columns in wish.sources.values() for name in columns)
    decided = any(
        values.get(name) and not _is_ours(name, values[name], written) for name in wish.reads - sources
    )
    if decided or not wish.mapped.lane.repeatable or wish.kind == "financials":
        return wish
    held = {
        name
        for name, columns in wish.sources.items()
        if name.startswith(UPDATE) and _all_ours(columns, values, written)
    }
    fields = {name: text for name, text in wish.mapped.fields.items() if name not in held}
    if not any(name.startswith(UPDATE) for name in fields):
        return None
    return replace(wish, mapped=replace(wish.mapped, fields=fields))


def held_by_people(columns: Iterable[str], values: Mapping[str, str], written: Written) -> str:
    """A digest of what these columns hold that did not come from LeadByte."""
    held = [one for one in sorted(columns) if values.get(one) and not _is_ours(one, values[one], written)]
    theirs = [f"{one}={normal(values[one])}" for one in held]
    return blake2b("\x1f".join(theirs).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def values_of(wish: Wish, values: Mapping[str, str], written: Written) -> str | None:
    """A digest of what a wish is but for the id, where the id is the way forward's: then another id is no decision of a
    person. None for a plain update, which another lead of the same person may well have too."""
    theirs = any(values.get(name) and not _is_ours(name, values[name], written) for name in wish.found)
    if theirs or (wish.mapped.lane.repeatable and wish.kind != "financials"):
        return None
    fields = {name: text for name, text in wish.mapped.fields.items() if name not in wish.mapped.keys}
    return fingerprint(replace(wish.mapped, fields=fields))


def fingerprint(mapped: Mapped) -> str:
    """A digest of the set of values that an operation is decided by."""
    told = "\x1f".join(f"{name}={normal(text)}" for name, text in sorted(mapped.fields.items()))
    return blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def origin(wish: Wish, values: Mapping[str, str]) -> Mapping[str, str]:
    """The LeadSquared columns that the values of this wish were made from, as they are there."""
    columns = {name for field, names in wish.sources.items() if field in wish.mapped.fields for name in names}
    told = {name for name in columns if values.get(name)} | _blanking(wish)
    return {name: values.get(name, "") for name in sorted(told)}


def _blanking(wish: Wish) -> frozenset[str]:
    """The columns by which fields are to be blanked."""
    blank = (names for field, names in wish.sources.items() if wish.mapped.fields.get(field) == "")
    return frozenset(name for names in blank for name in names)


def _all_ours(columns: frozenset[str], values: Mapping[str, str], written: Written) -> bool:
    return bool(columns) and all(_is_ours(name, values.get(name, ""), written) for name in columns)


def _is_ours(name: str, value: str, written: Written) -> bool:
    return digest(value) in written.get(name.lower(), frozenset())
