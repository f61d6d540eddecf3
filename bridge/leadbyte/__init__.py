"""LeadByte: what became of a lead that was submitted, and what it is told to do to one (`api/leadbyte.md`)."""

from bridge.leadbyte.client import LeadByteSource
from bridge.leadbyte.sink import LeadByteSink
from bridge.leadbyte.wire import read_queue, status_table

__all__ = ["LeadByteSink", "LeadByteSource", "read_queue", "status_table"]
