"""What `ports.ChangeSource` promises, kept by the LeadSquared client over real HTTP."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import pytest

from bridge.errors import CallError, Denied, LostAnswer, Refused, ServerFault, Throttled, Unreachable
from bridge.http import open_client
from bridge.leadsquared import LeadSquaredSource
from bridge.model import Change
from bridge.ports import ChangePage, ChangeSource
from bridge.simulator import World, serve
from bridge.simulator.limits import Limits
from bridge.telemetry import Redactor

NOW = 1_700_000_000.0
COLUMNS = ["FirstName", "mx_City"]
Use = Callable[[ChangeSource], Coroutine[Any, Any, Any]]


class Clock:
    """The time at LeadSquared and here."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def using(world: World, use: Use, **settings: Any) -> Any:
    """What `use(source)` gives against a simulated LeadSquared."""

    async def main() -> Any:
        keys = {"access_key": world.access_key, "secret_key": world.secret_key}
        async with serve(world) as servers, open_client(timeout=settings.pop("timeout", 10.0)) as client:
            options = {"url": servers.leadsquared, "clock": world.clock, **keys, **settings}
            secrets = [options[name] for name in keys]
            source: ChangeSource = LeadSquaredSource(client, redact=Redactor(secrets), **options)
            return await use(source)

    return asyncio.run(main())


def people(count: int) -> tuple[World, Clock, list[str]]:
    clock = Clock()
    world = World(clock=clock)
    return world, clock, [world.add_person({"EmailAddress": f"p{n}@x.example"}) for n in range(count)]


async def every(
    source: ChangeSource, since: float, between: Callable[[int], None] = lambda _page: None
) -> tuple[list[Change], int]:
    """All pages, and how many; `between` is called after each one."""
    found: list[Change] = []
    for number in range(1, 100):
        page = await source.changes(since, COLUMNS, number)
        found += page.changes
        if page.last:
            return found, number
        between(number)
    raise AssertionError("the pages have no end")


def ids(changes: Sequence[Change]) -> list[str]:
    return [change.prospect_id for change in changes]


@pytest.mark.parametrize("keys_in", ["header", "query"])
def test_a_changed_lead_is_shown_with_the_columns_asked_for_alone(keys_in: Any) -> None:
    world, clock, (prospect,) = people(1)
    clock.now += 10.7
    world.edit(prospect, {"FirstName": "Ann"})
    page: ChangePage = using(world, lambda source: source.changes(NOW, COLUMNS, 1), keys_in=keys_in)
    assert list(page.changes) == [Change(prospect, NOW + 10, {"FirstName": "Ann", "mx_City": ""})]
    assert page.last
    assert page.at is not None
    assert world.called("leadsquared") == 1


def test_nothing_changed_is_one_empty_page() -> None:
    world, _, _ = people(3)
    page = using(world, lambda source: source.changes(NOW + 1, COLUMNS, 1))
    assert (list(page.changes), page.last) == ([], True)


@pytest.mark.parametrize("part", [0.0, 0.001, 0.5, 0.999])
def test_the_whole_second_is_looked_at_again_whatever_part_of_it_is_hidden(part: float) -> None:
    world, clock, (one, other) = people(2)
    clock.now += 60 + part
    world.edit(one, {"FirstName": "Ann"})
    clock.now = NOW + 59.999
    world.edit(other, {"FirstName": "Ben"})
    clock.now = NOW + 120
    assert ids(using(world, lambda source: source.changes(NOW + 60.9, COLUMNS, 1)).changes) == [one]


def test_a_lead_modified_by_a_clock_ahead_of_ours_is_seen_at_once() -> None:
    world, clock, (prospect,) = people(1)
    clock.now += 86400
    world.edit(prospect, {"FirstName": "Ann"})
    page = using(world, lambda source: source.changes(NOW + 60, COLUMNS, 1), clock=lambda: NOW)
    assert ids(page.changes) == [prospect]


def test_an_activity_shows_the_lead_as_it_was() -> None:
    world, clock, (prospect,) = people(1)
    before = using(world, lambda source: source.changes(NOW, COLUMNS, 1)).changes[0]
    clock.now += 60
    world.touch(prospect)
    (after,) = using(world, lambda source: source.changes(NOW + 60, COLUMNS, 1)).changes
    assert (after.values, after.modified_at) == (before.values, NOW + 60)


