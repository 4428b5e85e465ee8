"""The system under rewriting: its equations so far, sizes of axes, new axes and tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

from chainrule.equations.node import Access, Equation, Expression, Number, plain_axis
from chainrule.equations.sizes import axis_classes, fixed_axes, known_size
from chainrule.equations.system import System
from chainrule.equations.walk import is_apply, subexpressions


class Names:
    """``fixed``: the classes of axes whose sizes are not the data's; ``axes``: those of every tensor."""

    def __init__(self, system: System, sizes: Mapping[str, int]) -> None:
        self.system = system
        self.sizes = dict(sizes)
        self.classes = axis_classes(system)
        self.fixed = {self.classes.get(name, name) for name in fixed_axes(system)}
        self.equations: list[Equation] = []
        self.declared: list[tuple[str, Expression | None]] = []
        self.axes = dict(system.tensor_axes)
        self.taken = set(system.tensor_axes)

    def size(self, name: str) -> int:
        return known_size(name, self.sizes, self.classes)

    def size_of(self, tensor: str, place: int) -> int:
        return self.size(self.axes[tensor][place])

    def elements(self, tensor: str) -> int:
        return prod(self.size(name) for name in self.axes[tensor])

    def range(self, index: Any) -> tuple[int, int]:
        """The least and the greatest value of an index."""
        low = high = index.constant
        for c, atom in index.terms:
            if isinstance(atom, str):
                least, most = 0, self.size(atom) - 1
            elif is_apply(atom, "%") and isinstance(atom.arguments[1], Number):
                least, most = 0, int(atom.arguments[1].value) - 1
            elif isinstance(atom, Number):
                least = most = self.size(str(atom.value))
            else:
                inner = self.range(atom.arguments[0])
                by = int(atom.arguments[1].value)
                least, most = inner[0] // by, inner[1] // by
            low, high = low + min(c * least, c * most), high + max(c * least, c * most)
        return low, high

    def fresh_axis(self, like: str, size: int) -> str:
        base = like.split("°")[0].rstrip("'")
        number = 1
        while f"{base}°{number}" in self.sizes:
            number += 1
        name = f"{base}°{number}"
        self.sizes[name] = size
        self.declared.append((name, Number(size)))
        return name

    def fresh_tensor(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self.taken:
            name, number = f"{wanted}{number}", number + 1
        self.taken.add(name)
        return name

    def fit(self, name: str, body: Any) -> None:
        """Make an axis as long as what is read at its own positions: beyond, the product is 0."""
        for part in subexpressions(body):
            if isinstance(part, Access):
                for place, index in enumerate(part.indices):
                    if plain_axis(index) == name:
                        self.sizes[name] = self.size_of(part.tensor, place)
        self.declared = [(at, Number(self.sizes[at]) if at == name else size) for at, size in self.declared]

    def write(self, name: str, axes: Sequence[str], expression: Expression) -> None:
        """Add an equation for a new tensor."""
        self.axes[name] = tuple(axes)
        self.equations.append(Equation(name, tuple(axes), expression))


def in_order(first: Iterable[str], names: Iterable[str]) -> list[str]:
    """The names, those of ``first`` in its order before the others."""
    names = list(names)
    return [name for name in first if name in names] + [name for name in names if name not in set(first)]
