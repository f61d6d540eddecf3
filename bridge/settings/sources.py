"""Reading the settings: environment over `.env` over files in secrets directories, and all that is wrong at once."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Final

from dotenv.parser import parse_stream
from pydantic import SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from bridge.errors import SettingsError
from bridge.settings.groups import Settings
from bridge.settings.names import DELIMITER, FIELDS, NAMES, PREFIX, env_name
from bridge.settings.problems import told

DOTENV: Final = Path(".env")
CONTAINER_SECRETS = Path("/run/secrets")
SECRETS_DIR: Final = "BRIDGE_SECRETS_DIR"
MAY_BE_EMPTY: Final = "BRIDGE_SERVER__LISTEN"
_SECRET_NAMES: Final = {
    env_name(path).lower() for path, field in FIELDS.items() if field.annotation is SecretStr
}


def load() -> Settings:
    """The settings of this process. An empty value is as good as none, except for BRIDGE_SERVER__LISTEN.

    Raises SettingsError with a line `NAME: what is wrong; what to do` for each problem, none showing a value.
    """
    problems = [*_dotenv()[1], *_directory_problems()]
    try:
        loaded = _Loaded()
    except ValidationError as error:
        problems += told(error)
    if problems:
        raise SettingsError(problems)
    return Settings.model_construct(**{name: getattr(loaded, name) for name in Settings.model_fields})


def dotenv_values() -> dict[str, str]:
    """What `.env` in the working directory says, `$` left as it stands. Empty where there is none that can be read."""
    return _dotenv()[0]


def _dotenv() -> tuple[dict[str, str], list[str]]:
    try:
        text = DOTENV.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}, []
    except (OSError, ValueError):
        text = "\0"
    if "\0" in text:
        return {}, [".env: cannot be read as UTF-8 text; mend the file or its permissions, or remove it"]
    lines = list(parse_stream(StringIO(text)))
    broken = [f".env:{line.original.line}: is not NAME=VALUE; mend the line" for line in lines if line.error]
    return {line.key: line.value for line in lines if line.key and line.value is not None}, broken


def warnings(environ: Mapping[str, str] | None = None, dotenv: Mapping[str, str] | None = None) -> list[str]:
    """A line for each `BRIDGE_` name that means nothing, with the real name nearest to it.

    Without arguments those of this process are meant; then also one for each file with a secret that everybody can read,
    and for each directory of secrets that this user cannot read.
    """
    here = environ is None and dotenv is None
    said = {**(dotenv_values() if dotenv is None else dotenv), **(os.environ if environ is None else environ)}
    ours = sorted(name for name in said if name.upper().startswith(PREFIX) and name.upper() not in NAMES)
    unknown = [f"{name}: is no setting and has no effect{_nearest(name.upper())}" for name in ours]
    return [*unknown, *_about_files()] if here else unknown


def _about_files() -> Iterator[str]:
    for file in _exposed():
        yield f"{file}: everybody on this machine can read it, and it holds a secret; chmod 600 it"
    for directory in _directories():
        there = directory != _chosen_directory() and os.access(directory, os.F_OK)
        if there and not _readable(directory):
            yield f"{directory}: is no directory that can be read, so no key is taken from it; mend its owner or permissions"


def _exposed() -> list[Path]:
    """Files with a secret that any user can read. A container's own directory is no such place: nobody else is in there."""
    named = [DOTENV] if _known(dotenv_values()).keys() & _SECRET_NAMES else []
    for directory in _directories():
        if directory != CONTAINER_SECRETS:
            named += [file for file in _secret_files(directory) if _setting_of(file).lower() in _SECRET_NAMES]
    return [file for file in named if _read_by_all(file)]


def _read_by_all(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.75)
    return f"; did you mean {near[0]}?" if near else "; remove it"


def _known(values: Mapping[str, str | None]) -> dict[str, str | None]:
    """What counts, in the spelling that pydantic-settings looks names up by."""
    by_name = {name.upper(): value for name, value in values.items()}
    return {
        name.lower(): value
        for name, value in by_name.items()
        if name in NAMES and (value or (value == "" and name == MAY_BE_EMPTY))
    }


class _Environment(EnvSettingsSource):
    def _load_env_vars(self) -> Mapping[str, str | None]:
        return _known(os.environ)


class _Dotenv(EnvSettingsSource):
    def _load_env_vars(self) -> Mapping[str, str | None]:
        return _known(dotenv_values())


class _Secrets(NestedSecretsSettingsSource):
    """Files that are named like settings; whatever else lies in the directory is not read."""

    def validate_secrets_path(self, path: Path) -> None:
        """Nothing to refuse here: `_directory_problems` has said what is wrong with a directory."""

    @classmethod
    def load_secrets(cls, path: Path) -> dict[str, str]:
        read = {}
        for file in _secret_files(path):
            try:
                read[_setting_of(file)] = _secret(file).strip()
            except (OSError, ValueError):
                continue
        return {name: value or "" for name, value in _known(read).items()}


class _Loaded(BaseSettings, Settings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=DELIMITER, frozen=True, hide_input_in_errors=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del init_settings, env_settings, dotenv_settings
        secrets = _Secrets(file_secret_settings, secrets_dir=list(_directories()), secrets_dir_missing="ok")
        return _Environment(settings_cls), _Dotenv(settings_cls), secrets


def _chosen_directory() -> Path | None:
    value = os.environ.get(SECRETS_DIR) or dotenv_values().get(SECRETS_DIR)
    if not value:
        return None
    return Path(value).expanduser() if value.startswith("~/") else Path(value)


def _directories() -> Iterator[Path]:
    """From the least to the most important."""
    yield CONTAINER_SECRETS
    if credentials := os.environ.get("CREDENTIALS_DIRECTORY"):
        yield Path(credentials)
    if chosen := _chosen_directory():
        yield chosen


def _readable(directory: Path) -> bool:
    return os.access(directory, os.R_OK | os.X_OK) and directory.is_dir()


def _setting_of(file: Path) -> str:
    """The setting a file is named for; without the prefix only in a group, as `account` may be anybody's."""
    name = file.name.upper()
    return name if name.startswith(PREFIX) or DELIMITER not in name else PREFIX + name


def _secret_files(directory: Path) -> list[Path]:
    try:
        return sorted(file for file in directory.iterdir() if _setting_of(file) in NAMES)
    except OSError:
        return []


def _secret(file: Path) -> str:
    """What a file says. Raises OSError or ValueError; a pipe, which would keep its reader waiting, is refused."""
    if not file.is_file():
        raise OSError
    return file.read_text(encoding="utf-8")


def _directory_problems() -> Iterator[str]:
    chosen = _chosen_directory()
    if chosen is not None and not _readable(chosen):
        yield f"{SECRETS_DIR}: is no directory that can be read; name one that holds a file for each secret"
    for directory in _directories():
        for file in _secret_files(directory):
            try:
                _secret(file)
            except (OSError, ValueError):
                name = _setting_of(file)
                yield f"{name}: its file in {directory} cannot be read as UTF-8 text; mend the file or its permissions"
