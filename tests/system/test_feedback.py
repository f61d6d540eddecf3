"""Every use of the way back, by files as users write them: what LeadByte is told, once, and what comes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from bridge.simulator import Profile, World
from bridge.simulator.leads import add_approved, add_quarantined
from bridge.simulator.schema import SCHEMA
from bridge.simulator.world import PERMISSIONS
from tests.system.conftest import MAPPING
from tests.system.roundtrip import RoundTrip

FORWARD: Final = MAPPING.read_text(encoding="utf-8")
STAGES: Final = ("Try again", "Call requested", "Disqualified")
POSTCODE: Final = {"mx_Postcode": "TN25 6QD"}
PHONE: Final = "+44-7700900123"


def example(name: str) -> str:
    """One of the examples, as it is once somebody has taken `dry_run` out."""
    text = (MAPPING.parent / "examples" / f"{name}.yaml").read_text(encoding="utf-8")
    assert "dry_run: true\n" in text
    return text.replace("dry_run: true\n", "")


def asked(what: str, *, when: str = "ProspectStage == 'Qualified'") -> str:
    """A short file of one's own."""
    return f'version: 1\ndirection: feedback\nwhen: "{when}"\n{what}\n'


def account(**profile: Any) -> World:
    """LeadSquared with the stages of the examples, and amounts in a field of text, so that anything may stand there."""
    fields = (
        replace(one, options=(*one.options, *STAGES))
        if one.name == "ProspectStage"
        else replace(one, kind="Text")
        if one.name == "mx_Payout"
        else one
        for one in SCHEMA
    )
    return World(seed=1, schema=fields, profile=Profile(**profile))


@dataclass(frozen=True)
class Ann:
    """A lead that both sides know, and the bridge between them. `id`: its leadId, or its quarantineId."""

    trip: RoundTrip
    prospect: str
    queue_id: str
    id: str

    def edit(self, **values: str) -> None:
        """The sales team changes her; the bridge does what there is to do."""
        self.trip.later()
        self.trip.edit(self.prospect, **values)
        self.trip.quiet()

    @property
    def told(self) -> list[tuple[str, Mapping[str, Any]]]:
        """What was done to her in LeadByte, in order."""
        assert {id_ for _, id_, _ in self.trip.operations()} <= {self.id}
        return [(kind, values) for kind, _, values in self.trip.operations()]

    @property
    def reason(self) -> str:
        """Why she is on the failure report; "" where she is not."""
        failure = self.trip.failures().get(self.prospect)
        return failure.reason if failure else ""


@contextmanager
def ann(
    directory: Path, back: str | Mapping[str, str], *, quarantined: bool = False, **more: Any
) -> Iterator[Ann]:
    """She came in by a form and is approved or quarantined; LeadSquared holds what LeadByte said of her."""
    files = {"back": back} if isinstance(back, str) else back
    more = {"world": account(), "forward": FORWARD, **more}
    with RoundTrip(directory, {"forward": more.pop("forward"), **files}, **more) as trip:
        prospect = trip.person("ann@example.com")
        lead = {"firstname": "Ann", "email": "ann@example.com", "phone1": "07700 900123"}
        queue_id = (add_quarantined if quarantined else add_approved)(trip.world, lead)
        trip.track(queue_id)
        trip.quiet()
        assert trip.written() == (1, 1, 0)
        response = trip.world.queue[queue_id].reply["response"]
        yield Ann(trip, prospect, queue_id, str(response["quarantineId" if quarantined else "leadId"]))


@dataclass(frozen=True)
class Use:
    """`edit`: what the sales team does. `told`: what LeadByte then does; `call`: at which endpoint, in one call."""

    file: str
    edit: Mapping[str, str]
    told: Sequence[tuple[str, Mapping[str, Any]]]
    call: str = "leads"
    quarantined: bool = False
    ends: Mapping[str, str] = field(default_factory=dict)


