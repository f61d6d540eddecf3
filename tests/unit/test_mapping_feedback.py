"""What a feedback file makes of one LeadSquared lead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import LeadUnmappable, MappingError
from bridge.mapping import FeedbackFile, feedback_of, forward_of, load
from bridge.mapping.convert import UnreadableError
from bridge.mapping.paths import PathError, compile_path
from bridge.model import Lane
from bridge.operation import Learned, Wish
from tests.edge.nasties import values

HEAD = "version: 1\ndirection: feedback\n"
FORWARD = "version: 1\nfields: {ProspectID: leadId}\n"
DESIGN = """\
    version: 1
    direction: feedback
    when: "ProspectStage == 'Sold'"
    lead_id: mx_LeadByte_Id              # or quarantine_id: …
    update: {postcode: mx_Zip}           # LeadByte field: path
    action: reprocess                    # reprocess (lead) · release | reject (quarantined lead)
    trigger_deliveries: ["1053"]
    financials: {payout: mx_Payout, revenue: mx_Revenue, buyer: "33"}
"""
SOLD = {
    "ProspectStage": "Sold",
    "mx_LeadByte_Id": "7185867",
    "mx_Zip": " TN25 6QD",
    "mx_Payout": "80",
    "mx_Revenue": "120.5",
}


def file(text: str, name: str = "m/back.yaml") -> FeedbackFile:
    (found,) = feedback_of(load({name: HEAD + text}))
    return found


def wishes(text: str, view: Mapping[str, Any], learned: Learned = Learned()) -> list[Wish]:  # noqa: B008
    found = file(text).apply(view, learned)
    assert found is not None
    return list(found)


def fields(text: str, view: Mapping[str, Any], learned: Learned = Learned()) -> list[dict[str, str]]:  # noqa: B008
    return [dict(wish.mapped.fields) for wish in wishes(text, view, learned)]


def refused(text: str, view: Mapping[str, Any], learned: Learned = Learned()) -> str:  # noqa: B008
    with pytest.raises(LeadUnmappable) as caught:
        file(text).apply(view, learned)
    return str(caught.value)


def test_the_designs_example_word_for_word() -> None:
    (found,) = feedback_of(load({"m/x.yaml": DESIGN}))
    assert (found.name, found.file, found.direction, found.dry_run) == ("x", "m/x.yaml", "feedback", False)
    assert found.columns == SOLD.keys()
    update, money = found.apply(SOLD) or ()
    assert update.mapped.fields == {
        "lead_id": "7185867",
        "update.postcode": "TN25 6QD",
        "action": "reprocess",
        "trigger_deliveries": "1053",
    }
    assert (update.kind, update.mapped.lane, update.mapped.keys) == (
        "lead",
        Lane("leadbyte", "lead", "once"),
        ("lead_id",),
    )
    assert update.mapped.identity == "lead_id=7185867"
    assert update.reads == {"ProspectStage", "mx_Zip"}
    assert update.sources == {"update.postcode": {"mx_Zip"}}
    assert money.mapped.fields == {
        "lead_id": "7185867",
        "financials.payout": "80.00",
        "financials.revenue": "120.50",
        "financials.buyer": "33",
    }
    assert (money.kind, money.mapped.lane) == ("financials", Lane("leadbyte", "financials", "set"))
    assert money.reads == {"ProspectStage", "mx_Payout", "mx_Revenue"}
    assert money.sources == {"financials.payout": {"mx_Payout"}, "financials.revenue": {"mx_Revenue"}}
    assert found.apply({**SOLD, "ProspectStage": "Prospect"}) is None
    assert found.apply({}) is None


def test_both_directions_may_stand_side_by_side() -> None:
    loaded = load({"a.yaml": FORWARD, "b.yaml": DESIGN})
    assert [one.direction for one in loaded] == ["forward", "feedback"]
    assert [one.name for one in forward_of(loaded)] == ["a"]
    assert [one.name for one in feedback_of(loaded)] == ["b"]
    assert forward_of(load({"b.yaml": DESIGN})) == []
    with pytest.raises(MappingError, match="has the same name"):
        load({"a.yaml": FORWARD, "a.yml": DESIGN})


UPDATE = "lead_id: mx_Id\nupdate: {postcode: mx_Zip, Street-1_x: {from: mx_Street, max_length: 4}}\n"
HELD = "quarantine_id: mx_Q\n"


@pytest.mark.parametrize(
    ("text", "view", "fields_", "lane"),
    [
        (UPDATE, {"mx_Id": "7", "mx_Zip": "T"}, {"lead_id": "7", "update.postcode": "T"}, "lead|set"),
        (
            UPDATE,
            {"mx_Id": " 7 ", "mx_Street": "High Street"},
            {"lead_id": "7", "update.Street-1_x": "High"},
            "lead|set",
        ),
        (
            UPDATE + "trigger_deliveries: ['7', '8']\n",
            {"mx_Id": "7", "mx_Zip": "T"},
            {"lead_id": "7", "update.postcode": "T", "trigger_deliveries": "7,8"},
            "lead|once",
        ),
        (
            HELD + "update: {postcode: mx_Zip}\n",
            {"mx_Q": "9", "mx_Zip": "T"},
            {"quarantine_id": "9", "update.postcode": "T"},
            "quarantine|set",
        ),
        (
            HELD + "update: {postcode: mx_Zip}\naction: release\n",
            {"mx_Q": "9", "mx_Zip": "T"},
            {"quarantine_id": "9", "update.postcode": "T", "action": "release"},
            "quarantine|once",
        ),
        (
            HELD + "update: {postcode: mx_Zip}\naction: reject\n",
            {"mx_Q": "9"},
            {"quarantine_id": "9", "action": "reject"},
            "process|once",
        ),
        (
            HELD + "action: release\n",
            {"mx_Q": "9"},
            {"quarantine_id": "9", "action": "release"},
            "process|once",
        ),
        (
            "lead_id: mx_Id\nupdate: {note: {from: mx_N, empty: send}, source: {value: CRM}}\n",
            {"mx_Id": "7"},
            {"lead_id": "7", "update.note": "", "update.source": "CRM"},
            "lead|set",
        ),
        (
            "lead_id: {from: mx_Id, type: number}\nupdate: {optin: {from: mx_C, type: boolean, values: {1: yes}}}\n",
            {"mx_Id": "7", "mx_C": "true"},
            {"lead_id": "7", "update.optin": "yes"},
            "lead|set",
        ),
    ],
)
def test_operation(text: str, view: dict[str, str], fields_: dict[str, str], lane: str) -> None:
    (wish,) = wishes(text, view)
    assert wish.mapped.fields == fields_
    assert str(wish.mapped.lane) == f"leadbyte|{lane}|"
    assert wish.mapped.keys == (next(iter(fields_)),)


def test_fixed_texts_have_no_source_and_the_id_decides_nothing() -> None:
    text = "when: mx_When\nlead_id: mx_Id\nupdate: {a: mx_A || mx_B, b: {value: x}, c: mx_C, d: mx_Id}\n"
    (wish,) = wishes(text, {"mx_When": "1", "mx_Id": "7", "mx_B": "b"})
    assert wish.reads == {"mx_When", "mx_A", "mx_B", "mx_C", "mx_Id"}
    assert wish.sources == {"update.a": {"mx_A", "mx_B"}, "update.d": {"mx_Id"}}
    assert file("lead_id: mx_Id\nupdate: {a: mx_A}\n").apply({"mx_Id": "7", "mx_A": "x"})[0].reads == {"mx_A"}  # type: ignore[index]
    assert file(text).columns == {"mx_When", "mx_A", "mx_B", "mx_C", "mx_Id"}


@pytest.mark.parametrize("empty", ["", "  ", None])
@pytest.mark.parametrize("key", ["mx_Id", "", "learned"])
def test_the_learned_id_is_used_where_the_lead_has_none(key: str, empty: str | None) -> None:
    view = {"mx_Id": empty, "mx_Zip": "T"}
    for kind, learned in (("lead_id", Learned(lead_id="5")), ("quarantine_id", Learned(quarantine_id="5"))):
        text = f"{kind}: {key}\nupdate: {{postcode: mx_Zip}}\n"
        assert fields(text, view, learned) == [{kind: "5", "update.postcode": "T"}]
        other = Learned(learned.quarantine_id, learned.lead_id)
        assert fields(text, view, other) == fields(text, view) == []


def test_the_leads_own_id_goes_before_the_learned_one() -> None:
    (told,) = fields(UPDATE, {"mx_Id": "7", "mx_Zip": "T"}, Learned("5", "6"))
    assert told["lead_id"] == "7"
    assert file("lead_id:\nupdate: {a: mx_A}\n").columns == {"mx_A"}


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("lead_id: mx_Id", "no LeadByte lead id: mx_Id is empty, and none was learned on the way forward"),
        (
            "lead_id: mx_Id || mx_Other",
            "no LeadByte lead id: mx_Id or mx_Other is empty, and none was learned on the way forward",
        ),
        ("quarantine_id:", "no LeadByte quarantine id: none was learned on the way forward"),
    ],
)
def test_a_lead_that_when_asks_for_needs_an_id(key: str, reason: str) -> None:
    text = f"{key}\nupdate: {{postcode: mx_Zip}}\n"
    assert refused(f"when: mx_Zip\n{text}", {"mx_Zip": "T"}) == reason
    assert file(f"when: mx_Zip\n{text}").apply({}) is None
    assert fields(text, {"mx_Zip": "T"}) == []


@pytest.mark.parametrize("act", ["action: reprocess\n", "trigger_deliveries: ['7']\n"])
def test_a_lead_is_not_reprocessed_or_triggered_without_an_update(act: str) -> None:
    assert refused(UPDATE + act, {"mx_Id": "7"}) == (
        "update: no field has a value, and LeadByte neither reprocesses nor triggers without an update; "
        "fill mx_Street or mx_Zip"
    )
    assert fields(UPDATE, {"mx_Id": "7"}) == []


MONEY = "lead_id: mx_Id\nfinancials: {payout: mx_P, revenue: mx_R, buyer: mx_B}\n"


@pytest.mark.parametrize(
    ("view", "told"),
    [
        ({"mx_P": "80", "mx_R": "0", "mx_B": "33"}, {"payout": "80.00", "revenue": "0.00", "buyer": "33"}),
        ({"mx_P": " 80.5 ", "mx_R": ""}, {"payout": "80.50"}),
        ({"mx_R": "999999999999.99"}, {"revenue": "999999999999.99"}),
        ({"mx_P": "80.0000"}, {"payout": "80.00"}),
    ],
)
def test_amounts(view: dict[str, str], told: dict[str, str]) -> None:
    (sent,) = fields(MONEY, {"mx_Id": "7", **view})
    assert sent == {"lead_id": "7"} | {f"financials.{name}": text for name, text in told.items()}


@pytest.mark.parametrize("view", [{}, {"mx_B": "33"}, {"mx_P": " ", "mx_R": None}])
def test_a_sale_without_an_amount_is_not_booked(view: dict[str, Any]) -> None:
    assert fields(MONEY, {"mx_Id": "7", **view}) == []


@pytest.mark.parametrize(
    ("view", "reason"),
    [
        ({"mx_P": "£80"}, "payout: not an amount like 80.00"),
        ({"mx_P": "1,234.50"}, "payout: not an amount like 80.00"),
        ({"mx_R": "1e3"}, "revenue: not an amount like 80.00"),
        ({"mx_R": "NaN"}, "revenue: not an amount like 80.00"),
        ({"mx_R": "-1"}, "revenue: is negative"),
        ({"mx_R": "1.005"}, "revenue: has more than two decimals; amounts are never rounded"),
        ({"mx_R": "1000000000000"}, "revenue: has more than 12 digits before the point"),
        ({"mx_R": "1", "mx_B": "3 3"}, "buyer: is no id of digits"),
        ({"mx_R": "1", "mx_Id": "seven"}, "lead_id: is no id of digits"),
        ({"mx_R": {"a": "1"}}, "financials.revenue: is an object; use a path to one of its values"),
    ],
)
def test_amounts_that_are_none(view: dict[str, Any], reason: str) -> None:
    assert refused(MONEY, {"mx_Id": "7", **view}).startswith(reason)


@pytest.mark.parametrize(
    ("money", "told"),
    [
        ("{payout: 80.00, buyer: 33}", {"payout": "80.00", "buyer": "33"}),
        ("{payout: '80', buyer: '33'}", {"payout": "80.00", "buyer": "33"}),
        ("{revenue: {value: 0.5}, buyer: {value: B33}}", {"revenue": "0.50", "buyer": "B33"}),
        ("{payout: {from: mx_N, default: 1}}", {"payout": "1.00"}),
        ("{payout: {from: mx_P, type: number}}", {"payout": "1234.50"}),
        (
            "{payout: {from: mx_S, values: {gold: 9, tin: 1}, otherwise: omit}, revenue: 2}",
            {"payout": "9.00", "revenue": "2.00"},
        ),
    ],
)
def test_what_is_written_as_a_number_stands_for_itself(money: str, told: dict[str, str]) -> None:
    view = {"mx_Id": "7", "mx_P": "£1,234.50", "mx_S": "Gold"}
    (sent,) = fields(f"lead_id: mx_Id\nfinancials: {money}\n", view)
    told = {"lead_id": "7"} | {f"financials.{name}": text for name, text in told.items()}
    assert {name: sent.get(name) for name in told} == told


def test_an_empty_column_is_an_empty_text_to_every_path() -> None:
    text = "when: \"!contains(mx_A, 'x') && mx_A == ''\"\nlead_id: mx_Id\nupdate: {a: {value: x}}\n"
    for view in ({"mx_Id": "7"}, {"mx_Id": "7", "mx_A": None}, {"mx_Id": "7", "mx_A": ""}):
        assert len(wishes(text, view)) == 1
    assert file(text).apply({"mx_Id": "7", "mx_A": "x"}) is None


def test_a_when_that_does_not_suit_the_lead_fails_it() -> None:
    assert refused('when: "abs(mx_A) > `1`"\n' + UPDATE, {"mx_A": "secret"}) == (
        "when: abs() was given string, it needs number"
    )


def test_a_reason_never_shows_a_word_of_the_lead() -> None:
    """Whereas forward `status` may be shown, a column of that name is a person's."""
    text = "lead_id: mx_Id\nupdate: {a: {from: status, values: {x: y}, otherwise: error}}\n"
    assert refused(text, {"mx_Id": "7", "status": "secret"}) == "update.a: no value is given for its word"
    assert "secret" not in refused("lead_id: mx_Id\nupdate: {a: mx_A}\n", {"mx_Id": "secret", "mx_A": "x"})


