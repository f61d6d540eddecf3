"""Fills a world with leads as a busy lead company has them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any, Final
from uuid import UUID

from bridge.simulator.people import Person, people
from bridge.simulator.world import World

BUYERS: Final = tuple(
    {"id": number, "name": name, "revenue": revenue}
    for number, name, revenue in (
        (33, "Sunrise Solar Ltd", "42.50"),
        (34, "Müller & Söhne GmbH", "38.00"),
        (41, "Green Roof Partners", "120.00"),
        (52, "O'Leary Heating", "27.25"),
    )
)
SUPPLIERS: Final = (
    {"id": 7, "name": "Click House", "sid": "CH1"},
    {"id": 12, "name": "Réseau Média", "sid": "RM-2"},
)
CAMPAIGN: Final = {"id": 205, "name": "Solar UK", "reference": "SOLAR-UK"}
REJECTIONS: Final = (
    (-5, "Validation failed", "postcode is not valid"),
    (-4, "Cap reached", "daily cap of the campaign reached"),
    (-12, "Email failed", "mailbox does not exist"),
    (-13, "Landline failed", "number is not in service"),
    (-15, "TPS", "number is registered with the TPS"),
)
_RECENT: Final = 200
_TWO_DAYS: Final = 172_800


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares (0..1) and times of what `populate` makes.

    Of people: `unknown` to the CRM, without an e-mail address (`no_email`). Of leads: with neither address nor number
    (`anonymous`), a second lead of an earlier person (`duplicate`), `rejected`, `quarantined` (for
    `quarantined_seconds`; None: for good), `odd` (a status word that nobody has heard of), and `slow`: queued for
    `slow_seconds`, all others for `ready_after` seconds and `queued_polls` polls.
    """

    unknown: float = 0.1
    no_email: float = 0.08
    anonymous: float = 0.0
    duplicate: float = 0.05
    rejected: float = 0.2
    quarantined: float = 0.05
    quarantined_seconds: float | None = None
    odd: float = 0.0
    slow: float = 0.05
    slow_seconds: float = 3.0
    ready_after: float = 0.0
    queued_polls: int = 0


@dataclass(frozen=True, slots=True)
class _Known:
    """A person with their CRM lead."""

    person: Person
    prospect: str
    unknown: bool


def populate(
    world: World, count: int, *, seed: int, unknown_rate: float = 0.1, mix: Mix | None = None
) -> list[str]:
    """Put `count` leads into LeadByte's queue, and their people, but for `unknown_rate` of them, into the CRM.

    Returns the queueIds in the order of submission; may be called again for more. `mix` overrides all shares,
    `unknown_rate` included. Every lead's data holds its person's ProspectID as `prospectid`, also where the CRM does
    not know it yet (`World.unknown`).
    """
    return _Filler(world, Random(seed), mix or Mix(unknown=unknown_rate)).fill(count)


