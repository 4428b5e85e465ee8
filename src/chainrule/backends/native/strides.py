"""Where the tensors of a contraction lie in memory: steps along axes as numbers (``Steps``) and in code (``Place``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from chainrule.backends.native import ir
from chainrule.backends.native.ir import Value, integer
from chainrule.backends.native.space import Space
from chainrule.backends.native.statements import Contraction, Operand

Monomials = tuple[tuple[int, tuple[str, ...]], ...]


class Steps:
    """``of``: elements from one position of an axis to the next."""

    def __init__(self, space: Space) -> None:
        self.space = space

    def of(self, operand: Operand, axis: str) -> int:
        return sum(c * prod(self.space.size(a) for a in axes) for c, axes in operand.step(axis))

    def is_fixed(self, operand: Operand, axis: str) -> bool:
        """Whether the places of an axis are the same for all data."""
        strides = (a for _, axes in operand.step(axis) for a in axes)
        return not any(self.space.is_open(a) for a in (axis, *strides))

    def places(self, operand: Operand, axes: Sequence[str]) -> list[int]:
        """Where every position of these axes lies, the last axis fastest."""
        found = [0]
        for axis in axes:
            found = [start + n * self.of(operand, axis) for start in found for n in range(self.space.size(axis))]
        return found

    def result(self, statement: Contraction) -> Operand:
        """The result as an operand."""
        axes = self.space.tensors[statement.name].axes
        steps = tuple((axis, ((1, axes[place + 1 :]),)) for place, axis in enumerate(statement.axes))
        return Operand(statement.name, steps, (), ())

    def fit(self, outer: str, inner: str, operands: Sequence[Operand]) -> bool:
        """Whether two axes are one in each of the operands."""
        size = self.space.size(inner)
        return all(self.of(operand, outer) == size * self.of(operand, inner) for operand in operands)

    def are_one(self, axes: Sequence[str], operand: Operand) -> bool:
        return all(self.fit(outer, inner, (operand,)) for outer, inner in pairwise(axes))


@dataclass
class Place:
    """Where a call stands: ``pointer`` of a tensor, ``size`` of an axis, and ``ranges``, the part of an axis that is
    to be computed (a position of the recurrence, the rows of a block)."""

    function: ir.Function
    pointer: Callable[[str], Value]
    size: Callable[[str], Value]
    ranges: Mapping[str, tuple[Value, Value]]
    scratch: Value

    def amount(self, monomials: Monomials) -> Value:
        f = self.function
        total = integer(0)
        for coefficient, axes in monomials:
            part = integer(coefficient)
            for axis in axes:
                part = f.mul(self.size(axis), part)
            total = f.add(total, part)
        return total

    def extent(self, axes: Sequence[str]) -> Value:
        """How many positions the merged axes have."""
        f = self.function
        total = integer(1)
        for axis in axes:
            total = f.mul(self.size(axis), total)
        return total
