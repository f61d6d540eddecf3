"""The bridge's own HTTP side: `POST /v1/leads` takes queueIds, `POST /v1/webhooks/leadsquared/{token}` LeadSquared's changes,
`GET /healthz` says that the process works, `GET /readyz` that it gets work done, `GET /metrics` how much of it."""

from bridge.server.app import create_app
from bridge.server.connection import Patience
from bridge.server.listening import LocalServer, serve
from bridge.server.metrics import Calls, Counted, Measured
from bridge.server.routes import Readiness

__all__ = [
    "Calls",
    "Counted",
    "LocalServer",
    "Measured",
    "Patience",
    "Readiness",
    "create_app",
    "serve",
]
