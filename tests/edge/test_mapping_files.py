"""Wrong mapping files are refused whole: every problem at once, each with file and line."""

import pytest

from bridge.errors import MappingError
from bridge.mapping import load
from bridge.mapping.document import MAX_CHARS

HEAD = "version: 1\nfields:\n  ProspectID: leadId\n"


def problems(text: str, file: str = "mappings/a.yaml") -> list[str]:
    with pytest.raises(MappingError) as caught:
        load({file: text})
    assert caught.value.exit_code == 2
    assert all(problem.startswith(f"{file}:") and problem.isprintable() for problem in caught.value.problems)
    return [problem.removeprefix(f"{file}:") for problem in caught.value.problems]


def of_field(spec: str) -> list[str]:
    return [problem.removeprefix("4: ") for problem in problems(f"{HEAD}  mx_X: {spec}\n")]


def test_every_problem_of_every_file_at_once() -> None:
    first = """version: 2
leadsquared:
  mode: bulkk
  searchby: EmailAddress
when: status != Duplicate
fields:
  EmailAddress: leed.email
  mx_A:
    from: lead.a
    type: datetme
  mx_A: lead.b
tests: none
"""
    with pytest.raises(MappingError) as caught:
        load({"m/a.yaml": first, "m/good.yaml": HEAD, "m/b.yaml": "version: 1\nfield: {}\n"})
    assert list(caught.value.problems) == [
        "m/a.yaml:1: version at the top is not one this bridge reads; write version: 1",
        "m/a.yaml:2: bulk mode finds the lead by ProspectID here; add that field, or name another one under search_by",
        "m/a.yaml:3: mode in leadsquared can't be 'bulkk'; did you mean bulk?",
        "m/a.yaml:4: unknown key 'searchby' in leadsquared; did you mean search_by?",
        "m/a.yaml:5: when at the top can't be used: a path can't begin with 'Duplicate'; "
        "if it is a word to compare with, write it in single quotes: 'Duplicate'",
        "m/a.yaml:7: from in field EmailAddress can't be used: a path can't begin with 'leed'; did you mean lead?",
        "m/a.yaml:10: type in field mx_A can't be 'datetme'; did you mean datetime?",
        "m/a.yaml:11: 'mx_A' is here twice, first in line 8; remove one",
        "m/a.yaml:12: tests is one value; write a list, each test beginning with - name:",
        "m/b.yaml:1: fields at the top holds no field; write lines like FirstName: lead.firstname below it",
        "m/b.yaml:2: unknown key 'field' at the top; did you mean fields?",
    ]
    assert str(caught.value).count("\n") == len(caught.value.problems) - 1


def test_no_files() -> None:
    with pytest.raises(MappingError, match=r"^no mapping files; .*$"):
        load({})


