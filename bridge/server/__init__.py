"""The bridge's own HTTP side: `POST /v1/leads` takes queueIds, `GET /healthz` says that the process works."""

from bridge.server.app import create_app
from bridge.server.listening import LocalServer, serve

__all__ = ["LocalServer", "create_app", "serve"]
