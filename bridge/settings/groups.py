"""The settings as values, in the groups of the design, with their defaults and what each means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import quote, unquote

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from bridge.errors import SettingsError
from bridge.settings.values import (
    Account,
    Calls,
    Days,
    Directory,
    HeaderName,
    Hosts,
    Leads,
    Listen,
    Seconds,
    SecondsOrNone,
    Secret,
    Statuses,
    Url,
    UrlPath,
    Webhook,
    Word,
)

UNSET = SecretStr("")
KEYLIKE: Final = re.compile(r"[^/?&=]{16,}")


class Group(BaseModel):
    """Settings that share the first part of their names. Text that is not set is empty."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=False)


class Leadbyte(Group):
    """Where queue results come from, and how often it is asked."""

    url: Url = Field(default="", description="Your LeadByte, like https://acme.leadbyte.co.uk")
    key: Secret = Field(default=UNSET, description='REST API key with the permission "API queue"')
    key_header: HeaderName = Field(
        default="X_KEY", description="Header that carries the key, where it goes in a header"
    )
    queue_key_in: Annotated[Literal["query", "header"], Word] = Field(
        default="query", description="Where a poll of the queue carries the key"
    )
    concurrency: int = Field(default=16, ge=1, le=256, description="Polls in flight at one time")
    rate_calls: Calls = Field(default=0, description="Calls in RATE_SECONDS; 0 for no limit of ours")
    rate_seconds: Seconds = Field(default=1.0, description="Seconds that RATE_CALLS counts in")
    poll_first_seconds: Seconds = Field(
        default=2.0, description="Seconds before a lead is polled again the first time"
    )
    poll_max_seconds: Seconds = Field(
        default=300.0, description="Longest interval between polls of a lead, in seconds"
    )
    poll_deadline_seconds: Seconds = Field(
        default=86400.0, description="Seconds after which a lead without a final result is expired"
    )
    statuses: Statuses = Field(
        default_factory=dict,
        description="JSON object of status words and what they mean, over the built-in ones: final, pending, quarantined",
    )
    batch_size: int = Field(
        default=25, ge=1, le=100, description="Most leads in one update of leads in LeadByte"
    )
    batch_linger_seconds: SecondsOrNone = Field(
        default=1.0, description="Seconds an update for LeadByte waits for others to fill a batch"
    )


class Leadsquared(Group):
    """Where lead updates go, and how fast."""

    url: Url = Field(default="", description="API host of your region, like https://api-in21.leadsquared.com")
    async_url: Url = Field(
        default="", description="Async API host, like https://asyncapi-in21.leadsquared.com"
    )
    access_key: Secret = Field(
        default=UNSET, description="Access key of the LeadSquared user the bridge works as"
    )
    secret_key: Secret = Field(default=UNSET, description="Secret key that belongs to the access key")
    async_api_key: Secret = Field(default=UNSET, description="x-api-key of the async API")
    keys_in: Annotated[Literal["header", "query"], Word] = Field(
        default="header", description="Where calls to the sync host carry the keys"
    )
    rate_calls: Calls = Field(default=25, description="Calls in RATE_SECONDS; 0 for no limit of ours")
    rate_seconds: Seconds = Field(default=5.0, description="Seconds that RATE_CALLS counts in")
    batch_size: int = Field(default=25, ge=1, le=25, description="Most leads in one bulk update")
    batch_linger_seconds: SecondsOrNone = Field(
        default=1.0, description="Seconds a lead waits for others to fill a batch"
    )
    status_path: UrlPath = Field(default="/lead/update/status", description="Path of the async status API")
    metrics_path: UrlPath = Field(default="/lead/update/metrics", description="Path of the async metrics API")
    confirm_first_seconds: Seconds = Field(
        default=2.0, description="Seconds before an async update is asked after the first time"
    )
    confirm_max_seconds: Seconds = Field(
        default=300.0, description="Longest interval between such questions, in seconds"
    )
    confirm_deadline_seconds: Seconds = Field(
        default=43200.0, description="Seconds after which an async update that was not applied has failed"
    )
    changes_seconds: Seconds = Field(
        default=30.0,
        description="Seconds between looks for changed leads, where a mapping file says feedback",
    )
    changes_first_seconds: SecondsOrNone = Field(
        default=86400.0, description="How far back the very first look for changed leads goes, in seconds"
    )
    metrics_seconds: Seconds = Field(
        default=60.0, description="Seconds between looks at the async queue while updates are in flight"
    )


class Retry(Group):
    """How often, and how patiently, a push without an answer is repeated."""

    attempts: int = Field(default=8, ge=1, le=1000, description="Attempts after which a lead has failed")
    first_seconds: Seconds = Field(
        default=1.0, description="Seconds before the second attempt; doubles each time"
    )
    max_seconds: Seconds = Field(default=300.0, description="Longest pause between attempts, in seconds")


class Http(Group):
    """Calls to both sides."""

    timeout_seconds: Seconds = Field(default=30.0, description="Seconds that one call may take")


class Log(Group):
    """What the bridge writes to standard error."""

    format: Annotated[Literal["auto", "json", "console"], Word] = Field(
        default="auto", description="json, console, or auto: console on a terminal"
    )
    level: Annotated[Literal["debug", "info", "warning", "error"], Word] = Field(
        default="info", description="Least severe level that is written"
    )


