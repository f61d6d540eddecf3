"""A simulator in a process of its own, and the bridge's settings for it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bridge.settings import Http, Leadbyte, Leadsquared, Settings


@dataclass(frozen=True)
class Simulated:
    """Where the simulator is, and the queueIds it knows."""

    urls: dict[str, Any]
    queue_ids: list[str]

    def settings(self, state: Path, mappings: Path) -> Settings:
        """The bridge pointed at it, with no limit of calls."""
        keys = {name: SecretStr(key) for name, key in self.urls["keys"].items()}
        return Settings(
            state_dir=state,
            mappings_dir=mappings,
            http=Http(timeout_seconds=60.0),
            leadbyte=Leadbyte(url=self.urls["leadbyte"], key=keys["leadbyte"]),
            leadsquared=Leadsquared(
                url=self.urls["leadsquared"],
                access_key=keys["access_key"],
                secret_key=keys["secret_key"],
                rate_calls=0,
            ),
        )


@contextmanager
def simulated(leads: int, *options: str) -> Iterator[Simulated]:
    """Start a simulator with that many leads, each with a final result and known to the CRM; stop it at the end."""
    command = [
        sys.executable,
        "-m",
        "bridge.simulator",
        "--leads",
        str(leads),
        "--unknown",
        "0",
        "--slow",
        "0",
    ]
    command += ["--quarantined", "0", "--limit", "0/1", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            urls = json.loads(process.stdout.readline())
            yield Simulated(urls, _queue_ids(urls["control"]))
        finally:
            process.terminate()


def _queue_ids(control: str) -> list[str]:
    with urllib.request.urlopen(f"{control}/queue-ids") as answer:  # noqa: S310 - loopback
        lines = answer.read().decode().splitlines()
    return [json.loads(line)["queueId"] for line in lines]
