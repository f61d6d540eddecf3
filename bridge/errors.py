"""One tree of errors, grouped by what to do next.

Every error's text is one line for a person: what is wrong, where, and what to do. None holds a key, a URL's query or
a lead's data. Outcomes of single leads are values (`bridge.model.Outcome`), never exceptions.
"""

from collections.abc import Iterable


class BridgeError(Exception):
    """Anything the bridge says to a person in one line. `exit_code` is what the command then exits with."""

    exit_code = 1


class Problems(BridgeError):
    """Several problems told at once, a line each."""

    exit_code = 2

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class UsageError(Problems):
    """Mend the command or its input. `problems`: a line each."""

    def __init__(self, *problems: str) -> None:
        super().__init__(problems)


class SettingsError(Problems):
    """Mend the environment, `.env` or the secrets directory."""


class MappingError(Problems):
    """Mend a mapping file. Each problem begins `FILE:LINE: `."""


class LeadUnmappable(BridgeError):
    """One lead cannot be mapped: that lead alone fails, with this reason."""


class Busy(BridgeError):
    """Another process holds what is needed: wait for it or stop it."""

    exit_code = 75


class Held(Busy):
    """Another process of the bridge runs for this state directory."""


class StoreError(BridgeError):
    """The state directory or its database cannot be used as it is: mend it, nothing was changed."""


class DiskFull(StoreError):
    """There is no room to write: what was to be stored is not, and nothing else changed. Make room."""


class Conflict(BridgeError):
    """A row was no longer in the state that was read: read again and decide anew. Never reaches a person."""


class CallError(BridgeError):
    """A whole call to LeadByte or LeadSquared did not do its work."""


class Unreachable(CallError):
    """The request never left (no route, refused, DNS, TLS): nothing happened there; try later."""


class LostAnswer(CallError):
    """The request left and no whole answer came back: what happened there is unknown."""


class ServerFault(CallError):
    """An answer came that is no verdict (5xx without a reason, HTML, broken JSON): try later; it may have been applied."""


class Throttled(CallError):
    """Too many calls: wait. `retry_after` in seconds where the answer said so; `limit` as (calls, seconds) likewise."""

    def __init__(
        self, text: str, *, retry_after: float | None = None, limit: tuple[int, float] | None = None
    ) -> None:
        super().__init__(text)
        self.retry_after = retry_after
        self.limit = limit


class Denied(CallError):
    """The key is wrong, lacks a permission or belongs to another region: a person must mend it; stop calling.

    `wrong_region`: the account lives at another host, which the text names.
    """

    def __init__(self, text: str, *, wrong_region: bool = False) -> None:
        super().__init__(text)
        self.wrong_region = wrong_region


class Refused(CallError):
    """The call as a whole was refused for what it says; the same call will be refused again."""