TRIGGER_TWO: Final = example("trigger-delivery").replace('["1053"]', "[1053, 1054]").partition("tests:")[0]
QUALIFIED: Final = {"ProspectStage": "Qualified"}
SET: Final = {"postcode": "TN25 6QD"}
USES: Final = {
    "update": Use(example("update-lead"), POSTCODE, [("update", SET)]),
    "update and reprocess": Use(
        example("reprocess"),
        {**POSTCODE, "ProspectStage": "Try again"},
        [("update", SET), ("reprocess", SET)],
        ends={"mx_Outcome": "Sold"},
    ),
    "update and trigger one delivery": Use(
        example("trigger-delivery"),
        {"ProspectStage": "Call requested"},
        [("update", {"phone1": PHONE}), ("trigger", {"phone1": PHONE, "triggerDeliveryId": "1053"})],
    ),
    "update and trigger several": Use(
        TRIGGER_TWO,
        {"ProspectStage": "Call requested"},
        [
            ("update", {"phone1": PHONE}),
            ("trigger", {"phone1": PHONE, "triggerDeliveryId": "1053"}),
            ("trigger", {"phone1": PHONE, "triggerDeliveryId": "1054"}),
        ],
    ),
    "update a lead in quarantine": Use(
        asked("quarantine_id: learned\nupdate: {postcode: mx_Postcode}", when="mx_Outcome == 'Quarantined'"),
        POSTCODE,
        [("quarantine_update", SET)],
        quarantined=True,
        ends={"mx_Outcome": "Quarantined"},
    ),
    "release": Use(
        asked("quarantine_id: learned\naction: release"),
        QUALIFIED,
        [("release", {})],
        "quarantine",
        quarantined=True,
        ends={"mx_Outcome": "Sold"},
    ),
    "update and release in one request": Use(
        example("release-quarantined"),
        {**POSTCODE, **QUALIFIED},
        [("quarantine_update", SET), ("release", SET)],
        quarantined=True,
        ends={"mx_Outcome": "Sold", "mx_Postcode": "TN25 6QD"},
    ),
    "reject": Use(
        example("reject-quarantined"),
        {"ProspectStage": "Disqualified"},
        [("reject", {})],
        "quarantine",
        quarantined=True,
        ends={"mx_Outcome": "Lost", "mx_Reject_Reason": "rejected from quarantine"},
    ),
    "update and reject in one request": Use(
        asked("quarantine_id: learned\nupdate: {postcode: mx_Postcode}\naction: reject"),
        {**POSTCODE, **QUALIFIED},
        [("quarantine_update", SET), ("reject", SET)],
        quarantined=True,
        ends={"mx_Outcome": "Lost"},
    ),
    "financials with a buyer": Use(
        example("book-sale"),
        {"ProspectStage": "Sold", "mx_Payout": "80", "mx_Revenue": "120.50"},
        [("financials", {"newPayout": Decimal("80.00"), "newRevenue": Decimal("120.50"), "BID": "33"})],
        "financials",
    ),
    "financials without a buyer": Use(
        asked("lead_id: mx_LeadByte_Id\nfinancials: {revenue: mx_Revenue}"),
        {**QUALIFIED, "mx_Revenue": "0.07"},
        [("financials", {"newRevenue": Decimal("0.07")})],
        "financials",
    ),
}


@pytest.mark.parametrize("name", USES)
def test_each_use_is_one_call_and_comes_to_rest(tmp_path: Path, name: str) -> None:
    use = USES[name]
    with ann(tmp_path, use.file, quarantined=use.quarantined) as lead:
        lead.edit(**use.edit)
        assert lead.told == use.told
        calls = lead.trip.calls()
        assert [(at, count) for (host, at), count in calls.items() if host == "leadbyte" and count] == [
            (use.call, 1)
        ]
        assert use.ends.items() <= lead.trip.crm(lead.prospect).items()
        assert lead.trip.settled()
        lead.trip.later(
            4_000
        )  # of a trigger LeadByte's replies tell nothing new: for an hour they are looked at
        assert lead.trip.settled()
        assert lead.trip.failures() == {}
        assert lead.trip.world.repeated == 0


@pytest.mark.parametrize("name", list(USES)[::4])
def test_a_dry_run_is_recorded_and_not_sent(tmp_path: Path, name: str) -> None:
    use = USES[name]
    dry = use.file.replace("direction: feedback\n", "direction: feedback\ndry_run: true\n")
    with ann(tmp_path, dry, quarantined=use.quarantined) as lead:
        lead.edit(**use.edit)
        (*_, kept) = lead.trip.deliveries(lead.prospect)
        assert (kept["state"], kept["reason"]) == ("skipped", "dry run: recorded and not sent")
        assert kept["fields"][next(iter(kept["keys"]))] == lead.id
        assert lead.told == []
        assert lead.trip.written() == (1, 1, 0)


