"""The simulated LeadByte is updated as its pages print: requests and replies byte for byte, each rule, each permission."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest

from bridge.simulator import (
    Limits,
    Profile,
    Refusal,
    World,
    add_approved,
    add_quarantined,
    add_rejected,
    populate,
    serve,
)

BASE = "/restapi/v1.3"
LEADS, PROCESS, FINANCIALS = f"{BASE}/leads", f"{BASE}/quarantine/process", f"{BASE}/leadfinancials"
UPDATE_PERMISSION, PROCESS_PERMISSION = "Leads > Update", "Quarantine > Process"
LEAD, HELD = "2932682", "8419715"

# The requests and replies of the vendor's pages, as printed there.
UPDATE = """{
	"leads": [
		{
			"id": "2932682",
			"update": {
				"postcode": "TN25 6QD"
			}
		}
	]
}"""
UPDATED = """{
    "status": "Success",
    "message": "OK",
    "leads": [
        {
            "id": "2932682",
            "success": true,
            "message": "Lead updated",
            "warnings": [],
            "errors": []
        }
    ]
}"""
TRIGGER = """{
	"leads": [
		{
			"id": "2932682",
			"triggerDeliveryId": "1053",
			"update": {
				"postcode": "TN25 6QD"
			}
		}
	]
}"""
REPROCESS = """{
"leads": [
	{
		"id": "2932682",
		"action" : "reprocess",
		"update": {
			"postcode": "TN25 6QD"
		}
	},
	{
		"id": "2932683",
		"action" : "reprocess",
		"update": {
			"firstname": "Joe",
			"lastname": "Blogs"
		}
	},
	{
		"id": "2932684",
		"action" : "reprocess",
		"update": {
			"postcode": "7010",
			"source": "www.LeadByte.com",
			"c1": "GoogleAdWords"
		}
	}
]
}"""
HELD_UPDATE = """{
    "leads": [
        {
            "quarantineId": "2932682",
            "update": {
                "postcode": "TN25 6QD"
            }
        }
    ]
}"""
HELD_UPDATED = """{
    "status": "Success",
    "message": "OK",
    "leads": [
        {
            "quarantineId": "2932682",
            "success": true,
            "message": "Quarantine lead updated"
        }
    ]
}"""
HELD_ACTION = """{
    "leads": [
        {
            "quarantineId": "2932682",
            "update": {
                "postcode": "TN25 6QD"
            },
            "action": "%s"
        }
    ]
}"""
HELD_QUEUED = """{
    "status": "Success",
    "message": "OK",
    "leads": [
        {
            "quarantineId": "2932682",
            "success": true,
            "message": "Quarantine lead updated"
        }
    ],
    "quaratineReleaseResults": [
        "Quarantine ID '2932682' queued for %s"
    ]
}"""
RELEASE = """{
    "quarantineId": 8419715,
    "action": "%s"
}"""
RELEASED = """{
    "status": "Success",
    "message": "Quarantined lead(s) processed successfully",
    "details": {
        "8419715": "Queued for %s"
    }
}"""
MONEY = """{
			"key": "%s",
			"leads": [
				2932682
			],
			"newPayout": 80.00,
			"newRevenue": 120.00,
			"BID": "33"
		}"""


class Clock:
    """Time that only a test moves."""

    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


Ask = Callable[[httpx.AsyncClient], Any]


def drive(world: World, *asks: Ask) -> list[Any]:
    """What each of these is answered, one after another, over HTTP."""

    async def run() -> list[Any]:
        async with serve(world) as servers, httpx.AsyncClient(base_url=servers.leadbyte, timeout=5) as client:
            return [await ask(client) for ask in asks]

    return asyncio.run(run())


def send(world: World, method: str, path: str, body: Any, key: str | None = None) -> Ask:
    """A request with the key in the header; `body` is JSON text, or what becomes JSON."""
    content = body if isinstance(body, str) else json.dumps(body)
    headers = {"X_KEY": world.leadbyte_key if key is None else key, "Content-Type": "application/json"}
    return lambda client: client.request(method, path, content=content, headers=headers)


def put(world: World, body: Any, key: str | None = None) -> Ask:
    return send(world, "PUT", LEADS, body, key)


def entries(world: World, *leads: Any, key: str | None = None) -> Ask:
    return put(world, {"leads": list(leads)}, key)


def process(world: World, quarantine_id: Any = int(HELD), action: Any = "process", **options: Any) -> Ask:
    return send(world, "POST", PROCESS, {"quarantineId": quarantine_id, "action": action}, **options)


def money(world: World, leads: list[Any], key: str | None = None, **values: Any) -> Ask:
    body = {"key": world.leadbyte_key if key is None else key, "leads": leads, **values}
    return send(world, "PUT", FINANCIALS, body, "")


def written(world: World, name: str, text: str) -> Ask:
    """Financials of the page's lead with one sum written so."""
    body = f'{{"key":"{world.leadbyte_key}","leads":[2932682],"{name}":{text}}}'
    return send(world, "PUT", FINANCIALS, body, "")


