"""Any equation at any position with the numbers put in:

    z⁽¹⁾₀₃ = Σᵢ x₀ᵢ W⁽¹⁾ᵢ₃ + β₃ = 0.12·0.5 + (−0.3)·1.2 + … + 0.05 = 0.41

A long sum shows the terms that matter most, in their order, and all the others as one number.  As many digits are
printed as it takes for the printed line to give the printed value.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.equations.evaluate import numpy_function, values_at
from chainrule.equations.node import Access, Apply, Equation, Expression, Index, Number, Reduce, base_axis
from chainrule.equations.sizes import solve_sizes
from chainrule.equations.system import System
from chainrule.equations.walk import children, rebuild, substitute
from chainrule.errors import ChainruleError
from chainrule.notation.compose import compose, literal
from chainrule.notation.latex import box_latex
from chainrule.notation.layout import ELLIPSIS, EQUALS, Box, Brace, Symbol, row, word
from chainrule.notation.mathml import math_element
from chainrule.notation.names import Names
from chainrule.notation.text import box_text

SHOWN_TERMS = 6
VALUE_DIGITS = 4
LARGEST_EXPONENT = 700  # exp of more is infinite in float64


@dataclass(frozen=True)
class Rest:
    """The terms of a long sum that are not shown: their sum and how many they are."""

    value: float
    terms: int


@dataclass(frozen=True)
class Worked:
    """One element of a tensor, worked out.

    ``symbols`` is the equation's right-hand side at this position, ``expression`` the same with all numbers in full,
    in which the names in ``rests`` stand for the terms left out.  ``reads``: the elements whose values stand in it.
    """

    tensor: str
    position: tuple[int, ...]
    symbols: Expression
    expression: Expression
    rests: Mapping[str, Rest]
    reads: tuple[tuple[str, tuple[int, ...]], ...]
    value: float

    def printed(self) -> tuple[Expression, Mapping[str, Rest], float]:
        """The expression, the rests and the value, rounded as they are printed."""
        value = _rounded(self.value, VALUE_DIGITS)
        for digits in range(VALUE_DIGITS, 17):
            expression = _round_numbers(self.expression, digits)
            rests = {name: replace(rest, value=_rounded(rest.value, digits)) for name, rest in self.rests.items()}
            if _rounded(evaluate_numbers(expression, rests), VALUE_DIGITS) == value:
                break
        return expression, rests, value

    def boxes(self, names: Names) -> tuple[Box, ...]:
        """The left-hand side, the symbols, the numbers (where they say more than the value), the value."""
        expression, rests, value = self.printed()
        shown = {name: _left_out(rest) for name, rest in rests.items()}
        left = names.tensor(self.tensor, [literal(position) for position in self.position])
        numbers = compose(expression, replace(names, shown={**names.shown, **shown}))
        symbols = compose(self.symbols, names)
        middle = () if isinstance(expression, Number) else (numbers,)
        return (left, symbols, *middle, literal(_plain(value)))

    def latex(self, names: Names) -> str:
        left, *others = map(box_latex, self.boxes(names))
        lines = "\\\\\n".join(f"  {'' if n else left} &= {other}" for n, other in enumerate(others))
        return f"\\begin{{aligned}}\n{lines}\n\\end{{aligned}}"

    def mathml(self, names: Names) -> str:
        left, *others = self.boxes(names)
        return math_element(row(left, *itertools.chain(*((EQUALS, other) for other in others))))

    def text(self, names: Names) -> str:
        return " = ".join(map(box_text, self.boxes(names)))


def _left_out(rest: Rest) -> Box:
    sign = Symbol("−" if rest.value < 0 else "+", "sum")
    return row(ELLIPSIS, sign, Brace(literal(_plain(abs(rest.value))), word(f"{rest.terms} more")))


def worked(
    system: System, values: Mapping[str, ArrayLike], tensor: str, position: Sequence[int] = (), terms: int = SHOWN_TERMS
) -> Worked:
    """Work out one element of a tensor.

    ``values``: the value of every tensor, as ``evaluate`` gives them.  ``position``: one whole number for each axis.
    ``terms``: how many terms of a sum are shown.  Raises ChainruleError where there is no such element.
    """
    equation = system.by_name.get(tensor)
    if equation is None:
        raise ChainruleError(f"no equation defines {tensor}")
    arrays = {name: np.asarray(value) for name, value in values.items()}
    shape = arrays[tensor].shape
    position = tuple(int(at) for at in position)
    if len(position) != len(shape) or not all(0 <= at < size for at, size in zip(position, shape, strict=True)):
        raise ChainruleError(f"{tensor} has the shape {shape}; there is no element at {position}")
    sizes = solve_sizes(system, {name: array.shape for name, array in arrays.items()})
    writer = _Numbers(arrays, sizes, terms)
    at = dict(zip(equation.axes, position, strict=True))
    expression = writer.put(equation.expression, at)
    symbols = _at(equation, at)
    value = float(arrays[tensor][position])
    return Worked(tensor, position, symbols, expression, writer.rests, tuple(writer.reads), value)


def _at(equation: Equation, at: Mapping[str, int]) -> Expression:
    """The right-hand side with the axes of the left at their values."""
    symbols: Expression = substitute(equation.expression, {axis: Index((), value) for axis, value in at.items()})
    return symbols


class _Numbers:
    def __init__(self, arrays: Mapping[str, NDArray[Any]], sizes: Mapping[str, int], terms: int) -> None:
        self.arrays = arrays
        self.sizes = sizes
        self.terms = terms
        self.rests: dict[str, Rest] = {}
        self.reads: dict[tuple[str, tuple[int, ...]], None] = {}

    def put(self, node: Any, at: Mapping[str, int]) -> Any:
        """The expression with numbers for all reads and positions, sums written out."""
        match node:
            case Number(str(axis)):
                return Number(self.sizes[axis])
            case Access():
                self.note(node, at)
                return Number(_plain(self.value(node, at)))
            case Index():
                return Number(_plain(self.value(node, at)))
            case Reduce():
                return self.reduced(node, at)
            case Apply("where", (condition, left, right)):
                return self.put(left if self.value(condition, at) else right, at)
        return rebuild(node, lambda child: self.put(child, at))

    def note(self, node: Any, at: Mapping[str, int]) -> None:
        """Remember which element is read, and which those are that say where; what is read outside is none."""
        if isinstance(node, Access):
            position = tuple(int(self.value(index, at)) for index in node.indices)
            if all(0 <= i < size for i, size in zip(position, self.arrays[node.tensor].shape, strict=True)):
                self.reads[node.tensor, position] = None
        inner = self.positions(node, at) if isinstance(node, Reduce) else (at,)
        for child, place in itertools.product(children(node), inner):
            self.note(child, place)

    def positions(self, node: Reduce, at: Mapping[str, int]) -> Iterator[dict[str, int]]:
        for values in itertools.product(*(range(self.sizes[axis]) for axis in node.axes)):
            yield {**at, **dict(zip(node.axes, values, strict=True))}

    def position(self, node: Reduce, at: Mapping[str, int], term: int) -> dict[str, int]:
        """Where the axes are at one term, the terms counted in order."""
        places = np.unravel_index(term, [self.sizes[axis] for axis in node.axes])
        return {**at, **{axis: int(place) for axis, place in zip(node.axes, places, strict=True)}}

    def reduced(self, node: Reduce, at: Mapping[str, int]) -> Any:
        if node.operation.startswith("arg"):
            return Number(_plain(self.value(node, at)))
        values = values_at(node.body, node.axes, at, self.arrays, self.sizes).reshape(-1)
        if node.operation in ("max", "min"):
            order = np.argsort(-values if node.operation == "max" else values, kind="stable")
            parts = [self.put(node.body, self.position(node, at, term)) for term in sorted(order[: self.terms])]
            return parts[0] if len(parts) == 1 else Apply(node.operation, tuple(parts))
        if node.operation == "logsumexp":
            return self.log_of_sum(node, at, values)
        return self.sum(values, lambda term: self.put(node.body, self.position(node, at, term)))

    def log_of_sum(self, node: Reduce, at: Mapping[str, int], values: NDArray[Any]) -> Any:
        """log Σ exp; where exp has no number for it, with the largest term taken out: m + log Σ exp(x − m)."""
        largest = float(values.max())
        out = largest if LARGEST_EXPONENT < abs(largest) < math.inf else 0

        def put(term: int) -> Any:
            part = self.put(node.body, self.position(node, at, term))
            return Apply("exp", (Apply("+", (part, Number(-out))) if out else part,))

        logarithm = Apply("log", (self.sum(np.exp(values - out), put),))
        return Apply("+", (Number(out), logarithm)) if out else logarithm

    def sum(self, values: NDArray[Any], put: Callable[[int], Any]) -> Any:
        """The terms that matter, as ``put`` writes them, and the rest."""
        terms = np.flatnonzero(values)
        many = len(terms) > self.terms + 1
        largest = np.argsort(-np.abs(values[terms]), kind="stable")[: self.terms if many else None]
        kept = np.sort(terms[largest])
        parts = [put(int(term)) for term in kept]
        left_out = values[np.setdiff1d(terms, kept, assume_unique=True)]
        if left_out.size:
            name = f"rest {len(self.rests) + 1}"
            self.rests[name] = Rest(math.fsum(left_out), left_out.size)
            parts.append(Access(name, ()))
        return Number(0) if not parts else parts[0] if len(parts) == 1 else Apply("+", tuple(parts))

    def value(self, node: Any, at: Mapping[str, int]) -> Any:
        """The value of an expression at one position."""
        match node:
            case Index(terms, constant):
                return constant + sum(c * (at[a] if isinstance(a, str) else self.value(a, at)) for c, a in terms)
            case Access(tensor, indices):
                array = self.arrays[tensor]
                position = tuple(int(self.value(index, at)) for index in indices)
                inside = all(0 <= i < size for i, size in zip(position, array.shape, strict=True))
                return array[position].item() if inside else 0
            case Reduce():
                return values_at(node, (), at, self.arrays, self.sizes).item()
            case Number(str(axis)):
                return self.sizes[base_axis(axis)]
            case Number(value):
                return value
            case Apply(function, arguments):
                return _applied(function, (partial(self.value, argument, at) for argument in arguments))
        raise TypeError(node)


def evaluate_numbers(node: Any, rests: Mapping[str, Rest]) -> float:
    """The value of an expression of numbers."""
    match node:
        case Number(value):
            return float(value)
        case Access(name, ()):
            return rests[name].value
        case Apply("max" | "min" as function, arguments):
            choose = max if function == "max" else min
            return choose(evaluate_numbers(argument, rests) for argument in arguments)
        case Apply(function, arguments):
            return float(_applied(function, (partial(evaluate_numbers, argument, rests) for argument in arguments)))
    raise TypeError(node)


def _applied(function: str, waiting: Iterator[Callable[[], Any]]) -> Any:
    """A function of arguments that wait to be computed; a factor of 0 keeps the others from being."""
    if function == "*":
        total: Any = 1
        for factor in waiting:
            value = factor()
            if value == 0:
                return 0
            total = total * value
        return total
    values = [argument() for argument in waiting]
    if function == "+":
        return sum(values)
    with np.errstate(all="ignore"):
        return np.asarray(numpy_function(function)(*map(np.asarray, values))).item()


def _plain(value: Any) -> int | float:
    """A whole number as an integer, unless it is so large that it would be written out at length."""
    return int(value) if float(value).is_integer() and abs(value) < 1e6 else float(value)


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def _round_numbers(node: Any, digits: int) -> Any:
    if isinstance(node, Number):
        return Number(_plain(_rounded(float(node.value), digits))) if isinstance(node.value, float) else node
    return rebuild(node, lambda child: _round_numbers(child, digits))
