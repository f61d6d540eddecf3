"""Every setting, read in one place: environment, then `.env`, then files in secrets directories.

`load` is the only function that reads any of them; `Settings` itself is plain values and may be made by hand.
"""

from bridge.settings.groups import Http, Leadbyte, Leadsquared, Log, Retry, Server, Settings
from bridge.settings.names import reference
from bridge.settings.sources import dotenv_values, load, warnings

__all__ = [
    "Http",
    "Leadbyte",
    "Leadsquared",
    "Log",
    "Retry",
    "Server",
    "Settings",
    "dotenv_values",
    "load",
    "reference",
    "warnings",
]
