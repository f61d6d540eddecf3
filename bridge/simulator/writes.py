"""How UpdateV2 answers, and a record of what was written to the CRM by API and by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass
class BulkOptions:
    """How UpdateV2 answers; may be changed while it runs.

    `echo`: identifier values come back as sent, or in changing case and padding. `omit_next`: that many leads are
    carried out and listed nowhere. `miscount_next`: that many replies count one success too many. Shares of all leads,
    counted in `mishaps`: `omitted` ones are listed nowhere, carried out or not by turns; `failing` ones are refused.
    """

    echo: Literal["sent", "changed"] = "sent"
    omit_next: int = 0
    miscount_next: int = 0
    omitted: float = 0.0
    failing: float = 0.0
    mishaps: int = 0


@dataclass(frozen=True, slots=True)
class Write:
    """One accepted update of one lead: `order` from 1, `fields` as sent, `fired` where automations ran."""

    order: int
    at: float
    via: Literal["bulk", "async"]
    prospect: str
    fields: Mapping[str, str]
    fired: bool = False


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of one lead by the sales team: `order` from 1, `fields` as entered."""

    order: int
    at: float
    prospect: str
    fields: Mapping[str, str]