def poll(world: World, queue_id: str) -> Ask:
    return lambda client: client.get(f"{BASE}/apiqueue/{queue_id}", params={"key": world.leadbyte_key})


def compact(page: str) -> str:
    """A page's sample without its white space, its order kept."""
    return json.dumps(json.loads(page), ensure_ascii=False, separators=(",", ":"))


def fields(world: World, queue_id: str) -> Any:
    return world.queue[queue_id].reply["lead"]


def kinds(world: World) -> list[str]:
    return [operation.kind for operation in world.operations]


def sold(world: World, *ids: int) -> list[str]:
    return [
        add_approved(world, {"firstname": "Ann", "email": f"a{number}@example.com"}, lead_id=number)
        for number in ids or (int(LEAD),)
    ]


def key_with(world: World, *permissions: str) -> str:
    world.leadbyte_keys["limited$key"] = frozenset(permissions)
    return "limited$key"


# PUT /leads, valid leads


def test_an_update_is_answered_as_the_page_prints_it_and_polls_show_it() -> None:
    world = World()
    (queue_id,) = sold(world)
    answer, polled = drive(world, put(world, UPDATE), poll(world, queue_id))
    assert answer.text == compact(UPDATED)
    assert polled.json()["records"][0]["lead"]["postcode"] == "TN25 6QD"
    assert [(done.kind, done.id, done.values) for done in world.operations] == [
        ("update", LEAD, {"postcode": "TN25 6QD"})
    ]


@pytest.mark.parametrize(
    ("asked", "triggered"),
    [
        ('"triggerDeliveryId": "1053"', ["1053"]),
        ('"triggerDeliveryIds": ["1053", 1054]', ["1053", "1054"]),
        ('"triggerDeliveryId": 1053, "triggerDeliveryIds": ["1054"]', ["1053", "1054"]),
    ],
)
def test_deliveries_are_triggered_with_the_update(asked: str, triggered: list[str]) -> None:
    world = World()
    (queue_id,) = sold(world)
    body = TRIGGER.replace('"triggerDeliveryId": "1053"', asked)
    answer, polled = drive(world, put(world, body), poll(world, queue_id))
    assert answer.text == compact(UPDATED)
    assert kinds(world) == ["update"] + ["trigger"] * len(triggered)
    assert [done.values["triggerDeliveryId"] for done in world.operations[1:]] == triggered
    shown = [delivery["id"] for delivery in polled.json()["records"][0]["deliveries"]]
    assert shown == [1053, *map(int, triggered)]


def test_a_delivery_that_is_not_triggered_by_hand_fails_the_lead_and_nothing_of_it_is_done() -> None:
    world = World()
    (queue_id,) = sold(world)
    world.campaign.manual = {"1053": "CRM post"}
    lead = {"id": LEAD, "triggerDeliveryIds": ["1053", "1054"], "update": {"postcode": "X"}}
    (answer,) = drive(world, entries(world, lead))
    assert answer.json()["status"] == "Success"
    (shown,) = answer.json()["leads"]
    assert (shown["success"], shown["warnings"]) == (False, [])
    assert shown["errors"] == ["Delivery '1054' cannot be triggered manually via the REST API"]
    assert not world.operations
    assert "postcode" not in fields(world, queue_id)


@pytest.mark.parametrize("shown", ["before", "queued"])
def test_several_leads_are_reprocessed_in_one_request_and_it_takes_a_while(shown: Any) -> None:
    clock = Clock()
    world = World(clock=clock, profile=Profile(in_process=shown))
    queue_ids = sold(world, 2932682, 2932683, 2932684)
    world.campaign.rules.seconds = 10
    old = world.queue[queue_ids[0]].reply
    answer, during = drive(world, put(world, REPROCESS), poll(world, queue_ids[0]))
    printed = json.loads(UPDATED)["leads"][0]
    assert answer.json()["leads"] == [printed | {"id": str(number)} for number in (2932682, 2932683, 2932684)]
    assert kinds(world) == ["update", "reprocess"] * 3
    (meanwhile,) = during.json()["records"]
    if shown == "queued":
        assert meanwhile["status"] == "Queued"
    else:
        assert {**meanwhile, "lead": old["lead"]} == {"queueId": queue_ids[0], **old}
        assert meanwhile["lead"] == {**old["lead"], "postcode": "TN25 6QD"}
    clock.now += 10
    (polled,) = drive(world, poll(world, queue_ids[2]))
    (record,) = polled.json()["records"]
    assert (record["status"], record["response"]["leadId"]) == ("Approved", 2932684)
    assert (record["lead"]["c1"], record["processed"]) == ("GoogleAdWords", "2023-11-14T22:13:30Z")


