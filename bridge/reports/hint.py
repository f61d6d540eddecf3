"""One known family of reasons: how it sounds, what it means, what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

ANYTHING: Final = "anything else"


@dataclass(frozen=True, slots=True)
class Hint:
    """`example`: a reason of this family, as the other side or the bridge says it. `meaning` and `advice`: a sentence each.

    `pattern` is looked for anywhere in a reason, in any case; "" is found in every one.
    """

    example: str
    meaning: str
    advice: str
    pattern: str = ""

    @property
    def line(self) -> str:
        """What the failure report says of it."""
        return f"{self.meaning} {self.advice}"

    def meets(self, reason: str) -> bool:
        """Whether a reason is of this family."""
        return re.search(self.pattern, reason, re.IGNORECASE) is not None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a lead stands when a family's hints are looked through; the last of them meets every reason.

    `title`: as the operator's page has it. `then`: the command that the report gives for such a lead.
    """

    title: str
    then: str
    hints: Sequence[Hint]

    def of(self, reason: str) -> Hint:
        """The first hint that a reason meets."""
        return next(hint for hint in self.hints if hint.meets(reason))


FORGOTTEN: Final = Hint(
    "the reason named a person who was forgotten",
    "The reason quoted a person who was erased since.",
    "Retry: what is wrong is said anew.",
    r"named a person who was forgotten",
)
NO_FILE: Final = Hint(
    "there is no mapping file named sold-back any more",
    "The mapping file was renamed or taken away, and what it made is tried by its old name.",
    "Put it back under this name, check it with `bridge check --offline`, then retry.",
    r"there is no mapping file named",
)
EXPRESSION: Final = Hint(
    "when: the path can't be used on what this lead holds",
    "An expression of the mapping does not suit what this lead holds.",
    "Mend the expression, try it with `bridge map`, then retry.",
    r"^when: |the path can't be used|\(\) was given",
)
NOT_DONE: Final = Hint(
    "a person said that it was not carried out",
    "Somebody looked and said `not-done`: the call was not carried out.",
    "Retry it if it is still wanted.",
    r"not carried out",
)
