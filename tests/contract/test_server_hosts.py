"""By which names a service on this machine is asked, over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from pydantic import SecretStr

from bridge.model import Track
from bridge.server import Acts, create_app, known_hosts
from tests.contract.serving import client_of
from tests.contract.test_server import AUTH, TOKEN
from tests.contract.test_server_acting import Inside
from tests.contract.test_server_metrics import MEASURED, nothing
from tests.contract.test_server_status import SEEN

PEOPLE: Sequence[Any] = (
    ("GET", "/", None), ("GET", "/v1/status", None), ("GET", "/v1/failures", None), ("POST", "/v1/resync", {}),
    ("POST", "/v1/resolve", {"delivery": 17, "as": "done"}),
)  # fmt: skip
OTHERS: Sequence[Any] = (
    ("GET", "/healthz", None), ("GET", "/readyz", None), ("GET", "/metrics", None), ("POST", "/v1/leads", ["q"]),
    ("POST", "/v1/webhooks/leadsquared/w3bhook", {}),
)  # fmt: skip
LOCAL = "127.0.0.1:8437"


def asked(listen: str, more: Sequence[str], host: str, calls: Sequence[Any]) -> list[tuple[int, str]]:
    """What a service that is told to listen there answers to these calls by that host."""

    async def measure() -> Any:
        return MEASURED

    async def intake(tracks: Iterable[Track]) -> int:
        return len(list(tracks))

    async def look() -> Any:
        return SEEN

    async def run() -> list[tuple[int, str]]:
        inside = Inside()
        app = create_app(
            intake=intake, status=nothing, token=SecretStr(TOKEN), measure=measure, look=look, changed=nothing,
            webhook_token=SecretStr("w3bhook"), acts=Acts(inside.failures, inside.resync, inside.dismiss, inside.resolve),
            known=known_hosts(listen, more),
        )  # fmt: skip
        async with client_of(app, timeout=20, headers={"Host": host, **AUTH}) as client:
            answers = [await client.request(method, path, json=body) for method, path, body in calls]
            return [(answer.status_code, answer.text) for answer in answers]

    return asyncio.run(run())


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8437", "127.0.0.1.evil.example", "10.0.0.7", ""]
)
def test_by_another_name_what_is_for_people_is_refused_and_the_rest_works(host: str) -> None:
    for code, text in asked(LOCAL, (), host, PEOPLE):
        assert (code, "BRIDGE_SERVER__HOSTS" in text) == (403, True)
    assert {code for code, _ in asked(LOCAL, (), host, OTHERS)} <= {200, 202}


@pytest.mark.parametrize(
    ("listen", "more", "host"),
    [
        (LOCAL, (), "127.0.0.1:8437"),
        (LOCAL, (), "LocalHost:1"),
        (LOCAL, (), "bridge.localhost"),
        (LOCAL, (), "[::1]:8437"),
        ("localhost:8437", (), "127.0.0.1"),
        (LOCAL, ("bridge.example.com", "fd00::7"), "Bridge.Example.com.:443"),
        (LOCAL, ("fd00::7",), "[fd00::7]"),
        ("0.0.0.0:8437", (), "10.0.0.7:8437"),
        ("[::]:8437", (), "bridge"),
        ("192.0.2.7:8437", (), "evil.example"),
        ("no-such-name.invalid:8437", (), "evil.example"),
    ],
)  # fmt: skip
def test_by_names_of_this_machine_and_of_its_proxies_everything_works(
    listen: str, more: Sequence[str], host: str
) -> None:
    assert {code for code, _ in asked(listen, more, host, PEOPLE)} == {200, 202}


@pytest.mark.parametrize(
    "host", ["a@127.0.0.1", "127.0.0.1/", "127.0.0.1:8437:1", "127.1", "[evil]", "evil\n127.0.0.1", "[::1"]
)
def test_what_is_no_host_is_unknown(host: str) -> None:
    known = known_hosts(LOCAL, ())
    assert known is not None
    assert not known(host)


def test_a_name_that_means_this_machine_is_known_where_it_is_listened_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("127.0.1.1", 0))])
    known = known_hosts("here:8437", ())
    assert known is not None
    assert (known("here:8437"), known("evil.example")) == (True, False)
