"""What must hold of every bridge that has nothing left to do, whatever happened to it before."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from decimal import Decimal
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.store.schema import guards
from tests.crash.cast import Cast
from tests.crash.sales import STAGES, Done, Party, Sales, values_of
from tests.system.conftest import Simulator

if TYPE_CHECKING:
    from tests.crash.conftest import Ward

DONE = {"synced", "skipped", "superseded"}
REPORTED = {"failed", "unprocessed"}


def hold(ward: Ward, simulator: Simulator, cast: Cast) -> None:
    """Every invariant, of a bridge that is at rest and all of whose leads that the CRM knows are done."""
    sound(ward)
    with closing(sqlite3.connect(ward.database)) as database:
        database.row_factory = sqlite3.Row
        accounted_for(database, cast)
    newest(simulator, cast)
    assert simulator.world.doubled == 0
    assert simulator.world.tasks.overlaps == 0, "two async updates of one lead were in flight"
    assert max(cast.fired().values(), default=0) <= 1, "automations were fired twice"


def sound(ward: Ward) -> None:
    """What holds of every bridge that is at rest, whatever it worked on."""
    with closing(sqlite3.connect(ward.database)) as database:
        database.row_factory = sqlite3.Row
        whole(database)
        at_rest(database)
        explained(database)
    reported(ward)
    audited(ward)


def acted(ward: Ward, sales: Sales) -> None:
    """What may not be repeated was done once for each delivery that says so, and for no other; all else is explained."""
    sound(ward)
    assert sales.simulator.world.repeated == 0
    synced = Counter(told for one in sales.sent("synced") for told in one.told)
    assert sales.did() == synced
    assert max(synced.values(), default=0) <= 1
    assert all(one.state in DONE or (one.state == "failed" and one.reason) for one in sales.sent())
    for party in sales.parties:
        heard(ward, sales, party)


def heard(ward: Ward, sales: Sales, party: Party) -> None:
    """What the CRM now says of somebody is what LeadByte holds, or was done there, or is on the report."""
    world = sales.simulator.world
    crm = world.crm.leads[party.prospect]
    failed = {one.mapping for one in sales.sent("failed") if one.queue_id == party.prospect}
    lead_id = crm.get("mx_LeadByte_Id", "")
    lead = world.campaign.lead(lead_id)
    wanted = crm.get("mx_City")
    if lead and wanted and "city" not in failed:
        assert lead.reply["lead"].get("towncity") == wanted, party
    if lead and "mx_Payout" in crm and "money" not in failed:
        booked = world.campaign.booked[lead_id]
        assert (booked.payout, booked.revenue) == (Decimal(crm["mx_Payout"]), Decimal(crm["mx_Revenue"]))
    for done in asked_for(sales, party, crm):
        assert sales.did()[done] == 1 or done[0] in failed, (party, done)


def asked_for(sales: Sales, party: Party, crm: Mapping[str, str]) -> Iterator[Done]:
    """What the CRM's stage of somebody asks for, with the values that are there now."""
    postcode = {"postcode": crm["mx_Postcode"]} if "mx_Postcode" in crm else {}
    held = str(sales.simulator.world.queue[party.queue_id].quarantine_id)
    lead_id, stage = crm.get("mx_LeadByte_Id", ""), crm["ProspectStage"]
    if crm.get("mx_Outcome") == "Quarantined":
        if stage == STAGES["release"]:
            yield "release", held, values_of(postcode)
        if stage == STAGES["reject"]:
            yield "reject", held, values_of({})
    if stage == STAGES["reprocess"]:
        yield "reprocess", lead_id, values_of(postcode)
    if stage == STAGES["trigger"]:
        yield "trigger", lead_id, values_of({**postcode, "triggerDeliveryId": "1053"})


def whole(database: sqlite3.Connection) -> None:
    """The file is sound and its guards are in force, so that no state can have changed but by a transition."""
    assert [tuple(row) for row in database.execute("PRAGMA integrity_check")] == [("ok",)]
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    held = dict(database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall())
    assert held.items() >= guards().items()
    assert "attempt_is_append_only" in held