def test_two_files_of_one_name() -> None:
    with pytest.raises(MappingError) as caught:
        load({"m/a.yaml": HEAD, "m/b.yml": HEAD, "m/a.yml": HEAD, "n/a.yaml": "[]"})
    assert list(caught.value.problems) == [
        "m/a.yml:1: m/a.yaml has the same name; rename one of the two files",
        "n/a.yaml:1: what stands at the top is a list; write key: value lines",
        "n/a.yaml:1: m/a.yaml has the same name; rename one of the two files",
    ]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", 1, "the file is empty"),
        ("# only this\n", 1, "the file is empty"),
        ("--- ~", 1, "what stands at the top is empty"),
        ("version: 1\nfields: {a: b\n", 3, "not YAML: "),
        ("version: 1\n\tfields: x\n", 2, "not YAML: "),
        ("version: 1\n bad: indent\n", 2, "not YAML: "),
        ("version: 1\nx: 'open\n", 3, "not YAML: "),
        ("version: 1\nx: \x00\n", 2, "character 0x0000 can't stand in a YAML file"),
        ("version: 1\nx: \ud800\n", 2, "character 0xd800 can't stand in a YAML file"),
        ('version: 1\nx: "\\UFFFFFFFF"\n', 1, "not YAML: an escape"),
        (f"{HEAD}---\nversion: 1\n", 4, "a second document begins here"),
        (f"{HEAD}  mx_X: &a lead.x\n  mx_Y: *a\n", 4, "YAML references (& and *) are not read here"),
        (f"{HEAD}  mx_Y: *a\n", 4, "YAML references (& and *) are not read here"),
        (f"{HEAD}  mx_X: &a {{from: lead.x}}\n", 4, "YAML references (& and *) are not read here"),
        (f"{HEAD}  mx_X: !!python/name:os.system\n", 4, "YAML tags (!) are not read here"),
        (f"{HEAD}when: !contains(lead.x)\n", 4, "YAML tags (!) are not read here"),
        (f"{HEAD}tests: !!set {{}}\n", 4, "YAML tags (!) are not read here"),
        ("x: " + "[" * 100000, 1, "nested deeper than 40 levels"),
        ("#" * MAX_CHARS + "\n", 1, f"the file is longer than {MAX_CHARS} characters"),
        (f"{HEAD}? [a, b]\n: c\n", 4, "a key here is a list or a mapping"),
    ],
)
def test_what_is_no_plain_yaml(text: str, line: int, what: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith(f"{line}: {what}")


def test_a_million_laughs_is_refused_without_a_laugh() -> None:
    rows = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))
    assert problems(f"a0: &a0 lol\n{rows}\n")[0].startswith("1: YAML references")


def test_a_direction_that_is_none() -> None:
    assert problems(f"{HEAD}direction: sideways\n")[0].startswith(
        "4: direction at the top can't be 'sideways'; "
    )
    assert problems(f"{HEAD}direction:\nzzz: 1\n") == [
        "4: direction at the top is empty; write a text, or leave the key out"
    ]
    assert len(load({"a.yaml": f"{HEAD}direction: forward\n"})) == 1


@pytest.mark.parametrize("spelling", ["1", "'1'", '"1"'])
def test_version_one(spelling: str) -> None:
    assert load({"a.yaml": HEAD.replace("version: 1", f"version: {spelling}")})


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("version: 1.0", "1: version at the top is not one this bridge reads; write version: 1"),
        ("version: [1]", "1: version at the top is a list; write one text"),
        ("# none", "2: version at the top is missing; begin the file with version: 1"),
    ],
)
def test_other_versions(line: str, what: str) -> None:
    assert problems(HEAD.replace("version: 1", line)) == [what]


@pytest.mark.parametrize(
    ("section", "what"),
    [
        ("[]", "what stands in leadsquared is a list; write key: value lines"),
        ("~", "what stands in leadsquared is empty; write key: value lines"),
        ("{mode: Bulk}", "mode in leadsquared can't be 'Bulk'; did you mean bulk?"),
        ("{mode: [bulk]}", "mode in leadsquared is a list; write one text"),
        ("{mode: ' '}", "mode in leadsquared is empty; write a text, or leave the key out"),
        (
            "{missing_leads: skip}",
            "missing_leads in leadsquared can't be 'skip'; known here: unprocessed, failed",
        ),
        (
            "{mode: async, trigger_automation: 1}",
            "trigger_automation in leadsquared can't be '1'; write true or false",
        ),
        (
            "{trigger_automation: on}",
            "trigger_automation in leadsquared works only in async mode; write mode: async, or remove it",
        ),
        (
            "{search_by: []}",
            "search_by in leadsquared is an empty list; name at least one, or leave the key out",
        ),
        ("{search_by: ~}", "search_by in leadsquared is empty; write a text, or leave the key out"),
        ("{search_by: {a: b}}", "search_by in leadsquared is a mapping; write one text"),
        ("{search_by: [[ProspectID]]}", "search_by in leadsquared is a list; write one text"),
        (
            "{search_by: [ProspectID, ProspectID]}",
            "search_by in leadsquared names one thing twice; remove one of them",
        ),
        (
            "{search_by: prospectid}",
            "search_by in leadsquared names 'prospectid', which is not among fields; did you mean ProspectID?",
        ),
    ],
)
def test_leadsquared_section(section: str, what: str) -> None:
    assert problems(f"{HEAD}leadsquared: {section}\n") == [f"4: {what}"]


