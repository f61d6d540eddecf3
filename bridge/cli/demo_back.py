"""The second half of `bridge demo`: decisions in LeadSquared reach LeadByte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from bridge.app import App
from bridge.cli.base import put
from bridge.cli.shipped import examples
from bridge.model import Track
from bridge.settings import Settings
from bridge.simulator import Operation, World, add_quarantined

EXAMPLES: Final = ("release-quarantined", "book-sale")
EMAIL: Final = "rosa.marsh@example.com"
LEAD: Final = {"firstname": "Rosa", "lastname": "Marsh", "email": EMAIL, "phone1": "07700 900461"}
COMPLETED: Final = {"mx_Postcode": "TN25 6QD", "ProspectStage": "Qualified"}
SOLD: Final = {"ProspectStage": "Sold", "mx_Payout": "80.00", "mx_Revenue": "120.00"}


async def round_trip(app: App, world: World, directory: Path) -> None:
    """A quarantined lead is completed by the sales team, released, approved, sold, and its payout booked."""
    both_ways = replace(app, settings=_with_feedback(app, directory))
    queue_id, prospect = _quarantined(world)
    put("", "6. And back: LeadByte holds Rosa Marsh in quarantine, for she gave no postcode.")
    await _work(both_ways, world, prospect, [queue_id])
    put("   The sales team calls her, fills in the postcode and sets the stage to Qualified.")
    world.edit(prospect, COMPLETED)
    await _work(both_ways, world, prospect)
    put("", "7. The sales team sells: the stage is Sold, with a payout and a revenue.")
    world.edit(prospect, SOLD)
    await _work(both_ways, world, prospect)
    put("   Somebody saves the lead once more and changes nothing: LeadByte is told nothing.")
    world.touch(prospect)
    await _work(both_ways, world, prospect)


def _with_feedback(app: App, directory: Path) -> Settings:
    """The same settings with two of the examples beside the mappings, no longer as a dry run."""
    directory.mkdir()
    for path in app.settings.mappings_dir.glob("*.yaml"):
        (directory / path.name).write_text(path.read_text("utf-8"), "utf-8")
    shipped = examples()
    for name in EXAMPLES:
        text = shipped[name].read_text("utf-8")
        (directory / f"{name}.yaml").write_text(text.replace("dry_run: true\n", ""), "utf-8")
    return app.settings.model_copy(update={"mappings_dir": directory})


def _quarantined(world: World) -> tuple[str, str]:
    prospect = world.add_person({"EmailAddress": EMAIL, "FirstName": "Rosa"})
    return add_quarantined(world, LEAD, info="postcode is required"), prospect


async def _work(app: App, world: World, prospect: str, queue_ids: Sequence[str] = ()) -> None:
    """Run the bridge until it is dry, and show what that has changed on either side."""
    before = len(world.operations)
    async with app.service() as service:
        now = app.clock()
        service.machine.store.track(map(Track, queue_ids), now, now + app.deadline())
        await service.run(drain=True)
    for operation in world.operations[before:]:
        put(f"   LeadByte was told: {_words(operation)}")
    held = world.crm.flat(prospect, ("ProspectStage", "mx_Outcome", "mx_Buyer", "mx_LeadByte_Id"))
    shown = ", ".join(f"{name} {text}" for name, text in held.items() if text and name != "ProspectID")
    put(f"   LeadSquared holds: {shown}")


def _words(operation: Operation) -> str:
    values = (
        "" if operation.kind == "release" else ", ".join(f"{k} = {v}" for k, v in operation.values.items())
    )
    return f"{operation.kind.replace('_', ' ')} {operation.id} {values}".rstrip()
