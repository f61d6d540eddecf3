"""LeadSquared as the source of changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, Literal

import structlog

from bridge.http import Client
from bridge.leadsquared import wire
from bridge.leadsquared.calling import Caller
from bridge.ports import ChangePage

_log = structlog.get_logger(__name__)


class LeadSquaredSource:
    """`ports.ChangeSource` over HTTP. Keeps nothing but the open client; its settings mean the same as the sink's."""

    def __init__(
        self,
        client: Client,
        *,
        url: str,
        access_key: str,
        secret_key: str,
        keys_in: Literal["header", "query"] = "header",
        redact: Callable[[str], str] = str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._caller: Final = Caller(
            client,
            url=url,
            access_key=access_key,
            secret_key=secret_key,
            keys_in=keys_in,
            redact=redact,
            clock=clock,
        )

    async def changes(self, since: float, columns: Sequence[str], page: int) -> ChangePage:
        """A page of the leads modified in or after the second `since`; see `ports.ChangeSource`.

        The window is open towards the future (see `wire.changes_request`). `known_as` is left empty. A lead that does
        not tell when it was modified counts as modified when the answer came. Leads without an id are left out, and the
        log says how many.
        """
        caller = self._caller
        now = caller.clock()
        reply = await caller.send(wire.changes_request(caller.base, caller.keys, since, now, columns, page))
        at = wire.answered_at(reply.headers)
        found = wire.read_changes(caller.judged(reply), columns, page, now if at is None else at)
        if found.nameless:
            _log.warning("LeadSquared lists changed leads without an id", leads=found.nameless)
        return ChangePage(found.changes, found.last, at, found.total)