def test_async_needs_the_leads_own_id_and_the_search_key_its_field() -> None:
    fields = "fields: {EmailAddress: lead.email}\n"
    assert problems(f"version: 1\nleadsquared: {{mode: async, search_by: EmailAddress}}\n{fields}") == [
        "2: async mode finds the lead by ProspectID here; add that field"
    ]
    assert problems(f"version: 1\n{fields}") == [
        "1: bulk mode finds the lead by ProspectID here; add that field, or name another one under search_by"
    ]


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ("[]", "2: what stands in fields is a list; write key: value lines"),
        ("{}", "2: fields at the top holds no field; write lines like FirstName: lead.firstname below it"),
        (
            "{ProspectID: leadId, First Name: lead.x}",
            "2: 'First Name' is no schema name; write LeadSquared's own, of letters, digits and _",
        ),
        (
            "{ProspectID: leadId, ~: lead.x}",
            "2: '~' is no schema name; write LeadSquared's own, of letters, digits and _",
        ),
        (
            "{ProspectID: leadId, ProspectId: lead.x}",
            "2: ProspectId is the same field as ProspectID; remove one of the two",
        ),
        (
            "{ProspectID: leadId, mx_X: [lead.x]}",
            "2: what stands in field mx_X is a list; write key: value lines",
        ),
        ("{ProspectID: }", "2: from in field ProspectID is empty; write a text, or leave the key out"),
    ],
)
def test_fields(fields: str, what: str) -> None:
    assert what in problems(f"version: 1\nfields: {fields}\n")