def test_how_each_field_comes_about() -> None:
    text = (
        "lead_id: mx_Id\nupdate: {a: {from: mx_A, type: email}, b: {value: x}}\nfinancials: {payout: mx_P}\n"
    )
    traces = file(text).explain({"mx_Id": "7", "mx_A": "nobody", "mx_P": None})
    assert [(one.field, one.rule, one.found, one.output, one.note) for one in traces] == [
        ("lead_id", "mx_Id", "7", "7", ""),
        ("update.a", "mx_A; type: email", "nobody", None, "not an email address"),
        ("update.b", "always x", "x", "x", ""),
        ("financials.payout", "mx_P", "", None, "nothing to send"),
    ]
    assert [one.field for one in file("lead_id:\nupdate: {a: mx_A}\n").explain({})] == ["update.a"]


def test_where_each_column_is_named() -> None:
    text = "when: mx_B && mx_A\nlead_id: mx_Id\nupdate:\n  a: mx_A\n  b: {value: x}\nfinancials:\n  payout: mx_P\n"
    assert file(text).named == [("mx_A", 3), ("mx_B", 3), ("mx_Id", 4), ("mx_A", 6), ("mx_P", 9)]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("mx_A", {"mx_A"}),
        ("@.mx_A", {"mx_A"}),
        ("@ | @.mx_A", {"mx_A"}),
        ("mx_A | mx_B", {"mx_A"}),
        ("mx_A.mx_B[?mx_C]", {"mx_A"}),
        ("[mx_A, {a: mx_B}]", {"mx_A", "mx_B"}),
        ("contains(mx_A, mx_B) && !mx_C", {"mx_A", "mx_B", "mx_C"}),
        ("mx_A.[@, mx_B]", {"mx_A"}),
        ("mx_A[*].*", {"mx_A"}),
        ("sort_by(mx_A, &@)", {"mx_A"}),
        ("mx_A == 'mx_B' || `\"mx_C\"`", {"mx_A"}),
        ("[0]", set()),
        ("[1:2]", set()),
    ],
)
def test_the_columns_that_a_path_reads(path: str, names: set[str]) -> None:
    assert compile_path(path, None).names == names


