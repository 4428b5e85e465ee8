"""*unroll*: reductions of few terms written out, so that they stay in registers and join the nest that reads them.

    max[u](x[2*p + u])  →  max(x[2*p], x[2*p + 1])

Pooling, whose argmax stands in the gradient, would else write an integer for every position of the input.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from math import prod
from typing import Any

from chainrule.backends.native.space import new_axes
from chainrule.equations.node import POSITIONS, Access, Apply, Equation, Index, Number, Reduce
from chainrule.equations.sizes import axis_classes, fixed_axes, known_size
from chainrule.equations.system import System
from chainrule.equations.walk import combine, free_axes, rebuild, subexpressions, substitute

MOST_TERMS = 16  # that are written out
MOST_NODES = 1_000  # of an expression that is written out


def unrolled(system: System, sizes: Mapping[str, int], stated: System) -> System:
    """Every reduction of few terms written out, but for sums that are products of matrices.

    ``stated`` is the system before any rewriting.  It alone says which axes have one size: ``W[h + p]`` with 0 for p is
    ``W[h]``, which as an equation of the user's would say that h is as long as W, and here does not.
    """
    writer = _Unrolling(sizes, stated, new_axes(system, stated))
    equations = tuple(Equation(e.name, e.axes, writer.change(e.expression, e.axes)) for e in system.equations)
    return system if equations == system.equations else System(equations, system.inputs, system.sizes, system.sources)


class _Unrolling:
    def __init__(self, sizes: Mapping[str, int], stated: System, made: set[str]) -> None:
        self.classes = axis_classes(stated)
        self.fixed = {self.classes.get(name, name) for name in fixed_axes(stated)} | made
        self.sizes = sizes

    def change(self, node: Any, axes: tuple[str, ...]) -> Any:
        """``axes``: those around the node.  Positions that are only compared are written as real numbers."""
        match node:
            case Apply("=", (left, Reduce(operation, _, _) as right)) if operation in POSITIONS:
                terms = self.terms(right, axes)
                if terms is not None:
                    return Apply("=", (left, _first_of(operation, terms, float)))
            case Apply("=", (Reduce(operation, _, _) as left, right)) if operation in POSITIONS:
                terms = self.terms(left, axes)
                if terms is not None:
                    return Apply("=", (_first_of(operation, terms, float), right))
            case Reduce(operation, _, _) if operation != "logsumexp":
                terms = self.terms(node, axes)
                if terms is not None:
                    if operation in POSITIONS:
                        return _first_of(operation, terms, int)
                    return Apply("+", tuple(terms)) if operation == "sum" else _folded(operation, terms)
        inner = (*axes, *node.axes) if isinstance(node, Reduce) else axes
        return rebuild(node, lambda child: self.change(child, inner))

    def terms(self, node: Reduce, axes: tuple[str, ...]) -> list[Any] | None:
        """What is reduced, at every position; None where that is too much, or better done as a product."""
        if any(self.classes.get(name, name) not in self.fixed for name in node.axes):
            return None
        count = prod(self.size(name) for name in node.axes)
        if not 1 < count <= MOST_TERMS or (node.operation == "sum" and _is_product(node, axes)):
            return None
        body = self.change(node.body, (*axes, *node.axes))
        # Counted as a tree, as passes go through it; one inside the other would else double with each.
        if sum(1 for _ in islice(subexpressions(body), MOST_NODES)) * count > MOST_NODES:
            return None
        bodies = [body]
        for name in node.axes:
            bodies = [substitute(each, {name: combine((), at)}) for each in bodies for at in range(self.size(name))]
        return bodies

    def size(self, name: str) -> int:
        return known_size(name, self.sizes, self.classes)


def at_position(node: Any, name: str, position: int) -> Any:
    """The expression at a position of an axis: products with a bracket that does not hold there are left out."""
    return _settled(substitute(node, {name: combine((), position)}))


def _settled(node: Any) -> Any:
    node = rebuild(node, _settled)
    match node:
        case Apply("*", factors):
            if any(_holds(factor) is False for factor in factors):
                return Number(0)
            left = tuple(factor for factor in factors if not _holds(factor))
            return Apply("*", left) if len(left) > 1 else left[0] if left else Number(1)
        case Apply("+", terms):
            left = tuple(term for term in terms if term is not Number(0))
            return Apply("+", left) if len(left) > 1 else left[0] if left else Number(0)
    return node


def _holds(node: Any) -> bool | None:
    """Whether an equality of two integers holds; None if it is something else."""
    match node:
        case Apply("=", (one, other)):
            left, right = _integer(one), _integer(other)
            return None if left is None or right is None else left == right
    return None


def _integer(node: Any) -> int | None:
    match node:
        case Index((), constant):
            return constant
        case Number(int(value)):
            return value
    return None


def _is_product(node: Reduce, axes: tuple[str, ...]) -> bool:
    """Whether it is a sum of products of two reads that do not share the last axis of the result."""
    body = node.body
    if not isinstance(body, Apply) or body.function != "*" or len(body.arguments) != 2:
        return False
    if not all(isinstance(factor, Access) for factor in body.arguments):
        return False
    return not all(axes and axes[-1] in free_axes(factor) for factor in body.arguments)


def _folded(operation: str, terms: list[Any]) -> Any:
    """Pairs of pairs, so that no chain is long."""
    while len(terms) > 1:
        pairs = [Apply(operation, (one, other)) for one, other in zip(terms[::2], terms[1::2], strict=False)]
        terms = pairs + terms[len(terms) // 2 * 2 :]
    return terms[0]


def _first_of(operation: str, terms: list[Any], kind: type) -> Any:
    """The first position of the greatest (least) term."""
    better, best = (">", "max") if operation == "argmax" else ("<", "min")
    value: Any = terms[0]
    place: Any = Number(kind(0))
    for position, term in enumerate(terms[1:], 1):
        place = Apply("where", (Apply(better, (term, value)), Number(kind(position)), place))
        value = Apply(best, (value, term))
    return place