@pytest.mark.parametrize(
    ("spec", "what"),
    [
        ("{frm: lead.x, from: lead.x}", "unknown key 'frm' in field mx_X; did you mean from?"),
        (
            "{from: lead.x, zzz: 1}",
            "unknown key 'zzz' in field mx_X; known here: from, value, type, default, values, ",
        ),
        ("{type: text}", "nothing is read in field mx_X; add from: (a path) or value: (a text)"),
        ("{from: [lead.x]}", "from in field mx_X is a list; write one text"),
        ("{value: [x]}", "value in field mx_X is a list; write one text"),
        ("{value: }", "value in field mx_X is empty; write a text, or add empty: send"),
        ('{value: "\\a"}', "value in field mx_X is empty; write a text, or add empty: send"),
        (
            "{value: abc, type: number}",
            "value in field mx_X is not a number (type: number); mend it, or leave type out",
        ),
        ("{value: a, default: b}", "default in field mx_X means nothing beside value; remove one of the two"),
        ("{value: a, from: status}", "from in field mx_X means nothing beside value; remove one of the two"),
        (
            "{from: lead.x, otherwise: omit}",
            "otherwise in field mx_X means nothing without values; add values, or remove it",
        ),
        (
            "{from: lead.x, values: {a: b}, otherwise: drop}",
            "otherwise in field mx_X can't be 'drop'; known here: keep, omit, error",
        ),
        ("{from: lead.x, values: {}}", "values in field mx_X is empty; add word: text lines, or remove it"),
        (
            "{from: lead.x, values: [a]}",
            "what stands under values in field mx_X is a list; write key: value lines",
        ),
        ("{from: lead.x, values: {a: [b]}}", "a under values in field mx_X is a list; write one text"),
        (
            '{from: lead.x, values: {"a\\nb": [b]}}',
            "a b under values in field mx_X is a list; write one text",
        ),
        (
            "{from: lead.x, values: {Yes: a, ' yes': b}}",
            " yes under values in field mx_X is there twice (capitals don't count); remove one",
        ),
        (
            "{from: lead.x, values: {' ': a}}",
            "an empty word under values in field mx_X; use default for what is not there",
        ),
        ("{from: lead.x, default: }", "default in field mx_X is empty; write a text, or leave the key out"),
        (
            "{from: lead.x, max_length: 0}",
            "max_length in field mx_X can't be '0'; write a whole number of at least 1",
        ),
        (
            "{from: lead.x, max_length: -1}",
            "max_length in field mx_X can't be '-1'; write a whole number of at least 1",
        ),
        (
            "{from: lead.x, max_length: 1.5}",
            "max_length in field mx_X can't be '1.5'; write a whole number of at least 1",
        ),
        (
            "{from: lead.x, max_length: 10000000}",
            "max_length in field mx_X can't be '10000000'; write a whole number of at least 1",
        ),
        ("{from: lead.x, empty: keep}", "empty in field mx_X can't be 'keep'; known here: skip, send"),
        (
            "{from: lead.x, type: phone, region: UK}",
            "region in field mx_X can't be 'UK'; did you mean GB?",
        ),
        (
            "{from: lead.x, type: phone, region: gb}",
            "region in field mx_X can't be 'gb'; did you mean GB?",
        ),
        (
            "{from: lead.x, region: GB}",
            "region in field mx_X means nothing for type text; it is for type phone",
        ),
        (
            "{from: lead.x, type: phone, format: '%d/%m/%Y'}",
            "format in field mx_X means nothing for type phone; it is for type datetime or date",
        ),
        ("{from: lead.x, join: x}", "join in field mx_X means nothing for type text; it is for type list"),
        ("{from: lead.x, type: list, join: [x]}", "join in field mx_X is a list; write one text"),
        (
            "{from: lead.x, type: date, format: '%d/%m'}",
            "format in field mx_X is no use: it does not hold a whole date; add %d, %m and %Y",
        ),
        (
            "{from: lead.x, type: date, timezone: Europe/Londn}",
            "timezone in field mx_X can't be 'Europe/Londn'; did you mean Europe/London?",
        ),
        (
            "{from: lead.x, type: date, timezone: ../etc}",
            "timezone in field mx_X can't be '../etc'; write a name such as Europe/London",
        ),
        ("{from: lead.x, type: date, timezone: Europe}", "timezone in field mx_X can't be 'Europe'; "),
        ("leed.x", "from in field mx_X can't be used: a path can't begin with 'leed'; did you mean lead?"),
        ("LEAD", "from in field mx_X can't be used: a path can't begin with 'LEAD'; did you mean lead?"),
        (
            "zzz",
            "from in field mx_X can't be used: a path can't begin with 'zzz'; known here: queueId, status, processed, code, ",
        ),
        (
            "lead.",
            "from in field mx_X can't be used: 'lead.' is not a JMESPath: it ends too early; finish it",
        ),
        (
            "contains(lead.x, 'a')[0",
            "from in field mx_X can't be used: 'contains(lead.x, 'a')[0' is not a JMESPath: a bracket is missing: [ is",
        ),
        (
            "\"contains(lead.x, ')'\"",
            "from in field mx_X can't be used: 'contains(lead.x, ')'' is not a JMESPath: a bracket is missing: ( is",
        ),
        (
            "lead..x",
            "from in field mx_X can't be used: 'lead..x' is not a JMESPath: '.' can't stand at character 6; mend it",
        ),
        ("'\"lead.x = 1\"'", "from in field mx_X can't be used: "),
        (
            "lead ^ x",
            "from in field mx_X can't be used: 'lead ^ x' is not a JMESPath: Unknown token ^; mend it at character 6",
        ),
        ('"uper(lead.x)"', "from in field mx_X can't be used: JMESPath has no function uper(); "),
        (
            '"lengh(lead.x)"',
            "from in field mx_X can't be used: JMESPath has no function lengh(); did you mean length?",
        ),
        (
            '"length(lead.x, lead.y)"',
            "from in field mx_X can't be used: length() takes 1 argument(s), not 2; mend the path",
        ),
        ('"merge()"', "from in field mx_X can't be used: merge() takes 1 argument(s), not 0; mend the path"),
        (
            '"deliveries[?lengh(x) > `1`]"',
            "from in field mx_X can't be used: JMESPath has no function lengh(); did you mean length?",
        ),
        (
            '"sort_by(deliveries, &lengh(x))"',
            "from in field mx_X can't be used: JMESPath has no function lengh(); did you mean length?",
        ),
        ('"' + "(" * 1500 + '"', "from in field mx_X can't be used: "),
        (
            '"' + "lead." * 500 + 'x"',
            "from in field mx_X can't be used: the path is longer than 2000 characters; write it shorter",
        ),
    ],
)
def test_field_keys(spec: str, what: str) -> None:
    assert len(what) > 30
    (problem,) = of_field(spec)
    assert problem.startswith(what)


