"""The names of the settings in the environment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from bridge.settings.groups import Group, Settings

PREFIX: Final = "BRIDGE_"
DELIMITER: Final = "__"


def _leaves(group: type[Group], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    for name, field in group.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Group):
            yield from _leaves(field.annotation, (*path, name))
        else:
            yield (*path, name), field


FIELDS: Final = dict(_leaves(Settings))
"""Each setting by its path, like `("leadbyte", "key_header")`."""


def env_name(path: tuple[str, ...]) -> str:
    """The name in the environment, like `BRIDGE_LEADBYTE__KEY_HEADER`."""
    return PREFIX + DELIMITER.join(path).upper()


NAMES: Final = {env_name(path): path for path in FIELDS}


def reference() -> list[tuple[str, str, str]]:
    """Name, default and meaning of every setting, in the design's order; an empty default means unset."""
    return [(env_name(path), _default(field), field.description or "") for path, field in FIELDS.items()]


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, float):
        return f"{value:g}"
    return "" if isinstance(value, SecretStr | dict | tuple) or value is None else str(value)