@pytest.mark.parametrize("sent", ["2932682", 2932682])
def test_ids_are_echoed_as_they_were_sent(sent: str | int) -> None:
    world = World()
    sold(world)
    add_quarantined(world, {}, quarantine_id=int(LEAD))
    update = {"update": {"postcode": "X"}}
    (answer,) = drive(world, entries(world, {"id": sent, **update}, {"quarantineId": sent, **update}))
    assert [lead["success"] for lead in answer.json()["leads"]] == [True, True]
    assert [lead.get("id", lead.get("quarantineId")) for lead in answer.json()["leads"]] == [sent, sent]


@pytest.mark.parametrize("how", ["unknown", "rejected", "unsold", "queued", "reprocessed"])
def test_only_valid_leads_are_updated_and_the_others_of_the_request_are(how: str) -> None:
    world = World(clock=Clock())
    sold(world)
    reason = "Lead is not valid"
    match how:
        case "unknown":
            reason = "Lead not found"
        case "rejected":
            world.add_lead({"status": "Rejected", "response": {"leadId": 77}, "lead": {}})
        case "unsold":
            add_approved(world, {}, lead_id=77, buyer=None)
        case "queued":
            world.add_lead({"status": "Approved", "response": {"leadId": 77}}, ready_after=5)
        case "reprocessed":
            sold(world, 77)
            world.campaign.rules.seconds = 5
            drive(world, entries(world, {"id": 77, "action": "reprocess"}))
    world.operations.clear()
    update = {"update": {"postcode": "X"}}
    (answer,) = drive(world, entries(world, {"id": 77, **update}, {"id": LEAD, **update}))
    assert answer.json()["status"] == "Success"
    assert answer.json()["leads"][0] == {
        "id": 77,
        "success": False,
        "message": "Lead not updated",
        "warnings": [],
        "errors": [reason],
    }
    assert answer.json()["leads"][1]["success"] is True
    assert [done.id for done in world.operations] == [LEAD]


def test_which_status_words_are_valid_can_be_set() -> None:
    world = World()
    add_approved(world, {}, lead_id=77, buyer=None)
    world.campaign.rules.valid = frozenset({"Approved", "Unsold"})
    (answer,) = drive(world, entries(world, {"id": 77, "update": {"postcode": "X"}}))
    assert answer.json()["leads"][0]["success"] is True


@pytest.mark.parametrize("name", ["id", "quarantineId"])
@pytest.mark.parametrize("how", ["warning", "error"])
def test_a_field_that_leadbyte_does_not_have(name: str, how: Any) -> None:
    world = World(profile=Profile(unknown_fields=how))
    own = {"roof_type": "flat"}
    queue_id = (
        add_approved(world, own, lead_id=5) if name == "id" else add_quarantined(world, own, quarantine_id=5)
    )
    update = {"postcode": "X", "shoe_size": "44", "roof_type": "steep"}
    (answer,) = drive(world, entries(world, {name: "5", "update": update}))
    (shown,) = answer.json()["leads"]
    assert shown["success"] is (how == "warning")
    told = shown["warnings"] if how == "warning" else shown["errors"] if name == "id" else [shown["message"]]
    assert told == ["Unknown field 'shoe_size'"]
    expected = {"postcode": "X", "roof_type": "steep"} if how == "warning" else own
    assert fields(world, queue_id) == expected


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (5, "A lead must be an object"),
        ({"update": {"postcode": "X"}}, "Either id or quarantineId is required"),
        ({"id": 1, "quarantineId": 1, "update": {"postcode": "X"}}, "Either id or quarantineId is required"),
        ({"id": "", "update": {"postcode": "X"}}, "Invalid id"),
        ({"id": True, "update": {"postcode": "X"}}, "Invalid id"),
        ({"id": 1.5, "update": {"postcode": "X"}}, "Invalid id"),
        ({"id": LEAD, "update": "postcode"}, "update must be an object"),
        ({"id": LEAD, "update": {"postcode": ["X"]}}, "Invalid value for field 'postcode'"),
        ({"id": LEAD, "update": {}}, "There is nothing to update"),
        ({"id": LEAD}, "There is nothing to update"),
        ({"id": LEAD, "action": "process"}, "Invalid action"),
        ({"id": LEAD, "action": []}, "Invalid action"),
        ({"id": LEAD, "triggerDeliveryIds": "1053"}, "triggerDeliveryIds must be an array"),
        ({"id": LEAD, "triggerDeliveryId": None}, "Invalid triggerDeliveryId"),
        ({"quarantineId": HELD, "action": "reprocess"}, "Invalid action"),
        (
            {"quarantineId": HELD, "triggerDeliveryId": "1053"},
            "Deliveries can only be triggered for valid leads",
        ),
        ({"quarantineId": LEAD, "update": {"postcode": "X"}}, "Quarantined lead not found"),
        ({"id": HELD, "update": {"postcode": "X"}}, "Lead not found"),
    ],
)
def test_a_lead_that_cannot_be_updated_is_told_why_and_no_other_suffers(entry: Any, reason: str) -> None:
    world = World()
    sold(world)
    add_quarantined(world, {}, quarantine_id=int(HELD))
    (answer,) = drive(world, entries(world, entry, {"id": LEAD, "update": {"postcode": "X"}}))
    bad, good = answer.json()["leads"]
    told = [bad["message"]] if "quarantineId" in bad else bad["errors"]
    assert (bad["success"], told, good["success"]) == (False, [reason], True)
    assert kinds(world) == ["update"]


