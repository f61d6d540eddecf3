"""The kinds of values that settings have, each checked. A check's message says what is wrong and what to do."""

from __future__ import annotations

import ipaddress
import json
import re
from pathlib import Path
from typing import Annotated, Final, NoReturn, TypeAlias
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode

from bridge.model import Verdict

WORDS: Final = (Verdict.FINAL, Verdict.PENDING, Verdict.QUARANTINED)
PLAIN: Final = "write it like https://acme.example.com"
WEBHOOK: Final = "copy the webhook's address again, all of it"
ONLY_HOSTS: Final = "write hosts without scheme and port, like bridge.example.com, with commas between them"
LIST: Final = f"is no list; {ONLY_HOSTS}"
HOST: Final = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")


def wrong(text: str) -> NoReturn:
    """Refuse a value. `text`: what is wrong; what to do."""
    raise PydanticCustomError("setting", "{text}", {"text": text})


def _url(value: str) -> str:
    if not value:
        return value
    parts = _split(value)
    if parts.scheme not in {"http", "https"}:
        wrong("does not begin with https://; write it like https://acme.example.com")
    host = _host(parts)
    if "@" in parts.netloc or parts.query or parts.fragment or "?" in value or "#" in value:
        wrong("holds more than scheme and host; keys go into settings of their own")
    if parts.scheme == "http" and not _loopback(host):
        wrong("is http, so the keys would travel unencrypted; write https://")
    return value.rstrip("/")


def _split(value: str, todo: str = PLAIN) -> SplitResult:
    if not value.isascii() or not value.isprintable() or " " in value:
        wrong(f"holds a space or a character that no URL has; {todo}")
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        wrong(f"is no URL; {todo}")
    return parts


def _host(parts: SplitResult, todo: str = PLAIN) -> str:
    host = parts.hostname or ""
    if not HOST.fullmatch(host) and not _address(host):
        wrong(f"names no host; {todo}")
    return host


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback)


def _secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value().strip()
    if not text.isascii() or not text.isprintable() or " " in text:
        wrong(
            "holds a space or a character that no key has; copy the key again, without quotes or line breaks"
        )
    return SecretStr(text)


def _webhook(value: SecretStr) -> SecretStr:
    """A webhook's address, which is its key: all of it is secret."""
    text = _secret(value).get_secret_value()
    if not text:
        return value
    parts = _split(text, WEBHOOK)
    if parts.scheme not in {"http", "https"}:
        wrong(f"does not begin with https://; {WEBHOOK}")
    host = _host(parts, WEBHOOK)
    if "@" in parts.netloc or "#" in text:
        wrong(f"holds a name or a fragment, which no webhook has; {WEBHOOK}")
    if parts.scheme == "http" and not _loopback(host):
        wrong("is http, so the messages would travel unencrypted; write https://")
    if not _callable(text):
        wrong(f"is no URL; {WEBHOOK}")
    return SecretStr(text)


def _callable(url: str) -> bool:
    """Whether the client takes it: it knows better what no address is."""
    import httpx

    try:
        httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return True


def _header(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_!#$%&'*+.^`|~-]+", value):
        wrong("is no name of an HTTP header; write it like X_KEY")
    return value


def _path(value: str) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9._~/-]*", value):
        wrong("is no path; write it like /lead/update/status")
    return value


def _listen(value: str) -> str:
    if not value:
        return value
    try:
        parts = urlsplit(f"//{value}")
        plain = parts.hostname is not None and parts.port is not None and parts.netloc == value
    except ValueError:
        plain = False
    if not plain or "@" in value:
        wrong("is not HOST:PORT; write it like 127.0.0.1:8437, or leave it empty for no server")
    return value


def _hosts(value: object) -> object:
    """Names and addresses, in lower case; an IPv6 address without its brackets."""
    if isinstance(value, str):
        value = _json_list(value) if value.strip() == "[]" or '"' in value else value.split(",")
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        wrong(LIST)
    hosts = [one.strip().lower().removesuffix(".").removeprefix("[").removesuffix("]") for one in value]
    if any(not HOST.fullmatch(host) and not _address(host) for host in hosts):
        wrong(f"holds what is no host; {ONLY_HOSTS}")
    return tuple(hosts)


def _json_list(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        wrong(LIST)


def _account(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", value):
        wrong("is no name; write 1 to 64 letters, digits, dots, dashes or underscores")
    return value


def _directory(value: Path) -> Path:
    if "\0" in str(value):
        wrong("holds a NUL character; write the path of a directory")
    return value.expanduser() if str(value).startswith("~/") else value


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _statuses(value: object) -> object:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            wrong('is no JSON; write it like {"Sold": "final", "On hold": "pending"}')
    if not isinstance(value, dict):
        wrong('is no JSON object; write it like {"Sold": "final", "On hold": "pending"}')
    if any(meaning not in WORDS for meaning in value.values()):
        wrong(f"gives a word a meaning that does not exist; the meanings are {', '.join(WORDS)}")
    return {word: Verdict(meaning) for word, meaning in value.items()}


Url: TypeAlias = Annotated[str, AfterValidator(_url)]
Secret: TypeAlias = Annotated[SecretStr, AfterValidator(_secret)]
Webhook: TypeAlias = Annotated[SecretStr, AfterValidator(_webhook)]
HeaderName: TypeAlias = Annotated[str, AfterValidator(_header)]
UrlPath: TypeAlias = Annotated[str, AfterValidator(_path)]
Listen: TypeAlias = Annotated[str, AfterValidator(_listen)]
Hosts: TypeAlias = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_hosts)]
Account: TypeAlias = Annotated[str, AfterValidator(_account)]
Directory: TypeAlias = Annotated[Path, AfterValidator(_directory)]
Statuses: TypeAlias = Annotated[dict[str, Verdict], NoDecode, BeforeValidator(_statuses)]
Word: Final = BeforeValidator(_lower)
Seconds: TypeAlias = Annotated[float, Field(gt=0, le=31_536_000, allow_inf_nan=False)]
SecondsOrNone: TypeAlias = Annotated[float, Field(ge=0, le=31_536_000, allow_inf_nan=False)]
Days: TypeAlias = Annotated[int, Field(ge=0, le=36_500)]
Calls: TypeAlias = Annotated[int, Field(ge=0, le=1_000_000)]
Leads: TypeAlias = Annotated[int, Field(ge=0, le=1_000_000_000)]
