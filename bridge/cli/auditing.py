"""`bridge audit`: whether every lead is accounted for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Annotated

import typer

from bridge.cli.base import open_app, put
from bridge.cli.progress import progress
from bridge.errors import BridgeError
from bridge.ports import Check, Finding, Store
from bridge.reports import write_findings, write_findings_json
from bridge.store.lock import is_held


class Unaccounted(BridgeError):
    """The audit found what does not fit together."""


def audit(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """Hold every lead against the ledger of what was tracked and against its attempts. Changes nothing.

    May run beside the service. Exits 1 where a lead cannot be accounted for.

    Example: bridge audit --json
    """
    app = open_app()
    state_dir = app.settings.state_dir
    with app.store(create=False) as store:
        running = is_held(state_dir)
        with store.snapshot():
            with progress("audit, counting", "leads") as work:
                account = store.account(work.reached)
            # A service that started before the snapshot, or ended after it, was at work in it.
            running = running or is_held(state_dir)
            write = write_findings_json if as_json else write_findings
            found = write(account, _findings(store, running=running), sys.stdout)
    if found:
        raise Unaccounted(f"{found} findings: see above what does not fit, and what to do")
    if not as_json:
        put("every lead is accounted for")


def _findings(store: Store, *, running: bool) -> Iterator[Finding]:
    """What the audit finds. Which check is made is shown until something is found that is told on the same terminal."""
    with ExitStack() as stack:
        work = stack.enter_context(progress("audit"))

        def begun(check: Check) -> None:
            work.what = f"audit, check {check}"

        for finding in store.audit(running=running, begun=begun):
            if sys.stdout.isatty():
                stack.close()
            yield finding
