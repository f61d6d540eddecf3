"""LeadByte and LeadSquared on loopback, written from their API pages and from nothing else of this project."""

from bridge.simulator.faults import KINDS, Faults
from bridge.simulator.limits import Limits
from bridge.simulator.populate import Mix, populate
from bridge.simulator.queue import Profile
from bridge.simulator.serve import Servers, serve
from bridge.simulator.world import BulkOptions, World, Write

__all__ = [
    "KINDS",
    "BulkOptions",
    "Faults",
    "Limits",
    "Mix",
    "Profile",
    "Servers",
    "World",
    "Write",
    "populate",
    "serve",
]
