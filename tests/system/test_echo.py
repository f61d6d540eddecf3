"""Both directions on the same fields: what one side was told by the bridge never comes back from it, and nothing else is lost."""

from __future__ import annotations

import asyncio
import os
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from bridge.simulator import World
from bridge.simulator.campaign import data
from bridge.simulator.leads import add_approved
from bridge.simulator.rules import moment
from tests.system.roundtrip import RoundTrip

FORWARD: Final = """
version: 1
leadsquared: {mode: bulk, search_by: EmailAddress}
fields:
  EmailAddress: {from: lead.email, type: email}
  FirstName: lead.firstname
  Phone: {from: lead.phone1, type: phone, region: GB}
  mx_Postcode: lead.postcode
  mx_Consent: {from: lead.optin, type: boolean}
  mx_Sold_On: {from: processed, type: datetime}
  mx_Outcome: {from: status, values: {Approved: Sold, Rejected: Lost, Quarantined: Quarantined}, otherwise: error}
  mx_LeadByte_Id: leadId
"""
UPDATE: Final = """
version: 1
direction: feedback
when: "mx_Outcome == 'Sold' && mx_Sold_On != ''"
lead_id: mx_LeadByte_Id
update: {firstname: FirstName, phone1: Phone, postcode: mx_Postcode, optin: mx_Consent}
"""
REPROCESS: Final = """
version: 1
direction: feedback
when: "ProspectStage == 'Opportunity'"
lead_id: mx_LeadByte_Id
update: {postcode: mx_Postcode}
action: reprocess
"""
SALE: Final = """
version: 1
direction: feedback
when: "ProspectStage == 'Sold'"
lead_id: mx_LeadByte_Id
financials: {payout: mx_Payout}
"""
FILES: Final = {"forward": FORWARD, "update": UPDATE, "reprocess": REPROCESS, "sale": SALE}
SHARED: Final = {
    "FirstName": "firstname",
    "Phone": "phone1",
    "mx_Postcode": "postcode",
    "mx_Consent": "optin",
}
ROUNDS: Final = 3_000 if os.environ.get("BRIDGE_SOAK") else 150


def spelling(world: World) -> World:
    """LeadSquared keeps a British number as +44-7700900123, however it is written, and whoever wrote it."""
    update = world.crm.update

    def updated(prospect: str, changes: Mapping[str, str], now: float) -> object:
        spelt = {name: phone(text) if name == "Phone" else text for name, text in changes.items()}
        return update(prospect, spelt, now)

    world.crm.update = updated  # type: ignore[method-assign,assignment]
    world.campaign.rules.duplicate_by = ()
    return world


def phone(text: str) -> str:
    digits = re.sub(r"\D", "", text)
    return f"+44-{digits.removeprefix('44').removeprefix('0')}" if digits else text


def alike(value: object) -> str:
    """One spelling for what both sides may write in their own ways."""
    text = str(value or "").strip()
    truth = {"true": "1", "yes": "1", "false": "0", "no": "0"}.get(text.lower(), text)
    return phone(truth) if len(re.sub(r"\D", "", truth)) > 9 else truth


@pytest.fixture
def trip(tmp_path: Path) -> Iterator[RoundTrip]:
    with RoundTrip(tmp_path, FILES, spelling(World(seed=1))) as trip:
        yield trip


@dataclass
class Person:
    """Somebody both sides know. `acted`: rule → the values that it acted on last."""

    number: int
    prospect: str = ""
    queue_id: str = ""
    acted: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def email(self) -> str:
        return f"lead{self.number}@example.com"


