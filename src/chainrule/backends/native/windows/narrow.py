"""*narrow*: sums over positions of which only those in a short window give anything.

sum[p](g[p]*W[h - 2*p])      →  sum[d](g[h//2 - d]*W[h%2 + 2*d])
sum[p](g[p]*[h - 2*p = e])   →  g[h//2]*[h%2 = e]                   e < 2
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chainrule.backends.native.windows.names import Names
from chainrule.equations.node import POSITIONS, Access, Apply, Index, Number, Reduce, factors_of, plain_axis
from chainrule.equations.walk import combine, free_axes, is_apply, product, rebuild, substitute


class Narrowing:
    def __init__(self, names: Names) -> None:
        self.names = names

    def narrowed(self, node: Reduce) -> Any:
        body: Any = node.body
        factors = [_as_range(factor) for factor in factors_of(body)]
        axes = list(node.axes)
        for name in node.axes:
            found = self.restriction(name, axes, factors)
            if found is None:
                continue
            index, extent, coefficient = found
            by = abs(coefficient)
            count = -(-extent // by)
            if 2 * count > self.names.size(name) or not self.is_read_plainly(name, factors):
                continue
            rest = combine(((c, atom) for c, atom in index.terms if atom != name), index.constant)
            copy = self.names.fresh_axis(name, count) if count > 1 else None
            step = _step(rest, by, copy, coefficient)
            inside = _remainder(rest, by, copy)
            factors = [_replaced(factor, index, inside, name, step) for factor in factors]
            axes.remove(name)
            axes += [copy] if copy is not None else []
        factors = [factor for factor in factors if not self.is_implied(factor, factors)]
        body = product(factors)
        return Reduce("sum", tuple(axes), body) if axes else body

    def restriction(self, name: str, axes: list[str], factors: list[Any]) -> tuple[Index, int, int] | None:
        """An index with the axis that must lie in 0 … extent - 1 for the product not to be 0: (index, extent,
        coefficient of the axis)."""
        best: tuple[Index, int, int] | None = None
        for factor in factors:
            for index, extent in self.bounded(factor):
                if any(not isinstance(atom, str) for _, atom in index.terms):
                    continue
                coefficients = {atom: c for c, atom in index.terms}
                others = [atom for atom in coefficients if atom != name]
                if name not in coefficients or not others or any(atom in axes for atom in others):
                    continue
                if best is None or extent < best[1]:
                    best = index, extent, coefficients[name]
        return best

    def bounded(self, factor: Any) -> Iterable[tuple[Index, int]]:
        match factor:
            case Access(tensor, indices):
                for place, index in enumerate(indices):
                    if isinstance(index, Index) and len(index.terms) > 1:
                        yield index, self.names.size_of(tensor, place)
            case Apply("<=<", (Number(0), Index() as index, limit)):
                extent = self.number(limit)
                if extent is not None:
                    yield index, extent
            case Apply("=", (Index() as index, Reduce(operation, (over,), _))) if operation in POSITIONS:
                yield index, self.names.size(over)
            case Apply("=", (Reduce(operation, (over,), _), Index() as index)) if operation in POSITIONS:
                yield index, self.names.size(over)
            case Apply("=", (Index() as index, Access(tensor, _))) if self.arg_range(tensor) is not None:
                yield index, self.arg_range(tensor) or 0
            case Apply("=", (Access(tensor, _), Index() as index)) if self.arg_range(tensor) is not None:
                yield index, self.arg_range(tensor) or 0

    def arg_range(self, tensor: str) -> int | None:
        """How many values a tensor has that is an argmax."""
        equation = self.names.system.by_name.get(tensor)
        if equation is None:
            return None
        match equation.expression:
            case Reduce(operation, (over,), _) if operation in POSITIONS:
                return self.names.size(over)
        return None

    def number(self, node: Any) -> int | None:
        match node:
            case Number(str(name)):
                return self.names.size(name)
            case Number(int(value)):
                return value
        return None

    def is_read_plainly(self, name: str, factors: list[Any]) -> bool:
        """Whether a tensor is read at the axis itself, and so is 0 where the axis is outside."""
        return any(
            isinstance(factor, Access)
            and any(
                plain_axis(index) == name and self.names.size_of(factor.tensor, place) == self.names.size(name)
                for place, index in enumerate(factor.indices)
            )
            for factor in factors
        )

    def is_implied(self, factor: Any, factors: list[Any]) -> bool:
        """Whether a bracket is 1 wherever what else is multiplied is not 0."""
        match factor:
            case Apply("<=<", (Number(0), Index() as index, limit)):
                extent = self.number(limit)
                for other in factors:
                    if isinstance(other, Access):
                        for place, at in enumerate(other.indices):
                            if at is index and extent is not None and self.names.size_of(other.tensor, place) <= extent:
                                return True
                low, high = self.names.range(index)
                return extent is not None and low >= 0 and high < extent
        return False


def _as_range(factor: Any) -> Any:
    """``[k = e//n]`` as ``[0 <= e - n*k < n]``."""
    if not is_apply(factor, "="):
        return factor
    for one, other in (factor.arguments, factor.arguments[::-1]):
        if not isinstance(one, Index) or not isinstance(other, Index) or other.constant or len(other.terms) != 1:
            continue
        ((coefficient, atom),) = other.terms
        if coefficient == 1 and is_apply(atom, "//") and isinstance(atom.arguments[1], Number):
            inner, by = atom.arguments[0], atom.arguments[1].value
            if isinstance(by, int) and by > 0:
                return Apply("<=<", (Number(0), combine([(1, inner), (-by, one)], 0), Number(by)))
    return factor


def _step(rest: Index, by: int, copy: str | None, coefficient: int) -> Index:
    """The axis in terms of what is left of it: with index = rest - by·p, p = rest//by - d; with +, p = d - rest//by."""
    sign = 1 if coefficient < 0 else -1
    quotient: Any = rest if by == 1 else Apply("//", (rest, Number(by)))
    terms: list[tuple[int, Any]] = [(sign, quotient)]
    if copy is not None:
        terms.append((-sign, copy))
    return combine(terms, 0)


def _remainder(rest: Index, by: int, copy: str | None) -> Index:
    """The index itself: rest%by + by·d."""
    terms: list[tuple[int, Any]] = [] if by == 1 else [(1, Apply("%", (rest, Number(by))))]
    if copy is not None:
        terms.append((by, copy))
    return combine(terms, 0)


def _replaced(node: Any, index: Index, inside: Index, name: str, step: Index) -> Any:
    """The factor with ``inside`` in place of the index and ``step`` in place of the axis elsewhere."""
    if node is index:
        return inside
    if isinstance(node, Index):
        return substitute(node, {name: step})
    return rebuild(node, lambda child: _replaced(child, index, inside, name, step)) if name in free_axes(node) else node
