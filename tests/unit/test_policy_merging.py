"""Newest wins, field by field."""

from bridge.model import Stamp
from bridge.policy.merging import Meeting, Open, Settled, Stamped, agree, meet, merge, settle
from bridge.policy.values import digest

KEYS = frozenset({"EmailAddress"})


def at(age: float, **fields: str) -> dict[str, tuple[str, Stamp]]:
    """Fields of one age; their result arrived as number `age`."""
    return {name: (value, Stamp(age, int(age))) for name, value in fields.items()}


def agreed(age: float, **fields: str) -> dict[str, tuple[str, Stamp]]:
    return {name: (digest(value), stamp) for name, (value, stamp) in at(age, **fields).items()}


def opened(id_: int, fields: Stamped, *, same_lead: bool = False, sendable: bool = False) -> Open:
    return Open(id_, fields, same_lead, sendable)


def test_merging_takes_each_fields_newer_value() -> None:
    merged = merge({**at(1, A="old"), **at(3, B="new")}, {**at(2, A="new", C="only"), **at(2, B="old")})
    assert merged == {**at(2, A="new", C="only"), **at(3, B="new")}


def test_at_equal_age_the_first_wins() -> None:
    assert merge(at(1, A="one"), at(1, A="other")) == at(1, A="one")


def test_what_nobody_agreed_on_yet_is_sent() -> None:
    fields = at(1, EmailAddress="a@b.c", A="x")
    assert settle(fields, {}, KEYS, force=False) == Settled({"EmailAddress": "a@b.c", "A": "x"})


def test_what_both_sides_agree_on_is_equal_in_any_spelling_unless_forced() -> None:
    fields, known = (
        at(2, EmailAddress="a@b.c", Phone="+44 77"),
        agreed(1, EmailAddress="a@b.c", Phone="+44 77 "),
    )
    assert settle(fields, known, KEYS, force=False).equal
    assert settle(fields, known, KEYS, force=True) == Settled({"EmailAddress": "a@b.c", "Phone": "+44 77"})


def test_one_changed_or_unknown_field_sends_them_all() -> None:
    known = agreed(1, EmailAddress="a@b.c", A="x")
    for changed in (at(2, EmailAddress="a@b.c", A="y"), at(2, EmailAddress="a@b.c", A="x", B="new")):
        settled = settle(changed, known, KEYS, force=False)
        assert settled == Settled({name: value for name, (value, _) in changed.items()})


def test_values_older_than_the_agreed_ones_are_left_out_even_if_forced() -> None:
    known = agreed(5, EmailAddress="a@b.c", A="new")
    mixed = {**at(2, EmailAddress="a@b.c", A="old", B="only")}
    for force in (False, True):
        assert settle(mixed, known, KEYS, force=force) == Settled({"EmailAddress": "a@b.c", "B": "only"})
        older = at(2, EmailAddress="a@b.c", A="old")
        assert settle(older, known, KEYS, force=force) == Settled({}, outdated=True)


def test_what_is_left_beside_outdated_values_may_be_equal() -> None:
    known = {**agreed(5, A="new"), **agreed(1, EmailAddress="a@b.c", B="same")}
    fields = at(2, EmailAddress="a@b.c", A="old", B="same")
    assert settle(fields, known, KEYS, force=False) == Settled(
        {"EmailAddress": "a@b.c", "B": "same"}, equal=True
    )


def test_a_delivery_of_nothing_but_its_key_is_sent_once() -> None:
    fields = at(2, EmailAddress="a@b.c")
    assert settle(fields, {}, KEYS, force=False) == Settled({"EmailAddress": "a@b.c"})
    assert settle(fields, agreed(2, EmailAddress="a@b.c"), KEYS, force=False).equal
    assert not settle(fields, agreed(3, EmailAddress="a@b.c"), KEYS, force=False).outdated