@dataclass
class People:
    """Leads that both sides change at random. Each method changes one and counts in `due` what must be written of it."""

    trip: RoundTrip
    rng: random.Random
    people: list[Person] = field(default_factory=list)
    due: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    last_due: int = 0

    def begin(self, count: int) -> None:
        for number in range(count):
            person = Person(number)
            person.prospect = self.trip.person(person.email, Phone=f"+44-77009{number:03}09")
            self.people.append(person)
            self.submitted(person)
        self.trip.quiet()

    def values(self, person: Person) -> dict[str, str]:
        """Out of so few that earlier ones come back; as LeadByte's forms have them."""
        return {
            "firstname": self.rng.choice(("Ann", "Zoë", "O'Brien")),
            "phone1": f"07700 9{person.number:03}{self.rng.choice('12')}0",
            "postcode": self.rng.choice(("TN25 6QD", "LS6 1AA", "E1")),
            "optin": self.rng.choice(("yes", "no")),
        }

    # what comes from LeadByte
    def submitted(self, person: Person) -> None:
        """The same person filled in another form."""
        person.queue_id = add_approved(self.trip.world, {"email": person.email, **self.values(person)})
        self.trip.track(person.queue_id)
        self.due["crm"] += 1

    def corrected_there(self, person: Person) -> None:
        """LeadByte's own people changed the lead, and it is fetched anew."""
        world = self.trip.world
        lead = world.queue[person.queue_id]
        world.campaign.set_fields(lead, self.values(person))
        lead.reply = {**lead.reply, "processed": moment(self.trip.clock())}
        self.trip.resync(queue_ids=[person.queue_id], refetch=True)
        self.due["crm"] += 1

    def fetched_anew(self, person: Person) -> None:
        """Nothing has become of the lead since."""
        self.trip.resync(queue_ids=[person.queue_id], refetch=True)

    # what the sales team does
    def corrected(self, person: Person) -> None:
        held = self.trip.crm(person.prospect)
        wanted = {name: self.values(person)[theirs] for name, theirs in SHARED.items()}
        wanted["mx_Consent"] = "true" if wanted["mx_Consent"] == "yes" else "false"
        changed = {name: text for name, text in wanted.items() if alike(text) != alike(held.get(name))}
        if changed:
            self.trip.edit(person.prospect, **changed)
            self.due["leadbyte"] += 1

    def respelt(self, person: Person) -> None:
        """Saved again, typed otherwise."""
        held = self.trip.crm(person.prospect)
        typed = {
            "Phone": held["Phone"].replace("+44-", "0"),
            "mx_Consent": str(held["mx_Consent"] == "1"),
            "mx_Sold_On": held["mx_Sold_On"].removesuffix(".000"),
            "FirstName": f" {held['FirstName']} ",
        }
        self.trip.edit(person.prospect, **typed)

    def noted(self, person: Person) -> None:
        """Nothing that any file reads."""
        self.trip.edit(person.prospect, Notes=f"called {self.rng.random()}")
        self.trip.world.touch(person.prospect)

    def tried_again(self, person: Person) -> None:
        held = self.trip.crm(person.prospect)
        wanted = (held["mx_LeadByte_Id"], held["mx_Postcode"])
        self.trip.edit(person.prospect, ProspectStage="Opportunity")
        if person.acted.get("reprocess") != wanted:
            self.due += Counter(leadbyte=2, crm=1)  # an update with its reprocess; then its new result
        person.acted["reprocess"] = wanted

    def sold(self, person: Person) -> None:
        held = self.trip.crm(person.prospect)
        payout = self.rng.choice(("80", "95.50"))
        wanted = (held["mx_LeadByte_Id"], payout)
        self.trip.edit(person.prospect, ProspectStage="Sold", mx_Payout=payout)
        self.due["leadbyte"] += person.acted.get("sale") != wanted
        person.acted["sale"] = wanted

    def burst(self, count: int) -> None:
        """A few of them are changed, each in one way."""
        kinds: list[Callable[[Person], None]] = [
            self.submitted,
            self.corrected_there,
            self.tried_again,
            self.sold,
        ]
        kinds += [self.corrected] * 6 + [self.respelt, self.noted, self.fetched_anew]
        before = self.due.total()
        for person in self.rng.sample(self.people, count):
            kind = self.rng.choice(kinds)
            self.changes[kind.__name__] += 1
            kind(person)
        self.last_due = self.due.total() - before

    def back_to_work(self) -> None:
        """Whoever was sold or tried again is a prospect again; that says nothing to any file."""
        for person in self.people:
            if self.trip.crm(person.prospect)["ProspectStage"] != "Prospect":
                self.trip.edit(person.prospect, ProspectStage="Prospect")

    def differences(self) -> dict[str, tuple[str, str]]:
        """What the two sides do not agree on."""
        found = {}
        for person in self.people:
            held = self.trip.crm(person.prospect)
            lead = self.trip.world.campaign.lead(held["mx_LeadByte_Id"])
            assert lead is not None
            for name, theirs in SHARED.items():
                here, there = alike(held.get(name)), alike(data(lead).get(theirs))
                if here != there:
                    found[f"{person.email} {name}"] = (here, there)
        return found