class _Filler:
    def __init__(self, world: World, rng: Random, mix: Mix) -> None:
        self._world = world
        self._rng = rng
        self._mix = mix
        self._people = people(rng, mix.no_email, world.people)
        self._recent: deque[_Known] = deque(maxlen=_RECENT)
        self._now = world.clock()
        self._lead_id = 7_185_867 + 9 * len(world.queue)

    def fill(self, count: int) -> list[str]:
        return [self._add() for _ in range(count)]

    def _add(self) -> str:
        again = bool(self._recent) and self._rng.random() < self._mix.duplicate
        known = self._rng.choice(self._recent) if again else self._newcomer()
        queue_id = self._submit(known, again=again)
        if known.unknown:
            self._world.unknown[queue_id] = _crm_values(known)
        return queue_id

    def _newcomer(self) -> _Known:
        person = next(self._people)
        self._world.people += 1
        prospect = str(UUID(int=self._world.rng.getrandbits(128), version=4))
        known = _Known(person, prospect, self._rng.random() < self._mix.unknown)
        if not known.unknown:
            self._world.crm.create(_crm_values(known), self._now)
        self._recent.append(known)
        return known

    def _submit(self, known: _Known, *, again: bool) -> str:
        mix, rng = self._mix, self._rng
        reply, held = self._reply(known, again=again)
        slow = rng.random() < mix.slow
        return self._world.add_lead(
            reply,
            ready_after=mix.slow_seconds if slow else mix.ready_after,
            queued_polls=mix.queued_polls,
            quarantined_for=mix.quarantined_seconds or 0.0 if held else 0.0,
        )

    def _reply(self, known: _Known, *, again: bool) -> tuple[dict[str, Any], bool]:
        """The lead's final reply, and whether it lies in quarantine before."""
        mix, rng = self._mix, self._rng
        roll = rng.random() - mix.quarantined
        held = roll < 0
        if held and mix.quarantined_seconds is None:
            outcome = self._quarantined()
        elif again and rng.random() < 0.5:
            outcome = self._failed("Duplicate", -2, "Duplicate", "already submitted")
        elif not held and roll < mix.rejected:
            outcome = self._failed("Rejected", *rng.choice(REJECTIONS))
        elif not held and roll < mix.rejected + mix.odd:
            outcome = self._failed("Vetted", 1, "OK", "awaiting the second opinion")
        else:
            outcome = self._approved()
        return {
            **outcome,
            "campaign": CAMPAIGN,
            "supplier": rng.choice(SUPPLIERS),
            "lead": self._data(known),
        }, held

    def _outcome(self, status: str, response: dict[str, Any]) -> dict[str, Any]:
        at = self._now - self._rng.randrange(1, _TWO_DAYS)
        processed = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "status": status,
            "processed": processed,
            "response": {**response, "processTime": 0.42, "timestamp": int(at)},
        }

    def _next_id(self) -> int:
        self._lead_id += self._rng.randrange(1, 9)
        return self._lead_id

    def _approved(self) -> dict[str, Any]:
        buyer = self._rng.choice(BUYERS)
        response = {"code": 1, "response": "OK", "info": [], "leadId": self._next_id(), "payout": "Complete"}
        deliveries = [
            {"id": 1053, "name": "CRM post", "status": "Success", "buyer": buyer["name"]},
            {
                "id": 1054,
                "name": "E-mail",
                "status": self._rng.choice(("Success", "Failed")),
                "buyer": buyer["name"],
            },
        ]
        return {**self._outcome("Approved", response), "deliveries": deliveries, "buyer": buyer}

    def _failed(self, status: str, code: int, text: str, info: str) -> dict[str, Any]:
        response = {
            "code": code,
            "response": text,
            "info": [info],
            "leadId": None,
            "rejectionId": self._next_id(),
        }
        return {**self._outcome(status, response), "deliveries": [], "buyer": None}

    def _quarantined(self) -> dict[str, Any]:
        info = ["held for a manual check"]
        response = {
            "code": 1,
            "response": "Quarantined",
            "info": info,
            "leadId": None,
            "quarantineId": self._next_id(),
        }
        return {**self._outcome("Quarantined", response), "deliveries": [], "buyer": None}

    def _data(self, known: _Known) -> dict[str, Any]:
        """The lead as the form sent it: fields that were left empty are null, "" or absent."""
        person, rng = known.person, self._rng
        anonymous = rng.random() < self._mix.anonymous
        data: dict[str, Any] = {
            "firstname": f" {person.first}" if rng.random() < 0.05 else person.first,
            "lastname": person.last,
            "email": None if anonymous else _typed(rng, person.email),
            "phone1": "n/a" if anonymous else person.phone.written(rng) if person.phone else None,
            "street1": person.street,
            "towncity": person.town,
            "county": person.county,
            "postcode": person.postcode,
            "source": rng.choice(("GoogleAdWords", "Facebook", "www.example.com")),
            "optin": True,
            "prospectid": known.prospect,
        }
        left_empty: dict[str, Any] = rng.choice(({}, dict.fromkeys(data), dict.fromkeys(data, "")))
        return left_empty | {name: value for name, value in data.items() if value is not None}


def _typed(rng: Random, email: str | None) -> str | None:
    """An address as people type it: now and then with a capital or a space too many."""
    if email is None:
        return None
    return rng.choices((email, email.upper(), f"{email} ", email.capitalize()), (88, 4, 4, 4))[0]


def _crm_values(known: _Known) -> dict[str, str]:
    person = known.person
    values = {
        "ProspectID": known.prospect,
        "FirstName": person.first,
        "LastName": person.last,
        "EmailAddress": person.email,
        "Phone": person.phone.stored() if person.phone else None,
        "mx_First_Source": "Web form",
    }
    return {name: value for name, value in values.items() if value}
