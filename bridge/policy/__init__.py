"""Decisions of the bridge, pure: what the stages read comes in as values, what they store goes out as values."""
