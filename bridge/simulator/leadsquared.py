"""The synchronous LeadSquared API v2: reads and metadata. The bulk update is in `bulk`."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from bridge.simulator.bulk import bulk_update
from bridge.simulator.host import Endpoint, Handler, HostSpec
from bridge.simulator.recently_modified import recently_modified
from bridge.simulator.wire import BadCallError, Call, Reply, json_reply, mx_error
from bridge.simulator.world import World

_LEADS: Final = "/v2/LeadManagement.svc"
_MOST_IDS: Final = 10_000
_BAD_BODY: Final = mx_error(
    400, "MXInvalidInputException", "The message body is not as per API specification"
)
MISSING: Final = mx_error(
    404, "MXNotFoundException", "The API could not be found. Please check the API signature."
)


DENIED: Final = mx_error(401, "MXInvalidAccessDetailsException", "Invalid AccessKey or SecretKey")


def wrong_region(host: str) -> Reply:
    """The answer to an account that lives at another host ("API hosts")."""
    text = f"Your account is hosted in another region. Please use the API host {host}"
    return mx_error(401, "MXUnAuthorizedAccessException", text)


def keys_gate(world: World, call: Call) -> Reply | None:
    """Keys as headers or in the query ("Authentication"); wrong ones: 401. A wrong region names the right host."""
    access = call.headers.get("x-LSQ-AccessKey") or call.query.get("accessKey")
    secret = call.headers.get("x-LSQ-SecretKey") or call.query.get("secretKey")
    if (access, secret) != (world.access_key, world.secret_key):
        return DENIED
    return None


def _region_gate(world: World, call: Call) -> Reply | None:
    denied = keys_gate(world, call)
    if denied is None and world.region_host:
        return wrong_region(world.region_host)
    return denied


def metadata(world: World, call: Call) -> Reply:
    """LeadsMetaData.Get ("Get Metadata")."""
    return json_reply(world.crm.metadata(options=call.query.get("excludeOptionSets") != "1"))


def by_ids(world: World, call: Call) -> Reply:
    """Leads/Retrieve/ByIds: up to 10,000 ids; those not known are left out."""
    body = call.json(_BAD_BODY)
    try:
        ids = body["SearchParameters"]["LeadIds"]
        paging = body.get("Paging") or {}
        index, size = int(paging.get("PageIndex", 1)), int(paging.get("PageSize", 1000))
        listed = (body.get("Columns") or {}).get("Include_CSV", "")
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadCallError(_BAD_BODY) from None
    if len(ids) > _MOST_IDS:
        return mx_error(500, "MXInvalidInputException", f"A maximum of {_MOST_IDS} leads can be retrieved")
    columns = [name.strip() for name in listed.split(",") if name.strip()]
    found = [prospect for prospect in (world.crm.find("ProspectID", str(text)) for text in ids) if prospect]
    page = found[(index - 1) * size : index * size]
    return json_reply({"RecordCount": len(found), "Leads": [world.crm.flat(lead, columns) for lead in page]})


def _by_unique(field: str, parameter: str, world: World, call: Call) -> Reply:
    value = call.query.get(parameter)
    if value is None:
        return mx_error(500, "MXMandatoryAttributeMissingException", f"'{parameter}' is mandatory")
    prospect = world.crm.find(field, value)
    return json_reply([world.crm.flat(prospect)] if prospect else [])


def by_phone(world: World, call: Call) -> Reply:
    """RetrieveLeadByPhoneNumber: every lead that has this number, the country's code left out or not."""
    value = call.query.get("phone")
    if value is None:
        return mx_error(500, "MXMandatoryAttributeMissingException", "'phone' is mandatory")
    return json_reply([world.crm.flat(prospect) for prospect in world.crm.by_phone(value)])


def lookup(field: str, parameter: str) -> Handler:
    """A read by one unique field: an array of at most one lead."""
    return partial(_by_unique, field, parameter)


def user(world: World, _call: Call) -> Reply:
    """UserByAccessKey.Get ("Authenticate a User"): answers from any region and names the account's own host."""
    host = world.region_host or "api.leadsquared.com"
    shown: dict[str, Any] = {
        "Id": "1a50c565-8525-11ea-a93b-0aa4c559f4ca",
        "Name": "Bridge",
        "PassPhrase": "bridge@example.com",
        "Role": "Administrator",
        "TimeZone": "Europe/London",
        "Type": "ApplicationUser",
        "OrgDisplayName": "Simulated account",
        "DefaultCountryCode": "44",
        "LSQCommonServiceURLs": {"api": host, "app": "app.leadsquared.com"},
    }
    return json_reply(shown)


LEADSQUARED: Final = HostSpec(
    name="leadsquared",
    routes={
        ("POST", f"{_LEADS}/Lead/Bulk/UpdateV2"): Endpoint("bulk_update", _region_gate, bulk_update),
        ("GET", f"{_LEADS}/LeadsMetaData.Get"): Endpoint("metadata", _region_gate, metadata),
        ("POST", f"{_LEADS}/Leads/Retrieve/ByIds"): Endpoint("by_ids", _region_gate, by_ids),
        ("GET", f"{_LEADS}/Leads.GetByEmailaddress"): Endpoint(
            "by_email", _region_gate, lookup("EmailAddress", "emailaddress")
        ),
        ("GET", f"{_LEADS}/RetrieveLeadByPhoneNumber"): Endpoint("by_phone", _region_gate, by_phone),
        ("POST", f"{_LEADS}/Leads.RecentlyModified"): Endpoint(
            "recently_modified", _region_gate, recently_modified
        ),
        ("GET", f"{_LEADS}/Leads.GetById"): Endpoint("by_id", _region_gate, lookup("ProspectID", "id")),
        ("GET", "/v2/Authentication.svc/UserByAccessKey.Get"): Endpoint("user", keys_gate, user),
    },
    missing=MISSING,
    whole_error=partial(mx_error, 500),
    denied=DENIED,
    wrong_region=wrong_region,
)
