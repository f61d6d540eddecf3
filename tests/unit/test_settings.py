"""Settings: where they come from, what is refused, and that no secret is ever shown."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.main import get_command

from bridge.cli import cli
from bridge.errors import SettingsError
from bridge.model import Verdict
from bridge.settings import Leadbyte, Settings, dotenv_values, load, reference, sources, warnings
from bridge.telemetry import Redactor

DOLLARS = "u$r1abc${X}"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.upper().startswith("BRIDGE_") or name == "CREDENTIALS_DIRECTORY":
            monkeypatch.delenv(name)
    monkeypatch.setenv("X", "expanded")
    monkeypatch.setattr(sources, "CONTAINER_SECRETS", tmp_path / "run-secrets")
    monkeypatch.chdir(tmp_path)


def problems() -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load()
    return list(caught.value.problems)


def problem_of(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> str:
    monkeypatch.setenv(name, value)
    (line,) = problems()
    assert line.startswith(f"{name}: ")
    assert "; " in line
    assert "\n" not in line
    return line


DEFAULTS = """
BRIDGE_LEADBYTE__URL= BRIDGE_LEADBYTE__KEY= BRIDGE_LEADBYTE__KEY_HEADER=X_KEY BRIDGE_LEADBYTE__QUEUE_KEY_IN=query
BRIDGE_LEADBYTE__CONCURRENCY=16 BRIDGE_LEADBYTE__RATE_CALLS=0 BRIDGE_LEADBYTE__RATE_SECONDS=1
BRIDGE_LEADBYTE__POLL_FIRST_SECONDS=2 BRIDGE_LEADBYTE__POLL_MAX_SECONDS=300 BRIDGE_LEADBYTE__POLL_DEADLINE_SECONDS=86400
BRIDGE_LEADBYTE__STATUSES= BRIDGE_LEADBYTE__BATCH_SIZE=25 BRIDGE_LEADBYTE__BATCH_LINGER_SECONDS=1
BRIDGE_LEADSQUARED__URL= BRIDGE_LEADSQUARED__ASYNC_URL= BRIDGE_LEADSQUARED__ACCESS_KEY= BRIDGE_LEADSQUARED__SECRET_KEY=
BRIDGE_LEADSQUARED__ASYNC_API_KEY= BRIDGE_LEADSQUARED__KEYS_IN=header BRIDGE_LEADSQUARED__RATE_CALLS=25
BRIDGE_LEADSQUARED__RATE_SECONDS=5 BRIDGE_LEADSQUARED__BATCH_SIZE=25 BRIDGE_LEADSQUARED__BATCH_LINGER_SECONDS=1
BRIDGE_LEADSQUARED__STATUS_PATH=/lead/update/status BRIDGE_LEADSQUARED__METRICS_PATH=/lead/update/metrics
BRIDGE_LEADSQUARED__CONFIRM_FIRST_SECONDS=2 BRIDGE_LEADSQUARED__CONFIRM_MAX_SECONDS=300
BRIDGE_LEADSQUARED__CONFIRM_DEADLINE_SECONDS=43200 BRIDGE_LEADSQUARED__CHANGES_SECONDS=30
BRIDGE_LEADSQUARED__CHANGES_FIRST_SECONDS=86400 BRIDGE_LEADSQUARED__METRICS_SECONDS=60
BRIDGE_RETRY__ATTEMPTS=8 BRIDGE_RETRY__FIRST_SECONDS=1 BRIDGE_RETRY__MAX_SECONDS=300 BRIDGE_HTTP__TIMEOUT_SECONDS=30
BRIDGE_LOG__FORMAT=auto BRIDGE_LOG__LEVEL=info BRIDGE_SERVER__LISTEN=127.0.0.1:8437 BRIDGE_SERVER__HOSTS= BRIDGE_SERVER__TOKEN=
BRIDGE_SERVER__WEBHOOK_TOKEN=
BRIDGE_RETENTION__REPLIES_DAYS=90 BRIDGE_RETENTION__PAYLOADS_DAYS=90 BRIDGE_RETENTION__ATTEMPTS_DAYS=365
BRIDGE_NOTIFY__URL= BRIDGE_NOTIFY__FAILURES=25 BRIDGE_NOTIFY__DOWN_SECONDS=300 BRIDGE_REPORT__JUMP=25
BRIDGE_STATE_DIR=state BRIDGE_MAPPINGS_DIR=mappings BRIDGE_ACCOUNT=default BRIDGE_SECRETS_DIR=
"""


def test_names_and_defaults_are_those_of_the_design() -> None:
    assert [f"{name}={default}" for name, default, _ in reference()] == DEFAULTS.split()
    assert all(meaning for _, _, meaning in reference())


def test_every_documented_default_is_a_value_that_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load() == Settings()
    for name, default, _ in reference():
        monkeypatch.setenv(name, default)
    assert load() == Settings()


def test_environment_counts_before_dotenv_and_dotenv_before_secret_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in ("ACCESS_KEY", "SECRET_KEY", "ASYNC_API_KEY"):
        (secrets / f"BRIDGE_LEADSQUARED__{name}").write_text("from-file\n")
    (tmp_path / ".env").write_text(
        f"BRIDGE_SECRETS_DIR={secrets}\nBRIDGE_LEADSQUARED__ACCESS_KEY=from-dotenv\nBRIDGE_LEADSQUARED__SECRET_KEY=from-dotenv\n"
    )
    monkeypatch.setenv("BRIDGE_LEADSQUARED__ACCESS_KEY", "from-environment")
    there = load().leadsquared
    held = [key.get_secret_value() for key in (there.access_key, there.secret_key, there.async_api_key)]
    assert held == ["from-environment", "from-dotenv", "from-file"]


@pytest.mark.parametrize("line", [DOLLARS, f"'{DOLLARS}'", f'"{DOLLARS}"'])
def test_a_dollar_in_dotenv_is_a_dollar(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(
        f"\ufeffexport BRIDGE_LEADSQUARED__ACCESS_KEY={line} # mine\n", encoding="utf-8"
    )
    assert load().leadsquared.access_key.get_secret_value() == DOLLARS
    assert dotenv_values() == {"BRIDGE_LEADSQUARED__ACCESS_KEY": DOLLARS}


@pytest.mark.parametrize(
    "name", ["BRIDGE_LEADBYTE__KEY", "bridge_leadbyte__key", "leadbyte__key", "LEADBYTE__KEY"]
)
@pytest.mark.parametrize("where", ["BRIDGE_SECRETS_DIR", "CREDENTIALS_DIRECTORY", "run-secrets"])
def test_secret_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, where: str) -> None:
    directory = tmp_path / "run-secrets"
    directory.mkdir()
    (directory / name).write_text(f"{DOLLARS}\n")
    (directory / "account").write_text("not ours, as it has no group")
    (directory / "unrelated").write_bytes(b"\xff\xfe\x00")
    if where != "run-secrets":
        monkeypatch.setattr(sources, "CONTAINER_SECRETS", tmp_path / "none")
        monkeypatch.setenv(where, str(directory))
    settings = load()
    assert settings.leadbyte.key.get_secret_value() == DOLLARS
    assert settings.account == "default"


def test_the_chosen_secrets_directory_counts_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("run-secrets", "credentials", "chosen"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "leadbyte__key").write_text(name)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert load().leadbyte.key.get_secret_value() == "credentials"
    monkeypatch.setenv("BRIDGE_SECRETS_DIR", str(tmp_path / "chosen"))
    assert load().leadbyte.key.get_secret_value() == "chosen"


def test_an_empty_value_is_none_but_for_listen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BRIDGE_LEADBYTE__KEY=kept\nBRIDGE_LOG__LEVEL\n")
    for name in ("LEADBYTE__KEY", "LEADBYTE__CONCURRENCY", "STATE_DIR", "SERVER__LISTEN", "SERVER__TOKEN"):
        monkeypatch.setenv(f"BRIDGE_{name}", "")
    settings = load()
    assert settings.leadbyte.key.get_secret_value() == "kept"
    assert settings == Settings(leadbyte=Leadbyte(key=SecretStr("kept")), server={"listen": ""})  # type: ignore[arg-type]


def test_statuses_are_a_json_object_of_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_LEADBYTE__STATUSES", '{"Sold": "final", "On hold": "pending"}')
    assert load().leadbyte.statuses == {"Sold": Verdict.FINAL, "On hold": Verdict.PENDING}


@pytest.mark.parametrize(
    "value", ["Sold=final", "[1]", '{"Sold": "unknown"}', '{"Sold": 1}', '{"Sold": ["final"]}', "[" * 9999]
)
def test_statuses_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    problem_of(monkeypatch, "BRIDGE_LEADBYTE__STATUSES", value)


@pytest.mark.parametrize(
    ("value", "held"),
    [
        ("https://acme.leadbyte.co.uk", "https://acme.leadbyte.co.uk"),
        ("https://acme.leadbyte.co.uk:444/restapi/v1.3/", "https://acme.leadbyte.co.uk:444/restapi/v1.3"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://[::1]:1", "http://[::1]:1"),
    ],
)
def test_urls(monkeypatch: pytest.MonkeyPatch, value: str, held: str) -> None:
    monkeypatch.setenv("BRIDGE_LEADBYTE__URL", value)
    assert load().leadbyte.url == held


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("acme.leadbyte.co.uk", "does not begin with https://"),
        ("ftp://acme.example.com", "does not begin with https://"),
        ("https://", "names no host"),
        ("https://-acme", "names no host"),
        ("https://acme.example.com:99999", "is no URL"),
        ("https://[::1", "is no URL"),
        ("https://user:secret@acme.example.com", "more than scheme and host"),
        ("https://acme.example.com?key=secret", "more than scheme and host"),
        ("https://acme.example.com#", "more than scheme and host"),
        ("https://acme.example.com /secret", "a space"),
        ("https://acmé.example.com", "a character"),
        ("http://acme.example.com", "unencrypted"),
        ("http://10.0.0.1", "unencrypted"),
        ("http://127.0.0.1.example.com", "unencrypted"),
    ],
)
def test_urls_refused(monkeypatch: pytest.MonkeyPatch, value: str, wrong: str) -> None:
    line = problem_of(monkeypatch, "BRIDGE_LEADSQUARED__ASYNC_URL", value)
    assert wrong in line
    assert "secret" not in line


HOOK = "https://hooks.slack.com/services/T0HUSH/B0HUSH/XhushXhushXhushXhush"


@pytest.mark.parametrize(
    "value", [HOOK, "http://127.0.0.1:8/hooks/a?key=hush", "https://chat.example.com/?k=h"]
)
def test_a_webhook_is_a_whole_address_and_secret(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("BRIDGE_NOTIFY__URL", f" {value}")
    settings = load()
    assert settings.notify.url.get_secret_value() == value
    assert value in settings.secrets()
    assert "/" not in settings.notify.model_dump_json()


def test_the_part_of_a_webhook_that_is_its_key_is_hidden_alone_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_NOTIFY__URL", HOOK)
    hidden = Redactor(load().secrets())
    assert hidden("POST /services/T0HUSH/B0HUSH/XhushXhushXhushXhush") == "POST /services/T0HUSH/B0HUSH/***"
    assert hidden("services, incoming webhooks") == "services, incoming webhooks"


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("hooks.slack.com/services/hush", "does not begin with https://"),
        ("ftp://hooks.slack.com/hush", "does not begin with https://"),
        ("https:///hush", "names no host"),
        ("https://[::1/hush", "is no URL"),
        ("https://192.168.1.300/hooks/hush", "is no URL"),
        ("https://me:hush@hooks.slack.com/", "a name or a fragment"),
        ("https://hooks.slack.com/hush#", "a name or a fragment"),
        ("http://hooks.slack.com/hush", "unencrypted"),
        ("https://hooks.slack.com/hush hush", "a space"),
    ],
)
def test_webhooks_refused(monkeypatch: pytest.MonkeyPatch, value: str, wrong: str) -> None:
    line = problem_of(monkeypatch, "BRIDGE_NOTIFY__URL", value)
    assert wrong in line
    assert "hush" not in line


@pytest.mark.parametrize(
    ("name", "value", "todo"),
    [
        ("LEADBYTE__CONCURRENCY", "0", "write a whole number from 1 up to 256"),
        ("LEADBYTE__CONCURRENCY", "257", "write a whole number from 1 up to 256"),
        ("LEADBYTE__CONCURRENCY", "many", "is not a whole number"),
        ("LEADBYTE__CONCURRENCY", "1.5", "is not a whole number"),
        ("LEADBYTE__CONCURRENCY", "9" * 5000, "too large"),
        ("LEADBYTE__RATE_CALLS", "-1", "is too small"),
        ("LEADSQUARED__BATCH_SIZE", "26", "from 1 up to 25"),
        ("LEADSQUARED__RATE_SECONDS", "0", "above 0"),
        ("LEADSQUARED__BATCH_LINGER_SECONDS", "-0.1", "is too small"),
        ("RETRY__ATTEMPTS", "0", "is too small"),
        ("HTTP__TIMEOUT_SECONDS", "nan", "is not a number"),
        ("HTTP__TIMEOUT_SECONDS", "inf", "is "),
        ("HTTP__TIMEOUT_SECONDS", "soon", "is not a number"),
        ("LOG__FORMAT", "xml", "one of auto, json, console"),
        ("LOG__LEVEL", "loud", "one of debug, info, warning, error"),
        ("LEADBYTE__QUEUE_KEY_IN", "body", "write one of "),
        ("LEADSQUARED__KEYS_IN", "body", "write one of "),
        ("LEADBYTE__KEY_HEADER", "X KEY", "is no name of an HTTP header"),
        ("LEADSQUARED__STATUS_PATH", "status?x=1", "is no path"),
        ("SERVER__LISTEN", "8437", "is not HOST:PORT"),
        ("SERVER__LISTEN", "localhost", "is not HOST:PORT"),
        ("SERVER__LISTEN", "localhost:70000", "is not HOST:PORT"),
        ("SERVER__LISTEN", "http://localhost:80", "is not HOST:PORT"),
        ("SERVER__LISTEN", "[::1", "is not HOST:PORT"),
        ("ACCOUNT", "a b", "is no name"),
        ("SERVER__LISTEN", "user@localhost:80", "is not HOST:PORT"),
        ("LEADBYTE__KEY", "two words", "copy the key again"),
        ("SERVER__TOKEN", "tökèn", "copy the key again"),
    ],
)
def test_values_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str, todo: str) -> None:
    line = problem_of(monkeypatch, f"BRIDGE_{name}", value)
    assert todo in line
    assert value not in line or len(value) < 3 or value in {"localhost", "8437"}


def test_edges_of_ranges_and_spellings_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "LEADBYTE__CONCURRENCY": "256",
        "LEADSQUARED__RATE_CALLS": "0",
        "LEADSQUARED__BATCH_LINGER_SECONDS": "0",
        "LEADSQUARED__RATE_SECONDS": "0.25",
        "LOG__LEVEL": " INFO",
        "SERVER__LISTEN": "[::1]:0",
    }.items():
        monkeypatch.setenv(f"BRIDGE_{name}", value)
    settings = load()
    assert (settings.leadbyte.concurrency, settings.leadsquared.rate_calls, settings.log.level) == (
        256,
        0,
        "info",
    )


def test_all_problems_come_at_once_and_none_shows_a_value(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("BRIDGE_RETRY__ATTEMPTS=hush-1\nhush 2 is no line\n")
    for name in ("LEADBYTE__URL", "LEADBYTE__CONCURRENCY", "LEADSQUARED__BATCH_SIZE", "LOG__LEVEL"):
        monkeypatch.setenv(f"BRIDGE_{name}", "hush-3")
    monkeypatch.setenv("BRIDGE_LEADBYTE__KEY", "hush 4")
    monkeypatch.setenv("BRIDGE_SECRETS_DIR", str(tmp_path / "hush-5"))
    found = problems()
    assert {line.split(":")[0] for line in found} == {
        ".env",
        "BRIDGE_SECRETS_DIR",
        "BRIDGE_LEADBYTE__URL",
        "BRIDGE_LEADBYTE__KEY",
        "BRIDGE_LEADBYTE__CONCURRENCY",
        "BRIDGE_LEADSQUARED__BATCH_SIZE",
        "BRIDGE_RETRY__ATTEMPTS",
        "BRIDGE_LOG__LEVEL",
    }
    assert not any("hush" in line for line in found)
    assert ".env:2: is not NAME=VALUE; mend the line" in found


@pytest.mark.parametrize("content", [b"\xff\xfeB\0", b"BRIDGE_SECRETS_DIR=a\0b\n"])
def test_a_dotenv_that_is_no_text_is_a_problem(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".env").write_bytes(content)
    assert problems() == [
        ".env: cannot be read as UTF-8 text; mend the file or its permissions, or remove it"
    ]
    assert dotenv_values() == {}


def test_a_secret_file_that_is_no_text_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "run-secrets").mkdir()
    (tmp_path / "run-secrets" / "leadbyte__key").write_bytes(b"\xff")
    (line,) = problems()
    assert line.startswith("BRIDGE_LEADBYTE__KEY: its file in ")


def test_a_path_may_begin_at_home_and_holds_no_nul(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "leadbyte__key").write_text("k")
    monkeypatch.setenv("BRIDGE_SECRETS_DIR", "~/secrets")
    monkeypatch.setenv("BRIDGE_STATE_DIR", "~/state")
    settings = load()
    assert (settings.state_dir, settings.leadbyte.key.get_secret_value()) == (tmp_path / "state", "k")
    monkeypatch.setenv("BRIDGE_STATE_DIR", "~nobody/state")
    assert load().state_dir == Path("~nobody/state")
    (tmp_path / "secrets" / "BRIDGE_MAPPINGS_DIR").write_text("a\0b")
    assert problems() == ["BRIDGE_MAPPINGS_DIR: holds a NUL character; write the path of a directory"]


def test_require_names_everything_that_is_unset_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load()
    assert settings.missing() == []
    with pytest.raises(SettingsError) as caught:
        settings.require(leadbyte=True, leadsquared=True, async_needed=True)
    assert [line.split(":")[0].removeprefix("BRIDGE_") for line in caught.value.problems] == [
        "LEADBYTE__URL",
        "LEADBYTE__KEY",
        "LEADSQUARED__URL",
        "LEADSQUARED__ACCESS_KEY",
        "LEADSQUARED__SECRET_KEY",
        "LEADSQUARED__ASYNC_URL",
        "LEADSQUARED__ASYNC_API_KEY",
    ]
    assert caught.value.exit_code == 2
    monkeypatch.setenv("BRIDGE_LEADBYTE__URL", "https://acme.example.com")
    monkeypatch.setenv("BRIDGE_LEADBYTE__KEY", "k")
    load().require(leadbyte=True)
    assert len(load().missing(leadbyte=True, leadsquared=True)) == 3


def test_no_secret_is_shown_by_the_settings_and_the_redactor_knows_them_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = (
        "LEADBYTE__KEY",
        "LEADSQUARED__ACCESS_KEY",
        "LEADSQUARED__SECRET_KEY",
        "LEADSQUARED__ASYNC_API_KEY",
        "SERVER__TOKEN",
    )
    for number, name in enumerate(names):
        monkeypatch.setenv(f"BRIDGE_{name}", f"hush${number}")
    settings = load()
    assert "hush" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert settings.secrets() == {f"hush{dollar}{n}" for n in range(5) for dollar in ("$", "%24")}
    assert Settings().secrets() == frozenset()


def test_a_name_that_means_nothing_is_warned_of_with_the_nearest_real_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environ = {
        "BRIDGE_LEADBYT__KEY": "hush",
        "BRIDGE_LEADBYTE__KEY": "hush",
        "bridge_state_dir": "x",
        "PATH": "y",
    }
    assert warnings(environ, {"BRIDGE_ZZZ": "hush", "BRIDGE_LEADBYTE": "{}"}) == [
        "BRIDGE_LEADBYTE: is no setting and has no effect; did you mean BRIDGE_LEADBYTE__URL?",
        "BRIDGE_LEADBYT__KEY: is no setting and has no effect; did you mean BRIDGE_LEADBYTE__KEY?",
        "BRIDGE_ZZZ: is no setting and has no effect; remove it",
    ]
    assert warnings() == []
    (tmp_path / ".env").write_text("BRIDGE_STATEDIR=x\n")
    monkeypatch.setenv("BRIDGE_LOG_LEVEL", "x")
    assert [line.split(":")[0] for line in warnings()] == ["BRIDGE_LOG_LEVEL", "BRIDGE_STATEDIR"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o604])
@pytest.mark.parametrize("where", [".env", "BRIDGE_SECRETS_DIR", "CREDENTIALS_DIRECTORY"])
def test_a_file_with_a_secret_that_everybody_can_read_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str, mode: int
) -> None:
    file = Path(".env")
    if where == ".env":
        file.write_text("BRIDGE_LEADBYTE__KEY=hush\n")
    else:
        (tmp_path / "chosen").mkdir()
        monkeypatch.setenv(where, str(tmp_path / "chosen"))
        file = tmp_path / "chosen" / "leadbyte__key"
        file.write_text("hush")
    file.chmod(mode)
    told = f"{file}: everybody on this machine can read it, and it holds a secret; chmod 600 it"
    assert warnings() == ([told] if mode & 0o004 else [])
    assert load().leadbyte.key.get_secret_value() == "hush"


def test_files_without_a_secret_and_those_of_a_container_are_not_warned_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for directory in ("run-secrets", "chosen"):
        (tmp_path / directory).mkdir()
    monkeypatch.setenv("BRIDGE_SECRETS_DIR", str(tmp_path / "chosen"))
    files = {
        Path(".env"): "BRIDGE_LOG__LEVEL=debug\n",
        tmp_path / "chosen" / "log__format": "json",
        tmp_path / "run-secrets" / "leadbyte__key": "hush",
    }
    for file, text in files.items():
        file.write_text(text)
        file.chmod(0o644)
    (tmp_path / "chosen" / "server__token").symlink_to("nowhere")
    assert warnings() == []
    (tmp_path / "chosen" / "server__token").unlink()
    assert load().leadbyte.key.get_secret_value() == "hush"


@pytest.mark.parametrize("where", ["run-secrets", "CREDENTIALS_DIRECTORY"])
def test_a_place_for_keys_that_cannot_be_read_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "CREDENTIALS_DIRECTORY"))
    assert warnings() == [], "neither is there"
    (tmp_path / where).write_text("a file, which not even root can list")
    (line,) = warnings()
    assert line.startswith(f"{tmp_path / where}: is no directory that can be read, so no key is taken")
    assert warnings({}, {}) == []
    (tmp_path / where).unlink()
    (tmp_path / where).mkdir()
    assert warnings() == []


def test_no_command_has_an_option_or_a_variable_for_a_secret() -> None:
    group: Any = get_command(cli)
    options = [option for command in group.commands.values() for option in command.params]
    assert len(options) > 20
    for option in options:
        assert not re.search("key|token|secret|password", f"{option.name} {option.opts}"), option.name
        assert option.envvar is None


def test_a_whole_group_in_one_name_has_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_LEADBYTE", "{not json")
    monkeypatch.setenv("BRIDGE_LEADBYTE__STATUSES__SOLD", "final")
    assert load() == Settings()


def test_settings_made_by_hand_read_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_LEADBYTE__CONCURRENCY", "3")
    assert Settings().leadbyte.concurrency == 16
    assert load().leadbyte.concurrency == 3


@pytest.mark.parametrize(
    ("value", "hosts"),
    [
        ("bridge.example.com", ("bridge.example.com",)),
        ("Bridge.Example.com., 10.0.0.7 ,[fd00::7]", ("bridge.example.com", "10.0.0.7", "fd00::7")),
        ('["bridge.example.com", "fd00::7"]', ("bridge.example.com", "fd00::7")),
        ("[]", ()),
    ],
)
def test_hosts_are_a_json_list_or_stand_between_commas(
    monkeypatch: pytest.MonkeyPatch, value: str, hosts: tuple[str, ...]
) -> None:
    monkeypatch.setenv("BRIDGE_SERVER__HOSTS", value)
    assert load().server.hosts == hosts


@pytest.mark.parametrize(
    "value",
    [
        "https://bridge.example.com",
        "bridge.example.com:443",
        "a,,b",
        "*",
        "a b",
        '["a"',
        '{"a": 1}',
        '[1, "a"]',
        '"a"',
    ],
)
def test_what_is_no_list_of_hosts_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    assert "hosts without scheme and port" in problem_of(monkeypatch, "BRIDGE_SERVER__HOSTS", value)
