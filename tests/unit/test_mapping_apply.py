"""What a mapping makes of one lead."""

import json
from typing import Any

import pytest

from bridge.errors import LeadUnmappable
from bridge.mapping import NAMES, FieldTrace, MappingFile, load
from bridge.model import Lane, Mapped

BULK = "leadsquared: {search_by: [EmailAddress, Phone], missing_leads: failed}\n"


def mapping(fields: str, head: str = "", name: str = "mappings/a.yaml") -> MappingFile:
    """A mapping by ProspectID whose other fields are given as the inside of a YAML mapping."""
    (found,) = load({name: f"version: 1\n{head}fields: {{ProspectID: {{value: p}}, {fields}}}\n"})
    return found


def view(**names: Any) -> dict[str, Any]:
    return dict.fromkeys(NAMES) | names


def sent(field: str, found: Any) -> str | None:
    """What the field rule `field` sends for `lead.x`; None for nothing."""
    mapped = mapping(f"mx_X: {field}").apply(view(lead={"x": found}))
    assert mapped is not None
    return mapped.fields.get("mx_X")


def refused(field: str, found: Any) -> str:
    with pytest.raises(LeadUnmappable) as caught:
        sent(field, found)
    text = str(caught.value)
    assert text.startswith("mx_X: ")
    return text.removeprefix("mx_X: ")


def by_keys(head: str, **lead: Any) -> Mapped | None:
    text = f"version: 1\n{head}fields: {{EmailAddress: lead.email, Phone: lead.phone1, ProspectId: lead.id}}"
    return load({"a.yaml": text})[0].apply(view(lead=lead))


def test_keys_are_those_the_lead_has_in_order() -> None:
    both = by_keys(BULK, email="a@b.c", phone1="+44-1")
    assert both is not None
    assert both.keys == ("EmailAddress", "Phone")
    assert both.lane == Lane("bulk", "EmailAddress", "failed")
    assert both.identity == "emailaddress=a@b.c"
    phone = by_keys(BULK, email=" ", phone1="1")
    assert phone is not None
    assert phone.keys == ("Phone",)
    assert phone.lane == Lane("bulk", "Phone", "failed")


def test_no_key_at_all_is_unmappable() -> None:
    with pytest.raises(LeadUnmappable) as caught:
        by_keys(BULK, id="x")
    assert str(caught.value) == "no value for EmailAddress or Phone, by which LeadSquared finds the lead"
    with pytest.raises(LeadUnmappable, match="no value for ProspectId, by which"):
        by_keys("", email="a@b.c")


@pytest.mark.parametrize(
    ("head", "lane", "mode"),
    [
        ("", Lane("bulk", "", "unprocessed"), "bulk"),
        ("leadsquared: {missing_leads: failed}\n", Lane("bulk", "", "failed"), "bulk"),
        ("leadsquared: {mode: async}\n", Lane("async", "", "silent"), "async"),
        ("leadsquared: {mode: async, search_by: Phone}\n", Lane("async", "", "silent"), "async"),
        ("leadsquared: {mode: async, trigger_automation: yes}\n", Lane("async", "", "automations"), "async"),
    ],
)
def test_without_search_keys_the_lead_is_found_by_its_own_id(head: str, lane: Lane, mode: str) -> None:
    mapped = by_keys(head, id="p1")
    assert mapped is not None
    assert (mapped.keys, mapped.lane, mapped.identity) == (("ProspectId",), lane, "prospectid=p1")
    text = f"version: 1\n{head}fields: {{Phone: leadId, ProspectID: leadId}}"
    found = load({"x/y.z.yaml": text})[0]
    assert (found.name, found.file, found.mode, found.search_by) == ("y.z", "x/y.z.yaml", mode, ())
    assert found.lane("ProspectID") == lane


@pytest.mark.parametrize("found", [None, False, "", [], {}])
def test_when_is_false_as_jmespath_means_it(found: Any) -> None:
    assert mapping("mx_X: leadId", "when: lead.x\n").apply(view(lead={"x": found})) is None


@pytest.mark.parametrize("found", [True, 0, 0.0, 1, "a", [None], {"a": None}])
def test_when_is_true_for_all_else(found: Any) -> None:
    assert mapping("mx_X: leadId", "when: lead.x\n").apply(view(lead={"x": found})) is not None


