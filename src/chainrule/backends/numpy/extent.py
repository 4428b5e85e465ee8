"""Sizes of axes in generated code.

The size of an axis that only data have (a batch) is written as a name, ``size_b``, so that the same code serves any
size; the size of an axis that a parameter has, or that is declared, is written as a number.  Where the code itself
depends on a size (windows, padding), the axis is noted as ``fixed``, and the code is used for that size only.
"""

from __future__ import annotations

from collections.abc import Mapping

from chainrule.backends.numpy.value import Value, literal
from chainrule.equations.node import base_axis
from chainrule.equations.sizes import axis_class, axis_classes, fixed_axes, known_size, size_along
from chainrule.equations.system import System

LIKELY = 64  # the size of an axis of which nothing is known, for choices that are right for any size


class Extents:
    """The sizes of the axes of a system, each either fixed or open."""

    def __init__(self, system: System, sizes: Mapping[str, int]) -> None:
        self.sizes = dict(sizes)
        self.classes = dict(axis_classes(system))
        self.fixed = {self.axis_class(name) for name in fixed_axes(system)}
        self.used: dict[str, str] = {}

    def axis_class(self, name: str) -> str:
        """The representative of the axes that have the size of this one."""
        return axis_class(name, self.classes)

    def define(self, name: str, size: int) -> None:
        """An axis of the generated code's own."""
        self.sizes[name] = size
        self.classes[name] = name
        self.fixed.add(name)

    def same(self, left: str, right: str) -> bool:
        return self.axis_class(left) == self.axis_class(right)

    def peek(self, name: str) -> int:
        """The size, for choices that make code faster and are right for any size."""
        size = size_along(name, self.sizes, self.classes)
        return LIKELY if size is None else size

    def known(self, name: str) -> int:
        """The size in this run."""
        return known_size(name, self.sizes, self.classes)

    def number(self, name: str) -> int:
        """The size, on which the code then depends."""
        size = self.known(name)
        self.fixed.add(self.axis_class(name))
        return size

    def value(self, name: str) -> Value:
        """The size as a Python number: a literal if it is fixed, else a name."""
        representative = self.axis_class(name)
        if representative in self.fixed:
            return literal(self.number(name))
        shown = self.used.setdefault(representative, f"size_{base_axis(name)}")
        return Value(shown, (), "integer", weak=True, constant=True)

    def text(self, name: str) -> str:
        return self.value(name).text
