"""`bridge simulate`, `python -m bridge.simulator`: both APIs as a process of their own, for trials and measurements."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import stat
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from bridge.simulator.limits import Limits
from bridge.simulator.populate import Mix, populate
from bridge.simulator.queue import Profile
from bridge.simulator.serve import Servers, serve
from bridge.simulator.world import World

ABOUT = """\
Serve both APIs on loopback until Ctrl-C; prints their addresses and keys as one line of JSON.
Nothing leaves this machine and nothing is kept.
"""
CONTROL = """\
control API; CONTROL is the address "control" of that line (.../_sim); it takes no key:
  GET  CONTROL/queue-ids       every queueId, as JSON lines for `bridge enqueue --from -`
  GET  CONTROL/leads           what LeadSquared holds
  GET  CONTROL/stats           calls, refusals, updates
  GET  CONTROL/operations      what was done to LeadByte's leads: updates, releases, financials
  GET  CONTROL/webhooks        LeadSquared's webhooks, and what each call of them was answered
  POST CONTROL/create-unknown  create the leads that LeadSquared does not know
  POST CONTROL/edit            the sales team changes a lead, by its e-mail address or ProspectID:
                               {"lead": "ann@example.com", "values": {"ProspectStage": "Sold"}}
  POST CONTROL/touch           the sales team adds an activity, which changes no value: {"lead": ...}
  POST CONTROL/webhooks        tell this address of every lead that is updated:
                               {"url": "http://127.0.0.1:8437/v1/webhooks/leadsquared/TOKEN"}
  POST CONTROL/faults          make calls fail: {"rates": {"leadsquared": {"error_500": 0.1}},
                               "fail_next": [{"kind": "throttle", "times": 2, "at": "leadbyte"}]};
                               an unknown kind or place is answered with those that there are

examples: bridge simulate --leads 100 --env .env
          curl -sS CONTROL/queue-ids | bridge enqueue --from -
          curl -sS CONTROL/faults -d '{"fail_next": [{"kind": "hang", "at": "leadsquared.bulk_update"}]}'
"""


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Each option with its default; the text as it is written here."""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bridge simulate", description=ABOUT, epilog=CONTROL, formatter_class=_Help
    )
    parser.add_argument("--leads", type=int, default=0, help="how many leads LeadByte's queue holds")
    parser.add_argument("--unknown", type=float, default=0.1, help="share of people the CRM does not know")
    parser.add_argument("--seed", type=int, default=0, help="other leads for another number")
    parser.add_argument(
        "--envelope",
        choices=("records", "results", "bare"),
        default="records",
        help="form of LeadByte's reply to a poll",
    )
    parser.add_argument("--latency", type=float, default=0.0, help="seconds a lead stays queued")
    parser.add_argument("--slow", type=float, default=0.05, help="share of leads queued for 3 seconds")
    parser.add_argument("--quarantined", type=float, default=0.05, help="share of leads held in quarantine")
    parser.add_argument(
        "--limit",
        type=_limit,
        default="25/5",
        metavar="CALLS/SECONDS",
        help="LeadSquared's limit of calls; 0/1 for none",
    )
    parser.add_argument(
        "--hidden",
        type=_limit,
        default=None,
        metavar="CALLS/SECONDS",
        help="a second limit, named only by its refusals",
    )
    parser.add_argument(
        "--throttle-form",
        choices=("429", "403", "200"),
        default="429",
        help="HTTP status of a call that is refused for the limit",
    )
    parser.add_argument(
        "--processing",
        type=float,
        default=0.0,
        help="seconds that LeadByte takes to reprocess, release or reject a lead",
    )
    parser.add_argument(
        "--async-delay", type=float, default=0.5, help="seconds until an async update is applied"
    )
    parser.add_argument("--queue-any", action="store_true", help="answer unknown queueIds as still queued")
    parser.add_argument(
        "--ports",
        type=int,
        nargs=3,
        default=(0, 0, 0),
        metavar=("LEADBYTE", "LEADSQUARED", "ASYNC"),
        help="ports to listen on; 0 for any free one",
    )
    parser.add_argument(
        "--env",
        type=Path,
        metavar="FILE",
        help="write the bridge's settings for it to this file, such as .env; it goes again at the end",
    )
    return parser.parse_args(argv)


