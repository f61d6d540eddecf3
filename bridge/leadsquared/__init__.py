"""LeadSquared: where leads are updated, and where people change them (`api/leadsquared.md`)."""

from bridge.leadsquared.client import LeadSquaredSink
from bridge.leadsquared.facts import FieldInfo, Metrics
from bridge.leadsquared.source import LeadSquaredSource

__all__ = ["FieldInfo", "LeadSquaredSink", "LeadSquaredSource", "Metrics"]
