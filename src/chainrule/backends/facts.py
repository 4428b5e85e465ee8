"""What can be known of expressions before they are computed: ranges of integers, and what is finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache

from chainrule.equations.functions import COMPARISONS, FUNCTIONS
from chainrule.equations.node import Access, Apply, Expression, Index, Number, Reduce, plain_axis
from chainrule.equations.system import System
from chainrule.equations.walk import subexpressions, tensors

Range = tuple[int, int]
# What a value can be, the worst first; MINUS_INFINITY: that or finite.
UNKNOWN, MINUS_INFINITY, FINITE = range(3)
POSITIVE, NONNEGATIVE = "positive", "nonnegative"
Place = tuple[Access, int]  # a read, and which of its indices


class Facts:
    """Facts about the expressions of one system.

    ``ranges`` holds what is known of integer tensors, the least and the greatest value; ``safe`` says of reads at
    computed positions whether these are known to be inside.  ``size`` gives the size of an axis, ``same`` says
    whether two axes have one size.
    """

    def __init__(
        self,
        system: System,
        size: Callable[[str], int],
        same: Callable[[str, str], bool],
        ranges: Mapping[str, Range],
        safe: Mapping[Place, bool] | None = None,
    ) -> None:
        self.system = system
        self.size = size
        self.same = same
        self.ranges: dict[str, Range | None] = dict(ranges)
        self.safe = safe or {}
        self._levels: dict[str, int] = {}
        self._signs: dict[str, str | None] = {}

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
        if plain is not None and self.same(plain, declared):
            return True
        if (node, place) in self.safe:
            return self.safe[node, place]
        found = self.range(index)
        return found is not None and found[0] >= 0 and found[1] < self.size(self.system.tensor_axes[node.tensor][place])

    def finite(self, node: Expression) -> bool:
        """Whether the value is finite whenever the inputs are (so that it may be multiplied by a factor of 0)."""
        return self._level(node) == FINITE

    def _level(self, node: Expression) -> int:
        match node:
            case Number(value):
                return FINITE if isinstance(value, str) or math.isfinite(value) else UNKNOWN
            case Index():
                return FINITE
            case Access(tensor, _):
                return self._level_of_tensor(tensor)
            case Reduce(_, _, body):
                return self._level(body)
            case Apply("neg", (Apply("∞", ()),)):
                return MINUS_INFINITY
            case Apply("/" | "//" | "%", (left, right)):
                sure = nonzero(right) or self.sign(right) == POSITIVE
                return FINITE if sure and self.finite(left) else UNKNOWN
            case Apply("^", (base, Number(int(power)))) if power >= 0:
                return FINITE if self.finite(base) else UNKNOWN
            case Apply("^" | "log" | "rsqrt", arguments) if self.sign(arguments[0]) == POSITIVE:
                return FINITE if all(self.finite(argument) for argument in arguments) else UNKNOWN
            case Apply("sqrt", (argument,)) if self.sign(argument) is not None:
                return self._level(argument)
            case Apply("exp" | "sigmoid" | "softplus", (argument,)):
                return FINITE if self._level(argument) else UNKNOWN
            case Apply("+", arguments):
                return min(FINITE if self._is_minus_logsumexp(part) else self._level(part) for part in arguments)
            case Apply("where", (_, yes, no)) | Apply("max" | "logaddexp", (yes, no)):
                return min(self._level(yes), self._level(no))
            case Apply(function, arguments):
                sure = FUNCTIONS[function].total and all(self.finite(argument) for argument in arguments)
                return FINITE if sure else UNKNOWN
        return UNKNOWN

    def _level_of_tensor(self, tensor: str) -> int:
        if tensor not in self._levels:
            self._levels[tensor] = FINITE  # a recurrence is finite if its other parts are
            equation = self.system.by_name.get(tensor)
            self._levels[tensor] = FINITE if equation is None else self._level(equation.expression)
        return self._levels[tensor]

    def _is_minus_logsumexp(self, node: Expression) -> bool:
        """−∞ everywhere is the one way in which a logsumexp of what is finite or −∞ is not finite."""
        if not isinstance(node, Apply) or node.function != "neg":
            return False
        (inner,) = node.arguments
        if isinstance(inner, Access) and inner.tensor in self.system.by_name:
            inner = self.system.by_name[inner.tensor].expression
        return isinstance(inner, Reduce) and inner.operation == "logsumexp" and self._level(inner) != UNKNOWN

    def sign(self, node: Expression) -> str | None:
        """``POSITIVE``, ``NONNEGATIVE`` or None where neither is certain."""
        match node:
            case Number(value):
                positive = isinstance(value, str) or value > 0
                return POSITIVE if positive else NONNEGATIVE if value == 0 else None
            case Access(tensor, indices):
                found = self._sign_of_tensor(tensor)
                plain = all(plain_axis(index) is not None for index in indices)
                return found if plain else NONNEGATIVE if found else None  # outside its range a tensor is 0
            case Apply("exp" | "sqrt" | "rsqrt" | "π" as function, arguments):
                inner = self.sign(arguments[0]) if function == "sqrt" else POSITIVE
                return POSITIVE if inner == POSITIVE else NONNEGATIVE
            case Apply("abs" | "relu" | "sigmoid" | "softplus", _) | Apply("^", (_, Number(2))):
                return NONNEGATIVE
            case Apply("+", arguments):
                signs = {self.sign(argument) for argument in arguments}
                return None if None in signs else POSITIVE if POSITIVE in signs else NONNEGATIVE
            case Apply("*", arguments):
                signs = {self.sign(argument) for argument in arguments}
                return None if None in signs else NONNEGATIVE if NONNEGATIVE in signs else POSITIVE
            case Apply("/", (left, right)):
                return self.sign(left) if self.sign(right) == POSITIVE else None
            case Apply("max", (left, right)):
                signs = {self.sign(left), self.sign(right)}
                return POSITIVE if POSITIVE in signs else NONNEGATIVE if NONNEGATIVE in signs else None
            case Reduce("sum" | "max" | "min", _, body):
                return self.sign(body)
            case Apply(function, _) if function in COMPARISONS:
                return NONNEGATIVE
        return None

    def _sign_of_tensor(self, tensor: str) -> str | None:
        if tensor not in self._signs:
            self._signs[tensor] = None
            equation = self.system.by_name.get(tensor)
            self._signs[tensor] = None if equation is None else self.sign(equation.expression)
        return self._signs[tensor]


@lru_cache(maxsize=512)
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
        if not inside or not isinstance(index, Access) or index.tensor not in system.input_by_name:
            continue
        if all(plain_axis(part) is not None for part in index.indices):
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