@pytest.mark.parametrize("body", ["{", "[]", "{}", '{"leads":[]}', '{"leads":{"id":1}}'])
@pytest.mark.parametrize("path", [LEADS, PROCESS, FINANCIALS])
def test_a_body_that_is_none_is_an_error(path: str, body: str) -> None:
    world = World()
    (answer,) = drive(world, send(world, "POST" if path == PROCESS else "PUT", path, body))
    assert answer.json()["status"] == "Error"
    assert not world.operations


# quarantined leads


def test_a_quarantined_lead_is_updated_and_stays_where_it_is() -> None:
    world = World()
    queue_id = add_quarantined(world, {"firstname": "Ann"}, quarantine_id=2932682)
    answer, polled = drive(world, put(world, HELD_UPDATE), poll(world, queue_id))
    assert answer.text == compact(HELD_UPDATED)
    (record,) = polled.json()["records"]
    assert (record["status"], record["response"]["quarantineId"]) == ("Quarantined", 2932682)
    assert record["lead"] == {"firstname": "Ann", "postcode": "TN25 6QD"}
    assert kinds(world) == ["quarantine_update"]


@pytest.mark.parametrize(
    ("action", "word", "kind", "status"),
    [("process", "processing", "release", "Approved"), ("reject", "rejection", "reject", "Rejected")],
)
def test_an_update_with_an_action_is_answered_as_printed(
    action: str, word: str, kind: str, status: str
) -> None:
    world = World()
    queue_id = add_quarantined(world, {"firstname": "Ann"}, quarantine_id=2932682)
    answer, polled = drive(world, put(world, HELD_ACTION % action), poll(world, queue_id))
    assert answer.text == compact(HELD_QUEUED % word)
    (record,) = polled.json()["records"]
    assert (record["status"], record["lead"]["postcode"]) == (status, "TN25 6QD")
    assert kinds(world) == ["quarantine_update", kind]


@pytest.mark.parametrize(
    ("action", "word", "status"),
    [("process", "processing", "Approved"), ("reject", "rejection", "Rejected")],
)
@pytest.mark.parametrize("shown", ["before", "queued"])
def test_a_release_and_a_rejection_are_answered_as_printed_and_polls_tell_the_rest(
    action: str, word: str, status: str, shown: Any
) -> None:
    clock = Clock()
    world = World(clock=clock, profile=Profile(in_process=shown))
    queue_id = add_quarantined(world, {"firstname": "Ann"})
    world.campaign.rules.seconds = 30
    (answer,) = drive(world, send(world, "POST", PROCESS, RELEASE % action))
    assert answer.text == compact(RELEASED % word)
    (during,) = drive(world, poll(world, queue_id))
    (meanwhile,) = during.json()["records"]
    if shown == "before":
        assert (meanwhile["status"], meanwhile["response"]["quarantineId"]) == ("Quarantined", int(HELD))
        assert meanwhile["processed"] == "2023-11-14T22:13:20Z"
    else:
        assert meanwhile["status"] == "Queued"
    clock.now += 29
    assert drive(world, poll(world, queue_id))[0].json() == during.json()
    clock.now += 1
    (polled,) = drive(world, poll(world, queue_id))
    (record,) = polled.json()["records"]
    assert (record["status"], record["lead"]) == (status, {"firstname": "Ann"})
    assert record["response"].get("payout") == ("Complete" if status == "Approved" else None)
    assert record["processed"] == "2023-11-14T22:13:50Z"
    assert (record["response"]["leadId"] is None) == (status == "Rejected")


@pytest.mark.parametrize("way", ["put", "post"])
def test_a_lead_that_is_being_released_is_not_released_again_nor_updated(way: str) -> None:
    world = World(clock=Clock())
    add_quarantined(world, {"firstname": "Ann"})
    world.campaign.rules.seconds = 30
    release = {"quarantineId": HELD, "action": "process"}
    again = process(world) if way == "post" else entries(world, release)
    first, second, update = drive(
        world, process(world), again, entries(world, {"quarantineId": HELD, "update": {"c1": "X"}})
    )
    assert first.json()["status"] == "Success"
    refused = second.json() if way == "post" else second.json()["leads"][0]
    assert refused["message"] == "Quarantined lead not found"
    assert update.json()["leads"][0]["success"] is False
    assert (kinds(world), world.repeated) == (["release"], 1)


def test_a_lead_held_for_some_time_stays_quarantined_while_it_is_released() -> None:
    clock = Clock()
    world = World(clock=clock)
    own = {"status": "Approved", "response": {"leadId": 5}, "lead": {"email": "a@example.com"}}
    queue_id = world.add_lead(own, quarantined_for=10)
    world.campaign.rules.seconds = 30
    drive(world, process(world))
    words = []
    for seconds in (0, 20, 10):
        clock.now += seconds
        words.append(drive(world, poll(world, queue_id))[0].json()["records"][0]["status"])
    assert words == ["Quarantined", "Quarantined", "Approved"]