def test_why_a_lead_was_held_is_cleared_once_it_is_sold(tmp_path: Path) -> None:
    with ann(tmp_path, example("release-quarantined"), quarantined=True) as lead:
        assert lead.trip.crm(lead.prospect)["mx_Reject_Reason"] == "held for a manual check"
        lead.edit(**POSTCODE, **QUALIFIED)
        assert lead.trip.crm(lead.prospect)["mx_Outcome"] == "Sold"
        assert "mx_Reject_Reason" not in lead.trip.crm(lead.prospect)


# which lead is meant
NO_COLUMN: Final = FORWARD.replace("  mx_LeadByte_Id: leadId\n", "").partition("tests:")[0]


@pytest.mark.parametrize("forward", [FORWARD, NO_COLUMN], ids=["in the column", "learned"])
def test_the_lead_id_is_in_the_column_or_was_learned(tmp_path: Path, forward: str) -> None:
    with ann(tmp_path, example("update-lead"), forward=forward) as lead:
        assert ("mx_LeadByte_Id" in lead.trip.crm(lead.prospect)) == (forward is FORWARD)
        lead.edit(**POSTCODE)
        assert lead.told == [("update", SET)]


def test_the_column_is_believed_more_than_what_was_learned(tmp_path: Path) -> None:
    with ann(tmp_path, example("update-lead")) as lead:
        other = add_approved(lead.trip.world, {"firstname": "Ann", "email": "other@example.com"}, lead_id=77)
        lead.edit(**POSTCODE, mx_LeadByte_Id="77")
        assert lead.trip.operations() == [("update", "77", SET)]
        assert lead.trip.world.queue[other].reply["lead"]["postcode"] == "TN25 6QD"


def test_a_lead_without_any_id_is_on_the_report_where_a_rule_means_it(tmp_path: Path) -> None:
    files = {
        "every": "version: 1\ndirection: feedback\nlead_id: mx_LeadByte_Id\nupdate: {postcode: mx_Postcode}\n",
        "sale": example("book-sale"),
    }
    with ann(tmp_path, files) as lead:
        stranger = lead.trip.person("stranger@example.com", **POSTCODE)
        lead.trip.quiet()
        assert lead.trip.failures() == {}
        lead.trip.edit(stranger, ProspectStage="Sold", mx_Payout="80")
        lead.edit(ProspectStage="Sold", mx_Payout="80", mx_Revenue="")
        (failure,) = lead.trip.failures().values()
        assert (failure.queue_id, failure.mapping, failure.state) == (stranger, "sale", "failed")
        assert failure.reason.startswith("no LeadByte lead id: mx_LeadByte_Id is empty, and none was learned")
        assert [kind for kind, _ in lead.told] == ["financials"]


# many at once
def several(trip: RoundTrip, count: int, start: Callable[..., str] = add_approved) -> list[str]:
    """So many leads that both sides know; their ProspectIDs."""
    people = [trip.person(f"lead{number}@example.com") for number in range(count)]
    ids = [start(trip.world, {"firstname": "Ann", "email": f"lead{n}@example.com"}) for n in range(count)]
    trip.track(*ids)
    trip.quiet()
    return people


def test_many_leads_travel_in_one_request_and_are_answered_one_by_one(tmp_path: Path) -> None:
    files = {"forward": FORWARD, "back": example("update-lead")}
    with RoundTrip(tmp_path, files, account(), leadbyte={"batch_size": 20}) as trip:
        people = several(trip, 30)
        trip.later()
        for number, prospect in enumerate(people):
            trip.edit(prospect, mx_Postcode=f"E{number}")
        trip.quiet()
        assert trip.calls()["leadbyte", "leads"] == 2
        told = {id_: values for _, id_, values in trip.operations()}
        assert told == {
            trip.crm(one)["mx_LeadByte_Id"]: {"postcode": f"E{n}"} for n, one in enumerate(people)
        }
        assert trip.settled()


