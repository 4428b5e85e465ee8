"""A long derivation in sections: a section for each layer, and layers that are alike told once.

The layer of a tensor is the scope in its name: ``dense1`` of ``dense1.W``.  Two layers are alike where their equations
and the derivatives of these are the same but for the names of tensors and axes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from chainrule.calculus.derivation import Log
from chainrule.equations.node import Equation, base_axis

FEW = 3  # layers that need no sections

_NAME = re.compile(r"[^\W\d][\w.²³]*'*|∂[\w.²³]*'*")


def scope_of(name: str) -> str:
    """The layer that a tensor belongs to; "" where its name says none."""
    return name.rpartition(".")[0]


def sections(names: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Names by layer, layers in the order in which they first appear; one section "" where there are few layers."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(scope_of(name), []).append(name)
    return list(found.items()) if len(found) > FEW else [("", list(names))]


def alike(log: Log, scopes: Iterable[str]) -> dict[str, str]:
    """Layer → the one before it in ``scopes`` that it is like, for those that have one."""
    first: dict[tuple[str, ...], str] = {}
    same: dict[str, str] = {}
    for scope in scopes:
        if scope:
            earlier = first.setdefault(_shape(log, scope), scope)
            if earlier != scope:
                same[scope] = earlier
    return same


def _shape(log: Log, scope: str) -> tuple[str, ...]:
    """The equations of a layer with its own tensors as they are called in it, others and axes by number."""
    own = {name for name in log.forward.tensor_axes if scope_of(name) == scope}
    derived = {log.adjoints[name] for name in own & set(log.adjoints)}
    numbers: dict[str, str] = {}
    equations = [e for e in log.forward.equations if e.name in own] + [e for e in log.equations if e.name in derived]
    return tuple(_renamed(equation, scope, own | derived, log, numbers) for equation in equations)


def _renamed(equation: Equation, scope: str, own: set[str], log: Log, numbers: dict[str, str]) -> str:
    axes = {base_axis(name) for name in log.system.axes}

    def name(match: re.Match[str]) -> str:
        word = match[0]
        if word in own:
            return word.replace(f"{scope}.", "")
        if word in log.system.tensor_axes:
            return numbers.setdefault(word, f"tensor {len(numbers)}")
        if base_axis(word) in axes:
            return numbers.setdefault(word, f"axis {len(numbers)}")
        return word

    return _NAME.sub(name, str(equation))
