"""What a caller with the token wants done or listed, checked; all that is wrong with it is told at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from bridge.errors import UsageError
from bridge.model import REPORTED, Json
from bridge.policy.moments import iso_epoch
from bridge.policy.selecting import OPENABLE, SAY_WHY, is_reason, not_dismissed, states_meant, wrong_states
from bridge.ports import Selection
from bridge.reports import one_line

MOST_NAMED: Final = 2000
SHORT: Final = 60
USUAL_ROWS: Final = 500
MOST_ROWS: Final = 2000

Text = Annotated[str, Field(min_length=1, max_length=1000)]
Model = TypeVar("Model", bound=BaseModel)
Sized = TypeVar("Sized", bound=str | list[str])


def _some(value: Sized) -> Sized:
    """An empty condition is none, so that all leads were meant: hardly what its sender wanted."""
    if not (value.strip() if isinstance(value, str) else value):
        raise PydanticCustomError(
            "empty", "is empty, which chooses nothing; say which, or leave it out for all"
        )
    return value


def _moment(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return iso_epoch(value)
    except ValueError:
        raise PydanticCustomError("moment", "{text}", {"text": NO_MOMENT}) from None


NO_MOMENT: Final = "is no time; write 2026-05-01T09:30 (UTC), or seconds as a dry run tells them"
Chosen = Annotated[str, Field(max_length=1000), AfterValidator(_some)]
Moment = Annotated[float, BeforeValidator(_moment), Field(ge=0, lt=10**11, allow_inf_nan=False)]


class _Chosen(BaseModel):
    """Which leads are meant. What is left out is None, "" or []: of these none can be told."""

    model_config = ConfigDict(extra="forbid", strict=True)

    state: Chosen = ""
    states: Annotated[list[Text], Field(max_length=20), AfterValidator(_some)] = []
    queue_ids: Annotated[list[Text], Field(max_length=MOST_NAMED), AfterValidator(_some)] = []
    since: Moment = None  # type: ignore[assignment]
    until: Moment = None  # type: ignore[assignment]
    reason: Chosen = ""
    mapping: Chosen = ""
    dry_run: bool = False

    @property
    def given(self) -> list[str]:
        return [*([self.state] if self.state else []), *self.states]

    def selection(self, states: Sequence[str]) -> Selection:
        return Selection(
            states=tuple(states),
            queue_ids=tuple(self.queue_ids),
            since=self.since,
            until=self.until,
            reason=self.reason or None,
            mapping=self.mapping or None,
        )


class _Resync(_Chosen):
    refetch: bool = False
    force: bool = False


class _Dismiss(_Chosen):
    because: str = ""
    leads: Annotated[int, Field(ge=0)] | None = None


class _Resolve(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    delivery: Annotated[int, Field(ge=1, lt=10**15)]
    word: Literal["done", "not-done"] = Field(alias="as")


class _Listing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    state: list[Literal["failed", "unprocessed", "in_doubt", "expired"]] = []
    reason: Annotated[str, Field(max_length=1000)] = ""
    mapping: Text | None = None
    limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] = USUAL_ROWS


@dataclass(frozen=True, slots=True)
class Resync:
    """Leads to be re-opened, as `bridge resync` does. `dry_run`: only to be counted."""

    selection: Selection
    refetch: bool = False
    force: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Dismiss:
    """Leads to be given up, as `bridge dismiss` does. `dry_run`: only to be counted; else `because` says why.

    `counted`: how many a dry run told; nothing is done where there are not as many by now.
    """

    selection: Selection
    because: str
    dry_run: bool = False
    counted: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """How many leads a wish is about, as it was looked at the moment `at` (epoch seconds). `others`: as of ports.Dismissed."""

    leads: int
    at: float
    others: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Resolve:
    """A person's word on a delivery in doubt."""

    delivery: int
    done: bool


def resync_of(value: Json) -> Resync:
    """The wish that a decoded body is. Raises UsageError with all that is wrong."""
    told = _checked(_Resync, value)
    _refuse(wrong_states(_short(told.given), refetch=told.refetch, again='"refetch": true'))
    states = states_meant(told.given, named=bool(told.queue_ids), refetch=told.refetch)
    return Resync(told.selection(states), refetch=told.refetch, force=told.force, dry_run=told.dry_run)


def dismiss_of(value: Json) -> Dismiss:
    """The wish that a decoded body is. Raises UsageError with all that is wrong."""
    told = _checked(_Dismiss, value)
    _refuse(not_dismissed(_short(told.given)), *_unsaid(told))
    selection = told.selection(told.given or OPENABLE)
    return Dismiss(selection, told.because.strip(), dry_run=told.dry_run, counted=told.leads)


def _unsaid(told: _Dismiss) -> Iterator[str]:
    chosen = (told.given, told.queue_ids, told.since, told.until, told.reason, told.mapping)
    if not any(chosen):
        yield "say which leads, by states, queue_ids, since, until, reason or mapping"
    if not (told.dry_run or is_reason(told.because)):
        yield f"because: {SAY_WHY}"


def _short(states: Iterable[str]) -> list[str]:
    return [one_line(state)[:SHORT] for state in states]


def _refuse(wrong_states: Iterable[str], *others: str) -> None:
    if problems := [*(f"states: {problem}" for problem in wrong_states), *others]:
        raise UsageError(*problems)


def resolve_of(value: Json) -> Resolve:
    """The word that a decoded body is. Raises UsageError with all that is wrong."""
    told = _checked(_Resolve, value)
    return Resolve(told.delivery, done=told.word == "done")


def listing_of(query: Iterable[tuple[str, str]]) -> tuple[Selection, int]:
    """Which failures the parameters of an address ask for, and how many rows. Raises UsageError with all that is wrong."""
    given: dict[str, Any] = {}
    for name, text in query:
        if name == "state":
            given.setdefault(name, []).append(text)
        else:
            given[name] = text
    told = _checked(_Listing, given)
    states = tuple(told.state) or REPORTED
    return Selection(states, reason=told.reason or None, mapping=told.mapping), told.limit


def _checked(model: type[Model], value: Json) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        raise UsageError(*_problems(model, problems)) from None


def _problems(model: type[BaseModel], problems: Iterable[Any]) -> Iterator[str]:
    known = ", ".join(field.alias or name for name, field in model.model_fields.items())
    for problem in problems:
        place = one_line(".".join(map(str, problem["loc"])))[:SHORT]
        if problem["type"] == "extra_forbidden":
            yield f"{place}: no such field; there are {known}"
        else:
            yield f"{place}: {problem['msg']}" if place else str(problem["msg"])