@pytest.mark.parametrize(
    "path",
    [
        "lead.a.b",
        'lead."first name"',
        "@.status",
        "@ | status",
        "deliveries[?lead=='x'].zzz",
        "sort_by(deliveries, &zzz)[0].zzz",
        "*.zzz",
        "[lead, status]",
        "{a: lead, b: status}.zzz",
        "lead | zzz",
        "lead.[zzz, yyy]",
        "'zzz'",
        '`"zzz"`',
        "`zzz`",
        "deliveries[].zzz[0:2]",
        "lead && !status",
        "values(lead)[?@ != '']",
        "not_null(lead.a, lead.b, status)",
        "@",
        "deliveries[*].zzz",
    ],
)
def test_names_are_only_looked_up_where_the_view_is_meant(path: str) -> None:
    quoted = path.replace("'", "''")
    assert load({"a.yaml": f"{HEAD}  mx_X: '{quoted}'\n"})


@pytest.mark.parametrize(
    "path",
    [
        "zzz.a",
        "{a: lead, b: zzz.x || status}.a",
        "[lead, zzz]",
        "@ | zzz",
        "@.zzz",
        "length(zzz)",
        "zzz[0].status",
        "!zzz",
        "zzz[?a]",
        "status == zzz",
    ],
)
def test_names_that_no_view_has(path: str) -> None:
    (problem,) = of_field(f'"{path}"')
    assert "a path can't begin with 'zzz'" in problem


@pytest.mark.parametrize(
    ("test", "what"),
    [
        ("nothing", "what stands in test 1 is one value; write key: value lines"),
        ("{given: {}, expects: {}}", "unknown key 'expects' in test 1; did you mean expect?"),
        ("{given: {}}", "test 1 needs either expect: or error:; write one of them"),
        (
            "{given: {}, expect: skipped, error: x}",
            "test 1 needs either expect: or error:; write one of them",
        ),
        ("{expect: skipped}", "given in test 1 is missing; write the lead's part that the test needs, or {}"),
        (
            "{given: x, expect: skipped}",
            "what stands under given in test 1 is one value; write key: value lines",
        ),
        (
            "{given: {statuss: x}, expect: skipped}",
            "unknown key 'statuss' under given in test 1; did you mean status?",
        ),
        ("{given: {lead: {a: 1, a: 2}}, expect: skipped}", "'a' is here twice, first in line 4; remove one"),
        (
            "{given: {}, expect: skip}",
            "what stands under expect in test 1 is one value; write key: value lines",
        ),
        (
            "{given: {}, expect: {ProspectId: x}}",
            "no field 'ProspectId' to expect in test 1; did you mean ProspectID?",
        ),
        (
            "{given: {}, expect: {ProspectID: [x]}}",
            "ProspectID under expect in test 1 is a list; write one text",
        ),
        ("{given: {}, error: }", "error in test 1 is empty; write a text, or leave the key out"),
        ("{name: [a], given: {}, error: x}", "name in test 1 is a list; write one text"),
    ],
)
def test_tests(test: str, what: str) -> None:
    assert f"4: {what}" in problems(f"{HEAD}tests: [{test}]\n")


