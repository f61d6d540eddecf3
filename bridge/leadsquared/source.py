"""LeadSquared as the source of changes."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from bridge.leadsquared import wire
from bridge.leadsquared.calling import Caller
from bridge.ports import ChangePage

_log = structlog.get_logger(__name__)


class LeadSquaredSource(Caller):
    """`ports.ChangeSource` over HTTP."""

    async def changes(self, since: float, columns: Sequence[str], page: int) -> ChangePage:
        """A page of the leads modified in or after the second `since`; see `ports.ChangeSource`.

        The window is open towards the future (see `wire.changes_request`). `known_as` is left empty. A lead that does
        not tell when it was modified counts as modified when the answer came. Leads without an id are left out, and the
        log says how many.
        """
        now = self.clock()
        reply = await self.send(wire.changes_request(self.base, self.keys, since, now, columns, page))
        at = wire.answered_at(reply.headers)
        found = wire.read_changes(self.judged(reply), columns, page, now if at is None else at)
        if found.nameless:
            _log.warning("LeadSquared lists changed leads without an id", leads=found.nameless)
        return ChangePage(found.changes, found.last, at, found.total)