def test_a_lead_that_is_submitted_is_approved_with_a_payout_and_can_be_booked() -> None:
    world = World()
    (sent,) = drive(world, send(world, "POST", LEADS, {"lead": {"firstname": "Ann"}}))
    (polled,) = drive(world, poll(world, sent.json()["results"][0]["queueId"]))
    (record,) = polled.json()["records"]
    assert (record["status"], record["response"]["payout"]) == ("Approved", "Complete")
    (booked,) = drive(world, money(world, [record["response"]["leadId"]], newPayout=1))
    assert booked.json()["status"] == "Success"


def test_a_released_lead_is_found_by_its_new_lead_id() -> None:
    world = World()
    queue_id = add_quarantined(world, {"firstname": "Ann"})
    drive(world, process(world), poll(world, queue_id))
    lead_id = world.queue[queue_id].reply["response"]["leadId"]
    updated, booked = drive(
        world,
        entries(world, {"id": lead_id, "update": {"postcode": "X"}}),
        money(world, [lead_id], newPayout=1),
    )
    assert updated.json()["leads"][0]["success"] is True
    assert booked.json()["status"] == "Success"


def test_a_lead_held_for_some_time_shows_an_id_of_its_own_and_is_released_with_its_own_reply() -> None:
    clock = Clock()
    world = World(clock=clock)
    own = {"status": "Approved", "response": {"leadId": 5}, "lead": {"email": "a@example.com"}}
    first, second = (world.add_lead(own, quarantined_for=60) for _ in range(2))
    held = [answer.json()["records"][0] for answer in drive(world, poll(world, first), poll(world, second))]
    assert [record["response"]["quarantineId"] for record in held] == [8419715, 8419716]
    clock.now += 5
    _, polled = drive(world, process(world, 8419716), poll(world, second))
    assert polled.json()["records"][0]["response"]["leadId"] == 5
    assert polled.json()["records"][0]["processed"] == "2023-11-14T22:13:25Z"


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ({"duplicate_by": (), "cap": 0}, -4),
        ({"duplicate_by": ("email",)}, -2),
        ({"duplicate_by": ("phone1", "email")}, -2),
        ({"required": ("postcode",)}, -5),
        ({"duplicate_by": ()}, None),
        ({"duplicate_by": ("phone1",), "cap": 1}, None),
    ],
)
@pytest.mark.parametrize("way", ["release", "reprocess"])
def test_a_release_and_a_reprocess_apply_duplication_and_caps_anew(
    way: str, rules: dict[str, Any], code: int | None
) -> None:
    world = World()
    add_approved(world, {"email": "A@example.com "})
    data = {"email": "a@example.com", "phone1": ""}
    world.campaign.rules = replace(world.campaign.rules, **rules)
    if way == "release":
        queue_id = add_quarantined(world, data)
        ask = process(world)
    else:
        queue_id = add_approved(world, data, lead_id=6)
        ask = entries(world, {"id": 6, "action": "reprocess"})
    answer, polled = drive(world, ask, poll(world, queue_id))
    assert answer.json()["status"] == "Success"
    (record,) = polled.json()["records"]
    assert record["status"] == ("Rejected" if code else "Approved")
    assert record["response"]["code"] == (code or 1)


def test_a_cap_takes_so_many_more_leads() -> None:
    world = World()
    queue_ids = [add_quarantined(world, {}) for _ in range(3)]
    world.campaign.rules.cap = 2
    asks = [process(world, 8419715 + number) for number in range(3)]
    answers = drive(world, *asks, *(poll(world, queue_id) for queue_id in queue_ids))
    words = [answer.json()["records"][0]["status"] for answer in answers[3:]]
    assert words == ["Approved", "Approved", "Rejected"]


def test_a_lead_that_nobody_buys_is_unsold() -> None:
    world = World()
    queue_id = add_quarantined(world, {})
    world.campaign.rules.buyer = None
    _, polled = drive(world, process(world), poll(world, queue_id))
    assert (polled.json()["records"][0]["status"], polled.json()["records"][0]["buyer"]) == ("Unsold", None)


@pytest.mark.parametrize("how", ["never held", "released before", "sold by itself", "an id of a valid lead"])
@pytest.mark.parametrize("not_held", ["error", "details"])
def test_a_release_of_what_is_not_quarantined_is_an_error(how: str, not_held: Any) -> None:
    clock = Clock()
    world = World(clock=clock, profile=Profile(not_held=not_held))
    match how:
        case "released before":
            add_quarantined(world, {})
            drive(world, process(world))
        case "sold by itself":
            world.add_lead({"status": "Approved", "response": {}}, quarantined_for=1)
            clock.now += 1
        case "an id of a valid lead":
            sold(world, int(HELD))
    done = len(world.operations)
    (answer,) = drive(world, process(world))
    if not_held == "error":
        assert answer.json() == {"status": "Error", "message": "Quarantined lead not found"}
    else:
        assert answer.json()["details"] == {HELD: "Quarantined lead not found"}
    assert len(world.operations) == done


