"""Mapping files: what a lead's LeadByte result becomes in LeadSquared, and what is decided there becomes in LeadByte. Pure; the
caller reads the files.

`load` checks and compiles them, `apply` maps one lead, `run_tests` runs a file's own tests.
"""

from bridge.mapping.feedback import FeedbackFile
from bridge.mapping.file import FieldTrace, MappingFile
from bridge.mapping.loading import AnyMapping, feedback_of, forward_of, load
from bridge.mapping.names import NAMES
from bridge.mapping.rules import Rule
from bridge.mapping.selftest import run_tests
from bridge.mapping.times import epoch

__all__ = [
    "NAMES",
    "AnyMapping",
    "FeedbackFile",
    "FieldTrace",
    "MappingFile",
    "Rule",
    "epoch",
    "feedback_of",
    "forward_of",
    "load",
    "run_tests",
]
