"""Mapping files: what a lead's LeadByte result becomes in LeadSquared. Pure; the caller reads the files.

`load` checks and compiles them, `MappingFile.apply` maps one lead, `run_tests` runs a file's own tests.
"""

from bridge.mapping.file import FieldTrace, MappingFile
from bridge.mapping.loading import load
from bridge.mapping.paths import NAMES
from bridge.mapping.rules import Rule
from bridge.mapping.selftest import run_tests
from bridge.mapping.times import epoch

__all__ = ["NAMES", "FieldTrace", "MappingFile", "Rule", "epoch", "load", "run_tests"]
