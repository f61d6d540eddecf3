"""The bridge's own HTTP side: `POST /v1/leads` takes queueIds, `POST /v1/webhooks/leadsquared/{token}` LeadSquared's changes,
`GET /healthz` says that the process works, `GET /readyz` that it gets work done."""

from bridge.server.app import create_app
from bridge.server.connection import Patience
from bridge.server.listening import LocalServer, serve
from bridge.server.routes import Readiness

__all__ = ["LocalServer", "Patience", "Readiness", "create_app", "serve"]