def kept_in_step(people: People, rounds: int) -> None:
    """So many rounds of changes. After each the bridge has written what was due, and nothing else."""
    trip = people.trip
    for number in range(rounds):
        trip.later()
        people.back_to_work()
        people.burst(3)
        calls = trip.written()[0]
        due = Counter(people.due)
        trip.quiet()
        told = (number, trip.failures(), people.differences())
        assert trip.written()[1:] == (due["crm"], due["leadbyte"]), told
        assert trip.written()[0] - calls <= people.last_due, told
    assert not people.differences()


def test_calls_that_write_settle_at_zero(
    trip: RoundTrip, record_property: Callable[[str, object], None]
) -> None:
    people = People(trip, random.Random(4))  # noqa: S311 - the same at every run
    people.begin(12)
    kept_in_step(people, ROUNDS)
    assert trip.settled()
    assert len(people.changes) == 8
    record_property("figure", (ROUNDS, dict(people.changes), dict(people.due), trip.written()))


def test_webhooks_and_looks_together_act_once(tmp_path: Path) -> None:
    with RoundTrip(tmp_path, FILES, spelling(World(seed=1)), webhook=True) as trip:
        options = trip.world.hooks.options
        options.lost, options.doubled, options.overtaken = 0.1, 0.3, 0.2
        people = People(trip, random.Random(5))  # noqa: S311 - likewise
        people.begin(6)
        kept_in_step(people, 40)
        assert trip.settled()
        posts = [call for call in trip.world.webhook_log if call.method == "POST"]
        assert {call.status for call in posts} <= {
            200,
            None,
        }  # None: no answer in the simulator's own short time
        assert len(posts) > 60


@pytest.fixture
def ann(trip: RoundTrip) -> Person:
    """One lead, sold, known to both sides."""
    people = People(trip, random.Random(6))  # noqa: S311 - likewise
    people.begin(1)
    assert trip.written() == (1, 1, 0)
    return people.people[0]


def in_leadbyte(trip: RoundTrip, person: Person) -> Mapping[str, object]:
    """What LeadByte holds of a lead."""
    return data(trip.world.queue[person.queue_id])


def test_a_write_is_seen_after_its_webhook_before_its_answer_came(tmp_path: Path) -> None:
    with RoundTrip(tmp_path, FILES, spelling(World(seed=1)), webhook=True) as trip:
        prospect = trip.person("ann@example.com")
        trip.quiet()
        answer_late(trip.world, 60.0)
        queue_id = add_approved(
            trip.world, {"email": "ann@example.com", "firstname": "Ann", "postcode": "E1"}
        )
        trip.track(queue_id)
        trip.until(lambda: trip.deliveries(prospect) or seen(trip, prospect, "E1"))
        assert [one["state"] for one in trip.deliveries(queue_id)] == ["sending"]
        trip.quiet()
        assert trip.written() == (1, 1, 0)
        trip.edit(prospect, mx_Postcode="LS6 1AA")
        trip.quiet()
        assert trip.written() == (2, 1, 1)


def answer_late(world: World, seconds: float) -> None:
    """LeadSquared's answer to the next write, and no other, comes so much after the write."""
    update = world.crm.update

    def updated(prospect: str, changes: Mapping[str, str], now: float) -> object:
        world.crm.update = update  # type: ignore[method-assign]
        world.answer_delay["leadsquared"] = seconds
        asyncio.get_running_loop().call_soon(world.answer_delay.clear)
        return update(prospect, changes, now)

    world.crm.update = updated  # type: ignore[method-assign,assignment]


def seen(trip: RoundTrip, prospect: str, postcode: str) -> bool:
    """Whether the bridge has seen the lead with this postcode, and has decided about it."""
    lead = trip.store.lead(prospect)
    return bool(lead and lead["mapped"] and postcode in str(lead["reply"]))