@pytest.mark.parametrize(
    ("quarantine_id", "action", "message"),
    [
        ([8419715], "process", "Invalid quarantineId"),
        (None, "process", "Invalid quarantineId"),
        (8419715, "release", "Invalid action"),
        (8419715, None, "Invalid action"),
        (8419715, ["process"], "Invalid action"),
    ],
)
def test_a_release_takes_one_id_and_a_known_action(quarantine_id: Any, action: Any, message: str) -> None:
    world = World()
    add_quarantined(world, {})
    (answer,) = drive(world, process(world, quarantine_id, action))
    assert answer.json() == {"status": "Error", "message": message}
    assert not world.operations


def test_the_release_results_are_spelt_right_where_the_profile_says_so() -> None:
    world = World(profile=Profile(release_results="quarantineReleaseResults"))
    for number in (1, 2, 3):
        add_quarantined(world, {}, quarantine_id=number)
    leads = [{"quarantineId": number, "action": "process"} for number in (1, 99, 3)]
    (answer,) = drive(world, entries(world, *leads, {"quarantineId": 2, "update": {"c1": "X"}}))
    assert [lead["success"] for lead in answer.json()["leads"]] == [True, False, True, True]
    assert answer.json()["quarantineReleaseResults"] == [
        "Quarantine ID '1' queued for processing",
        "Quarantine ID '3' queued for processing",
    ]
    assert "quaratineReleaseResults" not in answer.json()


def test_populate_makes_quarantined_leads_that_can_be_released() -> None:
    world = World()
    populate(world, 300, seed=3)
    held = [lead for lead in world.queue.values() if lead.reply["status"] == "Quarantined"]
    ids = [lead.reply["response"]["quarantineId"] for lead in held if not lead.ready_at > world.clock()]
    assert ids
    answers = drive(world, *(process(world, number) for number in ids))
    assert {answer.json()["status"] for answer in answers} == {"Success"}
    assert kinds(world) == ["release"] * len(ids)


# PUT /leadfinancials


def test_the_financials_of_the_page_are_booked_to_the_penny() -> None:
    world = World()
    sold(world)
    (answer,) = drive(world, send(world, "PUT", FINANCIALS, MONEY % world.leadbyte_key, ""))
    assert answer.json()["status"] == "Success"
    booking = world.campaign.booked[LEAD]
    assert (str(booking.payout), str(booking.revenue), booking.buyer) == ("80.00", "120.00", "33")
    (done,) = world.operations
    assert (done.kind, done.id) == ("financials", LEAD)
    assert done.values == {"newPayout": Decimal("80.00"), "newRevenue": Decimal("120.00"), "BID": "33"}


@pytest.mark.parametrize("text", ["0", "0.10", "80", "1234567.89", "999999999.99", "70.1"])
def test_money_is_kept_as_it_was_written_and_what_is_left_out_stays(text: str) -> None:
    world = World()
    sold(world)
    drive(world, money(world, [LEAD], newPayout=5), written(world, "newRevenue", text))
    booking = world.campaign.booked[LEAD]
    assert (str(booking.payout), str(booking.revenue), booking.buyer) == ("5", text, None)


@pytest.mark.parametrize("name", ["newPayout", "newRevenue"])
@pytest.mark.parametrize(
    "text", ["-1", "-0.01", "-0.0", "80.001", "NaN", "Infinity", "1e9", '"80.00"', "null", "true", "[80]"]
)
def test_negative_or_malformed_money_is_refused(name: str, text: str) -> None:
    world = World()
    sold(world)
    (answer,) = drive(world, written(world, name, text))
    assert answer.json()["status"] == "Error"
    assert name in answer.json()["message"]
    assert not world.operations
    assert not world.campaign.booked


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"leads": []}, "No leads were sent"),
        ({"leads": 2932682}, "No leads were sent"),
        ({"leads": [None]}, "Invalid leadID"),
        ({"BID": "33", "newPayout": ...}, "newPayout or newRevenue is required"),
        ({"BID": 1.5}, "Invalid BID"),
    ],
)
def test_financials_name_leads_and_a_sum(values: dict[str, Any], message: str) -> None:
    world = World()
    sold(world)
    body = {"key": world.leadbyte_key, "leads": [int(LEAD)], "newPayout": 1} | values
    sent = {name: value for name, value in body.items() if value is not ...}
    (answer,) = drive(world, send(world, "PUT", FINANCIALS, sent, ""))
    assert answer.json() == {"status": "Error", "message": message}
    assert not world.operations