def test_when_that_does_not_suit_the_lead_fails_it() -> None:
    picky = mapping("mx_X: leadId", "when: \"contains(lead.email, '@')\"\n")
    with pytest.raises(LeadUnmappable) as caught:
        picky.apply(view(lead={"email": None}))
    assert str(caught.value) == "when: contains() was given null, it needs array or string"


@pytest.mark.parametrize(
    ("field", "found", "output"),
    [
        ("{from: lead.x, default: none}", None, "none"),
        ("{from: lead.x, default: none}", "  ", "none"),
        ("{from: lead.x, default: none}", [], "none"),
        ("{from: lead.x, default: none}", {}, "none"),
        ("{from: lead.x, default: none, empty: send}", None, "none"),
        ("{from: lead.x, default: none}", 0, "0"),
        ("{from: lead.x, default: none}", False, "false"),
        ("{from: lead.x, type: boolean, default: no}", None, "0"),
        ("{from: lead.x, type: phone, default: none}", None, "none"),
        ("{from: lead.x, default: abcdef, max_length: 3}", None, "abc"),
        ("{from: lead.x, empty: send}", None, ""),
        ("{from: lead.x, empty: skip}", None, None),
        ("{from: lead.x, max_length: 4}", "abc def", "abc"),
        ("{from: lead.x, max_length: 3}", "abc", "abc"),
        ("{value: abc def, max_length: 4}", None, "abc"),
        ("{value: ' 07700 900123', type: phone, region: GB}", None, "+44-7700900123"),
        ("{value: '', empty: send}", None, ""),
        ("{value: yes}", None, "yes"),
        ("{value: 1.0}", None, "1.0"),
        ("{value: 2024-01-31}", None, "2024-01-31"),
    ],
)
def test_fixed_text_defaults_and_limits(field: str, found: Any, output: str | None) -> None:
    assert sent(field, found) == output


@pytest.mark.parametrize(
    ("rest", "found", "output"),
    [
        ("values: {Yes: A, no: B}", " yEs ", "A"),
        ("values: {Yes: A, no: B}", "NO", "B"),
        ("values: {1: A, true: B}", 1, "A"),
        ("values: {1: A, true: B}", 1.0, "A"),
        ("values: {1: A, true: B}", True, "B"),
        ("values: {Straße: A}", "STRASSE", "A"),
        ("values: {a: A}", " b ", "b"),
        ("values: {a: A}, otherwise: keep", "b", "b"),
        ("values: {a: A}, otherwise: omit", "b", None),
        ("values: {a: A}, otherwise: omit, empty: send, default: d", "b", None),
        ("values: {a: A}, otherwise: error, default: d", None, "d"),
        ("values: {a: ''}", "a", None),
        ("values: {a: ''}, empty: send", "a", ""),
        ("values: {a: ~}, empty: send", "a", ""),
        ("values: {a: A b}, max_length: 2", "a", "A"),
        ("type: number, values: {n/a: '0'}", "N/A", "0"),
        ("type: number, values: {n/a: '0'}", "£5", "5"),
        ("type: boolean, values: {1: On, 0: Off}, default: t", "no", "Off"),
        ("type: boolean, values: {1: On, 0: Off}, default: t", "", "t"),
        ("type: list, values: {a: A, b: ''}, otherwise: omit", ["a", "b", "c", " a"], "A, A"),
        ("type: list, values: {a: ''}, empty: send", ["a"], ""),
        ("type: list, values: {a: ''}", "a", None),
        ("type: list, default: d", [None, " "], "d"),
        ("type: list, join: ' '", ["a", 1, True], "a 1 true"),
        ("type: list, join: ''", ["a", 1], "a1"),
        ("type: list, join: ~", ["a", 1], "a1"),
        ("type: list, max_length: 3", ["a", "b"], "a,"),
    ],
)
def test_words_and_lists(rest: str, found: Any, output: str | None) -> None:
    assert sent(f"{{from: lead.x, {rest}}}", found) == output