BACK = "version: 1\ndirection: feedback\n"
WAY = f"{BACK}lead_id: mx_Id\n"
HELD = f"{BACK}quarantine_id: mx_Id\n"
UPDATE = "update: {postcode: mx_Zip}\n"


def test_every_problem_of_a_feedback_file_at_once() -> None:
    text = """version: 2
direction: feedback
leadsquared: {mode: bulk}
when: ProspectStage = 'Sold'
lead_id: "@"
quarantine_id: mx_Q
update:
  post code: mx_Zip
  Town: mx_Town
  town: mx_Town
  dob: {from: mx_Dob, type: dat}
action: release
trigger_deliveries: [x1]
financials: {payout: -1, payed: mx_P, revenue: {value: £5, max_length: 3}, buyer: 3/3}
fields: {FirstName: lead.firstname}
dryrun: true
tests: [{given: {mx_Zipp: x}, expect: {update: {postcode: x}}}]
"""
    assert problems(text) == [
        "1: version at the top is not one this bridge reads; write version: 1",
        "3: leadsquared at the top is for forward files; a feedback file has update: instead, remove it",
        "4: when at the top can't be used: 'ProspectStage = 'Sold'' is not a JMESPath: Unknown "
        "token '='; mend it at character 15",
        "5: from in field lead_id can't be used: '@' reads the whole lead (@ or *); write the "
        "names of the columns it needs",
        "6: quarantine_id at the top can't stand beside lead_id; write a file for each",
        "8: 'post code' is no field; write LeadByte's own name, of letters, digits, _ and -",
        "10: town is the same field as Town; remove one of the two",
        "11: type in field update.dob can't be 'dat'; did you mean date?",
        "12: action at the top can't be release of a lead_id; write quarantine_id:, or action: reprocess",
        "13: trigger_deliveries at the top can't be 'x1'; write the digits of a delivery's id",
        "14: unknown key 'payed' in financials; known here: payout, revenue, buyer",
        "14: payout in financials can't be '-1' (is negative); write plain digits and a point",
        "14: unknown key 'max_length' in field financials.revenue; known here: from, value, type, "
        "default, values, otherwise",
        "14: revenue in financials can't be '£5' (not an amount like 80.00); write plain digits and a point",
        "14: buyer in financials can't be '3/3' (is no id of digits (letters, - and _ beside them "
        "at most)); write LeadByte's id of the buyer (BID)",
        "15: fields at the top is for forward files; a feedback file has update: instead, remove it",
        "16: unknown key 'dryrun' at the top; did you mean dry_run?",
        "17: 'mx_Zipp' under given in test 1 is no column that this file reads; did you mean mx_Zip?",
        "17: no 'update.postcode' to expect in test 1; did you mean update.post code?",
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            f"{BACK}{UPDATE}",
            "1: lead_id at the top is missing; write lead_id: (of a valid lead) or quarantine_id:, and the column ",
        ),
        (WAY, "1: LeadByte is told nothing; add update:, action: or financials:"),
        (HELD, "1: LeadByte is told nothing; add update:, action: or financials:"),
        (
            f"{BACK}quarantine_id: learned\naction: release\n",
            "1: no column is read, so no change would ever do anything; add when:, or a path",
        ),
        (
            f"{WAY}update: {{}}\n",
            "4: update at the top holds no field; write lines like postcode: mx_Postcode ",
        ),
        (f"{WAY}update: [a]\n", "4: what stands in update is a list; write key: value lines"),
        (f"{WAY}update:\n", "4: what stands in update is empty; write key: value lines"),
        (f"{WAY}update: {{a: [b]}}\n", "4: what stands in field update.a is a list; write key: value lines"),
        (f"{WAY}update: {{a: }}\n", "4: from in field update.a is empty; write a text, or leave the key out"),
        (f"{WAY}update: {{~: b}}\n", "4: '~' is no field; write LeadByte's own name, "),
        (
            f"{WAY}update: {{a: '*'}}\n",
            "4: from in field update.a can't be used: '*' reads the whole lead (@ or *); ",
        ),
        (
            f"{WAY}update: {{a: '\"first name\"'}}\n",
            "4: from in field update.a can't be used: 'first name' is no schema name; write LeadSquared's own, ",
        ),
        (
            f"{WAY}action: reprocess\n",
            "4: action at the top works only with an update; add update: and a field",
        ),
        (
            f"{WAY}trigger_deliveries: 1053\n",
            "4: trigger_deliveries at the top works only with an update; add update: and a field below it",
        ),
        (
            f"{WAY}{UPDATE}action: delete\n",
            "5: action at the top can't be 'delete'; did you mean ",
        ),
        (f"{WAY}{UPDATE}action: [release]\n", "5: action at the top is a list; write one text"),
        (
            f"{WAY}{UPDATE}action: reject\n",
            "5: action at the top can't be reject of a lead_id; write quarantine_id:",
        ),
        (
            f"{HELD}{UPDATE}action: reprocess\n",
            "5: action at the top can't be reprocess of a quarantine_id; write release or reject, or lead_id:",
        ),
        (
            f"{HELD}{UPDATE}trigger_deliveries: 1\n",
            "5: trigger_deliveries at the top can't stand beside quarantine_id; write lead_id:, in a file of its own",
        ),
        (
            f"{HELD}financials: {{payout: mx_P}}\n",
            "4: financials at the top can't stand beside quarantine_id; write lead_id:, in a file of its own",
        ),
        (
            f"{WAY}financials: {{buyer: 33}}\n",
            "4: financials at the top needs payout or revenue; add one of them",
        ),
        (f"{WAY}financials: 80\n", "4: what stands in financials is one value; write key: value lines"),
        (
            f"{WAY}financials: {{payout: [1]}}\n",
            "4: what stands in field financials.payout is a list; write ",
        ),
        (
            f"{WAY}financials: {{payout: 1.005}}\n",
            "4: payout in financials can't be '1.005' (has more than two decimals; ",
        ),
        (
            f"{WAY}financials: {{payout: 1e3}}\n",
            "4: payout in financials can't be '1e3' (not an amount like 80.00); ",
        ),
        (
            f"{WAY}financials: {{payout: £80}}\n",
            "4: payout in financials can't be '£80' (not an amount like 80.00); ",
        ),
        (
            f"{WAY}financials: {{payout: {{from: mx_P, default: none}}}}\n",
            "4: payout in financials can't be 'none' (not an amount like 80.00); ",
        ),
        (
            f"{WAY}financials: {{payout: {{from: mx_P, type: boolean}}}}\n",
            "4: type in field financials.payout can't be 'boolean'; known here: text, number",
        ),
        (
            f"{BACK}lead_id: [a]\n{UPDATE}",
            "3: what stands in field lead_id is a list; write key: value lines",
        ),
        (
            f"{BACK}lead_id: ''\n{UPDATE}",
            "3: from in field lead_id is empty; write a text, or leave the key out",
        ),
        (
            f"{BACK}lead_id: '`7`'\n{UPDATE}",
            "3: from in field lead_id reads nothing of the lead; name the column",
        ),
        (
            f"{BACK}lead_id: {{value: 7}}\n{UPDATE}",
            "3: unknown key 'value' in field lead_id; did you mean values?",
        ),
        (
            f"{BACK}lead_id: {{from: mx_I, default: 7}}\n{UPDATE}",
            "3: unknown key 'default' in field lead_id; ",
        ),
        (f"{WAY}{UPDATE}dry_run: maybe\n", "5: dry_run at the top can't be 'maybe'; write true or false"),
        (
            f"{WAY}{UPDATE}when: length(@)\n",
            "5: when at the top can't be used: 'length(@)' reads the whole lead ",
        ),
        (f"{WAY}{UPDATE}tests: x\n", "5: tests is one value; write a list, each test beginning with - name:"),
    ],
)
def test_feedback_files(text: str, what: str) -> None:
    assert len(what) > 30
    assert problems(text)[0].startswith(what)


