"""A webhook's other end on loopback: it keeps what it is sent, and answers as it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATH = "/services/T0/B0/HOOKMARK7abcdefgh?key=HOOKMARK7ijklmnop"
HANG = 0


@dataclass
class Receiver:
    """`answers`: the codes to answer with, HANG for never; 200 once there are none left. `heard`: the texts, in order."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    reached: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def take(self) -> list[str]:
        """What was heard since this was last asked, without the first words of each."""
        heard, self.heard[:] = list(self.heard), []
        return [text.partition(":\n")[2] for text in heard]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that listens."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert body.keys() == {"text"}
            receiver.heard.append(body["text"])
            receiver.paths.append(self.path)
            receiver.reached.set()
            code = receiver.answers.pop(0) if receiver.answers else 200
            if code == HANG:
                receiver.over.wait(20)
                return
            self.send_response(code)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok" if code == 200 else b"no")

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_port}{PATH}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