CHECKED: Final = {
    "update": """
version: 1
direction: feedback
when: "mx_Outcome != ''"
lead_id: mx_LeadByte_Id
update: {postcode: mx_Postcode, shoesize: mx_City}
""",
    "sale": asked("lead_id: mx_LeadByte_Id\nfinancials: {payout: mx_Payout}", when="ProspectStage == 'Sold'"),
}
SOLD: Final = {"ProspectStage": "Sold"}
BAD: Final = {
    "an unknown field": ({"mx_City": "44"}, "Unknown field 'shoesize'"),
    "a lead that is not there": ({"mx_LeadByte_Id": "123"}, "Lead not found"),
    "no id at all": ({"mx_LeadByte_Id": "n/a"}, "lead_id: is no id of digits"),
    "a lead that is not valid": ({"mx_LeadByte_Id": "78"}, "Lead is not valid"),
    "malformed money": ({**SOLD, "mx_Payout": "£80"}, "payout: not an amount like 80.00"),
    "negative money": ({**SOLD, "mx_Payout": "-80"}, "payout: is negative"),
    "parts of a penny": ({**SOLD, "mx_Payout": "80.005"}, "payout: has more than two decimals"),
    "nothing to sell": ({**SOLD, "mx_Payout": "80", "mx_LeadByte_Id": "78"}, "Lead is not approved"),
}


def test_what_is_bad_of_one_lead_is_on_the_report_and_harms_no_other(tmp_path: Path) -> None:
    world = account(unknown_fields="error")
    with RoundTrip(tmp_path, {"forward": FORWARD, **CHECKED}, world) as trip:
        add_approved(world, {"email": "unsold@example.com"}, lead_id=78, buyer=None)
        *good, first, second = several(trip, len(BAD) + 2)
        trip.later()
        for prospect, (values, _) in zip(good, BAD.values(), strict=True):
            trip.edit(prospect, **(values if "ProspectStage" in values else {**POSTCODE, **values}))
        trip.edit(first, **POSTCODE)
        trip.edit(second, **SOLD, mx_Payout="80")
        trip.quiet()
        reasons = [trip.failures()[one].reason for one in good]
        assert all(words in reason for reason, (_, words) in zip(reasons, BAD.values(), strict=True)), reasons
        assert len(trip.failures()) == len(BAD)
        ids = [trip.crm(one)["mx_LeadByte_Id"] for one in (first, second)]
        assert trip.operations() == [
            ("update", ids[0], SET),
            ("financials", ids[1], {"newPayout": Decimal("80.00")}),
        ]
        assert trip.calls()["leadbyte", "leads"] == 1
        assert trip.settled()


def test_a_field_that_leadbyte_did_not_set_is_on_the_report(tmp_path: Path) -> None:
    with ann(tmp_path, CHECKED) as lead:
        lead.edit(**POSTCODE, mx_City="44")
        assert lead.told == [("update", SET)]
        (failed,) = lead.trip.failures().values()
        assert failed.reason == "LeadByte did not set every field: Lead updated; Unknown field 'shoesize'"


LACKING: Final = {
    "Leads > Update": ("update and reprocess", {"financials with a buyer"}),
    "Update Payout/Revenue": ("financials with a buyer", {"update"}),
    "Quarantine > Process": ("release", set[str]()),
}


@pytest.mark.parametrize("permission", LACKING)
def test_a_permission_that_the_key_lacks(tmp_path: Path, permission: str) -> None:
    """What needs it fails and says so; what does not is carried out; a resync mends it once the key may."""
    name, others = LACKING[permission]
    use = USES[name]
    files = {"back": use.file} | {f"other{n}": USES[one].file for n, one in enumerate(others)}
    edit = dict(use.edit) | {
        key: text for one in others for key, text in USES[one].edit.items() if key not in use.edit
    }
    if permission == "Leads > Update":
        files["other0"] = files["other0"].replace("== 'Sold'", "== 'Try again'").partition("tests:")[0]
    with ann(tmp_path, files, quarantined=use.quarantined) as lead:
        keys = lead.trip.world.leadbyte_keys
        keys[lead.trip.world.leadbyte_key] = PERMISSIONS - {permission}
        lead.edit(**edit)
        assert permission in lead.reason
        assert [kind for kind, _ in lead.told] == [kind for one in others for kind, _ in USES[one].told]
        keys[lead.trip.world.leadbyte_key] = PERMISSIONS
        assert lead.trip.resync() == 1
        lead.trip.quiet()
        assert lead.reason == ""
        assert [kind for kind, _ in lead.told][-len(use.told) :] == [kind for kind, _ in use.told]
        assert lead.trip.settled()


