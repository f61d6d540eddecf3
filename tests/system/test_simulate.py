"""`bridge simulate --env`: the bridge against both simulated APIs, as somebody tries it out."""

from __future__ import annotations

import json
import signal
import stat
from pathlib import Path

from tests.system.conftest import bridged


def test_the_bridge_works_by_the_settings_that_are_written_and_goes_over_no_others(tmp_path: Path) -> None:
    with bridged(tmp_path / "bridge", {}) as bridge, bridge.start("simulate", "--env", ".env") as running:
        said = json.loads(running.process.stdout.readline())
        path = bridge.directory / ".env"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert said["keys"]["async_api_key"] in path.read_text()
        assert bridge("check").code == 0
        second = bridge("simulate", "--env", ".env")
        assert second.errors == [".env: File exists; give --env a file that is not there yet"]
        assert path.exists()
        assert running.stopped(signal.SIGTERM).code == 0
        assert not path.exists()