def test_an_unknown_word_is_shown_only_where_it_is_no_personal_data() -> None:
    rest = "values: {a: A}, otherwise: error"
    assert refused(f"{{from: lead.x, {rest}}}", "secret") == "no value is given for its word"
    for path in ("status", "response.info", "code || status", "response.response || status"):
        told = mapping(f"mx_X: {{from: {path}, {rest}}}")
        with pytest.raises(LeadUnmappable) as caught:
            told.apply(view(status="b\x07\nc" + "x" * 100, response={"info": "b\x07\nc" + "x" * 100}))
        assert str(caught.value) == f"mx_X: no value is given for the word 'b c{'x' * 56}…'"
    for path in ("lead.x || status", "code || values(@)[0].x", "[@][0].lead.x || status", "*.x | [0]"):
        hidden = mapping(f'mx_X: {{from: "{path}", {rest}}}')
        with pytest.raises(LeadUnmappable, match=r"^mx_X: no value is given for its word$"):
            hidden.apply({"lead": {"x": "secret"}})


@pytest.mark.parametrize(
    ("kind", "found", "reason"),
    [
        ("text", {"a": "secret"}, "is an object; use a path to one of its values"),
        ("phone", ["secret"], "is a list; use type: list, or a path to one of its items"),
        ("list", ["a", {"b": "secret"}], "is an object; use a path to one of its values"),
        ("list", {"b": "secret"}, "is an object; use a path to one of its values"),
        ("email", "secret", "not an email address"),
        ("number", "secret", "not a number"),
        ("boolean", "secret", "not a yes or a no"),
        ("datetime", "secret", "not a date and time that can be read"),
        ("date", "secret", "not a date and time that can be read"),
        ("phone", "secret", "not a phone number that begins with + (the mapping names no region)"),
        ("phone", "07700 900123", "not a phone number that begins with + (the mapping names no region)"),
        ("number", float("nan"), "is not a finite number"),
        ("text", float("inf"), "is not a finite number"),
    ],
)
def test_reasons_name_the_field_and_never_the_value(kind: str, found: Any, reason: str) -> None:
    assert refused(f"{{from: lead.x, type: {kind}}}", found) == reason


@pytest.mark.parametrize(
    "path", ["length(lead.x)", "lead.x < 'a'", "max(lead.l)", "sort_by(lead.l, &@)", "&lead", "abs(lead.s)"]
)
def test_a_path_that_does_not_suit_the_lead_fails_it_without_its_values(path: str) -> None:
    odd = mapping(f"mx_X: {json.dumps(path)}")
    with pytest.raises(LeadUnmappable) as caught:
        odd.apply(view(lead={"x": 7, "l": ["secret", 1], "s": "secret"}))
    assert "secret" not in str(caught.value)
    assert str(caught.value).startswith("mx_X: ")


def test_explain_tells_every_field_even_after_one_fails() -> None:
    shown = mapping(
        'mx_A: {from: lead.a, type: email, default: x}, mx_B: "abs(lead.a)", mx_C: status, '
        "mx_D: {from: status, values: {a: b, c: ''}}",
        'when: "status"\n',
    ).explain(view(lead={"a": "nobody"}))
    assert shown == [
        FieldTrace("ProspectID", "always p", "p", "p", ""),
        FieldTrace("mx_A", "lead.a; type: email; default: x", "nobody", None, "not an email address"),
        FieldTrace("mx_B", "abs(lead.a)", None, None, "abs() was given string, it needs number"),
        FieldTrace("mx_C", "status", None, None, "nothing to send"),
        FieldTrace("mx_D", "status; values: a = b, c = ", None, None, "nothing to send"),
    ]


def test_what_check_compares_with_leadsquared() -> None:
    text = """version: 1
fields:
  ProspectID:
    from: leadId
  mx_A: {from: status, values: {Yes: One, No: Two, Non: ""}, max_length: 2}
  mx_B:
    from: status
    type: boolean
    default: yes
  mx_C: {value: ' x '}
"""
    (found,) = load({"a.yaml": text})
    assert dict(found.field_lines) == {"ProspectID": 3, "mx_A": 5, "mx_B": 6, "mx_C": 10}
    assert list(found.constants()) == [
        ("mx_A", "On", 5),
        ("mx_A", "Tw", 5),
        ("mx_B", "1", 9),
        ("mx_C", "x", 10),
    ]
    assert {name: rule.max_length for name, rule in found.fields.items()} == {
        "ProspectID": None,
        "mx_A": 2,
        "mx_B": None,
        "mx_C": None,
    }
