"""LeadSquared: where leads are updated (`api/leadsquared.md`)."""

from bridge.leadsquared.client import LeadSquaredSink
from bridge.leadsquared.facts import FieldInfo, Metrics

__all__ = ["FieldInfo", "LeadSquaredSink", "Metrics"]
