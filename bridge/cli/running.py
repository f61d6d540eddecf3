"""`bridge run`: the service."""

from __future__ import annotations

import asyncio
import signal
from typing import Annotated

import typer

from bridge.app import App
from bridge.cli.base import log, open_app
from bridge.scheduler import Service


def run(
    drain: Annotated[
        bool, typer.Option("--drain", help="Stop once nothing is waiting or in flight.")
    ] = False,
) -> None:
    """Run the service until SIGTERM; then finish what is in flight.

    Exits 75 where another process runs for the same state directory.
    """
    asyncio.run(serve(open_app(), drain=drain))


async def serve(app: App, *, drain: bool) -> None:
    """Run a service in this process until it is told to stop, or is dry."""
    async with app.service(listen=not drain) as service:
        stop_on_signals(service)
        log.info("started", drain=drain, state_dir=str(app.settings.state_dir))
        await service.run(drain=drain)
        log.info("stopped")


def stop_on_signals(service: Service) -> None:
    """SIGTERM, SIGINT and SIGHUP let the service finish what is in flight, then stop. What is ignored (nohup) stays so."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, service.stop.set)