@pytest.mark.parametrize(
    ("test", "what"),
    [
        ("{given: {}}", "test 1 needs either expect: or error:; write one of them"),
        ("{expect: skipped}", "given in test 1 is missing; write the lead's part that the test needs, or {}"),
        (
            "{given: [], expect: skipped}",
            "what stands under given in test 1 is a list; write key: value lines",
        ),
        (
            "{given: {mx_Zpi: x}, expect: skipped}",
            "'mx_Zpi' under given in test 1 is no column that this file reads; did you mean mx_Zip?",
        ),
        ("{given: {mx_Zip: [x]}, expect: skipped}", "mx_Zip under given in test 1 is a list; write one text"),
        (
            "{given: {}, learned: 7, expect: skipped}",
            "what stands under learned in test 1 is one value; write ",
        ),
        (
            "{given: {}, learned: {leadid: 7}, expect: skipped}",
            "unknown key 'leadid' under learned in test 1; did you mean lead_id?",
        ),
        (
            "{given: {}, expect: none}",
            "what stands under expect in test 1 is one value; write key: value lines",
        ),
        (
            "{given: {}, expect: {quarantine_id: 7}}",
            "no 'quarantine_id' to expect in test 1; known here: lead_id, update.postcode",
        ),
        (
            "{given: {}, expect: {update: x}}",
            "what stands under update under expect in test 1 is one value; ",
        ),
        (
            "{given: {}, expect: {update: {postcod: x}}}",
            "no 'update.postcod' to expect in test 1; did you mean update.postcode?",
        ),
        (
            "{given: {}, expect: {trigger_deliveries: [7]}}",
            "no 'trigger_deliveries' to expect in test 1; known ",
        ),
        ("{given: {}, learned: {}, expects: 1}", "unknown key 'expects' in test 1; did you mean expect?"),
    ],
)
def test_tests_of_feedback_files(test: str, what: str) -> None:
    assert problems(f"{WAY}{UPDATE}tests: [{test}]\n")[0].startswith(f"5: {what}")