@pytest.mark.parametrize("mode", ["whole", "partial"])
def test_one_lead_that_is_not_approved_refuses_all_of_them(mode: Any) -> None:
    world = World(profile=Profile(financials=mode))
    sold(world, 1, 2)
    add_approved(world, {}, lead_id=3, buyer=None)
    world.add_lead({"status": "Rejected", "response": {"leadId": 4}})
    (answer,) = drive(world, money(world, [1, 3, 4, 5, 2], newPayout=80.5))
    assert answer.json() == {
        "status": "Error",
        "message": "Lead is not approved: 3; Lead is not approved: 4; Lead not found: 5",
    }
    assert list(world.campaign.booked) == ([] if mode == "whole" else ["1", "2"])
    assert len(world.operations) == len(world.campaign.booked)


def test_a_lead_that_was_rejected_has_no_lead_id_to_book_on() -> None:
    world = World()
    queue_id = add_rejected(world, {}, Refusal(-5, "Validation failed", "postcode is not valid"))
    response = world.queue[queue_id].reply["response"]
    assert response["leadId"] is None
    (answer,) = drive(world, money(world, [response["rejectionId"]], newPayout=1))
    assert answer.json()["message"].startswith("Lead not found")


# keys


@pytest.mark.parametrize(
    ("endpoint", "permission"),
    [
        ("leads", UPDATE_PERMISSION),
        ("quarantine", PROCESS_PERMISSION),
        ("financials", "Update Payout/Revenue"),
    ],
)
def test_each_operation_needs_its_own_permission(endpoint: str, permission: str) -> None:
    world = World()
    sold(world)
    add_quarantined(world, {})

    def ask(key: str) -> Ask:
        if endpoint == "leads":
            return put(world, UPDATE, key)
        if endpoint == "quarantine":
            return process(world, key=key)
        return money(world, [LEAD], key, newPayout=1)

    others = world.leadbyte_keys[world.leadbyte_key] - {permission}
    lacking = key_with(world, *others)
    world.leadbyte_keys["just$this"] = frozenset({permission})
    refused, unknown, allowed = drive(world, ask(lacking), ask("nonsense"), ask("just$this"))
    message = f'This API key does not have the "{permission}" permission'
    assert (refused.status_code, refused.json()["message"]) == (403, message)
    assert (unknown.status_code, unknown.json()["message"]) == (401, "Invalid API key")
    assert allowed.json()["status"] == "Success"
    assert world.called("leadbyte", "denied", endpoint) == 2
    assert world.called("leadbyte", "accepted", endpoint) == len(world.operations) == 1


@pytest.mark.parametrize("lacking", ["call", "entry"])
def test_an_update_with_a_release_needs_both_permissions(lacking: Any) -> None:
    world = World(profile=Profile(lacking=lacking))
    sold(world)
    add_quarantined(world, {}, quarantine_id=2932682)
    key = key_with(world, UPDATE_PERMISSION)
    release = {"quarantineId": LEAD, "update": {"c1": "X"}, "action": "process"}
    answer, without = drive(
        world,
        entries(world, release, {"id": LEAD, "update": {"c1": "X"}}, key=key),
        put(world, HELD_UPDATE, key),
    )
    message = f'This API key does not have the "{PROCESS_PERMISSION}" permission'
    if lacking == "call":
        assert (answer.status_code, answer.json()["message"]) == (403, message)
    else:
        bad, good = answer.json()["leads"]
        assert (bad["success"], bad["message"], good["success"]) == (False, message, True)
        assert "quaratineReleaseResults" not in answer.json()
    assert without.text == compact(HELD_UPDATED)
    assert kinds(world) == (["update"] if lacking == "entry" else []) + ["quarantine_update"]


def test_the_key_is_where_each_page_shows_it_and_nowhere_else() -> None:
    world = World(profile=Profile(key_header="X-KEY"))
    sold(world)
    add_quarantined(world, {})
    key, text = world.leadbyte_key, {"Content-Type": "application/json"}
    in_body = {"key": key, "quarantineId": int(HELD), "action": "process"}
    answers = drive(
        world,
        lambda client: client.put(LEADS, json=json.loads(UPDATE), params={"key": key}),
        lambda client: client.post(PROCESS, json=in_body),
        lambda client: client.put(FINANCIALS, json={"leads": [1], "newPayout": 1}, headers={"X-KEY": key}),
        lambda client: client.put(FINANCIALS, content=MONEY % key),
        lambda client: client.put(LEADS, content=UPDATE, headers={"X-KEY": key, **text}),
    )
    assert [answer.status_code for answer in answers] == [401, 401, 401, 401, 200]


# faults, limits, repetition


def every_operation(world: World) -> dict[str, Ask]:
    return {
        "leads": put(world, TRIGGER),
        "quarantine": process(world),
        "financials": money(world, [LEAD], newPayout=1),
    }