def test_what_was_applied_becomes_agreed_unless_a_newer_value_is() -> None:
    known = {**agreed(1, A="first", C="kept"), **agreed(9, B="newest")}
    stamps = {"A": Stamp(2, 2), "B": Stamp(2, 2), "D": Stamp(2, 2)}
    now_agreed = agree(known, {"A": "second", "B": "older", "D": "new"}, stamps)
    again = agree(now_agreed, {"A": "sent again"}, stamps)
    assert again["A"] == (digest("sent again"), Stamp(2, 2))
    assert now_agreed == {**agreed(2, A="second", D="new"), **agreed(1, C="kept"), **agreed(9, B="newest")}


def test_nothing_open_changes_nothing() -> None:
    assert meet(at(1, A="x"), []) == Meeting(at(1, A="x"))


def test_a_newer_result_takes_over_what_it_lacks_and_replaces() -> None:
    older = opened(1, at(1, A="old", B="only"), sendable=True)
    assert meet(at(2, A="new"), [older]) == Meeting({**at(2, A="new"), **at(1, B="only")}, (1,))


def test_an_older_result_is_beaten_by_one_on_its_way() -> None:
    newer = opened(1, at(5, A="new"), sendable=True)
    met = meet(at(2, A="old", B="only"), [newer])
    assert met == Meeting({**at(5, A="new"), **at(2, B="only")}, beaten_by=1)


def test_at_equal_age_the_new_one_replaces() -> None:
    other = opened(1, at(2, A="before"), sendable=True)
    assert meet(at(2, A="after"), [other]) == Meeting(at(2, A="after"), (1,))


def test_between_two_the_older_is_replaced_and_the_newer_beats() -> None:
    older, newer = opened(1, at(1, A="1", B="1"), sendable=True), opened(2, at(3, A="3"), sendable=True)
    newest = opened(3, at(4, A="4"), sendable=True)
    met = meet(at(2, A="2", C="2"), [older, newer, newest])
    assert met == Meeting({**at(3, A="3"), **at(2, C="2"), **at(1, B="1")}, (1,), beaten_by=2)


def test_a_failed_one_is_replaced_only_where_no_value_of_it_is_lost() -> None:
    new = at(5, A="new", B="new")
    assert meet(new, [opened(1, at(1, A="old"))]).supersedes == (1,)
    assert meet(new, [opened(1, at(1, A="old", C="only"))]).supersedes == ()
    assert meet(new, [opened(1, at(9, A="newer"))]).supersedes == ()
    assert meet(new, [opened(1, at(5, A="another mapping's"))]).supersedes == (1,)


def test_a_failed_one_is_not_replaced_by_an_older_value_taken_over() -> None:
    failed, older = opened(1, at(3, B="three")), opened(2, at(1, B="one"), sendable=True)
    for others in ([failed, older], [older, failed]):
        met = meet(at(5, A="five"), others)
        assert met == Meeting({**at(5, A="five"), **at(1, B="one")}, (2,)), "B of 3 is still to come"


def test_what_waits_to_be_mapped_anew_is_replaced_by_a_newer_result_of_its_lead() -> None:
    stale = opened(1, at(9, A="old", B="gone"), same_lead=True)
    assert meet(at(5, A="new"), [stale]) == Meeting(at(5, A="new"), (1,)), "its own values count no more"


def test_what_it_had_taken_over_from_others_is_not_lost() -> None:
    stale = opened(1, {**at(5, A="old"), **at(2, B="another lead's")}, same_lead=True)
    assert meet(at(5, A="new"), [stale]) == Meeting({**at(5, A="new"), **at(2, B="another lead's")}, (1,))


def test_a_beaten_result_replaces_the_failed_one_of_its_lead_all_the_same() -> None:
    newer, failed = opened(1, at(9, A="nine"), sendable=True), opened(2, at(4, A="four"), same_lead=True)
    for others in ([newer, failed], [failed, newer]):
        assert meet(at(5, A="five"), others) == Meeting(at(9, A="nine"), (2,), beaten_by=1)
