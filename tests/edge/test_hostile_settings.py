"""`.env` and secrets files that nobody should write: a line for each problem, no value shown, no waiting."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge import settings as bridge_settings
from bridge.errors import SettingsError
from bridge.settings.names import NAMES
from tests.edge.nasties import TEXTS, bounded, texts
from tests.fuzz.targets import told


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("BRIDGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def loaded() -> list[str]:
    """What is wrong, a printable line each; empty where all is well."""
    with bounded():
        try:
            bridge_settings.load()
        except SettingsError as error:
            return told(error).splitlines()
    return []


@pytest.mark.parametrize(
    "name", ["BRIDGE_LEADBYTE__KEY", "BRIDGE_LEADBYTE__URL", "BRIDGE_LEADBYTE__STATUSES", "BRIDGE_ACCOUNT"]
)
@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_a_nasty_value_is_taken_as_it_is_or_told_without_it(name: str, text: str) -> None:
    Path(".env").write_bytes(f"{name}='{text}'\nBRIDGE_LOG__LEVEL=debug\n".encode("utf-8", "surrogatepass"))
    problems = loaded()
    assert all(line.startswith((f"{name}: ", ".env")) for line in problems)
    assert not any(text in line for line in problems if len(text) > 3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(texts(), max_size=5), st.sampled_from(["utf-8", "utf-16", "latin-1"]))
def test_any_env_file(parts: list[str], codec: str) -> None:
    names = sorted(NAMES)
    lines = [f"{names[len(part) % len(names)]}{'=' if len(part) % 3 else ''}{part}" for part in parts]
    Path(".env").write_bytes(
        "\n".join(lines).encode(codec, "replace" if codec == "latin-1" else "surrogatepass")
    )
    loaded()
    assert all(isinstance(line, str) for line in bridge_settings.warnings())


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"a\0b", b"\xed\xa0\x80", b"k" * 10_000_000, b"\x1b[31m", b"a\nb"]
)
def test_a_secret_that_is_none_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "BRIDGE_LEADBYTE__KEY").write_bytes(content)
    monkeypatch.setenv("BRIDGE_SECRETS_DIR", str(tmp_path / "secrets"))
    problems = loaded()
    assert len(problems) == (0 if content.startswith(b"kk") else 1)
    assert all(line.startswith("BRIDGE_LEADBYTE__KEY: ") for line in problems)


@pytest.mark.parametrize("kind", ["pipe", "folder", "loop"])
def test_a_secret_that_is_no_file_is_told_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "secrets").mkdir()
    path = tmp_path / "secrets" / "BRIDGE_LEADBYTE__KEY"
    {"pipe": lambda: os.mkfifo(path), "folder": path.mkdir, "loop": lambda: path.symlink_to(path)}[kind]()
    monkeypatch.setenv("BRIDGE_SECRETS_DIR", str(tmp_path / "secrets"))
    (problem,) = loaded()
    assert problem.startswith("BRIDGE_LEADBYTE__KEY: its file in ")
