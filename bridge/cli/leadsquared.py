"""`bridge leadsquared …`: looking into LeadSquared. Nothing is written there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from bridge.cli.base import open_app, put, put_json
from bridge.cli.hosts import host_line, host_values, limits
from bridge.cli.progress import awaited
from bridge.cli.status import async_words
from bridge.errors import BridgeError, UsageError
from bridge.model import HOSTS, LEADBYTE, Json

if TYPE_CHECKING:
    from bridge.app import App

leadsquared = typer.Typer(
    name="leadsquared",
    help="""Look into LeadSquared: a lead, the async queue, the limits of calls.

    Example: bridge leadsquared lead ann@example.com
    """,
)

WHAT: Final = "asking LeadSquared"
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


class Unknown(BridgeError):
    """LeadSquared shows no such lead."""


@leadsquared.command("lead")
def lead(
    value: Annotated[str, typer.Argument(help="A ProspectID, an email address or a phone number.")],
    as_json: AsJson = False,
) -> None:
    """Every field of the lead with this id, email address or phone number; of all leads, where there are several.

    Shows people as they are.

    Example: bridge leadsquared lead "+44 7700 900123"
    """
    if not value.strip():
        raise UsageError("VALUE: is empty; give a ProspectID, an email address or a phone number")
    leads = awaited(WHAT, _leads(open_app(), value.strip()))
    if as_json:
        put_json({"leads": [dict(one) for one in leads]})
    else:
        put(*_lines(leads))
    if not leads:
        raise Unknown("LeadSquared knows no such lead, or its user may not see it; look the lead up there")


async def _leads(app: App, value: str) -> Sequence[Mapping[str, str]]:
    async with app.sink(async_needed=False) as sink:
        found: Sequence[Mapping[str, str]] = await sink.lead(value)
        return found


def _lines(leads: Sequence[Mapping[str, str]]) -> list[str]:
    if len(leads) == 1:
        return [f"{name} = {text}" for name, text in leads[0].items()]
    return [
        line
        for number, one in enumerate(leads, 1)
        for line in (
            f"lead {number} of {len(leads)}",
            *(f"  {name} = {text}" for name, text in one.items()),
        )
    ]


@leadsquared.command("metrics")
def metrics(as_json: AsJson = False) -> None:
    """How many updates wait in the account's async queue, how long, and how fast they are applied.

    Example: bridge leadsquared metrics --json
    """
    told = awaited(WHAT, _metrics(open_app()))
    if as_json:
        put_json(told)
    else:
        put(async_words(told))


async def _metrics(app: App) -> dict[str, Json]:
    async with app.sink(async_needed=True) as sink:
        found = asdict(await sink.metrics())
    return {
        "pending": found["pending"],
        "delay_seconds": found["max_delay_seconds"],
        "rate_per_minute": found["per_minute"],
    }


@leadsquared.command("limits")
def limits_of_calls(as_json: AsJson = False) -> None:
    """How often each host may be called: the limit that is set, the one that was learned, and how the host is. Calls nobody.

    Example: bridge leadsquared limits
    """
    app = open_app()
    with app.store() as store:
        kept = {name: store.checkpoint(f"host:{name}") for mode, name in HOSTS.items() if mode != LEADBYTE}
    told = {name: limit for name, limit in limits(app.settings).items() if name in kept}
    hosts = host_values(told, {f"host:{name}": value for name, value in kept.items() if value is not None})
    if as_json:
        put_json({"hosts": hosts})
    else:
        put(*(host_line(name, host, since=True) for name, host in hosts.items()))
