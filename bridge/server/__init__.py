"""The bridge's own HTTP side: `POST /v1/leads` takes queueIds, `GET /healthz` says that the process works, `GET /readyz` that
it gets work done."""

from bridge.server.app import Readiness, create_app
from bridge.server.connection import Patience
from bridge.server.listening import LocalServer, serve

__all__ = ["LocalServer", "Patience", "Readiness", "create_app", "serve"]
