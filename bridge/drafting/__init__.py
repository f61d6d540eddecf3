"""A mapping file begun for a person. Pure; the caller reads the reply and asks LeadSquared for its fields."""

from bridge.drafting.draft import Draft, drafted
from bridge.drafting.standard import STANDARD

__all__ = ["STANDARD", "Draft", "drafted"]