def at_rest(database: sqlite3.Connection) -> None:
    """Nothing is on its way or claimed."""
    moving = "SELECT id, state, reason FROM delivery WHERE state IN ('pending', 'sending', 'submitted', 'in_doubt')"
    assert [tuple(row) for row in database.execute(moving)] == []
    # A lead that LeadByte was told to process anew is looked at for an hour, where it stays what it was.
    waiting = (
        "SELECT id, state FROM queue_item WHERE (state = 'waiting' AND settles_at IS NULL)"
        " OR (state = 'resolved' AND NOT mapped)"
    )
    assert [tuple(row) for row in database.execute(waiting)] == []


def explained(database: sqlite3.Connection) -> None:
    """What is synced has an attempt that says so, and nothing was sent after that."""
    attempts: dict[int, list[str]] = {}
    for row in database.execute("SELECT delivery_id, state FROM attempt ORDER BY id"):
        attempts.setdefault(row["delivery_id"], []).append(row["state"])
    for row in database.execute("SELECT id, state FROM delivery"):
        states = attempts.get(row["id"], [])
        assert all(before not in DONE for before, _ in pairwise(states)), (row["id"], states)
        if row["state"] == "synced":
            assert states[-1:] == ["synced"], (row["id"], states)


def accounted_for(database: sqlite3.Connection, cast: Cast) -> None:
    """Every queueId is tracked, and all that became of it is done or on the report for a reason."""
    tracked = {row[0] for row in database.execute("SELECT queue_id FROM queue_item")}
    assert tracked == set(cast.results)
    assert database.execute("SELECT sum(tracked) FROM ledger").fetchone()[0] == len(tracked)
    rows = database.execute(
        "SELECT i.queue_id, i.state AS item, d.state, d.mapping, coalesce(d.reason, i.reason, '') AS reason"
        " FROM queue_item i LEFT JOIN delivery d ON d.item_id = i.id"
    ).fetchall()
    for row in rows:
        known = cast.results[row["queue_id"]].known
        assert row["state"] in (DONE if known else DONE | REPORTED), tuple(row)
        if row["state"] in REPORTED:
            assert "not exist" in row["reason"], tuple(row)


def reported(ward: Ward) -> None:
    """The reports are whole, and the latest tells of every lead that is not done."""
    latest = whole_reports(ward.state / "reports")["latest.json"]
    with closing(sqlite3.connect(ward.database)) as database:
        wanted = database.execute(
            "SELECT i.queue_id, d.mapping, d.state FROM delivery d JOIN queue_item i ON i.id = d.item_id"
            " WHERE d.state IN ('failed', 'unprocessed', 'in_doubt')"
            " UNION ALL SELECT queue_id, NULL, state FROM queue_item WHERE state = 'expired'"
        ).fetchall()
    told = [(lead["queue_id"], lead["mapping"], lead["state"]) for lead in latest["leads"]]
    assert sorted(told, key=str) == sorted(wanted, key=str)


def whole_reports(directory: Path) -> dict[str, Any]:
    """Every report by its name, read; each is whole."""
    files = [path for path in directory.glob("[!.]*") if path.is_file()]
    return {path.name: READERS[path.suffix](path.read_text("utf-8")) for path in files}


def _rows(text: str) -> list[list[str]]:
    assert text.endswith("\n")
    rows = list(csv.reader(io.StringIO(text)))
    assert {len(row) for row in rows} == {len(rows[0])}
    return rows


def _page(text: str) -> str:
    assert text.rstrip().endswith("</html>")
    HTMLParser().feed(text)
    return text


READERS = {".json": json.loads, ".csv": _rows, ".html": _page}


def newest(simulator: Simulator, cast: Cast) -> None:
    """The CRM holds the newest value of everybody it knows, by both ways."""
    for person in cast.people:
        if person.known:
            held = simulator.world.crm.leads[person.prospect]
            assert (held.get("mx_Source"), held.get("mx_Buyer")) == (person.mark, person.mark), person


def audited(ward: Ward) -> None:
    """The bridge's own account adds up."""
    said = ward.does("audit")
    assert said.code == 0, said
