"""A kernel: one compiled function over tensors, whose arguments are found while it is written."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from chainrule.backends.native import ir
from chainrule.backends.native.ir import Value, integer
from chainrule.backends.native.space import MERGED, Space

Key = tuple[str, str]


class Kernel:
    """``keys`` says what each argument is: ``("tensor", name)`` the address of the tensor's first element,
    ``("size", class)`` an open size, ``("from", axis)`` and ``("to", axis)`` the part of an axis to compute."""

    def __init__(self, module: ir.Module, space: Space) -> None:
        self.space = space
        self.function = ir.Function(module, "?", ())
        self.entry = self.function.segment
        self.keys: list[Key] = []
        self._values: dict[Key, Value] = {}

    def argument(self, kind: str, name: str) -> Value:
        key = (kind, name)
        if key not in self._values:
            self._values[key] = self.function.parameter("ptr" if kind == "tensor" else "i64", f"a{len(self.keys)}")
            self.keys.append(key)
        return self._values[key]

    def size(self, axis: str) -> Value:
        if MERGED in axis:
            return self.product([axis])
        if self.space.is_open(axis):
            return self.argument("size", self.space.axis_class(axis))
        return integer(self.space.size(axis))

    def product(self, axes: Iterable[str]) -> Value:
        """The product of sizes, computed at the entry."""
        axes = tuple(part for axis in axes for part in axis.split(MERGED))
        fixed = prod(self.space.size(axis) for axis in axes if not self.space.is_open(axis))
        with self.function.at(self.entry):
            total = integer(fixed)
            for axis in axes:
                if self.space.is_open(axis):
                    total = self.function.mul(self.size(axis), total)
        return total

    def stride(self, tensor: str, place: int) -> Value:
        """Elements between neighbours along one of the tensor's axes."""
        return self.product(self.space.tensors[tensor].axes[place + 1 :])
