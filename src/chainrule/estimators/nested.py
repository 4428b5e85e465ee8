"""Arguments of arguments: ``optimizer__learning_rate``, as scikit-learn's searches name them.

Optimizers, losses and the like are values that do not change, so setting one of their arguments puts another in its
place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from chainrule.errors import ChainruleError
from chainrule.layers import Layer


def with_nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, and after each the arguments of its value."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found[name] = value
        found.update((f"{name}__{key}", part) for key, part in with_nested(_arguments(value)).items())
    return found


def with_values(settings: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What ``given`` sets: values as they are, and those of ``settings`` in which it sets arguments.

    Raises ChainruleError for an argument of something that has none of that name.
    """
    # Values first, so that what is said of their arguments is said of the new ones.
    made = {name: value for name, value in given.items() if "__" not in name}
    for path, value in given.items():
        name, nested, rest = path.partition("__")
        if nested:
            owner = made[name] if name in made else settings.get(name)
            made[name] = _replaced(owner, name, rest, value)
    return made


def _replaced(owner: Any, name: str, path: str, value: Any) -> Any:
    key, nested, rest = path.partition("__")
    arguments = _arguments(owner)
    if key not in arguments:
        known = ", ".join(f"{name}__{known}" for known in arguments)
        has = f"there are {known}" if known else "give one that has arguments"
        raise ChainruleError(f"no {name}__{path}: {name} is {owner!r}; {has}")
    return replace(owner, **{key: _replaced(arguments[key], f"{name}__{key}", rest, value) if nested else value})


def _arguments(value: Any) -> dict[str, Any]:
    """The arguments that made a value, by name; layers are told apart by place and have none here."""
    if not is_dataclass(value) or isinstance(value, type | Layer):
        return {}
    return {field.name: getattr(value, field.name) for field in fields(value) if field.init}