# once
@pytest.mark.parametrize("name", ["financials with a buyer", "update and trigger one delivery"])
def test_a_rule_acts_once_for_a_set_of_values(tmp_path: Path, name: str) -> None:
    use = USES[name]
    other = {"mx_Payout": "95.50", "Phone": "+44-7700900999"}
    with ann(tmp_path, use.file) as lead:
        lead.edit(ProspectStage="Unqualified", FirstName="Anna")
        assert lead.told == []
        lead.edit(**use.edit)
        assert lead.told == use.told
        lead.edit(**use.edit)
        lead.edit(Notes="called her", LastName="Smith")
        lead.trip.world.touch(lead.prospect)
        lead.edit(ProspectStage="Unqualified")
        lead.edit(**use.edit)
        assert lead.told == use.told
        lead.edit(ProspectStage="Unqualified")
        lead.edit(**{**use.edit, **other})
        assert len(lead.told) == 2 * len(use.told)
        assert [kind for kind, _ in lead.told] == [kind for kind, _ in use.told] * 2
        lead.edit(ProspectStage="Unqualified")
        lead.edit(**use.edit, Phone=PHONE)
        assert lead.told[-len(use.told) :] == use.told
        assert len(lead.told) == 3 * len(use.told)


def test_an_action_is_done_though_leadbyte_was_told_its_values_before(tmp_path: Path) -> None:
    """The second reprocess is another one, however its values came to LeadByte."""
    with ann(tmp_path, {"update": example("update-lead"), "again": example("reprocess")}) as lead:
        for postcode in ("E1", "E2"):
            lead.edit(mx_Postcode=postcode)
            lead.edit(ProspectStage="Try again")
            lead.edit(ProspectStage="Prospect")
        again = [values for kind, values in lead.told if kind == "reprocess"]
        assert again == [{"postcode": "E1"}, {"postcode": "E2"}]
        assert lead.trip.settled()


def test_what_failed_is_mended_by_a_resync(tmp_path: Path) -> None:
    with ann(tmp_path, example("update-lead")) as lead:
        rules = lead.trip.world.campaign.rules
        rules.valid = frozenset()
        lead.edit(**POSTCODE)
        assert "Lead is not valid" in lead.reason
        rules.valid = frozenset({"Approved"})
        assert lead.trip.settled()
        assert lead.told == []
        assert lead.trip.resync() == 1
        lead.trip.quiet()
        assert [kind for kind, _ in lead.told] == ["update"]
        assert lead.told[0][1]["postcode"] == "TN25 6QD"
        assert lead.reason == ""
        assert lead.trip.settled()


def test_what_could_not_be_mapped_is_mended_in_leadsquared(tmp_path: Path) -> None:
    with ann(tmp_path, example("book-sale")) as lead:
        lead.edit(ProspectStage="Sold", mx_Payout="£80")
        assert "not an amount" in lead.reason
        lead.edit(mx_Payout="80")
        assert lead.reason == ""
        assert [values["newPayout"] for _, values in lead.told] == [Decimal("80.00")]


def test_what_could_not_be_mapped_is_mended_in_the_file(tmp_path: Path) -> None:
    with ann(tmp_path, example("book-sale")) as lead:
        lead.edit(ProspectStage="Sold", mx_Payout="£80")
        file = example("book-sale").partition("tests:")[0]
        lead.trip.write_mapping("back", file.replace("mx_Payout ", "{from: mx_Payout, type: number} "))
        assert lead.trip.resync() == 1
        lead.trip.quiet()
        assert lead.reason == ""
        assert [values["newPayout"] for _, values in lead.told] == [Decimal("80.00")]


# on the report
def test_what_failed_stays_on_the_report_when_a_later_look_cannot_be_mapped(tmp_path: Path) -> None:
    with ann(tmp_path, example("book-sale")) as lead:
        keys = lead.trip.world.leadbyte_keys
        keys[lead.trip.world.leadbyte_key] = PERMISSIONS - {"Update Payout/Revenue"}
        lead.edit(**SOLD, mx_Payout="80")
        lead.edit(mx_Payout="80 GBP")
        failed, unmapped = (one["reason"] for one in lead.trip.deliveries(lead.prospect))
        assert "Update Payout/Revenue" in failed
        assert "not an amount" in unmapped
        assert open_of(lead) == [failed, unmapped]
        keys[lead.trip.world.leadbyte_key] = PERMISSIONS
        lead.edit(mx_Payout="80")
        assert open_of(lead) == [failed]
        assert lead.told == []
        assert lead.trip.resync() == 1
        lead.trip.quiet()
        booked = {"newPayout": Decimal("80.00"), "BID": "33"}
        assert (lead.told, open_of(lead)) == ([("financials", booked)], [])
        assert lead.trip.resync() == 0
        assert lead.trip.settled()


