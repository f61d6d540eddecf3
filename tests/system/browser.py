"""One page in headless Chromium, driven by its DevTools protocol over a pipe; keys are pressed as a person presses them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import IO, Any, Final

CHROMIUM: Final = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
OPTIONS: Final = ("--headless", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run", "--disable-extensions",
                  "--disable-background-networking", "--disable-dev-shm-usage", "--mute-audio")  # fmt: skip
ON_3_AND_4: Final = """
import os, sys
from fcntl import F_DUPFD, fcntl
for place, end in enumerate([fcntl(int(end), F_DUPFD, 10) for end in sys.argv[1:3]], 3):
    os.dup2(end, place)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Chromium reads the protocol from descriptor 3 and answers on 4."""
KEYS: Final = {
    "Tab": {"code": "Tab", "windowsVirtualKeyCode": 9},
    "Enter": {"code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"},
    "ArrowDown": {"code": "ArrowDown", "windowsVirtualKeyCode": 40},
    "Escape": {"code": "Escape", "windowsVirtualKeyCode": 27},
}


AXE: Final = files("axe_core_python").joinpath("axe.min.js")
UNTIL: Final = """new Promise((resolve) => {
  const last = Date.now() + 30000;
  const look = () => ((%s) ? resolve(true) : Date.now() > last ? resolve(false) : setTimeout(look, 10));
  look();
})"""


@dataclass
class Browser:
    """The protocol: a JSON text each way, ended by a zero byte. Answers carry the number of their question."""

    to: IO[bytes]
    back: IO[bytes]
    session: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    _asked: int = 0

    def __call__(self, method: str, **params: Any) -> Any:
        """Ask, and wait for the answer; what happens meanwhile is kept in `events`."""
        self._asked += 1
        session = {"sessionId": self.session} if self.session else {}
        told = {"id": self._asked, "method": method, "params": params, **session}
        self.to.write(json.dumps(told).encode() + b"\0")
        self.to.flush()
        while (said := self._next()).get("id") != self._asked:
            self.events.append(said)
        assert "error" not in said, said
        return said["result"]

    def _next(self) -> dict[str, Any]:
        text = bytearray()
        while (byte := self.back.read(1)) != b"\0":
            assert byte, "Chromium has ended"
            text += byte
        said: dict[str, Any] = json.loads(text)
        return said

    def wait(self, event: str) -> None:
        """Until the event has come."""
        while all(one.get("method") != event for one in self.events):
            self.events.append(self._next())

    def open(self, place: Path | str) -> None:
        """Show a file of this machine, or a page of it by its address."""
        self.events.clear()
        self("Page.navigate", url=place if isinstance(place, str) else place.as_uri())
        self.wait("Page.loadEventFired")

    def asked(self) -> list[str]:
        """The addresses that the page has asked for since it was opened."""
        sent = (one["params"] for one in self.events if one.get("method") == "Network.requestWillBeSent")
        return [one["request"]["url"] for one in sent]

    def until(self, condition: str) -> None:
        """Until an expression in the page is true."""
        assert self.js(UNTIL % condition), condition

    def axe(self) -> list[tuple[str, str, str]]:
        """What axe has against the page as it is shown: how grave, which rule, where."""
        self("Runtime.evaluate", expression=AXE.read_text("utf-8"))
        found = self.js("axe.run(document, {resultTypes: ['violations']})")["violations"]
        return [(one["impact"], one["id"], node["html"]) for one in found for node in one["nodes"]]

    def look(self, width: int, *, scheme: str = "light", height: int = 900) -> None:
        """The page as on a screen of this width, in this colour scheme."""
        self(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def js(self, expression: str) -> Any:
        """The value of an expression in the page."""
        told = self("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def press(self, key: str) -> None:
        """One key, down and up."""
        for kind in ("keyDown", "keyUp"):
            self("Input.dispatchKeyEvent", type=kind, key=key, **KEYS[key])

    def type(self, text: str) -> None:
        """Text into what has the focus."""
        self("Input.insertText", text=text)

    def tree(self) -> list[dict[str, Any]]:
        """What a screen reader is told: role, name and properties of each node."""
        nodes = self("Accessibility.getFullAXTree")["nodes"]
        return [
            {
                "role": node.get("role", {}).get("value"),
                "name": node.get("name", {}).get("value", ""),
                **{one["name"]: one["value"].get("value") for one in node.get("properties", ())},
            }
            for node in nodes
            if not node["ignored"]
        ]

    def printed(self) -> bytes:
        """The page as a PDF."""
        return b64decode(self("Page.printToPDF", preferCSSPageSize=True)["data"])


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser with one empty page that reaches nobody but this machine."""
    assert CHROMIUM
    (read, to), (back, write) = os.pipe(), os.pipe()
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    command = (CHROMIUM, *OPTIONS, *sandbox, f"--user-data-dir={profile}", "about:blank")
    process = subprocess.Popen(
        (sys.executable, "-c", ON_3_AND_4, str(read), str(write), *command),
        pass_fds=(read, write),
        stderr=subprocess.DEVNULL,
    )
    os.close(read)
    os.close(write)
    with process, os.fdopen(to, "wb") as asks, os.fdopen(back, "rb") as answers:
        made = Browser(asks, answers)
        page = next(one for one in made("Target.getTargets")["targetInfos"] if one["type"] == "page")
        made.session = made("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "Accessibility"):
            made(f"{domain}.enable")
        try:
            yield made
        finally:
            made.session = None
            made("Browser.close")