def test_a_forward_test_has_learned_nothing() -> None:
    test = "{given: {}, learned: {lead_id: 7}, expect: {ProspectID: 7}}"
    assert problems(f"{HEAD}tests: [{test}]\n")[0].startswith("4: unknown key 'learned' in test 1; ")


@pytest.mark.parametrize(
    "line", ["lead_id: mx_Id", "quarantine_id:", UPDATE.strip(), "action: release", "dry_run: true"]
)
def test_keys_of_a_feedback_file_in_a_forward_one(line: str) -> None:
    key = line.partition(":")[0]
    what = f"4: {key} at the top is for feedback files; add direction: feedback, or remove it"
    for direction in ("", "direction: forward\n"):
        assert problems(f"{HEAD}{line}\n{direction}") == [what]


@pytest.mark.parametrize(
    "text",
    [
        f"{BACK}lead_id: {'[' * 100000}",
        f"{BACK}lead_id: mx_Id\nupdate:\n" + "".join(f"  f{n}: '@'\n" for n in range(5000)),
        f"{BACK}lead_id: mx_Id\nupdate: {{{'a' * 500_000}: mx_Zip}}\n",
        f"{WAY}trigger_deliveries: [{'9,' * 40_000}]\n",
        f"{WAY}financials: {{payout: {'9' * 500_000}}}\n",
        f"{WAY}{UPDATE}tests: [{'{given: {x: y}}, ' * 5000}]\n",
        f"{WAY}update: &u {{a: b}}\nfinancials: *u\n",
        f"{WAY}? {{a: b}}\n: c\n",
        f"{WAY}financials: {{? [payout] : mx_P}}\n",
        f"{WAY}update: {{a: {'mx_a || ' * 300}b}}\n",
        BACK + "lead_id: '" + "mx_A | " * 250 + "b'\nupdate: {}\n",
    ],
)
def test_hostile_feedback_files_are_refused(text: str) -> None:
    assert len(problems(text)) <= 101
