"""Untrusted text made fit for a terminal or a table."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size


def one_line(text: str) -> str:
    """The text without line breaks, escape sequences, changes of direction and other things that are not seen."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else " " if each.isspace() else "\N{REPLACEMENT CHARACTER}"
        for each in text
    )


def fitted(text: str, width: int) -> str:
    """The text in exactly `width` terminal cells, its end replaced by `…` where it is longer."""
    text = one_line(text)
    if cell_len(text) > width:
        text = set_cell_size(text, width - 1) + "…"
    return set_cell_size(text, width)
