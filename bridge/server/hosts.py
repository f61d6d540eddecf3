"""By which names the bridge is asked: a web page whose own name was pointed at this machine asks by that one."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import urlsplit

_HOST: Final = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{0,5})?", re.ASCII)

Known = Callable[[str], bool]
"""Whether the text of a header `Host` names the bridge."""


def known_hosts(listen: str, more: Iterable[str]) -> Known | None:
    """For an address `HOST:PORT` that only this machine reaches: names of this machine, HOST and `more` are known. None for
    other addresses: who is reached from elsewhere has names that nobody can list."""
    own = urlsplit(f"//{listen}").hostname or ""
    if not _only_here(own):
        return None
    names = {own, *(each.lower() for each in more)}

    def known(host: str) -> bool:
        name = _name(host)
        return _is_local(name) or name in names

    return known


def _name(host: str) -> str:
    found = _HOST.fullmatch(host.lower())
    return (found[1] or found[2]).removesuffix(".") if found else ""


def _is_local(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _only_here(host: str) -> bool:
    if _is_local(host):
        return True
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        return False
    return _is_local(str(found[0][4][0]))
