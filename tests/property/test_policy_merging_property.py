"""In whatever order results arrive and are sent, the target ends with the newest value of each field."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from bridge.model import Stamp
from bridge.policy.merging import Open, Stamped, agree, meet, merge, settle
from bridge.policy.values import Agreed

NAMES = ("A", "B", "C")
KEY = "EmailAddress"
KEYS = frozenset({KEY})
VALUES = st.sampled_from(["x", "y", "x "])


def stamped_fields(stamp: Stamp) -> st.SearchStrategy[dict[str, tuple[str, Stamp]]]:
    return st.dictionaries(st.sampled_from(NAMES), VALUES.map(lambda value: (value, stamp)))


@st.composite
def three(draw: st.DrawFn) -> list[dict[str, tuple[str, Stamp]]]:
    stamps = draw(st.permutations([Stamp(1, 2), Stamp(1, 3), Stamp(2, 1)]))
    return [draw(stamped_fields(stamp)) for stamp in stamps]


@given(three())
def test_merging_knows_no_order(fields: list[dict[str, tuple[str, Stamp]]]) -> None:
    one, other, third = fields
    assert merge(one, other) == merge(other, one)
    assert merge(merge(one, other), third) == merge(one, merge(other, third))
    assert merge(one, one) == one


@dataclass
class Row:
    """A delivery as the store keeps it."""

    id: int
    fields: Stamped
    state: str = "pending"


@dataclass
class Side:
    """A store and the target that it sends to, for one identity."""

    rows: list[Row] = field(default_factory=list)
    agreed: Agreed = field(default_factory=dict)
    target: dict[str, str] = field(default_factory=dict)
    newest: Stamped = field(default_factory=dict)

    def arrive(self, new: Stamped) -> None:
        self.newest = merge(new, self.newest)
        id_ = len(self.rows)
        opened = [
            Open(row.id, row.fields, same_lead=False, sendable=row.state == "pending")
            for row in self.rows
            if row.state in {"pending", "failed"}
        ]
        met = meet(new, opened)
        for gone in met.supersedes:
            self.rows[gone].state = "superseded"
        if met.beaten_by is not None:
            self.rows[met.beaten_by].fields = met.fields
        self.rows.append(Row(id_, met.fields, "pending" if met.beaten_by is None else "superseded"))

    def in_state(self, state: str, pick: int) -> Row | None:
        rows = [row for row in self.rows if row.state == state]
        return rows[pick % len(rows)] if rows else None

    def claim(self, pick: int, force: bool = False) -> None:
        """Begin to send; at most one is in flight for an identity."""
        row = self.in_state("pending", pick)
        if row is None or self.in_state("sending", 0):
            return
        settled = settle(row.fields, self.agreed, KEYS, force=force)
        for name in settled.fields:
            stamp = row.fields[name][1]
            assert name in KEYS or name not in self.agreed or stamp >= self.agreed[name][1]
        row.fields = {name: row.fields[name] for name in settled.fields} or row.fields
        row.state = "sending"
        if settled.outdated:
            row.state = "superseded"
        elif settled.equal:
            assert all(self.target[name].strip() == value.strip() for name, value in settled.fields.items())
            self.note(row, "skipped")

    def note(self, row: Row, state: str) -> None:
        values = {name: value for name, (value, _) in row.fields.items()}
        self.agreed = agree(self.agreed, values, {name: stamp for name, (_, stamp) in row.fields.items()})
        row.state = state

    def end(self, how: str) -> None:
        """The call in flight ends: applied, refused, or not made after all."""
        row = self.in_state("sending", 0)
        if row is None:
            return
        if how == "synced":
            self.target |= {name: value for name, (value, _) in row.fields.items()}
            self.note(row, how)
        else:
            row.state = how

    def resync(self, pick: int) -> None:
        row = self.in_state("failed", pick)
        if row is not None:
            row.state = "pending"


RESULTS = st.tuples(st.integers(0, 5), st.dictionaries(st.sampled_from(NAMES[:2]), VALUES, min_size=1))
STEPS = st.one_of(
    st.tuples(st.just("arrive"), RESULTS),
    st.tuples(st.just("arrive"), RESULTS),
    st.tuples(st.just("claim"), st.integers(0, 3)),
    st.tuples(st.just("end"), st.sampled_from(["synced", "synced", "failed", "pending"])),
    st.tuples(st.just("resync"), st.integers(0, 3)),
)
SENT = [("claim", 0), ("end", "synced")]
LATE = [("arrive", (1, {"B": "x"})), ("claim", 0), ("arrive", (3, {"B": "y"})), ("end", "pending")]
"""A result arrives while an older one is being sent, which is then put back."""


@given(st.lists(STEPS, max_size=30), st.booleans())
@example(
    [("arrive", (1, {"A": "x"})), *SENT, ("arrive", (5, {"A": "x"})), *SENT, ("arrive", (3, {"A": "y"}))],
    False,
)
@example([*LATE, ("claim", 1), ("end", "failed"), ("arrive", (5, {"A": "x"}))], False)
def test_the_target_ends_with_the_newest_value_of_each_field(
    steps: list[tuple[str, Any]], force: bool
) -> None:
    side = Side()
    for arrival, (what, how) in enumerate(steps):
        if what == "arrive":
            stamp = Stamp(how[0], arrival)  # several results may have been processed at one moment
            fields = {KEY: "a@b.c", **how[1]}
            side.arrive({name: (value, stamp) for name, value in fields.items()})
        else:
            getattr(side, what)(how)
    side.end("synced")
    while side.in_state("pending", 0) or side.in_state("failed", 0):
        side.resync(0)
        side.claim(len(steps), force)
        side.end("synced")
    wanted = {name: value.strip() for name, (value, _) in side.newest.items()}
    assert {name: value.strip() for name, value in side.target.items()} == wanted
