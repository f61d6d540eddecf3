"""How LeadSquared is called: every request as a value. Pure.

Pages: "Update Leads in Bulk v2", "Update a Lead (Async)".
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

import orjson

from bridge.errors import Refused
from bridge.exchange import Request, one_line, rooted
from bridge.leadsquared.verdict import WHO
from bridge.model import Delivery, Json, Lane

_MANAGEMENT: Final = "/LeadManagement.svc"
_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_TWO_DAYS: Final = 2 * 86400
_ALWAYS: Final = ("ProspectID", "ModifiedOn", "ProspectAutoId")

PAGE_SIZE: Final = 1000
"""How many changed leads are asked for at once."""

_LOOKUPS: Final[Mapping[str, tuple[str, str]]] = {
    "prospectid": ("/Leads.GetById", "id"),
    "emailaddress": ("/Leads.GetByEmailaddress", "emailaddress"),
    "phone": ("/RetrieveLeadByPhoneNumber", "phone"),
}


@dataclass(frozen=True, slots=True)
class Keys:
    """The account's pair of keys and where the sync host gets them: in headers, or in the query as the pages show."""

    access: str = field(repr=False)
    secret: str = field(repr=False)
    where: Literal["header", "query"] = "header"

    @property
    def query(self) -> dict[str, str]:
        return {"accessKey": self.access, "secretKey": self.secret}

    def params(self) -> dict[str, str]:
        return self.query if self.where == "query" else {}

    def headers(self) -> dict[str, str]:
        if self.where == "query":
            return {}
        return {"x-LSQ-AccessKey": self.access, "x-LSQ-SecretKey": self.secret}


def base_url(url: str) -> str:
    """The base of all calls to the sync host: `/v2` is added to a URL without a path."""
    return rooted(url, "/v2")


def is_id(name: str) -> bool:
    """Whether a field name means the lead's own id: replies spell it ProspectID, the UpdateV2 page ProspectId."""
    return name.lower() == "prospectid"


def bulk_request(base: str, keys: Keys, lane: Lane, batch: Sequence[Delivery]) -> Request:
    """`POST …/Lead/Bulk/UpdateV2`. Without a search key each lead is matched by its `ProspectId`.

    The lead's id is sent only as what it is matched by: it is no value to set.
    """
    by_id = not lane.search_by or is_id(lane.search_by)
    body: dict[str, Json] = {} if by_id else {"SearchByKey": lane.search_by}
    body["Options"] = {"PushNonExistentLeadsToUnProcessedList": lane.option == "unprocessed"}
    body["LeadPropertiesList"] = [{"Fields": _fields(one, by_id=by_id)} for one in batch]
    return Request(
        "POST", f"{base}{_MANAGEMENT}/Lead/Bulk/UpdateV2", keys.params(), _json(keys.headers()), _dump(body)
    )


def _fields(delivery: Delivery, *, by_id: bool) -> list[dict[str, str]]:
    key = delivery.key
    others = [_pair(*one) for one in delivery.fields.items() if one[0] != key and not is_id(one[0])]
    return [_pair("ProspectId" if by_id else key, delivery.lookup), *others]


def _pair(name: str, value: str) -> dict[str, str]:
    return {"Attribute": name, "Value": value}


def _json(headers: Mapping[str, str]) -> dict[str, str]:
    return {"Content-Type": "application/json", **headers}


def _dump(body: Json) -> bytes:
    """Its JSON in ASCII, all else escaped."""
    # The quicker of the two escapes nothing that need not be.
    with suppress(orjson.JSONEncodeError):
        if (fast := orjson.dumps(body)).isascii():
            return fast
    return json.dumps(body, separators=(",", ":")).encode()


def async_request(base: str, keys: Keys, api_key: str, lane: Lane, delivery: Delivery) -> Request:
    """`POST {async-host}/lead/update?leadId=…`; the id is not repeated in the body.

    Raises Refused where nothing but the id is there to send.
    """
    pairs = [_pair(*one) for one in delivery.fields.items() if not is_id(one[0])]
    if not pairs:
        raise Refused("nothing but the lead's id is mapped: there is nothing to update")
    params = {
        **keys.query,
        "leadId": delivery.lookup,
        "postUpdatedLead": "true" if lane.option == "automations" else "false",
    }
    return Request("POST", f"{base}/lead/update", params, _json({"x-api-key": api_key}), _dump(pairs))


def status_request(base: str, path: str, api_key: str, request_id: str) -> Request:
    """What became of an accepted async update. The path is unpublished, so it is a setting."""
    return Request("GET", _under(base, path), {"RequestID": request_id}, {"x-api-key": api_key})


def metrics_request(base: str, path: str, api_key: str) -> Request:
    """How long the async queue is. The path is unpublished, so it is a setting."""
    return Request("GET", _under(base, path), {}, {"x-api-key": api_key})


def _under(base: str, path: str) -> str:
    return f"{base}/{path.lstrip('/')}"


def metadata_request(base: str, keys: Keys) -> Request:
    """All lead fields of the account."""
    return Request("GET", f"{base}{_MANAGEMENT}/LeadsMetaData.Get", keys.params(), keys.headers())


def whoami_request(base: str, keys: Keys) -> Request:
    """The user behind the keys: a connection test that works from any region."""
    return Request("GET", f"{base}/Authentication.svc/UserByAccessKey.Get", keys.params(), keys.headers())


def read_back_request(base: str, keys: Keys, key: str, value: str) -> Request:
    """Read one lead by id, e-mail address or phone. Raises Refused for any other key."""
    try:
        path, name = _LOOKUPS[key.lower()]
    except KeyError:
        raise Refused(f"{WHO} cannot be asked for a lead by {one_line(key, 60)}") from None
    return Request("GET", f"{base}{_MANAGEMENT}{path}", {**keys.params(), name: value}, keys.headers())


def key_of(value: str) -> str:
    """What a value looks like that somebody looks for a lead by: ProspectID, EmailAddress or Phone."""
    if _ID.fullmatch(value):
        return "ProspectID"
    return "EmailAddress" if "@" in value else "Phone"


def changes_request(
    base: str, keys: Keys, since: float, now: float, columns: Sequence[str], page: int
) -> Request:
    """A page, from 1 on, of the leads modified in or after the second `since` (`POST …/Leads.RecentlyModified`).

    The window's end lies two days ahead of both `now` and `since`, so that it stays open whatever LeadSquared's clock
    shows. If it closed, a lead modified between two pages would leave it; all that follow would move up by one, and the
    first lead of the next page would be read by nobody. In an open window such a lead stays where it is: pages are
    sorted by ProspectAutoId, which never changes. A lead that enters it moves others to a later page, where they are
    read twice.
    """
    body = {
        "Parameter": {"FromDate": _utc(since), "ToDate": _utc(max(now, since) + _TWO_DAYS)},
        "Columns": {"Include_CSV": ",".join(_each_once([*columns, *_ALWAYS]))},
        "Paging": {"PageIndex": page, "PageSize": PAGE_SIZE},
        "Sorting": {"ColumnName": "ProspectAutoId", "Direction": "1"},
    }
    url = f"{base}{_MANAGEMENT}/Leads.RecentlyModified"
    return Request("POST", url, keys.params(), _json(keys.headers()), _dump(body))


def _utc(at: float) -> str:
    return datetime.fromtimestamp(math.floor(at), UTC).strftime("%Y-%m-%d %H:%M:%S")


def _each_once(names: Sequence[str]) -> Iterable[str]:
    """The first spelling of each name."""
    kept: dict[str, str] = {}
    for name in names:
        kept.setdefault(name.lower(), name)
    return kept.values()
