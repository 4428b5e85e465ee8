"""What can be known of expressions before they are computed: ranges of integers, and what is finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from chainrule.equations.functions import COMPARISONS, FUNCTIONS
from chainrule.equations.node import Access, Apply, Expression, Index, Number, Reduce, plain_axis
from chainrule.equations.sizes import axis_classes
from chainrule.equations.system import System
from chainrule.equations.walk import subexpressions, tensors

Range = tuple[int, int]
Place = tuple[Access, int]  # a read, and which of its indices


class Facts:
    """Facts about the expressions of one system.

    ``ranges`` holds what is known of integer tensors, the least and the greatest value; ``safe`` says of reads at
    computed positions whether these are known to be inside.  ``size`` gives the size of an axis.
    """

    def __init__(
        self,
        system: System,
        size: Callable[[str], int],
        ranges: Mapping[str, Range],
        safe: Mapping[Place, bool] | None = None,
    ) -> None:
        self.system = system
        self.size = size
        self.ranges: dict[str, Range | None] = dict(ranges)
        self.safe = safe or {}
        self._finite: dict[str, bool] = {}

    def range(self, node: Expression) -> Range | None:
        """The least and the greatest value that an integer expression can have."""
        match node:
            case Number(str(name)):
                size = self.size(name)
                return size, size
            case Number(int(value)):
                return value, value
            case Index(terms, constant):
                total: Range = (constant, constant)
                for coefficient, atom in terms:
                    part = (0, self.size(atom) - 1) if isinstance(atom, str) else self.range(atom)
                    if part is None:
                        return None
                    total = _plus(total, _times(part, coefficient))
                return total
            case Access(tensor, _):
                return self._of_tensor(node, tensor)
            case Reduce("argmax" | "argmin", (name,), _):
                return 0, self.size(name) - 1
            case Reduce("max" | "min", _, body):
                return self.range(body)
            case Apply("+", arguments):
                total = (0, 0)
                for argument in arguments:
                    part = self.range(argument)
                    if part is None:
                        return None
                    total = _plus(total, part)
                return total
            case Apply("neg", (argument,)):
                part = self.range(argument)
                return None if part is None else (-part[1], -part[0])
            case Apply("*", (Number(int(coefficient)), argument)):
                part = self.range(argument)
                return None if part is None else _times(part, coefficient)
            case Apply("//", (argument, divisor)):
                part, by = self.range(argument), self.range(divisor)
                if part is None or by is None or by[0] != by[1] or by[0] <= 0:
                    return None
                return part[0] // by[0], part[1] // by[0]
            case Apply("%", (_, divisor)):
                by = self.range(divisor)
                return None if by is None or by[0] != by[1] or by[0] <= 0 else (0, by[0] - 1)
            case Apply("where", (_, left, right)) | Apply("max" | "min", (left, right)):
                one, other = self.range(left), self.range(right)
                if one is None or other is None:
                    return None
                return min(one[0], other[0]), max(one[1], other[1])
            case Apply(function, _) if function in COMPARISONS:
                return 0, 1
        return None

    def _of_tensor(self, node: Access, tensor: str) -> Range | None:
        if tensor not in self.ranges:
            self.ranges[tensor] = None  # whatever refers to itself is not known
            if tensor in self.system.by_name:
                self.ranges[tensor] = self.range(self.system.by_name[tensor].expression)
        found = self.ranges[tensor]
        if found is None or all(self.inside(node, place) for place in range(len(node.indices))):
            return found
        return min(found[0], 0), max(found[1], 0)

    def inside(self, node: Access, place: int) -> bool:
        """Whether an index of a read is never outside its dimension."""
        index = node.indices[place]
        plain, declared = plain_axis(index), self.system.tensor_axes[node.tensor][place]
        if plain is not None:
            classes = axis_classes(self.system)
            if classes.get(plain) == classes.get(declared):
                return True
        if (node, place) in self.safe:
            return self.safe[node, place]
        found = self.range(index)
        return found is not None and 0 <= found[0] and found[1] < self.size(self.system.tensor_axes[node.tensor][place])

    def finite(self, node: Expression) -> bool:
        """Whether the value is finite whenever the inputs are (so that it may be multiplied by a factor of 0)."""
        match node:
            case Number(value):
                return isinstance(value, str) or math.isfinite(value)
            case Index():
                return True
            case Access(tensor, _):
                return self._finite_tensor(tensor)
            case Reduce(_, _, body):
                return self.finite(body)
            case Apply("/" | "//" | "%", (left, right)):
                return self.finite(left) and nonzero(right)
            case Apply("^", (base, Number(int(power)))) if power >= 0:
                return self.finite(base)
            case Apply(function, arguments):
                return FUNCTIONS[function].total and all(self.finite(argument) for argument in arguments)
        return False

    def _finite_tensor(self, tensor: str) -> bool:
        if tensor not in self._finite:
            self._finite[tensor] = True  # a recurrence is finite if its other parts are
            equation = self.system.by_name.get(tensor)
            self._finite[tensor] = equation is None or self.finite(equation.expression)
        return self._finite[tensor]


def gathers(system: System) -> tuple[Place, ...]:
    """The reads at computed positions, which are inside or not depending on the data."""
    found: dict[Place, None] = {}
    for equation in system.equations:
        for node in subexpressions(equation.expression):
            if isinstance(node, Access):
                found.update(dict.fromkeys((node, place) for place, index in enumerate(node.indices) if tensors(index)))
    return tuple(found)


def ranges_of_safe(system: System, safe: Mapping[Place, bool], size: Callable[[str], int]) -> dict[str, Range]:
    """What safe reads at the values of integer inputs say of these values."""
    ranges: dict[str, Range] = {}
    for (node, place), inside in safe.items():
        index = node.indices[place]
        if inside and isinstance(index, Access) and all(plain_axis(part) is not None for part in index.indices):
            if index.tensor in system.input_by_name:
                limit = size(system.tensor_axes[node.tensor][place]) - 1
                ranges[index.tensor] = (0, min(limit, ranges.get(index.tensor, (0, limit))[1]))
    return ranges


def nonzero(node: Expression) -> bool:
    """Whether the expression is a product of sizes and numbers other than 0."""
    match node:
        case Number(value):
            return value != 0
        case Apply("*", arguments):
            return all(nonzero(argument) for argument in arguments)
    return False


def _plus(left: Range, right: Range) -> Range:
    return left[0] + right[0], left[1] + right[1]


def _times(part: Range, by: int) -> Range:
    return (part[0] * by, part[1] * by) if by >= 0 else (part[1] * by, part[0] * by)