@pytest.mark.parametrize(("count", "pages"), [(999, 1), (1000, 2), (1001, 2), (2000, 3)])
def test_every_lead_is_on_one_page(count: int, pages: int) -> None:
    world, _, known = people(count)
    found, read = using(world, lambda source: every(source, NOW))
    assert sorted(ids(found)) == sorted(known)
    assert read == pages


def test_no_lead_is_missed_while_others_are_edited_and_created_between_the_pages() -> None:
    world, clock, known = people(2500)
    clock.now += 3600
    changed = [prospect for number, prospect in enumerate(known) if number % 10]
    for prospect in changed:
        world.edit(prospect, {"FirstName": "Ann"})
    clock.now += 60

    def meanwhile(page: int) -> None:
        clock.now += 5
        for number in (*range(1, 400), *range(1500, 1600)):
            world.edit(known[number], {"mx_City": f"York {page}"})
        world.edit(known[0], {"mx_City": "Hull"})
        world.add_person({"EmailAddress": f"new{page}@x.example"})

    ours = clock.now  # behind theirs, so that a window that ends by it would lose what is edited
    found, pages = using(world, lambda source: every(source, NOW + 3600, meanwhile), clock=lambda: ours)
    assert set(changed) <= set(ids(found))
    assert pages == 3


def test_what_enters_an_earlier_page_meanwhile_is_found_from_the_first_pages_time_on() -> None:
    world, clock, known = people(1500)
    clock.now += 3600
    for prospect in known[400:]:
        world.edit(prospect, {"FirstName": "Ann"})
    clock.now += 60
    began = clock.now

    def meanwhile(_page: int) -> None:
        clock.now += 5
        world.edit(known[0], {"FirstName": "Zoë"})

    async def use(source: ChangeSource) -> list[str]:
        await every(source, NOW + 3600, meanwhile)
        return ids((await every(source, began))[0])

    assert using(world, use) == [known[0]]


def failure(world: World, kind: type[CallError], **settings: Any) -> CallError:
    with pytest.raises(CallError) as caught:
        using(world, lambda source: source.changes(NOW, COLUMNS, 1), **settings)
    error = caught.value
    assert type(error) is kind, error
    for secret in (world.access_key, world.secret_key, "wr$ng", "p0@x.example"):
        assert secret not in str(error)
    assert "\n" not in str(error)
    assert error.__cause__ is None
    return error


FAULTS: Mapping[str, type[CallError]] = {
    "reset_before": LostAnswer,
    "reset_after": LostAnswer,
    "cut": LostAnswer,
    "error_500": ServerFault,
    "html_502": ServerFault,
    "html_200": ServerFault,
    "truncated": ServerFault,
    "empty": ServerFault,
    "huge": ServerFault,
    "deep": ServerFault,
    "gzip": ServerFault,
    "latin1": ServerFault,
    "redirect": ServerFault,
    "mx_error": Refused,
    "mx_error_200": Refused,
    "throttle": Throttled,
    "denied": Denied,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_the_right_error_and_the_call_is_made_once(fault: str) -> None:
    world, _, _ = people(1)
    world.fail_next(fault)
    failure(world, FAULTS[fault])
    assert world.faults.happened.total() == 1
    assert world.called("leadsquared") <= 1


def test_a_throttle_tells_its_limit() -> None:
    world, _, _ = people(1)
    world.limit("leadsquared", Limits(calls=25, hidden=(1, 7.0)))
    world.limiter("leadsquared").take(world.clock())
    error = failure(world, Throttled)
    assert isinstance(error, Throttled)
    assert error.limit == (1, 7.0)


def test_wrong_keys_a_wrong_region_and_nobody_there() -> None:
    world, _, _ = people(1)
    assert "Invalid AccessKey" in str(failure(world, Denied, secret_key="wr$ng"))
    failure(world, Unreachable, url="http://127.0.0.1:9")
    world.region_host = "api-us11.leadsquared.com"
    assert "wrong region, use https://api-us11.leadsquared.com" in str(failure(world, Denied))
