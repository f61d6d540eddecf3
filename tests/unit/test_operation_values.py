"""What LeadByte can be told to do: which may be repeated, which permission each needs, and what no request may say."""

import re
from decimal import Decimal
from typing import Any

import pytest

from bridge.errors import LeadUnmappable
from bridge.operation import Financials, LeadUpdate, QuarantineProcess, QuarantineUpdate, amount

ZIP = {"postcode": "TN25 6QD"}


@pytest.mark.parametrize(
    ("entry", "repeatable", "needs"),
    [
        (LeadUpdate("5", ZIP), True, ("Leads > Update",)),
        (LeadUpdate("5", ZIP, "reprocess"), False, ("Leads > Update",)),
        (LeadUpdate("5", ZIP, trigger=("1053",)), False, ("Leads > Update",)),
        (QuarantineUpdate("5", ZIP), True, ("Leads > Update",)),
        (QuarantineUpdate("5", ZIP, "process"), False, ("Leads > Update", "Quarantine > Process")),
        (QuarantineUpdate("5", ZIP, "reject"), False, ("Leads > Update", "Quarantine > Process")),
        (QuarantineProcess("5", "process"), False, ("Quarantine > Process",)),
        (Financials(("5",), Decimal(80)), True, ("Update Payout/Revenue",)),
    ],
)
def test_what_sets_values_is_repeatable_and_each_names_its_permission(
    entry: Any, repeatable: bool, needs: tuple[str, ...]
) -> None:
    assert entry.repeatable is repeatable
    assert entry.needs == needs


@pytest.mark.parametrize("lead", ["", " ", "5 6", "n/a", "none", "a@b.c", "٣", "5\n", "1" * 65, '5"'])
def test_an_id_that_is_none_is_told_without_its_value(lead: str) -> None:
    for make in (
        lambda: LeadUpdate(lead, ZIP),
        lambda: QuarantineUpdate(lead, ZIP),
        lambda: QuarantineProcess(lead, "process"),
        lambda: Financials((lead,), Decimal(1)),
    ):
        with pytest.raises(
            LeadUnmappable, match=r"^(lead_id|quarantine_id): is (missing|no id of )"
        ) as error:
            make()
        assert "\n" not in str(error.value)
        assert "a@b.c" not in str(error.value)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: LeadUpdate("5", {}), "update: no field to set"),
        (lambda: LeadUpdate("5", {}, "reprocess"), "update: no field to set"),
        (lambda: QuarantineUpdate("5", {}), "update: no field to set"),
        (lambda: LeadUpdate("5", ZIP, "release"), "action: is none for such a lead"),
        (lambda: QuarantineUpdate("5", ZIP, "reprocess"), "action: is none for such a lead"),
        (lambda: QuarantineProcess("5", "release"), "action: is none for such a lead"),
        (lambda: QuarantineProcess("5", ""), "action: is missing"),
        (lambda: LeadUpdate("5", {"": "x"}), "update: the name of a field is empty"),
        (lambda: QuarantineUpdate("5", {"a": "x", " ": "y"}), "update: the name of a field is empty"),
        (lambda: LeadUpdate("5", {"a\n": "x"}), "update: the name of a field is empty, or not printable"),
        (lambda: LeadUpdate("5", ZIP, trigger=("",)), "trigger_deliveries: is missing"),
        (lambda: LeadUpdate("5", ZIP, trigger=("1", "x2")), "trigger_deliveries: is no id of digits"),
        (
            lambda: LeadUpdate("5", ZIP, trigger=("1", "1")),
            "trigger_deliveries: the same id stands there twice",
        ),
        (lambda: Financials((), Decimal(1)), "lead_id: is missing"),
        (lambda: Financials(("5", "5"), Decimal(1)), "lead_id: the same id stands there twice"),
        (lambda: Financials(("5",)), "financials: neither a payout nor a revenue"),
        (lambda: Financials(("5",), Decimal(1), buyer="Acme"), "buyer: is no id"),
        (lambda: Financials(("5",), Decimal("-0.01")), "payout: is negative"),
        (lambda: Financials(("5",), revenue=Decimal("80.005")), "revenue: has more than two decimals"),
        (lambda: Financials(("5",), Decimal("1E-999999")), "payout: has more than two decimals"),
        (lambda: Financials(("5",), Decimal("1E+12")), "payout: has more than 12 digits"),
        (lambda: Financials(("5",), Decimal("NaN")), "payout: not an amount"),
        (lambda: Financials(("5",), Decimal("sNaN")), "payout: not an amount"),
        (lambda: Financials(("5",), revenue=Decimal("Infinity")), "revenue: not an amount"),
    ],
)
def test_what_no_request_may_say_is_told(make: Any, reason: str) -> None:
    with pytest.raises(LeadUnmappable, match=re.escape(reason)):
        make()


@pytest.mark.parametrize(
    "text",
    ["", " 80", "£80", "1,000.00", "1e2", "80.", ".5", "+80", "1_000", "٣", "NaN", "80.00\n", "9" * 41],
)
def test_an_amount_is_plain_digits(text: str) -> None:
    with pytest.raises(LeadUnmappable, match=r"^payout: not an amount like 80\.00$"):
        amount("payout", text)
