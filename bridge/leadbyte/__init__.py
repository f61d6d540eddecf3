"""LeadByte: what became of a lead that was submitted (`api/leadbyte.md`, "Poll")."""

from bridge.leadbyte.client import LeadByteSource
from bridge.leadbyte.wire import read_queue, status_table

__all__ = ["LeadByteSource", "read_queue", "status_table"]
