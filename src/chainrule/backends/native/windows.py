"""*windows*: sums over positions of a window, written so that they are products or plain reads.

A convolution and its gradients, pooling and theirs read at positions that several axes make together (``2·p + u - 1``).
The rewritings, for the sizes of a run:

narrowed    sum[p](g[p]*W[h - 2*p])  →  sum[d](g[h//2 - d]*W[h%2 + 2*d])         where what is read at h - 2p is short,
            sum[p](g[p]*[h - 2*p = e])  →  g[h//2]*[h%2 = e]                       all other p give 0
phased      z[h] = sum[d](g[h//2 - d]*W[h%2 + 2*d])  →  z[h] = Z[h//2, h%2],  Z[j,r] = sum[d](g[j - d]*W[r + 2*d])
turned      sum[d](g[j - d]*W[d])  →  sum[d](g[j + d - 2]*W#[d]),  W#[d] = W[2 - d]      a window runs forwards
padded      x[p + u - 1]  →  x#[p + u],  x#[i] = x[i - 1]                          what is outside is written down
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any, TypeGuard

from chainrule.equations.node import (
    Access,
    Apply,
    Equation,
    Expression,
    Index,
    Number,
    Reduce,
    access,
    axis,
    base_axis,
    plain_axis,
)
from chainrule.equations.order import order
from chainrule.equations.sizes import axis_classes, solve_sizes
from chainrule.equations.system import Role, System
from chainrule.equations.walk import combine, free_axes, rebuild, subexpressions, substitute
from chainrule.errors import ChainruleError

MOST_COPIED = 4  # a factor is written anew if it grows to no more than so many times its size
LASTING: tuple[Role, ...] = ("parameter", "state")  # their sizes are not the data's
BOUND_FUNCTIONS = ("argmax", "argmin")


def windowed(system: System, sizes: Mapping[str, int]) -> tuple[System, Mapping[str, int]]:
    """All rewritings, for the sizes of a run, to which those of new axes are added."""
    windows = _Windows(system, sizes)
    return windows.run(), windows.sizes


class _Windows:
    def __init__(self, system: System, sizes: Mapping[str, int]) -> None:
        self.system = system
        self.sizes = dict(sizes)
        self.classes = axis_classes(system)
        lasting = (name for role in LASTING for tensor in system.named(role) for name in tensor.axes)
        known = solve_sizes(system, {}, partial=True)
        self.fixed = {self.classes.get(name, name) for name in (*known, *lasting)}
        self.equations: list[Equation] = []
        self.declared: list[tuple[str, Expression | None]] = []
        self.copies: dict[Any, str] = {}
        self.axes = {name: axes for name, axes in system.tensor_axes.items()}
        self.taken = set(system.tensor_axes)

    def run(self) -> System:
        circular = _recurrent(self.system)
        for equation in self.system.equations:
            changed = equation
            if equation.name not in circular:
                changed = Equation(equation.name, equation.axes, self.rewritten(equation.expression, equation))
            self.equations.append(changed)
        if self.equations == list(self.system.equations):
            return self.system
        return System(
            tuple(self.equations), self.system.inputs, (*self.system.sizes, *self.declared), self.system.sources
        )

    def size(self, name: str) -> int:
        for other in (name, base_axis(name), self.classes.get(base_axis(name), name)):
            if other in self.sizes:
                return self.sizes[other]
        raise ChainruleError(f"the code depends on the size of axis {base_axis(name)}, which is not known")

    def rewritten(self, node: Any, equation: Equation) -> Any:
        node = rebuild(node, lambda child: self.rewritten(child, equation))
        if isinstance(node, Reduce) and node.operation == "sum":
            node = self.narrowed(node)
            if isinstance(node, Reduce):
                node = self.product(node, equation)
        return node

    # narrowed

    def narrowed(self, node: Reduce) -> Any:
        body: Any = node.body
        factors = [_as_range(factor) for factor in (body.arguments if _is(body, "*") else (body,))]
        axes = list(node.axes)
        for name in node.axes:
            found = self.restriction(name, axes, factors)
            if found is None:
                continue
            index, extent, coefficient = found
            by = abs(coefficient)
            count = -(-extent // by)
            if 2 * count > self.size(name) or not self.is_read_plainly(name, factors):
                continue
            rest = combine(((c, atom) for c, atom in index.terms if atom != name), index.constant)
            copy = self.fresh_axis(name, count) if count > 1 else None
            step = _step(rest, by, copy, coefficient)
            inside = _remainder(rest, by, copy)
            factors = [_replaced(factor, index, inside, name, step) for factor in factors]
            axes.remove(name)
            axes += [copy] if copy is not None else []
        factors = [factor for factor in factors if not self.is_implied(factor, factors)]
        body = factors[0] if len(factors) == 1 else Apply("*", tuple(factors))
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
                        yield index, self.size_of(tensor, place)
            case Apply("<=<", (Number(0), Index() as index, limit)):
                extent = self.number(limit)
                if extent is not None:
                    yield index, extent
            case Apply("=", (Index() as index, Reduce(operation, (over,), _))) if operation in BOUND_FUNCTIONS:
                yield index, self.size(over)
            case Apply("=", (Reduce(operation, (over,), _), Index() as index)) if operation in BOUND_FUNCTIONS:
                yield index, self.size(over)
            case Apply("=", (Index() as index, Access(tensor, _))) if self.arg_range(tensor) is not None:
                yield index, self.arg_range(tensor) or 0
            case Apply("=", (Access(tensor, _), Index() as index)) if self.arg_range(tensor) is not None:
                yield index, self.arg_range(tensor) or 0

    def arg_range(self, tensor: str) -> int | None:
        """How many values a tensor has that is an argmax."""
        equation = self.system.by_name.get(tensor)
        if equation is None:
            return None
        match equation.expression:
            case Reduce(operation, (over,), _) if operation in BOUND_FUNCTIONS:
                return self.size(over)
        return None

    def number(self, node: Any) -> int | None:
        match node:
            case Number(str(name)):
                return self.size(name)
            case Number(int(value)):
                return value
        return None

    def is_read_plainly(self, name: str, factors: list[Any]) -> bool:
        """Whether a tensor is read at the axis itself, and so is 0 where the axis is outside."""
        return any(
            isinstance(factor, Access)
            and any(
                plain_axis(index) == name and self.size_of(factor.tensor, place) == self.size(name)
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
                            if at is index and extent is not None and self.size_of(other.tensor, place) <= extent:
                                return True
                low, high = self.range(index)
                return extent is not None and low >= 0 and high < extent
        return False

    def range(self, index: Any) -> tuple[int, int]:
        """The least and the greatest value of an index."""
        low = high = index.constant
        for c, atom in index.terms:
            if isinstance(atom, str):
                least, most = 0, self.size(atom) - 1
            elif _is(atom, "%") and isinstance(atom.arguments[1], Number):
                least, most = 0, int(atom.arguments[1].value) - 1
            elif isinstance(atom, Number):
                least = most = self.size(str(atom.value))
            else:
                inner = self.range(atom.arguments[0])
                by = int(atom.arguments[1].value)
                least, most = inner[0] // by, inner[1] // by
            low, high = low + min(c * least, c * most), high + max(c * least, c * most)
        return low, high

    # products

    def product(self, node: Reduce, equation: Equation) -> Any:
        """A sum of products of two reads, at least one of them of a window."""
        body: Any = node.body
        if not _is(body, "*") or len(body.arguments) != 2 or not all(isinstance(f, Access) for f in body.arguments):
            return node
        factors: list[Any] = list(body.arguments)
        if any(self.system.input_by_name.get(f.tensor) and self.is_integer(f.tensor) for f in factors):
            return node
        if any(not isinstance(index, Index) for factor in factors for index in factor.indices):
            return node
        if not any(self.is_window(factor) for factor in factors):
            return node
        last = _in_order(equation.axes, free_axes(node))[-1:]
        if all(set(last) <= set(free_axes(factor)) for factor in factors):
            return node  # element by element, as for a window over each channel: no product
        phased = self.phased(node, equation)
        if phased is not None:
            return phased
        if any(not isinstance(a, str) for f in factors for index in f.indices for _, a in index.terms):
            return node
        seen = max((0, 1), key=lambda n: self.as_window(factors[n]))
        for name in node.axes:
            if _coefficient(factors[seen], name) < 0 or (
                _coefficient(factors[1 - seen], name) < 0 and not _coefficient(factors[seen], name)
            ):
                back = combine([(-1, name)], self.size(name) - 1)
                factors = [substitute(factor, {name: back}) for factor in factors]
        factors[1 - seen] = self.forwards(factors[1 - seen], factors[seen], node, equation)
        if any(c < 0 for factor in factors for index in factor.indices for c, _ in index.terms):
            return node
        factors = [self.padded(factor) for factor in factors]
        return Reduce("sum", node.axes, Apply("*", tuple(factors)))

    def is_window(self, factor: Access) -> bool:
        """Whether several axes make a position together, or one at a stride; a shifted axis is none."""
        return any(
            len(index.terms) > 1 or any(c != 1 or not isinstance(atom, str) for c, atom in index.terms)
            for index in factor.indices
            if isinstance(index, Index)
        )

    def as_window(self, factor: Any) -> tuple[int, bool, int]:
        """How much speaks for a factor to be seen through the window, and for the other to be the weights."""
        several = sum(len(index.terms) > 1 for index in factor.indices)
        data = any(self.classes.get(name, name) not in self.fixed for name in free_axes(factor) if "°" not in name)
        return several, data, self.elements(factor.tensor)

    def is_integer(self, tensor: str) -> bool:
        return self.system.input_by_name[tensor].role == "integer"

    def phased(self, node: Reduce, equation: Equation) -> Any:
        """Where result axes are read as quotient and remainder: the sum for all quotients and remainders."""
        found: dict[str, tuple[Index, int]] = {}
        for part in subexpressions(node.body):
            if _is(part, "//") or _is(part, "%"):
                inner: Any = part.arguments[0]
                by: Any = part.arguments[1]
                if len(inner.terms) != 1:
                    return None
                ((coefficient, name),) = inner.terms
                if coefficient != 1 or not isinstance(name, str) or name in node.axes:
                    return None
                if found.setdefault(name, (inner, int(by.value))) != (inner, int(by.value)):
                    return None
        if not found:
            return None
        body: Any = node.body
        axes: list[str] = []
        places: list[Expression] = []
        for name in _in_order(equation.axes, free_axes(node)):
            if name not in found:
                axes.append(name)
                places.append(axis(name))
                continue
            inner, by = found[name]
            highest = self.size(name) - 1 + inner.constant
            lowest = inner.constant
            first = lowest // by
            quotient = self.fresh_axis(name, highest // by - first + 1)
            remainder = self.fresh_axis(name, by)
            body = _phase(body, inner, by, combine([(1, quotient)], first), axis(remainder))
            if name in free_axes(body):
                return None
            self.fit(quotient, body)
            self.fit(remainder, body)
            axes += [quotient, remainder]
            parts = [Apply(function, (inner, Number(by))) for function in ("//", "%")]
            places += [combine([(1, parts[0])], -first), combine([(1, parts[1])], 0)]
        made = self.fresh_tensor(f"{equation.name}#phases")
        self.axes[made] = tuple(axes)
        whole = Reduce("sum", node.axes, body)
        self.equations.append(Equation(made, tuple(axes), self.product(whole, Equation(made, tuple(axes), whole))))
        return Access(made, tuple(places))

    def fit(self, name: str, body: Any) -> None:
        """Make an axis as long as what is read at its own positions: beyond, the product is 0."""
        for part in subexpressions(body):
            if isinstance(part, Access):
                for place, index in enumerate(part.indices):
                    if plain_axis(index) == name:
                        self.sizes[name] = self.size_of(part.tensor, place)
        self.declared = [(at, Number(self.sizes[at]) if at == name else size) for at, size in self.declared]

    def forwards(self, factor: Any, other: Any, node: Reduce, equation: Equation) -> Any:
        """The factor read at plain axes, written anew where it is not: summed axes in the order of the other factor,
        then those of the result."""
        if not self.is_window(factor):
            return factor
        names = dict.fromkeys(atom for index in factor.indices for _, atom in index.terms)
        if prod(self.size(name) for name in names) > MOST_COPIED * self.elements(factor.tensor):
            return factor
        order = dict.fromkeys(atom for index in other.indices for _, atom in index.terms)
        summed = [name for name in order if name in node.axes and name in names]
        summed += [name for name in names if name in node.axes and name not in summed]
        kept = [name for name in _in_order(equation.axes, names) if name not in node.axes]
        axes = tuple([*[name for name in kept if name in order], *summed, *[n for n in kept if n not in order]])
        return self.copy(factor, axes, f"{factor.tensor}#turned")

    def padded(self, factor: Access) -> Access:
        """The factor read inside a copy that has what lies outside."""
        ranges = [self.range(index) for index in factor.indices]
        limits = [self.size_of(factor.tensor, place) for place in range(len(factor.indices))]
        if all(low >= 0 and high < limit for (low, high), limit in zip(ranges, limits, strict=True)):
            return factor
        axes: list[str] = []
        reads: list[Expression] = []
        indices: list[Expression] = []
        for place, (index, (low, high), limit) in enumerate(zip(factor.indices, ranges, limits, strict=True)):
            assert isinstance(index, Index)
            declared = self.axes[factor.tensor][place]
            if low >= 0 and high < limit:
                axes.append(declared if declared not in axes else self.fresh_axis(declared, limit))
                reads.append(axis(axes[-1]))
                indices.append(index)
            else:
                low = min(low, -1)  # read at its own positions, the copy would have to be as long as what it copies
                axes.append(self.fresh_axis(declared, high - low + 1))
                reads.append(combine([(1, axes[-1])], low))
                indices.append(combine(index.terms, index.constant - low))
        spans = tuple((low, high) for low, high in ranges)
        key = (factor.tensor, spans)
        if key not in self.copies:
            name = self.fresh_tensor(f"{factor.tensor}#padded")
            self.copies[key] = name
            self.axes[name] = tuple(axes)
            self.equations.append(Equation(name, tuple(axes), Access(factor.tensor, tuple(reads))))
        return Access(self.copies[key], tuple(indices))

    def copy(self, factor: Access, axes: tuple[str, ...], wanted: str) -> Access:
        key = (factor, axes)
        if key not in self.copies:
            name = self.fresh_tensor(wanted)
            self.copies[key] = name
            self.axes[name] = axes
            self.equations.append(Equation(name, axes, factor))
        return access(self.copies[key], axes)

    # names and sizes

    def size_of(self, tensor: str, place: int) -> int:
        return self.size(self.axes[tensor][place])

    def elements(self, tensor: str) -> int:
        return prod(self.size(name) for name in self.axes[tensor])

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


def _is(node: Any, function: str) -> TypeGuard[Apply]:
    return isinstance(node, Apply) and node.function == function


def _as_range(factor: Any) -> Any:
    """``[k = e//n]`` as ``[0 <= e - n*k < n]``."""
    if not _is(factor, "="):
        return factor
    for one, other in (factor.arguments, factor.arguments[::-1]):
        if not isinstance(one, Index) or not isinstance(other, Index) or other.constant or len(other.terms) != 1:
            continue
        ((coefficient, atom),) = other.terms
        if coefficient == 1 and _is(atom, "//") and isinstance(atom.arguments[1], Number):
            inner, by = atom.arguments[0], atom.arguments[1].value
            if isinstance(by, int) and by > 0:
                return Apply("<=<", (Number(0), combine([(1, inner), (-by, one)], 0), Number(by)))
    return factor


def _coefficient(factor: Any, name: str) -> int:
    return sum(c for index in factor.indices for c, atom in index.terms if atom == name)


def _in_order(first: Iterable[str], names: Iterable[str]) -> list[str]:
    names = list(names)
    return [name for name in first if name in names] + [name for name in names if name not in set(first)]


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


def _phase(node: Any, inner: Index, by: int, quotient: Index, remainder: Expression) -> Any:
    if isinstance(node, Apply) and node.function in ("//", "%") and node.arguments[0] is inner:
        return quotient if node.function == "//" else remainder
    return rebuild(node, lambda child: _phase(child, inner, by, quotient, remainder))


def _recurrent(system: System) -> set[str]:
    return {e.name for block in order(system) if block.axis is not None for e in block.equations}
