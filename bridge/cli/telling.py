"""`bridge notify`: who is told when something is wrong, what was told, and a message to try it by."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.base import at, open_app, put, put_json
from bridge.errors import BridgeError, SettingsError
from bridge.model import Json
from bridge.policy.alerting import Arrival, Memory, Told

if TYPE_CHECKING:
    from bridge.app import App
    from bridge.pipeline.notifying import Posted

UNSET = "BRIDGE_NOTIFY__URL: is not set; set it to the address of an incoming webhook"
TEST = "this is a test by `bridge notify --test`; nothing is wrong."


class NotTold(BridgeError):
    """A message did not arrive, or nobody knows."""


def notify(
    test: Annotated[bool, typer.Option("--test", help="Post one message to try it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """What people are told of, and what they were told so far; or, with --test, whether a message arrives.

    Exits 1 where the message of a test did not arrive.

    Example: bridge notify --test
    """
    app = open_app()
    if test:
        _tell(asyncio.run(_posted(app)), as_json=as_json)
    else:
        _show(app, as_json=as_json)


async def _posted(app: App) -> Posted:
    from bridge.app.posting import head, posting

    async with posting(app.settings) as post:
        if post is None:
            raise SettingsError([UNSET])
        return await post(f"{head(app.settings)} {TEST}")


def _tell(posted: Posted, *, as_json: bool) -> None:
    answer = f"{posted.what}{': ' if posted.said else ''}{posted.said}"
    if as_json:
        put_json({"arrival": str(posted.arrival), "answer": posted.what, "said": posted.said})
    if posted.arrival is Arrival.UNSURE:
        raise NotTold(f"nobody knows whether the message arrived: {answer}; look where it should be")
    if posted.arrival is Arrival.FAILED:
        raise NotTold(f"the message did not arrive: {answer}; check BRIDGE_NOTIFY__URL")
    if not as_json:
        put(f"the message arrived: {answer}")


def _show(app: App, *, as_json: bool) -> None:
    from bridge.pipeline.remembered import TOLD, remembered

    with app.store(create=False) as store:
        memory = remembered(Memory, store.checkpoint(TOLD))
    wanted = app.settings.notify
    set_ = bool(wanted.url.get_secret_value())
    if as_json:
        limits = {"failures": wanted.failures, "down_seconds": wanted.down_seconds}
        put_json({"url_is_set": set_, **limits, "told": {name: _value(one) for name, one in _open(memory)}})
        return
    put("a webhook is told" if set_ else f"nobody is told: {UNSET}")
    failures = f"{wanted.failures} or more leads on the failure report; " if wanted.failures else ""
    put(f"of: {failures}anything in doubt; a side that is not up for {wanted.down_seconds:g} s")
    put(*(_line(name, one) for name, one in _open(memory)))


def _open(memory: Memory) -> Iterator[tuple[str, Told]]:
    """What was told and is not over."""
    return ((name, one) for name, one in memory.told.items() if one.over_at is None)


def _value(told: Told) -> Mapping[str, Json]:
    return {"at": told.at, "size": told.size, "sure": told.sure}


def _line(name: str, told: Told) -> str:
    how_many = f", {told.size} leads" if told.size else ""
    return f"told of {name} at {at(told.at)}{how_many}{'' if told.sure else '; it may not have arrived'}"