def _limit(text: str) -> tuple[int, float]:
    calls, _, seconds = text.partition("/")
    try:
        return int(calls), float(seconds)
    except ValueError:
        raise argparse.ArgumentTypeError("write CALLS/SECONDS, like 25/5") from None


def build(options: argparse.Namespace) -> World:
    """The world that the options describe."""
    profile = Profile(envelope=options.envelope)
    if options.queue_any:
        profile = replace(profile, unknown_id="queued")
    world = World(seed=options.seed, profile=profile)
    calls, seconds = options.limit
    for host in ("leadsquared", "leadsquared_async"):
        world.limit(host, Limits(calls, seconds, options.hidden, options.throttle_form))
    world.tasks.options.delay = options.async_delay
    world.campaign.rules.seconds = options.processing
    mix = Mix(
        unknown=options.unknown,
        slow=options.slow,
        quarantined=options.quarantined,
        ready_after=options.latency,
    )
    populate(world, options.leads, seed=options.seed, mix=mix)
    return world


def describe(world: World, servers: Servers) -> str:
    """One JSON line: where everything is and the keys that open it."""
    return json.dumps(
        {
            "leadbyte": servers.leadbyte,
            "leadsquared": servers.leadsquared,
            "leadsquared_async": servers.leadsquared_async,
            "control": servers.control,
            "keys": {
                "leadbyte": world.leadbyte_key,
                "access_key": world.access_key,
                "secret_key": world.secret_key,
                "async_api_key": world.async_api_key,
            },
        }
    )


def settings(world: World, servers: Servers) -> str:
    """The same as lines of a `.env` file of the bridge."""
    values = {
        "LEADBYTE__URL": servers.leadbyte,
        "LEADBYTE__KEY": world.leadbyte_key,
        "LEADSQUARED__URL": servers.leadsquared,
        "LEADSQUARED__ACCESS_KEY": world.access_key,
        "LEADSQUARED__SECRET_KEY": world.secret_key,
        "LEADSQUARED__ASYNC_URL": servers.leadsquared_async,
        "LEADSQUARED__ASYNC_API_KEY": world.async_api_key,
    }
    return "".join(f"BRIDGE_{name}={value}\n" for name, value in values.items())


def new_file(path: Path) -> TextIO:
    """A file for its owner only. Raises OSError where there is one: it may hold real keys."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")


async def run(world: World, ports: Sequence[int], announce: Callable[[Servers], None]) -> None:
    """Serve until SIGTERM, SIGINT, or the end of standard input where that is a pipe."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if stat.S_ISFIFO(os.fstat(0).st_mode) or stat.S_ISSOCK(os.fstat(0).st_mode):
        loop.add_reader(0, _until_end, loop, stopped)
    async with serve(world, ports) as servers:
        announce(servers)
        await stopped.wait()


def _until_end(loop: asyncio.AbstractEventLoop, stopped: asyncio.Event) -> None:
    if not os.read(0, 4096):
        loop.remove_reader(0)
        stopped.set()


def main(argv: Sequence[str] | None = None) -> int:
    options = parse(argv)
    world = build(options)

    try:
        env = new_file(options.env) if options.env else None
    except OSError as error:
        sys.stderr.write(f"error: {options.env}: {error.strerror}; give --env a file that is not there yet\n")
        return 1

    def announce(servers: Servers) -> None:
        if env:
            env.write(settings(world, servers))
            env.close()
        sys.stdout.write(describe(world, servers) + "\n")
        sys.stdout.flush()

    try:
        asyncio.run(run(world, options.ports, announce))
    except OSError as error:
        sys.stderr.write(f"error: the simulator cannot listen: {error.strerror}; choose other --ports\n")
        return 1
    finally:
        if env:
            options.env.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
