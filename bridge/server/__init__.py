"""The bridge's own HTTP side: `POST /v1/leads` takes queueIds, `POST /v1/webhooks/leadsquared/{token}` LeadSquared's changes,
`GET /healthz` says that the process works, `GET /readyz` that it gets work done, `GET /metrics` how much of it; `GET /` is a page
of all this, `GET /v1/failures`, `POST /v1/resync`, `POST /v1/dismiss` and `POST /v1/resolve` are for what needs a person."""

from bridge.server.acting import Acts
from bridge.server.app import create_app
from bridge.server.connection import Patience
from bridge.server.hosts import known_hosts
from bridge.server.listening import LocalServer, serve
from bridge.server.metrics import Calls, Counted, Measured
from bridge.server.overview import Overview, Side, Slip
from bridge.server.routes import Readiness
from bridge.server.wishes import Dismiss, Found, Resolve, Resync

__all__ = [
    "Acts",
    "Calls",
    "Counted",
    "Dismiss",
    "Found",
    "LocalServer",
    "Measured",
    "Overview",
    "Patience",
    "Readiness",
    "Resolve",
    "Resync",
    "Side",
    "Slip",
    "create_app",
    "known_hosts",
    "serve",
]