@pytest.mark.parametrize("endpoint", ["leads", "quarantine", "financials"])
@pytest.mark.parametrize(
    ("kind", "seen", "carried_out"),
    [
        ("reset_before", httpx.ReadError, False),
        ("close", httpx.RemoteProtocolError, False),
        ("reset_after", httpx.ReadError, True),
        ("hang_after", httpx.ReadError, True),
        ("cut", httpx.RemoteProtocolError, True),
    ],
)
def test_a_lost_answer_may_have_been_carried_out_or_not(
    endpoint: str, kind: str, seen: type[Exception], carried_out: bool
) -> None:
    world = World()
    sold(world)
    add_quarantined(world, {})
    ask = every_operation(world)[endpoint]
    world.faults.hang_seconds = 0.0
    world.fail_next(kind, at=f"leadbyte.{endpoint}")
    with pytest.raises(seen):
        drive(world, ask)
    assert bool(world.operations) == carried_out
    assert world.faults.happened == {(f"leadbyte.{endpoint}", kind): 1}
    drive(world, ask)
    assert world.repeated == (carried_out and endpoint != "financials")


@pytest.mark.parametrize("endpoint", ["leads", "quarantine", "financials"])
@pytest.mark.parametrize(("kind", "status"), [("error_500_after", 500), ("empty", 200)])
def test_a_call_may_be_carried_out_although_its_answer_says_nothing_of_it(
    endpoint: str, kind: str, status: int
) -> None:
    world = World()
    sold(world)
    add_quarantined(world, {})
    world.fail_next(kind, at=f"leadbyte.{endpoint}")
    (answer,) = drive(world, every_operation(world)[endpoint])
    assert (answer.status_code, "Success" in answer.text) == (status, False)
    assert world.operations


@pytest.mark.parametrize("endpoint", ["leads", "quarantine", "financials"])
@pytest.mark.parametrize(
    ("kind", "status"), [("error_500", 500), ("html_502", 502), ("mx_error_200", 200), ("denied", 401)]
)
def test_a_call_that_is_turned_away_is_not_carried_out(endpoint: str, kind: str, status: int) -> None:
    world = World()
    sold(world)
    add_quarantined(world, {})
    world.fail_next(kind, at=f"leadbyte.{endpoint}")
    (answer,) = drive(world, every_operation(world)[endpoint])
    assert answer.status_code == status
    assert not world.operations


def test_limits_hold_for_every_operation() -> None:
    world = World(clock=Clock())
    sold(world)
    add_quarantined(world, {})
    world.limit("leadbyte", Limits(1, 5.0, retry_after="seconds"))
    answers = drive(world, poll(world, "nobody"), *every_operation(world).values())
    assert [answer.status_code for answer in answers] == [200, 429, 429, 429]
    assert not world.operations


def test_what_acts_each_time_and_comes_twice_is_counted_by_its_content() -> None:
    world = World()
    sold(world)
    trigger = {"id": LEAD, "triggerDeliveryId": "1053", "update": {"postcode": "A"}}
    reprocess = {"id": LEAD, "action": "reprocess", "update": {"postcode": "A"}}
    counts = []
    for entry in (
        trigger,
        trigger | {"triggerDeliveryId": 1054},
        trigger | {"update": {"postcode": "B"}},
        trigger | {"id": int(LEAD)},
        reprocess,
        reprocess | {"update": {"postcode": "B"}},
        reprocess,
        {"id": LEAD, "update": {"postcode": "A"}},
        {"id": LEAD, "update": {"postcode": "A"}},
    ):
        drive(world, entries(world, entry))
        counts.append(world.repeated)
    assert counts == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [done.order for done in world.operations] == list(range(1, len(world.operations) + 1))


def test_a_release_that_comes_again_is_counted_although_it_is_refused() -> None:
    world = World()
    asks = [process(world), process(world, action="reject"), process(world, HELD)]
    drive(world, asks[0])
    assert world.repeated == 0
    add_quarantined(world, {})
    assert drive(world, *asks)[2].json()["status"] == "Error"
    assert (world.repeated, kinds(world)) == (1, ["release"])


def test_one_lead_twice_in_one_request_is_reprocessed_once() -> None:
    world = World()
    sold(world)
    entry = {"id": LEAD, "action": "reprocess", "update": {"postcode": "A"}}
    (answer,) = drive(world, entries(world, entry, entry))
    assert [lead["success"] for lead in answer.json()["leads"]] == [True, False]
    assert (world.repeated, kinds(world)) == (1, ["update", "reprocess"])


def test_another_process_reads_what_was_carried_out() -> None:
    clock = Clock()
    world = World(clock=clock)
    sold(world)
    asks = (put(world, TRIGGER), put(world, TRIGGER), written(world, "newPayout", "80.10"))
    *_, shown, stats = drive(
        world, *asks, lambda client: client.get("/_sim/operations"), lambda client: client.get("/_sim/stats")
    )
    assert shown.json()["repeated"] == stats.json()["repeated"] == 1
    assert stats.json()["operations"] == {"update": 2, "trigger": 2, "financials": 1}
    assert shown.json()["operations"][4] == {
        "order": 5,
        "at": clock.now,
        "kind": "financials",
        "id": LEAD,
        "values": {"newPayout": "80.10"},
    }
