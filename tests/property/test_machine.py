"""Anything may happen to the bridge, in any order: in the end nothing is lost, doubled or older than what is known."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bridge.model import Track
from bridge.ports import Selection
from tests.property.box import AFTER, BEFORE, Box, Weather

KINDS = ("bulk", "quiet", "loud")
PEOPLE = tuple(f"{name}@example.com" for name in ("ann", "bob", "cy"))
STRANGER = "nobody@example.com"
OPEN = ("failed", "unprocessed", "expired")
FAST = Path("/dev/shm")  # noqa: S108 - each run gets a directory of its own in it

people = st.sampled_from([*PEOPLE, STRANGER])
days = st.integers(1, 28).map(lambda day: f"2026-01-{day:02}T00:00:00Z")
spans = st.sampled_from([0.0, 0.06, 0.3, 0.7, 1.2, 2.0, 5.0, 20.0, 90.0])
weathers = st.dictionaries(
    st.sampled_from([*BEFORE, *AFTER]), st.sampled_from([0.1, 0.3, 0.5]), max_size=2
).filter(lambda rates: sum(rates.values()) <= 1)


@dataclass
class Lead:
    """What LeadByte says of one queueId, and how new that is."""

    kind: str
    email: str
    name: str
    processed: str
    arrival: int
    odd: dict[str, str] = field(default_factory=dict)

    @property
    def age(self) -> tuple[str, int]:
        return (self.processed, self.arrival)


class Bridge(RuleBasedStateMachine):
    """Rules are what the world does to the bridge. `teardown` lets the sun shine and looks at what became of it."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(dir=FAST if FAST.is_dir() else None))
        self.leads: dict[str, Lead] = {}
        self.names = 0
        self.given_up: set[tuple[str, str]] = set()

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.box = Box(self.directory, seed, poll_deadline_seconds=3600.0)
        self.box.crm.people = {name: {} for name in PEOPLE}

    @rule(
        kind=st.sampled_from(KINDS),
        email=people,
        processed=days,
        odd=st.sampled_from(["", "", "", "rogue", "poison"]),
    )
    def a_lead_comes(self, kind: str, email: str, processed: str, odd: str) -> None:
        queue_id = f"q{len(self.leads)}"
        more = {odd: "x"} if odd and kind == "bulk" else {}
        self.leads[queue_id] = Lead(kind, email, "", processed, len(self.leads), more)
        self._say(queue_id)
        with self.box.store() as store:
            now = self.box.clock()
            assert store.track([Track(queue_id), Track(queue_id)], now, now + 3600.0) == 1

    @rule(data=st.data(), processed=days)
    def a_result_changes(self, data: st.DataObject, processed: str) -> None:
        if self.leads:
            queue_id = data.draw(st.sampled_from(sorted(self.leads)))
            lead = self.leads[queue_id]
            lead.processed = max(lead.processed, processed)
            self._say(queue_id)
            self._resync(Selection(states=(), queue_ids=(queue_id,)), refetch=True)

    @rule(
        force=st.booleans(),
        refetch=st.booleans(),
        states=st.sets(st.sampled_from([*OPEN, "synced"]), min_size=1),
    )
    def a_person_resyncs(self, force: bool, refetch: bool, states: set[str]) -> None:
        self._resync(Selection(states=tuple(sorted(states))), refetch=refetch, force=force)

    @rule(states=st.sets(st.sampled_from(OPEN), min_size=1))
    def a_person_dismisses(self, states: set[str]) -> None:
        """What is never sent is no newest value."""
        with self.box.store() as store:
            left = {one.queue_id for one in store.failures() if one.state in states}
            store.dismiss(Selection(states=tuple(states)), "not wanted", self.box.clock())
            assert not [one for one in store.failures() if one.state in states]
        self.given_up |= {(self.leads[one].kind, self.leads[one].email) for one in left}

    @rule()
    def a_person_settles_a_doubt(self) -> None:
        """Truly, for a person looks at the lead first."""
        with self.box.store() as store:
            for failure in list(store.failures()):
                if failure.state == "in_doubt":
                    self._settle(failure.queue_id)

    @rule(crm=weathers, leadbyte=weathers, forgets=st.sampled_from([0.0, 0.0, 0.2]))
    def the_weather_changes(
        self, crm: Mapping[str, float], leadbyte: Mapping[str, float], forgets: float
    ) -> None:
        self.box.crm.weather, self.box.leadbyte.weather = Weather(crm), Weather(leadbyte)
        self.box.crm.forgets = forgets

    @rule(seconds=spans, dies=st.booleans(), jump=st.sampled_from([0.0, 0.0, 0.0, -900.0, 7200.0]))
    def the_service_runs(self, seconds: float, dies: bool, jump: float) -> None:
        self.box.run(seconds, dies=dies, jump=jump)

    @rule(seconds=st.sampled_from([-7200.0, -30.0, 30.0, 86_400.0]))
    def the_clock_is_set(self, seconds: float) -> None:
        """What LeadSquared has accepted and not applied by the deadline is given up, and may be applied late for all that."""
        self.box.offset += seconds
        if seconds > self.box.settings.leadsquared.confirm_deadline_seconds:
            self.given_up |= {(one.kind, one.email) for one in self.leads.values() if one.kind != "bulk"}

    @invariant()
    def nothing_is_doubled(self) -> None:
        if hasattr(self, "box"):
            assert self.box.crm.overlaps == 0, "two in flight for one lead"
            assert self.box.crm.outdated == 0, "an older value followed a newer one"
            assert max(self.box.crm.fired.values(), default=0) <= 1, "an update fired its automations twice"

    @invariant()
    def everything_adds_up(self) -> None:
        if hasattr(self, "box"):
            with self.box.store() as store:
                assert sum(store.status().leads.values()) == len(self.leads)

    def teardown(self) -> None:
        try:
            if hasattr(self, "box"):
                self._let_the_sun_shine()
                self._look()
        finally:
            shutil.rmtree(self.directory)

    def _say(self, queue_id: str) -> None:
        lead = self.leads[queue_id]
        self.names += 1
        lead.name = f"N{self.names}"
        self.box.lead(queue_id, lead.processed, kind=lead.kind, email=lead.email, name=lead.name, **lead.odd)

    def _resync(self, selection: Selection, *, refetch: bool, force: bool = False) -> None:
        with self.box.store() as store:
            now = self.box.clock()
            store.resync(selection, now, refetch=refetch, force=force, deadline_at=now + 3600.0)
        # Whoever re-opens a failed update that fires automations wants it to be sent again.
        self.box.crm.fired.clear()

    def _settle(self, queue_id: str) -> None:
        with self.box.store() as store:
            lead = self.leads[queue_id]
            told = store.lead(queue_id) or {}
            sent = [d["fields"]["LastName"] for d in told["deliveries"] if d["state"] == "in_doubt"]
            held = self.box.crm.people.get(lead.email, {}).get("LastName")
            store.resolve(queue_id, done=held in sent, now=self.box.clock())

    def _let_the_sun_shine(self) -> None:
        self.the_weather_changes({}, {}, 0.0)
        for _ in range(2):
            self.box.run(7200.0, drain=True, tick=3.0)
            self.a_person_settles_a_doubt()
            self._resync(Selection(states=OPEN), refetch=True)
        self.box.run(7200.0, drain=True, tick=3.0)

    def _look(self) -> None:
        self.nothing_is_doubled()
        self.everything_adds_up()
        with self.box.store() as store:
            assert store.idle()
            found = {name: self._states(store.lead(name) or {}) for name in self.leads}
            reasons = {failure.queue_id: failure.reason for failure in store.failures()}
        note(f"{found} {reasons}")
        for name, lead in self.leads.items():
            assert self._expected(lead) >= set(found[name]), (name, lead, found[name], reasons.get(name))
            assert bool(reasons.get(name)) == bool({"failed", "unprocessed"} & set(found[name]))
        for kind in KINDS:
            for email in PEOPLE:
                self._newest(kind, email)

    @staticmethod
    def _states(told: Mapping[str, object]) -> Counter[str]:
        deliveries = told["deliveries"]
        assert isinstance(deliveries, list)
        return Counter(one["state"] for one in deliveries)

    def _expected(self, lead: Lead) -> set[str]:
        """What is odd about a lead may be taken over by a newer one of the same person."""
        done = {"synced", "skipped", "superseded"}
        odd = any(one.odd for one in self.leads.values() if (one.kind, one.email) == (lead.kind, lead.email))
        if odd or lead.email == STRANGER:
            return {*done, "failed", "unprocessed"}
        return done

    def _newest(self, kind: str, email: str) -> None:
        """The value that the CRM holds is that of the newest result, of those mappings that alone write to this person."""
        if (kind, email) in self.given_up:
            return
        all_ = [lead for lead in self.leads.values() if lead.email == email]
        if all_ and {lead.kind for lead in all_} == {kind} and not any(lead.odd for lead in all_):
            newest = max(all_, key=lambda lead: lead.age)
            assert self.box.crm.people[email].get("LastName") == newest.name, (kind, email, all_)


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.reset_defaults()


Bridge.TestCase.settings = settings(
    deadline=None, stateful_step_count=20, suppress_health_check=list(HealthCheck)
)


class TestBridge(Bridge.TestCase):  # type: ignore[misc]
    """Hypothesis draws the order of the rules."""
