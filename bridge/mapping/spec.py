"""Reads the keys of one table of a mapping file, noting every key whose value is not what belongs there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.mapping.document import Items, Ledger, Node, Scalar, Table, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_DIGITS: Final = 6
"""Of a count."""

FLAGS: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class Spec:
    """One table. `where` ends the messages about it: "in leadsquared". `at`: the line it belongs to.

    Each reader gives the value under a key; where the key is absent or holds a problem, which is then in the ledger with
    its line, it gives None, or the `usual` value.
    """

    def __init__(self, ledger: Ledger, table: Table, where: str, at: int) -> None:
        self.ledger = ledger
        self.table = table
        self.where = where
        self.at = at

    @classmethod
    def of(cls, ledger: Ledger, node: Node, where: str, line: int) -> Spec | None:
        """None, noted, where the node is no table."""
        if isinstance(node, Table):
            return cls(ledger, node, where, line)
        ledger.add(line, f"what stands {where} is {kind(node)}; write key: value lines")
        return None

    def __contains__(self, key: str) -> bool:
        return key in self.table.entries

    def line(self, key: str) -> int:
        return self.table.lines.get(key, self.at)

    def problem(self, key: str, what: str) -> None:
        """`what` follows "KEY where "."""
        self.ledger.add(self.line(key), f"{key} {self.where} {what}")

    def only(self, known: Collection[str], besides: Collection[str] = ()) -> None:
        """Note every key that is none of `known`, nor of those `besides`, which somebody else tells of."""
        for key, line in self.table.lines.items():
            if key not in known and key not in besides:
                self.ledger.add(line, f"unknown key {shown(key)} {self.where}; {nearest(key, known)}")

    def inner(self, key: str, where: str) -> Spec | None:
        """The table under a key; None where there is none."""
        if key not in self:
            return None
        return Spec.of(self.ledger, self.table.entries[key], where, self.line(key))

    def text(self, key: str) -> str | None:
        """The scalar as written; empty and blank ones are problems."""
        return self._text(key, self.table.entries[key]) if key in self else None

    def raw(self, key: str) -> str | None:
        """The scalar as written, empty and blank ones too."""
        node = self.table.entries.get(key)
        if isinstance(node, Scalar):
            return "" if node.is_null else node.text
        if node is not None:
            self.problem(key, f"is {kind(node)}; write one text")
        return None

    def choice(self, key: str, options: Collection[str], usual: str) -> str:
        word = self.text(key)
        if word is not None and word not in options:
            self.problem(key, f"can't be {shown(word)}; {nearest(word, options)}")
        return word if word in options and word is not None else usual

    def flag(self, key: str) -> bool:
        word = self.text(key)
        if word is not None and word.lower() not in FLAGS:
            self.problem(key, f"can't be {shown(word)}; write true or false")
        return FLAGS.get((word or "false").lower(), False)

    def count(self, key: str) -> int | None:
        """A whole number from 1 to 999999."""
        word = self.text(key)
        if word is None:
            return None
        if word.isascii() and word.isdigit() and len(word) <= MAX_DIGITS and int(word):
            return int(word)
        self.problem(key, f"can't be {shown(word)}; write a whole number of at least 1")
        return None

    def texts(self, key: str) -> tuple[str, ...]:
        """One text or a list of different ones."""
        node = self.table.entries.get(key)
        if node is None:
            return ()
        if node == Items(node.line, ()):
            self.problem(key, "is an empty list; name at least one, or leave the key out")
        nodes = node.items if isinstance(node, Items) else (node,)
        found = [word for item in nodes if (word := self._text(key, item)) is not None]
        if len(set(found)) < len(found):
            self.problem(key, "names one thing twice; remove one of them")
        return tuple(dict.fromkeys(found))

    def _text(self, key: str, node: Node) -> str | None:
        if not isinstance(node, Scalar):
            self.problem(key, f"is {kind(node)}; write one text")
        elif node.is_null or not node.text.strip():
            self.problem(key, "is empty; write a text, or leave the key out")
        else:
            return node.text
        return None


def kind(node: Node) -> str:
    """What a node is, for a message."""
    if isinstance(node, Scalar):
        return "empty" if node.is_null else "one value"
    return "a list" if isinstance(node, Items) else "a mapping"