@pytest.mark.parametrize("automation", ["true", "false"])
def test_an_async_write_is_seen_long_before_it_is_confirmed(tmp_path: Path, automation: str) -> None:
    mode = f"{{mode: async, trigger_automation: {automation}}}"
    forward = FORWARD.replace("{mode: bulk, search_by: EmailAddress}", mode)
    forward = forward.replace("EmailAddress: {from: lead.email, type: email}", "ProspectID: lead.prospectid")
    later = {"confirm_first_seconds": 60.0}
    files = {**FILES, "forward": forward}
    with RoundTrip(tmp_path, files, spelling(World(seed=1)), webhook=True, leadsquared=later) as trip:
        prospect = trip.person("ann@example.com")
        lead = {"prospectid": prospect, "firstname": "Ann", "postcode": "E1", "optin": "yes"}
        queue_id = add_approved(trip.world, lead)
        trip.track(queue_id)
        trip.until(lambda: trip.deliveries(prospect) or seen(trip, prospect, "E1"))
        assert [one["state"] for one in trip.deliveries(queue_id)] == ["submitted"]
        trip.quiet()
        assert trip.written() == (1, 1, 0)
        trip.edit(prospect, mx_Postcode="LS6 1AA")
        trip.quiet()
        assert trip.written() == (2, 1, 1)
        assert trip.settled()


def test_leads_that_are_all_fetched_and_sent_anew_come_back_to_nobody(trip: RoundTrip) -> None:
    people = People(trip, random.Random(7))  # noqa: S311 - likewise
    people.begin(8)
    kept_in_step(people, 5)
    _, crm, leadbyte = trip.written()
    trip.later()
    assert trip.resync("synced", "skipped", "superseded", refetch=True, force=True) >= 8
    trip.quiet()
    assert trip.written()[1] - crm == sum(one["state"] == "synced" for one in sent_anew(trip, people))
    assert trip.written()[2] == leadbyte
    assert trip.settled()
    assert not people.differences()


def sent_anew(trip: RoundTrip, people: People) -> Iterator[Mapping[str, object]]:
    """The last delivery of every queueId."""
    return (trip.deliveries(queue_id)[-1] for queue_id in trip.world.queue)


def test_an_edit_back_to_the_value_that_leadbyte_sent_reaches_it(trip: RoundTrip, ann: Person) -> None:
    first = trip.crm(ann.prospect)["mx_Postcode"]
    for value in ("SW1A 1AA", first, "SW1A 1AA", first):
        trip.later()
        trip.edit(ann.prospect, mx_Postcode=value)
        trip.quiet()
        assert in_leadbyte(trip, ann)["postcode"] == value
    assert trip.written() == (5, 1, 4)


@pytest.mark.parametrize("state", ["sending", "pending"])
def test_an_edit_back_while_the_first_one_is_on_its_way(trip: RoundTrip, ann: Person, state: str) -> None:
    """Whatever of it was sent by then, LeadByte ends with what LeadSquared holds."""
    first = trip.crm(ann.prospect)["mx_Postcode"]
    if state == "sending":
        trip.world.answer_delay["leadbyte"] = 20.0
    else:
        trip.world.fail_next("throttle", 3, "leadbyte.leads")
    trip.later()
    trip.edit(ann.prospect, mx_Postcode="SW1A 1AA")
    trip.until(lambda: any(one["state"] == state for one in trip.deliveries(ann.prospect)))
    trip.later()
    trip.edit(ann.prospect, mx_Postcode=first)
    trip.until(lambda: seen(trip, ann.prospect, first))
    trip.world.answer_delay.clear()
    trip.quiet()
    assert in_leadbyte(trip, ann)["postcode"] == first == trip.crm(ann.prospect)["mx_Postcode"]
    assert trip.written()[1] == 1
    assert trip.settled()


