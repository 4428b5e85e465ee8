"""Delta elimination: a sum over an axis of something times ``[axis = e]`` is that thing at ``e``.

    Σ_u f(u) [h = 2p + u]   =   f(h - 2p) [0 ≤ h - 2p < U]

A bracket is solved for a summed axis that it contains with coefficient ±1.  The solution must lie in the range of the
axis, which the bracket on the right (the guard) says; it is left out where something else says it already.
A bracket on a position that depends on data stays.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from chainrule.calculus.algebra import is_total
from chainrule.equations.node import Apply, Expression, Index, Number, Reduce, base_axis, plain_axis
from chainrule.equations.sizes import axis_class
from chainrule.equations.walk import combine, free_axes, substitute

Classes = Mapping[str, str]


def eliminate(
    axes: Sequence[str], factors: Sequence[Expression], classes: Classes, covered: Collection[str] = (), last: int = 0
) -> tuple[tuple[str, ...], tuple[Expression, ...]]:
    """The summed axes and the factors of a product that are left when every bracket that can be is solved.

    ``covered``: axes outside whose range one of the factors is 0 in any case (the axes of ``∂y`` in the chain rule),
    so that their guard may be left out if the other factors are defined there.  ``classes``: see ``axis_classes``.
    ``last``: this many factors at the end are solved first (the brackets of the chain rule, before the author's own).
    """
    left = list(axes)
    kept: list[Expression] = list(factors)
    guards: list[Expression] = []
    while True:
        places = [*range(len(kept) - last, len(kept)), *range(len(kept) - last)]
        solved = next(((at, solution) for at in places if (solution := _solve(kept[at], left, covered))), None)
        if solved is None:
            return tuple(left), (*kept, *guards)
        at, (name, value) = solved
        if at >= len(kept) - last:
            last -= 1
        del kept[at]
        left.remove(name)
        before = [*kept, *guards]
        kept = [substitute(factor, {name: value}) for factor in kept]
        guards = [substitute(factor, {name: value}) for factor in guards]
        if not _inside(name, value, before, [*kept, *guards], classes, covered):
            guards.append(Apply("<=<", (Number(0), value, Number(base_axis(name)))))


def has_delta(axes: Sequence[str], factors: Sequence[Expression]) -> bool:
    """Whether some bracket can be solved for one of the summed axes."""
    return any(_solve(factor, axes, ()) is not None for factor in factors)


def _solve(factor: Any, axes: Sequence[str], covered: Collection[str]) -> tuple[str, Index] | None:
    """The axis that an equality bracket determines, and its value."""
    if not (isinstance(factor, Apply) and factor.function == "="):
        return None
    left, right = (_index(side) for side in factor.arguments)
    if left is None or right is None:
        return None
    difference = combine([(1, left), (-1, right)], 0)
    nested = {name for _, atom in difference.terms if not isinstance(atom, str) for name in free_axes(atom)}
    candidates = [
        (atom, coefficient)
        for coefficient, atom in difference.terms
        if isinstance(atom, str) and atom in axes and atom not in nested and abs(coefficient) == 1
    ]
    if not candidates:
        return None
    name, coefficient = min(candidates, key=lambda candidate: (candidate[0] not in covered, axes.index(candidate[0])))
    rest = [(c, atom) for c, atom in difference.terms if atom != name]
    return name, in_reading_order(
        combine([(-coefficient * c, atom) for c, atom in rest], -coefficient * difference.constant)
    )


def in_reading_order(index: Index) -> Index:
    """Positive terms first: ``h - 2*p + 1``."""
    terms = sorted(index.terms, key=lambda term: (term[0] < 0, not isinstance(term[1], str)))
    return Index(tuple(terms), index.constant)


def _index(node: Any) -> Index | None:
    match node:
        case Index():
            return node
        case Number(int() | str()):
            return combine([(1, node)], 0)
    return None


def _inside(
    name: str,
    value: Index,
    before: Sequence[Expression],
    after: Sequence[Expression],
    classes: Classes,
    covered: Collection[str],
) -> bool:
    """Whether the value is sure to be in the range of the axis, or the product is 0 where it is not."""
    plain = plain_axis(value)
    size = axis_class(name, classes)
    if plain is not None and axis_class(plain, classes) == size:
        return True
    for factor in after:
        match factor:
            case Apply("=", (position, Reduce("argmax" | "argmin", (over,), _))):
                if position is value and axis_class(over, classes) == size:
                    return True
    return name in covered and all(is_total(factor, name) for factor in before)