def open_of(lead: Ann) -> list[str]:
    """Why there are deliveries of hers that failed, oldest first."""
    return [str(one["reason"]) for one in lead.trip.deliveries(lead.prospect) if one["state"] == "failed"]


# another LeadByte lead of the same person
NOT_DECIDED: Final = (
    "done for an earlier LeadByte lead of this person; for another one only by a new decision"
)
BOOKED: Final = {"newPayout": Decimal("80.00"), "BID": "33"}
AMOUNT: Final = {**SOLD, "mx_Payout": "80"}


def another(lead: Ann, start: Callable[..., str] = add_approved) -> str:
    """She fills in another form; the bridge writes what comes of it to the CRM. The new lead's id in LeadByte."""
    lead.trip.later()
    queue_id = start(
        lead.trip.world, {"firstname": "Ann", "email": "ann@example.com", "phone1": "07700 900123"}
    )
    lead.trip.track(queue_id)
    lead.trip.quiet()
    response = lead.trip.world.queue[queue_id].reply["response"]
    return str(response["leadId" if start is add_approved else "quarantineId"])


def not_done(lead: Ann) -> list[str]:
    """The ids of her LeadByte leads for which something was not done for want of a decision."""
    kept = [one for one in lead.trip.deliveries(lead.prospect) if one["reason"] == NOT_DECIDED]
    assert {one["state"] for one in kept} <= {"skipped"}
    return [str(one["fields"][next(iter(one["keys"]))]) for one in kept]


def elsewhere(lead: Ann, number: int) -> str:
    """A lead of LeadByte that the bridge knows nothing of."""
    add_approved(lead.trip.world, {"email": f"lead{number}@example.com"}, lead_id=number)
    return str(number)


def many_forms() -> World:
    """An account that takes the same person twice."""
    world = account()
    world.campaign.rules.duplicate_by = ()
    return world


@pytest.mark.parametrize("forward", [FORWARD, NO_COLUMN], ids=["in the column", "learned"])
def test_a_sale_is_not_booked_again_for_another_form_of_the_same_person(tmp_path: Path, forward: str) -> None:
    with ann(tmp_path, example("book-sale"), world=many_forms(), forward=forward) as lead:
        lead.edit(**AMOUNT)
        booked = [("financials", lead.id, BOOKED)]
        assert lead.trip.operations() == booked
        new = another(lead)
        assert new != lead.id
        for same in ("80.0", "80.00"):
            lead.edit(mx_Payout=same)
        assert lead.trip.settled()
        assert (lead.trip.operations(), not_done(lead)) == (booked, [new])
        assert lead.trip.failures() == {}
        lead.edit(ProspectStage="Prospect")
        lead.edit(**SOLD)
        assert lead.trip.operations() == [*booked, ("financials", new, BOOKED)]
        lead.edit(ProspectStage="Prospect")
        lead.edit(**SOLD)
        assert lead.trip.settled()
        assert (len(lead.trip.operations()), not_done(lead)) == (2, [new]), "once"


def test_other_values_are_a_decision_about_the_lead_of_now(tmp_path: Path) -> None:
    with ann(tmp_path, example("book-sale"), world=many_forms()) as lead:
        lead.edit(**AMOUNT)
        new = another(lead)
        lead.edit(mx_Payout="95")
        more = {**BOOKED, "newPayout": Decimal("95.00")}
        assert lead.trip.operations() == [("financials", lead.id, BOOKED), ("financials", new, more)]


def test_every_further_form_is_recorded_once(tmp_path: Path) -> None:
    with ann(tmp_path, example("book-sale"), world=many_forms()) as lead:
        lead.edit(**AMOUNT)
        newer = [another(lead), another(lead)]
        lead.edit(Notes="called her")
        assert (len(lead.trip.operations()), not_done(lead)) == (1, newer)


