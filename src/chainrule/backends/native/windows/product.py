"""*turn* and *pad*: a sum of products of two reads as a product of matrices, one of them seen through a window.

turned      sum[d](g[j - d]*W[d])  →  sum[d](g[j + d - 2]*W#[d]),  W#[d] = W[2 - d]      a window runs forwards
padded      x[p + u - 1]  →  x#[p + u],  x#[i] = x[i - 1]                          what is outside is written down
"""

from __future__ import annotations

from math import prod
from typing import Any

from chainrule.backends.native.windows.names import Names, in_order
from chainrule.backends.native.windows.phase import Phasing
from chainrule.equations.node import Access, Apply, Equation, Expression, Index, Reduce, access
from chainrule.equations.walk import combine, free_axes, is_apply, substitute

MOST_COPIED = 4  # a factor is written anew if it grows to no more than so many times its size


class Products:
    def __init__(self, names: Names) -> None:
        self.names = names
        self.phasing = Phasing(names, self.product)
        self.copies: dict[Any, str] = {}
        self.padded_copies: dict[str, dict[str, tuple[tuple[int, int], ...]]] = {}

    def product(self, node: Reduce, equation: Equation) -> Any:
        """A sum of products of two reads, at least one of them of a window."""
        body: Any = node.body
        if (
            not is_apply(body, "*")
            or len(body.arguments) != 2
            or not all(isinstance(f, Access) for f in body.arguments)
        ):
            return node
        factors: list[Any] = list(body.arguments)
        if any(self.names.system.input_by_name.get(f.tensor) and self.is_integer(f.tensor) for f in factors):
            return node
        if any(not isinstance(index, Index) for factor in factors for index in factor.indices):
            return node
        if not any(self.is_window(factor) for factor in factors):
            return node
        last = in_order(equation.axes, free_axes(node))[-1:]
        if all(set(last) <= set(free_axes(factor)) for factor in factors):
            return node  # element by element, as for a window over each channel: no product
        phased = self.phasing.phased(node, equation)
        if phased is not None:
            return phased
        if any(not isinstance(a, str) for f in factors for index in f.indices for _, a in index.terms):
            return node
        seen = max((0, 1), key=lambda n: self.as_window(factors[n]))
        for name in node.axes:
            if _coefficient(factors[seen], name) < 0 or (
                _coefficient(factors[1 - seen], name) < 0 and not _coefficient(factors[seen], name)
            ):
                back = combine([(-1, name)], self.names.size(name) - 1)
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
        data = any(
            self.names.classes.get(name, name) not in self.names.fixed for name in free_axes(factor) if "°" not in name
        )
        return several, data, self.names.elements(factor.tensor)

    def is_integer(self, tensor: str) -> bool:
        return self.names.system.input_by_name[tensor].role == "integer"

    def forwards(self, factor: Any, other: Any, node: Reduce, equation: Equation) -> Any:
        """The factor read at plain axes, written anew where it is not: summed axes in the order of the other factor,
        then those of the result."""
        if not self.is_window(factor):
            return factor
        names = dict.fromkeys(atom for index in factor.indices for _, atom in index.terms)
        if prod(self.names.size(name) for name in names) > MOST_COPIED * self.names.elements(factor.tensor):
            return factor
        order = dict.fromkeys(atom for index in other.indices for _, atom in index.terms)
        summed = [name for name in order if name in node.axes and name in names]
        summed += [name for name in names if name in node.axes and name not in summed]
        kept = [name for name in in_order(equation.axes, names) if name not in node.axes]
        axes = tuple([*[name for name in kept if name in order], *summed, *[n for n in kept if n not in order]])
        return self.copy(factor, axes, f"{factor.tensor}#turned")

    def padded(self, factor: Access) -> Access:
        """The factor read inside a copy that has what lies outside: one that there is, if it reaches far enough."""
        ranges = [self.names.range(index) for index in factor.indices]
        limits = [self.names.size_of(factor.tensor, place) for place in range(len(factor.indices))]
        if all(low >= 0 and high < limit for (low, high), limit in zip(ranges, limits, strict=True)):
            return factor
        known = self.padded_copies.setdefault(factor.tensor, {})
        for name, reach in known.items():
            pairs = list(zip(reach, ranges, strict=True))
            if all(least <= low and high <= most for (least, most), (low, high) in pairs):
                return _moved(factor, name, [least for least, _ in reach])
        axes: list[str] = []
        reads: list[Expression] = []
        spans: list[tuple[int, int]] = []
        for place, ((low, high), limit) in enumerate(zip(ranges, limits, strict=True)):
            declared = self.names.axes[factor.tensor][place]
            if low >= 0 and high < limit:
                axes.append(declared if declared not in axes else self.names.fresh_axis(declared, limit))
                spans.append((0, limit - 1))
            else:
                low = min(low, -1)  # read at its own positions, the copy would have to be as long as what it copies
                axes.append(self.names.fresh_axis(declared, high - low + 1))
                spans.append((low, high))
            reads.append(combine([(1, axes[-1])], spans[-1][0]))
        made = self.names.fresh_tensor(f"{factor.tensor}#padded")
        known[made] = tuple(spans)
        self.names.write(made, axes, Access(factor.tensor, tuple(reads)))
        return _moved(factor, made, [low for low, _ in spans])

    def copy(self, factor: Access, axes: tuple[str, ...], wanted: str) -> Access:
        key = (factor, axes)
        if key not in self.copies:
            name = self.names.fresh_tensor(wanted)
            self.copies[key] = name
            self.names.write(name, axes, factor)
        return access(self.copies[key], axes)


def _coefficient(factor: Any, name: str) -> int:
    return sum(c for index in factor.indices for c, atom in index.terms if atom == name)


def _moved(factor: Access, tensor: str, lows: list[int]) -> Access:
    """The same read of a copy whose first position along each axis is ``lows``."""
    pairs: Any = zip(factor.indices, lows, strict=True)
    return Access(tensor, tuple(combine(index.terms, index.constant - low) for index, low in pairs))
