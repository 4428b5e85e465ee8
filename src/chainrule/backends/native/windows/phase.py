"""*phase*: sums whose result is read as quotient and remainder of its position.

    z[h] = sum[d](g[h//2 - d]*W[h%2 + 2*d])  →  z[h] = Z[h//2, h%2],  Z[j,r] = sum[d](g[j - d]*W[r + 2*d])

or, where some remainders have fewer terms than others, a sum for each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chainrule.backends.native.windows.names import Names, in_order
from chainrule.equations.node import Access, Apply, Equation, Expression, Index, Number, Reduce, axis
from chainrule.equations.walk import combine, free_axes, is_apply, rebuild, subexpressions, substitute


@dataclass(frozen=True)
class _Phases:
    """A sum in which the axes ``found`` are read as quotient and remainder of an index.

    ``quotients`` are what stands for the quotient; ``axes`` are those of the result, ``places`` where it is read.
    """

    equation: Equation
    node: Reduce
    axes: list[str]
    places: list[Expression]
    found: Mapping[str, tuple[Index, int]]
    quotients: Mapping[str, tuple[Index, int]]


class Phasing:
    """``product``: what is done to each of the sums."""

    def __init__(self, names: Names, product: Callable[[Reduce, Equation], Any]) -> None:
        self.names = names
        self.product = product

    def phased(self, node: Reduce, equation: Equation) -> Any:
        """Where result axes are read as quotient and remainder: the sum for all quotients and remainders."""
        found: dict[str, tuple[Index, int]] = {}
        for part in subexpressions(node.body):
            if is_apply(part, "//") or is_apply(part, "%"):
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
        axes: list[str] = []
        places: list[Expression] = []
        quotients: dict[str, tuple[Index, int]] = {}
        for name in in_order(equation.axes, free_axes(node)):
            if name not in found:
                axes.append(name)
                places.append(axis(name))
                continue
            inner, by = found[name]
            first = inner.constant // by
            quotient = self.names.fresh_axis(name, (self.names.size(name) - 1 + inner.constant) // by - first + 1)
            quotients[name] = combine([(1, quotient)], first), by
            axes.append(quotient)
            places.append(combine([(1, Apply("//", (inner, Number(by))))], -first))
        phases = _Phases(equation, node, axes, places, found, quotients)
        return self.phase(phases, {}) if self.is_uneven(node, found) else self.together(phases)

    def is_uneven(self, node: Reduce, found: Mapping[str, tuple[Index, int]]) -> bool:
        """Whether some remainders have fewer terms than others."""
        strides = {by for _, by in found.values()}
        return any(
            self.names.size_of(part.tensor, place) % by
            for part in subexpressions(node.body)
            if isinstance(part, Access)
            for place, index in enumerate(part.indices)
            if isinstance(index, Index) and any(is_apply(atom, "%") for _, atom in index.terms)
            for by in strides
        )

    def together(self, phases: _Phases) -> Any:
        """One sum for all remainders, which are an axis of it."""
        body: Any = phases.node.body
        axes, places = list(phases.axes), list(phases.places)
        for name, (quotient, by) in phases.quotients.items():
            inner, _ = phases.found[name]
            remainder = self.names.fresh_axis(name, by)
            body = _phase(body, inner, quotient, axis(remainder))
            at = axes.index(str(quotient.terms[0][1])) + 1
            axes.insert(at, remainder)
            places.insert(at, combine([(1, Apply("%", (inner, Number(by))))], 0))
            self.names.fit(remainder, body)
        if set(phases.found) & set(free_axes(body)):
            return None
        return Access(self.phase_tensor(phases, axes, Reduce("sum", phases.node.axes, body)), tuple(places))

    def phase(self, phases: _Phases, chosen: Mapping[str, int]) -> Any:
        """A sum for each remainder, of the terms that it has; ``chosen`` are the remainders so far."""
        for name, (inner, by) in phases.found.items():
            if name not in chosen:
                others = [self.phase(phases, {**chosen, name: remainder}) for remainder in range(by)]
                value = others[-1]
                for remainder, other in reversed(list(enumerate(others[:-1]))):
                    here = Apply("=", (combine([(1, Apply("%", (inner, Number(by))))], 0), combine((), remainder)))
                    value = Apply("where", (here, other, value))
                return None if any(other is None for other in others) else value
        body: Any = phases.node.body
        for name, (quotient, _) in phases.quotients.items():
            body = _phase(body, phases.found[name][0], quotient, combine((), chosen[name]))
        if set(phases.found) & set(free_axes(body)):
            return None
        summed = []
        for name in phases.node.axes:
            count = min((self.terms_inside(part, name) for part in subexpressions(body)), default=self.names.size(name))
            if count < 1:
                return Number(0.0)
            if count < self.names.size(name):
                shorter = self.names.fresh_axis(name, count)
                body, name = substitute(body, {name: axis(shorter)}), shorter
            summed.append(name)
        made = self.phase_tensor(phases, phases.axes, Reduce("sum", tuple(summed), body))
        return Access(made, tuple(phases.places))

    def terms_inside(self, part: Any, name: str) -> int:
        """How many positions of an axis there are before a read at ``by·axis + r`` is beyond the end."""
        count = self.names.size(name)
        for place, index in enumerate(part.indices if isinstance(part, Access) else ()):
            if isinstance(index, Index) and len(index.terms) == 1 and index.terms[0][1] == name:
                by = index.terms[0][0]
                if by > 1:
                    count = min(count, (self.names.size_of(part.tensor, place) - index.constant + by - 1) // by)
        return count

    def phase_tensor(self, phases: _Phases, axes: list[str], whole: Reduce) -> str:
        for quotient, _ in phases.quotients.values():
            self.names.fit(str(quotient.terms[0][1]), whole.body)
        made = self.names.fresh_tensor(f"{phases.equation.name}#phases")
        expression = self.product(whole, Equation(made, tuple(axes), whole))
        self.names.write(made, axes, expression)
        return made


def _phase(node: Any, inner: Index, quotient: Index, remainder: Expression) -> Any:
    if isinstance(node, Apply) and node.function in ("//", "%") and node.arguments[0] is inner:
        return quotient if node.function == "//" else remainder
    return rebuild(node, lambda child: _phase(child, inner, quotient, remainder))
