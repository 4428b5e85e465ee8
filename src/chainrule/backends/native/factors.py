"""*factor*: sums of products of many factors as sums of products of two tensors, which are matrix products.

``∂U[l,k] = sum[b,t](∂n[b,t,k]*(1 - n[b,t,k]^2)*h[b,t-1,l])`` becomes ``δ[b,t,k] = ∂n[b,t,k]*(1 - n[b,t,k]^2)`` and
``∂U[l,k] = sum[b,t](δ[b,t,k]*h[b,t-1,l])``.  The factors of a side get one equation wherever they stand, also if they
are read a step further on; factors that do not depend on what is summed over leave the sum; a sum that stands in
several equations, in a recurrence or out of it, gets an equation, too.  Equations that only copy are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from chainrule.backends.passes import alike
from chainrule.equations.node import Access, Apply, Equation, Expression, Index, Reduce, access, plain_axis
from chainrule.equations.sizes import axis_class, axis_classes
from chainrule.equations.system import System
from chainrule.equations.walk import free_axes, is_bracket, product, rebuild, subexpressions, substitute, tensors


def factored(system: System) -> System:
    """The system with every sum of products that can be a matrix product written as one."""
    return _with_sums_named(_Factoring(system).run())


def without_copies(system: System, kept: Collection[str]) -> System:
    """The system without the equations that only give a tensor another name or order of axes, unless it is ``kept``."""
    classes = axis_classes(system)
    copies: dict[str, tuple[Equation, Access]] = {}
    for equation in system.equations:
        read = equation.expression
        if equation.name in kept or not isinstance(read, Access) or len(read.indices) != len(equation.axes):
            continue
        places = tuple(plain_axis(index) for index in read.indices)
        if set(places) == set(equation.axes) and _alike(system.tensor_axes[read.tensor], places, classes):
            copies[equation.name] = equation, read

    def replaced(node: Any) -> Any:
        node = rebuild(node, replaced)
        if isinstance(node, Access) and node.tensor in copies:
            equation, read = copies[node.tensor]
            at = dict(zip(equation.axes, node.indices, strict=True))
            return replaced(Access(read.tensor, tuple(at[str(plain_axis(index))] for index in read.indices)))
        return node

    others = (equation for equation in system.equations if equation.name not in copies)
    equations = tuple(Equation(e.name, e.axes, replaced(e.expression)) for e in others)
    return System(equations, system.inputs, system.sizes, system.sources)


def _alike(axes: Sequence[str], others: Sequence[str | None], classes: Mapping[str, str]) -> bool:
    """Whether the axes have the sizes of the others, one by one."""
    pairs = zip(axes, others, strict=True)
    return all(other is not None and axis_class(axis, classes) == axis_class(other, classes) for axis, other in pairs)


def _with_sums_named(system: System) -> System:
    """One equation for each sum of products of two tensors that occurs more than once."""
    classes = axis_classes(system)
    keys = {
        node: alike(node, classes)
        for equation in system.equations
        for node in subexpressions(equation.expression)
        if _is_product_sum(node)
    }
    counts = Counter(
        keys[node] for e in system.equations for node in subexpressions(e.expression) if _is_product_sum(node)
    )
    taken = set(system.tensor_axes)
    named: dict[Any, Equation] = {}
    equations: list[Equation] = []

    def replaced(node: Any) -> Any:
        key = keys.get(node) if isinstance(node, Reduce) else None
        if key is None or counts[key] < 2:
            return rebuild(node, replaced)
        if key not in named:
            named[key] = Equation(_fresh(f"sum_{tensors(node)[0].rpartition('.')[2]}", taken), free_axes(node), node)
            equations.append(named[key])
        names = dict(zip(named[key].axes, free_axes(node), strict=True))
        return access(named[key].name, (names[name] for name in named[key].axes))

    for equation in system.equations:
        whole = equation.expression in keys
        expression = equation.expression if whole else replaced(equation.expression)
        equations.append(Equation(equation.name, equation.axes, expression))
    return System(tuple(equations), system.inputs, system.sizes, system.sources)


def _is_product_sum(node: Any) -> bool:
    match node:
        case Reduce("sum", _, Apply("*", (Access() as one, Access() as other))):
            return _is_plain(one) and _is_plain(other)
    return False


def _fresh(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "'"
    taken.add(name)
    return name


class _Factoring:
    def __init__(self, system: System) -> None:
        self.system = system
        self.classes = axis_classes(system)
        self.taken = set(system.tensor_axes)
        self.made: list[Equation] = []
        self.known: dict[Any, Equation] = {}

    def run(self) -> System:
        equations = []
        for equation in self.system.equations:
            expression = self.changed(equation.expression)
            equations += [*self.made, Equation(equation.name, equation.axes, expression)]
            self.made = []
        return System(tuple(equations), self.system.inputs, self.system.sizes, self.system.sources)

    def changed(self, node: Any) -> Any:
        node = rebuild(node, self.changed)
        if not (isinstance(node, Reduce) and node.operation == "sum" and isinstance(node.body, Apply)):
            return node
        if node.body.function != "*" or not all(_is_plain(factor) for factor in node.body.arguments):
            return node
        outside = [f for f in node.body.arguments if not set(free_axes(f)) & set(node.axes)]
        inside = [f for f in node.body.arguments if set(free_axes(f)) & set(node.axes)]
        sides = _sides(inside, node)
        if sides is None:
            return node
        two = tuple(self.named(side) for side in sides)
        total = Reduce("sum", node.axes, Apply("*", two))
        return Apply("*", (*outside, total)) if outside else total

    def named(self, side: list[Expression]) -> Expression:
        """The product of the factors as a read of a tensor."""
        if len(side) == 1 and isinstance(side[0], Access):
            return side[0]
        whole = product(side)
        shifts = {name: _shift(side, name) for name in free_axes(whole)}
        here = substitute(whole, {name: Index(((1, name),), -by) for name, by in shifts.items() if by})
        key = alike(here, self.classes)
        if key not in self.known:
            name = _fresh(f"{tensors(side[0])[0].rpartition('.')[2]}_product", self.taken)
            self.known[key] = Equation(name, free_axes(here), here)
            self.made.append(self.known[key])
        found = self.known[key]
        names = dict(zip(free_axes(found.expression), free_axes(here), strict=True))
        indices = (names[name] for name in found.axes)
        return Access(found.name, tuple(Index(((1, name),), shifts[name]) for name in indices))


def _sides(factors: list[Expression], node: Reduce) -> list[list[Expression]] | None:
    """The factors of the two tensors whose product is summed; None where there are two already, or never will be."""
    if all(isinstance(factor, Access) for factor in factors) and len(factors) <= 2:
        return None
    summed, kept = set(node.axes), set(free_axes(node))
    best: tuple[int, list[list[Expression]]] | None = None
    for one, other in combinations([f for f in factors if not is_bracket(f)], 2):
        first, second = set(free_axes(one)), set(free_axes(other))
        if not summed <= first & second or not (first - second and second - first):
            continue
        if any(not set(free_axes(f)) <= first and not set(free_axes(f)) <= second for f in factors):
            continue
        if (first | second) != summed | {a for f in factors for a in free_axes(f) if a in kept}:
            continue
        if best is None or len(first) + len(second) < best[0]:
            best = len(first) + len(second), _shared_out(factors, one, other)
    return best and best[1]


def _shared_out(factors: list[Expression], one: Expression, other: Expression) -> list[list[Expression]]:
    """Each factor on a side that has all its axes; where both have, on the one that is no plain tensor anyway."""
    sides = [[one], [other]]
    either = []
    for factor in factors:
        if factor is one or factor is other:
            continue
        fits = [side for side in sides if set(free_axes(factor)) <= set(free_axes(side[0]))]
        if len(fits) == 2:
            either.append(factor)
        else:
            fits[0].append(factor)
    sides.sort(key=lambda side: (len(side) == 1 and isinstance(side[0], Access), len(free_axes(side[0]))))
    sides[0] += either
    return sides


def _is_plain(node: Expression) -> bool:
    """Whether everything is read at axes, or at shifts of them: no windows, no positions in the data."""
    return all(_shifted_axis(index) is not None for read in _reads(node) for index in read.indices)


def _reads(node: Expression) -> Iterator[Access]:
    return (part for part in subexpressions(node) if isinstance(part, Access))


def _shifted_axis(index: Expression) -> str | None:
    return plain_axis(Index(index.terms, 0)) if isinstance(index, Index) else None


def _shift(side: list[Expression], name: str) -> int:
    """By how much the whole product is shifted along an axis: 0, or what every read is shifted by, if the product is
    0 where one factor is read outside."""
    shifts = {
        index.constant
        for factor in side
        for read in _reads(factor)
        for index in read.indices
        if isinstance(index, Index) and _shifted_axis(index) == name
    }
    if len(shifts) != 1:
        return 0
    direct = any(isinstance(f, Access) and name in free_axes(f) for f in side)
    return shifts.pop() if direct else 0
