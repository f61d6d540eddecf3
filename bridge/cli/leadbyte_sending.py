"""Operations on their way to LeadByte: stored, then seen through here or by the running service, then told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.cli.base import put_json, say
from bridge.cli.following import STOPPED, follow, on_signals, rarely
from bridge.cli.progress import progress
from bridge.cli.tables import put_table
from bridge.errors import BridgeError, Held, Problems
from bridge.model import Json, Mapped, State
from bridge.operation import LEAD_ID, QUARANTINE_ID
from bridge.ports import Operated, Store
from bridge.reports import operation_words

if TYPE_CHECKING:
    from bridge.app import App
    from bridge.scheduler import Service

MOVING: Final = frozenset({State.PENDING, State.SENDING, State.SUBMITTED})
DONE: Final = frozenset({State.SYNCED, State.SKIPPED})
WHAT: Final = "leadbyte"
TITLES: Final = ("DELIVERY", "LEAD", "OPERATION", "STATE", "LEADBYTE SAID")


class NotDone(Problems):
    """Not every operation was carried out; each kind of failure with what to do. Nothing is lost."""

    exit_code = 1


@dataclass(slots=True)
class Sending:
    """The operations of one command. `ids`: their deliveries, once they are stored. `ended`: why nobody waits any more."""

    app: App
    operations: Sequence[Mapped]
    ids: Sequence[int] = ()
    ended: str = ""

    async def run(self) -> None:
        """Store them and see them through. What goes wrong after they are stored is `ended`, and raises nothing."""
        finished = False
        while not finished:
            try:
                async with self.app.by_hand() as service:
                    await self._push(service)
                    finished = True
            except Held:
                finished = await self._follow()

    async def _push(self, service: Service) -> None:
        on_signals(service.stop)
        desk, store = service.machine.desk, service.machine.store
        self.ids = self.ids or await desk(self._store, store)
        with progress(WHAT, "leads", len(self.ids)) as work:

            async def done() -> bool:
                left = await desk(self.left, store)
                work.left(left)
                return left == 0

            try:
                await service.run(until=rarely(done))
                self.ended = STOPPED
            except BridgeError as error:
                self.ended = str(error)

    async def _follow(self) -> bool:
        """Whether there is nothing more to wait for; not where the other process is gone."""
        with self.app.store() as store:
            if not self.ids:
                say("another process of the bridge is running and does the work; following it")
                self.ids = self._store(store)
            ended = await follow(self.app.settings.state_dir, store, lambda: self.left(store), WHAT)
        self.ended = ended or ""
        return ended is not None

    def _store(self, store: Store) -> Sequence[int]:
        return store.operate(self.operations, self.app.clock())

    def left(self, store: Store) -> int:
        """How many are on their way still."""
        return sum(map(is_moving, store.operated(self.ids)))


def is_moving(one: Operated) -> bool:
    """Whether something is going to happen to it without a person."""
    return one.state in MOVING and one.blocked_by is None


def send(app: App, operations: Sequence[Mapped], *, as_json: bool) -> None:
    """Store these operations, carry them out, print what became of each. Raises NotDone unless all were."""
    sending = Sending(app, operations)
    asyncio.run(sending.run())
    with app.store() as store:
        found = store.operated(sending.ids)
    if as_json:
        put_json({"operations": [_values(one) for one in found]})
    else:
        put_table(TITLES, map(_cells, found))
    problems = list(_problems(found, sending.ended))
    if problems:
        raise NotDone(problems)


def _values(one: Operated) -> dict[str, Json]:
    lead = {name: one.fields[name] for name in (LEAD_ID, QUARANTINE_ID) if name in one.fields}
    named = {"operation": operation_words(one.kind, one.fields), "state": one.state}
    return {"delivery": one.delivery_id, **lead, **named, "reason": _reason(one)}


def _cells(one: Operated) -> tuple[str, ...]:
    held = one.fields.get(QUARANTINE_ID)
    lead = f"quarantined {held}" if held else one.fields.get(LEAD_ID, "-")
    what = operation_words(one.kind, one.fields)
    return str(one.delivery_id), lead, what, one.state, _reason(one) or "-"


def _reason(one: Operated) -> str | None:
    waits = f"waits for delivery {one.blocked_by}, which is in doubt"
    return waits if one.blocked_by is not None else one.reason


def _problems(found: Sequence[Operated], ended: str) -> Iterator[str]:
    """A line for each way in which operations were not carried out, with what to do."""
    moving = sum(map(is_moving, found))
    if moving:
        yield (
            f"{moving} of {len(found)} operations are stored and stay pending; the next (or running) `bridge run`, "
            f"or the next `bridge leadbyte` command, sends them: {ended or STOPPED}"
        )
    for one in found:
        if one.blocked_by is not None:
            yield (
                f"delivery {one.delivery_id} waits for delivery {one.blocked_by} of the same lead, which is in doubt, and is "
                f"sent after it: look at the lead in LeadByte, then `bridge resolve {one.blocked_by} --as done|not-done`"
            )
        elif one.state is State.IN_DOUBT:
            yield (
                f"delivery {one.delivery_id} is in doubt, for its answer was lost, and is never sent again by itself: "
                f"look at the lead in LeadByte, then `bridge resolve {one.delivery_id} --as done|not-done`"
            )
    refused = sum(one.state not in DONE | MOVING | {State.IN_DOUBT} for one in found)
    if refused:
        yield (
            f"{refused} of {len(found)} operations were not carried out; mend what is said of each, then ask again; "
            "they are on `bridge report`, and `bridge resync --mapping 'by hand'` sends them once more"
        )
