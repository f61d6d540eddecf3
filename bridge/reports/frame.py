"""What stands around the report as a page: its head with style, its script, and how text becomes HTML."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Final

from bridge.reports.cells import one_line

QUOTED: Final = re.compile(r"`([^`]*)`")


def _part(name: str) -> str:
    return files("bridge.reports").joinpath(name).read_text("utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


STYLE: Final = _part("page.css")
SCRIPT: Final = _part("page.js")
POLICY: Final = (
    f"default-src 'none'; style-src {_digest(STYLE)}; script-src {_digest(SCRIPT)}; "
    "base-uri 'none'; form-action 'none'"
)
"""A browser runs this one script and no other, and asks nobody for anything."""
HEAD: Final = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>Failure report</title>
<style>{STYLE}</style>
</head>
<body>
"""
FOOT: Final = f"</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"


def safe(text: str) -> str:
    """Anybody's text as one line of HTML text or of a quoted attribute."""
    return escape(one_line(text))


def sentence(text: str) -> str:
    """A sentence of the report's own: what it has in backticks is in quotes on a page."""
    return QUOTED.sub(r"“\1”", safe(text))


def words(state: str) -> str:
    """A state as people read it: `in doubt`."""
    return safe(state.replace("_", " "))
