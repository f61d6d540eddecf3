"""deploy/operating.md: what it says of `bridge status` is what the command prints."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from bridge.store import open_store
from tests.system.conftest import ROOT, bridged

PAGE = (ROOT / "deploy" / "operating.md").read_text(encoding="utf-8")
FIRST = ROOT / "tests" / "data" / "first_release.db"
SIDE = {"state": "down", "since": 1.7e9, "reason": "cannot reach https://api.leadsquared.com: no connection"}
CHECKPOINTS = {
    "host:leadsquared": json.dumps({"side": SIDE}),
    "leadsquared:changes": "2026-05-01T00:00:00Z",
    "leadsquared-async:metrics": json.dumps({"pending": 12, "delay_seconds": 3, "at": 1.7e9}),
}


def kind(line: str) -> str:
    """How a line begins, up to what changes; every side's line is of one kind, an error's begins with its time."""
    beginning = re.match(r"[A-Za-z' ]*", line)
    assert beginning
    return re.sub(r"^lead(byte|squared)$", "a side", beginning[0])


def test_the_page_explains_every_line_of_the_status_and_no_other(tmp_path: Path) -> None:
    with bridged(tmp_path / "bridge", {}) as bridge:
        bridge.state.mkdir(mode=0o700)
        shutil.copy(FIRST, bridge.database)
        with closing(open_store(bridge.state)) as store:
            for name, value in CHECKPOINTS.items():
                store.set_checkpoint(name, value, 1.7e9)
        with closing(sqlite3.connect(bridge.database)) as connection:
            connection.executescript("UPDATE delivery SET target = 'leadbyte' WHERE state = 'in_doubt'")
        lines = bridge("status").stdout.splitlines()
    _, _, rest = PAGE.partition("\n## What `bridge status` says\n")
    explained = re.findall(r"^\| `(.+?)` \|", rest.partition("\n## ")[0], re.MULTILINE)
    printed = {kind(line) for line in lines if not line.startswith("  ")}
    assert printed == {kind(line) for line in explained}