class Server(Group):
    """The bridge's own HTTP side."""

    listen: Listen = Field(
        default="127.0.0.1:8437", description="HOST:PORT to listen on; empty for no server"
    )
    hosts: Hosts = Field(
        default=(),
        description="Further hosts, like bridge.example.com, by which the status page is asked for through a proxy on this "
        "machine; a JSON list, or commas between them",
    )
    token: Secret = Field(
        default=UNSET,
        description="Bearer token of POST /v1/leads and of failures on the status page; unset: neither is there",
    )
    webhook_token: Secret = Field(
        default=UNSET,
        description="Last part of the webhook's address, POST /v1/webhooks/leadsquared/TOKEN; unset: TOKEN is used",
    )


class Retention(Group):
    """How long people's data is kept after its lead is done."""

    replies_days: Days = Field(
        default=90,
        description="Days that LeadByte's reply and the context of a done lead are kept; 0 for good",
    )
    payloads_days: Days = Field(
        default=90, description="Days that the mapped values of a done lead are kept; 0 for good"
    )
    attempts_days: Days = Field(
        default=365, description="Days that the attempts of a done lead are kept; 0 for good"
    )


class Notify(Group):
    """Who is told when something is wrong, and from when on."""

    url: Webhook = Field(
        default=UNSET,
        description="Address of a webhook (Slack's incoming webhooks and their like) that is told; unset: nobody is told",
    )
    failures: Leads = Field(
        default=25, description="Leads on the failure report from which on people are told; 0 for never"
    )
    down_seconds: Seconds = Field(
        default=300.0,
        description="Seconds that a side must be down, or refuse its key, before people are told",
    )

    def secrets(self) -> Iterator[str]:
        """The address, and what in it alone may be its key: long parts of its path and query."""
        if address := self.url.get_secret_value():
            parts = KEYLIKE.findall(address.partition("://")[2].partition("/")[2])
            yield from (address, *parts, *map(unquote, parts))


class Report(Group):
    """When the failure report is written besides every night and at the end."""

    jump: Leads = Field(
        default=25,
        description="So many more leads on the failure report, and it is written anew at once; 0 for never",
    )


class Settings(Group):
    """All settings. Durations are seconds, paths may be relative to the working directory."""

    leadbyte: Leadbyte = Leadbyte()
    leadsquared: Leadsquared = Leadsquared()
    retry: Retry = Retry()
    http: Http = Http()
    log: Log = Log()
    server: Server = Server()
    retention: Retention = Retention()
    notify: Notify = Notify()
    report: Report = Report()
    state_dir: Directory = Field(default=Path("state"), description="Directory of what the bridge writes")
    mappings_dir: Directory = Field(default=Path("mappings"), description="Directory of the mapping files")
    account: Account = Field(default="default", description="Name of this pair of accounts in the store")
    secrets_dir: Directory | None = Field(
        default=None, description="Directory of files, each named like the setting whose value it holds"
    )

    def missing(
        self, *, leadbyte: bool = False, leadsquared: bool = False, async_needed: bool = False
    ) -> list[str]:
        """A line for each setting that is unset and that calls to the named sides need."""
        return [
            f"{name}: is not set; set it to {what}"
            for name, value, what in self._needed(leadbyte, leadsquared, async_needed)
            if not (value.get_secret_value() if isinstance(value, SecretStr) else value)
        ]

    def require(
        self, *, leadbyte: bool = False, leadsquared: bool = False, async_needed: bool = False
    ) -> None:
        """Raises SettingsError naming every setting that `missing` finds."""
        problems = self.missing(leadbyte=leadbyte, leadsquared=leadsquared, async_needed=async_needed)
        if problems:
            raise SettingsError(problems)

    def _needed(
        self, leadbyte: bool, leadsquared: bool, async_needed: bool
    ) -> Iterator[tuple[str, str | SecretStr, str]]:
        if leadbyte:
            yield "BRIDGE_LEADBYTE__URL", self.leadbyte.url, "your LeadByte, like https://acme.leadbyte.co.uk"
            yield "BRIDGE_LEADBYTE__KEY", self.leadbyte.key, 'a REST API key with the permission "API queue"'
        there = self.leadsquared
        if leadsquared or async_needed:
            yield (
                "BRIDGE_LEADSQUARED__URL",
                there.url,
                "your region's API host, like https://api.leadsquared.com",
            )
            yield "BRIDGE_LEADSQUARED__ACCESS_KEY", there.access_key, "the user's access key"
            yield "BRIDGE_LEADSQUARED__SECRET_KEY", there.secret_key, "the secret key that belongs to it"
        if async_needed:
            what = "your region's async host, like https://asyncapi.leadsquared.com"
            yield "BRIDGE_LEADSQUARED__ASYNC_URL", there.async_url, what
            yield "BRIDGE_LEADSQUARED__ASYNC_API_KEY", there.async_api_key, "the x-api-key of the async API"

    def secrets(self) -> frozenset[str]:
        """Every secret value that is set, also as it looks in a URL: what no output may hold."""
        there = self.leadsquared
        held = (
            self.leadbyte.key,
            there.access_key,
            there.secret_key,
            there.async_api_key,
            self.server.token,
            self.server.webhook_token,
        )
        plain = {secret.get_secret_value() for secret in held} - {""} | set(self.notify.secrets())
        return frozenset(plain | {quote(secret, safe="") for secret in plain})
