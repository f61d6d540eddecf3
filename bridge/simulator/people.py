"""People who do not exist: names from several languages, addresses, and telephone numbers reserved for fiction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from random import Random
from typing import Final

FIRST: Final = (
    ("Ann", "ann"), ("Siân", "sian"), ("Zoë", "zoe"), ("Łukasz", "lukasz"), ("Renée", "renee"), ("Jürgen", "jurgen"),
    ("Niamh", "niamh"), ("Seán", "sean"), ("Oluwaseun", "oluwaseun"), ("Priya", "priya"), ("प्रिया", "priya"),
    ("Дмитрий", "dmitri"), ("Ольга", "olga"), ("محمد", "mohammed"), ("李娜", "lina"), ("Søren", "soren"),
    ("Thomas", "thomas"), ("Margaret", "margaret"), ("Jean-Luc", "jeanluc"), ("José", "jose"), ("Ayşe", "ayse"),
    ("Mary Jane", "maryjane"), ("Kofi", "kofi"), ("Γιώργος", "giorgos"), ("D'Arcy", "darcy"), ("Harriet", "harriet"),
)  # fmt: skip
"""As written and as in an e-mail address."""

LAST: Final = (
    ("Smith", "smith"), ("O'Connor", "oconnor"), ("Müller", "mueller"), ("Nowak", "nowak"), ("Patel", "patel"),
    ("García-Núñez", "garcia"), ("van der Berg", "vanderberg"), ("Иванова", "ivanova"), ("王", "wang"), ("Ó Briain", "obriain"),
    ("Jones", "jones"), ("Okafor", "okafor"), ("Castaño", "castano"), ("Sjöberg", "sjoberg"), ("Hussain", "hussain"),
    ("Παπαδόπουλος", "papadopoulos"), ("MacDonald", "macdonald"), ("Çelik", "celik"), ("Featherstonehaugh", "fanshaw"),
    ("Ng", "ng"), ("d'Ávila", "davila"), ("Šimková", "simkova"), ("Williams-Clarke", "williamsclarke"),
)  # fmt: skip

PLACES: Final = (
    ("Ashford", "Kent", "TN25"), ("Leeds", "West Yorkshire", "LS6"), ("Bristol", "Bristol", "BS3"),
    ("London", "Greater London", "SE15"), ("Cardiff", "South Glamorgan", "CF10"), ("Edinburgh", "Midlothian", "EH6"),
    ("St. Ives", "Cornwall", "TR26"), ("Newcastle upon Tyne", "Tyne and Wear", "NE2"), ("Belfast", "County Antrim", "BT9"),
    ("Stoke-on-Trent", "Staffordshire", "ST4"), ("Ynys Môn", "Gwynedd", "LL65"), ("King's Lynn", "Norfolk", "PE30"),
)  # fmt: skip
STREETS: Final = (
    "High Street",
    "Station Road",
    "Mill Lane",
    "Church Road",
    "Queen's Crescent",
    "Ffordd y Môr",
)
DOMAINS: Final = ("example.com", "example.org", "example.net")

_CITY_CODES: Final = ("113", "114", "115", "116", "117", "118", "121", "131", "141", "151", "161")
_GERMAN: Final = (("30", "23125"), ("69", "90009"), ("40", "66969"), ("221", "4710"), ("89", "99998"))


@dataclass(frozen=True, slots=True)
class Phone:
    """A number in the groups people write it in, without country code or national prefix."""

    country: str
    groups: Sequence[str]

    def stored(self) -> str:
        """As LeadSquared keeps it: +44-7700900123."""
        return f"+{self.country}-{''.join(self.groups)}"

    def written(self, rng: Random) -> str:
        """As somebody typed it into a form. Only British numbers are written without their country code."""
        spaced, joined = " ".join(self.groups), "".join(self.groups)
        forms = [f"+{self.country} {spaced}", f"+{self.country}{joined}", f"00{self.country} {spaced}"]
        if self.country == "44":
            rest = " ".join(self.groups[1:])
            forms += [f"0{spaced}", f"0{joined}", f"0{'-'.join(self.groups)}", f"(0{self.groups[0]}) {rest}"]
            forms += [f"+44 (0){spaced}", f" 0{spaced} ", f"0044{joined}"]
        return rng.choice(forms)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who filled in a form; None where they left a field empty."""

    first: str
    last: str | None
    email: str | None
    phone: Phone | None
    street: str
    town: str
    county: str | None
    postcode: str | None


def _foreign() -> Iterator[Phone]:
    for number in range(1000):
        for area, start in _GERMAN:
            yield Phone("49", (area, f"{start}{number:03}"))
        yield Phone("353", ("20", "91", f"{number:05}"))
        yield Phone("91", ("99887", f"76{number:03}"))


def _british() -> Iterator[Phone]:
    for number in range(1000):
        yield Phone("44", ("7700", f"900{number:03}"))
        yield Phone("44", ("20", "7946", f"0{number:03}"))
        yield Phone("44", ("191", "498", f"0{number:03}"))
        for code in _CITY_CODES:
            yield Phone("44", (code, "496", f"0{number:03}"))


def phones() -> Iterator[Phone]:
    """Numbers that differ, mostly British and reserved for drama by the regulators; ends after some twenty thousand."""
    abroad = _foreign()
    for index, number in enumerate(_british()):
        if index % 12 == 0:
            yield next(abroad)
        yield number
    yield from abroad


def people(rng: Random, no_email_rate: float, start: int = 0) -> Iterator[Person]:
    """Endless people, no e-mail address or number twice. Who has no e-mail address has a number, while there are any.

    `start`: how many people there are already, whose addresses and numbers are not given out again.
    """
    numbers = islice(phones(), start, None)
    for index in count(start + 1):
        yield _person(rng, index, next(numbers, None), has_email=rng.random() >= no_email_rate)


def _person(rng: Random, index: int, phone: Phone | None, *, has_email: bool) -> Person:
    first, first_ascii = rng.choice(FIRST)
    last, last_ascii = rng.choice(LAST)
    town, county, outward = rng.choice(PLACES)
    email = f"{first_ascii}.{last_ascii}{index}@{rng.choice(DOMAINS)}" if has_email or phone is None else None
    letters = "ABDEFGHJLNPQRSTUWXYZ"
    postcode = f"{outward} {rng.randrange(1, 10)}{rng.choice(letters)}{rng.choice(letters)}"
    return Person(
        first=first,
        last=last if rng.random() > 0.04 else None,
        email=email,
        phone=phone if email is None or rng.random() > 0.05 else None,
        street=f"{rng.randrange(1, 200)} {rng.choice(STREETS)}",
        town=town,
        county=county if rng.random() > 0.3 else None,
        postcode=postcode if rng.random() > 0.06 else None,
    )
