"""What stands around a page: its head with style, its script, and how text becomes HTML."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Final

from bridge.reports.cells import one_line

QUOTED: Final = re.compile(r"`([^`]*)`")


def part(name: str, package: str = "bridge.reports") -> str:
    """The text of a file that belongs to a package."""
    return files(package).joinpath(name).read_text("utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a page that brings its own `style` and `script`."""

    style: str
    script: str

    @property
    def policy(self) -> str:
        """The content security policy: a browser runs this one script and no other, and asks nobody for anything."""
        allowed = f"style-src {_digest(self.style)}; script-src {_digest(self.script)}"
        return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"

    def head(self, title: str, *more: str) -> str:
        """Up to the beginning of the body. `more`: elements of the head."""
        head = "".join(f"{one}\n" for one in more)
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta name="color-scheme" content="light dark">\n{head}'
            f"<title>{safe(title)}</title>\n<style>{self.style}</style>\n</head>\n<body>\n"
        )

    @property
    def foot(self) -> str:
        """From the script on."""
        return f"<script>{self.script}</script>\n</body>\n</html>\n"


def safe(text: str) -> str:
    """Anybody's text as one line of HTML text or of a quoted attribute."""
    return escape(one_line(text))


def sentence(text: str) -> str:
    """A sentence of the report's own: what it has in backticks is in quotes on a page."""
    return QUOTED.sub(r"“\1”", safe(text))


def words(state: str) -> str:
    """A state as people read it: `in doubt`."""
    return safe(state.replace("_", " "))


STYLE: Final = part("page.css")
SCRIPT: Final = part("page.js")
_REPORT: Final = Frame(STYLE, SCRIPT)
HEAD: Final = _REPORT.head(
    "Failure report", f'<meta http-equiv="Content-Security-Policy" content="{_REPORT.policy}">'
)
FOOT: Final = f"</main>\n{_REPORT.foot}"