def test_a_wrong_id_that_a_person_corrects_is_acted_on(tmp_path: Path) -> None:
    with ann(tmp_path, example("book-sale"), world=many_forms()) as lead:
        wrong, right = (elsewhere(lead, number) for number in (77, 78))
        lead.edit(mx_LeadByte_Id=wrong)
        lead.edit(**AMOUNT)
        assert lead.trip.operations() == [("financials", wrong, BOOKED)]
        lead.edit(mx_LeadByte_Id=right)
        assert lead.trip.operations()[1:] == [("financials", right, BOOKED)]
        assert not_done(lead) == []


def test_a_sale_booked_by_the_way_forwards_id_follows_the_id_that_a_person_sets(tmp_path: Path) -> None:
    with ann(tmp_path, example("book-sale"), world=many_forms()) as lead:
        lead.edit(**AMOUNT)
        right = elsewhere(lead, 78)
        lead.edit(mx_LeadByte_Id=right)
        assert lead.trip.operations() == [("financials", lead.id, BOOKED), ("financials", right, BOOKED)]
        assert not_done(lead) == []


STAYING: Final = asked(
    "quarantine_id: learned\naction: reject", when="ProspectStage == 'Disqualified' && mx_Outcome != 'Sold'"
)


@pytest.mark.parametrize("reject", [STAYING, example("reject-quarantined")], ids=["stays", "leaves"])
def test_another_quarantined_lead_of_the_same_person_is_not_rejected_unasked(
    tmp_path: Path, reject: str
) -> None:
    with ann(tmp_path, reject, world=many_forms(), quarantined=True) as lead:
        lead.edit(ProspectStage="Disqualified")
        rejected: list[tuple[str, str, Mapping[str, Any]]] = [("reject", lead.id, {})]
        assert lead.trip.operations() == rejected
        new = another(lead, add_quarantined)
        assert new != lead.id
        assert lead.trip.crm(lead.prospect)["mx_Outcome"] == "Quarantined"
        assert lead.trip.settled()
        assert (lead.trip.operations(), not_done(lead)) == (rejected, [new])
        lead.edit(ProspectStage="Prospect")
        lead.edit(ProspectStage="Disqualified")
        assert lead.trip.operations() == [*rejected, ("reject", new, {})]
        assert lead.trip.settled()


# what LeadByte then decides
REFUSALS: Final = {"duplicate": "already submitted", "cap": "daily cap of the campaign reached"}


@pytest.mark.parametrize("why", REFUSALS)
def test_a_release_that_ends_in_rejection_comes_forward_again(tmp_path: Path, why: str) -> None:
    with ann(tmp_path, example("release-quarantined"), quarantined=True) as lead:
        world = lead.trip.world
        if why == "cap":
            world.campaign.rules.cap = 0
        else:
            add_approved(world, {"email": "ANN@example.com"})
        lead.edit(ProspectStage="Qualified", **POSTCODE)
        assert [kind for kind, _ in lead.told] == ["quarantine_update", "release"]
        held = lead.trip.crm(lead.prospect)
        assert (held["mx_Outcome"], held["mx_Reject_Reason"]) == ("Lost", REFUSALS[why])
        assert "mx_LeadByte_Id" not in held
        assert lead.trip.settled()


@pytest.mark.parametrize("in_process", ["before", "queued"])
def test_a_released_lead_is_polled_until_leadbyte_has_decided(tmp_path: Path, in_process: str) -> None:
    """Approved late: the CRM says Sold, with the new lead id, and its sale can be booked."""
    files = {"release": example("release-quarantined"), "sale": example("book-sale")}
    with ann(tmp_path, files, quarantined=True, world=account(in_process=in_process)) as lead:
        lead.trip.world.campaign.rules.seconds = 20.0
        lead.edit(ProspectStage="Qualified", **POSTCODE)
        lead.trip.until(lambda: lead.trip.crm(lead.prospect)["mx_Outcome"] == "Sold")
        lead.trip.quiet()
        lead.trip.edit(lead.prospect, ProspectStage="Sold", mx_Payout="80", mx_Revenue="120")
        lead.trip.quiet()
        number = lead.trip.crm(lead.prospect)["mx_LeadByte_Id"]
        assert lead.trip.world.campaign.booked[number].payout == Decimal("80.00")
        assert Counter(kind for kind, _, _ in lead.trip.operations()) == {
            "quarantine_update": 1,
            "release": 1,
            "financials": 1,
        }
        assert lead.trip.settled()
