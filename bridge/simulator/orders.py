"""What the control API is told to do: requests read whole before anything of them is done. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.model import Json

Rates = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class FaultOrder:
    """The next `times` calls at `at` go wrong."""

    kind: str
    times: int
    at: str


def read_faults(body: Json) -> tuple[Rates | None, list[FaultOrder]]:
    """`{"rates": {place: {kind: share}}, "fail_next": [{"kind", "times", "at"}]}`, either of which may be left out. Raises
    ValueError, whose text says what is wrong; whether the names are known is not looked at."""
    read = _names(body, {"rates", "fail_next"}, 'a JSON object with "rates" or "fail_next" is needed')
    orders = read.get("fail_next", [])
    if type(orders) is not list:
        raise ValueError('"fail_next" must be an array of {"kind", "times", "at"}')
    return _rates(read["rates"]) if "rates" in read else None, [_order(order) for order in orders]


def _rates(value: Json) -> Rates:
    places = value.values() if isinstance(value, dict) else [None]
    if not all(isinstance(shares, dict) and all(map(_is_number, shares.values())) for shares in places):
        raise ValueError('"rates" must be {place: {kind: share}}, with shares from 0 to 1')
    rates: Rates = value
    return rates


def _is_number(value: Json) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _order(value: Json) -> FaultOrder:
    form = 'an order of "fail_next" is {"kind": text, "times": number from 1, "at": place}'
    read = _names(value, {"kind", "times", "at"}, form)
    kind, times, at = read.get("kind"), read.get("times", 1), read.get("at", "")
    if not (isinstance(kind, str) and isinstance(at, str) and type(times) is int and times > 0):
        raise ValueError(form)
    return FaultOrder(kind, times, at)


def read_edit(body: Json) -> tuple[str, dict[str, str]]:
    """`{"lead": e-mail address or ProspectID, "values": {attribute: value}}`; null blanks a field. Raises ValueError."""
    form = 'a JSON object with "lead" (an e-mail address or a ProspectID) and "values" (an object) is needed'
    read = _names(body, {"lead", "values"}, form)
    lead, values = read.get("lead"), read.get("values")
    if not isinstance(lead, str) or not isinstance(values, dict) or not values:
        raise ValueError(form)
    if any(isinstance(value, (dict, list)) for value in values.values()):
        raise ValueError('"values" must be texts, numbers, true, false or null')
    return lead, {name: _text(value) for name, value in values.items()}


def _text(value: Json) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return "" if value is None else str(value)


def read_text(body: Json, name: str) -> str:
    """The one text of a body. Raises ValueError."""
    form = f'a JSON object with "{name}" is needed'
    value = _names(body, {name}, form).get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(form)
    return value


def _names(body: Json, known: set[str], form: str) -> Mapping[str, Json]:
    """The body, where it is an object that has some of these names and no other."""
    if not isinstance(body, dict) or not body or not body.keys() <= known:
        raise ValueError(form)
    return body
