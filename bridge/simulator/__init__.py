"""LeadByte and LeadSquared on loopback, written from their API pages and from nothing else of this project."""

from bridge.simulator.faults import KINDS, Faults
from bridge.simulator.journal import Operation
from bridge.simulator.leads import add_approved, add_quarantined, add_rejected
from bridge.simulator.limits import Limits
from bridge.simulator.populate import Mix, populate
from bridge.simulator.queue import Profile
from bridge.simulator.rules import Refusal, Rules
from bridge.simulator.serve import Servers, serve
from bridge.simulator.webhooks import WebhookCall, WebhookOptions
from bridge.simulator.world import World
from bridge.simulator.writes import BulkOptions, Edit, Write

__all__ = [
    "KINDS",
    "BulkOptions",
    "Edit",
    "Faults",
    "Limits",
    "Mix",
    "Operation",
    "Profile",
    "Refusal",
    "Rules",
    "Servers",
    "WebhookCall",
    "WebhookOptions",
    "World",
    "Write",
    "add_approved",
    "add_quarantined",
    "add_rejected",
    "populate",
    "serve",
]