def test_an_edit_while_the_way_forward_writes_other_values(trip: RoundTrip, ann: Person) -> None:
    """The newer one wins on both sides: LeadByte's result is a minute older than the edit."""
    world = trip.world
    lead = world.queue[ann.queue_id]
    world.campaign.set_fields(lead, {"postcode": "E1 6AN", "firstname": "Anna"})
    lead.reply = {**lead.reply, "processed": moment(trip.clock() + 1)}
    trip.later(60)
    before = len(trip.deliveries(ann.prospect))
    trip.edit(ann.prospect, mx_Postcode="SW1A 1AA")
    # What the bridge has not seen when it writes, it cannot spare.
    trip.until(lambda: len(trip.deliveries(ann.prospect)) > before)
    trip.resync(queue_ids=[ann.queue_id], refetch=True)
    trip.quiet()
    held, there = trip.crm(ann.prospect), in_leadbyte(trip, ann)
    assert (held["mx_Postcode"], held["FirstName"]) == ("SW1A 1AA", "Anna")
    assert (there["postcode"], there["firstname"]) == ("SW1A 1AA", "Anna")
    assert trip.settled()


def test_a_person_with_two_queue_ids(trip: RoundTrip, ann: Person) -> None:
    """What is edited goes to the lead whose id the CRM holds; the older one's result comes back to nobody."""
    older = ann.queue_id
    trip.later()
    newer = add_approved(
        trip.world, {"email": ann.email, "firstname": "Ann", "postcode": "E1", "optin": "no"}
    )
    trip.track(newer)
    trip.quiet()
    ids = [data_id(trip, queue_id) for queue_id in (older, newer)]
    assert trip.crm(ann.prospect)["mx_LeadByte_Id"] == ids[1]
    trip.later()
    trip.edit(ann.prospect, mx_Postcode="SW1A 1AA")
    trip.quiet()
    assert [(kind, lead) for kind, lead, _ in trip.operations()] == [("update", ids[1])]
    before = trip.written()
    trip.resync(queue_ids=[older, newer], refetch=True)
    trip.quiet()
    assert trip.written() == before
    assert trip.crm(ann.prospect)["mx_Postcode"] == "SW1A 1AA" == data(trip.world.queue[newer])["postcode"]


def data_id(trip: RoundTrip, queue_id: str) -> str:
    return str(trip.world.queue[queue_id].reply["response"]["leadId"])


def test_the_field_that_leads_are_found_by_is_edited(trip: RoundTrip, ann: Person) -> None:
    """LeadByte is told the new address, and results that bear it are news to nobody."""
    trip.write_mapping("update", UPDATE.replace("update: {", "update: {email: EmailAddress, "))
    trip.quiet()
    assert trip.written() == (1, 1, 0)
    trip.later()
    trip.edit(ann.prospect, EmailAddress="ann.new@example.com")
    trip.quiet()
    assert trip.operations() == [("update", data_id(trip, ann.queue_id), {"email": "ann.new@example.com"})]
    trip.later()
    trip.resync(queue_ids=[ann.queue_id], refetch=True)
    trip.quiet()
    assert trip.failures() == {}
    assert len(trip.operations()) == 1
    trip.later()
    trip.edit(ann.prospect, FirstName="Anna")
    trip.quiet()
    assert [values for _, _, values in trip.operations()[1:]] == [{"firstname": "Anna"}]
    assert trip.settled()


def test_a_value_that_was_cleared(trip: RoundTrip, ann: Person) -> None:
    """It blanks nothing in LeadByte, and what is entered after it arrives."""
    first = in_leadbyte(trip, ann)["postcode"]
    trip.edit(ann.prospect, mx_Postcode="")
    trip.quiet()
    assert trip.written() == (1, 1, 0)
    assert in_leadbyte(trip, ann)["postcode"] == first
    trip.later()
    trip.edit(ann.prospect, mx_Postcode="SW1A 1AA")
    trip.quiet()
    assert in_leadbyte(trip, ann)["postcode"] == "SW1A 1AA"
    assert trip.written() == (2, 1, 1)
    assert trip.settled()


def test_a_value_that_was_cleared_and_is_to_be_blank(trip: RoundTrip, ann: Person) -> None:
    trip.write_mapping(
        "update", UPDATE.replace("postcode: mx_Postcode", "postcode: {from: mx_Postcode, empty: send}")
    )
    trip.edit(ann.prospect, mx_Postcode="")
    trip.quiet()
    assert trip.operations() == [("update", data_id(trip, ann.queue_id), {"postcode": ""})]
    assert trip.settled()
    trip.edit(ann.prospect, mx_Postcode="SW1A 1AA")
    trip.quiet()
    assert in_leadbyte(trip, ann)["postcode"] == "SW1A 1AA"
    assert trip.settled()
