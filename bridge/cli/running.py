"""`bridge run`: the service."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

from bridge.cli.base import open_app, put_json
from bridge.cli.progress import counted_down, progress
from bridge.cli.supervising import kept_told, supervisor

if TYPE_CHECKING:
    from bridge.app import App
    from bridge.scheduler import Machine, Service


log = structlog.get_logger()


def run(
    drain: Annotated[
        bool, typer.Option("--drain", help="Stop once nothing is waiting or in flight.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="At the end print how many leads there are, by state, as JSON.")
    ] = False,
) -> None:
    """Run the service until SIGTERM; then finish what is in flight.

    Exits 75 where another process runs for the same state directory.

    Example: bridge run --drain
    """
    app = open_app()
    asyncio.run(serve(app, drain=drain))
    if as_json:
        with app.store() as store:
            leads = dict(store.status().leads)
        put_json({"leads": leads, "tracked": sum(leads.values())})


async def serve(app: App, *, drain: bool) -> None:
    """Run a service in this process until it is told to stop, or is dry."""
    async with app.service(listen=not drain) as service:
        stop_on_signals(service)
        log.info("started", drain=drain, state_dir=str(app.settings.state_dir))
        with kept_told(
            supervisor(), service.stop, lambda: works(service.machine), lambda: how_it_is(service)
        ):
            await (_drained(service) if drain else service.run())
        log.info("stopped")


async def _drained(service: Service) -> None:
    """Run until nothing is left; how much is left is shown."""
    machine = service.machine
    with progress("run", "leads") as work, counted_down(work, lambda: machine.desk(machine.store.left)):
        await service.run(drain=True)


def stop_on_signals(service: Service) -> None:
    """SIGTERM, SIGINT and SIGHUP let the service finish what is in flight, then stop. What is ignored (nohup) stays so."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, service.stop.set)


def works(machine: Machine) -> bool:
    """Whether every stage does. One that waits, for the other side or for room on the disk, does."""
    return all(stage.crew.trouble is None for stage in machine.stages)


def how_it_is(service: Service) -> str:
    """One line for a person: what the service does, and how each side is."""
    machine = service.machine
    if not works(machine):
        return "a stage has failed; the log says why"
    if service.stop.is_set():
        return "finishing what is in flight"
    doing = "waiting for room on the disk" if machine.desk.full else "working"
    return f"{doing}; {', '.join(f'{gate.name} {gate.health.state}' for gate in machine.gates)}"