@pytest.mark.parametrize(
    "path",
    [
        "@",
        "*",
        "@ | @",
        "*.mx_A",
        "@.*",
        "length(@)",
        "[@, mx_A]",
        "{a: @}",
        "mx_A || @",
        "[]",
        "[*]",
        "[?mx_A]",
        "@ | keys(@)",
        "(@ | @).mx_A",
        "@ == mx_A",
        "sort_by(@, &mx_A)",
    ],
)
def test_a_path_that_reads_the_whole_lead(path: str) -> None:
    with pytest.raises(PathError, match=r"reads the whole lead \(@ or \*\); write the names of the columns"):
        compile_path(path, None)


PATHS = st.recursive(
    st.sampled_from(["mx_A", "mx_B", "@", "*", "'x'", "`1`"]),
    lambda inner: st.tuples(
        st.sampled_from(
            [
                "({}) | ({})",
                "({}) || ({})",
                "[{}, {}]",
                "{{k: {}, l: {}}}",
                "({})[?{}]",
                "({}).[{}]",
                "({})[*].[{}]",
                "sort_by({}, &{})",
                "({}) == ({})",
                "not_null({}, {})",
            ]
        ),
        inner,
        inner,
    ).map(lambda made: made[0].format(*made[1:])),
    max_leaves=6,
)


def found(path: str, view: Mapping[str, Any]) -> str:
    try:
        return repr(compile_path(path, None).find(view))
    except UnreadableError as error:
        return str(error)


@given(PATHS)
def test_a_path_finds_the_same_in_the_columns_it_names_alone(path: str) -> None:
    view = {"mx_A": [{"mx_A": "a", "mx_B": "b"}], "mx_B": {"mx_A": {"mx_B": "c"}}, "mx_C": "d"}
    try:
        names = compile_path(path, None).names
    except PathError:
        return
    assert found(path, view) == found(path, {name: view[name] for name in names})


@given(st.dictionaries(st.sampled_from(sorted(SOLD)), values()), st.none() | st.text())
def test_any_lead_gives_operations_or_one_reason(view: dict[str, Any], learned: str | None) -> None:
    (found,) = feedback_of(load({"x.yaml": DESIGN}))
    try:
        told: Sequence[Wish] | None = found.apply({**SOLD, **view}, Learned(learned, learned))
    except LeadUnmappable as error:
        assert str(error).isprintable()  # noqa: PT017
        return
    for wish in told or ():
        assert all(isinstance(text, str) for text in wish.mapped.fields.values())
        assert wish.sources.keys() <= wish.mapped.fields.keys()
